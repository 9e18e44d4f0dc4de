/*
 * Progress to the disk: what was written is synced, then, and only then, a record in the catalogue
 * says so, with how the files look now. One save of an item at a time; what is asked for meanwhile
 * comes after it. All that one save tells the catalogue is one transaction.
 *
 * The first one puts the item's row. A download does not wait for it: what is written before the
 * row is there has the names of what is ours, and is looked at by the next run.
 */
#include "engine/content.h"
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/author.h>
#include <p2p/format/layout.h>
#include <p2p/host/wall.h>

#include <stdlib.h>

#define TRAFFIC_EVERY (60 * USEC_SEC)

uint64_t save_have_bytes(const struct manifest *m, const struct bits *have)
{
    uint64_t sum = 0;

    for (size_t p = bits_next(have, 0, true); p < have->n; p = bits_next(have, p + 1, true)) {
        struct layout_iter it;
        struct layout_seg s;

        layout_iter_init(&it, m, (uint64_t)p * m->piece_length, layout_piece_len(m, (uint32_t)p));
        while (layout_iter_next(&it, &s))
            sum += s.pad ? 0 : s.length;
    }
    return sum;
}

/* ---- the record ---- */

static void take_stats(struct item *it, const struct bits *stale)
{
    for (size_t i = bits_next(stale, 0, true); i < stale->n; i = bits_next(stale, i + 1, true)) {
        struct tree_stat final = {0}, part = {0};
        bool named = tree_flags(it->tree, i) & TREE_FINAL;

        if (tree_stat(it->tree, i, &final, &part, NULL) < 0)
            continue;
        const struct tree_stat *st = named ? &final : &part;
        it->files[i] = (struct record_file){
            .present = st->regular, .size = st->size, .mtime_ns = st->mtime_ns, .inode = st->inode};
    }
}

/* On a worker. `open`: more may be written before the next record. */
void save_record(struct item *it, const struct bits *have, bool open, struct buf *out)
{
    struct record r;

    record_init(&r);
    digest_sha256(r.content, it->m->info);
    r.have = *have; /* borrowed */
    r.n_files = it->m->n_files;
    r.files = mem_dup(it->files, (it->m->n_files ? it->m->n_files : 1) * sizeof *it->files);
    for (uint32_t i = 0; i < r.n_files; i++)
        r.files[i].open = open && r.files[i].present && !(tree_flags(it->tree, i) & TREE_FINAL);
    record_write(&r, out);
    free(r.files);
}

void save_row(const struct item *it, struct catalogue_item *row, const char *selection)
{
    const struct manifest *m = it->m;

    *row = (struct catalogue_item){
        .has_v1 = m->has_v1,
        .has_v2 = m->has_v2,
        .is_private = m->private_flag,
        .name = bytes_str(m->name),
        .path = bytes_str(it->path),
        .selection = bytes_str(selection ? selection : ""),
        .state = it->all_wanted && bits_full(&it->have) ? CATALOGUE_COMPLETE : CATALOGUE_PARTIAL,
        .format = m->has_v1 && m->has_v2 ? AUTHOR_HYBRID
                  : m->has_v2            ? AUTHOR_V2
                                         : AUTHOR_V1,
        .where = it->where,
        .size = m->size,
        .piece_size = m->piece_length,
        .pieces = m->n_pieces,
        .added = wall_now(),
        .updated = wall_now(),
    };
    memcpy(row->v1, m->hash_v1, sizeof row->v1);
    memcpy(row->v2, m->hash_v2, sizeof row->v2);
}

/* ---- one save ---- */

static void sync_work(void *arg)
{
    struct item *it = arg;
    struct save *s = it->save;

    if (!s->record)
        return;
    s->code = tree_sync(it->tree, &s->e);
    if (s->code < 0)
        return;
    take_stats(it, &s->stale);
    save_record(it, &s->have, s->open, &s->out);
    s->have_bytes = save_have_bytes(it->m, &s->have);
}

static int put_row(struct item *it, struct catalogue *c, struct err *e)
{
    struct save *s = it->save;
    struct catalogue_item row;
    char *selection = choose_text(it);

    save_row(it, &row, selection);
    row.have = s->have_bytes;
    int rc = catalogue_put(c, &row, buf_bytes(&s->manifest), (struct bytes){0}, &s->id, e);
    if (rc == 0)
        rc = content_note(c, s->id, it->m, e);
    free(selection);
    return rc;
}

static int put_all(struct catalogue *c, void *arg, struct err *e)
{
    struct item *it = arg;
    struct save *s = it->save;
    enum catalogue_state state = s->all ? CATALOGUE_COMPLETE : CATALOGUE_PARTIAL;
    int rc = buf_len(&s->manifest) ? put_row(it, c, e) : 0;

    if (rc == 0 && s->record)
        rc = catalogue_record_put(c, s->id, state, s->have_bytes, buf_bytes(&s->out), wall_now(),
                                  e);
    if (rc == 0 && (s->up || s->down))
        catalogue_add_traffic(c, s->id, s->up, s->down,
                              NULL); /* figures are not worth failing for */
    return rc;
}

