/*
 * What of an item is on the disk, and whom to believe.
 *
 * - The record of the catalogue vouches for a file that still has the size, time and inode that it
 *   had when the record was written. One that was being written then may be younger by as much as a
 *   crash can explain.
 * - Everything else that is there is doubted: hashed before it counts.
 * - Under a final name that we do not know to be ours, a file must match in whole, or it is
 *   something else and in the way. It is never written to.
 * - Where the record knows data and the folder is gone, the drive is not mounted: nothing is made.
 */
#include "engine/engine_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/layout.h>
#include <p2p/host/beneath.h>
#include <p2p/host/fileio.h>

#include <errno.h>
#include <stdlib.h>

struct survey {
    struct item *it;
    struct record rec;
    bool has_rec;
    struct err *e;
};

/* ---- where ---- */

bool survey_is_folder(const char *path)
{
    struct beneath *b = NULL;
    struct err none = {0};
    bool yes = beneath_open(&b, path, 0, &none) == 0;

    beneath_free(b);
    return yes;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == path ? mem_str("/") : mem_strn(path, (size_t)(slash - path));
}

/* Anything of that name, a link that leads nowhere too. */
bool survey_is_there(const char *path)
{
    struct beneath *b = NULL;
    struct stat st;
    struct err none = {0};
    char *folder = folder_of(path);
    bool yes = beneath_open(&b, folder, 0, &none) == 0 &&
               beneath_stat(b, strrchr(path, '/') + 1, &st, &none) == 0;

    beneath_free(b);
    free(folder);
    return yes;
}

static struct tree *tree_at(const struct item *it, const char *path, unsigned where)
{
    struct places p = {
        .m = it->m,
        .path = path,
        .where = where,
        .attributes = it->spec.attributes,
        .wanted = it->all_wanted && !it->ranged ? NULL : &it->wanted,
        .side = it->side,
    };

    return places_tree(it->g->files, &p);
}

bool survey_finds(const struct item *it, const char *path, unsigned where)
{
    struct tree *t = tree_at(it, path, where);
    bool found = false, regular = false;

    for (uint32_t i = 0; i < it->m->n_files && !found; i++) {
        struct tree_stat final = {0}, part = {0};

        if (it->m->files[i].attr & (FILE_PAD | FILE_SYMLINK))
            continue;
        if (tree_stat(t, i, &final, &part, NULL) < 0)
            break;
        regular = final.regular || part.regular;
        found = regular;
    }
    tree_free(t);
    return found;
}

static void path_in_data_folder(struct item *it)
{
    char *inside = mem_fmt("%s/%s", it->spec.data, it->m->name);

    it->where = PLACES_RAW;
    it->path = fileio_absolute(inside);
    free(inside);
    if (survey_finds(it, it->path, it->where) || !it->m->multi)
        return;
    free(it->path);
    it->path = fileio_absolute(it->spec.data);
}

static void path_of_get(struct item *it)
{
    const char *o = it->spec.output;

    if (!o && it->by_name && it->row_path)
        it->path = mem_str(it->row_path);
    else
        it->path = places_path(it->m, o, !o || survey_is_folder(o));
    it->known = it->row_path && strcmp(it->row_path, it->path) == 0;
    it->where = it->known ? it->row_where & PLACES_FOUND : 0;
    it->unrecorded = !it->known && it->row_path && it->row_state == CATALOGUE_COMPLETE &&
                     survey_finds(it, it->row_path, it->row_where & PLACES_FOUND);
}

static int choose_path(struct item *it, struct err *e)
{
    if (it->spec.data) {
        path_in_data_folder(it);
        it->known = it->row_path && strcmp(it->row_path, it->path) == 0;
    } else if (it->spec.serve) {
        if (!it->row_path)
            return err_set(e, ERR_NOTFOUND, "%s: its data is not here", it->label);
        it->path = mem_str(it->row_path);
        it->where = it->row_where & PLACES_FOUND;
        it->known = true;
    } else {
        path_of_get(it);
    }
    return 0;
}

int survey_side(struct item *it, const char *tail, struct err *e)
{
    char hex[2 * SHA256_LEN + 1], *folder = NULL;
    int rc = home_folder(&it->g->home, HOME_SIDE, &folder, e);

    if (rc == 0) {
        text_hex(hex, it->m->has_v1 ? BYTES(it->m->hash_v1, SHA1_LEN)
                                    : BYTES(it->m->hash_v2, SHA256_LEN));
        it->side = mem_fmt("%s/%s%s", folder, hex, tail);
    }
    free(folder);
    return rc;
}

static int check_root(struct item *it, struct err *e)
{
    struct err here = {0};
    int rc = tree_check_root(it->tree, &here);

    if (rc == 0)
        return 0;
    if (here.os == ENOENT && !it->spec.serve && !(it->known && it->row_have > 0)) {
        char *root = folder_of(it->path);

        rc = fileio_mkdirs(root, 0777, e);
        free(root);
        return rc;
    }
    *e = here;
    return rc;
}

