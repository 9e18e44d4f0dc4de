/* When to stop: a table of wishes and facts. Times are in seconds. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/swarm/goals.h>

#define S(x) ((x) == NO ? USEC_NEVER : (usec)(x) * USEC_SEC)
#define NO (-1)

struct wish {
    int seed_for, idle, run_for, timeout, metadata_timeout, deadline;
    double ratio;
    bool stay;
};
struct fact {
    int now, arrival, upload, completed;
    bool metadata;
    uint64_t uploaded, size;
};

/* All began at second 100. */
static const struct {
    const char *what;
    struct wish w;
    struct fact f;
    enum goals_verdict verdict;
    int deadline;
} cases[] = {
#define NONE NO, NO, NO, NO, NO, NO
    {"under way", {NONE, 0, false}, {500, 400, 100, NO, true, 0, 10}, GOALS_GO_ON, NO},
    {"complete", {NONE, 0, false}, {500, 400, 100, 500, true, 0, 10}, GOALS_DONE, 500},
    {"complete, stays", {NONE, 0, true}, {99999, 1, 1, 500, true, 99, 10}, GOALS_GO_ON, NO},
    {"shares", {60, NO, NO, NO, NO, NO, 0, false}, {559, 1, 1, 500, true, 0, 10}, GOALS_GO_ON, 560},
    {"shared", {60, NO, NO, NO, NO, NO, 0, false}, {560, 1, 1, 500, true, 0, 10}, GOALS_DONE, 560},
    {"0 s", {0, NO, NO, NO, NO, NO, 0, false}, {500, 1, 1, 500, true, 0, 10}, GOALS_DONE, 500},
    {"ratio", {NONE, 1.5, false}, {900, 1, 1, 500, true, 14, 10}, GOALS_GO_ON, NO},
    {"ratio!", {NONE, 1.5, false}, {900, 1, 1, 500, true, 15, 10}, GOALS_DONE, 500},
    {"ratio of nothing", {NONE, 1.5, false}, {900, 1, 1, 500, true, 0, 0}, GOALS_DONE, 500},
    {"ratio before", {NONE, 1, false}, {900, 1, 1, NO, true, 50, 10}, GOALS_GO_ON, NO},
    {"either", {60, NO, NO, NO, NO, NO, 2, false}, {520, 1, 1, 500, true, 20, 10}, GOALS_DONE, 500},
    {"or", {60, NO, NO, NO, NO, NO, 2, false}, {570, 1, 1, 500, true, 0, 10}, GOALS_DONE, 560},
    {"idle", {NO, 30, NO, NO, NO, NO, 0, true}, {629, 1, 600, 500, true, 5, 10}, GOALS_GO_ON, 630},
    {"idle!", {NO, 30, NO, NO, NO, NO, 0, true}, {630, 1, 600, 500, true, 5, 10}, GOALS_DONE, 630},
    {"idle since", {NO, 30, NO, NO, NO, NO, 0, true}, {529, 1, 100, 500, true, 5, 10},
     GOALS_GO_ON, 530},
    {"idle, part", {NO, 30, NO, NO, NO, NO, 0, true}, {130, 1, 100, NO, true, 0, 10},
     GOALS_DONE, 130},
    {"idle, leech", {NO, 30, NO, NO, NO, NO, 0, false}, {999, 1, 100, NO, true, 0, 10},
     GOALS_GO_ON, NO},
    {"runs", {NO, NO, 50, NO, NO, NO, 0, true}, {149, 1, 1, 110, true, 0, 10}, GOALS_GO_ON, 150},
    {"ran", {NO, NO, 50, NO, NO, NO, 0, true}, {150, 1, 1, 110, true, 0, 10}, GOALS_DONE, 150},
    {"ran, part", {NO, NO, 50, NO, NO, NO, 0, true}, {150, 1, 1, NO, true, 0, 10}, GOALS_DONE, 150},
    {"arrives", {NO, NO, NO, 20, NO, NO, 0, false}, {219, 200, 1, NO, true, 0, 10},
     GOALS_GO_ON, 220},
    {"nothing", {NO, NO, NO, 20, NO, NO, 0, false}, {220, 200, 1, NO, true, 0, 10},
     GOALS_GAVE_UP, 220},
    {"never", {NO, NO, NO, 20, NO, NO, 0, false}, {120, 0, 0, NO, false, 0, 0}, GOALS_GAVE_UP, 120},
    {"complete, quiet", {60, NO, NO, 20, NO, NO, 0, false}, {550, 1, 1, 500, true, 0, 10},
     GOALS_GO_ON, 560},
    {"link", {NO, NO, NO, NO, 20, NO, 0, false}, {120, 119, 0, NO, false, 0, 0},
     GOALS_GAVE_UP, 120},
    {"manifest", {NO, NO, NO, NO, 20, NO, 0, false}, {900, 119, 0, NO, true, 0, 0},
     GOALS_GO_ON, NO},
    {"late", {NO, NO, NO, NO, NO, 20, 0, false}, {120, 119, 0, NO, true, 0, 0}, GOALS_GAVE_UP, 120},
    {"in time", {60, NO, NO, NO, NO, 20, 0, false}, {130, 119, 0, 119, true, 0, 9},
     GOALS_GO_ON, 179},
    {"first of two", {NO, NO, NO, 50, NO, 20, 0, false}, {110, 105, 0, NO, true, 0, 9},
     GOALS_GO_ON, 120},
};

static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct wish *w = &cases[i].w;
        const struct fact *x = &cases[i].f;
        struct goals g;
        goals_init(&g);
        g.seed_for = S(w->seed_for);
        g.idle = S(w->idle);
        g.run_for = S(w->run_for);
        g.timeout = S(w->timeout);
        g.metadata_timeout = S(w->metadata_timeout);
        g.deadline = S(w->deadline);
        g.seed_ratio = w->ratio;
        g.stay = w->stay;
        struct goals_facts f = {
            .started = S(100),
            .now = S(x->now),
            .last_arrival = S(x->arrival),
            .last_upload = S(x->upload),
            .completed_at = S(x->completed),
            .has_metadata = x->metadata,
            .uploaded = x->uploaded,
            .size = x->size,
        };
        const char *why = "";
        enum goals_verdict v = goals_judge(&g, &f, &why);
        if (v != cases[i].verdict || goals_deadline(&g, &f) != S(cases[i].deadline))
            fail_msg("%s: verdict %d, deadline %lld", cases[i].what, (int)v,
                     (long long)goals_deadline(&g, &f));
        assert_int_equal(why == NULL, v == GOALS_GO_ON);
        assert_int_equal(goals_judge(&g, &f, NULL), v);
    }
}

static void far_future(void **state)
{
    (void)state;
    struct goals g;
    goals_init(&g);
    g.deadline = USEC_NEVER - 1; /* a wish near the end of time does not wrap round */
    struct goals_facts f = {.started = S(100), .now = S(200), .completed_at = USEC_NEVER};
    assert_int_equal(goals_judge(&g, &f, NULL), GOALS_GO_ON);
    assert_true(goals_deadline(&g, &f) == USEC_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(far_future)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
