/*
 * Descriptors kept open between two uses. Opening happens outside the lock, since a sleepy disk
 * must not hold up the other threads; whoever wants the same file meanwhile waits for it.
 */
#include "host/fdcache_pin.h"

#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fdcache_key {
    struct fdcache_owner *owner;
    uint64_t index; /* wide, so that no padding gets into the hash */
};

struct fdcache_entry {
    struct list_node node; /* in `idle` while pins are 0, in `closing` on its way out */
    struct fdcache_key key;
    int fd;
    unsigned pins;
    bool writable, opening;
    bool dropped; /* not in the map any more: goes when the last pin goes */
};

struct fdcache {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    struct map *map;
    struct list idle; /* least recently used first */
    size_t max, open;
};

struct fdcache *fdcache_new(size_t max)
{
    struct fdcache *c = mem_zero(sizeof *c);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->opened, NULL);
    c->map = map_new(0); /* keys are ours, not a stranger's */
    list_init(&c->idle);
    c->max = max ? max : 1;
    return c;
}

void fdcache_free(struct fdcache *c)
{
    if (!c)
        return;
    map_free(c->map);
    pthread_cond_destroy(&c->opened);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void fdcache_lock(struct fdcache *c)
{
    pthread_mutex_lock(&c->lock);
}

void fdcache_unlock(struct fdcache *c)
{
    pthread_mutex_unlock(&c->lock);
}

size_t fdcache_open_count(struct fdcache *c)
{
    fdcache_lock(c);
    size_t n = c->open;
    fdcache_unlock(c);
    return n;
}

int fdcache_fd(const struct fdcache_entry *en)
{
    return en->fd;
}

static struct bytes key_bytes(const struct fdcache_key *k)
{
    return BYTES(k, sizeof *k);
}

/* Under the lock: takes an idle entry out of everything; it is closed after unlocking. */
static void retire(struct fdcache *c, struct fdcache_entry *en, struct list *closing)
{
    list_remove(&c->idle, &en->node);
    if (!en->dropped)
        map_remove(c->map, key_bytes(&en->key));
    list_push(closing, &en->node);
    c->open--;
}

static void evict(struct fdcache *c, size_t down_to, struct list *closing)
{
    struct list_node *n;
    while (c->open > down_to && (n = list_first(&c->idle))) {
        struct fdcache_entry *en = LIST_OF(n, struct fdcache_entry, node);
        if (en->writable)
            en->key.owner->evicted++;
        retire(c, en, closing);
    }
}

static void close_retired(struct list *closing)
{
    struct list_node *n;
    while ((n = list_pop(closing))) {
        struct fdcache_entry *en = LIST_OF(n, struct fdcache_entry, node);
        close(en->fd);
        free(en);
    }
}

/* Under the lock: no longer to be found; closed now if nobody holds it. */
static void forget(struct fdcache *c, struct fdcache_entry *en, struct list *closing)
{
    if (en->writable)
        en->key.owner->evicted++;
    if (!en->opening && en->pins == 0) {
        retire(c, en, closing);
        return;
    }
    map_remove(c->map, key_bytes(&en->key));
    en->dropped = true;
}

/* Under the lock: the entry if it is open and will do; NULL if it has to be opened. */
static struct fdcache_entry *find_open(struct fdcache *c, const struct fdcache_key *key, bool write,
                                       struct list *closing)
{
    struct fdcache_entry *en;
    while ((en = map_get(c->map, key_bytes(key))) && en->opening)
        pthread_cond_wait(&c->opened, &c->lock);
    if (en && write && !en->writable) {
        forget(c, en, closing);
        return NULL;
    }
    return en;
}

static void take_pin(struct fdcache *c, struct fdcache_entry *en)
{
    if (en->pins++ == 0 && list_linked(&en->node))
        list_remove(&c->idle, &en->node);
}

static int open_entry(struct fdcache *c, struct fdcache_entry *en, fdcache_open_fn *open, void *ctx,
                      struct err *e)
{
    struct err here = {0};
    int fd = open(ctx, (uint32_t)en->key.index, en->writable, &here);
    if (fd < 0 && (here.os == EMFILE || here.os == ENFILE)) {
        struct list closing;
        list_init(&closing);
        fdcache_lock(c);
        evict(c, 0, &closing);
        fdcache_unlock(c);
        close_retired(&closing);
        err_clear(&here);
        fd = open(ctx, (uint32_t)en->key.index, en->writable, &here);
    }
    if (fd < 0 && e && !e->code)
        *e = here;
    return fd;
}

struct fdcache_entry *fdcache_pin(struct fdcache *c, struct fdcache_owner *o, uint32_t index,
                                  bool write, fdcache_open_fn *open, void *ctx, int *rc,
                                  struct err *e)
{
    struct fdcache_key key = {o, index};
    struct list closing;
    list_init(&closing);
    fdcache_lock(c);
    struct fdcache_entry *en = find_open(c, &key, write, &closing);
    if (en) {
        take_pin(c, en);
        fdcache_unlock(c);
        return en;
    }
    en = mem_zero(sizeof *en);
    en->key = key;
    en->writable = write;
    en->opening = true;
    map_put(c->map, key_bytes(&key), en);
    fdcache_unlock(c);
    close_retired(&closing);

    en->fd = open_entry(c, en, open, ctx, e);

    fdcache_lock(c);
    en->opening = false;
    if (en->fd >= 0) {
        en->pins = 1;
        c->open++;
        evict(c, c->max, &closing);
    } else if (!en->dropped) {
        map_remove(c->map, key_bytes(&key));
    }
    pthread_cond_broadcast(&c->opened);
    fdcache_unlock(c);
    close_retired(&closing);
    if (en->fd >= 0)
        return en;
    *rc = en->fd;
    free(en);
    return NULL;
}

void fdcache_unpin(struct fdcache *c, struct fdcache_entry *en)
{
    struct list closing;
    list_init(&closing);
    fdcache_lock(c);
    if (--en->pins == 0) {
        list_push(&c->idle, &en->node);
        if (en->dropped)
            retire(c, en, &closing);
        else
            evict(c, c->max, &closing);
    }
    fdcache_unlock(c);
    close_retired(&closing);
}

void fdcache_drop(struct fdcache *c, struct fdcache_owner *o, uint32_t index)
{
    struct fdcache_key key = {o, index};
    struct list closing;
    list_init(&closing);
    fdcache_lock(c);
    struct fdcache_entry *en = map_get(c->map, key_bytes(&key));
    if (en)
        forget(c, en, &closing);
    fdcache_unlock(c);
    close_retired(&closing);
}

void fdcache_drop_all(struct fdcache *c, struct fdcache_owner *o)
{
    struct list closing;
    list_init(&closing);
    fdcache_lock(c);
    for (struct list_node *n = list_first(&c->idle), *next; n; n = next) {
        struct fdcache_entry *en = LIST_OF(n, struct fdcache_entry, node);
        next = list_next(&c->idle, n);
        if (en->key.owner == o)
            retire(c, en, &closing);
    }
    fdcache_unlock(c);
    close_retired(&closing);
}
