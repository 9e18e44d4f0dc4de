/* From a path to a manifest. */
#include "engine/places.h"
#include "engine/scan_int.h"

#include <p2p/base/mem.h>
#include <p2p/format/names.h>

#include <stdlib.h>

/* ---- options ---- */

static bool has_scheme(const char *url, const char *const *schemes)
{
    for (; *schemes; schemes++) {
        size_t n = strlen(*schemes);

        if (strncmp(url, *schemes, n) == 0 && url[n] && !strpbrk(url, " \t\r\n"))
            return true;
    }
    return false;
}

/* Web trackers are for others to use. */
static int check_tracker(const char *url, struct err *e)
{
    static const char *const schemes[] = {"http://", "https://", "udp://", "ws://", "wss://", NULL};

    return has_scheme(url, schemes)
               ? 0
               : err_set(e, ERR_USAGE, "--tracker: %s: not an http, https or udp address", url);
}

static int check_web_seed(const char *url, struct err *e)
{
    static const char *const schemes[] = {"http://", "https://", "ftp://", NULL};

    return has_scheme(url, schemes)
               ? 0
               : err_set(e, ERR_USAGE, "--web-seed: %s: not an http or https address", url);
}

/* The addresses of a tier, one by one: fn ends it with a negative code. */
static int each_tracker(const char *tier, int (*fn)(void *arg, const char *url), void *arg)
{
    char *all = mem_str(tier), *at = all;
    int rc = 0;

    while (at && rc >= 0) {
        char *comma = strchr(at, ',');

        if (comma)
            *comma = 0;
        if (*at)
            rc = fn(arg, at);
        at = comma ? comma + 1 : NULL;
    }
    free(all);
    return rc;
}

static int check_one(void *arg, const char *url)
{
    return check_tracker(url, arg);
}

int scan_check(const struct scan_options *o, struct err *e)
{
    struct err here = {0};
    int rc = 0;
    uint32_t p = o->author.piece_length;

    if (p && (p < AUTHOR_MIN_PIECE || p > AUTHOR_MAX_PIECE || (p & (p - 1)) != 0))
        return err_set(e, ERR_USAGE, "--piece-size: not a power of two from 16Ki to 128Mi");
    if (o->author.name && !names_component_ok(bytes_str(o->author.name)))
        return err_set(e, ERR_USAGE, "--name: '%s' is no name for a file", o->author.name);
    for (size_t i = 0; i < o->trackers.n && rc == 0; i++)
        rc = each_tracker(o->trackers.v[i], check_one, &here);
    for (size_t i = 0; i < o->web_seeds.n && rc == 0; i++)
        rc = check_web_seed(o->web_seeds.v[i], &here);
    return rc < 0 ? err_set(e, here.code, "%s", here.msg) : 0;
}

struct tier {
    struct manifest *m;
    size_t at;
};

static int add_one(void *arg, const char *url)
{
    struct tier *t = arg;

    manifest_add_tracker(t->m, t->at, url);
    return 0;
}

static void add_outer(struct manifest *m, const struct scan_options *o)
{
    for (size_t i = 0; i < o->trackers.n; i++)
        each_tracker(o->trackers.v[i], add_one, &(struct tier){m, i});
    for (size_t i = 0; i < o->web_seeds.n; i++)
        manifest_add_web_seed(m, o->web_seeds.v[i]);
    for (size_t i = 0; i < o->nodes.n; i++)
        manifest_add_node(m, o->nodes.v[i]);
}

/* ---- hashing a plan ---- */

static size_t walked(const struct scan_author *a, uint32_t file)
{
    return a->plan.walked[author_entry_of(a->author, file)];
}

static int open_file(void *ctx, uint32_t file, struct tree_pin *out, struct err *e)
{
    const struct scan_author *a = ctx;

    *out = (struct tree_pin){.fd = intake_begin(a->intake, walked(a, file), e)};
    return out->fd < 0 ? out->fd : 0;
}

static int close_file(void *ctx, uint32_t file, struct tree_pin *pin, struct err *e)
{
    const struct scan_author *a = ctx;

    return intake_end(a->intake, walked(a, file), pin->fd, e);
}

static int whole_file(void *ctx, uint32_t file, struct span to, struct err *e)
{
    const struct scan_author *a = ctx;

    return intake_whole(a->intake, walked(a, file), to, e);
}

