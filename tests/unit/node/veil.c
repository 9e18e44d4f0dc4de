/* Callers with an encrypted handshake: served, sent away, and not let work us to death. */
#include "../../sim/raw.h"
#include "../proto/mse_caller.h"

#include <p2p/base/mem.h>
#include <p2p/proto/mse.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PIECE 32768u
static const struct tube_file ONE = {NULL, 20 * PIECE + 777};

static struct rig *seeding(uint64_t seed)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_seed(g);
    return g;
}

/* What the node has to say to it, as bytes. */
static void listen(struct raw *r, struct buf *out)
{
    struct node_out v[8];
    size_t n;
    while ((n = node_send_what(r->rig->n, r->conn, v, 8, r->rig->now)) > 0)
        for (size_t i = 0; i < n; i++) {
            assert_non_null(v[i].b.p);
            buf_put_bytes(out, v[i].b);
            node_sent(r->rig->n, r->conn, v[i].b.n, r->rig->now);
        }
}

static struct raw *calls(struct rig *g, unsigned host, struct caller *c)
{
    struct raw *r = raw_new(g, host);
    struct buf b = {0};
    r->deaf = true;
    assert_true(raw_comes(r));
    caller_opens(c, &g->rng, 77, &b);
    raw_send(r, &b);
    return r;
}

static void says(struct raw *r, struct caller *c, const uint8_t *hash, uint32_t ways,
                 struct bytes first, struct buf *heard)
{
    struct buf b = {0};
    listen(r, heard);
    assert_true(buf_len(heard) >= DH_LEN);
    caller_goes_on(c, buf_bytes(heard).p, hash, ways, 9, first, &b);
    raw_send(r, &b);
}

static void put_handshake(struct buf *b, const struct rig *g, const struct raw *r)
{
    struct wire_handshake h = {0};
    wire_reserved(h.reserved, false, false);
    memcpy(h.info_hash, manifest_wire_hash(g->m, false), 20);
    memcpy(h.peer_id, r->peer_id, 20);
    wire_put_handshake(b, &h);
}

/* `inside`: the handshake of BEP 3 comes with the encrypted one, as in libtorrent, or after it, as
 * in aria2. From then on nothing is encrypted, and the peer is one like others. */
static void is_served(bool inside)
{
    struct rig *g = seeding(inside);
    struct caller c;
    struct buf heard = {0}, hand = {0};
    size_t used = 0;
    struct raw *r = calls(g, 1, &c);
    put_handshake(&hand, g, r);
    says(r, &c, manifest_wire_hash(g->m, false), 3, inside ? buf_bytes(&hand) : BYTES_LIT(""),
         &heard);
    listen(r, &heard);
    assert_int_equal(caller_hears(&c, buf_bytes(&heard), &used), 1);
    assert_true(inside ? used < buf_len(&heard) : used == buf_len(&heard));
    if (!inside)
        raw_send(r, &hand);
    listen(r, &heard);
    buf_eat(&heard, used);
    assert_memory_equal(buf_bytes(&heard).p,
                        "\x13"
                        "BitTorrent protocol",
                        20);
    r->deaf = r->veiled = false;
    wire_feed(r->wire, buf_bytes(&heard)); /* so that what follows is understood */
    struct wire_msg m;
    while (wire_next(r->wire, &m, NULL) > 0)
        ;
    raw_simple(r, WIRE_INTERESTED);
    rig_run(g, 11 * USEC_SEC);
    assert_int_equal(r->got[WIRE_UNCHOKE], 1);
    raw_block(r, WIRE_REQUEST, 3, 16384, 16384);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[RAW_PIECE_WHOLE], 1);
    buf_fini(&heard);
    buf_fini(&hand);
    rig_free(g);
}

static void served(void **state)
{
    (void)state;
    is_served(true);
    is_served(false);
}

static void sent_away(void **state)
{
    (void)state;
    struct rig *g = seeding(3);
    struct caller c;
    struct buf heard = {0};
    uint8_t other[20] = {1};
    struct raw *r = calls(g, 1, &c);
    says(r, &c, other, 3, BYTES_LIT(""), &heard);
    assert_true(r->closed);
    buf_clear(&heard);
    r = calls(g, 2, &c);
    says(r, &c, manifest_wire_hash(g->m, false), 2, BYTES_LIT(""), &heard);
    assert_true(r->closed);
    r = raw_new(g, 3);
    raw_comes(r);
    raw_bytes(r, "GET /announce?info_hash=short HTTP/1.0\r\n\r\n", 42);
    assert_true(r->closed);
    raw_comes(r);
    uint8_t noise[4096];
    rng_fill(&g->rng, noise, sizeof noise);
    noise[0] = 'G';
    raw_bytes(r, noise, sizeof noise);
    assert_true(r->closed);
    buf_fini(&heard);
    rig_free(g);
}

static void no_more_time(void **state)
{
    (void)state;
    struct rig *g = seeding(4);
    struct caller c;
    struct raw *r = calls(g, 1, &c);
    rig_run(g, 9 * USEC_SEC);
    assert_false(r->closed);
    rig_run(g, 2 * USEC_SEC);
    assert_true(r->closed);
    rig_free(g);
}

/* By address: who has had his share is sent away unanswered, others are not. */
static void so_many_and_no_more(void **state)
{
    (void)state;
    struct rig *g = seeding(5);
    struct caller c;
    unsigned answered = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct raw *r = calls(g, 7, &c);
        answered += !r->closed;
        raw_leaves(r);
    }
    assert_in_range(answered, 500, 600); /* HASH_BURST of 16384, at 32 each */
    assert_false(calls(g, 8, &c)->closed);
    rig_run(g, USEC_SEC);
    assert_false(calls(g, 7, &c)->closed);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(served),
        cmocka_unit_test(sent_away),
        cmocka_unit_test(no_more_time),
        cmocka_unit_test(so_many_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
