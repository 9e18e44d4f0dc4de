/* What a node asks of its host, done in memory and answered a moment later. */
#include "tube_int.h"

#include <p2p/format/merkle.h>
#include <stdio.h>
#include <stdlib.h>

#define DISK_TIME (2 * USEC_MS)

static struct event *answer_later(struct host *h, const struct node_op *op, enum event_kind kind)
{
    struct event *e = tube_event(h->tube, h->tube->now + DISK_TIME, kind);
    e->host = h;
    e->job = op->job;
    e->task = op->task;
    e->piece = op->piece;
    e->v1 = op->v1;
    e->v2 = op->v2;
    e->leaf = op->leaf;
    return e;
}

static void op_store(struct host *h, const struct node_op *op)
{
    struct item *it = host_item(h, op->task);
    struct event *e = answer_later(h, op, EV_STORED);
    h->written += op->data.n;
    if (h->cfg.disk_full_at && h->written > h->cfg.disk_full_at) {
        e->err = ERR_IO;
        return;
    }
    memcpy(it->disk + op->offset, op->data.p, op->data.n);
    e->data = mem_dup(op->data.p, op->data.n);
    e->n = op->data.n;
}

static void op_later(struct host *h, const struct node_op *op)
{
    static const enum event_kind kind[] = {[NODE_CHECK] = EV_CHECKED,
                                           [NODE_LEAVES] = EV_LEAVES,
                                           [NODE_FILE_DONE] = EV_DONE,
                                           [NODE_CHECKPOINT] = EV_DONE};
    struct item *it = host_item(h, op->task);
    it->files_done += op->kind == NODE_FILE_DONE;
    it->checkpoints += op->kind == NODE_CHECKPOINT;
    answer_later(h, op, kind[op->kind]);
}

static void op_metadata(struct host *h, const struct node_op *op)
{
    struct item *it = host_item(h, op->task);
    const struct manifest *m = node_manifest(h->node, op->task);
    it->metadata = true;
    it->disk_size = m->space;
    it->disk = mem_zero(it->disk_size + 1);
    if (!it->hold)
        node_begin(h->node, op->task, NULL, NULL, NULL, h->tube->now);
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

static void op_nothing(struct host *h, const struct node_op *op)
{
    (void)h;
    (void)op;
}

void op_perform(struct host *h, const struct node_op *op)
{
    static void (*const perform[])(struct host *, const struct node_op *) = {
        [NODE_NONE] = op_nothing,      [NODE_DIAL] = stream_dial,    [NODE_CLOSE] = op_close,
        [NODE_SEND] = op_send,         [NODE_RECV] = op_recv,        [NODE_STORE] = op_store,
        [NODE_CHECK] = op_later,       [NODE_LEAVES] = op_later,     [NODE_FILE_DONE] = op_later,
        [NODE_CHECKPOINT] = op_later,  [NODE_HTTP] = tracker_answer, [NODE_RESOLVE] = resolve_ask,
        [NODE_UDP] = datagram_send,      [NODE_WEB] = origin_get,      [NODE_CANCEL] = op_cancel,
        [NODE_METADATA] = op_metadata, [NODE_PIECE] = op_happened,   [NODE_COMPLETE] = op_happened,
        [NODE_ENDED] = op_happened,    [NODE_FAILED] = op_happened,  [NODE_STOPPED] = op_happened,
        [NODE_NOTICE] = op_notice,     [NODE_MULTICAST] = multicast_send, [NODE_DHT] = op_nothing,
        [NODE_EXTERNAL] = op_nothing,
    };
    perform[op->kind](h, op);
}

static void stored(struct tube *t, struct event *e)
{
    uint8_t leaf[SHA256_LEN];
    struct err why = {0};
    if (e->err)
        err_set(&why, ERR_IO, "no space left on the simulated disk");
    else if (e->leaf)
        digest_sha256(leaf, BYTES(e->data, e->n));
    node_stored(e->host->node, e->job, e->err, &why, e->leaf && !e->err ? leaf : NULL, t->now);
}

static void checked(struct tube *t, struct event *e)
{
    struct host *h = e->host;
    struct item *it = host_item(h, e->task);
    const struct manifest *m = node_manifest(h->node, e->task);
    if (!it || !m)
        return;
    struct piecehash_result r;
    uint64_t at = (uint64_t)e->piece * m->piece_length;
    piecehash_begin(h->hasher, m, e->piece);
    piecehash_more(h->hasher, BYTES(it->disk + at, layout_piece_len(m, e->piece)));
    piecehash_end(h->hasher, &r);
    node_checked(h->node, e->job, 0, NULL, &r, t->now);
}

static void leaves(struct tube *t, struct event *e)
{
    struct host *h = e->host;
    struct item *it = host_item(h, e->task);
    const struct manifest *m = node_manifest(h->node, e->task);
    if (!it || !m)
        return;
    uint32_t n = layout_blocks(m, e->piece);
    uint8_t *v = mem_zero((size_t)n * SHA256_LEN + 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = layout_block_len(m, e->piece, i);
        uint64_t at = (uint64_t)e->piece * m->piece_length + (uint64_t)i * LAYOUT_BLOCK;
        if (len)
            digest_sha256(v + (size_t)i * SHA256_LEN, BYTES(it->disk + at, len));
    }
    node_leaves(h->node, e->job, 0, v, n, t->now);
    free(v);
}

void event_handle(struct tube *t, struct event *e)
{
    struct node *n = e->host->node;
    switch (e->kind) {
    case EV_STORED:
        stored(t, e);
        break;
    case EV_CHECKED:
        checked(t, e);
        break;
    case EV_LEAVES:
        leaves(t, e);
        break;
    case EV_DONE:
        node_done(n, e->job, 0, NULL, t->now);
        break;
    case EV_HTTP: {
        struct err why = {0};
        if (e->err)
            err_set(&why, ERR_NET, "cannot connect");
        node_http(n, e->job, e->err, &why, e->err ? 0 : 200, BYTES(e->data, e->n), t->now);
        break;
    }
    case EV_RESOLVED:
        resolve_event(t, e);
        break;
    case EV_WEB:
        origin_event(t, e);
        break;
    case EV_DATAGRAM:
    case EV_MULTICAST:
        datagram_event(t, e);
        break;
    default:
        stream_event(t, e);
        break;
    }
}
