/* Items: the vectors of BEP 44, what is refused and with which code, bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/text.h>
#include <p2p/proto/dht_item.h>
#include <p2p/proto/krpc.h>

#include <stdio.h>

static struct dht_items *s;
static const uint8_t own[DHT_ID];
static struct addr from;
static uint8_t seed[SIGN_SEED] = {3}, key[SIGN_PUBLIC], sig[SIGN_LEN];

static int setup(void **state)
{
    (void)state;
    s = dht_items_new(1);
    sign_public(key, seed);
    assert_true(addr_parse(&from, "60.1.2.3:1000"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dht_items_free(s);
    return 0;
}

static void assert_target(const struct dht_item *i, const char *hex)
{
    uint8_t target[DHT_ID];
    char text[2 * DHT_ID + 1];
    dht_item_target(i, target);
    text_hex(text, BYTES(target, sizeof target));
    assert_string_equal(text, hex);
}

static void bep44(void **state)
{
    (void)state;
    uint8_t k[SIGN_PUBLIC], plain[SIGN_LEN], salted[SIGN_LEN];
    assert_true(text_unhex(k, sizeof k,
                           bytes_str("77ff84905a91936367c01360803104f9"
                                     "2432fcd904a43511876df5cdf3e7e548")));
    assert_true(text_unhex(plain, sizeof plain,
                           bytes_str("305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5"
                                     "d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e"
                                     "6f4f3ecbfda0ce53a1608ecd7ae21f01")));
    assert_true(text_unhex(salted, sizeof salted,
                           bytes_str("6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b"
                                     "8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896"
                                     "fca78c58f8e03b5f18f14951a87d9a08")));
    struct dht_item i = {.value = BYTES_LIT("12:Hello World!")};
    assert_target(&i, "e5f96f6f38320f0f33959cb4d3d656452117aadb");
    assert_int_equal(dht_item_check(&i), 0);
    i.key = k;
    i.sig = plain;
    i.seq = 1;
    assert_target(&i, "4a533d47ec9c7d95b1ad75f576cffc641853b750");
    assert_int_equal(dht_item_check(&i), 0);
    i.salt = BYTES_LIT("foobar");
    assert_target(&i, "411eba73b6f087ca51a3795d9c8c938d365e32c1");
    assert_int_equal(dht_item_check(&i), KRPC_BAD_SIGNATURE);
    i.sig = salted;
    assert_int_equal(dht_item_check(&i), 0);
    i.seq = 2;
    assert_int_equal(dht_item_check(&i), KRPC_BAD_SIGNATURE);
}

static struct dht_item make(const char *value, const char *salt, int64_t seq)
{
    struct dht_item i = {.value = bytes_str(value), .salt = bytes_str(salt), .seq = seq};
    dht_item_sign(&i, seed, sig);
    i.key = key;
    i.sig = sig;
    return i;
}

static int put(const struct dht_item *i, usec now)
{
    return dht_items_put(s, i, own, &from, now);
}

static const struct dht_item *get(const struct dht_item *i, usec now)
{
    uint8_t target[DHT_ID];
    dht_item_target(i, target);
    return dht_items_get(s, target, now);
}

static void forms(void **state)
{
    (void)state;
    uint8_t big[DHT_ITEM_VALUE + 2];
    char salt[DHT_ITEM_SALT + 2] = "";
    struct dht_item i;
    for (size_t n = DHT_ITEM_VALUE; n <= DHT_ITEM_VALUE + 1; n++) {
        memset(big, 'x', sizeof big);
        memcpy(big, n == DHT_ITEM_VALUE ? "996:" : "997:", 4);
        i = (struct dht_item){.value = BYTES(big, n)};
        assert_int_equal(put(&i, 0), n == DHT_ITEM_VALUE ? 0 : KRPC_TOO_BIG);
    }
    for (size_t n = DHT_ITEM_SALT; n <= DHT_ITEM_SALT + 1; n++) {
        memset(salt, 's', n);
        i = make("1:x", salt, 1);
        assert_int_equal(put(&i, 0), n == DHT_ITEM_SALT ? 0 : KRPC_SALT_TOO_BIG);
    }
    static const char *const broken[] = {"", "x", "1:xy", "d1:bi1e1:ai1ee", "i01e", "l", "5:a"};
    for (size_t k = 0; k < sizeof broken / sizeof *broken; k++) {
        i = (struct dht_item){.value = bytes_str(broken[k])};
        assert_int_equal(put(&i, 0), KRPC_PROTOCOL);
    }
    i = make("1:x", "", -1);
    assert_int_equal(put(&i, 0), KRPC_PROTOCOL);
    i = make("1:x", "", 1);
    i.sig = NULL;
    assert_int_equal(put(&i, 0), KRPC_PROTOCOL);
}

static void order(void **state)
{
    (void)state;
    struct dht_item i = make("3:one", "", 5), bad;
    assert_int_equal(put(&i, 0), 0);
    i = make("3:two", "", 4);
    assert_int_equal(put(&i, 0), KRPC_SEQ_OLD);
    i = make("3:two", "", 5);
    assert_int_equal(put(&i, 0), KRPC_SEQ_OLD);
    i = make("3:two", "", 6);
    i.has_cas = true;
    i.cas = 4;
    assert_int_equal(put(&i, 0), KRPC_CAS_MISMATCH);
    i.cas = 5;
    bad = i;
    bad.value = BYTES_LIT("3:too");
    assert_int_equal(put(&bad, 0), KRPC_BAD_SIGNATURE);
    assert_int_equal(get(&i, 0)->seq, 5);
    assert_int_equal(put(&i, 0), 0);
    assert_int_equal(get(&i, 0)->seq, 6);
    assert_true(bytes_is(get(&i, 0)->value, "3:two"));
    i = make("3:new", "other", 1);
    i.has_cas = true; /* nothing is there: it does not matter */
    i.cas = 77;
    assert_int_equal(put(&i, 0), 0);
    assert_int_equal(dht_items_count(s), 2);
}

