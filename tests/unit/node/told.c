/* What a peer is told when we have a piece more. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define BLOCK 16384u
#define PIECES 8u
static const struct tube_file ONE = {NULL, PIECES *BLOCK};

/* A seed that gives only what it is told to. */
static void lets_in(struct raw *r, const struct wire_msg *m)
{
    if (m->type == WIRE_INTERESTED)
        raw_simple(r, WIRE_UNCHOKE);
}

struct world {
    struct rig *g;
    struct raw *seed, *peer;
};

static struct world world(uint64_t seed, uint64_t limit_up)
{
    struct node_config c = {.limit_up = limit_up};
    struct world w = {.g = rig_new(seed, &c)};
    rig_content(w.g, &ONE, 1, 1, BLOCK);
    rig_leech(w.g);
    w.seed = raw_acting(w.g, 1, lets_in);
    raw_bits(w.seed, true);
    w.peer = raw_friend(w.g, 2);
    rig_run(w.g, 2 * USEC_SEC);
    return w;
}

/* A piece comes: how often is the peer let in with that? */
static unsigned let_in_by(struct world *w, uint32_t piece)
{
    unsigned told = w->peer->got[WIRE_HAVE], before = w->peer->got[WIRE_UNCHOKE];
    raw_piece(w->seed, piece, 0, BLOCK, false);
    rig_run(w->g, 200 * USEC_MS);
    assert_int_equal(w->peer->got[WIRE_HAVE], told + 1);
    return w->peer->got[WIRE_UNCHOKE] - before;
}

static void who_has_run_dry_is_let_in_again(void **state)
{
    (void)state;
    struct world w = world(1, 0);
    raw_simple(w.peer, WIRE_INTERESTED);
    rig_run(w.g, USEC_SEC);
    assert_int_equal(w.peer->got[WIRE_UNCHOKE], 1);
    assert_int_equal(let_in_by(&w, 0), 1);
    assert_int_equal(let_in_by(&w, 1), 1);
    raw_block(w.peer, WIRE_REQUEST, 0, 0, BLOCK);
    rig_run(w.g, USEC_SEC);
    assert_int_equal(w.peer->got[RAW_PIECE_WHOLE], 1);
    assert_int_equal(let_in_by(&w, 2), 1);
    rig_free(w.g);
}

static void who_still_waits_for_blocks_is_not(void **state)
{
    (void)state;
    struct world w = world(2, BLOCK / 4);
    raw_simple(w.peer, WIRE_INTERESTED);
    rig_run(w.g, USEC_SEC);
    for (uint32_t p = 0; p < 4; p++)
        let_in_by(&w, p);
    for (uint32_t p = 0; p < 4; p++)
        raw_block(w.peer, WIRE_REQUEST, p, 0, BLOCK);
    rig_run(w.g, 100 * USEC_MS);
    assert_true(w.peer->got[RAW_PIECE_WHOLE] < 4);
    assert_int_equal(let_in_by(&w, 4), 0);
    rig_free(w.g);
}

static void who_wants_nothing_is_not(void **state)
{
    (void)state;
    struct world w = world(3, 0);
    assert_int_equal(let_in_by(&w, 0), 0);
    raw_simple(w.peer, WIRE_INTERESTED);
    rig_run(w.g, USEC_SEC);
    assert_int_equal(w.peer->got[WIRE_UNCHOKE], 1);
    raw_simple(w.peer, WIRE_NOT_INTERESTED);
    rig_run(w.g, 100 * USEC_MS);
    assert_int_equal(let_in_by(&w, 1), 0);
    rig_free(w.g);
}

/* By that a leech knows who has least; but nobody who has it already is woken for it. */
static void who_has_it_already_hears_later(void **state)
{
    (void)state;
    struct world w = world(4, 0);
    raw_simple(w.peer, WIRE_INTERESTED);
    for (uint32_t p = 0; p < 4; p++)
        raw_index(w.peer, WIRE_HAVE, p);
    rig_run(w.g, USEC_SEC + 100 * USEC_MS);
    for (uint32_t p = 0; p < 4; p++)
        raw_piece(w.seed, p, 0, BLOCK, false);
    rig_run(w.g, 200 * USEC_MS);
    assert_int_equal(w.peer->got[WIRE_HAVE], 0);
    rig_run(w.g, USEC_SEC);
    assert_int_equal(w.peer->got[WIRE_HAVE], 4);
    assert_int_equal(w.peer->got[WIRE_UNCHOKE], 1);
    for (uint32_t p = 0; p < 3; p++)
        raw_index(w.peer, WIRE_HAVE, 4 + p);
    rig_run(w.g, 100 * USEC_MS);
    raw_piece(w.seed, 4, 0, BLOCK, false);
    raw_piece(w.seed, 7, 0, BLOCK, false);
    rig_run(w.g, 200 * USEC_MS); /* with what it lacks it hears of all that waited */
    assert_int_equal(w.peer->got[WIRE_HAVE], 6);
    rig_free(w.g);
}

