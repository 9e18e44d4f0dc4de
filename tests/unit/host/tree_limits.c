/*
 * tree at its limits: few descriptors, disks that fill up, vanish or may not be written, threads.
 */
#include "tree_make.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static void many_files_few_descriptors(void **state)
{
    (void)state;
    enum { FILES = 200 };
    static struct tree_file f[FILES];
    static char names[FILES][32];
    size_t all[FILES];
    struct err e = {0};
    for (size_t i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "d%zu/f%zu", i % 7, i);
        f[i] = (struct tree_file){names[i], 3, 0};
        all[i] = i;
    }
    struct tree *t = tree_new(cache, at("root"), f, FILES, ".part", NULL);
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(write_text(t, i, 0, "abc", &e), 0);
        assert_true(fdcache_open_count(cache) <= 4);
    }
    assert_int_equal(tree_sync(t, &e), 0);
    assert_false(tree_dirty(t));
    assert_int_equal(tree_finish_files(t, all, FILES, &e), 0);
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(tree_flags(t, i), TREE_FINAL | TREE_OURS);
        expect_read(t, i, 0, "abc");
    }
    assert_int_equal(tree_delete(t, &e), 0);
    assert_int_equal(entries_in(at("root")), 0);
    tree_free(t);
}

static void pins_outlive_the_limit_and_the_rename(void **state)
{
    (void)state;
    enum { FILES = 10 };
    struct tree_file f[FILES];
    char names[FILES][16], buf[4];
    struct tree_pin pin[FILES];
    struct err e = {0};
    for (size_t i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "f%zu", i);
        f[i] = (struct tree_file){names[i], 3, 0};
    }
    struct tree *t = tree_new(cache, at("root"), f, FILES, ".part", NULL);
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(write_text(t, i, 0, "abc", &e), 0);
        assert_int_equal(tree_pin(t, i, &pin[i], &e), 0);
    }
    assert_int_equal(fdcache_open_count(cache), FILES);
    assert_int_equal(tree_finish_file(t, 0, &e), 0);
    tree_set_flags(t, 1, TREE_FINAL, 0); /* drops a descriptor that is pinned */
    for (size_t i = 0; i < FILES; i++) {
        assert_int_equal(pread(pin[i].fd, buf, 3, 0), 3);
        tree_unpin(t, &pin[i]);
    }
    assert_int_equal(fdcache_open_count(cache), 4);
    tree_free(t);
}

static void running_out_of_descriptors(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit lim = {24, 24};
        setrlimit(RLIMIT_NOFILE, &lim);
        struct tree_file f[40];
        char names[40][8];
        for (size_t i = 0; i < 40; i++) {
            snprintf(names[i], sizeof names[i], "f%zu", i);
            f[i] = (struct tree_file){names[i], 3, 0};
        }
        struct fdcache *c = fdcache_new(1000); /* more than the system lets us have */
        struct tree *t = tree_new(c, at("root"), f, 40, ".part", NULL);
        struct err e = {0};
        for (size_t i = 0; i < 40; i++)
            if (write_text(t, i, 0, "abc", &e) != 0)
                _exit(1);
        _exit(tree_sync(t, &e) == 0 ? 0 : 2);
    }
    assert_int_equal(reap(pid), 0);
}

static void a_disk_that_fills_and_empties(void **state)
{
    (void)state;
    if (mount("tmpfs", at("root"), "tmpfs", 0, "size=256k") != 0)
        skip(); /* needs root */
    struct tree_file f[] = {{"big", 1 << 20, 0}, {"small", 10, 0}};
    struct tree *t = tree_new(cache, at("root"), f, 2, ".part", NULL);
    struct err e = {0};
    static uint8_t block[65536];
    struct bytes v = BYTES(block, sizeof block);
    int rc = 0, written = 0;
    put_file(at("root/other"), block, sizeof block);
    for (uint64_t off = 0; off < 1 << 20 && rc == 0; off += sizeof block, written += rc == 0)
        rc = tree_pwrite(t, 0, off, &v, 1, &e);
    int os = e.os;
    err_clear(&e);
    int pre = tree_preallocate(t, 0, &e), pre_os = e.os;
    err_clear(&e);
    unlink(at("root/other"));
    int again = tree_pwrite(t, 0, (uint64_t)written * sizeof block, &v, 1, &e);
    int sync = tree_sync(t, &e);
    tree_free(t);
    umount(at("root"));
    assert_int_equal(rc, ERR_IO);
    assert_int_equal(os, ENOSPC);
    assert_in_range(written, 1, 3);
    assert_int_equal(pre, ERR_IO);
    assert_int_equal(pre_os, ENOSPC);
    assert_int_equal(again, 0);
    assert_int_equal(sync, 0);
}

