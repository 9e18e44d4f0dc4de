/* p2p-seed: serve what is here, some items or the whole catalogue. */
#include "net.h"
#include "serving.h"

#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/base/units.h>
#include <p2p/cli/program.h>
#include <p2p/cli/sources.h>
#include <p2p/cli/status.h>
#include <p2p/engine/engine.h>
#include <p2p/engine/scan.h>
#include <p2p/format/source.h>
#include <p2p/host/fileio.h>
#include <p2p/host/term.h>
#include <p2p/host/wall.h>

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET "seed.sock"
#define DHT_IDS "seed.ids"

struct seed {
    struct program *p;
    const struct seed_options *o;
    struct serving serving;
    struct engine *engine;
    struct sources sources;
    bool ready, named, stopping;
    int status; /* worst of the named items */
    usec started, last_upload, looked_at;
    uint64_t uploaded;
};

/* ---- --status ---- */

static double ratio_of(const struct item_status *s)
{
    return s->size ? (double)s->uploaded_ever / (double)s->size : 0;
}

static struct bytes hash_of(const struct item_view *v, bool v2)
{
    return v2 ? BYTES(v->v2, sizeof v->v2) : BYTES(v->v1, sizeof v->v1);
}

static void put_line(void *arg, const struct item_view *v)
{
    const struct item_status *s = &v->status;
    struct buf *out = arg;
    char hex[2 * SHA256_LEN + 1];

    text_hex(hex, hash_of(v, !v->has_v1));
    buf_putf(out, "%s\t", hex);
    text_plain(out, bytes_str(v->name));
    buf_putf(out, "\t%llu\t%llu\t%u\t%.3f\t%llu\t%llu\n", (unsigned long long)s->rate_up,
             (unsigned long long)s->uploaded_ever, (unsigned)s->peers, ratio_of(s),
             (unsigned long long)s->to_near, (unsigned long long)(s->uploaded - s->to_near));
}

static void put_json(void *arg, const struct item_view *v)
{
    const struct item_status *s = &v->status;
    struct buf *out = arg;
    struct json *j = json_new_object();

    if (v->has_v1)
        json_set_hex(j, "infohash_v1", hash_of(v, false));
    if (v->has_v2)
        json_set_hex(j, "infohash_v2", hash_of(v, true));
    json_set_str(j, "name", v->name);
    json_set_int(j, "rate_up", (int64_t)s->rate_up);
    json_set_int(j, "uploaded", (int64_t)s->uploaded_ever);
    json_set_int(j, "peers", (int64_t)s->peers);
    json_set_int(j, "peers_local", (int64_t)s->near);
    json_set_real(j, "ratio", ratio_of(s));
    net_set_locality(j, s);
    json_set_str(j, "path", v->path);
    char *line = json_line(j);
    buf_putf(out, "%s\n", line);
    free(line);
    json_free(j);
}

static void asked(void *arg, struct bytes request, struct buf *answer)
{
    struct seed *g = arg;
    bool as_json = bytes_is(request, "status json");

    if (bytes_is(request, NET_ASK) || bytes_is(request, NET_ASK_JSON))
        net_status(g->engine, "p2p-seed", bytes_is(request, NET_ASK_JSON), answer);
    if (as_json || bytes_is(request, "status"))
        engine_view(g->engine, as_json ? put_json : put_line, answer);
}

static int ask_status(struct seed *g)
{
    struct err e = {0};
    int rc = serving_ask(&g->serving, SOCKET, g->p->output.json ? "status json" : "status", &e);

    if (rc == ERR_NOTFOUND) {
        err_clear(&e);
        err_set(&e, rc, "--status: no p2p-seed runs for %s", g->serving.home.dir);
    }
    return rc < 0 ? program_fail(g->p, &e) : STATUS_DONE;
}

/* ---- what the engine tells ---- */

static void stop(struct seed *g, const char *why)
{
    g->stopping = true;
    output_verbose(&g->p->output, "stops: %s", why);
    engine_stop(g->engine, ENGINE_PATIENCE);
}

static void on_ready(struct seed *g, const struct engine_event *ev)
{
    struct addr at = {0};
    char where[ADDR_TEXT];

    (void)ev;
    if (g->named && engine_count(g->engine) == 0) { /* nothing of what was named can be served */
        engine_quit(g->engine);
        return;
    }
    engine_listening(g->engine, &at);
    addr_text(&at, where);
    output_str(&g->p->output, "listening");
    output_str(&g->p->output, where);
    output_fmt(&g->p->output, "%zu", engine_count(g->engine));
    output_line(&g->p->output);
    serving_ready(&g->serving);
    g->ready = true;
}

static void on_ended(struct seed *g, const struct engine_event *ev)
{
    if (ev->code != 0 && ev->code != ERR_CANCELED) {
        sources_complain(&g->p->output, item_user(ev->item), ev->text);
        if (g->named)
            g->status = status_worst(g->status, status_of(ev->code));
    }
    if (ev->code == 0 && !term_stopped())
        output_verbose(&g->p->output, "%s: shared as much as was wished", item_name(ev->item));
}

