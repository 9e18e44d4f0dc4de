/* Answers of HTTP trackers: the good, the sloppy, and what is none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/format/bencode.h>
#include <p2p/proto/tracker.h>

#include <stdlib.h>

static struct tracker_answer answer; /* of the last good() */

static void good(struct bytes body)
{
    struct err e = {0};
    free(answer.trackerid);
    assert_int_equal(tracker_http_parse(&answer, body, &e), 0);
    assert_int_equal(e.code, 0);
}

#define GOOD(lit) good(BYTES_LIT(lit))

static void bad(struct bytes body, const char *says)
{
    struct tracker_answer a;
    struct err e = {0};
    assert_int_equal(tracker_http_parse(&a, body, &e), ERR_NET);
    assert_int_equal(e.code, ERR_NET);
    if (!strstr(e.msg, says))
        fail_msg("\"%s\" does not say \"%s\"", e.msg, says);
    assert_null(a.trackerid);
    assert_int_equal(a.n_peers, 0);
}

static void peer_is(size_t i, const char *text)
{
    char got[ADDR_TEXT];
    assert_true(i < answer.n_peers);
    addr_text(&answer.peers[i], got);
    assert_string_equal(got, text);
}

static void compact(void **state)
{
    (void)state;
    GOOD("d8:intervali1800e5:peers12:\x01\x02\x03\x04\x1a\xe1\x7f\0\0\x01\0\x01" "e");
    assert_int_equal(answer.n_peers, 2);
    peer_is(0, "1.2.3.4:6881");
    peer_is(1, "127.0.0.1:1");
    assert_int_equal(answer.interval, 1800 * USEC_SEC);
    assert_int_equal(answer.min_interval, 0);
    assert_int_equal(answer.seeds, -1);
    assert_int_equal(answer.leechers, -1);
    assert_int_equal(answer.downloaded, -1);
    assert_int_equal(answer.external.family, 0);
    assert_null(answer.trackerid);
    assert_string_equal(answer.warning, "");
}

/* The example of BEP 7. */
static void compact6(void **state)
{
    (void)state;
    GOOD("d8:intervali1800e5:peers6:iiiipp6:peers618:iiiiiiiiiiiiiiiippe");
    assert_int_equal(answer.n_peers, 2);
    peer_is(0, "105.105.105.105:28784");
    peer_is(1, "[6969:6969:6969:6969:6969:6969:6969:6969]:28784");
}

static void sloppy_compact(void **state)
{
    (void)state;
    GOOD("d5:peers0:e");
    assert_int_equal(answer.n_peers, 0);
    GOOD("de");
    assert_int_equal(answer.n_peers, 0);
    assert_int_equal(answer.interval, 30 * USEC_MIN);
    GOOD("d5:peers8:\x01\x02\x03\x04\x1a\xe1\x7f\0e"); /* a broken end */
    assert_int_equal(answer.n_peers, 1);
    GOOD("d5:peers12:\x01\x02\x03\x04\0\0\x7f\0\0\x01\0\x01" "e"); /* port 0 */
    assert_int_equal(answer.n_peers, 1);
    GOOD("d5:peersi5e6:peers6lee");
    assert_int_equal(answer.n_peers, 0);
}

static void dictionaries(void **state)
{
    (void)state;
    GOOD("d8:intervali60e5:peersl"
         "d2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881ee"
         "d2:ip11:2001:db8::14:porti2ee"
         "d2:ip11:example.com4:porti3ee"      /* a name */
         "d2:ip7:1.2.3.44:porti0ee"           /* no port */
         "d2:ip7:1.2.3.44:porti65536ee"
         "d2:ip7:1.2.3.44:porti-1ee"
         "d2:ip7:1.2.3.4e"
         "d4:porti5ee"
         "i5e"
         "d2:ip8:1.2.3.4\0" "4:porti5ee"
         "d2:ip70:11111111111111111111111111111111111111111111111111111111111111111111114:porti5ee"
         "d4:porti65535e2:ip7:4.3.2.1e"       /* out of order */
         "ee");
    assert_int_equal(answer.n_peers, 3);
    peer_is(0, "1.2.3.4:6881");
    peer_is(1, "[2001:db8::1]:2");
    peer_is(2, "4.3.2.1:65535");
}

