/* Which web seeds are a source at all (BEP 19: protocols that are not known are ignored). */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct rig *with(const char *url)
{
    static const struct tube_file file = {NULL, 100000};
    struct rig *g = rig_new(1, NULL);
    g->web_by_hand = true; /* and no hand answers */
    rig_content(g, &file, 1, 1, 16384);
    manifest_add_web_seed(g->m, url);
    rig_leech(g);
    rig_run(g, USEC_SEC);
    return g;
}

static void unknown_protocols(void **state)
{
    static const char *const url[] = {"http://h.example/x", "ftp://h.example/x"};
    struct node_status s;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct rig *g = with(url[i]);
        assert_int_equal(g->ops[NODE_WEB] > 0, i == 0);
        assert_true(node_status(g->n, g->task, &s, g->now));
        assert_int_equal(s.sources_exhausted, i == 1);
        rig_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
