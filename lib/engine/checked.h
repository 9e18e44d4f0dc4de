/*
 * Content that lies here, read with the care of what comes from others: each piece is held against
 * its hash before the first of its bytes is given. Blocking; one thread at a time.
 */
#ifndef LIB_ENGINE_CHECKED_H
#define LIB_ENGINE_CHECKED_H

#include "engine/places.h"

struct checked;

/* All is copied but the manifest, which is borrowed. */
struct checked *checked_new(struct fdcache *files, const struct places *p);
void checked_free(struct checked *c); /* NULL is fine */
/* Is this file there, under its last name and as long as it should be? */
bool checked_has(const struct checked *c, uint32_t file);
/* At least one byte. ERR_INVALID: it is not what it should be. */
int64_t checked_read(struct checked *c, uint32_t file, uint64_t at, struct span to, struct err *e);

#endif
