/* Extended handshakes as clients in the wild say them, and what they may change later. */
#include "../../sim/raw.h"

#include <p2p/base/mem.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define PIECE 65536u

static struct rig *linked(uint64_t seed)
{
    static const struct tube_file file = {NULL, 3 * PIECE};
    struct rig *g = rig_new(seed, NULL);
    rig_content(g, &file, 1, 3, PIECE);
    rig_link(g, true, true);
    return g;
}

static struct raw *greeted(struct rig *g)
{
    struct raw *r = raw_new(g, 1);
    raw_comes(r);
    raw_handshake(r, true, true, true);
    return r;
}

/* `format` has a place for the size of the metadata. */
static void says(struct raw *r, const char *format)
{
    char *text = mem_fmt(format, (unsigned)r->rig->m->info.n);
    struct buf b = {0};
    wire_put_extended(&b, EXT_HANDSHAKE, bytes_str(text));
    free(text);
    raw_send(r, &b);
}

/* KTorrent's keys are not in order. */
static void keys_in_any_order(void **state)
{
    (void)state;
    struct rig *g = linked(1);
    struct raw *r = greeted(g);
    says(r, "d1:md6:ut_pexi2e11:ut_metadatai1ee1:pi6881e4:reqqi250e13:metadata_sizei%ue"
            "11:upload_onlyi0e1:v8:KTorrente");
    assert_false(r->closed);
    assert_true(r->meta_requests > 0);
    rig_free(g);
}

/* Who has learned the metadata tells its size and nothing else (BEP 10: only changes). */
static void a_later_one_tells_changes(void **state)
{
    (void)state;
    struct rig *g = linked(2);
    struct raw *r = greeted(g);
    says(r, "d1:md11:ut_metadatai1eee");
    assert_int_equal(r->meta_requests, 0);
    says(r, "d13:metadata_sizei%uee");
    assert_true(r->meta_requests > 0);
    rig_free(g);
}

/* rtorrent turns peer exchange off so. */
static void a_later_one_switches_off(void **state)
{
    (void)state;
    struct rig *g = linked(3);
    struct raw *r = greeted(g);
    says(r, "d1:md11:ut_metadatai1e6:ut_pexi2eee");
    says(r, "d1:md11:ut_metadatai0eee");
    says(r, "d13:metadata_sizei%uee");
    rig_run(g, USEC_MIN);
    assert_false(r->closed);
    assert_int_equal(r->meta_requests, 0);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_in_any_order),
        cmocka_unit_test(a_later_one_tells_changes),
        cmocka_unit_test(a_later_one_switches_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
