/*
 * Between survey and running: what was found is judged and the catalogue is told. And the end of
 * the way: last names, links, what is written aside.
 */
#include "engine/content.h"
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/format/names.h>
#include <p2p/host/fileio.h>
#include <p2p/host/wall.h>

#include <errno.h>
#include <stdlib.h>

/* ---- after hashing ---- */

static bool all_had(const struct item *it, uint32_t file)
{
    uint32_t first, end;

    layout_file_pieces(it->m, file, &first, &end);
    return bits_next(&it->have, first, false) >= end;
}

static int in_the_way(struct item *it, uint32_t file, struct err *e)
{
    char *path = tree_path(it->tree, file);

    err_set(e, ERR_IO,
            "%s: exists and is something else; move it away, or choose another place with -o",
            path);
    free(path);
    return ERR_IO;
}

static void not_ours_after_all(struct item *it, uint32_t file)
{
    uint32_t first, end;

    layout_file_pieces(it->m, file, &first, &end);
    for (uint32_t p = first; p < end; p++)
        bits_unset(&it->have, p);
    tree_set_flags(it->tree, file, 0, TREE_FINAL);
    it->standing[file] = FILE_ABSENT;
    it->files[file] = (struct record_file){0};
}

/* Files under a final name that nobody vouched for: now they have matched, or not. */
int settle_judge(struct item *it, struct err *e)
{
    for (uint32_t i = 0; i < it->m->n_files && !it->spec.serve; i++) {
        if (it->standing[i] != FILE_FOREIGN || all_had(it, i))
            continue;
        if (bits_get(&it->wanted, i))
            return in_the_way(it, i, e);
        not_ours_after_all(it, i);
    }
    it->reused = save_have_bytes(it->m, &it->have);
    choose_pieces(it);
    it->complete = true;
    for (uint32_t p = 0; p < it->m->n_pieces && it->complete; p++)
        it->complete = it->priority[p] == 0 || bits_get(&it->have, p);
    return 0;
}

/* ---- the catalogue ---- */

/* Of what is served from a place that the catalogue does not know. */
static int put(struct item *it, struct catalogue *c, struct err *e)
{
    struct catalogue_item row;
    struct buf raw = {0};
    char *selection = choose_text(it);
    int rc;

    save_row(it, &row, selection);
    row.have = it->reused;
    it->had_layers = manifest_layers_missing(it->m, NULL) == 0;
    manifest_write(it->m, &raw);
    rc = catalogue_put(c, &row, buf_bytes(&raw), (struct bytes){0}, &it->id, e);
    if (rc == 0)
        rc = content_note(c, it->id, it->m, e);
    buf_fini(&raw);
    free(selection);
    return rc;
}

static int record(struct item *it, struct catalogue *c, struct err *e)
{
    struct buf out = {0};
    bool all = it->all_wanted && bits_full(&it->have);
    int rc = tree_sync(it->tree, e); /* what a killed run wrote may not be on the disk yet */

    if (rc == 0) {
        save_record(it, &it->have, true, &out);
        rc = catalogue_record_put(c, it->id, all ? CATALOGUE_COMPLETE : CATALOGUE_PARTIAL,
                                  it->reused, buf_bytes(&out), wall_now(), e);
    }
    buf_fini(&out);
    return rc;
}

static int preallocate(struct item *it, struct err *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < it->m->n_files && rc == 0 && it->spec.preallocate; i++)
        if (bits_get(&it->wanted, i))
            rc = tree_preallocate(it->tree, i, e);
    return rc;
}

void settle_work(struct db_job *j, struct catalogue *c)
{
    struct item *it = j->item;
    bool adopt = it->spec.serve && it->spec.data && it->have.ones > 0;
    int rc = 0;

    if (it->unrecorded)
        it->id = 0;
    else if (adopt && !it->known)
        rc = put(it, c, it->why);
    else
        it->had_layers = true;
    it->unput = !it->spec.serve && !it->unrecorded;
    if (rc == 0 && it->id && it->spec.serve && it->check.ones > 0)
        rc = record(it, c, it->why);
    if (rc == 0 && !it->spec.serve && !it->ranged && !it->complete)
        rc = twins_check(it, it->why);
    if (rc == 0 && !it->spec.serve)
        rc = preallocate(it, it->why);
    it->settled = rc == 0;
    it->code = rc;
}

/* ---- complete ---- */

/*
 * Files that no piece stands for (empty ones), and those that were whole on the disk before their
 * turn came to be named.
 */
