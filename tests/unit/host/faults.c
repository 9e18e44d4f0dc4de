/*
 * System calls that fail, one kind after the other, each in a child under a seccomp filter: the
 * reason is told, nothing is claimed, nothing is left half done. And kernels that lack a call.
 */
#include "catalogue_make.h"

#include <p2p/host/fileio.h>
#include <p2p/host/home.h>
#include <p2p/host/lock.h>
#include <p2p/host/tree.h>
#include <p2p/host/walk.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static bool make_fail(long nr, int os)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)os),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

enum { UNSUPPORTED = 77 };

/* Where sandboxes do not let us, there is nothing to test. */
static bool may_filter(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(make_fail(SYS_getppid, EIO) ? 0 : UNSUPPORTED);
    return reap(pid) == 0;
}

static const struct tree_file files[] = {{"n/done", 4, 0}, {"n/new/f", 4, TREE_EXEC}, {"e", 0, 0}};

struct outcome {
    int write, sync, finish, os;
    bool dirty, final;
};

static void note(int *slot, int rc, struct err *e, struct outcome *o)
{
    *slot = rc;
    if (rc != 0 && o->os == 0)
        o->os = e->os;
    err_clear(e);
}

/* One file is written before the calls begin to fail, one after. */
static struct outcome write_and_finish(long nr, int os)
{
    struct outcome o = {0};
    struct err e = {0};
    struct bytes v = BYTES_LIT("data");
    struct fdcache *c = fdcache_new(8);
    struct tree *t = tree_new(c, scratch_dir, files, 3, ".part", NULL);
    if (tree_pwrite(t, 0, 0, &v, 1, &e) != 0 || !make_fail(nr, os))
        _exit(1);
    note(&o.write, tree_pwrite(t, 1, 0, &v, 1, &e), &e, &o);
    note(&o.sync, tree_sync(t, &e), &e, &o);
    o.dirty = tree_dirty(t);
    for (size_t i = 0; i < 3 && o.finish == 0; i++)
        if (i != 1 || o.write == 0)
            note(&o.finish, tree_finish_file(t, i, &e), &e, &o);
    o.final = tree_flags(t, 0) & TREE_FINAL;
    tree_free(t);
    fdcache_free(c);
    return o;
}

static void trees(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long nr;
        int os;
        bool write, sync, finish; /* must fail */
    } cases[] = {
        {"pwritev", SYS_pwritev, ENOSPC, true, false, false},
        {"pwritev", SYS_pwritev, EDQUOT, true, false, false},
        {"pwritev", SYS_pwritev, EIO, true, false, false},
        {"fsync", SYS_fsync, EIO, false, true, true},
        {"openat", SYS_openat, EACCES, true, true, true},
        {"openat", SYS_openat, EROFS, true, true, true},
        {"mkdirat", SYS_mkdirat, ENOSPC, true, false, false},
        {"renameat2", SYS_renameat2, EIO, false, false, true},
        {"renameat2", SYS_renameat2, EROFS, false, false, true},
        {"fchmod", SYS_fchmod, EPERM, false, false, true},
        {"openat2", SYS_openat2, EACCES, true, true, true},
    };
    if (!may_filter())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct outcome o = write_and_finish(cases[i].nr, cases[i].os);
            bool told = (o.write == ERR_IO) == cases[i].write &&
                        (o.sync == ERR_IO) == cases[i].sync &&
                        (o.finish == ERR_IO) == cases[i].finish;
            _exit(!told ? 2 : o.os != cases[i].os ? 3 : o.dirty != cases[i].sync ? 4 : 0);
        }
        int rc = reap(pid);
        if (rc != 0)
            fail_msg("%s %d: %d", cases[i].name, cases[i].os, rc);
        /* What failed in a child is done by the next run. */
        struct fdcache *c = fdcache_new(8);
        struct tree *t = tree_new(c, scratch_dir, files, 3, ".part", NULL);
        struct tree_stat final, part;
        struct bytes v = BYTES_LIT("data");
        struct err e = {0};
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(tree_stat(t, k, &final, &part, &e), 0);
            assert_false(final.there && part.there);
            if (final.there)
                tree_set_flags(t, k, TREE_FINAL | TREE_OURS, 0);
            else if (k < 2)
                assert_int_equal(tree_pwrite(t, k, 0, &v, 1, &e), 0);
            assert_int_equal(tree_finish_file(t, k, &e), 0);
        }
        assert_text(at("n/new/f"), "data");
        assert_int_equal(tree_delete(t, &e), 0);
        tree_free(t);
        fdcache_free(c);
    }
}

