/* Into the catalogue, and out of it again without hashing. */
#include "engine/content.h"
#include "engine/places.h"
#include "engine/scan_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/layout.h>
#include <p2p/host/lock.h>

#include <stdlib.h>

/*
 * A file that was changed as shortly before it was recorded as this may have been changed again
 * within the same tick of the clock that stamps files.
 */
#define RACY 2        /* seconds */
#define RECALL_MAX 32 /* items once made of what lies there; older ones are hashed again */
#define LOCK_MS 2000u /* another p2p-add of the same content holds it for a moment */

static void remember_file(struct record_file *out, const struct walk_file *f)
{
    *out = (struct record_file){
        .present = true, .size = f->size, .mtime_ns = f->mtime_ns, .inode = f->inode};
}

void scan_remember(struct scan_result *r, const struct scan_author *a)
{
    const struct manifest *m = r->m;

    record_init(&r->record);
    digest_sha256(r->record.content, m->info);
    bits_init(&r->record.have, m->n_pieces);
    bits_fill(&r->record.have, true);
    r->record.files = mem_array(m->n_files, sizeof *r->record.files);
    r->record.n_files = m->n_files;
    for (uint32_t i = 0; i < m->n_files; i++) {
        uint32_t entry = author_entry_of(a->author, i);

        if (entry != UINT32_MAX && !(m->files[i].attr & FILE_SYMLINK))
            remember_file(&r->record.files[i], &a->plan.walk.v[a->plan.walked[entry]]);
    }
}

/* ---- out of it ---- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_plan(const struct manifest *a, const struct manifest *b)
{
    if (a->has_v1 != b->has_v1 || a->has_v2 != b->has_v2 || a->multi != b->multi ||
        a->piece_length != b->piece_length || a->n_pieces != b->n_pieces ||
        a->n_files != b->n_files)
        return false;
    for (uint32_t i = 0; i < a->n_files; i++) {
        const struct manifest_file *x = &a->files[i], *y = &b->files[i];

        if (x->length != y->length || x->offset != y->offset || x->attr != y->attr ||
            !same_text(x->target, y->target))
            return false;
        /* Padding is called what its author liked. */
        if (a->multi && !(x->attr & FILE_PAD) && strcmp(x->path, y->path) != 0)
            return false;
    }
    return true;
}

/* All files are what the record says, and were so long enough before it was made. */
static bool vouches(const struct record *rec, const struct scan_author *a,
                    const struct catalogue_item *it)
{
    const struct manifest *m = author_plan(a->author);

    for (uint32_t i = 0; i < m->n_files; i++) {
        const struct record_file *f = &rec->files[i];
        uint32_t entry = author_entry_of(a->author, i);

        if (entry == UINT32_MAX || (m->files[i].attr & FILE_SYMLINK))
            continue;
        const struct walk_file *w = &a->plan.walk.v[a->plan.walked[entry]];
        if (!f->present || f->open || f->size != w->size || f->inode != w->inode ||
            f->mtime_ns != w->mtime_ns || f->mtime_ns / 1000000000 > it->updated - RACY)
            return false;
    }
    return true;
}

static bool set_pieces(struct author *a, const struct manifest *m)
{
    uint32_t file, index;

    if (manifest_layers_missing(m, NULL) > 0)
        return false;
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        struct piecehash_result r = {0};
        const uint8_t *root = piecehash_expected_root(m, i);

        if (m->has_v2 && !root && layout_piece_file(m, i, &file, &index))
            return false;
        if (m->has_v1)
            memcpy(r.v1, m->pieces + (size_t)i * SHA1_LEN, SHA1_LEN);
        if (root)
            memcpy(r.root, root, SHA256_LEN);
        author_set(a, i, &r);
    }
    return true;
}

static bool recall_from(struct scan_author *a, struct catalogue *c, const struct catalogue_item *it)
{
    const struct manifest *plan = author_plan(a->author);
    struct manifest *m = NULL;
    struct bytes raw = {0}, old = {0};
    struct record rec;
    bool ok = false;

    record_init(&rec);
    if (catalogue_record_get(c, it->id, &raw, NULL) < 0 || record_parse(&rec, raw, NULL) < 0 ||
        rec.n_files != plan->n_files || rec.have.n != plan->n_pieces || !bits_full(&rec.have) ||
        !vouches(&rec, a, it) || catalogue_manifest(c, it->id, &old, NULL) < 0)
        goto out;
    m = manifest_parse(old, NULL);
    if (m) {
        uint8_t content[SHA256_LEN];

        digest_sha256(content, m->info);
        ok = memcmp(content, rec.content, sizeof content) == 0 && same_plan(plan, m) &&
             set_pieces(a->author, m);
    }
out:
    manifest_free(m);
    record_fini(&rec);
    bytes_free(raw);
    bytes_free(old);
    return ok;
}

bool scan_recall(struct scan_author *a, unsigned where, const struct scan_options *o)
{
    const struct manifest *plan = author_plan(a->author);
    struct catalogue_item it;
    int64_t before = INT64_MAX;
    bool ok = false;

    for (int i = 0; i < RECALL_MAX && o->catalogue && !ok; i++) {
        if (catalogue_at(o->catalogue, bytes_str(a->plan.root), &before, &it, NULL) != 1)
            break;
        if (it.state == CATALOGUE_COMPLETE && it.where == where && it.size == plan->size &&
            it.piece_size == plan->piece_length)
            ok = recall_from(a, o->catalogue, &it);
        catalogue_item_fini(&it);
    }
    return ok;
}