static void a_disk_that_is_read_only(void **state)
{
    (void)state;
    if (mount("tmpfs", at("root"), "tmpfs", 0, "size=256k") != 0)
        skip(); /* needs root */
    put_text(at("root/served"), "abc");
    put_text(at("root/new.part"), "abc");
    int mounted = mount("tmpfs", at("root"), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=256k");
    struct tree_file f[] = {{"new", 3, 0}, {"served", 3, TREE_FINAL}, {"newer", 3, 0}};
    struct tree *t = tree_new(cache, at("root"), f, 3, ".part", NULL);
    struct err e1 = {0}, e2 = {0}, e3 = {0}, e4 = {0};
    uint8_t buf[3];
    int w = write_text(t, 0, 0, "xyz", &e1), m = write_text(t, 2, 0, "xyz", &e2);
    int fin = tree_finish_file(t, 0, &e3);
    int del = tree_delete(t, &e4);
    int64_t r = tree_pread(t, 1, 0, (struct span){buf, 3}, NULL);
    tree_free(t);
    umount(at("root"));
    assert_int_equal(mounted, 0);
    assert_int_equal(r, 3);
    expect_os(w, &e1, EROFS);
    expect_os(m, &e2, EROFS);
    expect_os(fin, &e3, EROFS);
    expect_os(del, &e4, EROFS);
}

/* A file system mounted within the root is synced too, by its own descriptors. */
static void a_mount_inside_the_root(void **state)
{
    (void)state;
    mkdir(at("root/m"), 0777);
    if (mount("tmpfs", at("root/m"), "tmpfs", 0, "size=1m") != 0)
        skip(); /* needs root */
    struct tree_file f[30];
    char names[30][16];
    size_t all[30];
    for (size_t i = 0; i < 30; i++) {
        snprintf(names[i], sizeof names[i], i % 2 ? "m/f%zu" : "f%zu", i);
        f[i] = (struct tree_file){names[i], 3, 0};
        all[i] = i;
    }
    struct tree *t = tree_new(cache, at("root"), f, 30, ".part", NULL);
    struct err e = {0};
    int rc = 0;
    for (size_t i = 0; i < 30 && rc == 0; i++)
        rc = write_text(t, i, 0, "abc", &e);
    int sync = tree_sync(t, &e), fin = tree_finish_files(t, all, 30, &e);
    size_t inside = entries_in(at("root/m"));
    tree_free(t);
    umount(at("root/m"));
    assert_int_equal(rc, 0);
    assert_int_equal(sync, 0);
    assert_int_equal(fin, 0);
    assert_int_equal(inside, 15);
}

static void file_size_limit(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit lim = {100, 100};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &lim);
        struct tree_file f[] = {{"f", 1000, 0}};
        struct tree *t = tree_new(cache, at("root"), f, 1, ".part", NULL);
        struct err e = {0};
        char text[201];
        memset(text, 'x', 200);
        text[200] = '\0';
        if (write_text(t, 0, 0, text, &e) != ERR_IO || e.os != EFBIG)
            _exit(1);
        err_clear(&e);
        if (!tree_dirty(t) || tree_sync(t, &e) != 0) /* what did go out is synced */
            _exit(2);
        if (tree_finish_file(t, 0, &e) != ERR_INVALID || tree_flags(t, 0) != 0)
            _exit(3);
        err_clear(&e);
        text[50] = '\0';
        _exit(write_text(t, 0, 10, text, &e) == 0 ? 0 : 4);
    }
    assert_int_equal(reap(pid), 0);
}

static void a_failed_sync_is_tried_again(void **state)
{
    (void)state;
    struct tree *t = three_files();
    struct err e = {0};
    assert_int_equal(write_text(t, 0, 0, "0123456789", &e), 0);
    assert_int_equal(rename(at("root"), at("away")), 0);
    expect_os(tree_sync(t, &e), &e, ENOENT);
    assert_true(tree_dirty(t));
    assert_int_equal(rename(at("away"), at("root")), 0);
    assert_int_equal(tree_sync(t, &e), 0);
    assert_false(tree_dirty(t));
    tree_free(t);
}

