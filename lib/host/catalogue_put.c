/*
 * Putting an item: what is new goes over what the catalogue had of it, and two rows that turn out
 * to be about one item become one.
 */
#include "host/catalogue_in.h"

#include <stdlib.h>

struct put {
    const struct catalogue_item *it;
    struct bytes manifest, link;
    int64_t id;
};

/* Which of two rows of one item to keep: the one with more data. */
static bool is_better(const struct catalogue_item *a, const struct catalogue_item *b)
{
    if (a->state != b->state)
        return a->state > b->state;
    return a->have != b->have ? a->have > b->have : a->id < b->id;
}

/* Takes the row `drop` away and gives what only it had to `keep`. */
static int merge_rows(struct catalogue *c, struct catalogue_item *keep,
                      const struct catalogue_item *drop, struct err *e)
{
    static const enum blob_kind kinds[] = {BLOB_MANIFEST, BLOB_LINK};
    int rc = 0;
    for (int k = 0; k < 2 && rc == 0; k++) {
        struct bytes mine = {0}, theirs = {0};
        int have = blob_get(c, kinds[k], keep->id, &mine, e);
        int other = have == 0 ? blob_get(c, kinds[k], drop->id, &theirs, e) : 0;
        if (have < 0 || other < 0)
            rc = have < 0 ? have : other;
        else if (other == 1)
            rc = blob_put(c, kinds[k], keep->id, theirs, e);
        free((void *)(uintptr_t)mine.p);
        free((void *)(uintptr_t)theirs.p);
    }
    if (rc == 0)
        rc = row_add_traffic(c, keep->id, drop->uploaded, drop->downloaded, e);
    if (rc == 0)
        rc = row_delete(c, drop->id, e);
    if (drop->added < keep->added)
        keep->added = drop->added;
    return rc;
}

static bool hashes_differ(const struct catalogue_item *a, const struct catalogue_item *b)
{
    return (a->has_v1 && b->has_v1 && memcmp(a->v1, b->v1, sizeof a->v1) != 0) ||
           (a->has_v2 && b->has_v2 && memcmp(a->v2, b->v2, sizeof a->v2) != 0);
}

/* The row that `it` is about, after merging if there were two: 1, 0 if it is new. */
static int find_existing(struct catalogue *c, const struct catalogue_item *it,
                         struct catalogue_item *old, struct err *e)
{
    struct catalogue_item a = {0}, b = {0};
    int rc = 0;
    if (it->has_v1)
        rc = row_by_hash(c, ST_BY_V1, BYTES(it->v1, sizeof it->v1), &a, e);
    if (rc >= 0 && it->has_v2 && !a.has_v2)
        rc = row_by_hash(c, ST_BY_V2, BYTES(it->v2, sizeof it->v2), &b, e);
    if (rc >= 0 && (hashes_differ(&a, it) || hashes_differ(&b, it)))
        rc = err_set(e, ERR_INVALID, "the catalogue knows this hash with another second hash");
    if (rc >= 0 && a.id && b.id) {
        bool first = is_better(&a, &b);
        rc = merge_rows(c, first ? &a : &b, first ? &b : &a, e);
        catalogue_item_fini(first ? &b : &a);
    }
    if (rc < 0) {
        catalogue_item_fini(&a);
        catalogue_item_fini(&b);
        return rc;
    }
    *old = a.id ? a : b;
    return old->id != 0;
}

static void take_hashes(struct catalogue_item *to, const struct catalogue_item *from)
{
    if (from->has_v1)
        memcpy(to->v1, from->v1, sizeof to->v1);
    if (from->has_v2)
        memcpy(to->v2, from->v2, sizeof to->v2);
    to->has_v1 |= from->has_v1;
    to->has_v2 |= from->has_v2;
}

/* What the row is to say: what is new, over what was there. */
static struct catalogue_item overlay(const struct catalogue_item *old,
                                     const struct catalogue_item *it)
{
    struct catalogue_item r = *old;
    take_hashes(&r, it);
    r.updated = it->updated;
    if (it->state == CATALOGUE_LINK && old->state != CATALOGUE_LINK)
        return r;
    if (it->piece_size != 0) { /* a bare link does not know */
        r.format = it->format;
        r.is_private = it->is_private;
        r.size = it->size;
        r.piece_size = it->piece_size;
        r.pieces = it->pieces;
    }
    r.name = it->name.p ? it->name : old->name;
    r.path = it->path.p ? it->path : old->path;
    r.selection = it->selection.p ? it->selection : old->selection;
    r.state = it->state;
    r.where = it->where;
    r.have = it->have;
    return r;
}

static int put_row(struct catalogue *c, struct put *p, struct err *e)
{
    struct catalogue_item old = {0}, row;
    int rc = find_existing(c, p->it, &old, e);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        row = *p->it;
        row.id = 0;
        return row_insert(c, &row, &p->id, e);
    }
    row = overlay(&old, p->it);
    p->id = row.id;
    rc = row_update(c, &row, e);
    if (rc == 0 && !bytes_eq(row.path, old.path))
        rc = blob_delete(c, BLOB_RECORD, row.id, e);
    catalogue_item_fini(&old);
    return rc;
}

static int do_put(struct catalogue *c, void *arg, struct err *e)
{
    struct put *p = arg;
    int rc = put_row(c, p, e);
    if (rc == 0 && p->manifest.p)
        rc = blob_put(c, BLOB_MANIFEST, p->id, p->manifest, e);
    if (rc == 0 && p->link.p)
        rc = blob_put(c, BLOB_LINK, p->id, p->link, e);
    return rc;
}

int catalogue_put(struct catalogue *c, const struct catalogue_item *it, struct bytes manifest,
                  struct bytes link, int64_t *id, struct err *e)
{
    struct put p = {.it = it, .manifest = manifest, .link = link};
    if (!it->has_v1 && !it->has_v2)
        return err_set(e, ERR_USAGE, "an item of the catalogue needs a hash");
    int rc = db_run(c, true, do_put, &p, e);
    if (rc == 0 && id)
        *id = p.id;
    return rc;
}
