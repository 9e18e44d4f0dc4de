/*
 * A hash map from short byte keys (copied) to pointers (borrowed). Keys are hashed with a seed of
 * the map, so that strangers cannot choose colliding ones.
 */
#ifndef P2P_BASE_MAP_H
#define P2P_BASE_MAP_H

#include <p2p/base/bytes.h>

struct map;

struct map *map_new(uint64_t seed);
void map_free(struct map *m); /* values are the caller's to free */
size_t map_count(const struct map *m);
void *map_get(const struct map *m, struct bytes key); /* NULL if absent */
/* `value` is not NULL; returns the value it replaces, or NULL. */
void *map_put(struct map *m, struct bytes key, void *value);
void *map_remove(struct map *m, struct bytes key); /* the value it had, or NULL */
/* Walks all: start with *it = 0; false at the end. Nothing may be put or removed meanwhile. */
bool map_walk(const struct map *m, size_t *it, struct bytes *key, void **value);

uint64_t hash_bytes(uint64_t seed, struct bytes b);

#endif
