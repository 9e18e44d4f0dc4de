/* p2p-get: fetch what a link means, verify every byte, exit. */
#include "events.h"
#include "extract.h"
#include "inside.h"
#include "net.h"

#include <fcntl.h>
#include <p2p/base/mem.h>
#include <p2p/base/units.h>
#include <p2p/cli/program.h>
#include <p2p/cli/range.h>
#include <p2p/cli/sources.h>
#include <p2p/cli/status.h>
#include <p2p/engine/engine.h>
#include <p2p/host/fileio.h>
#include <p2p/host/term.h>
#include <p2p/host/unpacker.h>

#include <stdlib.h>
#include <unistd.h>

#define PROGRESS_EVENT USEC_SEC    /* how often the event `progress` comes */
#define PAUSE_FIRST (5 * USEC_SEC) /* of --wait; doubled each time */
#define PAUSE_MOST (900 * USEC_SEC)

/* A SOURCE that --wait will try again. */
struct retry {
    usec at; /* USEC_NEVER: it is at work, or is done with */
    usec pause;
};

struct wishes {
    struct sources sources;
    struct option_list files;
    struct range *ranges;
    struct engine_range *engine_ranges;
    char *output; /* with a slash behind where it must be a folder */
};

struct get {
    struct program *p;
    const struct get_options *o;
    struct engine *engine;
    struct events tell;
    int status;
    char *here;       /* results are told relative to it unless -o is absolute; NULL: not */
    usec progress_at; /* when the next event is due */
    usec started;
    struct wishes *wishes;
    struct retry *retries; /* of each source; NULL without --wait */
    size_t left;           /* sources that are not done with */
};

static void add_one(struct get *g, size_t i);