/* ---- into it ---- */

static void merge(struct manifest *to, const struct manifest *from)
{
    for (size_t t = 0; t < from->n_tiers; t++)
        for (size_t i = 0; i < from->tiers[t].n; i++)
            manifest_add_tracker(to, t, from->tiers[t].urls[i]);
    for (size_t i = 0; i < from->n_web_seeds; i++)
        manifest_add_web_seed(to, from->web_seeds[i]);
    for (size_t i = 0; i < from->n_nodes; i++)
        manifest_add_node(to, from->nodes[i]);
}

/* The .torrent to keep: what the catalogue knew besides is not forgotten, if it can be read. */
static void with_what_was_there(struct buf *out, const struct manifest *m, struct catalogue *c)
{
    struct bytes hash = m->has_v1 ? BYTES(m->hash_v1, SHA1_LEN) : BYTES(m->hash_v2, SHA256_LEN);
    struct catalogue_item it = {0};
    struct bytes raw = {0};
    struct manifest *old = NULL, *both = NULL;

    manifest_write(m, out);
    if (catalogue_get(c, hash, &it, NULL) == 0 && catalogue_manifest(c, it.id, &raw, NULL) == 0)
        old = manifest_parse(raw, NULL);
    if (old && old->n_tiers + old->n_web_seeds + old->n_nodes > 0)
        both = manifest_parse(buf_bytes(out), NULL);
    if (both) {
        merge(both, old);
        buf_clear(out);
        manifest_write(both, out);
    }
    manifest_free(both);
    manifest_free(old);
    bytes_free(raw);
    catalogue_item_fini(&it);
}

struct entry {
    const struct catalogue_item *it;
    const struct manifest *m;
    struct bytes torrent, record;
    int64_t id;
};

static int put_entry(struct catalogue *c, void *arg, struct err *e)
{
    struct entry *n = arg;
    int rc = catalogue_put(c, n->it, n->torrent, BYTES(NULL, 0), &n->id, e);

    if (rc == 0)
        rc = content_note(c, n->id, n->m, e);
    if (rc == 0)
        rc = catalogue_record_put(c, n->id, n->it->state, n->it->have, n->record, n->it->updated,
                                  e);
    return rc;
}

static int put(const struct scan_result *r, const struct scan_options *o, int64_t *id,
               struct err *e)
{
    const struct manifest *m = r->m;
    struct buf torrent = {0}, record = {0};
    struct catalogue_item it = {
        .has_v1 = m->has_v1,
        .has_v2 = m->has_v2,
        .is_private = m->private_flag,
        .name = bytes_str(m->name),
        .path = bytes_str(r->path),
        .selection = BYTES_LIT(""),
        .state = CATALOGUE_COMPLETE,
        .format = (m->has_v1 ? 1u : 0) | (m->has_v2 ? 2u : 0),
        .where = r->where,
        .size = m->size,
        .piece_size = m->piece_length,
        .pieces = m->n_pieces,
        .have = m->size,
        .added = o->now,
        .updated = o->now,
    };
    struct entry n = {.it = &it, .m = m};

    memcpy(it.v1, m->hash_v1, sizeof it.v1);
    memcpy(it.v2, m->hash_v2, sizeof it.v2);
    with_what_was_there(&torrent, m, o->catalogue);
    record_write(&r->record, &record);
    n.torrent = buf_bytes(&torrent);
    n.record = buf_bytes(&record);
    int rc = catalogue_together(o->catalogue, put_entry, &n, e);
    *id = n.id;
    buf_fini(&torrent);
    buf_fini(&record);
    return rc;
}

static int lock_half(struct lock **l, const struct scan_result *r, const char *home, bool v2,
                     struct err *e)
{
    char hex[2 * SHA256_LEN + 1];
    struct err here = {0};
    int rc;

    if (!(v2 ? r->m->has_v2 : r->m->has_v1))
        return 0;
    text_hex(hex, v2 ? BYTES(r->m->hash_v2, SHA256_LEN) : BYTES(r->m->hash_v1, SHA1_LEN));
    rc = lock_wait(l, home, hex, LOCK_MS, &here);
    if (rc == ERR_LOCKED)
        return err_set(e, rc, "%s: is being fetched by a p2p-get (%s)", r->m->name, here.msg);
    if (rc < 0 && e && !e->code)
        *e = here;
    return rc;
}

int scan_record(const struct scan_result *r, const struct scan_options *o, int64_t *id,
                struct err *e)
{
    struct lock *v1 = NULL, *v2 = NULL;
    int64_t mine = 0;
    int rc;

    if (!o->catalogue || !r->path)
        return 0;
    rc = lock_half(&v1, r, o->home, false, e);
    if (rc == 0)
        rc = lock_half(&v2, r, o->home, true, e);
    if (rc == 0)
        rc = put(r, o, id ? id : &mine, e);
    lock_free(v2);
    lock_free(v1);
    return rc;
}
