/*
 * catalogue: several calls as one transaction, which the disk is waited for once; and how often it
 * is waited for otherwise. The C library's calls that wait are counted here on their way.
 */
#include "catalogue_make.h"

#include <p2p/host/fileio.h>

#include <fcntl.h>
#include <sys/syscall.h>

static unsigned waits;

int fsync(int fd)
{
    waits++;
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    waits++;
    return (int)syscall(SYS_fdatasync, fd);
}

struct story {
    unsigned first, n; /* items */
    int code;          /* what is returned in the end */
    unsigned calls;
};

static int put_some(struct catalogue *c, void *arg, struct err *e)
{
    struct story *s = arg;
    int rc = 0;
    s->calls++;
    for (unsigned i = s->first; i < s->first + s->n && rc == 0; i++) {
        struct catalogue_item it = item(i);
        int64_t id = 0;
        rc = catalogue_put(c, &it, BYTES_LIT("manifest"), (struct bytes){0}, &id, e);
        if (rc == 0)
            rc = catalogue_record_put(c, id, it.state, it.have, BYTES_LIT("record"), 7, e);
        if (rc == 0)
            rc = catalogue_add_traffic(c, id, 1, 2, e);
    }
    return rc ? rc : s->code;
}

static void one_wait_for_all(void **state)
{
    (void)state;
    struct err e = {0};
    struct story s = {.n = 1};
    struct catalogue *c = open_catalogue();
    assert_int_equal(waits, 2);                                   /* the new file, and its name */
    assert_int_equal(catalogue_together(c, put_some, &s, &e), 0); /* and the journal's beginning */
    s.first = 1;
    waits = 0;
    assert_int_equal(put_some(c, &s, &e), 0);
    assert_int_equal(waits, 3);
    s = (struct story){.first = 2, .n = 20};
    waits = 0;
    assert_int_equal(catalogue_together(c, put_some, &s, &e), 0);
    assert_int_equal(waits, 1);
    assert_int_equal(catalogue_count(c, &e), 22);
    waits = 0;
    catalogue_free(c);
    assert_int_equal(waits, 2); /* the journal, and what it says */
}

static void all_or_nothing(void **state)
{
    (void)state;
    struct err e = {0};
    struct story s = {.n = 3, .code = ERR_LIMIT};
    struct catalogue *c = open_catalogue();
    assert_int_equal(catalogue_together(c, put_some, &s, &e), ERR_LIMIT);
    assert_int_equal(catalogue_count(c, &e), 0);
    s.code = 0;
    assert_int_equal(catalogue_together(c, put_some, &s, &e), 0);
    assert_int_equal(catalogue_count(c, &e), 3);
    assert_int_equal(s.calls, 2);
    catalogue_free(c);
}

static void overwrite(const char *path, off_t at)
{
    char junk[4096];
    int fd = open(path, O_WRONLY);
    memset(junk, 0xa5, sizeof junk);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
}

/* Found by the first call, which knows nothing of it: the file is repaired, and all done again. */
static void damage_on_the_way(void **state)
{
    (void)state;
    struct err e = {0};
    struct story s = {.n = 40};
    struct catalogue *c = open_catalogue();
    assert_int_equal(catalogue_together(c, put_some, &s, &e), 0);
    catalogue_free(c);
    overwrite(at(CATALOGUE_FILE), 4096); /* the root of the items */
    s = (struct story){.first = 90, .n = 2};
    c = open_catalogue();
    assert_int_equal(catalogue_together(c, put_some, &s, &e), 0);
    assert_int_equal(s.calls, 2);
    assert_non_null(catalogue_notice(c));
    struct catalogue_item want = item(91), got;
    assert_int_equal(catalogue_get(c, BYTES(want.v1, 20), &got, &e), 0);
    assert_int_equal(got.downloaded, 2);
    catalogue_item_fini(&got);
    catalogue_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(one_wait_for_all),
        SCRATCH_TEST(all_or_nothing),
        SCRATCH_TEST(damage_on_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
