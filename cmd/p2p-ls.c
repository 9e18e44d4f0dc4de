/* p2p-ls: tells what is here, and what is in it. */
#include "ls_int.h"

#include <p2p/base/text.h>
#include <p2p/host/lock.h>
#include <p2p/host/term.h>
#include <p2p/host/wall.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void entry_fini(struct ls_entry *n)
{
    known_fini(&n->k);
    scan_verdict_fini(&n->verdict);
}

/* ---- checking the data ---- */

static usec clock_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (usec)t.tv_sec * USEC_SEC + t.tv_nsec / 1000;
}

static void show(void *arg, uint64_t done, uint64_t total)
{
    struct ls *l = arg;
    usec now = clock_now(), spent = now - l->begun;
    struct progress g = {.doing = "checking",
                         .name = l->doing,
                         .done = done,
                         .total = total,
                         .peers = -1,
                         .left = USEC_NEVER};

    if (spent < USEC_SEC / 2 || !output_progress_due(l->out, now))
        return;
    g.down = true;
    g.rate_down = (uint64_t)((double)done * (double)USEC_SEC / (double)spent);
    if (done)
        g.left = (usec)((double)(total - done) / (double)done * (double)spent);
    output_progress(l->out, &g, now);
}

static bool stopped(void *arg)
{
    (void)arg;
    return term_stopped() != 0;
}

static bool lock_item(const struct ls *l, const struct known *k, struct lock *held[2])
{
    char hex[2 * SHA256_LEN + 1];

    if (k->m->has_v1) {
        text_hex(hex, BYTES(k->m->hash_v1, SHA1_LEN));
        if (lock_take(&held[0], l->home.dir, hex, NULL) < 0)
            return false;
    }
    text_hex(hex, BYTES(k->m->hash_v2, SHA256_LEN));
    return !k->m->has_v2 || lock_take(&held[1], l->home.dir, hex, NULL) == 0;
}

/* What was found out is worth keeping: nothing bad is served, nothing good is hashed again. */
static void keep(struct ls *l, const struct ls_entry *n)
{
    bool whole = bits_full(&n->verdict.good) && n->verdict.n_bad == 0;
    struct lock *held[2] = {0};
    struct buf record = {0};
    struct err e = {0};

    if (lock_item(l, &n->k, held)) {
        record_write(&n->verdict.record, &record);
        if (catalogue_record_put(l->c, n->k.item.id, whole ? CATALOGUE_COMPLETE : CATALOGUE_PARTIAL,
                                 n->verdict.have, buf_bytes(&record), wall_now(), &e) < 0)
            output_notice(l->out, "%s", e.msg);
    }
    buf_fini(&record);
    lock_free(held[0]);
    lock_free(held[1]);
}

static int verify(struct ls *l, struct ls_entry *n)
{
    struct scan_watch w = {.progress = show, .stopped = stopped, .arg = l};
    struct known_place place;
    struct err e = {0};
    char *owned;
    int rc;

    if (!n->k.m)
        return ls_without_manifest(l, n);
    l->doing = n->k.m->name;
    l->begun = clock_now();
    rc = known_place(&place, &n->k, l->c, l->home.dir, &e);
    if (rc == 0)
        rc = scan_verify(&n->verdict, &place.place, &w, &e);
    output_erase(l->out);
    known_place_fini(&place);
    if (rc == ERR_CANCELED)
        return term_stopped() ? 128 + term_stopped() : STATUS_INT;
    if (rc < 0) {
        output_error(l->out, "%s: %s", ls_label(n, &owned), e.msg);
        free(owned);
        return status_of(rc);
    }
    n->verified = true;
    keep(l, n);
    if (n->verdict.n_bad == 0)
        return STATUS_DONE;
    ls_tell_bad(l, n);
    return STATUS_INVALID;
}

/* ---- asking others ---- */

/* What was found is not to be looked for again: the link is what is asked for. */
static struct ask_options asking(const struct ls *l, const struct ls_entry *n, const char *link)
{
    return (struct ask_options){
        .home = l->home.dir,
        .source = link,
        .timeout = l->o->timeout,
        .no_dht = l->o->dht.no_dht || (n->k.m && n->k.m->private_flag), /* a link does not tell */
        .bootstrap = {l->o->dht.bootstrap.v, l->o->dht.bootstrap.n},
        .version = P2P_VERSION,
    };
}

static int ask(struct ls *l, struct ls_entry *n)
{
    char *owned, *link = ls_link(n);
    struct ask_options a = asking(l, n, link);
    struct err e = {0};
    int rc = 0;

    if (l->o->fetch && !n->k.m)
        rc = ask_manifest(&n->k, &a, &e);
    if (rc == 0 && l->o->peers) {
        rc = ask_peers(&n->k, &a, &n->answer, &e);
        n->asked = rc == 0;
    }
    free(link);
    if (rc == ERR_CANCELED)
        return term_stopped() ? 128 + term_stopped() : STATUS_INT;
    if (rc == 0)
        return STATUS_DONE;
    output_error(l->out, "%s: %s", ls_label(n, &owned), e.msg);
    free(owned);
    return status_of(rc);
}

/* ---- all of it ---- */

static int print(struct ls *l, const struct ls_entry *n)
{
    char *link = ls_link(n);
    const struct ask_options a = asking(l, n, link);
    int status = l->o->archive ? ls_archive(l, n, &a) : ls_print(l, n);

    free(link);
    return status;
}

