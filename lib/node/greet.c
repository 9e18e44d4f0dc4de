/*
 * Handshakes (BEP 3, 10, 52) and what is said first: which item, who we are, what we have.
 *
 * A hybrid lives in two swarms. We dial with the v1 hash and the v2 bit set, unless the address was
 * heard of in the v2 swarm only; who is dialled answers with the v2 hash if the dialler knows v2.
 */
#include "node/node_int.h"
#include "node/passing.h"

#include <stdlib.h>

static const struct swarm *swarm_of(const struct task *t, const uint8_t hash[20])
{
    for (uint32_t i = 0; i < t->n_swarms; i++)
        if (memcmp(t->swarm[i].hash, hash, 20) == 0)
            return &t->swarm[i];
    return NULL;
}

static const struct swarm *swarm_v2(const struct task *t)
{
    for (uint32_t i = 0; i < t->n_swarms; i++)
        if (t->swarm[i].v2)
            return &t->swarm[i];
    return NULL;
}

/* Alone, although interest said with it would have us unchoked a round trip sooner: aria2 loses
 * what comes together with a handshake. */
void greet_send(struct conn *c, usec now)
{
    (void)now;
    struct task *t = c->task;
    struct wire_handshake h = {0};
    const struct swarm *v2 = swarm_v2(t);
    const struct swarm *s = &t->swarm[t->n_swarms > 1 && t->swarm[0].v2 ? 1 : 0];
    if (v2 && (c->v2 || (!c->incoming && c->dial_v2)))
        s = v2;
    wire_reserved(h.reserved, c->node->finder != NULL && !task_is_private(t), v2 != NULL);
    memcpy(h.info_hash, s->hash, 20);
    memcpy(h.peer_id, c->node->cfg.peer_id, 20);
    wire_put_handshake(&c->out.bytes, &h);
    conn_flush(c);
}

static void send_extended(struct conn *c)
{
    struct task *t = c->task;
    struct ext_hello hello = {
        .metadata = true,
        .donthave = true,
        .pex = pex_on(t),
        .upload_only_msg = true,
        .metadata_size = t->m ? (uint32_t)t->m->info.n : 0,
        .reqq = NODE_REQQ,
        .port = self_port_for(c->node, &c->addr),
        /* libtorrent hangs up on one who only uploads and has told of no piece yet. */
        .upload_only = t->picker && task_complete(t) && !t->super_seed && !task_passes(t),
        .yourip = c->addr,
        .client = c->node->cfg.client,
    };
    struct buf body = {0};
    ext_put_handshake(&body, &hello);
    wire_put_extended(&c->out.bytes, EXT_HANDSHAKE, buf_bytes(&body));
    buf_fini(&body);
    conn_flush(c);
}

/* Pieces that are had but lie in part in files nobody wanted are not offered. */
static void put_bitfield(struct buf *out, const struct task *t)
{
    struct bits v;
    bits_init(&v, t->have.n);
    for (size_t i = bits_next(&t->have, 0, true); i < t->have.n;
         i = bits_next(&t->have, i + 1, true))
        if (!t->unstored || !t->unstored[i])
            bits_set(&v, i);
    wire_put_bitfield(out, bits_wire(&v));
    bits_fini(&v);
}

static void send_have(struct conn *c)
{
    struct task *t = c->task;
    struct buf *out = &c->out.bytes;
    bool known = t->picker != NULL && !t->super_seed && !task_passes(t);
    if (known && bits_full(&t->have) && c->fast && !t->unstored)
        wire_put_simple(out, WIRE_HAVE_ALL);
    else if (known && t->have.ones > 0)
        put_bitfield(out, t);
    else if (c->fast)
        wire_put_simple(out, WIRE_HAVE_NONE);
    conn_flush(c);
}

/*
 * Both ends have dialled each other. As in libtorrent, whoever listens on the lower port keeps the
 * connection that it has dialled; if the two ends chose differently, none would be left.
 */
static bool our_dial_wins(const struct conn *a, const struct conn *b)
{
    const struct conn *dialled = a->incoming ? b : a;
    uint16_t ours = a->node->cfg.port, theirs = dialled->addr.port;
    if (ours != theirs)
        return ours < theirs;
    return memcmp(a->node->cfg.peer_id, (a->greeted ? a : b)->peer_id, 20) > 0;
}

/* Another connection to the same peer: one of the two goes, and both ends must choose the same.
 * From another address the id may be stolen: that drives nobody out. */
static bool is_double(struct conn *c, const uint8_t peer_id[20], usec now)
{
    struct task *t = c->task;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *o = LIST_OF(l, struct conn, in_task);
        if (o == c || !o->greeted || memcmp(o->peer_id, peer_id, 20) != 0)
            continue;
        bool keep_new = o->incoming != c->incoming && addr_same_ip(&o->addr, &c->addr) &&
                        c->incoming != our_dial_wins(c, o);
        if (!keep_new)
            return true;
        conn_close(o, true, NULL, now);
        return false;
    }
    return false;
}

static bool find_task(struct conn *c, const struct wire_handshake *h)
{
    struct node *n = c->node;
    struct task *t = map_get(n->by_hash, BYTES(h->info_hash, 20));
    if (!t || t->halted || t->stopping || t->state == NODE_HALTED)
        return false;
    c->task = t;
    list_push(&t->conns, &c->in_task);
    return true;
}

