/*
 * What a file tree asks of the descriptor cache. Entries are found by (owner, index). The lock of
 * the cache also guards what changes in the trees that use it: it is the only lock there is.
 */
#ifndef LIB_HOST_FDCACHE_PIN_H
#define LIB_HOST_FDCACHE_PIN_H

#include <p2p/base/err.h>
#include <p2p/host/fdcache.h>
#include <stdbool.h>
#include <stdint.h>

struct fdcache_owner {
    /* Under the lock: writable descriptors that were closed to make room since this was zeroed. */
    unsigned evicted;
};

struct fdcache_entry;

/* Opens the file in whatever way the owner likes; called without the lock. */
typedef int fdcache_open_fn(void *ctx, uint32_t index, bool write, struct err *e);

/*
 * The entry, opened if it has to be, which stays open until fdcache_unpin. One that was opened for
 * writing serves readers too. NULL with *rc and e set if it cannot be opened.
 */
struct fdcache_entry *fdcache_pin(struct fdcache *c, struct fdcache_owner *o, uint32_t index,
                                  bool write, fdcache_open_fn *open, void *ctx, int *rc,
                                  struct err *e);
void fdcache_unpin(struct fdcache *c, struct fdcache_entry *en);
int fdcache_fd(const struct fdcache_entry *en);
/* The next pin opens anew; those that hold it now keep it. */
void fdcache_drop(struct fdcache *c, struct fdcache_owner *o, uint32_t index);
void fdcache_drop_all(struct fdcache *c, struct fdcache_owner *o);

void fdcache_lock(struct fdcache *c);
void fdcache_unlock(struct fdcache *c);

#endif
