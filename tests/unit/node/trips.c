/* How many round trips 1 MiB takes by a link that names a peer far away, and then the trackers. */
#include "../../sim/tube.h"

#include <p2p/swarm/pool.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#define TRIP (100 * USEC_MS)
#define SIZE (1u << 20)
#define MOST 8.0 /* of one whose windows are open: the connection itself is one */
#define SLOW \
    3.5 /* more, while TCP finds out how much the line takes: those of our requests count */

struct pair {
    struct tube *t;
    struct host *seed, *leech;
    struct manifest *m;
    uint8_t *content;
    struct item *from, *item; /* the seed's, the leech's */
    const char *tracker;      /* in the link, too; may be NULL */
    usec begun;
};

/* A seed that has been there for a while. window: see host_config. */
static struct pair far_away(int format, uint32_t piece_length, uint64_t window)
{
    static const struct tube_file one = {NULL, SIZE};
    const struct host_config far = {.delay = TRIP / 4, .window = window, .udp = true};
    struct pair p = {.t = tube_new(7)};
    struct bits all;
    p.m = tube_manifest(tube_rng(p.t), "thing", &one, 1, format, piece_length, &p.content);
    p.seed = tube_host(p.t, &far);
    p.leech = tube_host(p.t, &far);
    bits_init(&all, p.m->n_pieces);
    bits_fill(&all, true);
    struct node_task_config give = {.manifest = tube_copy(p.m), .have = &all};
    goals_init(&give.goals);
    give.goals.stay = true;
    p.from = host_add(p.seed, &give, p.content);
    bits_fini(&all);
    tube_run(p.t, USEC_SEC, NULL, NULL);
    return p;
}

/* The link names the seed's address, as x.pe does. */
static void follow_link(struct pair *p, bool manifest_only)
{
    struct magnet link = {0};
    struct addr a = host_addr(p->seed);
    magnet_from_manifest(&link, p->m);
    if (p->tracker)
        magnet_list_add(&link.trackers, &link.n_trackers, p->tracker);
    struct node_task_config take = {.link = &link, .manifest_only = manifest_only};
    goals_init(&take.goals);
    p->begun = tube_now(p->t);
    p->item = host_add(p->leech, &take, NULL);
    node_add_peer(host_node(p->leech), p->item->task, &a, POOL_LINK, p->begun);
    magnet_fini(&link);
}

static void end(struct pair *p)
{
    manifest_free(p->m);
    tube_free(p->t);
    free(p->content);
}

static bool is_complete(void *arg)
{
    const struct item *it = arg;
    return it->complete || it->failed;
}

static double trips(int format, uint32_t piece_length, uint64_t window)
{
    struct pair p = far_away(format, piece_length, window);
    follow_link(&p, false);
    assert_true(tube_run(p.t, 60 * USEC_SEC, is_complete, p.item));
    assert_true(p.item->complete && item_matches(p.item, p.content));
    usec took = p.item->complete_at - p.begun;
    end(&p);
    return (double)took / (double)TRIP;
}

static void by_link(void **state)
{
    (void)state;
    for (uint32_t piece = 16384; piece <= SIZE; piece *= 8)
        for (int format = 1; format <= 3; format++) {
            double open = trips(format, piece, 64u << 20), slow = trips(format, piece, 0);
            print_message("v%d, pieces of %7u: %.2f round trips; %.2f when TCP begins slowly\n",
                          format, (unsigned)piece, open, slow);
            assert_true(open <= MOST);
            assert_true(slow <= open + SLOW);
        }
}

static bool has_metadata(void *arg)
{
    return ((const struct item *)arg)->metadata;
}

/* Does the seed know, when the manifest is there, that its content is wanted? */
static bool is_interested(bool manifest_only)
{
    struct pair p = far_away(1, 16384, 0);
    struct node_peer_info v[2];
    follow_link(&p, manifest_only);
    p.item->hold = true;
    assert_true(tube_run(p.t, 60 * USEC_SEC, has_metadata, p.item));
    size_t n = node_peers(host_node(p.seed), p.from->task, v, 2, tube_now(p.t));
    assert_int_equal(n, 1);
    end(&p);
    return v[0].interested;
}

static void interest_before_the_manifest(void **state)
{
    (void)state;
    assert_true(is_interested(false));
    assert_false(is_interested(true));
}

