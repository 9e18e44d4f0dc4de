/* The test tube itself: streams, sites, restarts, phantom content, and that it repeats itself. */
#include "../../sim/tube.h"

#include <p2p/base/mem.h>
#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

/* ---- swarms ---- */

#define MAX 12
struct world {
    struct tube *t;
    struct manifest *m;
    uint8_t *content;
    struct host *host[MAX];
    struct item *item[MAX];
    size_t n;
};

static struct world world(uint64_t seed, uint64_t size)
{
    struct tube_file one = {NULL, size};
    struct world w = {.t = tube_new(seed)};
    w.m = tube_manifest(tube_rng(w.t), "thing", &one, 1, 3, 65536, &w.content);
    return w;
}

static void end(struct world *w)
{
    tube_free(w->t);
    manifest_free(w->m);
    free(w->content);
}

static struct host *add(struct world *w, const struct host_config *c, bool seed)
{
    struct bits all;
    bits_init(&all, w->m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config tc = {.manifest = tube_copy(w->m), .have = seed ? &all : NULL};
    goals_init(&tc.goals);
    tc.goals.stay = true;
    w->host[w->n] = tube_host(w->t, c);
    w->item[w->n] = host_add(w->host[w->n], &tc, seed ? w->content : NULL);
    bits_fini(&all);
    return w->host[w->n++];
}

struct ear {
    unsigned n;
    struct addr from;
};

static void hear(struct host *h, const struct addr *from, struct bytes b, void *arg)
{
    struct ear *e = arg;
    (void)h;
    e->from = *from;
    e->n += b.n > 0;
}

static struct host *add_ear(struct world *w, struct host_config c, struct ear *e)
{
    c.udp = true;
    c.puppet = hear;
    c.puppet_arg = e;
    return tube_host(w->t, &c);
}

static void meet(struct world *w, size_t who, const struct addr *whom)
{
    node_add_peer(host_node(w->host[who]), w->item[who]->task, whom, POOL_USER, tube_now(w->t));
}

static void all_meet(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < i; k++) {
            struct addr a = host_addr(w->host[k]);
            meet(w, i, &a);
        }
}

static bool all_complete(void *arg)
{
    const struct world *w = arg;
    for (size_t i = 0; i < w->n; i++)
        if (!w->item[i]->complete)
            return false;
    return true;
}

static double seconds(struct world *w, usec limit)
{
    usec begun = tube_now(w->t);
    assert_true(tube_run(w->t, limit, all_complete, w));
    for (size_t i = 0; i < w->n; i++)
        assert_true(item_matches(w->item[i], w->content));
    return (double)(tube_now(w->t) - begun) / 1e6;
}

/* One link of the way is narrow; nothing goes faster than that, and not much slower. */
static void narrow(uint64_t seed, struct host_config from, struct host_config to, double rate)
{
    struct world w = world(seed, 4000000);
    add(&w, &from, true);
    add(&w, &to, false);
    all_meet(&w);
    double t = seconds(&w, 300 * USEC_SEC);
    assert_true(t > 4e6 / rate && t < 1.15 * 4e6 / rate + 1);
    end(&w);
}

static void rates_are_kept(void **state)
{
    (void)state;
    struct host_config wide = {.delay = 10 * USEC_MS}, up = wide, down = wide;
    up.up = 400000;
    down.down = 400000;
    narrow(20, up, wide, 400000);
    narrow(21, wide, down, 400000);
}