/* n4 and n6 peers are told: how many of each are kept? */
static void share_is(size_t n4, size_t n6, size_t want4, size_t want6)
{
    struct buf b = {0};
    uint8_t *peers = mem_alloc(18 * 1000);
    memset(peers, 7, 18 * 1000);
    bencode_put_dict(&b);
    bencode_put_key_str(&b, "peers", BYTES(peers, 6 * n4));
    bencode_put_key_str(&b, "peers6", BYTES(peers, 18 * n6));
    bencode_put_end(&b);
    good(buf_bytes(&b));
    size_t got4 = 0;
    for (size_t i = 0; i < answer.n_peers; i++)
        got4 += answer.peers[i].family == 4;
    assert_int_equal(got4, want4);
    assert_int_equal(answer.n_peers - got4, want6);
    free(peers);
    buf_fini(&b);
}

static void limit_of_peers(void **state)
{
    (void)state;
    share_is(200, 0, 200, 0);
    share_is(201, 0, 200, 0);
    share_is(1000, 0, 200, 0);
    share_is(1000, 10, 190, 10);
    share_is(1000, 1000, 100, 100);
    share_is(5, 1000, 5, 195);
    struct buf b = {0};
    buf_put_str(&b, "d5:peersl");
    for (size_t i = 0; i < 500; i++)
        buf_put_str(&b, "d2:ip7:1.2.3.44:porti5ee");
    buf_put_str(&b, "ee");
    good(buf_bytes(&b));
    assert_int_equal(answer.n_peers, TRACKER_MAX_PEERS);
    buf_fini(&b);
}

static void fields(void **state)
{
    (void)state;
    GOOD("d8:completei11e10:downloadedi13772e11:external ip4:\x01\x02\x03\x04"
         "10:incompletei19e8:intervali900e"
         "12:min intervali300e5:peers0:10:tracker id3:a&b15:warning message5:be \x1b!e");
    assert_int_equal(answer.seeds, 11);
    assert_int_equal(answer.leechers, 19);
    assert_int_equal(answer.downloaded, 13772);
    assert_int_equal(answer.interval, 900 * USEC_SEC);
    assert_int_equal(answer.min_interval, 300 * USEC_SEC);
    assert_string_equal(answer.trackerid, "a&b");
    assert_string_equal(answer.warning, "be \\x1b!");
    struct addr want;
    addr_parse_ip(&want, "1.2.3.4", 0);
    assert_true(addr_eq(&answer.external, &want));
    GOOD("d11:external ip16:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" "8:completei-1ee");
    addr_parse_ip(&want, "2001:db8::1", 0);
    assert_true(addr_eq(&answer.external, &want));
    assert_int_equal(answer.seeds, -1);
    GOOD("d11:external ip7:1.2.3.410:tracker id3:a\0b8:complete1:5e");
    assert_int_equal(answer.external.family, 0);
    assert_null(answer.trackerid);
    assert_int_equal(answer.seeds, -1);
}

static void intervals_are_clamped(void **state)
{
    (void)state;
    GOOD("d8:intervali0e12:min intervali0ee");
    assert_int_equal(answer.interval, TRACKER_MIN_INTERVAL);
    assert_int_equal(answer.min_interval, 0);
    GOOD("d8:intervali59e12:min intervali1ee");
    assert_int_equal(answer.interval, TRACKER_MIN_INTERVAL);
    assert_int_equal(answer.min_interval, TRACKER_MIN_INTERVAL);
    GOOD("d8:intervali61ee");
    assert_int_equal(answer.interval, 61 * USEC_SEC);
    GOOD("d8:intervali21600ee");
    assert_int_equal(answer.interval, TRACKER_MAX_INTERVAL);
    GOOD("d8:intervali21601e12:min intervali9223372036854775807ee");
    assert_int_equal(answer.interval, TRACKER_MAX_INTERVAL);
    assert_int_equal(answer.min_interval, TRACKER_MAX_INTERVAL);
    GOOD("d8:intervali-5e12:min intervali-5ee");
    assert_int_equal(answer.interval, 30 * USEC_MIN);
    assert_int_equal(answer.min_interval, 0);
}

