/*
 * The descriptors that all file trees of the process keep open between two uses, least recently
 * used closed first, so that ten thousand items of a hundred files each fit in RLIMIT_NOFILE. The
 * limit is soft: what is in use at the moment stays open. Holds the one lock of the host floor.
 */
#ifndef P2P_HOST_FDCACHE_H
#define P2P_HOST_FDCACHE_H

#include <stddef.h>

struct fdcache;

#define FDCACHE_USUAL 64

struct fdcache *fdcache_new(size_t max);
void fdcache_free(struct fdcache *c); /* after the trees that use it; NULL is fine */
size_t fdcache_open_count(struct fdcache *c);

#endif
