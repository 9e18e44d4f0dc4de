/*
 * Where web seeds' files have moved to. A redirect is followed once and then remembered, so that
 * the next range of the file does not ask the first server again; what was remembered is forgotten
 * when it fails. The rules for addresses are applied to the new place as to any other.
 */
#ifndef P2P_ENGINE_MOVED_H
#define P2P_ENGINE_MOVED_H

#include <stddef.h>

#define MOVED_MAX 4096 /* addresses remembered; later ones are asked for where they were */

struct moved;

struct moved *moved_new(void);
void moved_free(struct moved *m);
/* The place to ask: a remembered one, or `url` itself. Borrowed until the next change. */
const char *moved_to(const struct moved *m, const char *url);
void moved_set(struct moved *m, const char *url, const char *to); /* to NULL: forget */

#endif
