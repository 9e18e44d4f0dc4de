/*
 * Files that were here before, to be read for what of them may serve again. They are the user's:
 * opened for reading only, never made, written or locked, and never believed: any of them may be
 * written to, cut or removed while it is read. Links are followed, for the user named them; what is
 * no regular file is passed over without waiting for it.
 */
#ifndef P2P_HOST_OLDFILE_H
#define P2P_HOST_OLDFILE_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

struct oldfile;

/* ERR_IO, with errno in err.os where there is one. */
int oldfile_open(struct oldfile **out, const char *path, struct err *e);
void oldfile_free(struct oldfile *f); /* NULL is fine */
uint64_t oldfile_size(const struct oldfile *f); /* when it was opened */
uint64_t oldfile_inode(const struct oldfile *f);
/* Any thread may read at any time. Less than to.n only at its end, or where it was cut. */
int64_t oldfile_pread(const struct oldfile *f, uint64_t off, struct span to, struct err *e);
/* The next stretch from `off` on that is no hole; false: there is none. */
bool oldfile_data(const struct oldfile *f, uint64_t off, uint64_t *from, uint64_t *to);

struct tree;
/*
 * Puts `b`, which was read at `off` and found good, into a file of a tree at `to`: sharing the
 * blocks on the disk where the file system does that and the offsets allow, and by writing them
 * otherwise. What was shared is read back and held against `b`, for the old file may have changed
 * meanwhile. *shared (may be NULL) grows by the bytes that were shared.
 */
int oldfile_place(struct oldfile *f, uint64_t off, struct bytes b, struct tree *t, size_t file,
                  uint64_t to, uint64_t *shared, struct err *e);

/*
 * Finds regular files below a folder, links not followed, what cannot be read passed over: `see`
 * is told of each and its size. Stops when `most` names were looked at, or when `see` says false.
 */
void oldfile_walk(const char *root, size_t most,
                  bool (*see)(void *arg, const char *path, uint64_t size), void *arg);
bool oldfile_is_folder(const char *path);

#endif