static void known_to_pool(struct conn *c, usec now)
{
    struct addr a = c->addr;
    a.port = c->listen_port;
    if (a.port == 0)
        return;
    if (c->incoming)
        pool_add(c->task->pool, &a, POOL_INCOMING, false, now);
    pool_connected(c->task->pool, &a, now);
}

static void opened(struct conn *c, usec now)
{
    struct task *t = c->task;
    c->phase = CONN_OPEN;
    c->choke_since = now;
    t->n_open++;
    t->node->n_open++;
    c->sender = sender_new(t, c, NULL, &c->addr);
    bits_init(&c->has, t->m ? t->m->n_pieces : 0);
    if (t->m)
        wire_set_pieces(c->wire, t->m->n_pieces);
    known_to_pool(c, now);
    if (c->incoming)
        greet_send(c, now);
    if (c->extended)
        send_extended(c);
    send_have(c);
    if (t->super_seed)
        super_greet(c, now);
    else if (c->fast)
        serve_allow_fast(c);
    near_opened(c, now);
    finder_greet(c);
    metadata_peer(c, now);
    hashes_want_layers(c, now);
    task_wake(t, now);
}

bool greet_handshake(struct conn *c, const struct wire_handshake *h, usec now)
{
    if (c->greeted)
        return false;
    if (c->incoming && sleep_holds(c, h, now))
        return true;
    if (c->incoming && !find_task(c, h)) {
        conn_close(c, true, NULL, now);
        return true;
    }
    struct task *t = c->task;
    const struct swarm *s = swarm_of(t, h->info_hash);
    if (!s)
        return false;
    if (memcmp(h->peer_id, c->node->cfg.peer_id, 20) == 0) {
        if (!c->incoming) {
            self_met(c->node, &c->addr);
            pool_is_self(t->pool, &c->addr);
        }
        conn_close(c, true, NULL, now);
        return true;
    }
    if (pool_banned(t->pool, &c->addr, now) || is_double(c, h->peer_id, now)) {
        conn_close(c, true, NULL, now);
        return true;
    }
    c->greeted = true;
    if (c->incoming)
        c->node->n_no_handshake--;
    memcpy(c->peer_id, h->peer_id, 20);
    c->extended = WIRE_HAS_EXTENDED(h);
    c->fast = WIRE_HAS_FAST(h);
    c->dht = WIRE_HAS_DHT(h);
    c->says_v2 = s->v2 || WIRE_HAS_V2(h);
    c->v2 = swarm_v2(t) != NULL && c->says_v2;
    opened(c, now);
    return true;
}

void greet_extended(struct conn *c, struct bytes body, usec now)
{
    struct err e = {0};
    struct ext_handshake h = c->ext;
    if (ext_parse_handshake(&h, body, &e) < 0) {
        conn_close(c, true, e.msg, now);
        return;
    }
    if (c->ext.metadata_size && h.metadata_size != c->ext.metadata_size) {
        conn_close(c, true, "changes the size of its metadata", now);
        return;
    }
    c->ext = h;
    if (h.reqq)
        pipeline_set_reqq(&c->pipe, h.reqq);
    if (h.client[0])
        memcpy(c->client, h.client, sizeof c->client);
    c->upload_only = h.upload_only;
    if (h.port && c->incoming && c->listen_port == 0) {
        c->listen_port = h.port;
        known_to_pool(c, now);
    }
    near_greeted(c, now);
    if (!c->said_ext && h.yourip.family)
        self_told(c->node, &c->addr, &h.yourip, now);
    if (!c->said_ext)
        stream_greet(c);
    c->said_ext = true;
    pex_opened(c, now);
    metadata_peer(c, now);
}

static bool early_told_all(struct conn *c, usec now)
{
    if (c->early_all) {
        c->has_all = true;
        picker_peer_all(c->task->picker, 1);
        return true;
    }
    if (buf_len(&c->early_bits) == 0)
        return true;
    if (!bits_load(&c->has, buf_bytes(&c->early_bits))) {
        conn_close(c, true, "bitfield of the wrong length", now);
        return false;
    }
    picker_peer_bits(c->task->picker, &c->has, 1);
    return true;
}

void greet_pieces_known(struct conn *c, usec now)
{
    struct task *t = c->task;
    wire_set_pieces(c->wire, t->m->n_pieces);
    bits_fini(&c->has);
    bits_init(&c->has, t->m->n_pieces);
    c->v2 = swarm_v2(t) != NULL && c->says_v2;
    if (!early_told_all(c, now))
        return;
    for (uint32_t i = 0; i < c->n_early_haves && c->phase != CONN_DEAD; i++) {
        if (c->early_haves[i] >= t->m->n_pieces)
            conn_close(c, true, "has a piece that does not exist", now);
        else
            fetch_peer_has(c, c->early_haves[i], now);
    }
    if (c->phase == CONN_DEAD)
        return;
    buf_fini(&c->early_bits);
    free(c->early_haves);
    c->early_haves = NULL;
    c->n_early_haves = 0;
    for (size_t i = bits_next(&t->have, 0, true); i < t->have.n;
         i = bits_next(&t->have, i + 1, true))
        if (!t->unstored || !t->unstored[i])
            wire_put_index(&c->out.bytes, WIRE_HAVE, (uint32_t)i);
    if (c->fast)
        serve_allow_fast(c);
    hashes_want_layers(c, now);
    conn_flush(c);
    if (c->phase != CONN_DEAD)
        fetch_check_seed(c, now);
}
