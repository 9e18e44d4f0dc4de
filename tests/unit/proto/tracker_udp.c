/* UDP trackers under virtual time: the timetables of BEP 15, and all that is not an answer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/proto/tracker.h>

#include <stdlib.h>

static const struct tracker_request request = {
    .info_hash = "infohash-infohash-in",
    .peer_id = "-PP0100-abcdefghijkl",
    .uploaded = 0x0102030405060708,
    .downloaded = 0x1112131415161718,
    .left = UINT64_MAX,
    .event = TRACKER_STARTED,
    .port = 6881,
    .numwant = 50,
    .key = 0xfeedbeef,
    .trackerid = "borrowed",
};

static struct rng rng;
static struct tracker_udp_cache *cache;
static struct addr v4, v6;
static uint8_t out[TRACKER_UDP_MAX_DATAGRAM];
static size_t out_n;

static int setup(void **state)
{
    (void)state;
    rng_seed(&rng, 5);
    cache = tracker_udp_cache_new();
    addr_parse_ip(&v4, "192.0.2.1", 80);
    addr_parse_ip(&v6, "2001:db8::1", 80);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tracker_udp_cache_free(cache);
    return 0;
}

static struct tracker_udp *machine(const struct addr *to, const char *path, bool scrape,
                                   unsigned tries, usec now)
{
    struct tracker_udp *t = tracker_udp_new(cache, to, path, &request, scrape, 0, tries, &rng, now);
    assert_true(addr_eq(tracker_udp_addr(t), to));
    return t;
}

static bool pull(struct tracker_udp *t, usec now)
{
    out_n = tracker_udp_pull(t, out, now);
    return out_n > 0;
}

static uint32_t action(void)
{
    return get_be32(out + 8);
}

/* An answer to the datagram in `out`: its transaction id, and n bytes behind. */
static bool answer(struct tracker_udp *t, uint32_t what, const void *body, size_t n, usec now)
{
    uint8_t d[2000];
    put_be32(d, what);
    memcpy(d + 4, out + 12, 4);
    if (n)
        memcpy(d + 8, body, n);
    return tracker_udp_feed(t, BYTES(d, 8 + n), now);
}

static void expect_connect(struct tracker_udp *t, usec now)
{
    assert_true(pull(t, now));
    assert_int_equal(out_n, 16);
    assert_memory_equal(out, "\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0", 12);
}

static void expect_action(struct tracker_udp *t, uint32_t what, const char *id, usec now)
{
    assert_true(pull(t, now));
    assert_memory_equal(out, id, 8);
    assert_int_equal(action(), what);
}

static void connect_now(struct tracker_udp *t, const char *id, usec now)
{
    expect_connect(t, now);
    assert_true(answer(t, 0, id, 8, now));
}

static int result(struct tracker_udp *t, struct tracker_answer *a, const char *says)
{
    struct err e = {0};
    int r = tracker_udp_result(t, a, &e);
    if (r < 0) {
        assert_int_equal(e.code, r);
        assert_non_null(strstr(e.msg, says));
    }
    return r;
}

#define ID "connecID"

