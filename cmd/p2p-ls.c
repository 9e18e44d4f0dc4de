/* p2p-ls: tells what is here, and what is in it. */
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/cli/describe.h>
#include <p2p/cli/program.h>
#include <p2p/cli/sources.h>
#include <p2p/cli/status.h>
#include <p2p/engine/known.h>
#include <p2p/engine/ask.h>
#include <p2p/host/fileio.h>
#include <p2p/host/home.h>
#include <p2p/host/lock.h>
#include <p2p/host/term.h>
#include <p2p/host/wall.h>

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct ls {
    struct program *p;
    const struct ls_options *o;
    struct output *out;
    struct home home;
    struct catalogue *c; /* NULL: there is none yet */
    bool sources;        /* some were named */
    const char *doing;
    usec begun;
};

/* What is known of one item, and what was found out for it. */
struct entry {
    struct known k;
    const char *source; /* as given; NULL: from the catalogue's list */
    const struct source_entry *from;
    struct scan_verdict verdict;
    bool verified;
    struct ask_answer answer;
    bool asked;
};

static void entry_fini(struct entry *n)
{
    known_fini(&n->k);
    scan_verdict_fini(&n->verdict);
}

/* ---- words and numbers ---- */

static char *name_of(const struct entry *n)
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

static char *link_of(const struct entry *n)
{
    struct buf out = {0};

    if (n->k.m)
        return describe_link_of(n->k.m, NULL, 0);
    magnet_write(&n->k.link, &out);
    return buf_take_str(&out);
}

static bool size_of(const struct entry *n, uint64_t *size)
{
    *size = n->k.m ? n->k.m->size : n->k.item.piece_size ? n->k.item.size : n->k.link.size;
    return n->k.m || *size > 0;
}

static uint64_t have_of(const struct entry *n)
{
    return n->verified ? n->verdict.have : n->k.item.have;
}

/* Rounded down: what says 100 is complete. */
static unsigned percent(const struct entry *n)
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

static char *path_of(const struct entry *n)
{
    return n->k.item.path.n ? mem_strn((const char *)n->k.item.path.p, n->k.item.path.n) : NULL;
}

static const char *label(const struct entry *n, char **owned)
{
    *owned = NULL;
    if (!n->source)
        *owned = name_of(n);
    else if (n->from->list)
        *owned = mem_fmt("%s:%zu: %s", n->from->list, n->from->line, n->source);
    return *owned ? *owned : n->source;
}

static int without_manifest(struct ls *l, const struct entry *n)
{
    char *owned;

    output_error(l->out, "%s: its manifest is not here: --fetch gets it from peers",
                 label(n, &owned));
    free(owned);
    return STATUS_NOTFOUND;
}

/* ---- results ---- */

static void print_long(struct ls *l, const struct entry *n)
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

static void print_item(struct ls *l, const struct entry *n)
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

static int print_files(struct ls *l, const struct entry *n)
{
    if (!n->k.m)
        return without_manifest(l, n);
    l->out->batch = true;
    for (uint32_t i = 0; i < n->k.m->n_files && !l->out->failed; i++)
        if (!(n->k.m->files[i].attr & FILE_PAD))
            print_file(l, &n->k.m->files[i]);
    return STATUS_DONE;
}

static const char *const fault_words[] = {
    [SCAN_DIFFERS] = "do not match", [SCAN_MISSING] = "are missing",
    [SCAN_TOO_LONG] = "are behind its end"};

static struct json *bad_json(const struct entry *n)
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

