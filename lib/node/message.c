/*
 * One handler a message kind, in a table. The wire has checked lengths; here it is judged whether a
 * message makes sense now. Nonsense closes the connection.
 */
#include "node/node_int.h"

typedef void handler(struct conn *c, const struct wire_msg *m, usec now);

static bool piece_exists(struct conn *c, uint32_t piece, usec now)
{
    if (piece < c->task->m->n_pieces)
        return true;
    conn_close(c, true, "names a piece that does not exist", now);
    return false;
}

static void on_choke(struct conn *c, const struct wire_msg *m, usec now)
{
    (void)m;
    c->peer_choking = true;
    fetch_choked(c, now);
}

static void on_unchoke(struct conn *c, const struct wire_msg *m, usec now)
{
    (void)m;
    (void)now;
    c->peer_choking = false; /* node_received asks for blocks when all messages are handled */
}

static void on_interested(struct conn *c, const struct wire_msg *m, usec now)
{
    serve_interest(c, m->type == WIRE_INTERESTED, now);
}

static void early_have(struct conn *c, uint32_t piece, usec now)
{
    if (piece >= MANIFEST_MAX_PIECES || c->n_early_haves >= MAX_EARLY_HAVES) {
        conn_close(c, true, "too many HAVE messages", now);
        return;
    }
    if ((c->n_early_haves & (c->n_early_haves - 1)) == 0)
        c->early_haves =
            mem_grow(c->early_haves, c->n_early_haves ? c->n_early_haves * 2 : 1, sizeof(uint32_t));
    c->early_haves[c->n_early_haves++] = piece;
    fetch_interest(c);
}

static void on_have(struct conn *c, const struct wire_msg *m, usec now)
{
    c->told_have = true; /* a bitfield that follows adds to it */
    if (!c->task->picker) {
        early_have(c, m->index, now);
        return;
    }
    if (!piece_exists(c, m->index, now))
        return;
    struct task *t = c->task;
    fetch_peer_has(c, m->index, now); /* two seeds part here */
    if (t->super_seed)
        super_peer_has(t, c, m->index, now);
}

/* aria2 sends a whole bitfield in place of many HAVEs when pieces come fast. It only ever adds. */
static void later_bitfield(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    if (!t->picker) {
        buf_clear(&c->early_bits);
        buf_put_bytes(&c->early_bits, m->body);
        fetch_interest(c);
        return;
    }
    struct bits more;
    bits_init(&more, t->m->n_pieces);
    if (!bits_load(&more, m->body))
        conn_close(c, true, "bitfield with spare bits set", now);
    for (size_t i = bits_next(&more, 0, true); i < more.n && c->phase == CONN_OPEN;
         i = bits_next(&more, i + 1, true))
        fetch_peer_has(c, (uint32_t)i, now);
    bits_fini(&more);
}

static void on_bitfield(struct conn *c, const struct wire_msg *m, usec now)
{
    struct task *t = c->task;
    if (c->told_have) {
        later_bitfield(c, m, now);
        return;
    }
    c->told_have = true;
    if (!t->picker) {
        buf_put_bytes(&c->early_bits, m->body);
        fetch_interest(c);
        return;
    }
    if (!bits_load(&c->has, m->body)) {
        conn_close(c, true, "bitfield with spare bits set", now);
        return;
    }
    picker_peer_bits(t->picker, &c->has, 1);
    fetch_check_seed(c, now);
    if (c->phase == CONN_DEAD)
        return;
    fetch_interest(c);
    super_show(c, now); /* what it was shown it may have had already */
}

static void on_have_all(struct conn *c, const struct wire_msg *m, usec now)
{
    (void)m;
    if (c->told_have || !c->fast) {
        conn_close(c, true, "HAVE ALL out of place", now);
        return;
    }
    c->told_have = true;
    if (!c->task->picker) {
        c->early_all = true;
        fetch_interest(c);
        return;
    }
    c->has_all = true;
    picker_peer_all(c->task->picker, 1);
    fetch_check_seed(c, now);
    if (c->phase != CONN_DEAD)
        fetch_interest(c);
}

static void on_have_none(struct conn *c, const struct wire_msg *m, usec now)
{
    (void)m;
    if (c->told_have || !c->fast)
        conn_close(c, true, "HAVE NONE out of place", now);
    c->told_have = true;
}

/* Before there is anything to serve it is rejected all the same: each has one answer (BEP 6). */
static void on_request(struct conn *c, const struct wire_msg *m, usec now)
{
    if (!c->task->picker)
        serve_reject(c, m->index, m->begin, m->length);
    else if (piece_exists(c, m->index, now))
        serve_request(c, m, now);
}

static void on_cancel(struct conn *c, const struct wire_msg *m, usec now)
{
    serve_cancel(c, m, now);
}

static void on_piece(struct conn *c, const struct wire_msg *m, usec now)
{
    fetch_piece(c, m, now);
}

