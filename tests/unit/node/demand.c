/* Items whose reader jumps about: what he wants comes, and hardly anything else. */
#include "../../sim/tube.h"

#include <p2p/format/layout.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#define PIECE 65536u
#define WINDOW 8u /* pieces */
#define PIECES 100u

struct world {
    struct tube *t;
    struct host *seed, *reader;
    struct manifest *m;
    uint8_t *content;
    struct item *it;
};

static const struct host_config FAST = {
    .up = 10000000, .down = 10000000, .delay = 10 * USEC_MS, .no_pex = true};

static struct item *join(struct world *w, struct host *h, const struct bits *have, bool reads,
                         usec timeout)
{
    struct node_task_config c = {.manifest = tube_copy(w->m),
                                 .window = reads ? WINDOW * PIECE : 0,
                                 .on_demand = reads,
                                 .have = have};

    goals_init(&c.goals);
    c.goals.stay = timeout == 0;
    if (timeout)
        c.goals.timeout = timeout;
    return host_add(h, &c, have->ones ? w->content : NULL);
}

static void dial(struct world *w, struct host *from, const struct item *it, struct host *to)
{
    struct addr a = host_addr(to);

    node_add_peer(host_node(from), it->task, &a, POOL_USER, tube_now(w->t));
}

/* The seed has the first `has` pieces. */
static struct world begin(uint64_t seed, int format, uint32_t has, usec timeout)
{
    struct world w = {.t = tube_new(seed)};
    struct tube_file one = {NULL, PIECES * PIECE - 1234};
    struct bits have;

    w.m = tube_manifest(tube_rng(w.t), "film", &one, 1, format, PIECE, &w.content);
    w.seed = tube_host(w.t, &FAST);
    w.reader = tube_host(w.t, &FAST);
    bits_init(&have, w.m->n_pieces);
    w.it = join(&w, w.reader, &have, true, timeout);
    for (uint32_t i = 0; i < has; i++)
        bits_set(&have, i);
    join(&w, w.seed, &have, false, 0);
    bits_fini(&have);
    dial(&w, w.reader, w.it, w.seed);
    return w;
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static struct node_status status(const struct world *w, struct host *h, const struct item *it)
{
    struct node_status s;

    assert_true(node_status(host_node(h), it->task, &s, tube_now(w->t)));
    return s;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void want(struct world *w, uint64_t at, uint64_t sure)
{
    node_want(host_node(w->reader), w->it->task, at, sure, w->m->size, tube_now(w->t));
}

static uint64_t here(const struct world *w, uint64_t at)
{
    return node_here(host_node(w->reader), w->it->task, at);
}

static void check_window(const struct world *w)
{
    uint32_t n = 0;

    for (uint32_t p = 0; p < w->m->n_pieces; p++)
        for (uint64_t i = 0; i < layout_piece_len(w->m, p); i += 1000)
            if (w->it->disk[(uint64_t)p * PIECE + i]) {
                n++;
                break;
            }
    assert_in_range(n, 0, WINDOW);
}

/* As a reader does: what is here, and then what comes. */
static uint64_t read_some(struct world *w, uint64_t at, uint64_t sure)
{
    uint64_t to = here(w, at);

    if (to == at)
        want(w, at, sure);
    for (unsigned i = 0; i < 30000 && (to = here(w, at)) == at; i++)
        tube_run(w->t, USEC_MS, never, NULL);
    assert_true(to > at);
    check_window(w);
    to = to < w->m->size ? to : w->m->size;
    assert_memory_equal(w->it->disk + at, w->content + at, to - at);
    return to;
}

static void jumps(void **state)
{
    static const uint32_t pieces[] = {99, 50, 3, 3, 77, 4, 98, 20, 60, 1, 42, 17, 30};
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct world w = begin(10 + (uint64_t)format, format, PIECES, 0);

        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
            read_some(&w, (uint64_t)pieces[i] * PIECE + 100, 0);
        tube_run(w.t, 5 * USEC_SEC, never, NULL);
        struct node_status s = status(&w, w.reader, w.it);
        assert_in_range(s.from_peers, 11 * PIECE, 12 * PIECE); /* each once, nothing ahead of it */
        assert_int_equal(s.wasted, 0);
        assert_int_equal(s.state, NODE_DOWNLOADING);
        end(&w);
    }
}

static void in_order(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct world w = begin(20 + (uint64_t)format, format, PIECES, 0);
        bool ahead = false;

        for (uint64_t at = 0; at < w.m->size;) {
            at = read_some(&w, at, 0);
            for (unsigned i = 0; i < 100; i++)
                tube_run(w.t, USEC_MS, never, NULL);
            ahead |= here(&w, at) > at + 2 * PIECE;
        }
        struct node_status s = status(&w, w.reader, w.it);
        assert_int_equal(s.from_peers, w.m->size);
        assert_int_equal(s.wasted, 0);
        assert_true(ahead);
        end(&w);
    }
}

