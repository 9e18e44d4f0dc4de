/* Where a member goes; see member_out.h. */
#include "engine/member_out.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/format/names.h>
#include <p2p/host/entropy.h>
#include <p2p/host/fileio.h>

#include <stdlib.h>

struct member_out {
    struct fdcache *files;
    const char *output;
    struct sink *sink;
    struct errand *errand;
    char *path, *root;
    struct tree *tree;
    uint64_t at;
};

struct member_out *member_out_new(struct fdcache *files, const char *output, struct sink *sink,
                                  struct errand *w)
{
    struct member_out *o = mem_zero(sizeof *o);

    o->files = files;
    o->output = output;
    o->sink = sink;
    o->errand = w;
    return o;
}

static void forget(struct member_out *o)
{
    tree_free(o->tree);
    o->tree = NULL;
}

void member_out_free(struct member_out *o)
{
    if (!o)
        return;
    member_out_drop(o);
    free(o->path);
    free(o->root);
    free(o);
}

void member_out_drop(struct member_out *o)
{
    if (o->tree)
        tree_delete(o->tree, NULL);
    forget(o);
}

const char *member_out_path(const struct member_out *o)
{
    return o->sink ? "-" : o->path;
}

/* ---- files ---- */

static char *path_of(const struct member_out *o, const char *base)
{
    const char *to = o->output;
    size_t n = to ? strlen(to) : 0;

    if (to && n > 0 && to[n - 1] != '/' && !survey_is_folder(to))
        return fileio_absolute(to);
    char *joined = mem_fmt("%s/%s", n ? to : ".", base);
    char *whole = fileio_absolute(joined);
    free(joined);
    return whole;
}

/* Under a name that nobody else writes to, be it another thread or another program. */
static struct tree *make_tree(const struct member_out *o, const char *name, uint64_t size)
{
    uint8_t dice[4];
    char hex[2 * sizeof dice + 1];

    entropy_fill(dice, sizeof dice);
    text_hex(hex, BYTES(dice, sizeof dice));
    char *suffix = mem_fmt(".%s", hex);
    struct tree_file f = {.path = name, .length = size};
    struct tree *t = tree_new(o->files, o->root, &f, 1, suffix, NULL);

    free(suffix);
    return t;
}

static int begin_file(struct member_out *o, const char *base, uint64_t size, struct err *e)
{
    const char *slash;
    int rc;

    free(o->path);
    free(o->root);
    o->root = NULL;
    o->path = path_of(o, base);
    slash = strrchr(o->path, '/');
    o->root = slash == o->path ? mem_str("/") : mem_strn(o->path, (size_t)(slash - o->path));
    if (!names_component_ok(bytes_str(slash + 1)))
        return err_set(e, ERR_USAGE, "'%s' is no name for a file: give it one with -o", slash + 1);
    if (survey_is_there(o->path))
        return err_set(e, ERR_IO, "%s: exists already", o->path);
    rc = fileio_mkdirs(o->root, 0777, e);
    if (rc < 0)
        return rc;
    o->tree = make_tree(o, slash + 1, size);
    return 0;
}

/* ---- a descriptor ---- */

static int put_out(struct member_out *o, struct bytes b, struct err *e)
{
    while (b.n > 0) {
        int64_t n = sink_write(o->sink, &b, 1, e);

        if (n < 0)
            return (int)n;
        b = BYTES(b.p + n, b.n - (size_t)n);
        if (b.n > 0 && errand_wait_out(o->errand, sink_fd(o->sink)) < 0)
            return err_set(e, ERR_CANCELED, "stopped");
    }
    return 0;
}

/* ---- both ---- */

int member_out_begin(struct member_out *o, const char *base, uint64_t size, struct err *e)
{
    o->at = 0;
    return o->sink ? 0 : begin_file(o, base, size, e);
}

int member_out_data(struct member_out *o, struct bytes b, struct err *e)
{
    int rc = o->sink ? put_out(o, b, e) : tree_pwrite(o->tree, 0, o->at, &b, 1, e);

    o->at += b.n;
    return rc;
}

int member_out_end(struct member_out *o, struct err *e)
{
    int rc = o->sink ? 0 : tree_finish_file(o->tree, 0, e);

    if (rc == 0)
        forget(o);
    return rc;
}
