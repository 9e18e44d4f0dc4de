/* What happens, told to programs. */
#include "events.h"

#include "net.h"

#include <p2p/base/mem.h>
#include <p2p/cli/output.h>
#include <p2p/host/fileio.h>

#include <stdlib.h>

#define EVENTS_VERSION 1 /* p2p-events(5): when it rises */

void events_emit(struct events *v, struct json *j)
{
    if (v->fd >= 0) {
        char *line = json_line(j), *whole = mem_fmt("%s\n", line);
        struct err e = {0};

        if (fileio_write_all(v->fd, "events", bytes_str(whole), &e) < 0) {
            output_error(v->out, "--events-fd: %s", e.msg);
            v->fd = -1;
        }
        free(whole);
        free(line);
    }
    if (v->out->json)
        output_json(v->out, j);
    else
        json_free(j);
}

bool events_wanted(const struct events *v)
{
    return v->out->json || v->fd >= 0;
}

static struct json *event_about(const char *what, const char *source, const struct source_entry *n)
{
    struct json *j = json_new_object();

    json_set_int(j, "v", EVENTS_VERSION);
    json_set_str(j, "event", what);
    json_set_str(j, "source", source);
    if (n->list) {
        json_set_str(j, "list", n->list);
        json_set_int(j, "line", (int64_t)n->line);
    }
    return j;
}

struct json *event_new(const char *what, const struct item *it)
{
    return event_about(what, item_label(it), item_user(it));
}

static void set_hashes(struct json *j, const struct item *it)
{
    struct bytes h;

    if (item_hash(it, false, &h))
        json_set_hex(j, "infohash_v1", h);
    if (item_hash(it, true, &h))
        json_set_hex(j, "infohash_v2", h);
}

static double seconds(usec t)
{
    return (double)(t / 1000) / 1000.0;
}

void event_metadata(struct events *v, struct item *it)
{
    const struct manifest *m = item_manifest(it);
    struct json *j = event_new("metadata", it);

    json_set_str(j, "name", m->name);
    set_hashes(j, it);
    json_set_int(j, "size", (int64_t)m->size);
    json_set_int(j, "files", (int64_t)m->n_files);
    json_set_int(j, "pieces", (int64_t)m->n_pieces);
    json_set_int(j, "piece_size", (int64_t)m->piece_length);
    events_emit(v, j);
}

void event_progress(struct events *v, struct item *it)
{
    static const char *const states[] = {
        [ITEM_STARTING] = "starting", [ITEM_FETCHING_METADATA] = "metadata",
        [ITEM_CHECKING] = "checking", [ITEM_DOWNLOADING] = "downloading",
        [ITEM_SEEDING] = "seeding",   [ITEM_ENDING] = "ending",
    };
    struct item_status s;
    struct json *j = event_new("progress", it);

    item_status(it, &s);
    json_set_str(j, "state", states[s.state]);
    json_set_int(j, "done", (int64_t)s.done);
    json_set_int(j, "wanted", (int64_t)s.wanted);
    json_set_int(j, "rate_down", (int64_t)s.rate_down);
    json_set_int(j, "rate_up", (int64_t)s.rate_up);
    json_set_int(j, "uploaded", (int64_t)s.uploaded);
    json_set_int(j, "peers", (int64_t)s.peers);
    json_set_int(j, "seeds", (int64_t)s.seeds);
    events_emit(v, j);
}

static void set_waited(struct json *j, const usec waited[WAITS])
{
    struct json *w = json_new_object();

    json_set_str(j, "bound_by", waits_name(waits_most(waited)));
    for (enum waits_for i = 0; i < WAITS; i++)
        json_set_real(w, waits_name(i), seconds(waited[i]));
    json_set(j, "waited", w);
}

void event_reuse(struct events *v, const struct item *it, const char *path, uint64_t bytes)
{
    struct json *j = event_new("reuse", it);

    json_set_str(j, "path", path);
    json_set_int(j, "bytes", (int64_t)bytes);
    events_emit(v, j);
}

void event_done(struct events *v, struct item *it, const char *path)
{
    struct json *j = event_new("done", it);
    struct item_status s;
    usec now = engine_now(v->engine);

    item_status(it, &s);
    usec took = (s.completed_at != USEC_NEVER ? s.completed_at : now) - s.started;
    uint64_t came = s.from_peers + s.from_web;
    set_hashes(j, it);
    json_set_str(j, "name", item_name(it));
    json_set_str(j, "path", path);
    json_set_int(j, "size", (int64_t)s.wanted);
    json_set_int(j, "from_peers", (int64_t)s.from_peers);
    json_set_int(j, "from_web_seeds", (int64_t)s.from_web);
    json_set_int(j, "reused", (int64_t)s.reused);
    json_set_int(j, "wasted", (int64_t)s.wasted);
    json_set_int(j, "uploaded", (int64_t)s.uploaded);
    net_set_locality(j, &s);
    json_set_real(j, "seconds", seconds(took));
    if (s.first_byte != USEC_NEVER)
        json_set_real(j, "seconds_to_first_byte", seconds(s.first_byte - s.started));
    if (took > 0)
        json_set_int(j, "mean_rate", (int64_t)((double)came / seconds(took + 999)));
    if (came > 0)
        set_waited(j, s.waited);
    events_emit(v, j);
}

void event_error(struct events *v, const char *source, const struct source_entry *n, int status,
                 const char *text)
{
    struct json *j = event_about("error", source, n);

    json_set_int(j, "status", status);
    json_set_str(j, "error", text);
    events_emit(v, j);
}
