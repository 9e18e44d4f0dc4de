/* p2p-rm: forgets an item of the catalogue, and deletes its files if asked to. */
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/cli/program.h>
#include <p2p/cli/sources.h>
#include <p2p/cli/status.h>
#include <p2p/engine/known.h>
#include <p2p/host/home.h>
#include <p2p/host/lock.h>

#include <stdlib.h>
#include <unistd.h>

struct rm {
    struct program *p;
    const struct rm_options *o;
    struct home home;
    struct catalogue *c; /* NULL: there is none */
};

/* A p2p-get at work on it would write its record, and its files, again. */
static int lock_one(struct rm *r, struct lock **l, struct bytes hash, struct err *e)
{
    char hex[2 * SHA256_LEN + 1];
    struct err here = {0};
    int rc;

    text_hex(hex, hash);
    rc = lock_take(l, r->home.dir, hex, &here);
    if (rc == ERR_LOCKED)
        return err_set(e, rc, "is being fetched by a p2p-get (%s)", here.msg);
    if (rc < 0)
        *e = here;
    return rc;
}

static int lock_item(struct rm *r, const struct catalogue_item *it, struct lock *held[2],
                     struct err *e)
{
    int rc = 0;

    if (it->has_v1)
        rc = lock_one(r, &held[0], BYTES(it->v1, sizeof it->v1), e);
    if (rc == 0 && it->has_v2)
        rc = lock_one(r, &held[1], BYTES(it->v2, sizeof it->v2), e);
    return rc;
}

/* What p2p-add put into the store has a folder of its own there. */
static void drop_store_folder(const struct rm *r, const struct known_place *p)
{
    char *store = home_path(&r->home, HOME_STORE);
    size_t n = strlen(store);

    if (strncmp(p->path, store, n) == 0 && p->path[n] == '/') {
        char *folder = mem_strn(p->path, (size_t)(strrchr(p->path, '/') - p->path));

        rmdir(folder); /* if it is not empty, somebody put something there */
        free(folder);
    }
    free(store);
}

/* Files first: while one of them cannot be deleted the item stays known, and may be tried again. */
static int delete_data(struct rm *r, const struct known *k, struct err *e)
{
    struct known_place place;
    int rc;

    if (k->item.path.n == 0)
        return 0;
    rc = known_place(&place, k, r->c, r->home.dir, e);
    if (rc == 0)
        rc = known_delete(k, &place, e);
    if (rc == 0)
        drop_store_folder(r, &place);
    known_place_fini(&place);
    return rc;
}

static int remove_it(struct rm *r, struct known *k, struct err *e)
{
    struct lock *held[2] = {0};
    int rc = lock_item(r, &k->item, held, e);

    if (rc == 0 && r->o->data)
        rc = delete_data(r, k, e);
    if (rc == 0)
        rc = catalogue_remove(r->c, k->item.id, e);
    lock_free(held[0]);
    lock_free(held[1]);
    return rc;
}

static int find(struct rm *r, struct known *k, const struct sources *all,
                const struct source_entry *from, struct err *e)
{
    *k = (struct known){0};
    if (from->bad)
        return err_set(e, ERR_INVALID, "%s", from->text);
    if (from->torrent)
        return known_torrent(k, buf_bytes(&all->torrent), from->text, r->c, e);
    return known_find(k, from->text, r->c, e);
}

/* With what was meant: what went wrong names a file, or nothing. */
static void complain(struct output *out, const struct source_entry *from, const char *why)
{
    char *text = mem_fmt("%s: %s", from->text, why);

    sources_complain(out, from, text);
    free(text);
}

static int remove_one(struct rm *r, const struct sources *all, const struct source_entry *from)
{
    struct output *out = &r->p->output;
    const char *source = from->text;
    struct known k;
    struct err e = {0};
    int rc = find(r, &k, all, from, &e);

    if (rc < 0) {
        known_fini(&k);
        sources_complain(out, from, e.msg);
        return status_of(rc);
    }
    if (k.item.id == 0)
        rc = err_set(&e, ERR_NOTFOUND, "not in the catalogue");
    else
        rc = remove_it(r, &k, &e);
    if (rc < 0)
        complain(out, from, e.msg);
    else if (r->o->data)
        output_verbose(out, "%s: forgotten, and its data deleted", source);
    else if (k.item.path.n)
        output_verbose(out, "%s: forgotten; its data stays in %.*s", source, (int)k.item.path.n,
                       (const char *)k.item.path.p);
    known_fini(&k);
    return status_of(rc);
}

static int open_catalogue(struct rm *r, struct err *e)
{
    int rc = home_find(&r->home, r->o->common.home, e);
    if (rc < 0)
        return rc;
    char *path = home_path(&r->home, CATALOGUE_FILE);
    if (access(path, F_OK) == 0)
        rc = catalogue_open(&r->c, r->home.dir, e);
    free(path);
    if (rc == 0 && r->c && catalogue_notice(r->c))
        output_notice(&r->p->output, "%s", catalogue_notice(r->c));
    return rc;
}

static int run(struct program *p, const struct rm_options *o)
{
    struct rm r = {.p = p, .o = o};
    const struct source_options so = {.operands = p->options.operands,
                                      .n = p->options.n_operands,
                                      .lists = &o->lists,
                                      .operand_list = true,
                                      .nul = o->common.nul,
                                      .in = STDIN_FILENO};
    struct sources sources = {0};
    struct err e = {0};
    int status = STATUS_DONE;

    if (p->options.n_operands == 0 && o->lists.n == 0)
        return program_usage(p, "SOURCE: none is given");
    if (sources_read(&sources, &so, &e) < 0 || open_catalogue(&r, &e) < 0)
        status = program_fail(p, &e);
    else
        for (size_t i = 0; i < sources.n; i++)
            status = status_worst(status, remove_one(&r, &sources, &sources.v[i]));
    catalogue_free(r.c);
    home_fini(&r.home);
    sources_fini(&sources);
    return status;
}

int main(int argc, char **argv)
{
    struct rm_options o;
    struct program p;
    int status;

    if (!program_start(&p, &suite_rm, &o, argc, argv, &status))
        return status;
    status = run(&p, &o);
    return program_end(&p, status);
}