/* What is sure to be read is fetched at once, as far as there is room; but nothing behind it. */
static void surely(void **state)
{
    (void)state;
    struct world w = begin(31, 2, PIECES, 0);

    want(&w, 10 * PIECE + 5, 13 * PIECE + 5);
    tube_run(w.t, 20 * USEC_SEC, never, NULL);
    assert_int_equal(here(&w, 10 * PIECE + 5), 14 * PIECE);
    assert_int_equal(status(&w, w.reader, w.it).from_peers, 4 * PIECE);
    want(&w, 50 * PIECE, w.m->size);
    tube_run(w.t, 20 * USEC_SEC, never, NULL);
    check_window(&w);
    assert_int_equal(here(&w, 50 * PIECE), 56 * PIECE);
    assert_int_equal(status(&w, w.reader, w.it).from_peers, 10 * PIECE);
    end(&w);
}

/* Not behind the end of what may be read, which is one file of many. */
static void up_to_the_end(void **state)
{
    (void)state;
    struct world w = begin(41, 1, PIECES, 0);

    node_want(host_node(w.reader), w.it->task, 10 * PIECE, w.m->size, 12 * PIECE - 1,
              tube_now(w.t));
    tube_run(w.t, 20 * USEC_SEC, never, NULL);
    assert_int_equal(status(&w, w.reader, w.it).from_peers, 2 * PIECE);
    node_want(host_node(w.reader), w.it->task, 12 * PIECE, 0, 12 * PIECE, tube_now(w.t));
    node_want(host_node(w.reader), w.it->task, 12 * PIECE, 0, w.m->space + 1, tube_now(w.t));
    tube_run(w.t, 20 * USEC_SEC, never, NULL);
    assert_int_equal(status(&w, w.reader, w.it).from_peers, 2 * PIECE);
    end(&w);
}

/* Who is led round for ever finds an end. */
static void round_and_round(void **state)
{
    (void)state;
    struct world w = begin(51, 2, PIECES, 0);
    uint64_t n = 0;

    for (uint32_t i = 0; i < 1000 && !w.it->failed; i++) {
        want(&w, (uint64_t)(i * 37 % PIECES) * PIECE, 0);
        for (unsigned k = 0;
             k < 2000 && !w.it->failed && here(&w, (uint64_t)(i * 37 % PIECES) * PIECE) % PIECE;
             k++)
            tube_run(w.t, USEC_MS, never, NULL);
        tube_run(w.t, 200 * USEC_MS, never, NULL);
        n++;
    }
    assert_true(w.it->failed);
    assert_in_range(n, NODE_DEMAND_TIMES * PIECES, NODE_DEMAND_TIMES * PIECES + 2 * WINDOW + 2);
    end(&w);
}

/* What nobody has holds no place for ever. */
static void nobody_has_it(void **state)
{
    (void)state;
    struct world w = begin(61, 2, 20, 0);

    for (uint32_t p = 20; p < 60; p += 4) {
        want(&w, (uint64_t)p * PIECE, (uint64_t)(p + 3) * PIECE);
        tube_run(w.t, USEC_SEC, never, NULL);
        assert_int_equal(here(&w, (uint64_t)p * PIECE), (uint64_t)p * PIECE);
    }
    read_some(&w, 7 * PIECE, 9 * PIECE);
    assert_int_equal(status(&w, w.reader, w.it).wasted, 0);
    end(&w);
}

static void gives_up(void **state)
{
    (void)state;
    struct world w = begin(71, 1, 20, 20 * USEC_SEC);

    tube_run(w.t, 100 * USEC_SEC, never, NULL); /* nothing was wanted yet */
    assert_false(w.it->ended);
    read_some(&w, 7 * PIECE, 0);
    tube_run(w.t, 100 * USEC_SEC, never, NULL); /* the reader is busy */
    assert_false(w.it->ended);
    want(&w, 50 * PIECE, 0);
    tube_run(w.t, 100 * USEC_SEC, never, NULL);
    assert_true(w.it->ended);
    end(&w);
}

/* What is here is given to others; what is not any more is not claimed. */
static void shares(void **state)
{
    (void)state;
    struct world w = begin(81, 2, PIECES, 0);
    struct host *other = tube_host(w.t, &FAST);
    struct bits none;
    bits_init(&none, w.m->n_pieces);
    struct item *it = join(&w, other, &none, false, 0);

    bits_fini(&none);
    for (uint32_t p = 0; p < 40; p++)
        read_some(&w, (uint64_t)(p * 7 % PIECES) * PIECE, 0);
    dial(&w, other, it, w.reader);
    tube_run(w.t, 30 * USEC_SEC, never, NULL);
    struct node_status s = status(&w, other, it);
    assert_int_equal(s.pieces_have, node_have(host_node(w.reader), w.it->task)->ones);
    assert_in_range(s.pieces_have, 1, WINDOW);
    assert_int_equal(s.peers, 1);
    assert_int_equal(s.seeds, 0);
    assert_int_equal(s.wasted, 0);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumps),           cmocka_unit_test(in_order),
        cmocka_unit_test(surely),          cmocka_unit_test(up_to_the_end),
        cmocka_unit_test(round_and_round), cmocka_unit_test(nobody_has_it),
        cmocka_unit_test(gives_up),        cmocka_unit_test(shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
