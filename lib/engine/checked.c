/* Content that lies here; see checked.h. */
#include "engine/checked.h"
#include "engine/piecejob.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>

#include <stdlib.h>

struct checked {
    const struct manifest *m;
    struct tree *tree;
    struct bits there; /* files */
    struct bits good;  /* pieces */
};

static void look_at(struct checked *c, uint32_t i)
{
    const struct manifest_file *f = &c->m->files[i];
    struct tree_stat final = {0}, part = {0};

    if (f->attr & (FILE_PAD | FILE_SYMLINK))
        return;
    if (tree_stat(c->tree, i, &final, &part, NULL) < 0 || !final.regular || final.size != f->length)
        return;
    tree_set_flags(c->tree, i, TREE_FINAL, 0);
    bits_set(&c->there, i);
}

struct checked *checked_new(struct fdcache *files, const struct places *p)
{
    struct checked *c = mem_zero(sizeof *c);

    c->m = p->m;
    c->tree = places_tree(files, p);
    bits_init(&c->there, c->m->n_files);
    bits_init(&c->good, c->m->n_pieces);
    for (uint32_t i = 0; i < c->m->n_files; i++)
        look_at(c, i);
    return c;
}

void checked_free(struct checked *c)
{
    if (!c)
        return;
    tree_free(c->tree);
    bits_fini(&c->there);
    bits_fini(&c->good);
    free(c);
}

bool checked_has(const struct checked *c, uint32_t file)
{
    return bits_get(&c->there, file);
}

static int differs(struct checked *c, uint32_t file, struct err *e)
{
    char *path = tree_path(c->tree, file);

    err_set(e, ERR_INVALID, "%s: is not what it was; p2p-ls --verify says where", path);
    free(path);
    return ERR_INVALID;
}

static int check(struct checked *c, uint32_t file, uint32_t piece, struct err *e)
{
    struct piecejob j;
    int rc;

    if (bits_get(&c->good, piece))
        return 0;
    piecejob_init(&j, c->m, c->tree, piece, true, true);
    piecejob_run(&j);
    rc = j.code;
    if (rc == 0 && piecehash_check(c->m, piece, &j.r) == PIECE_GOOD)
        bits_set(&c->good, piece);
    else if (rc == 0 || rc == ERR_NOTFOUND)
        rc = differs(c, j.file == UINT32_MAX ? file : j.file, e);
    else if (e)
        *e = j.e;
    piecejob_fini(&j);
    return rc;
}

int64_t checked_read(struct checked *c, uint32_t file, uint64_t at, struct span to, struct err *e)
{
    uint64_t offset = c->m->files[file].offset + at;
    uint64_t left = c->m->piece_length - offset % c->m->piece_length;
    int64_t n;
    int rc = check(c, file, (uint32_t)(offset / c->m->piece_length), e);

    if (rc < 0)
        return rc;
    if (to.n > left)
        to.n = (size_t)left;
    n = tree_pread(c->tree, file, at, to, e);
    return n == 0 && to.n > 0 ? differs(c, file, e) : n;
}
