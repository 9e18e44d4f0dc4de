/*
 * Fuzzes what trackers say and what their URLs look like. floor: proto
 * The first byte chooses: an announce's body, a scrape's body, a URL, or datagrams (two bytes of
 * length before each; the transaction id is put right where the length is odd). Holds: no more
 * than the limits, intervals inside theirs, texts safe to show, datagrams never too long.
 */
#include <p2p/base/mem.h>
#include <p2p/base/text.h>
#include <p2p/proto/tracker.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void safe(const char *text)
{
    must(text_utf8_valid(bytes_str(text)));
    for (; *text; text++)
        must((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void look_at(const struct tracker_answer *a)
{
    must(a->n_peers <= TRACKER_MAX_PEERS);
    for (size_t i = 0; i < a->n_peers; i++)
        must(a->peers[i].port && (a->peers[i].family == 4 || a->peers[i].family == 6));
    must(a->seeds >= -1 && a->leechers >= -1 && a->downloaded >= -1);
    must(!a->min_interval || a->min_interval >= TRACKER_MIN_INTERVAL);
    must(a->min_interval <= TRACKER_MAX_INTERVAL && a->interval <= TRACKER_MAX_INTERVAL);
    must(a->retry_in >= 0);
    safe(a->warning);
}

static void announce(struct bytes in)
{
    struct tracker_answer a;
    struct err e = {0};
    int r = tracker_http_parse(&a, in, &e);
    must(r == 0 || (r == ERR_NET && e.msg[0] && !a.trackerid && !a.n_peers));
    must(r < 0 || a.interval >= TRACKER_MIN_INTERVAL);
    look_at(&a);
    safe(e.msg);
    free(a.trackerid);
}

static void scrape(struct bytes in)
{
    struct tracker_answer a;
    struct err e = {0};
    int r = tracker_http_parse_scrape(&a, (const uint8_t *)"aaaaaaaaaaaaaaaaaaaa", in, &e);
    must(r == 0 || r == ERR_NET || r == ERR_NOTFOUND);
    must(!a.trackerid && !a.n_peers);
    look_at(&a);
    safe(e.msg);
}

static const struct tracker_request request = {
    .info_hash = "\xff&=", .peer_id = "?", .trackerid = "\x01"};

/* A URL that we made goes into a request line. */
static void plain_url(struct buf *b)
{
    struct bytes s = buf_bytes(b);
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '#');
    buf_clear(b);
}

static void url(struct bytes in)
{
    char *s = mem_strn((const char *)in.p, in.n);
    struct tracker_url u;
    struct buf b = {0};
    int r = tracker_url_parse(&u, s, NULL);
    must((r == 0) == (u.kind != 0));
    must(r < 0 || (u.host[0] && u.port));
    must(r < 0 || (u.path >= s && u.path <= s + strlen(s)));
    r = tracker_http_announce(&b, s, &request, NULL);
    must(r < 0 || u.kind == 'h');
    plain_url(&b);
    r = tracker_http_scrape(&b, s, request.info_hash, NULL);
    must(r < 0 || u.kind == 'h');
    plain_url(&b);
    buf_fini(&b);
    free(s);
}

/* Gives the machine one datagram, made ours if its length is odd. */
static void give(struct tracker_udp *t, struct bytes d, const uint8_t *sent, usec now)
{
    uint8_t *copy = d.n ? mem_dup(d.p, d.n) : mem_alloc(1);
    if (d.n >= 8 && d.n % 2)
        memcpy(copy + 4, sent + 12, 4);
    tracker_udp_feed(t, BYTES(copy, d.n), now);
    free(copy);
}

static void datagrams(struct bytes in, bool v6, bool is_scrape)
{
    struct tracker_udp_cache *c = tracker_udp_cache_new();
    struct addr to = {.family = v6 ? 6 : 4, .port = 1, .ip = {1}};
    struct tracker_answer a;
    struct err e = {0};
    struct rng rng;
    struct cursor cur;
    uint8_t out[TRACKER_UDP_MAX_DATAGRAM] = {0};
    usec now = 0;
    rng_seed(&rng, 1);
    cursor_init(&cur, in);
    struct tracker_udp *t =
        tracker_udp_new(c, &to, "/a?b", &request, is_scrape, USEC_SEC, 6, &rng, now);
    while (tracker_udp_result(t, &a, NULL) == 0) {
        must(tracker_udp_pull(t, out, now) <= sizeof out);
        if (cursor_left(&cur) >= 2) {
            struct bytes d = cursor_take(&cur, cursor_be16(&cur) % 2048);
            give(t, d, out, now);
        } else {
            now = tracker_udp_deadline(t);
        }
    }
    int r = tracker_udp_result(t, &a, &e);
    must(r == 1 || (r == ERR_NET && e.msg[0]));
    if (r == 1)
        look_at(&a);
    safe(e.msg);
    tracker_udp_free(t);
    tracker_udp_cache_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    struct bytes in = BYTES(data + 1, size - 1);
    switch (data[0] % 8) {
    case 0:
        announce(in);
        break;
    case 1:
        scrape(in);
        break;
    case 2:
        url(in);
        break;
    default:
        datagrams(in, data[0] & 1, data[0] & 2);
    }
    return 0;
}
