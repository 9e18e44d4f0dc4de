/*
 * Opening, making, renaming and removing strictly beneath a folder. Names come from strangers, and
 * the folder may be changed under us by anybody: nothing here ever follows a symbolic link, steps
 * through "..", or blocks on a FIFO or device that stands where a file was expected. The kernel
 * is asked to see to it (openat2 with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS); where it does not
 * know that call, each component is opened by itself with O_NOFOLLOW.
 *
 * A relative path (`rel`) is bytes with "/" between components; empty, ".", ".." and absent
 * components are refused with ERR_INVALID, whatever was checked before. Everything else that
 * fails is ERR_IO with errno in err.os, except that a symlink in the way is ELOOP, and a thing
 * that is no regular file EISDIR (a folder) or EINVAL (FIFO, socket, device).
 * Thread-safe: a beneath does not change once it is open.
 */
#ifndef P2P_HOST_BENEATH_H
#define P2P_HOST_BENEATH_H

#include <p2p/base/err.h>
#include <stdbool.h>
#include <sys/stat.h>

struct beneath;

#define BENEATH_BY_COMPONENT 1u /* as on a kernel without openat2; for tests */

/* Opens the folder, which must exist; the path to it is the user's and may lead over links. A
 * missing one is ERR_IO with ENOENT and words that ask whether the drive is mounted. */
int beneath_open(struct beneath **out, const char *root, unsigned flags, struct err *e);
/* The same for a folder beneath it. */
int beneath_enter(struct beneath **out, const struct beneath *b, const char *rel, struct err *e);
void beneath_free(struct beneath *b); /* NULL is fine */
int beneath_fd(const struct beneath *b); /* of the folder; borrowed */

enum beneath_how {
    BENEATH_READ,  /* must exist */
    BENEATH_WRITE, /* must exist; read and write */
    BENEATH_MAKE,  /* made (with its folders) if it is not there; read and write */
    BENEATH_NEW,   /* made (with its folders); EEXIST if anything stands there */
};
/* A descriptor (close-on-exec) of a regular file, or a negative code. */
int beneath_file(const struct beneath *b, const char *rel, enum beneath_how how, struct err *e);
/* A descriptor of a folder; with `make` it and those above it are made first (0777 & ~umask). */
int beneath_folder(const struct beneath *b, const char *rel, bool make, struct err *e);
/* Of the name itself, never of what a link leads to. Nothing there: ERR_IO with ENOENT. */
int beneath_stat(const struct beneath *b, const char *rel, struct stat *st, struct err *e);
/* Never replaces: EEXIST if `to` exists. Folders above `to` must exist. */
int beneath_rename(const struct beneath *b, const char *from, const char *to, struct err *e);
/* The target is written as it is; whether it may be is for the caller to know. Makes folders. */
int beneath_symlink(const struct beneath *b, const char *target, const char *rel, struct err *e);
/* A second name of a regular file beneath it; EINVAL if `from` is anything else. Makes folders. */
int beneath_link(const struct beneath *b, const char *from, const char *to, struct err *e);
/* Where the symbolic link `rel` leads, over all links on its way. 0: to something beneath it,
 * ERR_NOTFOUND: nowhere, ERR_INVALID: out, or the kernel cannot tell (it lacks openat2). */
int beneath_leads(const struct beneath *b, const char *rel, struct err *e);
int beneath_unlink(const struct beneath *b, const char *rel, struct err *e); /* never a folder */
int beneath_rmdir(const struct beneath *b, const char *rel, struct err *e);  /* only if empty */
/* fsync of the folder that holds `rel`, so that names made or changed there are kept. */
int beneath_sync_parent(const struct beneath *b, const char *rel, struct err *e);

#endif
