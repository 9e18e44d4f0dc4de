/* What p2p-ls prints of one item. */
#include "ls_int.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/cli/describe.h>
#include <p2p/host/fileio.h>
#include <p2p/host/wall.h>

#include <inttypes.h>
#include <stdlib.h>

/* ---- words and numbers ---- */

static char *name_of(const struct ls_entry *n)
{
    const char *name = known_name(&n->k);
    char hex[2 * SHA256_LEN + 1];

    if (name)
        return mem_str(name);
    if (n->k.item.name.n)
        return mem_strn((const char *)n->k.item.name.p, n->k.item.name.n);
    text_hex(hex, known_hash(&n->k));
    return mem_str(hex);
}

char *ls_link(const struct ls_entry *n)
{
    struct buf out = {0};

    if (n->k.m)
        return describe_link_of(n->k.m, NULL, 0);
    magnet_write(&n->k.link, &out);
    return buf_take_str(&out);
}

static bool size_of(const struct ls_entry *n, uint64_t *size)
{
    *size = n->k.m ? n->k.m->size : n->k.item.piece_size ? n->k.item.size : n->k.link.size;
    return n->k.m || n->k.item.piece_size || *size > 0;
}

static uint64_t have_of(const struct ls_entry *n)
{
    return n->verified ? n->verdict.have : n->k.item.have;
}

/* Rounded down: what says 100 is complete. */
static unsigned percent(const struct ls_entry *n)
{
    uint64_t size = 0;

    if (n->k.item.state == CATALOGUE_COMPLETE && !n->verified)
        return 100;
    if (!size_of(n, &size))
        return 0;
    if (size == 0)
        return n->verdict.n_bad == 0 && n->k.item.state == CATALOGUE_COMPLETE ? 100 : 0;
    return (unsigned)((double)have_of(n) / (double)size * 100.0);
}

static char *path_of(const struct ls_entry *n)
{
    return n->k.item.path.n ? mem_strn((const char *)n->k.item.path.p, n->k.item.path.n) : NULL;
}

const char *ls_label(const struct ls_entry *n, char **owned)
{
    *owned = NULL;
    if (!n->source)
        *owned = name_of(n);
    else if (n->from->list)
        *owned = mem_fmt("%s:%zu: %s", n->from->list, n->from->line, n->source);
    return *owned ? *owned : n->source;
}

int ls_without_manifest(struct ls *l, const struct ls_entry *n)
{
    char *owned;

    output_error(l->out, "%s: its manifest is not here: --fetch gets it from peers",
                 ls_label(n, &owned));
    free(owned);
    return STATUS_NOTFOUND;
}

/* ---- results ---- */

static void print_long(struct ls *l, const struct ls_entry *n)
{
    const struct catalogue_item *it = &n->k.item;
    bool v1 = n->k.m ? n->k.m->has_v1 : it->has_v1, v2 = n->k.m ? n->k.m->has_v2 : it->has_v2;
    char added[WALL_TEXT] = "", *path = path_of(n);

    if (it->id)
        wall_text(added, it->added);
    output_str(l->out, n->k.m || it->piece_size ? describe_format(v1, v2) : "");
    if (n->k.m || it->piece_size)
        output_fmt(l->out, "%" PRIu64, n->k.m ? n->k.m->n_pieces : it->pieces);
    else
        output_str(l->out, "");
    output_str(l->out, added);
    output_fmt(l->out, "%" PRIu64, it->uploaded);
    output_fmt(l->out, "%.2f", it->size ? (double)it->uploaded / (double)it->size : 0.0);
    output_str(l->out, path);
    free(path);
}

static void print_item(struct ls *l, const struct ls_entry *n)
{
    char *name = name_of(n);
    uint64_t size;

    output_hex(l->out, known_hash(&n->k));
    if (size_of(n, &size))
        output_fmt(l->out, "%" PRIu64, size);
    else
        output_str(l->out, "");
    output_fmt(l->out, "%u%%", percent(n));
    output_str(l->out, name);
    if (l->o->columns)
        print_long(l, n);
    if (n->asked) {
        output_fmt(l->out, "%" PRId64, n->answer.seeds);
        output_fmt(l->out, "%" PRId64, n->answer.peers);
    }
    output_line(l->out);
    free(name);
}

static void print_file(struct ls *l, const struct manifest_file *f)
{
    char attr[8];

    output_fmt(l->out, "%" PRIu64, f->length);
    output_str(l->out, f->path);
    if (l->o->columns) {
        describe_attr(attr, f->attr);
        output_str(l->out, *attr ? attr : "-");
        if (f->root)
            output_hex(l->out, BYTES(f->root, SHA256_LEN));
        else
            output_str(l->out, f->target ? f->target : "");
    }
    output_line(l->out);
}