static void announce(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "", false, 5, 1000);
    assert_int_equal(tracker_udp_deadline(t), 1000);
    assert_false(pull(t, 999));
    connect_now(t, ID, 1000);
    uint32_t first = get_be32(out + 12);
    assert_int_equal(tracker_udp_deadline(t), 1000); /* at once */
    expect_action(t, 1, ID, 1000);
    assert_int_equal(out_n, 98);
    assert_int_not_equal(get_be32(out + 12), first);
    assert_memory_equal(out + 16, request.info_hash, 20);
    assert_memory_equal(out + 36, request.peer_id, 20);
    assert_memory_equal(out + 56, "\x11\x12\x13\x14\x15\x16\x17\x18", 8);
    assert_memory_equal(out + 64, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_memory_equal(out + 72, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_memory_equal(out + 80, "\0\0\0\x02\0\0\0\0\xfe\xed\xbe\xef\0\0\0\x32\x1a\xe1", 18);
    assert_false(pull(t, 1000));
    assert_int_equal(result(t, &a, ""), 0);
    assert_true(answer(
        t, 1, "\0\0\x07\x08\0\0\0\x03\0\0\0\x04\x01\x02\x03\x04\x1a\xe1\x05\x06\x07\x08\0\x01\x09",
        25, 2000));
    assert_int_equal(tracker_udp_deadline(t), 2000);
    assert_int_equal(result(t, &a, ""), 1);
    assert_int_equal(a.interval, 1800 * USEC_SEC);
    assert_int_equal(a.leechers, 3);
    assert_int_equal(a.seeds, 4);
    assert_int_equal(a.downloaded, -1);
    assert_int_equal(a.n_peers, 2); /* the odd byte behind is of the future */
    struct addr want;
    addr_parse(&want, "1.2.3.4:6881");
    assert_true(addr_eq(&a.peers[0], &want));
    assert_null(a.trackerid);
    assert_int_equal(tracker_udp_deadline(t), USEC_NEVER);
    assert_false(pull(t, USEC_NEVER - 1));
    assert_true(answer(t, 3, "late", 4, 3000)); /* changes nothing any more */
    assert_int_equal(result(t, &a, ""), 1);
    tracker_udp_free(t);
    tracker_udp_free(NULL);
}

static void announce_v6(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v6, "", false, 5, 0);
    connect_now(t, ID, 0);
    expect_action(t, 1, ID, 0);
    uint8_t body[12 + 18 * 2] = {[3] = 60};
    body[12] = 0x20;
    body[12 + 17] = 9;
    body[30] = 0x20;
    body[30 + 17] = 8;
    assert_true(answer(t, 1, body, sizeof body, 0));
    assert_int_equal(result(t, &a, ""), 1);
    assert_int_equal(a.n_peers, 2);
    assert_int_equal(a.peers[1].family, 6);
    assert_int_equal(a.peers[1].port, 8);
    assert_int_equal(a.interval, 60 * USEC_SEC);
    tracker_udp_free(t);
}

static void peers_past_the_limit(void **state)
{
    (void)state;
    struct tracker_answer a;
    uint8_t body[12 + 6 * 300];
    memset(body, 1, sizeof body);
    memset(body + 4, 0xff, 8);
    struct tracker_udp *t = machine(&v4, "", false, 5, 0);
    connect_now(t, ID, 0);
    expect_action(t, 1, ID, 0);
    assert_true(answer(t, 1, body, sizeof body, 0));
    assert_int_equal(result(t, &a, ""), 1);
    assert_int_equal(a.n_peers, TRACKER_MAX_PEERS);
    assert_int_equal(a.interval, TRACKER_MAX_INTERVAL);
    assert_int_equal(a.leechers, -1);
    assert_int_equal(a.seeds, -1);
    tracker_udp_free(t);
}

static void scrape(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "/announce", true, 5, 0);
    connect_now(t, ID, 0);
    expect_action(t, 2, ID, 0);
    assert_int_equal(out_n, 36);
    assert_memory_equal(out + 16, request.info_hash, 20);
    assert_true(answer(t, 2, "\0\0\0\x01\0\0\0\x02\0\0\0", 11, 0)); /* short of an entry */
    assert_int_equal(result(t, &a, ""), 0);
    assert_true(answer(t, 2, "\0\0\0\x01\0\0\0\x02\0\0\0\x03", 12, 0));
    assert_int_equal(result(t, &a, ""), 1);
    assert_int_equal(a.seeds, 1);
    assert_int_equal(a.downloaded, 2);
    assert_int_equal(a.leechers, 3);
    tracker_udp_free(t);
}

/* BEP 41: the first of its examples, then paths around the 255 bytes of an option. */
static void url_data(void **state)
{
    (void)state;
    struct tracker_udp *t = machine(&v4, "/dir?a=b&c=d#e", false, 5, 0);
    connect_now(t, ID, 0);
    expect_action(t, 1, ID, 0);
    assert_int_equal(out_n, 98 + 14);
    assert_memory_equal(out + 98, "\x02\x0c/dir?a=b&c=d", 14);
    tracker_udp_free(t);
    static const size_t lengths[] = {255, 256, 510, 511, 1275, 1286};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char path[2000];
        for (size_t k = 0; k < lengths[i]; k++)
            path[k] = (char)('a' + k % 26);
        path[lengths[i]] = '\0';
        t = machine(&v4, path, false, 5, 0);
        expect_action(t, 1, ID, 0);
        struct buf got = {0};
        for (size_t at = 98; at < out_n; at += 2 + out[at + 1]) {
            assert_int_equal(out[at], 2);
            buf_put(&got, out + at + 2, out[at + 1]);
        }
        assert_true(bytes_is(buf_bytes(&got), path));
        buf_fini(&got);
        tracker_udp_free(t);
    }
}

