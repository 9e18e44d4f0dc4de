/* Memory: sizes at the edge, and that an impossible one ends the process. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/mem.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static jmp_buf escape;

static void on_abort(int sig)
{
    (void)sig;
    longjmp(escape, 1);
}

/* volatile: a compiler that sees the size at once warns of it, rightly. */
static volatile size_t count, size;

static void call_array(void) { free(mem_array(count, size)); }
static void call_grow(void) { free(mem_grow(NULL, count, size)); }
static void call_alloc(void) { free(mem_alloc(count)); }
static void call_zero(void) { free(mem_zero(count)); }
static void call_strn(void) { free(mem_strn("", count)); }

static bool aborts(void (*f)(void), size_t a, size_t b)
{
    void (*before)(int) = signal(SIGABRT, on_abort);
    volatile bool died = true;
    count = a;
    size = b;
    if (!setjmp(escape)) {
        f();
        died = false;
    }
    signal(SIGABRT, before);
    return died;
}

static void overflow_aborts(void **state)
{
    (void)state;
    assert_true(aborts(call_array, SIZE_MAX / 2 + 1, 2));
    assert_true(aborts(call_array, 2, SIZE_MAX / 2 + 1));
    assert_true(aborts(call_array, SIZE_MAX, SIZE_MAX));
    assert_true(aborts(call_array, (size_t)PTRDIFF_MAX + 1, 1));
    assert_true(aborts(call_grow, SIZE_MAX / 8 + 1, 8));
    assert_true(aborts(call_alloc, SIZE_MAX, 0));
    assert_true(aborts(call_zero, SIZE_MAX, 0));
    assert_true(aborts(call_strn, SIZE_MAX, 0));
    assert_false(aborts(call_array, SIZE_MAX, 0));
    assert_false(aborts(call_array, 0, SIZE_MAX));
}

static void nothing_is_something(void **state)
{
    (void)state;
    void *p[] = {mem_alloc(0), mem_zero(0), mem_array(0, 8), mem_array(8, 0), mem_grow(NULL, 0, 4),
                 mem_dup(NULL, 0)};
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        assert_non_null(p[i]);
        free(p[i]);
    }
}

static void zeroes(void **state)
{
    (void)state;
    unsigned char *z = mem_zero(100), *a = mem_array(25, 4), none[100] = {0};
    assert_memory_equal(z, none, 100);
    assert_memory_equal(a, none, 100);
    free(z);
    free(a);
}

static void grows(void **state)
{
    (void)state;
    int *v = NULL;
    for (int n = 1; n <= 1000; n++) {
        v = mem_grow(v, (size_t)n, sizeof *v);
        v[n - 1] = n;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v[i], i + 1);
    free(v);
}

static void copies(void **state)
{
    (void)state;
    char *s = mem_str("peer"), *n = mem_strn("pe\0er", 5), *d = mem_dup("abc", 3);
    assert_string_equal(s, "peer");
    assert_memory_equal(n, "pe\0er", 6);
    assert_memory_equal(d, "abc", 3);
    assert_null(mem_str(NULL));
    free(s);
    free(n);
    free(d);
    s = mem_strn(NULL, 0);
    assert_string_equal(s, "");
    free(s);
}

static void formats(void **state)
{
    (void)state;
    char *s = mem_fmt("%s-%05d", "x", 42);
    assert_string_equal(s, "x-00042");
    free(s);
    s = mem_fmt("%*s", 100000, "end");
    assert_int_equal(strlen(s), 100000);
    assert_string_equal(s + 99997, "end");
    free(s);
    s = mem_fmt("%s", "");
    assert_string_equal(s, "");
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow_aborts), cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(zeroes),          cmocka_unit_test(grows),
        cmocka_unit_test(copies),          cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