static void long_texts(void **state)
{
    (void)state;
    struct buf b = {0};
    char text[600];
    memset(text, 'w', sizeof text);
    bencode_put_dict(&b);
    bencode_put_key_str(&b, "tracker id", BYTES(text, 512));
    bencode_put_key_str(&b, "warning message", BYTES(text, 600));
    bencode_put_end(&b);
    good(buf_bytes(&b));
    assert_int_equal(strlen(answer.trackerid), 512);
    assert_int_equal(strlen(answer.warning), sizeof answer.warning - 1);
    buf_clear(&b);
    bencode_put_dict(&b);
    bencode_put_key_str(&b, "tracker id", BYTES(text, 513));
    bencode_put_end(&b);
    good(buf_bytes(&b));
    assert_null(answer.trackerid);
    buf_fini(&b);
}

static void sloppy_documents(void **state)
{
    (void)state;
    GOOD("d5:peers0:8:intervali0900ee"); /* unsorted, leading zero */
    assert_int_equal(answer.interval, 900 * USEC_SEC);
    GOOD("\r\n d8:intervali900ee\r\n");
    GOOD("\xef\xbb\xbf" "d8:intervali900ee<!-- cached -->");
    assert_int_equal(answer.interval, 900 * USEC_SEC);
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
        usec retry;
    } cases[] = {
        {"d14:failure reason10:Overloaded8:retry in1:5e", "Overloaded", 5 * USEC_MIN},
        {"d14:failure reason13:Not a tracker8:retry in5:nevere", "Not a tracker", USEC_NEVER},
        {"d14:failure reason2:no8:retry ini7ee", "no", 7 * USEC_MIN},
        {"d14:failure reason2:no8:retry ini0ee", "no", 0},
        {"d14:failure reason2:no8:retry ini-7ee", "no", 0},
        {"d14:failure reason2:no8:retry in4:soone", "no", 0},
        {"d14:failure reason2:no8:retry in0:e", "no", 0},
        {"d14:failure reason2:no8:retry ini9223372036854775807ee", "no", 30 * 24 * 60 * USEC_MIN},
        {"d14:failure reason2:noe", "no", 0},
        {"d14:failure reason0:e", "without a reason", 0},
        {"d14:failure reason4:a\nb\x1b" "e", "a\\x0ab\\x1b", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tracker_answer a;
        struct err e = {0};
        bad(bytes_str(cases[i].body), cases[i].says);
        assert_int_equal(tracker_http_parse(&a, bytes_str(cases[i].body), &e), ERR_NET);
        assert_int_equal(a.retry_in, cases[i].retry);
    }
    GOOD("d8:retry in5:nevere"); /* means nothing without a failure */
    assert_int_equal(answer.retry_in, 0);
}

static void not_answers(void **state)
{
    (void)state;
    bad(BYTES_LIT("<html><body>404</body></html>"), "answered a web page instead of an announce");
    bad(BYTES_LIT("\r\n  <!DOCTYPE html>"), "web page");
    bad(BYTES_LIT("\xef\xbb\xbf<?xml"), "web page");
    bad(BYTES(NULL, 0), "answered nothing");
    bad(BYTES_LIT(" \r\n\t"), "answered nothing");
    bad(BYTES_LIT("le"), "no announce");
    bad(BYTES_LIT("i5e"), "no announce");
    bad(BYTES_LIT("Service unavailable"), "no announce");
    bad(BYTES_LIT("d8:interval"), "no announce");
    bad(BYTES_LIT("d5:peers99999999:abce"), "no announce");
    bad(BYTES_LIT("d5:peers18446744073709551617:abce"), "no announce");
}

