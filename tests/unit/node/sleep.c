/* Items that sleep: found and announced all the same, and awake for whoever asks. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE 32768u
static const struct tube_file ONE = {NULL, 4 * PIECE + 100};

static struct rig *seed(int format)
{
    struct rig *g = rig_new(7, NULL);
    rig_content(g, &ONE, 1, format, PIECE);
    rig_seed(g);
    rig_run(g, USEC_SEC);
    return g;
}

static struct rig *sleeper(int format)
{
    struct rig *g = seed(format);
    assert_true(node_sleep(g->n, g->task, g->now));
    rig_pump(g);
    return g;
}

static void wake_with(struct rig *g, bool all)
{
    struct bits have;
    bits_init(&have, g->m->n_pieces);
    bits_fill(&have, true);
    if (!all)
        bits_unset(&have, 1);
    assert_true(node_wake(g->n, g->task, tube_copy(g->m), &have, NULL, NULL, g->now));
    bits_fini(&have);
    rig_pump(g);
}

static struct node_status status(struct rig *g)
{
    struct node_status s;
    assert_true(node_status(g->n, g->task, &s, g->now));
    return s;
}

/* All that a peer says first, in one go. */
static struct raw *calls(struct rig *g, unsigned host)
{
    struct raw *r = raw_new(g, host);
    struct wire_handshake h = {0};
    struct ext_hello hello = {.metadata = true};
    struct buf b = {0}, body = {0};
    wire_reserved(h.reserved, false, g->m->has_v2);
    memcpy(h.info_hash, manifest_wire_hash(g->m, !g->m->has_v1), 20);
    memcpy(h.peer_id, r->peer_id, 20);
    wire_put_handshake(&b, &h);
    ext_put_handshake(&body, &hello);
    wire_put_extended(&b, EXT_HANDSHAKE, buf_bytes(&body));
    wire_put_simple(&b, WIRE_HAVE_NONE);
    wire_put_simple(&b, WIRE_INTERESTED);
    buf_fini(&body);
    assert_true(raw_comes(r));
    raw_send(r, &b);
    return r;
}

static void expect_served(struct rig *g, struct raw *r)
{
    rig_run(g, USEC_SEC);
    assert_false(r->closed);
    assert_int_equal(r->got[RAW_HELLO], 1);
    assert_int_equal(r->got[WIRE_HAVE_ALL], 1);
    assert_int_equal(r->got[WIRE_UNCHOKE], 1);
    unsigned before = r->got[RAW_PIECE_WHOLE];
    raw_block(r, WIRE_REQUEST, 4, 0, 100);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->got[RAW_PIECE_WHOLE], before + 1);
}

static void who_calls_is_served(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct rig *g = sleeper(format);
        unsigned told = g->ops[NODE_COMPLETE];
        assert_null(node_manifest(g->n, g->task));
        struct raw *a = calls(g, 1), *b = calls(g, 2);
        rig_run(g, USEC_SEC);
        assert_int_equal(a->bytes_in, 0);
        assert_int_equal(g->ops[NODE_WANTED], 1); /* once, whoever asks */
        wake_with(g, true);
        expect_served(g, a);
        expect_served(g, b);
        assert_int_equal(g->ops[NODE_COMPLETE], told);
        assert_false(node_sleep(g->n, g->task, g->now)); /* they are there */
        raw_leaves(a);
        raw_leaves(b);
        rig_run(g, USEC_SEC);
        assert_true(node_sleep(g->n, g->task, g->now));
        assert_false(node_sleep(g->n, g->task, g->now));
        assert_int_equal(status(g).uploaded, 200);
        a = calls(g, 3);
        assert_int_equal(g->ops[NODE_WANTED], 2);
        wake_with(g, true);
        expect_served(g, a);
        assert_int_equal(status(g).uploaded, 300);
        rig_free(g);
    }
}

static void its_figures_stay(void **state)
{
    (void)state;
    struct rig *g = seed(3);
    struct node_status was = status(g);
    assert_int_equal(was.state, NODE_SEEDING);
    assert_true(node_sleep(g->n, g->task, g->now));
    for (int i = 0; i < 2; i++) {
        struct node_status s = status(g);
        assert_int_equal(s.state, NODE_SEEDING);
        assert_int_equal(s.size, was.size);
        assert_int_equal(s.pieces, 5);
        assert_int_equal(s.pieces_have, 5);
        assert_int_equal(s.done, was.done);
        assert_int_equal(s.completed_at, was.completed_at);
        if (i == 0)
            wake_with(g, true);
        rig_run(g, USEC_MIN);
    }
    assert_true(bits_full(node_have(g->n, g->task)));
    rig_free(g);
}