/* Four of a site load at once from four outside: their line is full, and shared evenly. */
static void sites_share_a_line(void **state)
{
    struct world w = world(22, 8000000);
    (void)state;
    struct site_config sc = {.up = 100000, .down = 500000, .delay = 10 * USEC_MS};
    struct host_config out = {.up = 1000000, .delay = 20 * USEC_MS}, in = {0};
    in.site = tube_site(w.t, &sc);
    for (int i = 0; i < 4; i++)
        add(&w, &out, true);
    for (int i = 0; i < 4; i++)
        add(&w, &in, false);
    for (size_t i = 0; i < 4; i++) {
        struct addr a = host_addr(w.host[i]);
        meet(&w, 4 + i, &a);
    }
    tube_run(w.t, 5 * USEC_SEC, NULL, NULL);
    uint64_t before = tube_crossed(w.t, in.site).in, least = UINT64_MAX, most = 0;
    tube_run(w.t, 20 * USEC_SEC, NULL, NULL);
    assert_in_range(tube_crossed(w.t, in.site).in - before, 9500000, 10100000);
    for (size_t i = 4; i < 8; i++) {
        uint64_t n = host_received(w.host[i]);
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    assert_true(most < 2 * least);
    end(&w);
}

/* A dial, a handshake and a request each take a round trip of 400 ms. */
static void streams_take_their_time(void **state)
{
    struct world w = world(28, 1000);
    (void)state;
    struct host_config c = {.delay = 100 * USEC_MS};
    add(&w, &c, true);
    add(&w, &c, false);
    all_meet(&w);
    double t = seconds(&w, 60 * USEC_SEC);
    assert_true(t > 1.2 && t < 2.5);
    end(&w);
}

struct stopwatch {
    struct tube *t;
    usec most, sum;
    unsigned n;
};

static void stop_watch(struct host *h, const struct addr *from, struct bytes b, void *arg)
{
    struct stopwatch *s = arg;
    usec said;
    (void)h;
    (void)from;
    if (b.n != sizeof said) /* neighbours call out for each other, too */
        return;
    memcpy(&said, b.p, sizeof said);
    usec took = tube_now(s->t) - said;
    s->most = took > s->most ? took : s->most;
    s->sum += took;
    s->n++;
}

/* Five streams fill a line of 300 kB/s, but what they queue there stays a fraction of a second. */
static void queues_stay_short(void **state)
{
    struct world w = world(29, 20000000);
    struct stopwatch s = {.t = w.t};
    (void)state;
    struct host_config out = {.delay = 20 * USEC_MS}, in = {0}, ear = {.udp = true};
    in.site = ear.site = tube_site(w.t, &(struct site_config){.down = 300000});
    for (int i = 0; i < 5; i++)
        add(&w, &out, true);
    add(&w, &in, false);
    all_meet(&w);
    ear.puppet = stop_watch;
    ear.puppet_arg = &s;
    struct addr to = host_addr(tube_host(w.t, &ear));
    struct host *asks = add_ear(&w, out, &(struct ear){0});
    for (int i = 0; i < 300; i++) {
        usec now = tube_now(w.t);
        host_say(asks, &to, BYTES((const uint8_t *)&now, sizeof now));
        tube_run(w.t, 100 * USEC_MS, NULL, NULL);
    }
    print_message("behind five streams: %u ms, %u at most\n", (unsigned)(s.sum / s.n / 1000),
                  (unsigned)(s.most / 1000));
    assert_true(s.n > 290 && s.sum / s.n < 350 * USEC_MS);
    assert_true(host_received(w.host[5]) > 8000000);
    end(&w);
}

/* What is inside a site does not pass its line. */
static void inside_a_site(void **state)
{
    struct world w = world(23, 4000000);
    (void)state;
    struct site_config sc = {.up = 1000, .down = 1000, .delay = USEC_SEC};
    struct host_config in = {.up = 4000000, .down = 4000000, .delay = USEC_MS / 2};
    in.site = tube_site(w.t, &sc);
    add(&w, &in, true);
    add(&w, &in, false);
    all_meet(&w);
    assert_true(seconds(&w, 60 * USEC_SEC) < 2);
    assert_int_equal(tube_crossed(w.t, in.site).in + tube_crossed(w.t, in.site).out, 0);
    end(&w);
}

static void streams_wait_for_healing(void **state)
{
    struct world w = world(24, 4000000);
    (void)state;
    struct host_config c = {.up = 400000, .down = 400000, .delay = 10 * USEC_MS};
    add(&w, &c, true);
    add(&w, &c, false);
    all_meet(&w);
    tube_run(w.t, 3 * USEC_SEC, NULL, NULL);
    host_island(w.host[1], 7);
    tube_run(w.t, USEC_SEC, NULL, NULL);
    uint64_t had = host_received(w.host[1]);
    tube_run(w.t, 20 * USEC_SEC, NULL, NULL);
    assert_int_equal(host_received(w.host[1]), had);
    tube_heal(w.t);
    assert_true(seconds(&w, 60 * USEC_SEC) < 30);
    end(&w);
}

/* Dials come through a NAT by a mapped port only, and then from outside too. */
static void nat_stream(bool mapped)
{
    struct world w = world(25, 200000);
    struct host_config in = {.nat = NAT_FULL_CONE, .mapped = mapped, .udp = true}, out = {0};
    struct ear e = {0};
    add(&w, &in, true);
    add(&w, &out, false);
    struct addr outside = host_public(w.host[0]), a = host_addr(add_ear(&w, out, &e));
    host_say(w.host[0], &a, BYTES("hello", 5));
    tube_run(w.t, USEC_SEC, NULL, NULL);
    assert_int_equal(e.n, 1);
    meet(&w, 1, mapped ? &outside : &e.from); /* what datagrams open is no way in for streams */
    tube_run(w.t, 50 * USEC_SEC, NULL, NULL);
    assert_int_equal(w.item[1]->complete, mapped);
    a = host_addr(w.host[1]);
    meet(&w, 0, &a);
    seconds(&w, 50 * USEC_SEC);
    end(&w);
}

static void nat_streams(void **state)
{
    (void)state;
    nat_stream(false);
    nat_stream(true);
}

static void ipv6_only(void **state)
{
    struct world w = world(26, 200000);
    (void)state;
    add(&w, &(struct host_config){.v6 = true, .no_v4 = true}, true);
    add(&w, &(struct host_config){.v6 = true}, false);
    add(&w, &(struct host_config){0}, false);
    struct addr a = host_addr(w.host[0]);
    assert_int_equal(a.family, 6);
    meet(&w, 1, &a);
    meet(&w, 2, &a);
    tube_run(w.t, 50 * USEC_SEC, NULL, NULL);
    assert_true(w.item[1]->complete);
    assert_false(w.item[2]->complete);
    end(&w);
}

/* Local service discovery is heard on the link and nowhere else. */
static void multicast_stays_inside(void **state)
{
    struct world w = world(27, 100000);
    struct ear near = {0}, far = {0}, alone = {0};
    (void)state;
    struct host_config here = {.udp = true}, there = {0};
    here.site = tube_site(w.t, &(struct site_config){0});
    there.site = tube_site(w.t, &(struct site_config){0});
    add_ear(&w, here, &near);
    add_ear(&w, there, &far);
    add_ear(&w, (struct host_config){0}, &alone);
    add(&w, &here, true);
    tube_run(w.t, 60 * USEC_SEC, NULL, NULL);
    assert_true(near.n > 0);
    assert_int_equal(far.n + alone.n, 0);
    end(&w);
}

/* ---- phantom content ---- */

static usec crowd_time(uint64_t seed, bool phantom, uint32_t liar)
{
    struct world w = world(seed, 3000000);
    struct host_config c = {.up = 500000, .down = 2000000, .delay = 10 * USEC_MS}, lies = c;
    lies.liar = liar;
    if (phantom)
        tube_phantom(w.t, w.m, w.content);
    add(&w, &c, true);
    add(&w, &lies, true);
    for (int i = 0; i < 4; i++)
        add(&w, &c, false);
    all_meet(&w);
    seconds(&w, 300 * USEC_SEC);
    assert_int_equal(w.item[0]->disk == NULL, phantom);
    for (size_t i = 2; i < 6 && liar; i++)
        assert_false(host_banned(w.host[i], w.host[0]));
    bool banned = false;
    for (size_t i = 2; i < 6; i++)
        banned |= host_banned(w.host[i], w.host[1]);
    assert_int_equal(banned, liar != 0);
    usec at = tube_now(w.t);
    end(&w);
    return at;
}

static void phantom_is_like_the_real_thing(void **state)
{
    (void)state;
    assert_int_equal(crowd_time(30, false, 0), crowd_time(30, true, 0));
    crowd_time(31, false, 3);
    crowd_time(31, true, 3);
}

/* ---- trackers and origins ---- */

static bool found_by(const char *tracker, bool dead)
{
    struct world w = world(40, 100000);
    manifest_add_tracker(w.m, 0, tracker);
    tube_tracker_dead(w.t, dead);
    struct host_config c = {.udp = true, .delay = 10 * USEC_MS};
    add(&w, &c, true);
    tube_run(w.t, 5 * USEC_SEC, NULL, NULL);
    add(&w, &c, false);
    bool found = tube_run(w.t, 20 * USEC_SEC, all_complete, &w);
    end(&w);
    return found;
}

static void trackers(void **state)
{
    static const char *const url[] = {"http://tracker.test/announce",
                                      "udp://tracker.test:6969/announce"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(found_by(url[i], false));
        assert_false(found_by(url[i], true));
    }
}

/* A seed that nobody talks to rests, but not from asking again. */
static void a_tracker_that_is_late_hears_of_a_seed(void **state)
{
    struct host_config c = {.udp = true, .delay = 10 * USEC_MS};
    (void)state;
    for (usec late = USEC_SEC; late <= 60 * USEC_SEC; late *= 4) {
        struct world w = world(42, 100000);
        manifest_add_tracker(w.m, 0, "udp://tracker.test:6969/announce");
        tube_tracker_dead(w.t, true);
        add(&w, &c, true);
        tube_run(w.t, late, NULL, NULL);
        assert_int_equal(tube_tracker_knows(w.t), 0);
        tube_tracker_dead(w.t, false);
        tube_run(w.t, 3 * late + 10 * USEC_SEC, NULL, NULL);
        assert_int_equal(tube_tracker_knows(w.t), 2);
        end(&w);
    }
}

/* Four who load from one origin get a quarter of its line each, through their own lines. */
static void origins_are_fair(void **state)
{
    struct world w = world(41, 2000000);
    (void)state;
    manifest_add_web_seed(w.m, "http://origin.test/x");
    tube_origin(w.t, "http://origin.test/x", w.m, w.content, 400000, false, 0);
    struct host_config c = {.delay = 10 * USEC_MS}, slow = c;
    slow.down = 50000;
    add(&w, &slow, false);
    for (int i = 0; i < 3; i++)
        add(&w, &c, false);
    usec begun = tube_now(w.t);
    assert_true(tube_run(w.t, 100 * USEC_SEC, all_complete, &w));
    double t[4];
    for (int i = 0; i < 4; i++)
        t[i] = (double)(w.item[i]->complete_at - begun) / 1e6;
    assert_true(t[0] > 40 && t[0] < 44);
    for (int i = 1; i < 4; i++) /* the slow one takes 50 of 400 kB/s, they share the rest */
        assert_true(t[i] > 15 && t[i] < 20);
    assert_int_equal(tube_origin_sent(w.t), 8000000);
    end(&w);
}

/* ---- coming and going ---- */

static void restart_keeps_the_disk(void **state)
{
    struct world w = world(50, 4000000);
    (void)state;
    struct host_config c = {.up = 400000, .down = 400000, .delay = 10 * USEC_MS};
    add(&w, &c, true);
    add(&w, &c, false);
    all_meet(&w);
    tube_run(w.t, 6 * USEC_SEC, NULL, NULL);
    host_stop(w.host[1]);
    assert_false(host_is_up(w.host[1]));
    assert_null(host_node(w.host[1]));
    tube_run(w.t, 10 * USEC_SEC, NULL, NULL);
    host_start(w.host[1]);
    all_meet(&w);
    assert_true(seconds(&w, 60 * USEC_SEC) < 8);
    assert_true(host_received(w.host[1]) < 4700000);
    end(&w);
}

static void boot(struct host *h, void *arg)
{
    struct tube *t = arg;
    node_add_bootstrap(host_node(h), "h0.test:6881", tube_now(t));
}

static unsigned joined(struct host **v, size_t n, usec now)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++) {
        struct dht_status s;
        dht_status(node_dht(host_node(v[i])), &s, now);
        count += s.v4.joined;
    }
    return count;
}