static void preallocation(void **state)
{
    (void)state;
    struct tree *t = three_files();
    struct err e = {0};
    struct tree_stat final, part;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(tree_preallocate(t, i, &e), 0);
    assert_int_equal(tree_stat(t, 2, &final, &part, &e), 0);
    assert_int_equal(part.size, 20);
    assert_false(exists(at("root/name/empty")));
    assert_false(exists(at("root/name/empty.part")));
    assert_int_equal(tree_finish_file(t, 2, &e), 0);
    tree_free(t);
}

enum { SHARED_FILES = 12, SHARED_LEN = 4096, SHARED_ROUNDS = 400 };

struct shared {
    struct tree *t;
    unsigned seed;
    int failed;
};

static void *hammer(void *arg)
{
    struct shared *s = arg;
    for (int i = 0; i < SHARED_ROUNDS && !s->failed; i++) {
        size_t file = (size_t)rand_r(&s->seed) % SHARED_FILES;
        uint64_t off = (uint64_t)rand_r(&s->seed) % SHARED_LEN / 64 * 64;
        uint8_t block[64], back[64];
        struct bytes v = BYTES(block, sizeof block);
        memset(block, (int)(file * 16 + off / 64 % 16), sizeof block);
        struct err e = {0};
        if (i % 50 == 49)
            s->failed |= tree_sync(s->t, &e) != 0;
        s->failed |= tree_pwrite(s->t, file, off, &v, 1, &e) != 0;
        s->failed |= tree_pread(s->t, file, off, (struct span){back, sizeof back}, &e) != 64;
        s->failed |= memcmp(block, back, sizeof back) != 0;
        struct tree_pin pin;
        if (tree_pin(s->t, file, &pin, &e) == 0) {
            s->failed |= pread(pin.fd, back, 64, (off_t)off) != 64;
            tree_unpin(s->t, &pin);
        } else {
            s->failed = 1;
        }
    }
    return NULL;
}

static void threads_share_a_tree(void **state)
{
    (void)state;
    struct tree_file f[SHARED_FILES];
    char names[SHARED_FILES][16];
    for (size_t i = 0; i < SHARED_FILES; i++) {
        snprintf(names[i], sizeof names[i], "d/f%zu", i);
        f[i] = (struct tree_file){names[i], SHARED_LEN, 0};
    }
    struct tree *t = tree_new(cache, at("root"), f, SHARED_FILES, ".part", NULL);
    struct shared s[6];
    pthread_t thread[6];
    for (unsigned i = 0; i < 6; i++) {
        s[i] = (struct shared){t, i + 1, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, hammer, &s[i]), 0);
    }
    for (unsigned i = 0; i < 6; i++) {
        pthread_join(thread[i], NULL);
        assert_false(s[i].failed);
    }
    struct err e = {0};
    assert_int_equal(tree_sync(t, &e), 0);
    assert_true(fdcache_open_count(cache) <= 4);
    tree_free(t);
}

static void *read_on(void *arg)
{
    struct shared *s = arg;
    uint8_t buf[3];
    for (int i = 0; i < 3000 && !s->failed; i++)
        s->failed |= tree_pread(s->t, (size_t)i % 8, 0, (struct span){buf, 3}, NULL) != 3;
    return NULL;
}

/* More files than descriptors, so readers open them all the time while they are renamed. */
static void readers_survive_the_rename(void **state)
{
    (void)state;
    struct tree_file f[8];
    char names[8][8];
    struct err e = {0};
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "f%zu", i);
        f[i] = (struct tree_file){names[i], 3, 0};
    }
    struct tree *t = tree_new(cache, at("root"), f, 8, ".part", NULL);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(write_text(t, i, 0, "abc", &e), 0);
    struct shared s = {t, 0, 0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &s), 0);
    for (size_t i = 0; i < 8; i++) {
        usleep(500);
        assert_int_equal(tree_finish_file(t, i, &e), 0);
    }
    pthread_join(thread, NULL);
    assert_false(s.failed);
    tree_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_files_few_descriptors),
        TEST(pins_outlive_the_limit_and_the_rename),
        TEST(running_out_of_descriptors),
        TEST(a_disk_that_fills_and_empties),
        TEST(a_disk_that_is_read_only),
        TEST(a_mount_inside_the_root),
        TEST(file_size_limit),
        TEST(a_failed_sync_is_tried_again),
        TEST(preallocation),
        TEST(threads_share_a_tree),
        TEST(readers_survive_the_rename),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