static void expiry(void **state)
{
    (void)state;
    struct dht_item i = make("3:one", "", 5), other = {.value = BYTES_LIT("i7e")};
    assert_int_equal(put(&i, 0), 0);
    assert_int_equal(put(&other, 0), 0);
    assert_int_equal(put(&i, DHT_ITEM_TIME - 1), 0); /* the same again keeps it alive */
    assert_null(get(&other, DHT_ITEM_TIME));
    assert_non_null(get(&i, DHT_ITEM_TIME));
    dht_items_sweep(s, DHT_ITEM_TIME);
    assert_int_equal(dht_items_count(s), 1);
    i = make("3:old", "", 1); /* what has expired binds nobody */
    assert_int_equal(put(&i, 3 * DHT_ITEM_TIME), 0);
    dht_items_sweep(s, 9 * DHT_ITEM_TIME);
    assert_int_equal(dht_items_count(s), 0);
}

static void bounds(void **state)
{
    (void)state;
    char text[DHT_ITEMS + 200][24];
    unsigned n = 0, refused = 0;
    for (; n < DHT_ITEMS_PER_HOST + 1; n++) {
        snprintf(text[n], sizeof text[n], "i%ue", n);
        struct dht_item i = {.value = bytes_str(text[n])};
        assert_int_equal(put(&i, 0), n < DHT_ITEMS_PER_HOST ? 0 : KRPC_SERVER);
    }
    for (; n < DHT_ITEMS + 200; n++) {
        snprintf(text[n], sizeof text[n], "i%ue", n);
        struct dht_item i = {.value = bytes_str(text[n])};
        from.ip[3] = (uint8_t)n;
        refused += put(&i, 0) != 0;
        assert_true(dht_items_count(s) <= DHT_ITEMS);
    }
    assert_int_equal(dht_items_count(s), DHT_ITEMS);
    assert_in_range(refused, 1, 199); /* the nearer ones pushed out others */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bep44), TEST(forms), TEST(order), TEST(expiry), TEST(bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