/* The bootstrap host is dead: what was remembered brings them together again. */
static void restart_keeps_the_dht(void **state)
{
    struct tube *t = tube_new(51);
    struct host_config c = {.udp = true, .dht = true, .delay = 10 * USEC_MS};
    struct host *v[10];
    (void)state;
    struct host *dependable = tube_host(t, &c);
    for (size_t i = 0; i < 10; i++) {
        v[i] = tube_host(t, &c);
        boot(v[i], t);
    }
    tube_run(t, 60 * USEC_SEC, NULL, NULL);
    assert_int_equal(joined(v, 10, tube_now(t)), 10);
    host_kill(dependable);
    tube_on_start(t, boot, t);
    tube_restart(t, v, 10, 20 * USEC_SEC, 30 * USEC_SEC);
    tube_run(t, 25 * USEC_SEC, NULL, NULL);
    for (size_t i = 0; i < 10; i++)
        assert_false(host_is_up(v[i]));
    tube_run(t, 60 * USEC_SEC, NULL, NULL);
    assert_int_equal(joined(v, 10, tube_now(t)), 10);
    tube_free(t);
}

struct census {
    struct host *v[100];
    uint64_t up, all;
    unsigned starts;
};

static void count_start(struct host *h, void *arg)
{
    struct census *c = arg;
    (void)h;
    c->starts++;
}