static int print_files(struct ls *l, const struct ls_entry *n)
{
    if (!n->k.m)
        return ls_without_manifest(l, n);
    l->out->batch = true;
    for (uint32_t i = 0; i < n->k.m->n_files && !l->out->failed; i++)
        if (!(n->k.m->files[i].attr & FILE_PAD))
            print_file(l, &n->k.m->files[i]);
    return STATUS_DONE;
}

static const char *const fault_words[] = {[SCAN_DIFFERS] = "do not match",
                                          [SCAN_MISSING] = "are missing",
                                          [SCAN_TOO_LONG] = "are behind its end"};

static struct json *bad_json(const struct ls_entry *n)
{
    static const char *const words[] = {
        [SCAN_DIFFERS] = "differs", [SCAN_MISSING] = "missing", [SCAN_TOO_LONG] = "too long"};
    struct json *a = json_new_array();

    for (size_t i = 0; i < n->verdict.n_bad; i++) {
        const struct scan_bad *b = &n->verdict.bad[i];
        struct json *o = json_new_object();

        json_set_str(o, "path", n->k.m->files[b->file].path);
        json_set_int(o, "first", (int64_t)b->first);
        json_set_int(o, "last", (int64_t)b->last);
        json_set_str(o, "fault", words[b->fault]);
        json_add(a, o);
    }
    return a;
}

static int print_json(struct ls *l, const struct ls_entry *n)
{
    const struct catalogue_item *it = &n->k.item;
    char *link = ls_link(n), *path = path_of(n);
    struct json *o = n->k.m ? describe_manifest(n->k.m, link) : describe_link(&n->k.link);

    if (it->id) {
        json_set_int(o, "have", (int64_t)have_of(n));
        json_set_time(o, "added", it->added);
        json_set_str(o, "path", path);
        json_set_int(o, "uploaded", (int64_t)it->uploaded);
        json_set_int(o, "downloaded", (int64_t)it->downloaded);
    }
    if (n->verified)
        json_set(o, "bad", bad_json(n));
    if (n->asked && n->answer.seeds >= 0)
        json_set_int(o, "seeds", n->answer.seeds);
    if (n->asked && n->answer.peers >= 0)
        json_set_int(o, "peers", n->answer.peers);
    output_json(l->out, o);
    free(path);
    free(link);
    return STATUS_DONE;
}

static int print_link(struct ls *l, const struct ls_entry *n)
{
    char *link = ls_link(n);

    output_str(l->out, link);
    output_line(l->out);
    free(link);
    return STATUS_DONE;
}

static int print_hash(struct ls *l, const struct ls_entry *n)
{
    output_hex(l->out, known_hash(&n->k));
    output_line(l->out);
    return STATUS_DONE;
}

static int print_path(struct ls *l, const struct ls_entry *n)
{
    char *path = path_of(n), *owned;

    if (!path) {
        output_error(l->out, "%s: its data is not here", ls_label(n, &owned));
        free(owned);
        return STATUS_NOTFOUND;
    }
    output_str(l->out, path);
    output_line(l->out);
    free(path);
    return STATUS_DONE;
}

static int write_torrent(struct ls *l, const struct ls_entry *n)
{
    struct buf out = {0};
    struct err e = {0};
    int rc = 0;

    if (!n->k.m)
        return ls_without_manifest(l, n);
    manifest_write(n->k.m, &out);
    if (strcmp(l->o->torrent, "-") == 0)
        output_raw(l->out, buf_bytes(&out));
    else
        rc = fileio_write(l->o->torrent, buf_bytes(&out), 0666, &e);
    buf_fini(&out);
    return rc < 0 ? program_fail(l->p, &e) : STATUS_DONE;
}

void ls_tell_bad(struct ls *l, const struct ls_entry *n)
{
    char *path = path_of(n);

    for (size_t i = 0; i < n->verdict.n_bad; i++) {
        const struct scan_bad *b = &n->verdict.bad[i];
        const struct manifest_file *f = &n->k.m->files[b->file];
        const char *slash = n->k.m->multi ? "/" : "", *inner = n->k.m->multi ? f->path : "";

        if (f->length == 0 && b->fault == SCAN_MISSING)
            output_error(l->out, "%s%s%s: is missing", path, slash, inner);
        else
            output_error(l->out, "%s%s%s: bytes %" PRIu64 "-%" PRIu64 " %s", path, slash, inner,
                         b->first, b->last, fault_words[b->fault]);
    }
    free(path);
}

int ls_print(struct ls *l, const struct ls_entry *n)
{
    if (l->o->link)
        return print_link(l, n);
    if (l->o->hash)
        return print_hash(l, n);
    if (l->o->path)
        return print_path(l, n);
    if (l->o->torrent)
        return write_torrent(l, n);
    if (l->o->common.json)
        return print_json(l, n);
    if (l->sources && !l->o->peers && !l->o->verify)
        return print_files(l, n);
    print_item(l, n);
    return STATUS_DONE;
}
