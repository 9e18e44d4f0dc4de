/*
 * A process that can do nothing but unpack; see unpacker.h. Three walls, each put up if the kernel
 * knows it. A system call that is not in the list fails with ENOSYS, as on a kernel without it.
 */
#include "host/unpacker_in.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- files ---- */

#define LINKS_BETWEEN_FOLDERS 2 /* the version of Landlock that can allow them */
#define TRUNCATES 3

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE /* of Linux 6.2 */
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif

#define FILES \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | \
     LANDLOCK_ACCESS_FS_REFER)
#define MORE \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

static void only_beneath(int folder)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_path_beneath_attr rule = {.allowed_access = FILES, .parent_fd = folder};
    struct landlock_ruleset_attr all = {.handled_access_fs = FILES | MORE};
    int rules;

    if (version < LINKS_BETWEEN_FOLDERS)
        return;
    if (version >= TRUNCATES) {
        rule.allowed_access |= LANDLOCK_ACCESS_FS_TRUNCATE;
        all.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
    }
    rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return;
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
        (void)syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
}

/* ---- system calls ---- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

static const int allowed[] = {
    /* the archive, and reports */
    SYS_read,
    SYS_readv,
    SYS_write,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_lseek,
    SYS_close,
    SYS_sendto,
    /* the folder */
    SYS_openat,
    SYS_openat2,
    SYS_newfstatat,
    SYS_fstat,
    SYS_statx,
    SYS_fstatfs,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmod,
    SYS_utimensat,
    SYS_ftruncate,
    SYS_fsync,
    SYS_syncfs,
    SYS_fcntl,
    /* memory, time, signals, threads' own */
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_futex,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_getpid,
    SYS_gettid,
    SYS_sched_yield,
    SYS_exit,
    SYS_exit_group,
};
#define N_ALLOWED (sizeof allowed / sizeof *allowed)

/* architecture? number; a jump for each that is allowed; else ENOSYS. */
static void only_what_it_needs(void)
{
    struct sock_filter code[N_ALLOWED + 6];
    struct sock_fprog prog = {.filter = code};
    unsigned short n = 0;

    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < N_ALLOWED; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i],
                                                 (uint8_t)(N_ALLOWED - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    prog.len = n;
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

#else

static void only_what_it_needs(void) {}

#endif

/* ---- memory ---- */

static void limit(int what, rlim_t most)
{
    (void)setrlimit(what, &(struct rlimit){most, most});
}

void unpacker_jail(int folder)
{
    limit(RLIMIT_CORE, 0);
#ifndef __SANITIZE_ADDRESS__ /* which reserves terabytes */
    limit(RLIMIT_AS, UNPACKER_MEMORY);
#endif
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return;
    only_beneath(folder);
    only_what_it_needs();
}