static void put_work(struct db_job *j, struct catalogue *c)
{
    struct save *s = j->item->save;

    if (s->code == 0 && (s->record || s->up || s->down || buf_len(&s->manifest)))
        s->code = catalogue_together(c, put_all, j->item, &s->e);
}

void save_free(struct save *s)
{
    if (!s)
        return;
    bits_fini(&s->have);
    bits_fini(&s->stale);
    buf_fini(&s->out);
    buf_fini(&s->manifest);
    free(s);
}

static void save_done(struct item *it)
{
    struct save *s = it->save;
    struct engine *g = it->g;

    it->save = NULL;
    it->id = s->id;
    if (s->code < 0) /* what was not recorded is looked at again next time */
        for (size_t i = bits_next(&s->stale, 0, true); i < s->stale.n;
             i = bits_next(&s->stale, i + 1, true))
            bits_set(&it->stale, i);
    if (s->code < 0 && !item_why(it)->code)
        *it->why = s->e;
    if (s->code < 0 && it->code == 0 && !s->job)
        it->code = s->code;
    if (s->job)
        node_done(g->node, s->job, s->code, &s->e, g->now);
    if (s->again)
        save_start(it, s->again_job, s->again_record, s->again_open, s->again_then);
    if (s->then)
        s->then(it);
    save_free(s);
    item_job_back(it);
}

static void put_done(struct db_job *j)
{
    save_done(j->item);
}

static void sync_done(void *arg)
{
    struct item *it = arg;
    struct save *s = it->save;

    engine_job_done(it->g);
    if (s->id == 0 && !buf_len(&s->manifest)) {
        save_done(it);
        return;
    }
    s->db = (struct db_job){.item = it, .work = put_work, .done = put_done};
    db_submit(it->g, &s->db);
}

static void take_traffic(struct item *it)
{
    struct node_status st;
    struct save *s = it->save;

    s->up = s->down = 0;
    if (it->task == 0 || !node_status(it->g->node, it->task, &st, it->g->now))
        return;
    s->up = st.uploaded - it->told_up;
    s->down = st.from_peers + st.from_web - it->told_down;
    it->told_up += s->up;
    it->told_down += s->down;
    it->save_traffic_at = it->g->now + TRAFFIC_EVERY;
}

/* For the row, and again when piece layers have come from peers: with them the item can be shared
 * on, and checked without any. */
static void take_manifest(struct item *it)
{
    bool whole = manifest_layers_missing(it->m, NULL) == 0;

    if (!it->unput && (it->had_layers || !whole))
        return;
    manifest_write(it->m, &it->save->manifest);
    it->had_layers = whole;
    it->unput = false;
}

void save_start(struct item *it, node_id job, bool record, bool open, void (*then)(struct item *))
{
    struct save *s = it->save;
    const struct bits *have = it->task ? node_have(it->g->node, it->task) : NULL;

    if (s) {
        s->again = true;
        s->again_job = job;
        s->again_record = record;
        s->again_open = open;
        s->again_then = then;
        return;
    }
    it->save = s = mem_zero(sizeof *s);
    s->job = job;
    s->id = it->id;
    s->record = it->tree && (it->unput || (record && it->id != 0));
    s->open = open;
    s->then = then;
    take_traffic(it);
    it->jobs++;
    it->saved_at = it->g->now;
    if (s->record) {
        bits_copy(&s->have, have ? have : &it->have);
        bits_copy(&s->stale, &it->stale);
        bits_fill(&it->stale, false);
        s->all = it->all_wanted && bits_full(&s->have) &&
                 (it->finished || it->spec.serve || it->unput);
        take_manifest(it);
    }
    engine_work(it->g, sync_work, sync_done, it);
}

static void began(struct item *it)
{
    if (it->code < 0)
        item_end(it);
}

void save_first(struct item *it)
{
    if (it->unput)
        save_start(it, 0, true, true, began);
}

void save_checkpoint(struct engine *g, const struct node_op *op)
{
    save_start(item_of(g, op->task), op->job, true, true, NULL);
}

/* Completion was recorded, and nothing has changed since: writing it again would only wait for the
 * disk. */
static bool all_said(const struct item *it)
{
    const struct bits *have = it->task ? node_have(it->g->node, it->task) : NULL;

    return it->told_complete && it->all_wanted && it->stale.ones == 0 && have && bits_full(have);
}

void save_last(struct item *it)
{
    save_start(it, 0, !it->spec.serve && it->settled && !all_said(it), false, item_over);
}

void save_traffic(struct item *it)
{
    struct node_status st;

    if (it->id == 0 || it->save || it->g->now < it->save_traffic_at || it->task == 0)
        return;
    if (!node_status(it->g->node, it->task, &st, it->g->now))
        return;
    it->save_traffic_at = it->g->now + TRAFFIC_EVERY;
    if (st.uploaded != it->told_up)
        save_start(it, 0, false, false, NULL);
}