static void url_too_long(void **state)
{
    (void)state;
    struct tracker_answer a;
    static const size_t lengths[] = {1287, 100000};
    for (size_t i = 0; i < 2; i++) {
        char *path = mem_zero(lengths[i] + 1);
        memset(path, 'a', lengths[i]);
        struct tracker_udp *t = machine(&v4, path, false, 5, 0);
        assert_false(pull(t, 0));
        assert_int_equal(tracker_udp_deadline(t), 0); /* somebody must come and ask */
        assert_int_equal(result(t, &a, "too long"), ERR_NET);
        assert_int_equal(tracker_udp_deadline(t), USEC_NEVER);
        tracker_udp_free(t);
        free(path);
    }
}

static void errors(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "", false, 5, 0);
    expect_connect(t, 0);
    assert_true(answer(t, 3, "too \x1b many", 10, 0)); /* to a connect too */
    assert_int_equal(result(t, &a, "too \\x1b many"), ERR_NET);
    assert_int_equal(tracker_udp_deadline(t), USEC_NEVER);
    tracker_udp_free(t);
    t = machine(&v4, "", false, 5, 2 * USEC_SEC);
    connect_now(t, ID, 2 * USEC_SEC);
    expect_action(t, 1, ID, 2 * USEC_SEC);
    assert_true(answer(t, 3, NULL, 0, 0));
    assert_int_equal(result(t, &a, "without a reason"), ERR_NET);
    assert_false(pull(t, 100 * USEC_SEC));
    tracker_udp_free(t);
}

static void foreign_and_broken(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "", false, 5, 0);
    /* before a word was said */
    assert_false(tracker_udp_feed(t, BYTES_LIT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 0));
    expect_connect(t, 0);
    assert_false(tracker_udp_feed(t, BYTES(NULL, 0), 0));
    assert_false(tracker_udp_feed(t, BYTES("\0\0\0\0\0\0\0", 7), 0));
    out[12] ^= 1;
    assert_false(answer(t, 0, ID, 8, 0));
    assert_false(answer(t, 3, "error", 5, 0));
    out[12] ^= 1;
    assert_true(answer(t, 0, ID, 7, 0));  /* short */
    assert_true(answer(t, 1, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, 0)); /* not what was asked */
    assert_true(answer(t, 0xffffffff, ID, 8, 0));
    assert_true(answer(t, 4, ID, 8, 0));
    assert_false(pull(t, 1));
    assert_int_equal(result(t, &a, ""), 0);
    assert_true(answer(t, 0, ID, 8, 1));
    expect_action(t, 1, ID, 1);
    assert_true(answer(t, 1, "\0\0\0\0\0\0\0\0\0\0\0", 11, 1)); /* short */
    assert_true(answer(t, 0, ID, 8, 1)); /* a connect under the new transaction */
    assert_int_equal(result(t, &a, ""), 0);
    assert_true(answer(t, 1, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, 1));
    assert_int_equal(result(t, &a, ""), 1);
    assert_int_equal(a.n_peers, 0);
    assert_int_equal(a.interval, TRACKER_MIN_INTERVAL);
    tracker_udp_free(t);
}

/* When the next datagram goes out, in seconds; fails if the machine did not name that moment. */
static unsigned next_at(struct tracker_udp *t)
{
    usec at = tracker_udp_deadline(t);
    assert_false(pull(t, at - 1));
    assert_true(pull(t, at));
    return (unsigned)(at / USEC_SEC);
}

/* The example "connect times out". */
static void silent_connect(void **state)
{
    (void)state;
    static const unsigned at[] = {0, 15, 45, 105, 225, 465, 945, 1905, 3825, 7665, 11505};
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "", false, 11, 0);
    uint32_t transaction = 0;
    for (size_t i = 0; i < 11; i++) {
        assert_int_equal(result(t, &a, ""), 0);
        assert_int_equal(next_at(t), at[i]);
        assert_int_equal(action(), 0);
        if (i)
            assert_int_equal(get_be32(out + 12), transaction); /* a late answer still counts */
        transaction = get_be32(out + 12);
    }
    usec end = tracker_udp_deadline(t);
    assert_int_equal(end, (usec)(11505 + 3840) * USEC_SEC);
    assert_false(pull(t, end));
    assert_int_equal(tracker_udp_deadline(t), end);
    assert_int_equal(result(t, &a, "did not answer"), ERR_NET);
    assert_int_equal(tracker_udp_deadline(t), USEC_NEVER);
    tracker_udp_free(t);
}

