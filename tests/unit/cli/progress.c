/* The progress line: what it shows, and what it gives up on a narrow terminal. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/cli/progress.h>

#include <stdlib.h>

static struct progress some(void)
{
    return (struct progress){.name = "film.mkv",
                             .done = 412u << 20,
                             .total = 981u << 20,
                             .rate_down = 11u << 20,
                             .rate_up = 120u << 10,
                             .down = true,
                             .up = true,
                             .peers = 12,
                             .left = 52 * USEC_SEC};
}

static void shows(const struct progress *p, unsigned width, const char *want)
{
    struct buf out = {0};

    progress_format(p, width, &out);
    char *got = buf_take_str(&out);
    assert_string_equal(got, want);
    free(got);
}

static void whole(void **state)
{
    struct progress p = some();
    (void)state;

    shows(&p, 200,
          " 41%  412 MiB / 981 MiB  down 11 MiB/s  up 120 KiB/s  12 peers  0:52 left  film.mkv");
    p.peers = 1;
    p.up = false;
    p.left = USEC_NEVER;
    p.name = NULL;
    shows(&p, 200, " 41%  412 MiB / 981 MiB  down 11 MiB/s  1 peer");
    p.peers = -1; /* hashing: nothing comes down */
    shows(&p, 200, " 41%  412 MiB / 981 MiB  11 MiB/s");
}

static void narrower(void **state)
{
    struct progress p = some();
    (void)state;

    shows(&p, 79, " 41%  412 MiB / 981 MiB  down 11 MiB/s  up 120 KiB/s  12 peers  0:52 left");
    p.name = "a-rather-long-name-of-a-film.mkv";
    shows(&p, 100,
          " 41%  412 MiB / 981 MiB  down 11 MiB/s  up 120 KiB/s  12 peers  0:52 left  "
          "a-rather-long-name-of-...");
    shows(&p, 70, " 41%  412 MiB / 981 MiB  down 11 MiB/s  12 peers  0:52 left  a-rath...");
    shows(&p, 40, " 41%  down 11 MiB/s  0:52 left  a-rat...");
    shows(&p, 20, " 41%  down 11 MiB/s");
    shows(&p, 0, " 41%  down 11 MiB/s");
}

static void percent_is_honest(void **state)
{
    struct progress p = {
        .done = UINT64_MAX - 1, .total = UINT64_MAX, .peers = -1, .left = USEC_NEVER};
    (void)state;

    shows(&p, 20, " 99%");
    p.done = UINT64_MAX;
    shows(&p, 20, "100%");
    p.done = 0;
    shows(&p, 20, "  0%  0 B / 16 EiB");
    p.total = 10;
    p.done = 11;
    shows(&p, 40, "100%  11 B / 10 B");
}

static void total_unknown(void **state)
{
    struct progress p = {.doing = "metadata", .peers = 0, .left = USEC_NEVER};
    (void)state;

    shows(&p, 80, "metadata  0 peers");
    p.done = 2048;
    shows(&p, 80, "metadata  2.0 KiB  0 peers");
    p = (struct progress){.peers = -1, .left = USEC_NEVER, .name = "n"};
    shows(&p, 80, "n");
}

static void hostile_names(void **state)
{
    struct progress p = {.peers = -1, .left = USEC_NEVER, .done = 1, .total = 2};
    (void)state;

    p.name = "a\x1b[2J\n\xff";
    shows(&p, 80, " 50%  1 B / 2 B  a\\x1b[2J\\x0a\\xff");
    p.name =
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"; /* twelve
                                                                                       columns */
    shows(&p, 29,
          " 50%  1 B / 2 B  "
          "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    shows(&p, 28, " 50%  1 B / 2 B  \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x97\xa5...");
    p.name = "\xf0\x9f\x8e\xac\xc3\xa9";
    shows(&p, 40, " 50%  1 B / 2 B  \xf0\x9f\x8e\xac\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole),
        cmocka_unit_test(narrower),
        cmocka_unit_test(percent_is_honest),
        cmocka_unit_test(total_unknown),
        cmocka_unit_test(hostile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
