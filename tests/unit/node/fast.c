/* Requests and their one answer (BEP 6, 54), with the fast extension and without it. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PIECE 65536u
#define BLOCKS (PIECE / 16384u)
static const struct tube_file ONE = {NULL, PIECE};

static struct rig *rig_of_one_piece(uint64_t seed)
{
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &ONE, 1, 1, PIECE);
    return g;
}

static struct raw *greeted(struct rig *g, unsigned host, bool fast)
{
    struct raw *r = raw_new(g, host);
    raw_comes(r);
    raw_handshake(r, fast, true, false);
    return r;
}

static void its_messages_need_it(void **state)
{
    static const enum wire_type types[] = {WIRE_SUGGEST, WIRE_ALLOWED_FAST, WIRE_HAVE_ALL,
                                           WIRE_HAVE_NONE, WIRE_REJECT};
    (void)state;
    for (unsigned i = 0; i < 2 * sizeof types / sizeof *types; i++) {
        struct rig *g = rig_of_one_piece(i);
        struct buf b = {0};
        rig_leech(g);
        struct raw *r = greeted(g, 1, i % 2);
        enum wire_type t = types[i / 2];
        if (t == WIRE_REJECT)
            wire_put_block(&b, t, 0, 0, 16384);
        else if (t == WIRE_SUGGEST || t == WIRE_ALLOWED_FAST)
            wire_put_index(&b, t, 0);
        else
            wire_put_simple(&b, t);
        raw_send(r, &b);
        assert_int_equal(r->closed, i % 2 == 0);
        rig_free(g);
    }
}

static void asked_before_the_manifest(void **state)
{
    (void)state;
    for (int fast = 0; fast < 2; fast++) {
        struct rig *g = rig_of_one_piece(20);
        rig_link(g, true, false);
        struct raw *r = greeted(g, 1, fast);
        raw_block(r, WIRE_REQUEST, 3, 16384, 100);
        assert_false(r->closed);
        assert_int_equal(r->got[WIRE_REJECT], fast);
        if (fast)
            assert_int_equal(r->last[WIRE_REJECT].index, 3);
        rig_free(g);
    }
}

static void says_donthave(struct raw *r)
{
    struct buf b = {0}, body = {0};
    ext_put_donthave(&body, 0);
    wire_put_extended(&b, EXT_DONTHAVE, buf_bytes(&body));
    buf_fini(&body);
    raw_send(r, &b);
}

/* Who cannot reject says nothing of the requests for what it lost; who can will. */
static void lost_there(void **state)
{
    (void)state;
    for (int fast = 0; fast < 2; fast++) {
        struct rig *g = rig_of_one_piece(30);
        rig_leech(g);
        struct raw *r = greeted(g, 1, fast);
        raw_bits(r, true);
        raw_simple(r, WIRE_UNCHOKE);
        rig_run(g, USEC_SEC);
        assert_int_equal(r->got[WIRE_REQUEST], BLOCKS);
        says_donthave(r);
        raw_index(r, WIRE_HAVE, 0);
        rig_run(g, USEC_SEC);
        assert_int_equal(r->got[WIRE_REQUEST], fast ? BLOCKS : 2 * BLOCKS);
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_messages_need_it),
        cmocka_unit_test(asked_before_the_manifest),
        cmocka_unit_test(lost_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
