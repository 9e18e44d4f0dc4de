/* Web seeds: URLs with their escapes, and ranges that meet pads, gaps and empty files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <p2p/base/rng.h>
#include <p2p/proto/webseed.h>

static void url_is(const struct manifest *m, const char *base, uint32_t file, const char *want)
{
    struct buf b = {0};
    webseed_url(&b, base, m, file);
    if (!bytes_is(buf_bytes(&b), want))
        fail_msg("%.*s instead of %s", (int)buf_len(&b), (const char *)buf_bytes(&b).p, want);
    buf_fini(&b);
}

static void schemes(void **state)
{
    (void)state;
    assert_true(webseed_spoken("http://h/"));
    assert_true(webseed_spoken("HTTPS://h/"));
    assert_false(webseed_spoken("ftp://h/"));
    assert_false(webseed_spoken("httpx://h/"));
    assert_false(webseed_spoken(""));
}

static void urls_of_one_file(void **state)
{
    (void)state;
    char name[] = "a film (1).mkv";
    struct manifest_file f = {.path = name, .length = 5};
    struct manifest m = {
        .name = name, .files = &f, .n_files = 1, .space = 5, .piece_length = 16384};
    url_is(&m, "http://mirror.com/file.exe", 0, "http://mirror.com/file.exe");
    url_is(&m, "http://mirror.com/get?id=7", 0, "http://mirror.com/get?id=7");
    url_is(&m, "http://mirror.com/", 0, "http://mirror.com/a%20film%20%281%29.mkv");
    url_is(&m, "http://h/My Files/\xc3\xa9%41|x", 0, "http://h/My%20Files/%C3%A9%41|x");
    url_is(&m, "http://h/My Files/", 0, "http://h/My%20Files/a%20film%20%281%29.mkv");
    url_is(&m, "http://h/a/b/", 0, "http://h/a/b/a%20film%20%281%29.mkv");
}

static void urls_of_folders(void **state)
{
    (void)state;
    char name[] = "michael";
    struct manifest_file f[] = {{.path = "Readme.txt"}, {.path = "a b/c#d?/\xc3\xa9%41\xff"}};
    struct manifest m = {
        .name = name, .multi = true, .files = f, .n_files = 2, .piece_length = 16384};
    /* the example of BEP 19 */
    url_is(&m, "http://mirror.com/pub/", 0, "http://mirror.com/pub/michael/Readme.txt");
    url_is(&m, "http://mirror.com/pub", 0, "http://mirror.com/pub/michael/Readme.txt");
    url_is(&m, "http://h/", 1, "http://h/michael/a%20b/c%23d%3F/%C3%A9%2541%FF");
}

/* Files of 0x5000 and 100 bytes with a pad between them, an empty one, and one of 7 at the end. */
static struct manifest_file padded[] = {
    {.path = "a", .length = 0x5000, .offset = 0},
    {.path = ".pad/12288", .length = 0x3000, .offset = 0x5000, .attr = FILE_PAD},
    {.path = "b", .length = 100, .offset = 0x8000},
    {.path = "empty", .length = 0, .offset = 0x8064},
    {.path = "c", .length = 7, .offset = 0x8064},
};

static char top[] = "top";
static const struct manifest v1 = {
    .name = top, .multi = true, .has_v1 = true, .files = padded, .n_files = 5,
    .piece_length = 0x4000, .n_pieces = 3, .space = 0x806b,
};

static void part_is(const struct webseed_part *p, uint32_t file, uint64_t offset, uint64_t length,
                    uint64_t at)
{
    assert_int_equal(p->file, file);
    assert_int_equal(p->offset, offset);
    assert_int_equal(p->length, length);
    assert_int_equal(p->at, at);
}

static void plan_leaves_pads_out(void **state)
{
    (void)state;
    struct webseed_part p[8];
    uint64_t covered;
    assert_int_equal(webseed_plan(&v1, 0, v1.space, p, 8, &covered), 3);
    assert_int_equal(covered, v1.space);
    part_is(&p[0], 0, 0, 0x5000, 0);
    part_is(&p[1], 2, 0, 100, 0x8000);
    part_is(&p[2], 4, 0, 7, 0x8064);
    assert_int_equal(webseed_plan(&v1, 0x4000, 0x4000, p, 8, &covered), 1);
    assert_int_equal(covered, 0x4000); /* the pad behind needs nothing */
    part_is(&p[0], 0, 0x4000, 0x1000, 0x4000);
    assert_int_equal(webseed_plan(&v1, 0x6000, 0x1000, p, 8, &covered), 0);
    assert_int_equal(covered, 0x1000);
}

static void plan_stops_at_its_limit(void **state)
{
    (void)state;
    struct webseed_part p[2];
    uint64_t covered;
    assert_int_equal(webseed_plan(&v1, 0x100, v1.space - 0x100, p, 1, &covered), 1);
    assert_int_equal(covered, 0x8000 - 0x100);
    part_is(&p[0], 0, 0x100, 0x4f00, 0x100);
    assert_int_equal(webseed_plan(&v1, 0x8000, 0x6b, p, 1, &covered), 1);
    assert_int_equal(covered, 100);
    assert_int_equal(webseed_plan(&v1, 0x8000, 0x6b, p, 0, &covered), 0);
    assert_int_equal(covered, 0);
    assert_int_equal(webseed_plan(&v1, 0x8064, UINT64_MAX, p, 2, &covered), 1); /* cut at the end */
    assert_int_equal(covered, 7);
    assert_int_equal(webseed_plan(&v1, v1.space, 1, p, 2, &covered), 0);
    assert_int_equal(covered, 0);
    assert_int_equal(webseed_plan(&v1, UINT64_MAX, UINT64_MAX, p, 2, &covered), 0);
    assert_int_equal(covered, 0);
}

static void plan_over_gaps(void **state)
{
    (void)state;
    struct manifest_file f[] = {{.path = "a", .length = 10},
                                {.path = "b", .length = 20, .offset = 0x4000}};
    struct manifest m = {.name = top, .multi = true, .has_v2 = true, .files = f, .n_files = 2,
                         .piece_length = 0x4000, .n_pieces = 2, .space = 0x4014};
    struct webseed_part p[4];
    uint64_t covered;
    assert_int_equal(webseed_plan(&m, 5, 0x4014 - 5, p, 4, &covered), 2);
    assert_int_equal(covered, 0x4014 - 5);
    part_is(&p[0], 0, 5, 5, 5);
    part_is(&p[1], 1, 0, 20, 0x4000);
}

/* Taken in steps of any size, each byte of content is asked for once. */
static void steps_add_up(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    for (int round = 0; round < 200; round++) {
        uint64_t at = 0, real = 0;
        while (at < v1.space) {
            struct webseed_part p[2];
            uint64_t covered, length = 1 + rng_below(&r, 0x3000);
            size_t n = webseed_plan(&v1, at, length, p, 1 + rng_below(&r, 2), &covered);
            assert_true(covered > 0 && covered <= length);
            for (size_t i = 0; i < n; i++) {
                assert_true(p[i].at >= at && p[i].at + p[i].length <= at + covered);
                assert_int_equal(v1.files[p[i].file].offset + p[i].offset, p[i].at);
                real += p[i].length;
            }
            at += covered;
        }
        assert_int_equal(real, 0x5000 + 100 + 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes),
        cmocka_unit_test(urls_of_one_file),
        cmocka_unit_test(urls_of_folders),
        cmocka_unit_test(plan_leaves_pads_out),
        cmocka_unit_test(plan_stops_at_its_limit),
        cmocka_unit_test(plan_over_gaps),
        cmocka_unit_test(steps_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