/* The example "announce times out": the id expires on the way. */
static void silent_announce(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "", false, 9, 0);
    expect_connect(t, 0);
    assert_true(answer(t, 0, ID, 8, USEC_SEC));
    assert_int_equal(tracker_udp_deadline(t), USEC_SEC);
    static const struct {
        unsigned at, action;
    } then[] = {{2, 1}, {17, 1}, {47, 1}, {107, 0}, {227, 0}};
    assert_true(pull(t, 2 * USEC_SEC)); /* the example takes a second to go on */
    for (size_t i = 0; i < 5; i++) {
        if (i)
            assert_int_equal(next_at(t), then[i].at);
        assert_int_equal(action(), then[i].action);
    }
    assert_true(answer(t, 0, "newconID", 8, 228 * USEC_SEC));
    expect_action(t, 1, "newconID", 228 * USEC_SEC);
    assert_int_equal(tracker_udp_deadline(t), (228 + 240) * USEC_SEC); /* the silence goes on */
    assert_true(answer(t, 1, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, 230 * USEC_SEC));
    assert_int_equal(result(t, &a, ""), 1);
    tracker_udp_free(t);
}

static void waits_begin_anew_after_connect(void **state)
{
    (void)state;
    struct tracker_udp *t = machine(&v4, "", false, 9, 0);
    expect_connect(t, 0);
    expect_connect(t, 15 * USEC_SEC);
    assert_true(answer(t, 0, ID, 8, 20 * USEC_SEC));
    expect_action(t, 1, ID, 20 * USEC_SEC);
    assert_int_equal(tracker_udp_deadline(t), 35 * USEC_SEC);
    tracker_udp_free(t);
}

/* A tracker that connects but never answers comes to an end as well. */
static void tries_are_counted_together(void **state)
{
    (void)state;
    struct tracker_answer a;
    for (unsigned tries = 0; tries < 6; tries++) {
        struct tracker_udp *t = tracker_udp_new(cache, &v4, "", &request, false, USEC_SEC, tries,
                                                &rng, tries * 10000 * USEC_SEC);
        unsigned sent = 0;
        while (result(t, &a, "did not answer") == 0) {
            usec now = tracker_udp_deadline(t);
            assert_true(now < USEC_NEVER);
            if (!pull(t, now))
                continue;
            if (action() == 0)
                answer(t, 0, ID, 8, now);
            else
                sent++;
        }
        assert_int_equal(sent, tries ? tries : 1);
        tracker_udp_free(t);
    }
}

static void short_first_wait(void **state)
{
    (void)state;
    static const usec at[] = {0, 3, 9, 21, 45};
    struct tracker_udp *t =
        tracker_udp_new(cache, &v4, "", &request, false, 3 * USEC_SEC, 9, &rng, 0);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(next_at(t), at[i]);
    tracker_udp_free(t);
    /* never longer */
    t = tracker_udp_new(cache, &v6, "", &request, false, 300 * USEC_SEC, 9, &rng, 0);
    assert_true(pull(t, 0));
    assert_int_equal(tracker_udp_deadline(t), 15 * USEC_SEC);
    tracker_udp_free(t);
}

static void id_serves_a_minute(void **state)
{
    (void)state;
    struct tracker_udp *t = machine(&v4, "", false, 5, 0);
    connect_now(t, ID, 0);
    tracker_udp_free(t);
    t = machine(&v4, "", true, 5, 60 * USEC_SEC - 1);
    expect_action(t, 2, ID, 60 * USEC_SEC - 1);
    tracker_udp_free(t);
    t = machine(&v6, "", false, 5, 1); /* another address */
    expect_connect(t, 1);
    tracker_udp_free(t);
    t = machine(&v4, "", false, 5, 60 * USEC_SEC);
    expect_connect(t, 60 * USEC_SEC);
    tracker_udp_free(t);
}

static void one_connect_for_many(void **state)
{
    (void)state;
    struct tracker_udp *t[20];
    unsigned connects = 0;
    for (size_t i = 0; i < 20; i++) {
        t[i] = machine(&v4, "", false, 5, 0);
        if (i == 0) {
            expect_connect(t[0], 0);
            connects++;
        } else {
            connects += pull(t[i], 0);
            assert_true(tracker_udp_deadline(t[i]) <= 100 * USEC_MS);
        }
    }
    assert_int_equal(connects, 1);
    struct tracker_udp *again = machine(&v4, "", false, 5, 0);
    assert_false(pull(again, 0));
    memset(out, 0, sizeof out);
    assert_false(answer(again, 0, ID, 8, 0)); /* it has asked nothing */
    tracker_udp_free(again);
    for (size_t i = 0; i < 20; i++)
        tracker_udp_free(t[i]);
}