static void who_waits_does_not_wait_for_ever(void **state)
{
    (void)state;
    struct rig *g = sleeper(1);
    struct raw *v[NODE_MAX_NO_HANDSHAKE];
    for (unsigned i = 0; i < NODE_MAX_NO_HANDSHAKE; i++)
        v[i] = calls(g, i + 1);
    struct raw *more = raw_new(g, 100);
    assert_false(raw_comes(more));
    rig_run(g, NODE_HANDSHAKE_TIME - USEC_SEC);
    assert_false(v[0]->closed);
    rig_run(g, 3 * USEC_SEC);
    for (unsigned i = 0; i < NODE_MAX_NO_HANDSHAKE; i++)
        assert_true(v[i]->closed);
    assert_int_equal(g->ops[NODE_WANTED], 1);
    wake_with(g, true);
    expect_served(g, calls(g, 101));
    rig_free(g);
}

static void what_a_caller_says_meanwhile_is_not_read(void **state)
{
    (void)state;
    struct rig *g = sleeper(1);
    struct raw *r = calls(g, 1);
    struct span v[NODE_RECV_SPANS];
    assert_int_equal(node_recv_where(g->n, r->conn, v, g->now), 0);
    unsigned asked = g->ops[NODE_RECV];
    wake_with(g, true);
    assert_int_equal(g->ops[NODE_RECV], asked + 1);
    assert_true(node_recv_where(g->n, r->conn, v, g->now) > 0);
    rig_free(g);
}

static void who_waits_for_what_goes_is_sent_away(void **state)
{
    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        struct rig *g = sleeper(1);
        struct raw *r = calls(g, 1);
        if (stops)
            node_stop(g->n, g->task, USEC_SEC, g->now);
        else
            rig_forget(g);
        rig_pump(g);
        assert_true(r->closed);
        rig_free(g);
    }
}

static void who_is_heard_of_is_dialled(void **state)
{
    (void)state;
    struct rig *g = sleeper(1);
    struct raw *r = raw_new(g, 1);
    raw_waits(r);
    rig_run(g, USEC_SEC);
    assert_int_equal(g->ops[NODE_WANTED], 1);
    assert_int_equal(r->dials, 0);
    uint64_t ticks = g->ticks;
    rig_run(g, USEC_MIN); /* it was said; now it is for the caller to answer */
    assert_true(g->ticks - ticks < 10);
    wake_with(g, true);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->dials, 1);
    rig_free(g);
}

/* Trackers name us to each of our items: one of them dials there, and then none. */
static void who_is_ourselves_is_not_dialled_again(void **state)
{
    (void)state;
    struct rig *g = seed(1);
    struct raw *r = raw_new(g, 1);
    struct rng same;
    rng_seed(&same, 7);
    rng_fill(&same, r->peer_id, sizeof r->peer_id); /* as the rig made the node's */
    raw_waits(r);
    rig_run(g, USEC_SEC);
    assert_int_equal(r->dials, 1);
    raw_handshake(r, true, true, false);
    assert_true(r->closed);
    rig_run(g, USEC_SEC);
    assert_true(node_sleep(g->n, g->task, g->now));
    raw_waits(r);
    rig_run(g, USEC_MIN);
    assert_int_equal(g->ops[NODE_WANTED], 0);
    rig_free(g);
}

static void another_manifest_wakes_nothing(void **state)
{
    (void)state;
    struct rig *g = sleeper(1);
    uint8_t *content;
    struct manifest *m = tube_manifest(&g->rng, "another", &ONE, 1, 1, PIECE, &content);
    assert_false(node_wake(g->n, g->task, m, NULL, NULL, NULL, g->now));
    assert_null(node_manifest(g->n, g->task));
    wake_with(g, true);
    assert_false(node_wake(g->n, g->task, tube_copy(g->m), NULL, NULL, NULL, g->now));
    free(content);
    rig_free(g);
}

static void what_was_lost_meanwhile_is_fetched(void **state)
{
    (void)state;
    struct rig *g = sleeper(1);
    wake_with(g, false);
    assert_int_equal(status(g).state, NODE_DOWNLOADING);
    assert_int_equal(status(g).completed_at, USEC_NEVER);
    assert_false(node_sleep(g->n, g->task, g->now));
    raw_acting(g, 1, raw_serves);
    rig_run(g, 5 * USEC_SEC);
    assert_int_equal(status(g).state, NODE_SEEDING);
    rig_free(g);
}

/* ---- announcing ---- */

#define MANY 300u
#define VERY_MANY 15000u /* more than there is room for in a round at ten a second */
#define TRACKER "http://tracker.test/announce"

struct many {
    struct node *n;
    struct rng r;
    usec now;
    node_id task[VERY_MANY];
    unsigned announces, wanted;
    char url[1000]; /* of the last */
};

