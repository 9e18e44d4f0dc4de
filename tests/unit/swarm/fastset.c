/* The example of BEP 6, and sets of as many pieces as there are. */
#include <p2p/swarm/fastset.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void made(uint32_t *out, uint32_t k, const char *ip, uint32_t n_pieces)
{
    uint8_t hash[SHA1_LEN];
    struct addr a;
    memset(hash, 0xaa, sizeof hash);
    assert_true(addr_parse_ip(&a, ip, 6881));
    fastset(out, k, &a, hash, n_pieces);
}

static void example(void **state)
{
    static const uint32_t want[] = {1059, 431, 808, 1217, 287, 376, 1188, 353, 508};
    uint32_t seven[7], nine[9];
    (void)state;
    made(seven, 7, "80.4.4.200", 1313);
    made(nine, 9, "80.4.4.200", 1313);
    assert_memory_equal(seven, want, sizeof seven);
    assert_memory_equal(nine, want, sizeof nine);
}

static void neighbours_share_one(void **state)
{
    uint32_t a[9], b[9], c[9];
    (void)state;
    made(a, 9, "80.4.4.200", 1313);
    made(b, 9, "80.4.4.1", 1313);
    made(c, 9, "80.4.5.200", 1313);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void all_there_are(void **state)
{
    uint32_t set[10], sum = 0;
    (void)state;
    made(set, 10, "80.4.4.200", 10);
    for (size_t i = 0; i < 10; i++)
        sum |= 1u << set[i];
    assert_int_equal(sum, 0x3ff);
    made(set, 1, "80.4.4.200", 1);
    assert_int_equal(set[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example),
        cmocka_unit_test(neighbours_share_one),
        cmocka_unit_test(all_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