static bool is_gone(void *arg)
{
    return ((const struct item *)arg)->stopped;
}

/* From the last piece until the tracker has heard of it and that we leave, in that order. */
static double farewell(const char *tracker, bool closes, int format)
{
    struct pair p = far_away(format, 16384, 64u << 20);
    unsigned hashes = format == 3 ? 2 : 1;
    p.tracker = tracker;
    if (closes)
        tube_tracker_closes(p.t);
    follow_link(&p, false);
    assert_true(tube_run(p.t, 60 * USEC_SEC, is_complete, p.item));
    assert_int_equal(tube_tracker_knows(p.t), hashes);
    node_stop(host_node(p.leech), p.item->task, USEC_SEC, tube_now(p.t));
    host_turn(p.leech);
    assert_true(tube_run(p.t, tube_now(p.t) + 2 * USEC_SEC, is_gone, p.item));
    usec took = tube_now(p.t) - p.item->complete_at;
    assert_int_equal(tube_completed_announces(p.t), hashes);
    assert_int_equal(tube_stopped_announces(p.t), hashes);
    assert_int_equal(tube_tracker_knows(p.t), 0);
    end(&p);
    return (double)took / (2 * (20 * USEC_MS + TRIP / 4)); /* the tracker's way to the middle */
}

static void leaving(void **state)
{
    (void)state;
    for (int format = 1; format <= 3; format++) {
        double udp = farewell("udp://tracker.test:6969/announce", false, format);
        double kept = farewell("http://tracker.test/announce", false, format);
        double closed = farewell("http://tracker.test/announce", true, format);
        print_message("v%d, the trackers' part: UDP %.2f round trips, HTTP %.2f, with connections "
                      "that are not kept %.2f\n",
                      format, udp, kept, closed);
        assert_true(udp < 1.5 && kept < 2.1 && closed < 2.3);
    }
}

/* A connection id lives for a minute: both hashes of a hybrid wait for one new one, no longer. */
static void leaving_later(void **state)
{
    (void)state;
    struct pair p = far_away(3, 16384, 64u << 20);
    p.tracker = "udp://tracker.test:6969/announce";
    follow_link(&p, false);
    assert_true(tube_run(p.t, 60 * USEC_SEC, is_complete, p.item));
    tube_run(p.t, p.begun + 65 * USEC_SEC, NULL, NULL);
    usec now = tube_now(p.t);
    node_stop(host_node(p.leech), p.item->task, USEC_SEC, now);
    host_turn(p.leech);
    assert_true(tube_run(p.t, now + 2 * USEC_SEC, is_gone, p.item));
    assert_true(tube_now(p.t) - now < 2 * TRIP);
    assert_int_equal(tube_completed_announces(p.t), 2);
    assert_int_equal(tube_tracker_knows(p.t), 0);
    end(&p);
}

/* Stopped so long after it began: how long until it is gone. */
static usec given_up(const char *tracker, bool dead, usec after)
{
    struct pair p = far_away(1, 16384, 0);
    p.tracker = tracker;
    tube_tracker_dead(p.t, dead);
    tube_tracker_closes(p.t);
    follow_link(&p, false);
    tube_run(p.t, p.begun + after, NULL, NULL);
    usec now = tube_now(p.t);
    node_stop(host_node(p.leech), p.item->task, USEC_SEC, now);
    host_turn(p.leech);
    assert_true(tube_run(p.t, now + 2 * USEC_SEC, is_gone, p.item));
    assert_int_equal(tube_tracker_knows(p.t), 0);
    now = tube_now(p.t) - now;
    end(&p);
    return now;
}

/* What has told nobody of us is not waited for; what may have, is followed by `stopped`. */
static void stopped_early(void **state)
{
    static const char *const url[] = {"udp://tracker.test:6969/announce",
                                      "http://tracker.test/announce"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_true(given_up(url[i], true, 2 * TRIP) < TRIP / 10);
        for (usec after = 1; after <= 5 * TRIP; after += TRIP / 4)
            assert_true(given_up(url[i], false, after) <= 22 * TRIP / 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_link),       cmocka_unit_test(interest_before_the_manifest),
        cmocka_unit_test(leaving),       cmocka_unit_test(leaving_later),
        cmocka_unit_test(stopped_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