static void size_and_tokens(void **state)
{
    (void)state;
    struct buf b = {0};
    buf_put_str(&b, "d5:peersl");
    while (buf_len(&b) < TRACKER_MAX_BODY - 2)
        buf_put_str(&b, "0:");
    buf_put_str(&b, "ee");
    bad(buf_bytes(&b), "answered");
    buf_clear(&b);
    buf_put_str(&b, "d8:intervali900e5:peers");
    size_t rest = TRACKER_MAX_BODY - buf_len(&b) - 8 - 1; /* its length is 7 digits and a colon */
    buf_putf(&b, "%zu:", rest);
    memset(buf_room(&b, rest), 9, rest);
    buf_added(&b, rest);
    buf_put_str(&b, "e");
    while (buf_len(&b) < TRACKER_MAX_BODY)
        buf_put_u8(&b, '\n');
    assert_int_equal(buf_len(&b), TRACKER_MAX_BODY);
    good(buf_bytes(&b));
    assert_int_equal(answer.n_peers, TRACKER_MAX_PEERS);
    buf_put_u8(&b, '\n');
    bad(buf_bytes(&b), "more than");
    buf_clear(&b);
    for (size_t i = 0; i < 500000; i++)
        buf_put_u8(&b, i ? 'l' : 'd');
    bad(buf_bytes(&b), "no announce");
    buf_fini(&b);
}

/* The example of BEP 48. */
static const char scraped[] =
    "d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19ee"
    "20:yyyyyyyyyyyyyyyyyyyyd8:completei21e10:downloadedi206e10:incompletei20eeee";

static int scrape(struct tracker_answer *a, const char *hash, const char *body, struct err *e)
{
    return tracker_http_parse_scrape(a, (const uint8_t *)hash, bytes_str(body), e);
}

static void scrapes(void **state)
{
    (void)state;
    struct tracker_answer a;
    struct err e = {0};
    assert_int_equal(scrape(&a, "yyyyyyyyyyyyyyyyyyyy", scraped, &e), 0);
    assert_int_equal(a.seeds, 21);
    assert_int_equal(a.leechers, 20);
    assert_int_equal(a.downloaded, 206);
    assert_int_equal(scrape(&a, "xxxxxxxxxxxxxxxxxxxx", scraped, &e), 0);
    assert_int_equal(a.seeds, 11);
    assert_int_equal(scrape(&a, "zzzzzzzzzzzzzzzzzzzz", scraped, &e), ERR_NOTFOUND);
    assert_int_equal(a.seeds, -1);
    err_clear(&e);
    assert_int_equal(
        scrape(&a, "zzzzzzzzzzzzzzzzzzzz", "d14:failure reason6:privat8:retry in1:2e", &e),
        ERR_NET);
    assert_string_equal(e.msg, "privat");
    assert_int_equal(a.retry_in, 2 * USEC_MIN);
    static const char *const none[] = {
        "", "<html>", "de", "d5:filesi5ee", "d5:filesle", "d5:filesd20:zzzzzzzzzzzzzzzzzzzz"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(scrape(&a, "zzzzzzzzzzzzzzzzzzzz", none[i], NULL), ERR_NET);
    assert_int_equal(
        scrape(&a, "zzzzzzzzzzzzzzzzzzzz", "d5:filesd20:zzzzzzzzzzzzzzzzzzzzi5eee", NULL),
        ERR_NOTFOUND);
    assert_int_equal(
        scrape(&a, "zzzzzzzzzzzzzzzzzzzz", "d5:filesd20:zzzzzzzzzzzzzzzzzzzzdeee", NULL), 0);
    assert_int_equal(a.seeds, -1);
}

static int forget(void **state)
{
    (void)state;
    free(answer.trackerid);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compact),
        cmocka_unit_test(compact6),
        cmocka_unit_test(sloppy_compact),
        cmocka_unit_test(dictionaries),
        cmocka_unit_test(limit_of_peers),
        cmocka_unit_test(fields),
        cmocka_unit_test(intervals_are_clamped),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(sloppy_documents),
        cmocka_unit_test(refusals),
        cmocka_unit_test(not_answers),
        cmocka_unit_test(size_and_tokens),
        cmocka_unit_test(scrapes),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
