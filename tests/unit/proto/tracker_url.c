/* Tracker URLs taken apart, and announce and scrape URLs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/proto/tracker.h>

#include <stdlib.h>

static void splits(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        char kind;
        bool tls;
        const char *host;
        uint16_t port;
        const char *path;
    } good[] = {
        {"udp://tracker.example.com:80/dir?a=b&c=d", 'u', false, "tracker.example.com", 80,
         "/dir?a=b&c=d"},
        {"udp://tracker.example.com:80", 'u', false, "tracker.example.com", 80, ""},
        {"UDP://h:1?x", 'u', false, "h", 1, "?x"},
        {"udp://[::1]:65535/announce", 'u', false, "::1", 65535, "/announce"},
        {"http://h/announce", 'h', false, "h", 80, "/announce"},
        {"https://h/announce", 'h', true, "h", 443, "/announce"},
        {"HtTpS://user:p%40ss@h:8443/a@b:c", 'h', true, "h", 8443, "/a@b:c"},
        {"http://h:/x", 'h', false, "h", 80, "/x"},
        {"http://[2001:db8::2]", 'h', false, "2001:db8::2", 80, ""},
        {"http://h#frag/ment", 'h', false, "h", 80, ""},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct tracker_url u;
        assert_int_equal(tracker_url_parse(&u, good[i].url, NULL), 0);
        assert_int_equal(u.kind, good[i].kind);
        assert_int_equal(u.tls, good[i].tls);
        assert_string_equal(u.host, good[i].host);
        assert_int_equal(u.port, good[i].port);
        assert_string_equal(u.path, good[i].path);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "h", "udp:", "udp://", "udp://h", "udp://h/announce", "udp://h:0", "udp://h:65536",
        "udp://h:99999999999999999999", "udp://h:80a", "udp://:80", "udp://[::1", "udp://[::1]80",
        "udp://[]:80", "wss://h:1", "ftp://h/announce", "file:///etc/x", "http://",
        "http:///announce", "http://h:x/", "http://a b/", "http://a\\b/", "http://a\r\nX: y/",
        "http://user@/", "http://h:-1/", "httpx://h/", " http://h/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tracker_url u;
        struct err e = {0};
        assert_int_equal(tracker_url_parse(&u, bad[i], &e), ERR_INVALID);
        assert_int_equal(e.code, ERR_INVALID);
        assert_int_equal(u.kind, 0);
    }
}

static void host_length(void **state)
{
    (void)state;
    char url[400] = "udp://";
    struct tracker_url u;
    memset(url + 6, 'a', 255);
    strcpy(url + 6 + 255, ":1");
    assert_int_equal(tracker_url_parse(&u, url, NULL), 0);
    assert_int_equal(strlen(u.host), 255);
    memset(url + 6, 'a', 256);
    strcpy(url + 6 + 256, ":1");
    assert_int_equal(tracker_url_parse(&u, url, NULL), ERR_INVALID);
}

static const struct tracker_request plain = {
    .info_hash = "\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a",
    .peer_id = "-PP0100-abcdefghijkl",
    .uploaded = 1, .downloaded = UINT64_MAX, .left = 3, .port = 6881, .numwant = 50, .key = 0xbeef,
};

#define HASH "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A"
#define QUERY                                                                \
    HASH "&peer_id=-PP0100-abcdefghijkl&port=6881&uploaded=1"                \
         "&downloaded=18446744073709551615&left=3&compact=1&no_peer_id=1"    \
         "&numwant=50&key=0000BEEF"

static void announce_is(const char *url, const struct tracker_request *r, const char *want)
{
    struct buf b = {0};
    assert_int_equal(tracker_http_announce(&b, url, r, NULL), 0);
    char *got = buf_take_str(&b);
    assert_string_equal(got, want);
    free(got);
}

static void announces(void **state)
{
    (void)state;
    announce_is("http://h/announce", &plain, "http://h/announce?" QUERY);
    announce_is("http://h/announce?", &plain, "http://h/announce?" QUERY);
    announce_is("http://h/announce?passkey=1", &plain, "http://h/announce?passkey=1&" QUERY);
    announce_is("http://h/announce?passkey=1&", &plain, "http://h/announce?passkey=1&" QUERY);
    announce_is("http://h/announce?a#frag?b", &plain, "http://h/announce?a&" QUERY);
    announce_is("https://u:p@h:8443/%61 nnounce/\xc3\xa9?x=[1]", &plain,
                "https://u:p@h:8443/%61%20nnounce/%C3%A9?x=[1]&" QUERY);
    announce_is("http://h", &plain, "http://h?" QUERY);
}

static void announce_extras(void **state)
{
    (void)state;
    static const struct {
        enum tracker_event event;
        const char *text;
    } events[] = {
        {TRACKER_STARTED, "http://h/a?" QUERY "&event=started"},
        {TRACKER_COMPLETED, "http://h/a?" QUERY "&event=completed"},
        {TRACKER_STOPPED, "http://h/a?" QUERY "&event=stopped"},
    };
    struct tracker_request r = plain;
    for (size_t i = 0; i < 3; i++) {
        r.event = events[i].event;
        announce_is("http://h/a", &r, events[i].text);
    }
    r.event = TRACKER_NONE;
    r.trackerid = "a&b c";
    announce_is("http://h/a", &r, "http://h/a?" QUERY "&trackerid=a%26b%20c");
    r.trackerid = NULL;
    r.paused = true;
    announce_is("http://h/a", &r, "http://h/a?" QUERY "&event=paused");
    r.event = TRACKER_STARTED;
    announce_is("http://h/a", &r, "http://h/a?" QUERY "&event=started");
}

static void announce_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"udp://h:1/announce", "ftp://h/announce",
                                      "http://h/a\r\nX: y", "http://h/\x7f", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b = {0};
        struct err e = {0};
        assert_int_equal(tracker_http_announce(&b, bad[i], &plain, &e), ERR_INVALID);
        assert_int_equal(e.code, ERR_INVALID);
        assert_int_equal(buf_len(&b), 0);
        assert_int_equal(tracker_http_scrape(&b, bad[i], plain.info_hash, NULL), ERR_INVALID);
        assert_int_equal(buf_len(&b), 0);
        buf_fini(&b);
    }
}

static void scrapes(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to; /* NULL: has none */
    } cases[] = {
        {"http://example.com/announce", "http://example.com/scrape?"},
        {"http://example.com/x/announce", "http://example.com/x/scrape?"},
        {"http://example.com/announce.php", "http://example.com/scrape.php?"},
        {"http://example.com/announce.php?x=2&y=3", "http://example.com/scrape.php?x=2&y=3&"},
        {"http://example.com/announce?x=2/4", "http://example.com/scrape?x=2/4&"},
        {"http://announce/announce/announce#x", "http://announce/announce/scrape?"},
        {"http://example.com/a", NULL},
        {"http://example.com/announce/", NULL},
        {"http://example.com/xannounce", NULL},
        {"http://example.com/x?y=/announce", NULL},
        {"http://example.com/announc", NULL},
        {"http://example.com", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = {0};
        int r = tracker_http_scrape(&b, cases[i].from, plain.info_hash, NULL);
        assert_int_equal(r, cases[i].to ? 0 : ERR_NOTFOUND);
        char *got = buf_take_str(&b);
        char *want = cases[i].to ? mem_fmt("%s%s", cases[i].to, HASH) : mem_str("");
        assert_string_equal(got, want);
        free(got);
        free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(refuses),
        cmocka_unit_test(host_length),
        cmocka_unit_test(announces),
        cmocka_unit_test(announce_extras),
        cmocka_unit_test(announce_refused),
        cmocka_unit_test(scrapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