static int print_json(struct ls *l, const struct entry *n)
{
    const struct catalogue_item *it = &n->k.item;
    char *link = link_of(n), *path = path_of(n);
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

static int print_link(struct ls *l, const struct entry *n)
{
    char *link = link_of(n);

    output_str(l->out, link);
    output_line(l->out);
    free(link);
    return STATUS_DONE;
}

static int print_hash(struct ls *l, const struct entry *n)
{
    output_hex(l->out, known_hash(&n->k));
    output_line(l->out);
    return STATUS_DONE;
}

static int print_path(struct ls *l, const struct entry *n)
{
    char *path = path_of(n), *owned;

    if (!path) {
        output_error(l->out, "%s: its data is not here", label(n, &owned));
        free(owned);
        return STATUS_NOTFOUND;
    }
    output_str(l->out, path);
    output_line(l->out);
    free(path);
    return STATUS_DONE;
}

static int write_torrent(struct ls *l, const struct entry *n)
{
    struct buf out = {0};
    struct err e = {0};
    int rc = 0;

    if (!n->k.m)
        return without_manifest(l, n);
    manifest_write(n->k.m, &out);
    if (strcmp(l->o->torrent, "-") == 0)
        output_raw(l->out, buf_bytes(&out));
    else
        rc = fileio_write(l->o->torrent, buf_bytes(&out), 0666, &e);
    buf_fini(&out);
    return rc < 0 ? program_fail(l->p, &e) : STATUS_DONE;
}

static int print_entry(struct ls *l, const struct entry *n)
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

static void tell_bad(struct ls *l, const struct entry *n)
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
static void keep(struct ls *l, const struct entry *n)
{
    bool whole = bits_full(&n->verdict.good) && n->verdict.n_bad == 0;
    struct lock *held[2] = {0};
    struct buf record = {0};
    struct err e = {0};

    if (lock_item(l, &n->k, held)) {
        record_write(&n->verdict.record, &record);
        if (catalogue_record_put(l->c, n->k.item.id,
                                 whole ? CATALOGUE_COMPLETE : CATALOGUE_PARTIAL, n->verdict.have,
                                 buf_bytes(&record), wall_now(), &e) < 0)
            output_notice(l->out, "%s", e.msg);
    }
    buf_fini(&record);
    lock_free(held[0]);
    lock_free(held[1]);
}

static int verify(struct ls *l, struct entry *n)
{
    struct scan_watch w = {.progress = show, .stopped = stopped, .arg = l};
    struct known_place place;
    struct err e = {0};
    char *owned;
    int rc;

    if (!n->k.m)
        return without_manifest(l, n);
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
        output_error(l->out, "%s: %s", label(n, &owned), e.msg);
        free(owned);
        return status_of(rc);
    }
    n->verified = true;
    keep(l, n);
    if (n->verdict.n_bad == 0)
        return STATUS_DONE;
    tell_bad(l, n);
    return STATUS_INVALID;
}

/* ---- asking others ---- */

static int ask(struct ls *l, struct entry *n)
{
    char *owned, *link = link_of(n); /* what was found is not to be looked for again */
    struct ask_options a = {
        .home = l->home.dir,
        .source = link,
        .timeout = l->o->timeout,
        .no_dht = l->o->dht.no_dht || (n->k.m && n->k.m->private_flag), /* a link does not tell */
        .bootstrap = {l->o->dht.bootstrap.v, l->o->dht.bootstrap.n},
        .version = P2P_VERSION,
    };
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
    output_error(l->out, "%s: %s", label(n, &owned), e.msg);
    free(owned);
    return status_of(rc);
}

/* ---- all of it ---- */

static int do_entry(struct ls *l, struct entry *n)
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
    return status_worst(status, print_entry(l, n));
}

static int list_source(struct ls *l, const struct sources *all, const struct source_entry *from)
{
    struct entry n = {.source = from->text, .from = from};
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
    struct entry n = {0};
    struct err e = {0};
    int status;

    if (row_will_do(l->o)) {
        n.k.item = *it;
        *it = (struct catalogue_item){0};
        status = print_entry(l, &n);
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
        rc = catalogue_open(&l->c, l->home.dir, e);
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
    if (o->verify)
        term_signals();
    l.sources = p->options.n_operands + o->lists.n > 0;
    if (sources_read(&sources, &so, &e) < 0 || open_catalogue(&l, &e) < 0)
        status = program_fail(p, &e);
    else if (o->torrent && sources.n != 1)
        status = program_usage(p, "--torrent: takes one SOURCE");
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