static void others_go_on_when_it_is_there(void **state)
{
    (void)state;
    struct tracker_udp *a = machine(&v4, "", false, 5, 0), *b = machine(&v4, "", false, 5, 0);
    expect_connect(a, 0);
    assert_false(pull(b, 0));
    assert_true(answer(a, 0, ID, 8, 50 * USEC_MS));
    expect_action(a, 1, ID, 50 * USEC_MS);
    assert_true(tracker_udp_deadline(b) > 50 * USEC_MS);
    expect_action(b, 1, ID, 50 * USEC_MS); /* who looks does not wait for the deadline */
    assert_false(pull(b, 60 * USEC_MS));
    tracker_udp_free(a);
    tracker_udp_free(b);
}

/* The first datagram was lost, or its machine is gone: nobody waits more than a second for it. */
static void nobody_waits_long(void **state)
{
    (void)state;
    struct tracker_udp *a = machine(&v4, "", false, 5, 0), *t[10];
    expect_connect(a, 0);
    tracker_udp_free(a);
    for (size_t i = 0; i < 10; i++)
        t[i] = machine(&v4, "", false, 5, 0);
    for (size_t i = 0; i < 10; i++) {
        unsigned pulls = 0;
        while (!pull(t[i], tracker_udp_deadline(t[i])))
            assert_true(++pulls < 20);
        assert_int_equal(action(), 0);
        assert_true(tracker_udp_deadline(t[i]) <= 16 * USEC_SEC);
        tracker_udp_free(t[i]);
    }
}

/* A tracker that was started again refuses ids that others got before. */
static void refused_id_is_renewed_once(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct tracker_udp *t = machine(&v4, "", false, 5, 0);
    connect_now(t, ID, 0);
    expect_action(t, 1, ID, 0);
    assert_true(answer(t, 3, "Connection ID missmatch.", 24, 0)); /* its own: no second try */
    assert_int_equal(result(t, &a, "Connection ID"), ERR_NET);
    tracker_udp_free(t);
    t = machine(&v4, "", false, 5, 1);
    expect_action(t, 1, ID, 1);
    assert_true(answer(t, 3, "unregistered", 12, 1));
    assert_int_equal(result(t, &a, "unregistered"), ERR_NET);
    tracker_udp_free(t);
    t = machine(&v4, "", false, 5, 2);
    expect_action(t, 1, ID, 2);
    assert_true(answer(t, 3, "bad connection id", 17, 2));
    assert_int_equal(result(t, &a, ""), 0);
    connect_now(t, "freshnew", 2);
    expect_action(t, 1, "freshnew", 2);
    assert_true(answer(t, 3, "bad connection id", 17, 2));
    assert_int_equal(result(t, &a, "bad connection id"), ERR_NET);
    tracker_udp_free(t);
}

static void cache_is_bounded(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        struct addr to = {.family = 4, .port = (uint16_t)(1 + i), .ip = {10, 0, 0, 1}};
        struct tracker_udp *t = machine(&to, "", false, 5, i);
        connect_now(t, ID, i);
        expect_action(t, 1, ID, i);
        tracker_udp_free(t);
    }
    struct addr to = {.family = 4, .port = 1000, .ip = {10, 0, 0, 1}};
    struct tracker_udp *t = machine(&to, "", false, 5, 1000);
    expect_action(t, 1, ID, 1000); /* the last ones are known still */
    tracker_udp_free(t);
    to.port = 1;
    t = machine(&to, "", false, 5, 1000);
    expect_connect(t, 1000);
    tracker_udp_free(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(announce),
        TEST(announce_v6),
        TEST(peers_past_the_limit),
        TEST(scrape),
        TEST(url_data),
        TEST(url_too_long),
        TEST(errors),
        TEST(foreign_and_broken),
        TEST(silent_connect),
        TEST(silent_announce),
        TEST(waits_begin_anew_after_connect),
        TEST(tries_are_counted_together),
        TEST(short_first_wait),
        TEST(id_serves_a_minute),
        TEST(one_connect_for_many),
        TEST(others_go_on_when_it_is_there),
        TEST(nobody_waits_long),
        TEST(refused_id_is_renewed_once),
        TEST(cache_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