struct words {
    unsigned n;
    struct word {
        bool gone; /* DONTHAVE, else HAVE */
        uint32_t piece;
    } v[2 * PIECES];
};

static void hears(struct raw *r, const struct wire_msg *m)
{
    struct words *w = r->arg;
    struct word *at = &w->v[w->n];
    assert_true(w->n < 2 * PIECES);
    if (m->type == WIRE_HAVE)
        *at = (struct word){false, m->index};
    else if (m->type == WIRE_EXTENDED && m->ext_id == EXT_DONTHAVE &&
             ext_parse_donthave(&at->piece, m->body) == 0)
        at->gone = true;
    else
        return;
    w->n++;
}

/* Who has all of ours but the last piece must not see a seed before it wants that piece. */
static void the_last_piece_is_wanted_first(void **state)
{
    (void)state;
    for (int wants = 0; wants < 2; wants++) {
        struct world w = world(5, 0);
        struct words heard = {0};
        w.peer->act = hears;
        w.peer->arg = &heard;
        for (uint32_t p = 0; p + 1 < PIECES; p++) {
            raw_piece(w.seed, p, 0, BLOCK, false);
            rig_run(w.g, 100 * USEC_MS);
            raw_index(w.peer, WIRE_HAVE, p);
        }
        if (wants)
            raw_simple(w.peer, WIRE_INTERESTED);
        rig_run(w.g, 100 * USEC_MS);
        assert_int_equal(heard.n, PIECES - 1);
        raw_piece(w.seed, PIECES - 1, 0, BLOCK, false);
        rig_run(w.g, 100 * USEC_MS);
        const struct word *v = &heard.v[PIECES - 1];
        if (wants) {
            assert_int_equal(heard.n, PIECES);
            assert_true(!v[0].gone && v[0].piece == PIECES - 1);
        } else {
            assert_int_equal(heard.n, PIECES + 2);
            assert_true(v[0].gone && v[0].piece < PIECES - 1);
            assert_true(!v[1].gone && v[1].piece == PIECES - 1);
            assert_true(!v[2].gone && v[2].piece == v[0].piece);
        }
        rig_free(w.g);
    }
}

#define FRIENDS 12u

/* A leech's first piece: many want it at once. Not always the first to say so are let in, and yet
 * a moment later as many are as there are slots. */
static void a_first_piece_goes_by_lot(void **state)
{
    (void)state;
    unsigned first = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w = world(seed, 0);
        struct raw *f[FRIENDS] = {w.peer};
        for (uint8_t i = 1; i < FRIENDS; i++)
            f[i] = raw_friend(w.g, (uint8_t)(2 + i));
        raw_piece(w.seed, 0, 0, BLOCK, false);
        rig_run(w.g, 200 * USEC_MS);
        for (uint32_t i = 0; i < FRIENDS; i++)
            raw_simple(f[i], WIRE_INTERESTED);
        first += f[0]->got[WIRE_UNCHOKE] > 0;
        rig_run(w.g, USEC_SEC / 2);
        unsigned all = 0;
        for (uint32_t i = 0; i < FRIENDS; i++)
            all += f[i]->got[WIRE_UNCHOKE] > 0;
        assert_int_equal(all, 4);
        rig_free(w.g);
    }
    assert_in_range(first, 2, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_run_dry_is_let_in_again),
        cmocka_unit_test(who_still_waits_for_blocks_is_not),
        cmocka_unit_test(who_wants_nothing_is_not),
        cmocka_unit_test(who_has_it_already_hears_later),
        cmocka_unit_test(the_last_piece_is_wanted_first),
        cmocka_unit_test(a_first_piece_goes_by_lot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