static const char *shown_path(const struct get *g, const char *path)
{
    size_t n = g->here ? strlen(g->here) : 0;

    return n > 1 && strncmp(path, g->here, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

/* ---- what the engine tells ---- */

/* Content goes to standard output, and with it nothing else. */
static bool to_stdout(const struct get_options *o)
{
    return o->output && strcmp(o->output, "-") == 0;
}

/* The content; a manifest is printed when it is whole. */
static bool streams(const struct get_options *o)
{
    return to_stdout(o) && !o->manifest_only;
}

static void print_torrent(struct get *g, const struct item *it)
{
    struct buf out = {0};

    manifest_write(item_manifest(it), &out);
    output_raw(&g->p->output, buf_bytes(&out));
    buf_fini(&out);
}

static void on_metadata(struct get *g, const struct engine_event *ev)
{
    const struct manifest *m = item_manifest(ev->item);

    if (events_wanted(&g->tell))
        event_metadata(&g->tell, ev->item);
    output_verbose(&g->p->output, "%s: %s, %llu bytes", item_label(ev->item), m->name,
                   (unsigned long long)m->size);
}

static void on_file(struct get *g, const struct engine_event *ev)
{
    const struct manifest *m = item_manifest(ev->item);

    if (events_wanted(&g->tell)) {
        struct json *j = event_new("file", ev->item);

        json_set_str(j, "file", m->files[ev->file].path);
        json_set_str(j, "path", shown_path(g, ev->path));
        json_set_int(j, "size", (int64_t)m->files[ev->file].length);
        events_emit(&g->tell, j);
    }
    output_verbose(&g->p->output, "%s: complete", shown_path(g, ev->path));
}

/* What it achieved, and what kept it from more. */
static void say_how(struct get *g, struct item *it)
{
    struct item_status s;
    char came[16], rate[16];

    item_status(it, &s);
    uint64_t bytes = s.from_peers + s.from_web;
    usec took = s.completed_at - s.started;
    if (bytes == 0 || s.completed_at == USEC_NEVER || took <= 0)
        return;
    enum waits_for most = waits_most(s.waited);
    units_format_size(came, bytes);
    units_format_size(rate, (uint64_t)((double)bytes * 1e6 / (double)took));
    output_verbose(&g->p->output, "%s: %s in %.2f s, %s/s; waited for %s %d %% of the time",
                   item_label(it), came, (double)took / 1e6, rate, waits_name(most),
                   (int)(100 * s.waited[most] / took));
}

static void on_reused(struct get *g, const struct engine_event *ev)
{
    if (events_wanted(&g->tell))
        event_reuse(&g->tell, ev->item, ev->path, ev->bytes);
    output_verbose(&g->p->output, "%s: %llu bytes taken from %s", item_label(ev->item),
                   (unsigned long long)ev->bytes, ev->path);
}

static void on_complete(struct get *g, const struct engine_event *ev)
{
    const char *path = ev->path ? shown_path(g, ev->path) : "-";

    if (events_wanted(&g->tell))
        event_done(&g->tell, ev->item, path);
    say_how(g, ev->item);
    if (g->p->output.json || streams(g->o) || g->o->members.n)
        return;
    if (to_stdout(g->o)) {
        print_torrent(g, ev->item);
        return;
    }
    output_str(&g->p->output, path);
    output_line(&g->p->output);
}

static void on_member(struct get *g, const struct engine_event *ev)
{
    inside_member(&g->tell, ev, shown_path(g, ev->path));
}

static usec gives_up_at(const struct get *g)
{
    usec d = g->o->deadline;

    return d == USEC_NEVER || d > USEC_NEVER - g->started ? USEC_NEVER : g->started + d;
}

/* True if it is worth another attempt, which is then due in a while. */
static bool tries_again(struct get *g, const struct engine_event *ev, const char *text)
{
    const struct source_entry *n = item_user(ev->item);
    struct retry *r = g->retries ? &g->retries[n - g->wishes->sources.v] : NULL;
    usec now = engine_now(g->engine);
    struct item_status s;

    if (!r || !ev->temporary || term_stopped() || now >= gives_up_at(g))
        return false;
    if (streams(g->o) && item_manifest(ev->item)) /* what was written cannot be taken back */
        return false;
    item_status(ev->item, &s);
    if (r->pause == 0 || s.from_peers + s.from_web > 0) /* there was somebody: begin anew */
        r->pause = PAUSE_FIRST;
    r->at = now + r->pause;
    if (events_wanted(&g->tell)) {
        struct json *j = event_new("retry", ev->item);

        json_set_int(j, "status", status_of(ev->code));
        json_set_str(j, "error", text);
        json_set_real(j, "pause", (double)(r->pause / USEC_SEC));
        events_emit(&g->tell, j);
    }
    output_verbose(&g->p->output, "%s; tried again in %llds", text,
                   (long long)(r->pause / USEC_SEC));
    r->pause = r->pause * 2 > PAUSE_MOST ? PAUSE_MOST : r->pause * 2;
    return true;
}

/* With --wait the session stays while there are pauses. */
static void done_with(struct get *g, int status)
{
    g->status = status_worst(g->status, status);
    if (--g->left == 0 && g->retries)
        engine_stop(g->engine, ENGINE_PATIENCE);
}

/* Two SOURCEs are one item: what becomes of it the other one tells. */
static void on_twin(struct get *g, const struct engine_event *ev)
{
    if (events_wanted(&g->tell))
        events_emit(&g->tell, event_new("same", ev->item));
    output_verbose(&g->p->output, "%s: is another SOURCE's item too", item_label(ev->item));
    done_with(g, STATUS_DONE);
}

static void on_ended(struct get *g, const struct engine_event *ev)
{
    bool reader_gone = ev->code == ERR_CANCELED && !term_stopped();
    int status = reader_gone                ? STATUS_PIPE
                 : ev->code == ERR_CANCELED ? 128 + term_stopped()
                                            : status_of(ev->code);
    const char *text = *ev->text ? ev->text : "stopped";

    if (ev->twin) {
        on_twin(g, ev);
        return;
    }
    if (ev->code != 0 && tries_again(g, ev, text))
        return;
    done_with(g, status);
    if (ev->code == 0)
        return;
    if (events_wanted(&g->tell))
        event_error(&g->tell, item_label(ev->item), item_user(ev->item), status, text);
    if (ev->code != ERR_CANCELED)
        sources_complain(&g->p->output, item_user(ev->item), text);
    else if (reader_gone)
        return; /* it has what it wanted, as with any other pipe */
    else if (streams(g->o))
        output_notice(&g->p->output, "%s: stopped", item_label(ev->item));
    else
        output_notice(&g->p->output, "%s: stopped; run it again to go on", item_label(ev->item));
}

static void on_notice(struct get *g, const struct engine_event *ev)
{
    output_verbose(&g->p->output, "%s", ev->text);
}

static void on_warning(struct get *g, const struct engine_event *ev)
{
    output_notice(&g->p->output, "%s", ev->text);
}

/* One line for all of them. */
static void draw(struct get *g)
{
    struct progress p = {.down = true, .up = true, .left = USEC_NEVER};
    struct item *it;
    bool checking = false, asking = true;

    for (it = engine_next(g->engine, NULL); it; it = engine_next(g->engine, it)) {
        struct item_status s;

        item_status(it, &s);
        p.done += s.done;
        p.total += s.wanted;
        p.rate_down += s.rate_down;
        p.rate_up += s.rate_up;
        p.peers += (int)s.peers;
        checking |= s.state == ITEM_CHECKING;
        asking &= s.state == ITEM_FETCHING_METADATA || s.state == ITEM_STARTING;
        p.name = item_name(it);
    }
    if (engine_count(g->engine) != 1)
        p.name = NULL;
    p.doing = checking ? "checking" : asking ? "metadata" : NULL;
    if (p.rate_down > 0 && p.total > p.done)
        p.left = (usec)((double)(p.total - p.done) / (double)p.rate_down * (double)USEC_SEC);
    output_progress(&g->p->output, &p, engine_now(g->engine));
}

/* What is due is tried again; when the deadline comes in a pause, there is nothing to try. */
static void wake(struct get *g, usec now)
{
    for (size_t i = 0; g->retries && i < g->wishes->sources.n; i++) {
        const struct source_entry *n = &g->wishes->sources.v[i];
        struct retry *r = &g->retries[i];

        if (r->at == USEC_NEVER || (now < r->at && now < gives_up_at(g)))
            continue;
        r->at = USEC_NEVER;
        if (now < gives_up_at(g)) {
            add_one(g, i);
            continue;
        }
        char *text = mem_fmt("%s: the deadline passed", n->text);
        if (events_wanted(&g->tell))
            event_error(&g->tell, n->text, n, STATUS_NOTFOUND, text);
        sources_complain(&g->p->output, n, text);
        free(text);
        done_with(g, STATUS_NOTFOUND);
    }
}

static void on_tick(struct get *g, const struct engine_event *ev)
{
    usec now = engine_now(g->engine);

    (void)ev;
    wake(g, now);
    if (engine_count(g->engine) > 0 && output_progress_due(&g->p->output, now))
        draw(g);
    if (!events_wanted(&g->tell) || now < g->progress_at)
        return;
    g->progress_at = now + PROGRESS_EVENT;
    for (struct item *it = engine_next(g->engine, NULL); it; it = engine_next(g->engine, it))
        event_progress(&g->tell, it);
}

static void on_event(void *arg, const struct engine_event *ev)
{
    static void (*const handlers[])(struct get * g, const struct engine_event *ev) = {
        [ENGINE_METADATA] = on_metadata, [ENGINE_FILE] = on_file,
        [ENGINE_REUSED] = on_reused,     [ENGINE_MEMBER] = on_member,
        [ENGINE_COMPLETE] = on_complete, [ENGINE_ENDED] = on_ended,
        [ENGINE_NOTICE] = on_notice,     [ENGINE_WARNING] = on_warning,
        [ENGINE_TICK] = on_tick,
    };

    if ((size_t)ev->kind < sizeof handlers / sizeof *handlers && handlers[ev->kind])
        handlers[ev->kind](arg, ev);
}

/* ---- wishes ---- */

static void wishes_fini(struct wishes *w, size_t n_ranges)
{
    sources_fini(&w->sources);
    option_list_fini(&w->files);
    for (size_t i = 0; w->ranges && i < n_ranges; i++)
        range_fini(&w->ranges[i]);
    free(w->ranges);
    free(w->engine_ranges);
    free(w->output);
}

static int read_ranges(struct wishes *w, const struct option_list *l, struct err *e)
{
    w->ranges = mem_array(l->n ? l->n : 1, sizeof *w->ranges);
    w->engine_ranges = mem_array(l->n ? l->n : 1, sizeof *w->engine_ranges);
    for (size_t i = 0; i < l->n; i++) {
        struct range *r = &w->ranges[i];
        int rc = range_parse(r, l->v[i], e);

        if (rc < 0)
            return rc;
        w->engine_ranges[i] = (struct engine_range){
            .file = r->file, .first = r->first, .last = r->last, .from_end = r->from_end};
    }
    return 0;
}

static int check_stream(const struct get *g, const struct wishes *w, struct err *e)
{
    const struct get_options *o = g->o;

    if (o->members.n && inside_check(o, e) < 0)
        return e->code;
    if (o->extract)
        return extract_check(o, e);
    if (!to_stdout(o))
        return o->window || o->format >= 0
                   ? err_set(e, ERR_USAGE,
                             "--format: is for -o - only; --window: is for -o - and -x only")
                   : 0;
    if (g->p->output.out_tty)
        return err_set(e, ERR_USAGE,
                       "-o -: standard output is a terminal; name a file with -o, or "
                       "write to another program");
    if (g->p->output.json)
        return err_set(e, ERR_USAGE,
                       "--json: standard output is the content's with -o -; there is "
                       "--events-fd");
    if (w->sources.n > 1)
        return err_set(e, ERR_USAGE, "-o -: takes one SOURCE");
    if (o->preallocate || o->reuse.n)
        return err_set(e, ERR_USAGE, "-o -: does not go with %s",
                       o->reuse.n ? "--reuse" : "--preallocate");
    if (o->seed_for != USEC_NEVER || o->seed_ratio > 0)
        return err_set(e, ERR_USAGE, "-o -: nothing is kept that could be shared afterwards");
    return 0;
}

static int read_wishes(struct get *g, struct wishes *w, struct err *e)
{
    const struct get_options *o = g->o;
    const struct source_options so = {.operands = g->p->options.operands,
                                      .n = g->p->options.n_operands,
                                      .lists = &o->lists,
                                      .names = &o->files_from,
                                      .operand_list = true,
                                      .nul = o->common.nul,
                                      .in = STDIN_FILENO};
    int rc = sources_read(&w->sources, &so, e);

    for (size_t i = 0; i < o->files_from.n && rc == 0; i++)
        rc = sources_names(&w->files, o->files_from.v[i], o->common.nul, STDIN_FILENO, e);
    if (rc == 0)
        rc = read_ranges(w, &o->ranges, e);
    if (rc == 0 && o->files_from.n && w->files.n == 0)
        rc = err_set(e, ERR_USAGE, "--files-from: names no file");
    if (rc == 0 && o->ranges.n && (o->select.n || o->exclude.n || o->files_from.n))
        rc = err_set(e, ERR_USAGE,
                     "--range: names its file itself, and goes with no other selection");
    if (rc == 0)
        rc = check_stream(g, w, e);
    if (rc < 0)
        return rc;
    bool several = w->sources.n > 1 || o->members.n > 1;
    w->output = !o->output         ? NULL
                : several ? mem_fmt("%s/", o->output)
                          : mem_str(o->output);
    return 0;
}

static struct goals goals_of(const struct get_options *o)
{
    struct goals w;

    goals_init(&w);
    w.timeout = o->timeout;
    w.metadata_timeout = o->metadata_timeout;
    w.deadline = o->deadline;
    w.seed_for = o->seed_for;
    if (o->seed_ratio > 0)
        w.seed_ratio = o->seed_ratio;
    return w;
}

/* The others go on. */
static void bad_line(struct get *g, const struct source_entry *n)
{
    if (events_wanted(&g->tell))
        event_error(&g->tell, n->list, n, STATUS_INVALID, n->text);
    sources_complain(&g->p->output, n, n->text);
    done_with(g, STATUS_INVALID);
}

/* With the word in place of a path nothing is, not even what the catalogue knows. */
static bool reuses(const struct get_options *o)
{
    for (size_t i = 0; i < o->reuse.n; i++)
        if (strcmp(o->reuse.v[i], SUITE_NONE) == 0)
            return false;
    return true;
}

static void add_one(struct get *g, size_t i)
{
    const struct get_options *o = g->o;
    struct wishes *w = g->wishes;
    struct source_entry *n = &w->sources.v[i];
    struct engine_spec s = {
        .source = n->text,
        .torrent = n->torrent ? buf_bytes(&w->sources.torrent) : BYTES(NULL, 0),
        .output = w->output,
        .manifest_only = o->manifest_only,
        .no_file = to_stdout(o),
        .sequential = o->sequential,
        .attributes = o->attributes,
        .preallocate = o->preallocate,
        .stream = streams(o) || o->extract,
        .extract = o->extract,
        .stream_fd = STDOUT_FILENO,
        .window = o->window,
        .inside = o->members.n > 0,
        .members = {o->members.v, o->members.n},
        .archive = o->format >= 0,
        .archive_format = o->format < 0 ? ARCHIVE_TAR : (enum archive_format)o->format,
        .select = {o->select.v, o->select.n},
        .exclude = {o->exclude.v, o->exclude.n},
        .files = {w->files.v, w->files.n},
        .peers = {o->peers.v, o->peers.n},
        .reuse = {o->reuse.v, reuses(o) ? o->reuse.n : 0},
        .no_reuse = !reuses(o),
        .ranges = w->engine_ranges,
        .n_ranges = o->ranges.n,
        .goals = goals_of(o),
        .user = n,
    };

    if (o->deadline != USEC_NEVER)
        s.goals.deadline -= engine_now(g->engine) - g->started;
    struct item *it = engine_add(g->engine, &s);
    if (events_wanted(&g->tell))
        events_emit(&g->tell, event_new("start", it));
}

static void add_all(struct get *g)
{
    size_t n = g->wishes->sources.n;

    g->left = n;
    g->started = engine_now(g->engine);
    if (g->o->wait)
        g->retries = mem_array(n ? n : 1, sizeof *g->retries);
    for (size_t i = 0; g->retries && i < n; i++)
        g->retries[i].at = USEC_NEVER;
    for (size_t i = 0; i < n; i++)
        if (g->wishes->sources.v[i].bad)
            bad_line(g, &g->wishes->sources.v[i]);
        else
            add_one(g, i);
}

/* ---- the program ---- */

/* Who is gone in seconds needs no way in: nobody would hear of it. */
static bool stays(const struct get_options *o)
{
    return o->net.port != 0 || o->seed_for != USEC_NEVER || o->seed_ratio > 0;
}

static int open_engine(struct get *g, struct err *e)
{
    struct engine_options eo = {
        .home = g->o->common.home,
        .dht_brief = true,
        .patient = g->o->net.port != 0,
        .stay = g->o->wait,
        .port_mapping = stays(g->o),
        .event = on_event,
        .arg = g,
    };

    return net_open(&g->engine, &eo, &g->o->net, &g->o->dht, e);
}

static int run(struct program *p, const struct get_options *o)
{
    struct wishes w = {0};
    struct get g = {.p = p, .o = o, .tell = {.out = &p->output, .fd = o->events_fd}, .wishes = &w};
    struct err e = {0};
    int rc;

    if (p->options.n_operands == 0 && o->lists.n == 0)
        return program_usage(p, "no SOURCE was given");
    if (o->events_fd >= 0 && fcntl(o->events_fd, F_GETFD) < 0)
        return program_usage(p, "--events-fd: descriptor %d is not open", o->events_fd);
    rc = read_wishes(&g, &w, &e);
    if (rc == 0) {
        term_signals();
        rc = open_engine(&g, &e);
    }
    g.tell.engine = g.engine;
    if (rc < 0) {
        wishes_fini(&w, o->ranges.n);
        return rc == ERR_USAGE ? program_usage(p, "%s", e.msg) : program_fail(p, &e);
    }
    if (!o->output || o->output[0] != '/')
        g.here = getcwd(NULL, 0);
    add_all(&g);
    if (g.left > 0 || !o->wait)
        engine_run(g.engine);
    output_erase(&p->output);
    engine_free(g.engine);
    free(g.here);
    free(g.retries);
    wishes_fini(&w, o->ranges.n);
    return term_stopped() ? 128 + term_stopped() : g.status;
}

int main(int argc, char **argv)
{
    struct get_options o;
    struct program p;
    int status;

    if (unpacker_main(argc, argv, &status))
        return status;
    if (!program_start(&p, &suite_get, &o, argc, argv, &status))
        return status;
    return program_end(&p, run(&p, &o));
}