static int name_the_rest(struct item *it, struct err *e)
{
    size_t *v = mem_array(it->m->n_files ? it->m->n_files : 1, sizeof *v), n = 0;

    for (uint32_t i = 0; i < it->m->n_files; i++)
        if (bits_get(&it->wanted, i) &&
            !(tree_flags(it->tree, i) & (TREE_FINAL | TREE_PAD | TREE_LINK)))
            v[n++] = i;
    int rc = tree_finish_files(it->tree, v, n, e);
    for (size_t i = 0; i < n && rc == 0; i++)
        bits_set(&it->stale, v[i]);
    free(v);
    return rc;
}

/* Last of all, when nothing is written through a name any more. */
static int make_links(struct item *it, struct err *e)
{
    int rc = 0;

    for (uint32_t i = 0; i < it->m->n_files && rc == 0 && it->spec.attributes; i++) {
        char *text = it->m->files[i].attr & FILE_SYMLINK && bits_get(&it->wanted, i)
                         ? places_link_text(it->m, i, it->where)
                         : NULL;
        struct err here = {0};

        if (text)
            rc = tree_link(it->tree, i, text, &here);
        free(text);
        if (rc < 0 && here.os == EEXIST)
            rc = 0; /* an earlier run made it, or something of the user's is there */
        if (rc < 0 && e)
            *e = here;
    }
    return rc;
}

static char *torrent_path(const struct item *it)
{
    const char *o = it->spec.output;
    size_t n = o ? strlen(o) : 0;

    if (o && n > 0 && o[n - 1] != '/' && !survey_is_folder(o))
        return fileio_absolute(o);
    char *name = names_on_disk(bytes_str(it->m->name));
    char *joined = mem_fmt("%s/%s.torrent", n ? o : ".", name);
    char *path = fileio_absolute(joined);
    free(name);
    free(joined);
    return path;
}

/* Only another manifest of the same item is replaced. */
static int may_write(const struct item *it, const char *path, struct err *e)
{
    struct bytes raw = {0};
    struct err here = {0};
    int rc = fileio_read(path, MANIFEST_MAX_BYTES, &raw, &here);

    if (rc < 0 && here.os == ENOENT)
        return 0;
    struct manifest *m = rc == 0 ? manifest_parse(raw, NULL) : NULL;
    bool same = m && bytes_eq(m->info, it->m->info);
    manifest_free(m);
    bytes_free(raw);
    return same ? 0 : err_set(e, ERR_IO, "%s: exists and is something else", path);
}

static int write_torrent(struct item *it, struct err *e)
{
    struct buf raw = {0};
    int rc;

    it->result = torrent_path(it);
    manifest_write(it->m, &raw);
    rc = may_write(it, it->result, e);
    if (rc == 0) {
        char *slash = strrchr(it->result, '/');

        char *folder = mem_strn(it->result, (size_t)(slash - it->result) + 1);
        rc = fileio_mkdirs(folder, 0777, e);
        free(folder);
    }
    if (rc == 0)
        rc = fileio_write(it->result, buf_bytes(&raw), 0666, e);
    buf_fini(&raw);
    return rc;
}

static void finish_work(struct db_job *j, struct catalogue *c)
{
    struct item *it = j->item;
    int rc;

    (void)c;
    if (it->spec.manifest_only)
        rc = it->spec.no_file ? 0 : write_torrent(it, it->why);
    else if (it->ranged)
        rc = ranges_write(it, it->why);
    else if ((rc = name_the_rest(it, it->why)) == 0)
        rc = make_links(it, it->why);
    it->code = rc;
}

static void told(struct item *it)
{
    if (it->code < 0) {
        item_end(it);
        return;
    }
    if (it->tree)
        tree_drop_side(it->tree, NULL); /* its bytes were kept for the wanted files beside them */
    reuse_named(it->g);
    engine_tell(it->g, &(struct engine_event){.kind = ENGINE_COMPLETE,
                                              .item = it,
                                              .path = it->result ? it->result : it->path});
    item_finished(it);
}

static void finish_done(struct db_job *j)
{
    struct item *it = j->item;

    it->jobs--;
    it->stepping = false;
    if (it->code < 0) {
        item_end(it);
        if (it->phase == ITEM_OVER)
            item_over(it);
        return;
    }
    it->finished = true;
    save_start(it, 0, !it->spec.manifest_only && !it->ranged, true, told);
}

void settle_finish(struct item *it)
{
    if (it->spec.serve) {
        it->finished = true;
        item_finished(it);
        return;
    }
    if (it->outflow || it->member)
        return; /* complete is what has been written */
    item_step(it, finish_work, finish_done);
}
