/*
 * The choker before simulated populations. Each has a width, what peers give for a slot and what
 * they can take; what a peer took follows from the slots it had.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>
#include <p2p/swarm/choker.h>

#include <stdlib.h>

#define MAX 100

struct crowd {
    struct rng rng;
    struct choker c;
    struct choker_peer v[MAX];
    uint64_t can_take[MAX], served[MAX]; /* bytes a second; rounds in which it was unchoked */
    uint64_t width;                      /* of our link */
    size_t n;
    usec now;
};

static struct crowd *setup(size_t n, uint64_t width)
{
    struct crowd *w = mem_zero(sizeof *w);
    rng_seed(&w->rng, n);
    w->n = n;
    w->width = width;
    w->now = 1000 * USEC_SEC;
    choker_init(&w->c, w->now);
    for (size_t i = 0; i < n; i++) {
        w->v[i] = (struct choker_peer){.id = (uint32_t)(100 + i), .interested = true};
        w->can_take[i] = UINT32_MAX;
    }
    return w;
}

/* The link is shared evenly, and what one cannot take is there for the others. */
static void share_link(struct crowd *w)
{
    uint64_t left = w->width;
    size_t hungry = 0;
    for (size_t i = 0; i < w->n; i++) {
        w->v[i].took = 0;
        hungry += w->v[i].unchoked && w->v[i].interested;
    }
    for (int pass = 0; pass < 8 && hungry && left; pass++) {
        uint64_t share = left / hungry;
        hungry = 0;
        for (size_t i = 0; i < w->n; i++) {
            struct choker_peer *p = &w->v[i];
            if (!p->unchoked || !p->interested || p->took == w->can_take[i])
                continue;
            uint64_t more = w->can_take[i] - p->took < share ? w->can_take[i] - p->took : share;
            p->took += more;
            left -= more;
            hungry += p->took < w->can_take[i];
        }
    }
}

static size_t unchoked(const struct crowd *w, bool interested_only)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += w->v[i].unchoked && (w->v[i].interested || !interested_only);
    return n;
}

static void round_of(struct crowd *w, bool seeding, uint64_t limit)
{
    bool before[MAX];
    size_t changed = 0;
    w->now = choker_deadline(&w->c);
    for (size_t i = 0; i < w->n; i++) {
        before[i] = w->v[i].unchoked;
        w->v[i].given |= w->v[i].gave > 0;
    }
    size_t told = choker_run(&w->c, w->v, w->n, seeding, limit, &w->rng, w->now);
    for (size_t i = 0; i < w->n; i++) {
        if (before[i] != w->v[i].unchoked) {
            w->v[i].since = w->now;
            changed++;
        }
        w->served[i] += w->v[i].unchoked;
    }
    assert_int_equal(told, changed);
    assert_true(unchoked(w, true) <= w->c.slots);
    assert_true(w->c.slots >= CHOKER_MIN_SLOTS && w->c.slots <= CHOKER_MAX_SLOTS);
    assert_true(choker_deadline(&w->c) == w->now + CHOKER_PERIOD);
    share_link(w);
}

static void nobody(void **state)
{
    (void)state;
    struct crowd *w = setup(0, 0);
    round_of(w, false, 0);
    round_of(w, true, 1000);
    assert_true(choker_admit(&w->c, 0));
    assert_true(choker_admit(&w->c, 3));
    assert_false(choker_admit(&w->c, 4));
    free(w);
}

static void few_are_all_served(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct crowd *w = setup(4, 100000);
        for (int i = 0; i < 20; i++) {
            round_of(w, seeding, 0);
            assert_int_equal(unchoked(w, true), 4);
        }
        free(w);
    }
}

static void tit_for_tat(void **state)
{
    (void)state;
    struct crowd *w = setup(40, 100000);
    for (size_t i = 0; i < 10; i++) {
        w->v[i].gave = 50000 + 1000 * i; /* ten give; thirty ride free and have less */
        w->v[i].has = 10 + i % 4;
    }
    for (int i = 0; i < 1200; i++) {
        round_of(w, false, 40000);
        assert_int_equal(w->c.slots, 4);
        size_t free_riders = 0;
        for (size_t k = 10; k < w->n; k++) {
            free_riders += w->v[k].unchoked;
            assert_true(!w->v[k].unchoked || w->v[k].id == w->c.optimistic);
        }
        assert_true(free_riders <= 1);
        assert_true(w->v[9].unchoked); /* who gives most, */
        assert_true(w->v[0].unchoked); /* and, of the others, who has least */
    }
    assert_true(w->served[7] > 1200 / 3 && w->served[8] > 1200 / 3); /* owed most, in turn */
    for (size_t k = 0; k < w->n; k++)
        assert_true(w->served[k] > 0 && (w->served[k] > 1200 / 3 || w->served[k] < 1200 / 6));
    free(w);
}