static void count_up(struct tube *t, void *arg)
{
    struct census *c = arg;
    (void)t;
    for (size_t i = 0; i < 100; i++)
        c->up += host_is_up(c->v[i]);
    c->all += 100;
}

static void churning(void **state)
{
    struct tube *t = tube_new(52);
    struct host_config hc = {0};
    struct census c = {0};
    (void)state;
    for (size_t i = 0; i < 100; i++) {
        c.v[i] = tube_host(t, &hc);
        host_churn(c.v[i], 10 * USEC_MIN, 5 * USEC_MIN);
    }
    tube_run(t, 60 * USEC_MIN, NULL, NULL);
    tube_observe(t, 10 * USEC_SEC, count_up, &c);
    tube_on_start(t, count_start, &c);
    tube_run(t, 300 * USEC_MIN, NULL, NULL);
    double share = (double)c.up / (double)c.all;
    assert_true(share > 0.62 && share < 0.71); /* two thirds */
    /* the mean is the median by ln 2: 21.6 minutes from start to start */
    assert_in_range(c.starts, 1270, 1500);
    tube_free(t);
}

/* ---- same seed, same trace ---- */

static uint64_t trace(uint64_t seed, uint64_t *events)
{
    struct world w = world(seed, 1000000);
    struct host_config c = {.up = 200000, .down = 800000, .loss = 0.01, .udp = true, .dht = true};
    tube_phantom(w.t, w.m, w.content);
    for (int i = 0; i < 8; i++) {
        c.delay = (usec)(5 + i * 7) * USEC_MS;
        c.nat = (enum nat_kind)(i % 5);
        struct host *h = add(&w, &c, i == 0);
        boot(h, w.t);
    }
    host_churn(w.host[5], 20 * USEC_SEC, 5 * USEC_SEC);
    tube_on_start(w.t, boot, w.t);
    tube_run(w.t, 120 * USEC_SEC, NULL, NULL);
    uint64_t hash = tube_trace(w.t);
    *events = tube_events(w.t);
    end(&w);
    return hash;
}

static void same_seed_same_trace(void **state)
{
    uint64_t n, same, other;
    (void)state;
    uint64_t first = trace(60, &n);
    void *shift = mem_alloc(12345); /* other addresses in memory must not matter */
    assert_true(trace(60, &same) == first);
    assert_int_equal(same, n);
    free(shift);
    assert_true(trace(61, &other) != first);
    assert_true(n > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_kept),
        cmocka_unit_test(sites_share_a_line),
        cmocka_unit_test(streams_take_their_time),
        cmocka_unit_test(queues_stay_short),
        cmocka_unit_test(inside_a_site),
        cmocka_unit_test(streams_wait_for_healing),
        cmocka_unit_test(nat_streams),
        cmocka_unit_test(ipv6_only),
        cmocka_unit_test(multicast_stays_inside),
        cmocka_unit_test(phantom_is_like_the_real_thing),
        cmocka_unit_test(trackers),
        cmocka_unit_test(a_tracker_that_is_late_hears_of_a_seed),
        cmocka_unit_test(origins_are_fair),
        cmocka_unit_test(restart_keeps_the_disk),
        cmocka_unit_test(restart_keeps_the_dht),
        cmocka_unit_test(churning),
        cmocka_unit_test(same_seed_same_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