static void on_notice(struct seed *g, const struct engine_event *ev)
{
    output_verbose(&g->p->output, "%s", ev->text);
}

static void on_warning(struct seed *g, const struct engine_event *ev)
{
    output_notice(&g->p->output, "%s", ev->text);
}

static void look(struct seed *g, usec now)
{
    struct engine_totals t = engine_totals(g->engine);
    struct progress p = {.doing = "sharing",
                         .up = true,
                         .rate_up = t.rate_up,
                         .peers = (int)t.peers,
                         .done = t.uploaded,
                         .left = USEC_NEVER};

    char rate[16];

    if (t.uploaded != g->uploaded)
        g->last_upload = now;
    g->uploaded = t.uploaded;
    units_format_size(rate, t.rate_up);
    if (g->ready)
        serving_state(&g->serving, now, "%zu items, %u peers, %s/s up", engine_count(g->engine),
                      t.peers, rate);
    if (output_progress_due(&g->p->output, now))
        output_progress(&g->p->output, &p, now);
}

static usec after(usec from, usec by)
{
    return by == USEC_NEVER || from > USEC_NEVER - by ? USEC_NEVER : from + by;
}

/* What was named and never got its manifest was not served. */
static void tell_missing(struct seed *g)
{
    for (struct item *it = engine_next(g->engine, NULL); it; it = engine_next(g->engine, it))
        if (g->named && !item_manifest(it)) {
            output_error(&g->p->output, "%s: its manifest did not come in time", item_label(it));
            g->status = status_worst(g->status, STATUS_NOTFOUND);
        }
}

static void on_tick(struct seed *g, const struct engine_event *ev)
{
    usec now = engine_now(g->engine);
    bool by_ratio = g->o->until_ratio > 0;

    (void)ev;
    serving_tick(&g->serving, now, g->stopping || term_stopped());
    if (g->stopping)
        return;
    if (now >= after(g->started, g->o->run_for)) {
        tell_missing(g);
        stop(g, "ran for the time wished");
        return;
    }
    if (now - g->looked_at >= USEC_SEC) {
        g->looked_at = now;
        look(g, now);
    }
    if (now >= after(g->last_upload, g->o->until_idle))
        stop(g, "nobody wanted anything for the time wished");
    else if (g->ready && engine_count(g->engine) == 0 && (g->named || by_ratio))
        stop(g, "nothing is left to share");
}

static void on_event(void *arg, const struct engine_event *ev)
{
    static void (*const handlers[])(struct seed * g, const struct engine_event *ev) = {
        [ENGINE_ENDED] = on_ended, [ENGINE_NOTICE] = on_notice, [ENGINE_WARNING] = on_warning,
        [ENGINE_READY] = on_ready, [ENGINE_TICK] = on_tick,
    };

    if ((size_t)ev->kind < sizeof handlers / sizeof *handlers && handlers[ev->kind])
        handlers[ev->kind](arg, ev);
}

/* ---- what to serve ---- */

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), k = strlen(tail);

    return n >= k && strcmp(s + n - k, tail) == 0;
}

/* A folder, or a file that is no .torrent: content to be added. */
static bool is_content(const char *operand)
{
    struct source s;
    struct stat st;
    struct bytes raw = {0};
    bool word = source_parse(&s, operand, NULL) == 0 && s.kind == SOURCE_WORD;

    source_fini(&s);
    if (!word || stat(operand, &st) != 0 || ends_with(operand, ".torrent"))
        return false;
    if (S_ISDIR(st.st_mode))
        return true;
    if ((uint64_t)st.st_size > MANIFEST_MAX_BYTES ||
        fileio_read(operand, MANIFEST_MAX_BYTES, &raw, NULL) < 0)
        return true;
    struct manifest *m = manifest_parse(raw, NULL);
    bool content = m == NULL;
    manifest_free(m);
    bytes_free(raw);
    return content;
}

static void show_hashing(void *arg, uint64_t done, uint64_t total)
{
    struct seed *g = arg;
    struct progress p = {
        .doing = "hashing", .done = done, .total = total, .peers = -1, .left = USEC_NEVER};

    output_progress(&g->p->output, &p, (usec)wall_now() * USEC_SEC);
}

static bool want_stop(void *arg)
{
    (void)arg;
    return term_stopped() != 0;
}

static int add_content(struct seed *g, const char *path, int64_t *id, struct err *e)
{
    struct scan_options so = {.author = {.format = AUTHOR_HYBRID, .creation_date = -1},
                              .home = g->serving.home.dir,
                              .now = wall_now(),
                              .watch = {.progress = show_hashing, .stopped = want_stop, .arg = g}};
    struct scan_result r = {0};
    int rc = catalogue_open(&so.catalogue, g->serving.home.dir, e);

    if (rc == 0)
        rc = scan_add(&r, path, &so, id, e);
    for (size_t i = 0; i < r.n_notices; i++)
        output_notice(&g->p->output, "%s", r.notices[i]);
    scan_result_fini(&r);
    catalogue_free(so.catalogue);
    output_erase(&g->p->output);
    return rc;
}