/* ---- one file ---- */

static bool vouched(const struct survey *s, uint32_t i, const struct tree_stat *st, bool final)
{
    const struct record_file *r = s->has_rec ? &s->rec.files[i] : NULL;

    if (!r || !r->present || r->inode != st->inode)
        return false;
    if (r->mtime_ns == st->mtime_ns && r->size == st->size)
        return true;
    if (!r->open || st->mtime_ns < r->mtime_ns)
        return false;
    return (final || st->size >= r->size) &&
           st->mtime_ns - r->mtime_ns <= (int64_t)RECORD_OPEN_TIME * 1000000000;
}

static void remember(struct item *it, uint32_t i, const struct tree_stat *st, bool open)
{
    it->files[i] = (struct record_file){.present = true,
                                        .size = st->size,
                                        .mtime_ns = st->mtime_ns,
                                        .inode = st->inode,
                                        .open = open};
}

static int something_else(const struct item *it, uint32_t i, struct err *e)
{
    tree_set_flags(it->tree, i, TREE_FINAL, 0);
    char *path = tree_path(it->tree, i);

    err_set(e, ERR_IO,
            "%s: exists and is something else; move it away, or choose another place with -o",
            path);
    free(path);
    return ERR_IO;
}

static int final_there(struct survey *s, uint32_t i, const struct tree_stat *st)
{
    struct item *it = s->it;
    bool ours = s->has_rec && s->rec.files[i].present && s->rec.files[i].inode == st->inode;
    bool fits = st->regular && st->size == it->m->files[i].length;

    if (!fits && !ours && !it->spec.serve)
        return something_else(it, i, s->e);
    if (!st->regular)
        return 0; /* serving: it is not there */
    tree_set_flags(it->tree, i, TREE_FINAL | (ours && !(it->where & PLACES_RAW) ? TREE_OURS : 0),
                   0);
    it->standing[i] = fits && vouched(s, i, st, true) ? FILE_TRUSTED
                      : ours                          ? FILE_DOUBTED
                                                      : FILE_FOREIGN;
    remember(it, i, st, false);
    return 0;
}

static int part_there(struct survey *s, uint32_t i, const struct tree_stat *st)
{
    struct item *it = s->it;

    if (!st->regular) {
        char *path = tree_path(it->tree, i);

        err_set(s->e, ERR_IO, "%s: is in the way and no file", path);
        free(path);
        return ERR_IO;
    }
    /* Bytes of an earlier run, when it was wanted, lie in there and not in the side file. */
    if (!bits_get(&it->wanted, i) && !it->ranged)
        tree_select(it->tree, i, true, NULL);
    it->standing[i] = vouched(s, i, st, false) ? FILE_TRUSTED : FILE_DOUBTED;
    remember(it, i, st, false);
    if (it->standing[i] == FILE_DOUBTED || (s->has_rec && s->rec.files[i].open))
        tree_touched(it->tree, i);
    return 0;
}

/* Not wanted before, wanted now: what lies aside is brought to its place. */
static int from_side(struct survey *s, uint32_t i)
{
    struct item *it = s->it;
    struct tree_stat final = {0}, part = {0};
    int rc;

    if (!it->side_there || !bits_get(&it->wanted, i) || it->ranged || it->spec.serve)
        return 0;
    tree_select(it->tree, i, false, NULL);
    rc = tree_select(it->tree, i, true, s->e);
    if (rc == 0)
        rc = tree_stat(it->tree, i, &final, &part, s->e);
    if (rc == 0 && part.regular) {
        it->standing[i] = FILE_TRUSTED;
        remember(it, i, &part, true);
    }
    return rc;
}

static int look_at(struct survey *s, uint32_t i)
{
    struct item *it = s->it;
    const struct manifest_file *f = &it->m->files[i];
    struct tree_stat final = {0}, part = {0};
    int rc;

    it->standing[i] = FILE_NOTHING;
    if (f->attr & (FILE_PAD | FILE_SYMLINK))
        return 0;
    it->standing[i] = FILE_ABSENT;
    rc = tree_stat(it->tree, i, &final, &part, s->e);
    if (rc < 0)
        return rc;
    if (final.there && (bits_get(&it->wanted, i) || final.regular))
        return bits_get(&it->wanted, i) || final.size == f->length ? final_there(s, i, &final) : 0;
    if (part.there && !(it->spec.serve && !part.regular))
        return part_there(s, i, &part);
    return from_side(s, i);
}

/* ---- pieces ---- */

