/* Suggested pieces: what a seed suggests to whom, and what is done about suggestions. */
#include "../../sim/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PIECES 40u
#define PIECE 32768u
static const struct tube_file ONE = {NULL, PIECES *PIECE};

static unsigned suggested[PIECES]; /* to all peers together */
static uint32_t first_asked;

static void count(struct raw *r, const struct wire_msg *m)
{
    (void)r;
    if (m->type == WIRE_SUGGEST)
        suggested[m->index]++;
}

static void note_first(struct raw *r, const struct wire_msg *m)
{
    (void)r;
    if (m->type == WIRE_REQUEST && first_asked == UINT32_MAX)
        first_asked = m->index;
}

static void nobody_is_suggested_what_another_is(void **state)
{
    (void)state;
    struct rig *g = rig_new(1, NULL);
    unsigned total = 0;
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_seed(g);
    memset(suggested, 0, sizeof suggested);
    for (unsigned i = 1; i <= 4; i++) {
        struct raw *r = raw_acting(g, i, count);
        raw_simple(r, WIRE_INTERESTED);
    }
    rig_run(g, 2 * USEC_SEC);
    for (uint32_t p = 0; p < PIECES; p++) {
        assert_true(suggested[p] <= 1);
        total += suggested[p];
    }
    assert_true(total >= 6); /* who came first was alone, with nobody to be told apart from */
    rig_free(g);
}

static void what_has_spread_is_not_suggested(void **state)
{
    (void)state;
    struct rig *g = rig_new(2, NULL);
    rig_content(g, &ONE, 1, 1, PIECE);
    rig_seed(g);
    memset(suggested, 0, sizeof suggested);
    for (unsigned i = 1; i <= 3; i++) {
        struct raw *r = raw_acting(g, i, count);
        for (uint32_t p = 1; p < PIECES; p++)
            raw_index(r, WIRE_HAVE, p);
        raw_simple(r, WIRE_INTERESTED);
    }
    rig_run(g, 2 * USEC_SEC);
    for (uint32_t p = 1; p < PIECES; p++)
        assert_int_equal(suggested[p], 0);
    assert_int_equal(suggested[0], 1);
    rig_free(g);
}

/* Of what is equally rare the suggested piece is asked for; thousands of suggestions do no harm. */
static void suggestions_are_followed(void **state)
{
    (void)state;
    for (uint32_t wish = 0; wish < PIECES; wish += 13) {
        struct rig *g = rig_new(3 + wish, NULL);
        rig_content(g, &ONE, 1, 1, PIECE);
        rig_leech(g);
        first_asked = UINT32_MAX;
        struct raw *r = raw_acting(g, 1, note_first);
        raw_bits(r, true);
        for (uint32_t i = 0; i < 5000; i++)
            raw_index(r, WIRE_SUGGEST, wish);
        raw_simple(r, WIRE_UNCHOKE);
        rig_run(g, USEC_SEC);
        assert_false(r->closed);
        assert_int_equal(first_asked, wish);
        raw_index(r, WIRE_SUGGEST, PIECES);
        assert_true(r->closed); /* there is no such piece */
        rig_free(g);
    }
}

static uint32_t row[4], in_row[4]; /* the last one suggested; how many one after the other */

static void note_row(struct raw *r, const struct wire_msg *m)
{
    size_t i = (size_t)(uintptr_t)r->arg;
    if (m->type != WIRE_SUGGEST)
        return;
    in_row[i] = m->index == row[i] + 1 ? in_row[i] + 1 : 1;
    row[i] = m->index;
}

/* Many clients ask for what lies beside a piece as well: all that are sent to one place would ask
 * for the same. */
static void each_has_a_place_of_its_own(void **state)
{
    static const struct tube_file large = {NULL, 2000 * 16384};
    (void)state;
    struct rig *g = rig_new(5, NULL);
    rig_content(g, &large, 1, 1, 16384);
    rig_seed(g);
    memset(in_row, 0, sizeof in_row);
    for (unsigned i = 0; i < 4; i++) {
        struct raw *r = raw_acting(g, i + 1, note_row);
        r->arg = (void *)(uintptr_t)i;
        raw_simple(r, WIRE_INTERESTED);
    }
    rig_run(g, 2 * USEC_SEC);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(in_row[i] >= 2);
        for (unsigned k = 0; k < i; k++)
            assert_true(row[i] > row[k] ? row[i] - row[k] > 32 : row[k] - row[i] > 32);
    }
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_suggested_what_another_is),
        cmocka_unit_test(what_has_spread_is_not_suggested),
        cmocka_unit_test(suggestions_are_followed),
        cmocka_unit_test(each_has_a_place_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
