/* One window's worth of memory for all items that need one, and what big pieces are told. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "engine/windows.h"

#include <string.h>

#define MI ((uint64_t)1 << 20)
#define ITEMS 40

static struct engine g;
static struct item v[ITEMS];
static struct manifest m[ITEMS];
static char some_name[] = "film";
static unsigned warnings;
static struct err err;

static void note(void *arg, const struct engine_event *ev)
{
    (void)arg;
    warnings += ev->kind == ENGINE_WARNING;
}

/* So many items, of which the manifest is known. */
static void begin(size_t n, uint64_t piece, uint64_t space, uint64_t window)
{
    g = (struct engine){.event = note};
    list_init(&g.items);
    warnings = 0;
    err_clear(&err);
    for (size_t i = 0; i < n; i++) {
        m[i] =
            (struct manifest){.piece_length = (uint32_t)piece, .space = space, .name = some_name};
        v[i] = (struct item){.g = &g, .m = &m[i], .spec = {.stream = true, .window = window}};
        list_push(&g.items, &v[i].node);
    }
}

static void alone_it_has_all(void **state)
{
    (void)state;
    begin(1, MI, 900 * MI, 0);
    assert_int_equal(windows_part(&v[0]), WINDOWS_ALL);
    assert_int_equal(windows_settle(&v[0], &err), 0);
    assert_int_equal(windows_part(&v[0]), WINDOWS_ALL);
    windows_free(&v[0]);
    windows_free(&v[0]);
    assert_int_equal(g.windows, 0);
    begin(1, MI, 900 * MI, 5 * MI);
    assert_int_equal(windows_part(&v[0]), 5 * MI);
    begin(1, MI, 900 * MI, 0); /* a file on the disk needs none */
    v[0].spec.stream = false;
    assert_int_equal(windows_part(&v[0]), 0);
    v[0].spec.inside = true;
    assert_int_equal(windows_part(&v[0]), WINDOWS_ALL);
}

static void several_share_it(void **state)
{
    (void)state;
    begin(8, MI, 900 * MI, 0);
    v[7].dropped = true;
    v[6].spec.stream = false;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(windows_settle(&v[i], &err), 0);
        assert_int_equal(windows_part(&v[i]), WINDOWS_ALL / 6);
    }
    assert_true(g.windows <= WINDOWS_ALL);
}

/* When others go, and one comes that was not counted, it is not more all the same. */
static void never_more_in_all(void **state)
{
    (void)state;
    begin(3, MI, 900 * MI, 0);
    v[1].dropped = v[2].dropped = true;
    assert_int_equal(windows_part(&v[0]), WINDOWS_ALL);
    v[1].dropped = v[2].dropped = false;
    windows_part(&v[1]);
    assert_true(g.windows <= WINDOWS_ALL + 1);
    windows_free(&v[0]);
    assert_int_equal(windows_part(&v[2]), WINDOWS_ALL / 3);
}

static void two_pieces_each(void **state)
{
    (void)state;
    begin(ITEMS, MI, 900 * MI, 0);
    for (unsigned i = 0; i < ITEMS; i++) {
        assert_int_equal(windows_settle(&v[i], &err), 0);
        assert_int_equal(windows_part(&v[i]), 2 * MI);
    }
    assert_int_equal(g.windows, ITEMS * 2 * MI);
    assert_int_equal(warnings, 0);
    begin(ITEMS, MI, 2000, 0); /* as many as it has */
    assert_int_equal(windows_settle(&v[0], &err), 0);
    assert_int_equal(windows_part(&v[0]), WINDOWS_ALL / ITEMS);
}

static void too_big_beside_others(void **state)
{
    (void)state;
    begin(3, 128 * MI, 9000 * MI, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(windows_settle(&v[i], &err), 0);
    assert_int_equal(warnings, 2);
    assert_int_equal(windows_settle(&v[2], &err), ERR_USAGE);
    assert_non_null(strstr(err.msg, "film: its pieces take 256 MiB"));
    assert_true(v[2].temporary);
    assert_true(g.windows <= WINDOWS_MOST + WINDOWS_ALL);
    windows_free(&v[0]);
    assert_int_equal(windows_settle(&v[2], &err), 0);
    begin(1, 512 * MI, 9000 * MI, 0); /* by itself it may */
    assert_int_equal(windows_settle(&v[0], &err), 0);
    assert_int_equal(windows_part(&v[0]), 1024 * MI);
}

/* Who says how much is told when that is too little for one, and shares it otherwise. */
static void as_the_caller_says(void **state)
{
    (void)state;
    begin(2, MI, 900 * MI, 2 * MI - 1);
    assert_int_equal(windows_settle(&v[0], &err), ERR_USAGE);
    assert_string_equal(err.msg, "--window: too small for the pieces of film; it takes 2.0 MiB");
    begin(2, MI, 900 * MI, 3 * MI);
    assert_int_equal(windows_settle(&v[0], &err), 0);
    assert_int_equal(windows_part(&v[0]), 2 * MI);
    begin(2, MI, 900 * MI, 100 * MI);
    assert_int_equal(windows_settle(&v[0], &err), 0);
    assert_int_equal(windows_part(&v[0]), 50 * MI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_it_has_all),      cmocka_unit_test(several_share_it),
        cmocka_unit_test(never_more_in_all),     cmocka_unit_test(two_pieces_each),
        cmocka_unit_test(too_big_beside_others), cmocka_unit_test(as_the_caller_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