static int file_is_cut(void *ctx, uint32_t file, struct err *e)
{
    const struct scan_author *a = ctx;

    return intake_changed(a->intake, walked(a, file), e);
}

static void take_piece(void *arg, uint32_t piece, const struct scan_piece *p)
{
    struct scan_author *a = arg;
    struct piecehash_result r = {0};

    memcpy(r.v1, p->v1, SHA1_LEN);
    memcpy(r.root, p->root, SHA256_LEN);
    author_set(a->author, piece, &r);
}

/* Sets the pieces that are known from the stream; the others are to be hashed. */
static void take_flow(const struct scan_author *a, struct bits *others)
{
    const struct manifest *m = author_plan(a->author);
    struct piecehash_result r;

    bits_init(others, m->n_pieces);
    for (uint32_t i = 0; i < m->n_pieces; i++) {
        if (a->flow && flowhash_piece(a->flow, m->piece_length, i, &r))
            author_set(a->author, i, &r);
        else
            bits_set(others, i);
    }
}

static int hash_plan(struct scan_author *a, const struct scan_options *o, struct err *e)
{
    struct bits others = {0};
    struct scan_hash h = {
        .only = a->flow ? &others : NULL,
        .m = author_plan(a->author),
        .source = {.ctx = a,
                   .open = open_file,
                   .close = close_file,
                   .whole = whole_file,
                   .cut = file_is_cut},
        .watch = &o->watch,
        .piece = take_piece,
        .arg = a,
    };
    int rc = a->intake ? 0
                       : intake_open(&a->intake, a->plan.root, &a->plan.walk, o->follow, e);

    if (a->flow)
        take_flow(a, &others);
    if (rc == 0 && !(a->flow && others.ones == 0))
        rc = scan_hash(&h, e);
    bits_fini(&others);
    if (rc == 0 && o->catalogue)
        rc = intake_sync(a->intake, o->now, e);
    return rc;
}

/* ---- all of it ---- */

void scan_author_fini(struct scan_author *a)
{
    intake_free(a->intake);
    author_free(a->author);
    scan_plan_fini(&a->plan);
}

int scan_planned(struct scan_result *r, struct scan_author *a, const char *path,
                 const struct scan_options *o, struct err *e)
{
    struct author_options how = o->author;
    struct err here = {0};
    int rc = 0;

    how.name = a->plan.name;
    a->author = author_new(&how, a->plan.entries, a->plan.n, &here);
    if (!a->author)
        return err_set(e, here.code, "%s: %s", path, here.msg);
    r->known = !a->intake && scan_recall(a, r->where, o);
    if (!r->known)
        rc = hash_plan(a, o, e);
    if (rc < 0)
        return rc;
    r->m = author_finish(a->author, e);
    if (!r->m)
        return ERR_FAIL;
    add_outer(r->m, o);
    scan_remember(r, a);
    return 0;
}

int scan_it(struct scan_result *r, const char *path, const struct flowhash *flow,
            const struct scan_options *o, struct err *e)
{
    struct scan_author a = {.flow = flow};
    int rc;

    *r = (struct scan_result){.where = PLACES_RAW | (o->follow ? PLACES_FOLLOW : 0)};
    rc = scan_plan(&a.plan, r, path, flow != NULL, o, e);
    if (rc == 0)
        rc = scan_planned(r, &a, path, o, e);
    if (rc == 0)
        r->path = mem_str(a.plan.root);
    scan_author_fini(&a);
    return rc;
}

int scan_path(struct scan_result *r, const char *path, const struct scan_options *o, struct err *e)
{
    return scan_it(r, path, NULL, o, e);
}

void scan_result_fini(struct scan_result *r)
{
    manifest_free(r->m);
    record_fini(&r->record);
    free(r->path);
    for (size_t i = 0; i < r->n_notices; i++)
        free(r->notices[i]);
    free(r->notices);
    *r = (struct scan_result){0};
}

int scan_add(struct scan_result *r, const char *path, const struct scan_options *o, int64_t *id,
             struct err *e)
{
    int rc;

    *r = (struct scan_result){0};
    rc = scan_check(o, e);
    if (rc == 0)
        rc = scan_path(r, path, o, e);
    return rc == 0 ? scan_record(r, o, id, e) : rc;
}