/* Of those that give alike, none best and none with least, each is served in its turn. */
static void who_is_owed(void **state)
{
    (void)state;
    struct crowd *w = setup(40, 100000);
    for (size_t i = 0; i < 12; i++) {
        w->v[i].gave = i == 0 ? 60000 : i == 1 ? 10000 : 50000;
        w->v[i].has = i == 1 ? 10 : 100;
    }
    for (int i = 0; i < 30; i++) {
        round_of(w, false, 40000);
        size_t owed = 0;
        for (size_t k = 2; k < 12; k++)
            owed += w->v[k].unchoked && w->v[k].id != w->c.optimistic;
        assert_int_equal(owed, 1);
        assert_true(w->v[0].unchoked && w->v[1].unchoked);
    }
    w->v[5].gave = 55000;
    w->v[5].snubbed = true;
    round_of(w, false, 40000);
    assert_true(!w->v[5].unchoked || w->c.optimistic == w->v[5].id);
    w->v[5].snubbed = false;
    round_of(w, false, 40000);
    assert_true(w->v[5].unchoked);
    free(w);
}

static void optimistic_rotates(void **state)
{
    (void)state;
    struct crowd *w = setup(20, 100000);
    for (size_t i = 0; i < 3; i++)
        w->v[i].gave = 50000;
    for (int i = 0; i < 60; i++) {
        uint32_t was = w->c.optimistic;
        round_of(w, false, 40000);
        if (i % 3)
            assert_int_equal(w->c.optimistic, was);
        else
            assert_int_not_equal(w->c.optimistic, was);
    }
    free(w);
}

static void newcomers_are_likelier(void **state)
{
    (void)state;
    unsigned newcomer = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct crowd *w = setup(8, 100000);
        rng_seed(&w->rng, seed);
        for (size_t i = 0; i < 3; i++)
            w->v[i].gave = 50000;
        w->v[7].connected = w->now;
        round_of(w, false, 40000);
        newcomer += w->c.optimistic == w->v[7].id;
        free(w);
    }
    assert_in_range(newcomer, 2000 * 3 / 7 - 100, 2000 * 3 / 7 + 100);
}

static void who_gets_no_slot(void **state)
{
    (void)state;
    struct crowd *w = setup(6, 100000);
    w->v[0].gave = 90000;
    w->v[0].snubbed = true;
    w->v[1].upload_only = true;
    w->v[2].interested = false;
    w->v[3].interested = false;
    w->v[3].gave = 80000; /* ahead of interest */
    w->v[4].gave = 70000;
    w->v[5].gave = 1;
    round_of(w, false, 40000);
    assert_false(w->v[1].unchoked);
    assert_false(w->v[2].unchoked);
    assert_true(w->v[3].unchoked);
    assert_true(w->v[4].unchoked);
    assert_true(w->v[5].unchoked);
    assert_true(w->v[0].unchoked == (w->c.optimistic == w->v[0].id));
    round_of(w, true, 40000); /* a seed knows no snubs, and nobody gives */
    assert_true(w->v[0].unchoked && w->v[4].unchoked && w->v[5].unchoked);
    assert_false(w->v[1].unchoked || w->v[2].unchoked || w->v[3].unchoked);
    free(w);
}

/* Beginners have nothing to give: upload must not lie idle, or none ever has. */
static void spare_slots_are_used(void **state)
{
    (void)state;
    struct crowd *w = setup(30, 100000);
    for (int i = 0; i < 300; i++) {
        round_of(w, false, 40000);
        assert_int_equal(unchoked(w, true), 4);
    }
    for (size_t k = 0; k < w->n; k++)
        assert_true(w->served[k] >= 10);
    free(w);
}

static void a_seed_rotates(void **state)
{
    (void)state;
    struct crowd *w = setup(30, 40000);
    usec kept = USEC_NEVER;
    for (int i = 0; i < 600; i++) {
        struct choker_peer before[MAX];
        memcpy(before, w->v, sizeof before);
        round_of(w, true, 40000);
        assert_int_equal(unchoked(w, true), 4);
        for (size_t k = 0; k < w->n; k++)
            if (before[k].unchoked && !w->v[k].unchoked)
                kept = usec_min(kept, w->now - before[k].since);
    }
    assert_true(kept >= CHOKER_OPTIMISTIC * 2 / 3);
    for (size_t k = 0; k < w->n; k++)
        assert_in_range(w->served[k], 600 * 4 / 30 / 2, 600 * 4 / 30 * 2);
    free(w);
}

