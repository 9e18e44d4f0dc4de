/* Content in memory; see window.h. Places that were freed are used again: pages stay mapped. */
#include <p2p/host/window.h>

#include <p2p/base/list.h>
#include <p2p/base/map.h>
#include <p2p/base/mem.h>

#include <pthread.h>
#include <stdlib.h>

struct place {
    struct list_node node; /* in window.unused */
    uint64_t piece;
    unsigned users; /* threads at work in it */
    bool dropped;   /* meanwhile */
    uint8_t *mem;
};

struct window {
    uint32_t piece_length;
    size_t most, made;
    pthread_mutex_t lock;
    struct map *here; /* piece → place */
    struct list unused;
};

struct window *window_new(uint32_t piece_length, size_t most)
{
    struct window *w = mem_zero(sizeof *w);

    w->piece_length = piece_length;
    w->most = most;
    w->here = map_new(0); /* its keys are our own numbers */
    list_init(&w->unused);
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

static void place_free(struct place *p)
{
    free(p->mem);
    free(p);
}

void window_free(struct window *w)
{
    struct list_node *l;
    size_t at = 0;
    void *v;

    if (!w)
        return;
    while (map_walk(w->here, &at, NULL, &v))
        place_free(v);
    while ((l = list_pop(&w->unused)) != NULL)
        place_free(LIST_OF(l, struct place, node));
    map_free(w->here);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static struct bytes key(const uint64_t *piece)
{
    return BYTES(piece, sizeof *piece);
}

static struct place *make(struct window *w, uint64_t piece)
{
    struct list_node *l = list_pop(&w->unused);
    struct place *p = l ? LIST_OF(l, struct place, node) : NULL;

    if (!p && w->made == w->most)
        return NULL;
    if (!p) {
        p = mem_zero(sizeof *p);
        p->mem = mem_alloc(w->piece_length);
        w->made++;
    }
    p->piece = piece;
    p->dropped = false;
    map_put(w->here, key(&p->piece), p);
    return p;
}

static struct place *take(struct window *w, uint64_t piece, bool or_make)
{
    struct place *p;

    pthread_mutex_lock(&w->lock);
    p = map_get(w->here, key(&piece));
    if (!p && or_make)
        p = make(w, piece);
    if (p)
        p->users++;
    pthread_mutex_unlock(&w->lock);
    return p;
}

static void put_back(struct window *w, struct place *p)
{
    pthread_mutex_lock(&w->lock);
    if (--p->users == 0 && p->dropped)
        list_push(&w->unused, &p->node);
    pthread_mutex_unlock(&w->lock);
}

/* Copies n bytes at `offset`, which may go on in the next piece; `in` or `out` is NULL. */
static int copy(struct window *w, uint64_t offset, const uint8_t *in, uint8_t *out, size_t n)
{
    while (n > 0) {
        size_t at = (size_t)(offset % w->piece_length), part = w->piece_length - at;
        struct place *p = take(w, offset / w->piece_length, in != NULL);

        if (!p)
            return in ? ERR_LIMIT : ERR_NOTFOUND;
        if (part > n)
            part = n;
        if (in) {
            memcpy(p->mem + at, in, part);
            in += part;
        } else {
            memcpy(out, p->mem + at, part);
            out += part;
        }
        put_back(w, p);
        offset += part;
        n -= part;
    }
    return 0;
}

int window_write(struct window *w, uint64_t offset, const struct bytes *v, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int rc = copy(w, offset, v[i].p, NULL, v[i].n);

        if (rc < 0)
            return err_set(e, rc, "more pieces are to be kept in memory than was agreed");
        offset += v[i].n;
    }
    return 0;
}

int window_read(struct window *w, uint64_t offset, struct span to, struct err *e)
{
    int rc = copy(w, offset, NULL, to.p, to.n);

    return rc < 0 ? err_set(e, rc, "these bytes are not in memory any more") : 0;
}

struct bytes window_at(struct window *w, uint64_t offset)
{
    size_t at = (size_t)(offset % w->piece_length);
    struct place *p = take(w, offset / w->piece_length, false);

    if (!p)
        return (struct bytes){0};
    put_back(w, p);
    return BYTES(p->mem + at, w->piece_length - at);
}

void window_drop(struct window *w, uint64_t piece)
{
    struct place *p;

    pthread_mutex_lock(&w->lock);
    p = map_get(w->here, key(&piece));
    if (p) {
        map_remove(w->here, key(&piece));
        p->dropped = true;
        if (p->users == 0)
            list_push(&w->unused, &p->node);
    }
    pthread_mutex_unlock(&w->lock);
}

size_t window_count(struct window *w)
{
    size_t n;

    pthread_mutex_lock(&w->lock);
    n = map_count(w->here);
    pthread_mutex_unlock(&w->lock);
    return n;
}