static void calls_that_old_kernels_lack(void **state)
{
    (void)state;
    static const struct {
        long nr;
        int os;
    } cases[] = {
        {SYS_openat2, ENOSYS}, {SYS_openat2, EPERM}, {SYS_renameat2, ENOSYS},
        {SYS_renameat2, EINVAL}, {SYS_fallocate, EOPNOTSUPP}, {SYS_linkat, EPERM},
    };
    if (!may_filter())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct outcome o = write_and_finish(cases[i].nr, cases[i].os);
            _exit(o.write || o.sync || o.finish || !o.final);
        }
        assert_int_equal(reap(pid), 0);
        assert_text(at("n/new/f"), "data");
        assert_false(exists(at("n/new/f.part")));
        assert_int_equal(unlink(at("n/new/f")), 0);
        assert_int_equal(unlink(at("n/done")), 0);
        assert_int_equal(unlink(at("e")), 0);
    }
}

/* Without renameat2 the final name is still never taken from somebody. */
static void no_replacement_without_renameat2(void **state)
{
    (void)state;
    if (!may_filter())
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        struct bytes v = BYTES_LIT("data");
        struct err e = {0};
        struct fdcache *c = fdcache_new(8);
        struct tree *t = tree_new(c, scratch_dir, files, 3, ".part", NULL);
        if (!make_fail(SYS_renameat2, ENOSYS) || tree_pwrite(t, 0, 0, &v, 1, &e) != 0)
            _exit(1);
        put_text(at("n/done"), "precious");
        int rc = tree_finish_file(t, 0, &e);
        _exit(rc == ERR_IO && e.os == EEXIST ? 0 : 2);
    }
    assert_int_equal(reap(pid), 0);
    assert_text(at("n/done"), "precious");
    assert_text(at("n/done.part"), "data");
}

static void atomic_writes(void **state)
{
    (void)state;
    static const struct {
        long nr;
        int os;
        bool replaced;
    } cases[] = {
        {SYS_write, ENOSPC, false}, {SYS_write, EIO, false},     {SYS_fsync, EIO, false},
        {SYS_rename, EIO, false},   {SYS_openat, EMFILE, false},
    };
    if (!may_filter())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text(at("f"), "old");
        pid_t pid = fork();
        if (pid == 0) {
            struct err e = {0};
            if (!make_fail(cases[i].nr, cases[i].os))
                _exit(1);
            int rc = fileio_write(at("f"), BYTES_LIT("new"), 0666, &e);
            _exit(rc == ERR_IO && e.os == cases[i].os ? 0 : 2);
        }
        assert_int_equal(reap(pid), 0);
        assert_text(at("f"), "old");
        assert_int_equal(entries_in(scratch_dir), 1);
    }
}

static void catalogues(void **state)
{
    (void)state;
    static const struct {
        long nr;
        int os;
    } cases[] = {
        {SYS_pwrite64, ENOSPC}, {SYS_pwrite64, EIO}, {SYS_fdatasync, EIO},
    };
    if (!may_filter())
        skip();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct catalogue_item a = item((unsigned)i), b = item(100), got;
        struct bytes none = {0};
        struct catalogue *c = open_catalogue();
        assert_int_equal(catalogue_put(c, &a, BYTES_LIT("m"), none, NULL, NULL), 0);
        catalogue_free(c);
        pid_t pid = fork();
        if (pid == 0) {
            struct err e = {0};
            c = open_catalogue();
            if (!make_fail(cases[i].nr, cases[i].os))
                _exit(1);
            int rc = catalogue_put(c, &b, none, none, NULL, &e);
            _exit(rc == ERR_IO && e.os == cases[i].os ? 0 : 2);
        }
        assert_int_equal(reap(pid), 0);
        c = open_catalogue();
        assert_null(catalogue_notice(c)); /* a disk that fails is no damage */
        assert_int_equal(catalogue_count(c, NULL), i + 1);
        assert_int_equal(catalogue_get(c, BYTES(a.v1, 20), &got, NULL), 0);
        expect_same(&got, &a);
        catalogue_item_fini(&got);
        catalogue_free(c);
    }
}

static void homes_locks_and_walks(void **state)
{
    (void)state;
    if (!may_filter())
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        struct home h = {.dir = at("home")};
        struct err e = {0};
        if (!make_fail(SYS_mkdir, ENOSPC))
            _exit(1);
        if (home_make(&h, &e) != ERR_IO || e.os != ENOSPC)
            _exit(2);
        err_clear(&e);
        struct lock *l = NULL;
        if (lock_take(&l, at("home"), "x", &e) != ERR_IO || e.os != ENOSPC)
            _exit(3);
        _exit(0);
    }
    assert_int_equal(reap(pid), 0);
    put_text(at("f"), "x");
    pid = fork();
    if (pid == 0) {
        struct walk w;
        struct err e = {0};
        if (!make_fail(SYS_getdents64, EIO))
            _exit(1);
        _exit(walk_run(&w, scratch_dir, NULL, &e) == ERR_IO && e.os == EIO ? 0 : 2);
    }
    assert_int_equal(reap(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCRATCH_TEST(trees),
        SCRATCH_TEST(calls_that_old_kernels_lack),
        SCRATCH_TEST(no_replacement_without_renameat2),
        SCRATCH_TEST(atomic_writes),
        SCRATCH_TEST(catalogues),
        SCRATCH_TEST(homes_locks_and_walks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