static void pump(struct many *w)
{
    static const char body[] = "d8:intervali1800e5:peers0:e";
    struct node_op op;
    while (node_next(w->n, &op)) {
        w->wanted += op.kind == NODE_WANTED;
        if (op.kind != NODE_HTTP)
            continue;
        w->announces++;
        snprintf(w->url, sizeof w->url, "%s", op.text);
        node_http(w->n, op.job, 0, NULL, 200, BYTES_LIT(body), w->now);
    }
}

static void pass(struct many *w, usec time)
{
    usec until = w->now + time;
    pump(w);
    while (node_deadline(w->n) <= until) {
        usec at = node_deadline(w->n);
        w->now = at > w->now ? at : w->now;
        node_tick(w->n, w->now);
        pump(w);
    }
    w->now = until;
}

static const struct tube_file TINY = {NULL, 100};

static void begin_many(struct many *w, unsigned count, bool is_private)
{
    struct node_config c = {.client = "test", .port = 6881, .no_lsd = true, .no_dht = true};
    *w = (struct many){.now = USEC_SEC};
    rng_seed(&w->r, 3);
    w->n = node_new(&c, 5, w->now);
    for (unsigned i = 0; i < count; i++) {
        uint8_t *content;
        struct bits all;
        struct manifest *m =
            tube_manifest(&w->r, "thing", count > MANY ? &TINY : &ONE, 1, 1, PIECE, &content);
        struct node_task_config tc = {.manifest = is_private ? tube_private(m) : m, .have = &all};
        if (is_private)
            manifest_free(m);
        bits_init(&all, tc.manifest->n_pieces);
        bits_fill(&all, true);
        manifest_add_tracker(tc.manifest, 0, TRACKER);
        goals_init(&tc.goals);
        tc.goals.stay = true;
        w->task[i] = node_add(w->n, &tc, w->now, NULL);
        assert_int_not_equal(w->task[i], 0);
        if (count > MANY && i % 500 == 499)
            pass(w, USEC_MS);
        bits_fini(&all);
        free(content);
    }
}

static void it_is_announced(void **state)
{
    (void)state;
    for (int private = 0; private < 2; private ++) {
        struct many w;
        begin_many(&w, 1, private);
        pass(&w, USEC_SEC);
        assert_int_equal(w.announces, 1);
        assert_true(node_sleep(w.n, w.task[0], w.now));
        pass(&w, 31 * USEC_MIN);
        assert_int_equal(w.announces, 2);
        assert_non_null(strstr(w.url, "left=0&"));
        assert_int_equal(w.wanted, 0);
        node_stop(w.n, w.task[0], USEC_MIN, w.now);
        pass(&w, USEC_SEC);
        assert_int_equal(w.announces, 3);
        assert_non_null(strstr(w.url, "event=stopped"));
        node_free(w.n);
    }
}

/* Neither all at once now, nor half an hour later. */
static void many_take_turns(void **state)
{
    (void)state;
    struct many w;
    begin_many(&w, MANY, false);
    pass(&w, 100 * USEC_MS);
    assert_in_range(w.announces, 90, 110);
    pass(&w, 2 * USEC_SEC);
    assert_in_range(w.announces, 110, 130);
    pass(&w, 30 * USEC_SEC);
    assert_int_equal(w.announces, MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(node_sleep(w.n, w.task[i], w.now));
    pass(&w, 29 * USEC_MIN);
    assert_int_equal(w.announces, MANY);
    pass(&w, 5 * USEC_MIN);
    assert_int_equal(w.announces, 2 * MANY);
    node_free(w.n);
}

/* However many there are, and though nobody knew at first how many there would be. */
static void very_many_have_their_turn_in_a_round(void **state)
{
    (void)state;
    struct many *w = mem_zero(sizeof *w);
    begin_many(w, VERY_MANY, false);
    pass(w, 20 * USEC_MIN + USEC_SEC);
    assert_int_equal(w->announces, VERY_MANY);
    node_free(w->n);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_calls_is_served),
        cmocka_unit_test(its_figures_stay),
        cmocka_unit_test(who_waits_does_not_wait_for_ever),
        cmocka_unit_test(what_a_caller_says_meanwhile_is_not_read),
        cmocka_unit_test(who_waits_for_what_goes_is_sent_away),
        cmocka_unit_test(who_is_heard_of_is_dialled),
        cmocka_unit_test(who_is_ourselves_is_not_dialled_again),
        cmocka_unit_test(another_manifest_wakes_nothing),
        cmocka_unit_test(what_was_lost_meanwhile_is_fetched),
        cmocka_unit_test(it_is_announced),
        cmocka_unit_test(many_take_turns),
        cmocka_unit_test(very_many_have_their_turn_in_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
