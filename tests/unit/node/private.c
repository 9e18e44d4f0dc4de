/* The trackers of a private item: a tier is asked while those before it fail (BEP 27). */
#include "../../sim/tube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static const char *const URL[] = {"http://a.test/announce", "http://b.test/announce"};

struct asked {
    unsigned n[2]; /* announces of each */
};

static void pump(struct node *n, struct asked *k, bool first_fails, usec now)
{
    static const char body[] = "d8:intervali1800e5:peers0:e";
    struct node_op op;
    while (node_next(n, &op)) {
        if (op.kind != NODE_HTTP)
            continue;
        bool second = strncmp(op.text, URL[1], strlen(URL[1])) == 0;
        k->n[second]++;
        if (second || !first_fails)
            node_http(n, op.job, 0, NULL, 200, BYTES_LIT(body), now);
        else
            node_http(n, op.job, ERR_NET, NULL, 0, BYTES("", 0), now);
    }
}

/* In the beginning. */
static struct asked asks(bool is_private, bool first_fails)
{
    static const struct tube_file file = {NULL, 16384};
    struct node_config c = {.client = "test", .port = 6881, .no_lsd = true, .no_dht = true};
    struct asked k = {{0}};
    struct rng r;
    uint8_t *content;
    rng_seed(&r, 3);
    struct manifest *m = tube_manifest(&r, "thing", &file, 1, 1, 16384, &content), *own = m;
    if (is_private)
        own = tube_private(m);
    for (size_t i = 0; i < 2; i++)
        manifest_add_tracker(own, i, URL[i]);
    struct node *n = node_new(&c, 5, USEC_SEC);
    struct node_task_config tc = {.manifest = own};
    goals_init(&tc.goals);
    assert_int_not_equal(node_add(n, &tc, USEC_SEC, NULL), 0);
    for (usec now = USEC_SEC; now < 3 * USEC_SEC; now += 100 * USEC_MS) {
        node_tick(n, now);
        pump(n, &k, first_fails, now);
    }
    node_free(n);
    if (is_private)
        manifest_free(m);
    free(content);
    return k;
}

static void in_turn(void **state)
{
    (void)state;
    assert_int_equal(asks(false, false).n[1], 1);
    assert_int_equal(asks(true, false).n[0], 1);
    assert_int_equal(asks(true, false).n[1], 0);
    assert_int_equal(asks(true, true).n[0], 1);
    assert_int_equal(asks(true, true).n[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
