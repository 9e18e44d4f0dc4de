/* What a tracker is told of who has all that it wants and not all there is (BEP 21). */
#include "../../sim/tube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE 16384u
#define INTERVAL (1800 * USEC_SEC)

struct told {
    unsigned announces;
    char url[2][1000]; /* of the first and the last */
};

static void pump(struct node *n, struct told *k, usec now)
{
    static const char body[] = "d8:intervali1800e5:peers0:e";
    struct node_op op;
    while (node_next(n, &op)) {
        if (op.kind != NODE_HTTP)
            continue;
        snprintf(k->url[k->announces++ > 0], sizeof k->url[0], "%s", op.text);
        node_http(n, op.job, 0, NULL, 200, BYTES_LIT(body), now);
    }
}

static struct node *begun(struct manifest *m, uint32_t have, const uint8_t *priority, usec now)
{
    struct node_config c = {.client = "test", .port = 6881, .no_lsd = true, .no_dht = true};
    struct node *n = node_new(&c, 5, now);
    struct bits bits;
    bits_init(&bits, m->n_pieces);
    for (uint32_t i = 0; i < have; i++)
        bits_set(&bits, i);
    struct node_task_config tc = {.manifest = m, .have = &bits, .priority = priority};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    assert_int_not_equal(node_add(n, &tc, now, NULL), 0);
    bits_fini(&bits);
    return n;
}

/* Two pieces, of which the second is not wanted: what is told first, and half an hour later. */
static struct told tells(uint32_t have)
{
    static const struct tube_file two = {NULL, 2 * PIECE};
    static const uint8_t priority[2] = {1, 0};
    struct told k = {0};
    struct rng r;
    uint8_t *content;
    usec now = USEC_SEC;
    rng_seed(&r, 3);
    struct manifest *m = tube_manifest(&r, "thing", &two, 1, 1, PIECE, &content);
    manifest_add_tracker(m, 0, "http://tracker.test/announce");
    struct node *n = begun(m, have, priority, now);
    for (usec end = now + INTERVAL + USEC_MIN; now < end; now += USEC_SEC) {
        pump(n, &k, now);
        node_tick(n, now);
    }
    assert_int_equal(k.announces, 2);
    node_free(n);
    free(content);
    return k;
}

static void partial_seed(void **state)
{
    (void)state;
    struct told k = tells(1);
    assert_non_null(strstr(k.url[0], "&left=16384&"));
    assert_non_null(strstr(k.url[0], "&event=started"));
    assert_non_null(strstr(k.url[1], "&left=16384&"));
    assert_non_null(strstr(k.url[1], "&event=paused"));
}

static void seed(void **state)
{
    (void)state;
    struct told k = tells(2);
    assert_non_null(strstr(k.url[1], "&left=0&"));
    assert_null(strstr(k.url[1], "event="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partial_seed),
        cmocka_unit_test(seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
