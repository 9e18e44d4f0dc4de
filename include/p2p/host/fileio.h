/*
 * Whole files and plain descriptors: reads with a cap, writes that are all or nothing. Interrupted
 * and short calls are taken up again here and nowhere else. Failures are ERR_IO with errno in
 * err.os and the path in words.
 */
#ifndef P2P_HOST_FILEIO_H
#define P2P_HOST_FILEIO_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

/*
 * All of a file that the user named (a pipe such as /dev/fd/63 too), or of a descriptor to its
 * end. Past `cap` bytes: ERR_LIMIT. Moved out: free((void *)out->p); a NUL stands behind.
 */
int fileio_read(const char *path, size_t cap, struct bytes *out, struct err *e);
int fileio_read_fd(int fd, const char *what, size_t cap, struct bytes *out, struct err *e);

/*
 * Replaces the file by a rename of a synced temporary beside it, and syncs the folder: a reader
 * sees the old or the new, also after a power cut. Where the name is a device or pipe it is
 * written to. `mode` is subject to the umask; an existing file keeps its own.
 */
int fileio_write(const char *path, struct bytes b, unsigned mode, struct err *e);
/* The same for a file of our own: a FIFO, device or link that has its name gives way. */
int fileio_replace(const char *path, struct bytes b, unsigned mode, struct err *e);
/* To a pipe, terminal or file; waits where the descriptor is non-blocking. EPIPE is an error. */
int fileio_write_all(int fd, const char *what, struct bytes b, struct err *e);

/* Bytes read, less than to.n only at the end. */
int64_t fileio_pread(int fd, const char *what, uint64_t off, struct span to, struct err *e);
/* All slices, one behind the other. */
int fileio_pwritev(int fd, const char *what, uint64_t off, const struct bytes *v, size_t n,
                   struct err *e);

/* mkdir -p: those that are missing get `mode` & ~umask. Follows links: the path is the user's. */
int fileio_mkdirs(const char *path, unsigned mode, struct err *e);
int fileio_sync_folder(const char *path, struct err *e);
/* A path that stays true when the working folder changes; does not touch the disk beyond getcwd.
 * "." and "//" are taken out, ".." is kept where a link may stand before it. Owned. */
char *fileio_absolute(const char *path);

#endif
