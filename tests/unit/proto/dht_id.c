/* Ids: distance, the vectors of BEP 42, random ids in a bucket. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>
#include <p2p/base/text.h>
#include <p2p/proto/dht_id.h>

static void crc(void **state)
{
    (void)state;
    assert_int_equal(dht_crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
    assert_int_equal(dht_crc32c((const uint8_t *)"", 0), 0);
}

/* Address, and an id that fits it: 21 bits and the last byte count. */
static void bep42(void **state)
{
    (void)state;
    static const struct {
        const char *ip, *id;
    } t[] = {
        {"124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"},
        {"21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"},
        {"65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"},
        {"84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"},
        {"43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        uint8_t id[DHT_ID], made[DHT_ID];
        struct addr a;
        assert_true(text_unhex(id, sizeof id, bytes_str(t[i].id)));
        assert_true(addr_parse_ip(&a, t[i].ip, 1));
        assert_true(dht_id_fits(id, &a));
        memcpy(made, id, DHT_ID);
        put_be32(made, 0);
        dht_id_fit(made, &a);
        assert_true(dht_id_fits(made, &a));
        assert_int_equal(get_be32(made) >> 11, get_be32(id) >> 11);
        for (int bit = 0; bit < 32; bit++) { /* the 22nd bit on is free */
            uint8_t other[DHT_ID];
            memcpy(other, id, DHT_ID);
            other[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            assert_int_equal(dht_id_fits(other, &a), bit >= 21);
        }
        id[19] ^= 1;
        assert_false(dht_id_fits(id, &a));
        id[19] ^= 9; /* its upper bits are not looked at */
        assert_true(dht_id_fits(id, &a));
    }
}

/* Any id is fine where many live behind one address, or none can be told. */
static void exempt(void **state)
{
    (void)state;
    static const char *const free_ones[] = {"10.0.0.1",    "192.168.3.4", "172.16.0.1", "127.0.0.1",
                                            "169.254.1.1", "::1",         "fe80::1",    "fd00::1"};
    uint8_t id[DHT_ID] = {1}, before[DHT_ID] = {1};
    struct addr a;
    for (size_t i = 0; i < sizeof free_ones / sizeof *free_ones; i++) {
        assert_true(addr_parse_ip(&a, free_ones[i], 1));
        assert_true(dht_id_fits(id, &a));
        dht_id_fit(id, &a);
        assert_memory_equal(id, before, DHT_ID);
    }
}

/* IPv6: only the upper half of the address counts. */
static void ipv6(void **state)
{
    (void)state;
    struct rng rng;
    struct addr a, b;
    rng_seed(&rng, 1);
    assert_true(addr_parse_ip(&a, "2600:1:2:3:4:5:6:7", 1));
    assert_true(addr_parse_ip(&b, "2600:1:2:3:ffff::9", 1));
    for (int i = 0; i < 20; i++) {
        uint8_t id[DHT_ID];
        rng_fill(&rng, id, sizeof id);
        dht_id_fit(id, &a);
        assert_true(dht_id_fits(id, &a) && dht_id_fits(id, &b));
    }
    uint8_t id[DHT_ID] = {0};
    dht_id_fit(id, &a);
    assert_true(addr_parse_ip(&b, "2600:1:2:4::1", 1));
    assert_false(dht_id_fits(id, &b));
}

static void distance(void **state)
{
    (void)state;
    uint8_t t[DHT_ID] = {0}, a[DHT_ID] = {0}, b[DHT_ID] = {0};
    assert_int_equal(dht_id_common(a, b), 160);
    assert_int_equal(dht_id_cmp(t, a, b), 0);
    b[19] = 1;
    assert_int_equal(dht_id_common(a, b), 159);
    assert_true(dht_id_cmp(t, a, b) < 0 && dht_id_cmp(t, b, a) > 0);
    a[0] = 0x80;
    assert_int_equal(dht_id_common(a, b), 0);
    assert_true(dht_id_cmp(t, a, b) > 0);
    t[0] = 0xff;
    assert_true(dht_id_cmp(t, a, b) < 0);
}

static void near(void **state)
{
    (void)state;
    struct rng rng;
    uint8_t own[DHT_ID], id[DHT_ID];
    rng_seed(&rng, 2);
    rng_fill(&rng, own, sizeof own);
    for (unsigned bits = 0; bits < 160; bits++)
        for (int i = 0; i < 4; i++) {
            rng_fill(&rng, id, sizeof id);
            dht_id_near(id, own, bits);
            assert_int_equal(dht_id_common(id, own), bits);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc),  cmocka_unit_test(bep42),    cmocka_unit_test(exempt),
        cmocka_unit_test(ipv6), cmocka_unit_test(distance), cmocka_unit_test(near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
