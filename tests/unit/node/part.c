/* Pieces of which only some bytes are wanted: what is asked for, from whom, and who lies. */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/format/layout.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#define PIECE (1u << 20)
#define PIECES 6u
#define BLOCK 16384u

struct world {
    struct tube *t;
    struct host *reader;
    struct manifest *m;
    uint8_t *content;
    struct item *it;
};

static const struct host_config FAST = {
    .up = 10000000, .down = 10000000, .delay = 10 * USEC_MS, .no_pex = true};

/* 100 bytes within a block, and 200 over the edge of two pieces. */
static const struct node_part PARTS[] = {
    {PIECE / 2 + 100, PIECE / 2 + 200},
    {3 * PIECE - 100, 3 * PIECE + 100},
};

static bool is_done(void *arg)
{
    const struct world *w = arg;

    return w->it->complete;
}

static struct world begin(uint64_t seed, int format)
{
    static uint8_t priority[PIECES] = {1, 0, 1, 1, 0, 0};
    struct world w = {.t = tube_new(seed)};
    struct tube_file one = {NULL, PIECES * PIECE - 1234};
    struct node_task_config c = {
        .priority = priority, .parts = PARTS, .n_parts = sizeof PARTS / sizeof *PARTS};

    w.m = tube_manifest(tube_rng(w.t), "film", &one, 1, format, PIECE, &w.content);
    w.reader = tube_host(w.t, &FAST);
    c.manifest = tube_copy(w.m);
    goals_init(&c.goals);
    w.it = host_add(w.reader, &c, NULL);
    return w;
}

static void add_seed(struct world *w, const uint8_t *content)
{
    struct host *h = tube_host(w->t, &FAST);
    struct bits have = {0};
    struct node_task_config c = {.manifest = tube_copy(w->m), .have = &have};
    struct addr a = host_addr(h);

    bits_init(&have, w->m->n_pieces);
    bits_fill(&have, true);
    goals_init(&c.goals);
    c.goals.stay = true;
    host_add(h, &c, content);
    bits_fini(&have);
    node_add_peer(host_node(w->reader), w->it->task, &a, POOL_USER, tube_now(w->t));
}

static struct node_status status(const struct world *w)
{
    struct node_status s;

    assert_true(node_status(host_node(w->reader), w->it->task, &s, tube_now(w->t)));
    return s;
}

static void check(const struct world *w)
{
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        assert_memory_equal(w->it->disk + PARTS[i].from, w->content + PARTS[i].from,
                            PARTS[i].end - PARTS[i].from);
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static void only_their_blocks(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        struct world w = begin(10 + (uint64_t)format, format);

        add_seed(&w, w.content);
        assert_true(tube_run(w.t, 60 * USEC_SEC, is_done, &w));
        check(&w);
        assert_int_equal(status(&w).from_peers, format == 1 ? 3 * PIECE : 3 * BLOCK);
        assert_int_equal(status(&w).wanted, format == 1 ? 3 * PIECE : 3 * BLOCK);
        end(&w);
    }
}

/* Who has other bytes proves nothing: another one is asked. */
static void a_liar(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct world w = begin(50 + seed, 2);
        uint8_t *other = mem_dup(w.content, w.m->space);

        for (size_t i = 0; i < w.m->space; i += 1000)
            other[i] ^= 1;
        add_seed(&w, other);
        tube_run(w.t, 5 * USEC_SEC, is_done, &w);
        assert_false(w.it->complete);
        add_seed(&w, w.content);
        assert_true(tube_run(w.t, 120 * USEC_SEC, is_done, &w));
        check(&w);
        assert_in_range(status(&w).from_peers, 3 * BLOCK, 4 * PIECE);
        free(other);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_their_blocks),
        cmocka_unit_test(a_liar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
