/* Sizes, rates and durations as people write them, and as we write them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/units.h>

#define K UINT64_C(1000)
#define KI UINT64_C(1024)
#define BAD (UINT64_MAX - 7) /* no row below means this number */

struct row {
    const char *s;
    uint64_t v;
};

static void check(const struct row *t, size_t n, bool (*parse)(const char *, uint64_t *))
{
    for (size_t i = 0; i < n; i++) {
        uint64_t v = BAD;
        bool ok = parse(t[i].s, &v);
        if (ok != (t[i].v != BAD) || v != t[i].v)
            fail_msg("\"%s\": %d, %llu", t[i].s, ok, (unsigned long long)v);
    }
}

static void sizes(void **state)
{
    (void)state;
    static const struct row t[] = {
        {"0", 0},
        {"17", 17},
        {"17B", 17},
        {"1k", K},
        {"1K", K},
        {"1kB", K},
        {"1M", K * K},
        {"1g", K * K * K},
        {"2T", 2 * K * K * K * K},
        {"1Ki", KI},
        {"1ki", KI},
        {"1KI", KI},
        {"16KiB", 16 * KI},
        {"1Mi", KI * KI},
        {"1Gi", KI * KI * KI},
        {"1TiB", KI * KI * KI * KI},
        {"1.5G", 1500000000},
        {"0.5Ki", 512},
        {"1.0005k", 1000}, /* rounded down */
        {"1.9999999999999999999999999999999999k", 1999},
        {"0.0000000000009T", 0},
        {"0.000000000001T", 1},
        {"18446744073709551615", UINT64_MAX},
        {"18446744073709551616", BAD},
        {"18446744073709551.615k", UINT64_MAX},
        {"18446744073709551.616k", BAD},
        {"16777215.9999Ti", 16777215 * KI * KI * KI * KI + 1099401676613},
        {"16777216Ti", BAD},
        {"99999999999999999999", BAD},
        {"", BAD},
        {"k", BAD},
        {"B", BAD},
        {"i", BAD},
        {".5k", BAD},
        {"1.k", BAD},
        {"1.", BAD},
        {"1.5", BAD}, /* half a byte */
        {"1.5B", BAD},
        {"1..5k", BAD},
        {"1,5k", BAD},
        {"-1", BAD},
        {"+1", BAD},
        {" 1", BAD},
        {"1 ", BAD},
        {"1 k", BAD},
        {"1i", BAD},
        {"1Kii", BAD},
        {"1Kb", BAD},
        {"1BB", BAD},
        {"1P", BAD},
        {"1KM", BAD},
        {"1e3", BAD},
        {"0x10", BAD},
        {"1k/s", BAD},
    };
    check(t, sizeof t / sizeof *t, units_parse_size);
}

static void rates(void **state)
{
    (void)state;
    static const struct row t[] = {
        {"0", 0},
        {"1M", K * K},
        {"1M/s", K * K},
        {"1.5MiB/s", 3 * KI * KI / 2},
        {"100B/s", 100},
        {"100/s", 100},
        {"1M/", BAD},
        {"1M/S", BAD},
        {"1M/s/s", BAD},
        {"1M/m", BAD},
        {"/s", BAD},
        {"", BAD},
    };
    check(t, sizeof t / sizeof *t, units_parse_rate);
}

static bool duration(const char *s, uint64_t *v)
{
    usec us;
    bool ok = units_parse_duration(s, &us);
    if (ok)
        *v = (uint64_t)us;
    return ok;
}

static void durations(void **state)
{
    (void)state;
    static const struct row t[] = {
        {"0", 0},
        {"90", 90 * USEC_SEC},
        {"0.25", USEC_SEC / 4},
        {"90s", 90 * USEC_SEC},
        {"1.5h", 90 * USEC_MIN},
        {"5m", 5 * USEC_MIN},
        {"2d", 2880 * USEC_MIN},
        {"1h30m", 90 * USEC_MIN},
        {"1d1s", 1440 * USEC_MIN + USEC_SEC},
        {"1d2h3m4s", 1563 * USEC_MIN + 4 * USEC_SEC},
        {"0.0000001s", 0},
        {"9223372036854.775806", USEC_NEVER - 1},
        {"9223372036854.775807", BAD}, /* that number means never */
        {"9223372036855", BAD},
        {"106751991d", UINT64_C(106751991) * 1440 * 60 * 1000000},
        {"106751992d", BAD},
        {"213503983d", BAD},
        {"106751991d99h", BAD},
        {"99999999999999999999d", BAD},
        {"", BAD},
        {"s", BAD},
        {"1h30", BAD},
        {"30m1h", BAD},
        {"1m1m", BAD},
        {"1s1", BAD},
        {"1x", BAD},
        {"1ms", BAD},
        {"1H", BAD},
        {"1h ", BAD},
        {"1h 30m", BAD},
        {" 1h", BAD},
        {"-1h", BAD},
        {"1.h", BAD},
        {".5h", BAD},
        {"1:30", BAD},
    };
    check(t, sizeof t / sizeof *t, duration);
}

static void shows_sizes(void **state)
{
    (void)state;
    static const struct row t[] = {
        {"0 B", 0},
        {"17 B", 17},
        {"1023 B", 1023},
        {"1.0 KiB", 1024},
        {"1.4 KiB", 1434},
        {"9.9 KiB", 10188},
        {"10 KiB", 10189},
        {"10 KiB", 10240},
        {"10 KiB", 10751},
        {"11 KiB", 10752},
        {"812 KiB", 812 * KI},
        {"1023 KiB", 1023 * KI},
        {"1023 KiB", 1024 * KI - 513},
        {"1.0 MiB", 1024 * KI - 512},
        {"1.0 MiB", KI * KI},
        {"1023 MiB", 1023 * KI * KI},
        {"1.0 GiB", KI * KI * KI - 1},
        {"1.4 GiB", 1503238553},
        {"1.0 TiB", KI * KI * KI * KI},
        {"1023 PiB", (KI * KI - KI) * KI * KI * KI * KI},
        {"1.0 EiB", KI * KI * KI * KI * KI * KI},
        {"16 EiB", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char out[16];
        units_format_size(out, t[i].v);
        assert_string_equal(out, t[i].s);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t near = 0; near < 3; near++) {
            char out[16];
            units_format_size(out, (UINT64_C(1) << bit) - 1 + near);
            assert_true(strlen(out) <= 9);
        }
    }
}

static void shows_durations(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        usec us;
    } t[] = {
        {"0:00", 0},
        {"0:00", -5 * USEC_SEC},
        {"0:00", INT64_MIN},
        {"0:00", USEC_SEC - 1},
        {"3:07", 187 * USEC_SEC},
        {"59:59", 60 * USEC_MIN - 1},
        {"1:00:00", 60 * USEC_MIN},
        {"2:14:09", 134 * USEC_MIN + 9 * USEC_SEC},
        {"23:59:59", 1440 * USEC_MIN - 1},
        {"1 d 0 h", 1440 * USEC_MIN},
        {"5 d 3 h", 123 * 60 * USEC_MIN},
        {"106751991 d 4 h", USEC_NEVER - 1},
        {"-", USEC_NEVER},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        char out[24];
        units_format_duration(out, t[i].us);
        assert_string_equal(out, t[i].s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),       cmocka_unit_test(rates),
        cmocka_unit_test(durations),   cmocka_unit_test(shows_sizes),
        cmocka_unit_test(shows_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
