/* Items that are read as they come: a window moves over the content, and nothing else is here. */
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
#define STEP (5 * USEC_MS)

struct world {
    struct tube *t;
    struct host *seed, *reader;
    struct manifest *m;
    uint8_t *content, *out;
    uint64_t at; /* read so far */
    struct item *it;
};

static const struct host_config FAST = {
    .up = 10000000, .down = 10000000, .delay = 10 * USEC_MS, .no_pex = true};

static struct item *join(struct world *w, struct host *h, bool all, bool window, usec timeout)
{
    struct bits have;
    struct node_task_config c = {.manifest = tube_copy(w->m),
                                 .window = window ? WINDOW * PIECE : 0};

    bits_init(&have, w->m->n_pieces);
    bits_fill(&have, all);
    c.have = &have;
    goals_init(&c.goals);
    c.goals.stay = timeout == 0;
    if (timeout)
        c.goals.timeout = timeout;
    struct item *it = host_add(h, &c, all ? w->content : NULL);
    bits_fini(&have);
    return it;
}

static void dial(struct world *w, struct host *from, const struct item *it, struct host *to)
{
    struct addr a = host_addr(to);

    node_add_peer(host_node(from), it->task, &a, POOL_USER, tube_now(w->t));
}

static struct world begin_with(const struct host_config *c, uint64_t seed, int format,
                               uint64_t size, usec timeout)
{
    struct world w = {.t = tube_new(seed)};
    struct tube_file one = {NULL, size};

    w.m = tube_manifest(tube_rng(w.t), "film", &one, 1, format, PIECE, &w.content);
    w.out = calloc(1, w.m->space);
    w.seed = tube_host(w.t, c);
    w.reader = tube_host(w.t, &FAST);
    join(&w, w.seed, true, false, 0);
    w.it = join(&w, w.reader, false, true, timeout);
    dial(&w, w.reader, w.it, w.seed);
    return w;
}

static struct world begin(uint64_t seed, int format, uint64_t size, usec timeout)
{
    return begin_with(&FAST, seed, format, size, timeout);
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
    free(w->out);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static bool is_here(const struct world *w, uint32_t piece)
{
    uint64_t at = (uint64_t)piece * PIECE, length = layout_piece_len(w->m, piece);

    for (uint64_t i = 0; i < length; i += 1000)
        if (w->it->disk[at + i])
            return true;
    return false;
}

/* No more than the window is here, and nothing further ahead than it reaches. */
static void check_window(const struct world *w)
{
    uint32_t n = 0;

    for (uint32_t p = 0; p < w->m->n_pieces; p++) {
        n += is_here(w, p);
        if (p >= w->at / PIECE + WINDOW)
            assert_false(is_here(w, p));
    }
    assert_in_range(n, 0, WINDOW);
}

static void read_some(struct world *w, uint64_t most)
{
    struct node *n = host_node(w->reader);
    uint64_t to = node_verified(n, w->it->task);

    if (to > w->m->space)
        to = w->m->space;
    if (to - w->at > most)
        to = w->at + most;
    memcpy(w->out + w->at, w->it->disk + w->at, to - w->at);
    w->at = to;
    node_consumed(n, w->it->task, to == w->m->space ? UINT64_MAX : to, tube_now(w->t));
}

static void read_on(struct world *w, usec length, uint64_t most)
{
    for (usec until = tube_now(w->t) + length; tube_now(w->t) < until && w->at < w->m->space;) {
        tube_run(w->t, STEP, never, NULL);
        check_window(w);
        read_some(w, most);
    }
}

static struct node_status status(const struct world *w, struct host *h, const struct item *it)
{
    struct node_status s;

    assert_true(node_status(host_node(h), it->task, &s, tube_now(w->t)));
    return s;
}

static void in_order(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct world w = begin(10 + (uint64_t)format, format, 40 * PIECE + 12345, 0);

        read_on(&w, 60 * USEC_SEC, UINT64_MAX);
        assert_int_equal(w.at, w.m->space);
        assert_memory_equal(w.out, w.content, w.m->space);
        tube_run(w.t, USEC_SEC, never, NULL);
        assert_true(w.it->complete);
        assert_int_equal(status(&w, w.reader, w.it).wasted, 0);
        end(&w);
    }
}

/* Nobody asks for what there is no room for; and who waits for the reader does not give up. */
static void a_reader_that_stops(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct world w = begin(20 + (uint64_t)format, format, 60 * PIECE, 20 * USEC_SEC);

        tube_run(w.t, 120 * USEC_SEC, never, NULL);
        struct node_status s = status(&w, w.reader, w.it);
        assert_int_equal(s.from_peers, WINDOW * PIECE);
        assert_int_equal(s.wasted, 0);
        assert_false(s.sources_exhausted);
        assert_false(w.it->ended);
        check_window(&w);
        read_on(&w, 60 * USEC_SEC, UINT64_MAX);
        assert_memory_equal(w.out, w.content, w.m->space);
        end(&w);
    }
}

