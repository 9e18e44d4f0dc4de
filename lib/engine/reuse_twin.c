/*
 * Two items of one session with the same file inside: the one that began first fetches it, and the
 * other takes it when it is there. No item waits for one that began later, so they cannot wait for
 * each other; and none waits for one to which nothing comes.
 */
#include "engine/reuse.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

#define TWIN_PATIENCE (10 * USEC_SEC) /* so long may nothing come to the other */
#define TWIN_LEAST 65536u             /* bytes of a file that it is done for */

struct twin {
    struct item *other; /* NULL: it is not waited for any more */
    uint32_t file, its; /* number here and there */
    uint64_t came;      /* bytes that had come to it, */
    usec at;            /* then */
};

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* By the root where both have one, else by name and length: the hashes of its pieces will tell. */
static bool is_same(const struct manifest_file *a, const struct manifest_file *b)
{
    if (a->length != b->length || ((a->attr | b->attr) & (FILE_PAD | FILE_SYMLINK)))
        return false;
    if (a->root && b->root)
        return memcmp(a->root, b->root, SHA256_LEN) == 0;
    return strcmp(last_part(a->path), last_part(b->path)) == 0;
}

static bool may_be_waited_for(const struct item *it, const struct item *other)
{
    return other != it && other->turn > 0 && other->turn < it->turn && other->m &&
           other->phase <= ITEM_RUNNING && !other->dropped && !other->spec.serve &&
           !other->spec.stream && !other->ranged && !other->spec.manifest_only;
}

/* Pieces of the file that were to be looked for wait; back: no longer. */
static uint32_t set_pieces(struct reuse *r, uint32_t file, uint8_t from, uint8_t to)
{
    uint32_t first, end, n = 0;

    layout_file_pieces(r->it->m, file, &first, &end);
    for (uint32_t p = first; p < end; p++) {
        if (r->v[p].state != from)
            continue;
        r->v[p].state = to;
        n++;
    }
    return n;
}

static bool wait_for(struct reuse *r, struct item *other, uint32_t file)
{
    const struct manifest_file *f = &r->it->m->files[file];

    for (uint32_t i = 0; i < other->m->n_files; i++) {
        if (!is_same(f, &other->m->files[i]) || !bits_get(&other->wanted, i))
            continue;
        if (set_pieces(r, file, REUSE_WAIT, REUSE_TWIN) == 0)
            return true;
        r->twins = mem_grow(r->twins, r->n_twins + 1, sizeof *r->twins);
        r->twins[r->n_twins++] =
            (struct twin){.other = other, .file = file, .its = i, .at = r->it->g->now};
        return true;
    }
    return false;
}

void reuse_twins_begin(struct reuse *r)
{
    struct item *it = r->it;
    uint64_t least = content_least(it->m);

    for (struct item *o = engine_next(it->g, NULL); o; o = engine_next(it->g, o)) {
        if (!may_be_waited_for(it, o))
            continue;
        for (uint32_t i = 0; i < it->m->n_files; i++)
            if (bits_get(&it->wanted, i) && it->m->files[i].length >= TWIN_LEAST &&
                it->m->files[i].length >= least)
                wait_for(r, o, i);
    }
    /* Workers read the list of old files: it does not move later. */
    if (r->n_twins > 0)
        r->olds = mem_grow(r->olds, r->n_olds + r->n_twins, sizeof *r->olds);
}

static void wait_no_more(struct reuse *r, struct twin *t)
{
    t->other = NULL;
    set_pieces(r, t->file, REUSE_TWIN, REUSE_WAIT);
}

static void take(struct reuse *r, struct twin *t)
{
    uint32_t first, end, old = r->n_olds++;
    char *path = tree_path(t->other->tree, t->its);

    r->olds[old] = (struct old){.path = path, .size = r->it->m->files[t->file].length};
    wait_no_more(r, t);
    layout_file_pieces(r->it->m, t->file, &first, &end);
    reuse_walk(r, reuse_way(r, (struct way){.file = t->file, .old = old}), first, 1);
}

static bool is_there(const struct engine *g, const struct item *other)
{
    for (struct item *o = engine_next(g, NULL); o; o = engine_next(g, o))
        if (o == other)
            return !o->dropped;
    return false;
}

/* Something has come to it lately, or it is still looking at what is here. */
static bool goes_on(struct twin *t, usec now)
{
    struct item_status s;

    item_status(t->other, &s);
    uint64_t came = s.from_peers + s.from_web + s.reused;
    if (came != t->came || t->other->phase < ITEM_RUNNING) {
        t->came = came;
        t->at = now;
    }
    return now - t->at < TWIN_PATIENCE;
}

bool reuse_twins_wait(const struct reuse *r)
{
    for (uint32_t i = 0; i < r->n_twins; i++)
        if (r->twins[i].other)
            return true;
    return false;
}

void reuse_twins_tick(struct reuse *r)
{
    struct engine *g = r->it->g;

    for (uint32_t i = 0; i < r->n_twins; i++) {
        struct twin *t = &r->twins[i];

        if (!t->other)
            continue;
        if (!is_there(g, t->other))
            wait_no_more(r, t);
        else if (t->other->phase == ITEM_RUNNING && t->other->tree &&
                 (tree_flags(t->other->tree, t->its) & TREE_FINAL))
            take(r, t);
        else if (!goes_on(t, g->now))
            wait_no_more(r, t);
    }
}