/* The item's id if it is content, which is added first; 0 for what the engine finds itself; -1 for
 * what cannot be served, which is told. */
static int64_t id_of(struct seed *g, const struct source_entry *n)
{
    struct err e = {0};
    int64_t id = 0;
    int rc = 0;

    if (n->bad)
        rc = err_set(&e, ERR_INVALID, "%s", n->text);
    else if (!n->torrent && !g->o->data && is_content(n->text))
        rc = add_content(g, n->text, &id, &e);
    if (rc == 0)
        return id;
    sources_complain(&g->p->output, n, e.msg);
    g->status = status_worst(g->status, status_of(rc));
    return -1;
}

static int64_t *add_paths(struct seed *g)
{
    int64_t *ids = mem_array(g->sources.n ? g->sources.n : 1, sizeof *ids);

    for (size_t i = 0; i < g->sources.n && !term_stopped(); i++)
        ids[i] = id_of(g, &g->sources.v[i]);
    return ids;
}

static void add_items(struct seed *g, const int64_t *ids)
{
    struct engine_spec s = {.serve = true, .super_seed = g->o->super, .data = g->o->data};

    goals_init(&s.goals);
    s.goals.stay = true;
    if (g->o->until_ratio > 0)
        s.goals.seed_ratio = g->o->until_ratio;
    for (size_t i = 0; i < g->sources.n; i++) {
        struct source_entry *n = &g->sources.v[i];

        s.source = n->text;
        s.torrent = n->torrent ? buf_bytes(&g->sources.torrent) : BYTES(NULL, 0);
        s.user = n;
        s.id = ids[i];
        if (ids[i] >= 0)
            engine_add(g->engine, &s);
    }
    s.user = NULL;
    if (!g->named)
        engine_follow(g->engine, &s);
}

/* ---- the program ---- */

static int open_engine(struct seed *g, struct err *e)
{
    struct engine_options eo = {
        .home = g->o->common.home,
        .sockets = g->serving.sockets,
        .no_web_seeds = true, /* nothing is fetched */
        .port_mapping = true,
        .dht_ids = DHT_IDS,
        .stay = true,
        .patient = true,
        .event = on_event,
        .arg = g,
    };

    return net_open(&g->engine, &eo, &g->o->net, &g->o->dht, e);
}

static int serve(struct seed *g)
{
    struct err e = {0};
    int64_t *ids = add_paths(g);
    int rc = term_stopped() ? 0 : open_engine(g, &e);

    if (rc == 0 && g->engine)
        rc = serving_listen(&g->serving, engine_loop(g->engine), asked, g, &e);
    if (rc == 0 && g->engine) {
        add_items(g, ids);
        g->started = g->last_upload = engine_now(g->engine);
        engine_run(g->engine);
    }
    free(ids);
    serving_stop(&g->serving);
    engine_free(g->engine);
    if (rc < 0)
        return rc == ERR_USAGE ? program_usage(g->p, "%s", e.msg) : program_fail(g->p, &e);
    return term_stopped() ? 128 + term_stopped() : g->status;
}

static int start(struct seed *g)
{
    struct err e = {0};
    int status = 0;
    const struct source_options so = {.operands = g->p->options.operands,
                                      .n = g->p->options.n_operands,
                                      .lists = &g->o->lists,
                                      .operand_list = true,
                                      .nul = g->o->common.nul,
                                      .in = STDIN_FILENO};
    int rc = sources_read(&g->sources, &so, &e);

    if (rc == 0)
        rc = serving_begin(&g->serving, g->o->daemon, &status, &e);
    if (rc < 0)
        return rc == ERR_USAGE ? program_usage(g->p, "%s", e.msg) : program_fail(g->p, &e);
    if (rc > 0)
        return status; /* the parent */
    g->named = g->p->options.n_operands + g->o->lists.n > 0;
    return serve(g);
}

static int run(struct program *p, const struct seed_options *o)
{
    struct seed g = {
        .p = p,
        .o = o,
        .serving = {.p = p,
                    .lock_name = LOCK_SEED,
                    .socket = SOCKET,
                    .taken = "another p2p-seed serves it; --status asks it"},
    };
    struct err e = {0};
    int status;

    if (serving_find(&g.serving, o->common.home, &e) < 0)
        return program_fail(p, &e);
    if (o->data && p->options.n_operands + o->lists.n == 0)
        status = program_usage(p, "--data: of which SOURCE?");
    else
        status = o->status ? ask_status(&g) : start(&g);
    sources_fini(&g.sources);
    serving_fini(&g.serving);
    return status;
}

int main(int argc, char **argv)
{
    struct seed_options o;
    struct program p;
    int status;

    if (!program_start(&p, &suite_seed, &o, argc, argv, &status))
        return status;
    return program_end(&p, run(&p, &o));
}
