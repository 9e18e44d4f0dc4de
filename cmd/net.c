/* From network options to a session; and how its DHT is, in words. */
#include "net.h"

#include <stdlib.h>

#define PREFER_LOCAL 50u

int net_open(struct engine **out, struct engine_options *eo, const struct net_options *n,
             const struct dht_options *d, struct err *e)
{
    struct addr bind;

    if (n->bind && !addr_parse_ip(&bind, n->bind, 0))
        return err_set(e, ERR_USAGE, "--bind: '%s' is no address", n->bind);
    if (n->bind)
        eo->bind = &bind;
    eo->port = n->port;
    eo->limit_down = n->limit_down;
    eo->limit_up = n->limit_up;
    eo->no_trackers |= n->no_trackers;
    eo->no_web_seeds |= n->no_web_seeds;
    eo->no_pex = n->no_pex;
    eo->no_lsd = n->no_lsd;
    eo->port_mapping &= !n->no_port_mapping;
    eo->prefer_local = n->prefer_local < 0 ? PREFER_LOCAL : (unsigned)n->prefer_local;
    eo->no_dht = d->no_dht;
    eo->bootstrap = (struct engine_words){d->bootstrap.v, d->bootstrap.n};
    eo->version = P2P_VERSION;
    *out = engine_new(eo, e);
    eo->bind = NULL;
    return *out ? 0 : e->code;
}

void net_set_locality(struct json *j, const struct item_status *s)
{
    json_set_int(j, "from_local", (int64_t)s->from_near);
    json_set_int(j, "from_far", (int64_t)(s->from_peers - s->from_near));
    json_set_int(j, "to_local", (int64_t)s->to_near);
    json_set_int(j, "to_far", (int64_t)(s->uploaded - s->to_near));
}

/* ---- how the DHT is ---- */

static void external_text(const struct dht_family_status *f, char out[ADDR_TEXT])
{
    out[0] = 0;
    if (f->external.family)
        addr_ip_text(&f->external, out);
}

static void put_family(struct buf *out, const char *program, const char *family,
                       const struct dht_family_status *f, const struct dht_status *s)
{
    char external[ADDR_TEXT];

    if (!f->on)
        return;
    external_text(f, external);
    buf_putf(out, "%s\t%s\t%s\t%u\t%u\t%zu\t%zu\t%zu\t%s\n", program, family,
             f->joined ? "joined" : "alone", f->good, f->questionable, s->torrents, s->peers,
             s->items, external);
}

static struct json *family_json(const struct dht_family_status *f)
{
    struct json *j = json_new_object();
    char external[ADDR_TEXT];

    external_text(f, external);
    json_set_bool(j, "joined", f->joined);
    json_set_hex(j, "id", BYTES(f->id, DHT_ID));
    json_set_int(j, "good", f->good);
    json_set_int(j, "questionable", f->questionable);
    json_set_int(j, "bad", f->bad);
    if (external[0])
        json_set_str(j, "external", external);
    return j;
}

static void put_json(struct buf *out, struct engine *g, const char *program,
                     const struct dht_status *s)
{
    struct json *j = json_new_object();
    struct addr at;
    char where[ADDR_TEXT];

    json_set_str(j, "program", program);
    if (engine_listening(g, &at)) {
        addr_text(&at, where);
        json_set_str(j, "listening", where);
    }
    json_set_bool(j, "read_only", s->read_only);
    if (s->v4.on)
        json_set(j, "ipv4", family_json(&s->v4));
    if (s->v6.on)
        json_set(j, "ipv6", family_json(&s->v6));
    json_set_int(j, "torrents", (int64_t)s->torrents);
    json_set_int(j, "peers", (int64_t)s->peers);
    json_set_int(j, "items", (int64_t)s->items);
    json_set_int(j, "bytes_in", (int64_t)s->bytes_in);
    json_set_int(j, "bytes_out", (int64_t)s->bytes_out);
    json_set_int(j, "queries", (int64_t)s->queries);
    json_set_int(j, "refused", (int64_t)s->refused);
    char *line = json_line(j);
    buf_putf(out, "%s\n", line);
    free(line);
    json_free(j);
}

void net_status(struct engine *g, const char *program, bool as_json, struct buf *out)
{
    struct dht_status s;

    if (!engine_dht_status(g, &s))
        return;
    if (as_json) {
        put_json(out, g, program, &s);
        return;
    }
    put_family(out, program, "ipv4", &s.v4, &s);
    put_family(out, program, "ipv6", &s.v6, &s);
}
