/* What a node asks of its host, and what it says that happened. */
#include "tube_int.h"

#include <stdio.h>
#include <stdlib.h>

static void op_metadata(struct host *h, const struct node_op *op)
{
    struct item_state *s = disk_item(h, op->task);
    if (!s)
        return;
    s->it.metadata = true;
    disk_init(s, h, node_manifest(h->node, op->task), NULL, NULL);
    if (!s->it.hold)
        node_begin(h->node, op->task, s->kept.n ? &s->kept : NULL, NULL, NULL, h->tube->now);
}

static void op_happened(struct host *h, const struct node_op *op)
{
    struct item *it = host_item(h, op->task);
    if (!it)
        return;
    switch (op->kind) {
    case NODE_PIECE:
        it->pieces++;
        break;
    case NODE_COMPLETE:
        it->complete = true;
        it->complete_at = h->tube->now;
        break;
    case NODE_ENDED:
        it->ended = true;
        it->code = op->code;
        break;
    case NODE_FAILED:
        it->failed = true;
        it->code = op->code;
        snprintf(it->why, sizeof it->why, "%s", op->text);
        break;
    case NODE_STOPPED:
        it->stopped = true;
        break;
    default:
        break;
    }
}

static void note_ban(struct host *h, const char *text)
{
    const char *at = strstr(text, ": banned");
    char a[ADDR_TEXT];
    struct addr banned;
    size_t n = at ? (size_t)(at - text) : 0;
    if (n == 0 || n >= sizeof a)
        return;
    memcpy(a, text, n);
    a[n] = 0;
    if (!addr_parse(&banned, a))
        return;
    h->banned = mem_grow(h->banned, h->n_banned + 1, sizeof *h->banned);
    h->banned[h->n_banned++] = banned;
}

static void op_notice(struct host *h, const struct node_op *op)
{
    note_ban(h, op->text);
    if (getenv("TUBE_VERBOSE"))
        fprintf(stderr, "%.3f host %u: %s\n", (double)h->tube->now / 1e6, (unsigned)h->index,
                op->text);
}

static void op_close(struct host *h, const struct node_op *op)
{
    stream_close_conn(h, op->conn);
}

static void op_send(struct host *h, const struct node_op *op)
{
    stream_push(h, op->conn);
}

static void op_recv(struct host *h, const struct node_op *op)
{
    if (op->job)
        origin_resume(h, op->job);
    else
        stream_read_on(h, op->conn);
}

static void op_cancel(struct host *h, const struct node_op *op)
{
    origin_cancel(h, op->job);
}

static void op_dht(struct host *h, const struct node_op *op)
{
    if (h->tube->on_dht)
        h->tube->on_dht(h, op->dht, h->tube->on_dht_arg);
}

/* A piece leaves the window of an item that is read as it comes. */
static void op_forget(struct host *h, const struct node_op *op)
{
    struct item *it = host_item(h, op->task);
    const struct manifest *m = node_manifest(h->node, op->task);
    uint64_t at = (uint64_t)op->piece * m->piece_length;
    uint64_t n = it->disk_size - at < m->piece_length ? it->disk_size - at : m->piece_length;
    node_forgotten(h->node, op->task, op->piece, BYTES(it->disk + at, n), h->tube->now);
    memset(it->disk + at, 0, n);
}

static void op_nothing(struct host *h, const struct node_op *op)
{
    (void)h;
    (void)op;
}

void op_perform(struct host *h, const struct node_op *op)
{
    static void (*const perform[])(struct host *, const struct node_op *) = {
        [NODE_NONE] = op_nothing,
        [NODE_DIAL] = stream_dial,
        [NODE_CLOSE] = op_close,
        [NODE_SEND] = op_send,
        [NODE_RECV] = op_recv,
        [NODE_STORE] = disk_store,
        [NODE_CHECK] = disk_later,
        [NODE_LEAVES] = disk_later,
        [NODE_FILE_DONE] = disk_later,
        [NODE_CHECKPOINT] = disk_later,
        [NODE_FORGET] = op_forget,
        [NODE_HTTP] = tracker_answer,
        [NODE_RESOLVE] = resolve_ask,
        [NODE_UDP] = datagram_op,
        [NODE_WEB] = origin_get,
        [NODE_MULTICAST] = multicast_send,
        [NODE_CANCEL] = op_cancel,
        [NODE_METADATA] = op_metadata,
        [NODE_PIECE] = op_happened,
        [NODE_COMPLETE] = op_happened,
        [NODE_ENDED] = op_happened,
        [NODE_FAILED] = op_happened,
        [NODE_STOPPED] = op_happened,
        [NODE_NOTICE] = op_notice,
        [NODE_DHT] = op_dht,
        [NODE_EXTERNAL] = op_nothing,
    };
    perform[op->kind](h, op);
}

static void http_event(struct tube *t, struct event *e)
{
    struct err why = {0};
    if (e->err)
        err_set(&why, ERR_NET, "cannot connect");
    node_http(e->host->node, e->job, e->err, &why, e->err ? 0 : 200, BYTES(e->data, e->n), t->now);
}

static void call_event(struct tube *t, struct event *e)
{
    e->fn(t, e->arg);
}

void event_handle(struct tube *t, struct event *e)
{
    static void (*const handler[])(struct tube *, struct event *) = {
        [EV_CONNECTED] = stream_event,  [EV_ACCEPT] = stream_event,
        [EV_UPLINK] = stream_uplink,    [EV_SEGMENT] = stream_event,
        [EV_ACK] = stream_event,        [EV_CLOSED] = stream_event,
        [EV_STORED] = disk_event,       [EV_CHECKED] = disk_event,
        [EV_LEAVES] = disk_event,       [EV_DONE] = disk_event,
        [EV_HTTP] = http_event,         [EV_RESOLVED] = resolve_event,
        [EV_WEB_HEAD] = origin_event,   [EV_WEB_DATA] = origin_event,
        [EV_DATAGRAM] = datagram_event, [EV_MULTICAST] = datagram_event,
        [EV_CALL] = call_event,
    };
    handler[e->kind](t, e);
}
