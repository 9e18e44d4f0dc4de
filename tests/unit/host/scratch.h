/*
 * A folder of a test's own, and few-word helpers around files. Everything is removed at the end.
 * For the tests of the host floor.
 */
#ifndef TESTS_UNIT_HOST_SCRATCH_H
#define TESTS_UNIT_HOST_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch_dir[4096];
static bool scratch_in_memory; /* set by a test that syncs often and does not ask about disks */

static inline int scratch_begin(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    if (scratch_in_memory && access("/dev/shm", W_OK) == 0)
        tmp = "/dev/shm";
    snprintf(scratch_dir, sizeof scratch_dir, "%s/p2p-unit-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(scratch_dir) ? 0 : -1;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int scratch_end(void **state)
{
    (void)state;
    return nftw(scratch_dir, scratch_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

/* A test that has such a folder. */
#define SCRATCH_TEST(f) cmocka_unit_test_setup_teardown(f, scratch_begin, scratch_end)

/* SCRATCH/rel, valid until the eighth call after this one. */
static inline char *at(const char *rel)
{
    static char ring[8][8300];
    static unsigned next;
    char *p = ring[next++ % 8];
    snprintf(p, sizeof ring[0], "%s/%s", scratch_dir, rel);
    return p;
}

static inline void put_file(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    close(fd);
}

static inline void put_text(const char *path, const char *text)
{
    put_file(path, text, strlen(text));
}

/* Content and length of a small file; the file must exist. */
static inline size_t get_file(const char *path, void *p, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, p, room);
    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static inline void assert_text(const char *path, const char *text)
{
    char got[4096];
    size_t n = get_file(path, got, sizeof got - 1);
    got[n] = '\0';
    assert_string_equal(got, text);
}

static inline bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static inline size_t entries_in(const char *path)
{
    char cmd[9000];
    snprintf(cmd, sizeof cmd, "ls -A '%s' | wc -l", path);
    FILE *f = popen(cmd, "r");
    assert_non_null(f);
    unsigned long n = 0;
    assert_int_equal(fscanf(f, "%lu", &n), 1);
    pclose(f);
    return n;
}

/* Waits for a child and gives back its exit status, or minus the signal that ended it. */
static inline int reap(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#endif
