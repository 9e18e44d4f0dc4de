/* p2p-ls --archive: what is inside the archives of an item. */
#include "ls_int.h"

#include <p2p/base/mem.h>
#include <p2p/engine/peek.h>
#include <p2p/host/term.h>
#include <p2p/host/wall.h>

#include <inttypes.h>
#include <stdlib.h>

static const char *attr_of(const struct inside_entry *n)
{
    return n->kind == INSIDE_SYMLINK || n->kind == INSIDE_HARDLINK ? "l" : n->executable ? "x" : "";
}

static void print_json(struct ls *l, const char *archive, const char *path,
                       const struct inside_entry *n)
{
    struct json *o = json_new_object();

    json_set_str(o, "archive", archive);
    json_set_str(o, "path", path);
    json_set_int(o, "size", (int64_t)n->size);
    if (*attr_of(n))
        json_set_str(o, "attr", attr_of(n));
    if (n->dated)
        json_set_time(o, "modified", n->mtime);
    json_set_str(o, "target", n->target);
    if (n->encrypted)
        json_set_bool(o, "encrypted", true);
    output_json(l->out, o);
}

static void print_line(struct ls *l, const char *path, const struct inside_entry *n)
{
    char modified[WALL_TEXT] = "";

    output_fmt(l->out, "%" PRIu64, n->size);
    output_str(l->out, path);
    if (l->o->columns) {
        if (n->dated)
            wall_text(modified, n->mtime);
        output_str(l->out, *attr_of(n) ? attr_of(n) : "-");
        output_str(l->out, modified);
        output_str(l->out, n->target);
    }
    output_line(l->out);
}

/* Files and links: what a folder is called is in their names. */
static void print_entry(void *arg, const char *archive, const struct inside_entry *n)
{
    struct ls *l = arg;
    char *path = archive ? mem_fmt("%s/%s", archive, n->path) : mem_str(n->path);

    if (n->kind != INSIDE_FOLDER && n->kind != INSIDE_OTHER) {
        if (l->o->common.json)
            print_json(l, archive, path, n);
        else
            print_line(l, path, n);
    }
    free(path);
}

static bool stopped(void *arg)
{
    const struct ls *l = arg;

    return term_stopped() != 0 || l->out->failed;
}

int ls_archive(struct ls *l, const struct ls_entry *n, const struct ask_options *a)
{
    const struct peek o = {.entry = print_entry, .stopped = stopped, .arg = l};
    struct known_place at = {0};
    struct err e = {0};
    char *owned;
    int rc;

    if (!n->k.m)
        return ls_without_manifest(l, n);
    l->out->batch = true;
    rc = known_place(&at, &n->k, l->c, l->home.dir, NULL);
    rc = peek(&n->k, rc < 0 ? NULL : &at, &o, &e);
    known_place_fini(&at);
    if (rc == 0 && l->o->fetch)
        rc = ask_entries(&n->k, a, print_entry, l, &e);
    else if (rc == 0)
        rc = err_set(&e, ERR_NOTFOUND, "its content is not here: --fetch gets what it takes");
    if (rc == ERR_CANCELED)
        return term_stopped() ? 128 + term_stopped() : STATUS_INT;
    if (rc >= 0)
        return STATUS_DONE;
    output_error(l->out, "%s: %s", ls_label(n, &owned), e.msg);
    free(owned);
    return status_of(rc);
}