static void slowly(void **state)
{
    (void)state;
    struct world w = begin(31, 3, 40 * PIECE, 0);

    read_on(&w, 600 * USEC_SEC, 2000);
    assert_memory_equal(w.out, w.content, w.m->space);
    assert_int_equal(status(&w, w.reader, w.it).wasted, 0);
    end(&w);
}

/* A block of v2 that its leaf has proved can be read before its piece is whole. */
static void block_by_block(void **state)
{
    static const struct host_config modem = {
        .up = 100000, .down = 100000, .delay = 50 * USEC_MS, .no_pex = true};
    bool early = false;
    (void)state;
    struct world w = begin_with(&modem, 41, 2, 10 * PIECE, 0);

    for (unsigned i = 0; w.at < w.m->space && i < 60000; i++) {
        tube_run(w.t, USEC_MS, never, NULL);
        read_some(&w, UINT64_MAX);
        early |= w.at % PIECE != 0;
    }
    assert_true(early);
    assert_memory_equal(w.out, w.content, w.m->space);
    end(&w);
}

/* What is here is given to others; what is not any more is not claimed. */
static void shares_its_window(void **state)
{
    (void)state;
    struct world w = begin(51, 1, 40 * PIECE, 0);
    struct host *other = tube_host(w.t, &FAST);
    struct item *it = join(&w, other, false, false, 0);

    read_on(&w, 60 * USEC_SEC, UINT64_MAX);
    dial(&w, other, it, w.reader);
    tube_run(w.t, 60 * USEC_SEC, never, NULL);
    struct node_status s = status(&w, other, it);
    assert_int_equal(s.pieces_have, node_have(host_node(w.reader), w.it->task)->ones);
    assert_in_range(s.pieces_have, 1, WINDOW);
    assert_int_equal(s.peers, 1); /* it was asked for nothing that it had not offered, */
    assert_int_equal(s.seeds, 0); /* and is no seed */
    assert_int_equal(s.wasted, 0);
    end(&w);
}

/* A slow one is in the middle of a block when its piece goes: the block is whole all the same. */
static void gives_what_it_began(void **state)
{
    static const struct host_config slow = {
        .up = 30000, .down = 30000, .delay = 50 * USEC_MS, .no_pex = true};
    (void)state;
    struct world w = begin(61, 2, 60 * PIECE, 0);
    struct host *other = tube_host(w.t, &slow);
    struct item *it = join(&w, other, false, false, 0);

    dial(&w, other, it, w.reader);
    read_on(&w, 300 * USEC_SEC, 500);
    tube_run(w.t, 60 * USEC_SEC, never, NULL);
    assert_memory_equal(w.out, w.content, w.m->space);
    struct node_status s = status(&w, other, it);
    assert_in_range(s.pieces_have, 1, w.m->n_pieces);
    assert_int_equal(s.wasted, 0);
    assert_int_equal(s.peers, 1);
    end(&w);
}

/* Only some pieces are wanted: the window goes over the others. */
static void some_pieces(void **state)
{
    (void)state;
    struct world w = {.t = tube_new(71)};
    struct tube_file one = {NULL, 40 * PIECE};
    uint8_t want[40] = {0};

    w.m = tube_manifest(tube_rng(w.t), "film", &one, 1, 1, PIECE, &w.content);
    for (size_t i = 3; i < 40; i += 3)
        want[i] = 1;
    w.seed = tube_host(w.t, &FAST);
    w.reader = tube_host(w.t, &FAST);
    join(&w, w.seed, true, false, 0);
    struct node_task_config c = {
        .manifest = tube_copy(w.m), .window = 3 * PIECE, .priority = want, .goals = {.stay = true}};
    goals_init(&c.goals);
    c.goals.stay = true;
    w.it = host_add(w.reader, &c, NULL);
    dial(&w, w.reader, w.it, w.seed);
    tube_run(w.t, 30 * USEC_SEC, never, NULL);
    assert_int_equal(status(&w, w.reader, w.it).from_peers, 3 * PIECE);
    assert_int_equal(node_verified(host_node(w.reader), w.it->task), 12 * PIECE);
    for (unsigned i = 0; i < 100 && !w.it->complete; i++) {
        uint64_t v = node_verified(host_node(w.reader), w.it->task);
        node_consumed(host_node(w.reader), w.it->task, v, tube_now(w.t));
        tube_run(w.t, USEC_SEC, never, NULL);
    }
    assert_true(w.it->complete);
    assert_int_equal(node_verified(host_node(w.reader), w.it->task), UINT64_MAX);
    assert_int_equal(status(&w, w.reader, w.it).from_peers, 13 * PIECE);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order),
        cmocka_unit_test(a_reader_that_stops),
        cmocka_unit_test(slowly),
        cmocka_unit_test(block_by_block),
        cmocka_unit_test(shares_its_window),
        cmocka_unit_test(gives_what_it_began),
        cmocka_unit_test(some_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