/* Was anything of these bytes ever written? Of what stands whole, yes. */
static bool has_data(struct item *it, const struct layout_seg *g)
{
    uint64_t from, to;

    if (tree_flags(it->tree, g->file) & TREE_FINAL)
        return true;
    return tree_data(it->tree, g->file, g->offset, &from, &to, NULL) > 0 &&
           from < g->offset + g->length;
}

enum piece_view { PIECE_GONE, PIECE_VOUCHED, PIECE_DOUBTED };

static enum piece_view look_at_piece(const struct survey *s, uint32_t p)
{
    struct item *it = s->it;
    bool recorded = s->has_rec && bits_get(&s->rec.have, p);
    enum piece_view view = recorded ? PIECE_VOUCHED : PIECE_DOUBTED;
    struct layout_iter iter;
    struct layout_seg g;

    layout_iter_init(&iter, it->m, (uint64_t)p * it->m->piece_length, layout_piece_len(it->m, p));
    while (layout_iter_next(&iter, &g)) {
        if (g.pad)
            continue;
        bool aside = tree_flags(it->tree, g.file) & TREE_UNSELECTED;

        if (it->standing[g.file] == FILE_ABSENT && aside && it->side_there) {
            if (view == PIECE_DOUBTED && !has_data(it, &g))
                return PIECE_GONE;
        } else if (it->standing[g.file] == FILE_ABSENT) {
            /* Verified once, and its other bytes were kept no longer than that. */
            if (!(recorded && aside))
                return PIECE_GONE;
        } else if (it->standing[g.file] != FILE_TRUSTED) {
            view = PIECE_DOUBTED;
        }
        if (view == PIECE_DOUBTED && it->standing[g.file] != FILE_ABSENT && !has_data(it, &g))
            return PIECE_GONE;
    }
    return view;
}

static void look_at_pieces(const struct survey *s)
{
    struct item *it = s->it;

    for (uint32_t p = 0; p < it->m->n_pieces; p++) {
        switch (look_at_piece(s, p)) {
        case PIECE_GONE:
            break;
        case PIECE_VOUCHED:
            bits_set(&it->have, p);
            break;
        case PIECE_DOUBTED:
            bits_set(&it->check, p);
            it->to_hash += layout_piece_len(it->m, p);
            break;
        }
    }
}

/* ---- all ---- */

/* What does not read back, or is about something else, is not trusted: then all is doubted. */
static void read_record(struct survey *s, struct catalogue *c)
{
    struct item *it = s->it;
    struct bytes raw = {0};
    struct err none = {0};
    uint8_t content[SHA256_LEN];

    if (!it->known || it->id == 0 || catalogue_record_get(c, it->id, &raw, &none) < 0)
        return;
    digest_sha256(content, it->m->info);
    s->has_rec = record_parse(&s->rec, raw, NULL) == 0 && s->rec.n_files == it->m->n_files &&
                 s->rec.have.n == it->m->n_pieces &&
                 memcmp(content, s->rec.content, sizeof content) == 0;
    bytes_free(raw);
}

/* For serving, wanted is what was wanted when it was fetched. */
static void wanted_by_row(struct item *it)
{
    if (!it->spec.serve || !it->row_selection)
        return;
    bits_fill(&it->wanted, false);
    choose_read(&it->wanted, it->row_selection);
    it->all_wanted = false;
}

static int survey(struct survey *s, struct catalogue *c)
{
    struct item *it = s->it;
    int rc = choose_files(it, s->e);

    if (rc == 0)
        rc = find_lock(it, s->e);
    if (rc < 0)
        return rc;
    wanted_by_row(it);
    it->ranged = it->spec.n_ranges > 0;
    if (it->ranged)
        rc = ranges_place(it, s->e);
    else if ((rc = choose_path(it, s->e)) == 0)
        rc = survey_side(it, "", s->e); /* also with all wanted: an earlier run may have left one */
    if (rc < 0)
        return rc;
    read_record(s, c);
    it->side_there = it->side && survey_is_there(it->side);
    it->tree = tree_at(it, it->path, it->where);
    it->standing = mem_zero(it->m->n_files ? it->m->n_files : 1);
    it->files = mem_array(it->m->n_files ? it->m->n_files : 1, sizeof *it->files);
    bits_init(&it->stale, it->m->n_files);
    bits_init(&it->have, it->m->n_pieces);
    bits_init(&it->check, it->m->n_pieces);
    rc = check_root(it, s->e);
    for (uint32_t i = 0; i < it->m->n_files && rc == 0; i++)
        rc = look_at(s, i);
    if (rc == 0)
        look_at_pieces(s);
    return rc;
}

void survey_work(struct db_job *j, struct catalogue *c)
{
    struct survey s = {.it = j->item, .e = j->item->why};

    record_init(&s.rec);
    j->item->code = survey(&s, c);
    record_fini(&s.rec);
    if (j->item->code == 0)
        reuse_survey(j->item, c);
}