static void on_piece_done(struct conn *c, const struct wire_msg *m, usec now)
{
    fetch_piece_done(c, m, now);
}

/* BEP 6 wants whoever speaks it without having said so cut off. */
static bool speaks_fast(struct conn *c, usec now)
{
    if (!c->fast)
        conn_close(c, true, "a message of the fast extension without it", now);
    return c->fast;
}

static void on_reject(struct conn *c, const struct wire_msg *m, usec now)
{
    if (speaks_fast(c, now))
        fetch_reject(c, m, now);
}

static void on_allowed_fast(struct conn *c, const struct wire_msg *m, usec now)
{
    const struct task *t = c->task;
    if (!speaks_fast(c, now) || !t->picker || m->index >= t->m->n_pieces)
        return;
    if (c->fast_in.n == 0)
        bits_init(&c->fast_in, t->m->n_pieces);
    if (c->fast_in.ones < NODE_MAX_FAST)
        bits_set(&c->fast_in, m->index);
}

static void on_suggest(struct conn *c, const struct wire_msg *m, usec now)
{
    if (speaks_fast(c, now) && c->task->picker && piece_exists(c, m->index, now))
        hint_suggested(c, m->index);
}

static void on_donthave(struct conn *c, struct bytes body, usec now)
{
    uint32_t piece;
    struct task *t = c->task;
    if (ext_parse_donthave(&piece, body) < 0 || !t->picker || !piece_exists(c, piece, now))
        return;
    if (c->has_all) {
        c->has_all = false;
        bits_fill(&c->has, true);
        picker_peer_all(t->picker, -1);
        picker_peer_bits(t->picker, &c->has, 1);
    }
    if (bits_unset(&c->has, piece))
        picker_peer_have(t->picker, piece, -1);
    if (!c->fast)
        fetch_not_had(c, piece, now); /* nobody will reject these (BEP 54) */
}

static void on_extended(struct conn *c, const struct wire_msg *m, usec now)
{
    if (!c->extended) {
        conn_close(c, true, "extended message without the extension", now);
        return;
    }
    switch (m->ext_id) {
    case EXT_HANDSHAKE:
        greet_extended(c, m->body, now);
        break;
    case EXT_METADATA:
        metadata_message(c, m->body, now);
        break;
    case EXT_PEX:
        pex_message(c, m->body, now);
        break;
    case EXT_DONTHAVE:
        on_donthave(c, m->body, now);
        break;
    case EXT_UPLOAD_ONLY:
        c->upload_only = c->ext.upload_only = m->body.n > 0 && m->body.p[0] != 0;
        break;
    default: /* an id that we never gave: ignored */
        break;
    }
}

static void on_port(struct conn *c, const struct wire_msg *m, usec now)
{
    finder_port(c, m->port, now);
}

static void on_hash_request(struct conn *c, const struct wire_msg *m, usec now)
{
    hashes_request(c, &m->hash, now);
}

static void on_hashes(struct conn *c, const struct wire_msg *m, usec now)
{
    hashes_got(c, &m->hash, m->body, now);
}

static void on_hash_reject(struct conn *c, const struct wire_msg *m, usec now)
{
    hashes_rejected(c, &m->hash, now);
}

static handler *const handlers[] = {
    [WIRE_CHOKE] = on_choke,
    [WIRE_UNCHOKE] = on_unchoke,
    [WIRE_INTERESTED] = on_interested,
    [WIRE_NOT_INTERESTED] = on_interested,
    [WIRE_HAVE] = on_have,
    [WIRE_BITFIELD] = on_bitfield,
    [WIRE_REQUEST] = on_request,
    [WIRE_PIECE] = on_piece,
    [WIRE_CANCEL] = on_cancel,
    [WIRE_SUGGEST] = on_suggest,
    [WIRE_HAVE_ALL] = on_have_all,
    [WIRE_HAVE_NONE] = on_have_none,
    [WIRE_REJECT] = on_reject,
    [WIRE_ALLOWED_FAST] = on_allowed_fast,
    [WIRE_PORT] = on_port,
    [WIRE_EXTENDED] = on_extended,
    [WIRE_HASH_REQUEST] = on_hash_request,
    [WIRE_HASHES] = on_hashes,
    [WIRE_HASH_REJECT] = on_hash_reject,
    [WIRE_PIECE_DONE] = on_piece_done,
};

void message_handle(struct conn *c, const struct wire_msg *m, usec now)
{
    if (m->type == WIRE_HANDSHAKE) {
        if (!greet_handshake(c, &m->handshake, now))
            conn_close(c, true, "handshake for another item", now);
        return;
    }
    if (c->phase != CONN_OPEN) {
        conn_close(c, true, "message before the handshake", now);
        return;
    }
    if ((size_t)m->type < sizeof handlers / sizeof *handlers && handlers[m->type])
        handlers[m->type](c, m, now);
}