static void a_seed_prefers_fast_takers(void **state)
{
    (void)state;
    struct crowd *w = setup(12, 1000000);
    uint64_t fast = 0, slow = 0;
    for (size_t k = 0; k < w->n; k++)
        w->can_take[k] = k < 6 ? 1000 : 1000000;
    for (int i = 0; i < 600; i++)
        round_of(w, true, 100000);
    for (size_t k = 0; k < w->n; k++)
        *(k < 6 ? &slow : &fast) += w->served[k];
    assert_true(fast > slow * 4 / 3);
    for (size_t k = 0; k < w->n; k++)
        assert_true(w->served[k] > 50); /* slow ones are served as well */
    free(w);
}

static void slots_by_limit(void **state)
{
    (void)state;
    static const struct {
        uint64_t limit;
        uint32_t slots;
    } v[] = {{1, 4}, {10000, 4}, {50000, 5}, {200000, 10}, {800000, 20}, {UINT64_MAX, 20}};
    struct crowd *w = setup(50, 1000000);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        round_of(w, true, v[i].limit);
        assert_int_equal(w->c.slots, v[i].slots);
        assert_int_equal(unchoked(w, true), v[i].slots);
    }
    free(w);
}

/* Unlimited: a wide link is used, a narrow one is not cut into crumbs. */
static void slots_by_trial(void **state)
{
    (void)state;
    static const struct {
        uint64_t width, can_take;
        uint32_t least, most;
    } v[] = {
        {100000000, UINT32_MAX, 4, 6}, /* four fill a fast link: more would only divide it */
        {100000000, 5000000, 20, 20},  /* fast peers on a faster link: soon all slots */
        {100000000, 12000000, 8, 13},
        {100000000, 10000, 20, 20}, /* slow peers on a fast link: each slot adds */
        {50000, UINT32_MAX, 4, 5},  /* a narrow link: a slot more brings nothing */
        {50000, 1000, 20, 20},
        {50000, 5000, 10, 12}, /* ten fill it */
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        for (int seeding = 0; seeding < 2; seeding++) {
            struct crowd *w = setup(60, v[i].width);
            for (size_t k = 0; k < w->n; k++)
                w->can_take[k] = v[i].can_take;
            for (int k = 0; k < 200; k++) {
                round_of(w, seeding, 0);
                if (k > 150)
                    assert_in_range(w->c.slots, v[i].least, v[i].most);
            }
            free(w);
        }
}

/* What a leech sends grows while it comes to have something to give: no slot is owed to that. */
static void no_trial_while_the_rate_grows(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct crowd *w = setup(60, 1000);
        for (int k = 0; k < 12; k++) {
            round_of(w, seeding, 0);
            w->width += w->width / 4;
            if (!seeding)
                assert_int_equal(w->c.slots, CHOKER_MIN_SLOTS);
        }
        for (int k = 0; k < 4; k++)
            round_of(w, seeding, 0);
        assert_true(w->c.slots > CHOKER_MIN_SLOTS);
        free(w);
    }
}

/* Who has nothing that others lack cannot give: what it gave before counts. */
static void who_fell_behind(void **state)
{
    (void)state;
    struct crowd *w = setup(40, 100000);
    for (size_t i = 0; i < 10; i++) {
        w->v[i].gave = 50000 + 1000 * i;
        w->v[i].has = 100;
    }
    w->v[20].given = true;
    w->v[20].has = 10;
    for (int i = 0; i < 30; i++) {
        round_of(w, false, 40000);
        assert_true(w->v[20].unchoked);
    }
    w->v[20].debtor = true;
    round_of(w, false, 40000);
    assert_true(!w->v[20].unchoked || w->c.optimistic == w->v[20].id);
    free(w);
}

/* Between rounds: a slot that nobody uses goes to the giver who has least, or to who has waited
 * longest. */
