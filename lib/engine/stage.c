/*
 * What leaves on a connection, gathered for one call; see stage.h. Blocks that follow one another
 * in content space, as most are asked for, are read by one call too.
 */
#include "engine/stage.h"

#include <p2p/format/layout.h>

static bool read_file(struct item *it, struct tree *t, const struct layout_seg *g, uint8_t *mem,
                      struct err *e)
{
    if (!watch_vouches(it, g->file)) {
        err_set(e, ERR_IO, "it was changed");
        return false;
    }
    int64_t got = tree_pread(t, g->file, g->offset, (struct span){mem, (size_t)g->length}, e);
    if (got >= 0 && (uint64_t)got < g->length)
        err_set(e, ERR_IO, "it is shorter than it was");
    return got >= 0 && (uint64_t)got == g->length;
}

/* Reads content to the end of what is staged: how many bytes are good. */
static size_t read_content(struct stage *s, struct engine *g, const struct node_out *o,
                           size_t length, struct err *e)
{
    struct item *it = item_of(g, o->task);
    struct tree *t = it ? item_tree(it) : NULL;
    struct layout_iter iter;
    struct layout_seg seg;
    size_t good = 0;

    s->bad_task = o->task;
    s->bad_offset = o->offset;
    if (!t)
        return 0;
    layout_iter_init(&iter, it->m, o->offset, length);
    while (layout_iter_next(&iter, &seg)) {
        if (seg.pad) {
            memset(s->mem + s->filled + good, 0, (size_t)seg.length);
        } else if (!read_file(it, t, &seg, s->mem + s->filled + good, e)) {
            s->bad_offset = it->m->files[seg.file].offset + seg.offset;
            return good;
        }
        good += (size_t)seg.length;
    }
    return good;
}

/* Content that follows on the first of v, with the node's own bytes in between. */
static size_t run_of(const struct node_out *v, size_t n, size_t room)
{
    uint64_t end = v[0].offset;

    for (size_t i = 0; i < n; i++) {
        if (v[i].b.p)
            continue;
        if (v[i].task != v[0].task || v[i].offset != end)
            break;
        end += v[i].length;
    }
    return end - v[0].offset < room ? (size_t)(end - v[0].offset) : room;
}

static void push(struct stage *s, const uint8_t *p, size_t n)
{
    s->v[s->n++] = BYTES(p, n);
    s->total += n;
}

bool stage_fill(struct stage *s, struct engine *g, const struct node_out *v, size_t n,
                struct err *e)
{
    size_t ready = 0; /* read and not given to a slice yet */
    bool bad = false;

    s->n = s->total = s->filled = 0;
    for (size_t i = 0; i < n && i < STAGE_SLICES; i++) {
        if (v[i].b.p) {
            push(s, v[i].b.p, v[i].b.n);
            continue;
        }
        if (!ready && !bad) {
            size_t want = run_of(v + i, n - i, STAGE_BYTES - s->filled);
            ready = read_content(s, g, &v[i], want, e);
            bad = ready < want;
        }
        size_t take = v[i].length < ready ? v[i].length : ready;
        if (take > 0)
            push(s, s->mem + s->filled, take);
        s->filled += take;
        ready -= take;
        if (take < v[i].length)
            return !bad; /* no room for more, or the rest cannot be read */
    }
    return true;
}