static int do_entry(struct ls *l, struct ls_entry *n)
{
    int status = STATUS_DONE;

    if (l->o->fetch || l->o->peers)
        status = ask(l, n);
    if (status == STATUS_DONE && l->o->verify) {
        status = verify(l, n);
        if (!n->verified)
            return status;
    }
    if (status != STATUS_DONE && !n->verified)
        return status;
    return status_worst(status, print(l, n));
}

static int list_source(struct ls *l, const struct sources *all, const struct source_entry *from)
{
    struct ls_entry n = {.source = from->text, .from = from};
    struct err e = {0};
    int rc, status;

    if (from->bad)
        rc = err_set(&e, ERR_INVALID, "%s", from->text);
    else if (from->torrent)
        rc = known_torrent(&n.k, buf_bytes(&all->torrent), from->text, l->c, &e);
    else
        rc = known_find(&n.k, from->text, l->c, &e);
    if (rc < 0)
        sources_complain(l->out, from, e.msg);
    status = rc < 0 ? status_of(rc) : do_entry(l, &n);
    entry_fini(&n);
    return status;
}

static int list_sources(struct ls *l, const struct sources *sources)
{
    int status = STATUS_DONE;

    for (size_t i = 0; i < sources->n && !term_stopped() && !l->out->failed; i++)
        status = status_worst(status, list_source(l, sources, &sources->v[i]));
    return status;
}

/* A line needs no more than its row; everything else needs the manifest. */
static bool row_will_do(const struct ls_options *o)
{
    return !o->link && !o->torrent && !o->common.json && !o->verify && !o->peers && !o->fetch;
}

static int list_row(struct ls *l, struct catalogue_item *it)
{
    struct ls_entry n = {0};
    struct err e = {0};
    int status;

    if (row_will_do(l->o)) {
        n.k.item = *it;
        *it = (struct catalogue_item){0};
        status = ls_print(l, &n);
    } else if (known_item(&n.k, it, l->c, &e) < 0) {
        status = program_fail(l->p, &e);
    } else if (l->o->verify && !n.k.item.path.n) {
        status = STATUS_DONE; /* of a link there is nothing to check */
    } else if (l->o->path && !n.k.item.path.n) {
        status = STATUS_DONE;
    } else {
        status = do_entry(l, &n);
    }
    entry_fini(&n);
    return status;
}

static int list_catalogue(struct ls *l)
{
    struct catalogue_item it;
    struct err e = {0};
    int64_t after = 0;
    int status = STATUS_DONE, rc = 0;

    l->out->batch = row_will_do(l->o);
    while (l->c && !term_stopped() && !l->out->failed &&
           (rc = catalogue_next(l->c, &after, &it, &e)) == 1) {
        status = status_worst(status, list_row(l, &it));
        catalogue_item_fini(&it);
    }
    return rc < 0 ? status_worst(status, program_fail(l->p, &e)) : status;
}

static const char *is_wrong(const struct ls_options *o)
{
    int instead = o->link + o->hash + o->path + (o->torrent != NULL);

    if (o->archive && (instead || o->verify || o->peers))
        return "--archive: prints what is inside and nothing else";
    if (instead > 1)
        return "--link, --hash, --path and --torrent: one of them at a time";
    if (instead && o->common.json)
        return "--json: prints the link, the hash and the path already";
    return NULL;
}

/* Looking must not make anything: without a catalogue there is nothing to list. */
static int open_catalogue(struct ls *l, struct err *e)
{
    int rc = home_find(&l->home, l->o->common.home, e);
    if (rc < 0)
        return rc;
    char *path = home_path(&l->home, CATALOGUE_FILE);
    if (access(path, F_OK) == 0)
        rc = catalogue_open_to_read(&l->c, l->home.dir, e);
    else if (errno != ENOENT && !l->sources) /* that is not the same as nothing in it */
        rc = err_os(e, errno, "%s", path);
    free(path);
    if (rc == 0 && l->c && catalogue_notice(l->c))
        output_notice(l->out, "%s", catalogue_notice(l->c));
    return rc;
}

static int run(struct program *p, const struct ls_options *o)
{
    struct ls l = {.p = p, .o = o, .out = &p->output};
    const struct source_options so = {.operands = p->options.operands,
                                      .n = p->options.n_operands,
                                      .lists = &o->lists,
                                      .operand_list = true,
                                      .nul = o->common.nul,
                                      .in = STDIN_FILENO};
    struct sources sources = {0};
    const char *wrong = is_wrong(o);
    struct err e = {0};
    int status = STATUS_DONE;

    if (wrong)
        return program_usage(p, "%s", wrong);
    if (o->verify || o->archive)
        term_signals();
    l.sources = p->options.n_operands + o->lists.n > 0;
    if (sources_read(&sources, &so, &e) < 0 || open_catalogue(&l, &e) < 0)
        status = program_fail(p, &e);
    else if (o->torrent && strcmp(o->torrent, "-") == 0 && p->output.out_tty)
        status = program_usage(p, "--torrent -: standard output is a terminal; name a file");
    else if (o->torrent && sources.n != 1)
        status = program_usage(p, "--torrent: takes one SOURCE");
    else if (o->archive && !l.sources)
        status = program_usage(p, "--archive: takes a SOURCE");
    else if (l.sources)
        status = list_sources(&l, &sources);
    else
        status = list_catalogue(&l);
    if (term_stopped())
        status = 128 + term_stopped();
    catalogue_free(l.c);
    home_fini(&l.home);
    sources_fini(&sources);
    return status;
}

int main(int argc, char **argv)
{
    struct ls_options o;
    struct program p;
    int status;

    if (!program_start(&p, &suite_ls, &o, argc, argv, &status))
        return status;
    status = run(&p, &o);
    return program_end(&p, status);
}
