/*
 * The memory of items that are kept nowhere else: what streams, is unpacked, or is looked into. All
 * of them share one window's worth, however many there are. But each has room for two pieces, as
 * less would not move; where that is more memory than all may have, no other is begun beside those
 * that are there.
 */
#ifndef LIB_ENGINE_WINDOWS_H
#define LIB_ENGINE_WINDOWS_H

#include "engine/engine_int.h"

#define WINDOWS_ALL ((uint64_t)32 << 20)   /* unless the caller says otherwise */
#define WINDOWS_MOST ((uint64_t)512 << 20) /* by big pieces; of one item alone any that it takes */

/* Its part, in bytes, kept for it from the first call on; 0: it needs none. */
uint64_t windows_part(struct item *it);
/* The manifest is known: room for two pieces. ERR_USAGE: there is none. */
int windows_settle(struct item *it, struct err *e);
void windows_free(struct item *it); /* it ends */

#endif