static void idle_slots_are_filled(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct crowd *w = setup(12, 1000000);
        round_of(w, seeding, 0);
        usec now = w->now + USEC_SEC;
        assert_int_equal(unchoked(w, true), CHOKER_MIN_SLOTS);
        assert_int_equal(choker_fill(&w->c, w->v, w->n, seeding, false, &w->rng, now), 0);
        size_t left = 0, next = 0;
        while (!w->v[left].unchoked)
            left++;
        w->v[left].interested = false; /* it wants nothing more, */
        for (size_t i = left + 1; i < w->n; i++)
            if (w->v[i].unchoked) {
                w->v[i].idle = true; /* and another asks for nothing */
                break;
            }
        for (size_t i = 0; i < w->n; i++)
            if (!w->v[i].unchoked) {
                w->v[i].since = now - USEC_MIN;
                w->v[i].gave = i % 2;
                w->v[i].given = i % 2;
                w->v[i].has = 10;
                next = next ? next : i;
            }
        w->v[next].since = now - 2 * USEC_MIN;
        w->v[next].gave = 1;
        w->v[next].given = true;
        w->v[next].has = 5;
        assert_int_equal(choker_fill(&w->c, w->v, w->n, seeding, false, &w->rng, now), 2);
        assert_true(w->v[next].unchoked);
        assert_int_equal(unchoked(w, false), CHOKER_MIN_SLOTS + 2); /* nobody lost his */
        assert_int_equal(choker_fill(&w->c, w->v, w->n, seeding, false, &w->rng, now), 0);
        free(w);
    }
}

/* Who gave once comes before who never did, though it had more and gives nothing lately. */
static void a_free_slot_is_for_givers(void **state)
{
    (void)state;
    struct crowd *w = setup(CHOKER_MIN_SLOTS + 1, 1000000);
    for (size_t i = 0; i < w->n; i++) {
        w->v[i].unchoked = i > 1;
        w->v[i].given = i == 1;
        w->v[i].has = i == 1 ? 8 : 5;
    }
    assert_int_equal(choker_fill(&w->c, w->v, w->n, false, false, &w->rng, w->now), 1);
    assert_true(w->v[1].unchoked);
    assert_false(w->v[0].unchoked);
    free(w);
}

/* The first pieces of a crowd go to those that have none, and not from all to the same. */
static void beginners_come_first(void **state)
{
    (void)state;
    unsigned filled[MAX] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct crowd *w = setup(20, 1000000);
        rng_seed(&w->rng, seed);
        for (size_t i = 0; i < 10; i++) {
            w->v[i].gave = 1000;
            w->v[i].has = 1;
        }
        choker_fill(&w->c, w->v, w->n, false, false, &w->rng, w->now);
        for (size_t i = 0; i < w->n; i++)
            filled[i] += w->v[i].unchoked;
        free(w);
    }
    for (size_t i = 0; i < 20; i++)
        assert_in_range(filled[i], i < 10 ? 0 : 100, i < 10 ? 0 : 220);
}

/* Who gives nothing on waits behind all others, but is served where nobody else wants it. */
static void debtors_wait(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct crowd *w = setup(12, 1000000);
        for (size_t i = 0; i < 6; i++)
            w->v[i].debtor = true;
        for (int k = 0; k < 60; k++)
            round_of(w, seeding, 0);
        size_t by_debtors = 0, by_others = 0;
        for (size_t i = 0; i < w->n; i++)
            *(w->v[i].debtor ? &by_debtors : &by_others) += w->served[i];
        assert_true(by_debtors * 5 < by_others);
        assert_true(seeding || by_debtors > 0); /* the optimistic slot finds out who has changed */
        for (size_t i = 0; i < w->n; i++) {
            w->v[i].interested = w->v[i].debtor;
            w->v[i].unchoked = false;
        }
        usec now = w->now + USEC_SEC;
        assert_int_equal(choker_fill(&w->c, w->v, w->n, seeding, false, &w->rng, now), 0);
        assert_int_equal(choker_fill(&w->c, w->v, w->n, seeding, true, &w->rng, now), w->c.slots);
        free(w);
    }
}

/* A seed's debtor makes room between rounds for one that waits; a leecher's stays until then. */
static void debtors_of_a_seed_go(void **state)
{
    (void)state;
    for (int seeding = 0; seeding < 2; seeding++) {
        struct crowd *w = setup(8, 1000000);
        round_of(w, seeding, 0);
        size_t k = 0;
        while (!w->v[k].unchoked)
            k++;
        w->v[k].debtor = true;
        choker_fill(&w->c, w->v, w->n, seeding, false, &w->rng, w->now + USEC_SEC);
        assert_int_equal(w->v[k].unchoked, !seeding);
        assert_int_equal(unchoked(w, true), CHOKER_MIN_SLOTS);
        free(w);
    }
}

static void leaving_and_coming(void **state)
{
    (void)state;
    struct crowd *w = setup(20, 100000);
    round_of(w, false, 40000);
    uint32_t id = w->c.optimistic;
    choker_gone(&w->c, id, w->now + USEC_SEC);
    assert_int_equal(w->c.optimistic, CHOKER_NONE);
    assert_true(choker_deadline(&w->c) <= w->now + 3 * USEC_SEC);
    assert_true(choker_deadline(&w->c) > w->now + USEC_SEC); /* not for each of a thousand */
    for (int i = 0; i < 2000; i++) { /* whoever comes, goes, changes: the round holds its rules */
        struct choker_peer *p = &w->v[rng_below(&w->rng, w->n)];
        if (p->id == w->c.optimistic)
            choker_gone(&w->c, p->id, w->now);
        *p = (struct choker_peer){
            .id = (uint32_t)(1000 + i),
            .interested = rng_below(&w->rng, 2),
            .snubbed = rng_below(&w->rng, 5) == 0,
            .upload_only = rng_below(&w->rng, 5) == 0,
            .gave = rng_below(&w->rng, 3) * rng_below(&w->rng, 100000),
            .connected = w->now,
            .since = w->now,
        };
        round_of(w, rng_below(&w->rng, 2), rng_below(&w->rng, 2) * 100000);
        for (size_t k = 0; k < w->n; k++)
            assert_false(w->v[k].upload_only && w->v[k].unchoked);
    }
    free(w);
}

/* Neighbours sit beyond the slots, so many as their strength says; strangers keep theirs. */
static void neighbours_sit_apart(void **state)
{
    static const struct {
        uint8_t strength;
        uint32_t seats;
    } v[] = {{100, CHOKER_NEAR_SEATS}, {50, CHOKER_NEAR_SEATS / 2}, {1, 1}};
    (void)state;
    assert_int_equal(choker_near_seats(0), 0);
    for (size_t k = 0; k < sizeof v / sizeof *v; k++)
        for (int seeding = 0; seeding < 2; seeding++) {
            struct crowd *w = setup(60, 100000);
            for (size_t i = 0; i < 30; i++)
                w->v[i].near = v[k].strength;
            assert_int_equal(choker_near_seats(v[k].strength), v[k].seats);
            choker_run(&w->c, w->v, w->n, seeding, 0, &w->rng, w->now);
            uint32_t near = 0, far = 0;
            for (size_t i = 0; i < w->n; i++)
                *(w->v[i].near ? &near : &far) += w->v[i].unchoked;
            assert_true(near >= v[k].seats);
            assert_int_equal(near + far, v[k].seats + w->c.slots);
            free(w);
        }
}

/* Of neighbours, too, those that give come first. */
static void neighbours_that_give(void **state)
{
    (void)state;
    struct crowd *w = setup(20, 100000);
    for (size_t i = 0; i < 20; i++) {
        w->v[i].near = 50;
        w->v[i].gave = i * 1000;
    }
    choker_run(&w->c, w->v, w->n, false, 0, &w->rng, w->now);
    for (size_t i = 20 - choker_near_seats(50); i < 20; i++)
        assert_true(w->v[i].unchoked);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody),
        cmocka_unit_test(few_are_all_served),
        cmocka_unit_test(tit_for_tat),
        cmocka_unit_test(who_is_owed),
        cmocka_unit_test(optimistic_rotates),
        cmocka_unit_test(newcomers_are_likelier),
        cmocka_unit_test(who_gets_no_slot),
        cmocka_unit_test(spare_slots_are_used),
        cmocka_unit_test(a_seed_rotates),
        cmocka_unit_test(a_seed_prefers_fast_takers),
        cmocka_unit_test(slots_by_limit),
        cmocka_unit_test(slots_by_trial),
        cmocka_unit_test(no_trial_while_the_rate_grows),
        cmocka_unit_test(who_fell_behind),
        cmocka_unit_test(idle_slots_are_filled),
        cmocka_unit_test(a_free_slot_is_for_givers),
        cmocka_unit_test(beginners_come_first),
        cmocka_unit_test(debtors_wait),
        cmocka_unit_test(debtors_of_a_seed_go),
        cmocka_unit_test(leaving_and_coming),
        cmocka_unit_test(neighbours_sit_apart),
        cmocka_unit_test(neighbours_that_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
