/*
 * A tree of files whose content is being written or served: a root folder and a list of (path
 * beneath it, length, flags). The host's half of a download; which bytes belong where is decided
 * elsewhere.
 *
 * Rules
 * - The root must exist and is never made here: if the drive is not mounted, every call fails
 *   with ERR_IO and nothing is created.
 * - A file has two names. While it is incomplete it is PATH + suffix (".part"), made with its
 *   folders at the first write and not before; tree_finish renames it. A final name that exists
 *   already is read only if TREE_FINAL says so, and written only with TREE_OURS as well.
 * - Files are sparse: only what is written takes room. Reading past the end gives a short count.
 * - TREE_PAD is never on disk: it reads as zero, and what is written to it is dropped.
 * - TREE_UNSELECTED is never made. Bytes written to it (the edges of pieces that it shares with
 *   selected files) go to the side file, if the caller named one (it is good for the same list of
 *   files only); without one they are refused with ERR_USAGE. A file whose .part lies there from
 *   an earlier run is not to be given as unselected: its bytes are in there.
 * - Links are not followed, nothing leaves the root (see beneath.h); but for reading what is marked
 *   TREE_FOLLOW. Deleting never follows.
 * - Errors are ERR_IO with errno in err.os: ENOSPC, EDQUOT, EROFS, EACCES, EFBIG … tell it.
 *
 * Threads: everything but tree_new, tree_free, tree_select and tree_delete may be called from any
 * thread at any time, but nothing may write to a file while it is being finished. A call that needs
 * a file pins its descriptor meanwhile.
 */
#ifndef P2P_HOST_TREE_H
#define P2P_HOST_TREE_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>
#include <p2p/host/fdcache.h>
#include <p2p/host/window.h>

struct tree;

#define TREE_PAD 1u        /* zeros of BEP 47 */
#define TREE_UNSELECTED 2u /* not wanted */
#define TREE_EXEC 4u       /* gets the executable bit when it is finished */
#define TREE_FINAL 8u      /* its data lies under its final name */
#define TREE_OURS 16u      /* with TREE_FINAL: this program wrote it and may write it again */
#define TREE_LINK 32u      /* a symbolic link: tree_link makes it, tree_delete removes it */
#define TREE_FOLLOW 64u    /* with TREE_FINAL: read over links, which the user said to follow */

struct tree_file {
    const char *path; /* relative and safe; copied */
    uint64_t length;
    unsigned flags;
};

/*
 * Touches no disk. `suffix` is ".part" or what the caller prefers; `side` is the absolute path of
 * the side file, or NULL. All strings are copied. A path may stand twice only if it is a pad.
 */
struct tree *tree_new(struct fdcache *c, const char *root, const struct tree_file *v, size_t n,
                      const char *suffix, const char *side);
/* Before anything is read or written: content is not on the disk but in this window, where file i
 * begins at starts[i]. None is unselected. Names mean nothing then; only reading and writing do. */
void tree_set_window(struct tree *t, struct window *w, const uint64_t *starts);
void tree_free(struct tree *t); /* closes its descriptors; no pin may be left; NULL is fine */

const char *tree_root(const struct tree *t);
size_t tree_count(const struct tree *t);
uint64_t tree_length(const struct tree *t, size_t file);
unsigned tree_flags(struct tree *t, size_t file);
/* ROOT/PATH under its present name: for messages and results. Owned by the caller: free(). */
char *tree_path(struct tree *t, size_t file);
/* Sets and clears TREE_FINAL, TREE_OURS, TREE_EXEC: what was found out about a file on disk. */
void tree_set_flags(struct tree *t, size_t file, unsigned set, unsigned clear);
/*
 * Selected later (or no longer). What the side file holds of a file that is now wanted is copied
 * into it and synced, so pieces recorded as had stay readable.
 */
int tree_select(struct tree *t, size_t file, bool wanted, struct err *e);

/* Bytes read, less than to.n only at the end of the file; off + to.n may not pass the length. */
int64_t tree_pread(struct tree *t, size_t file, uint64_t off, struct span to, struct err *e);
/* Writes all of the n slices one behind the other from `off` on, or fails. */
int tree_pwrite(struct tree *t, size_t file, uint64_t off, const struct bytes *v, size_t n,
                struct err *e);

/*
 * The next stretch of a file, from `off` on, that was ever written: 1 with [*from, *to), 0 if there
 * is none or no file. On a file system that does not tell holes apart, all of it.
 */
int tree_data(struct tree *t, size_t file, uint64_t off, uint64_t *from, uint64_t *to,
              struct err *e);
/* An earlier run wrote to it and may not have synced: the next tree_sync sees to that. */
void tree_touched(struct tree *t, size_t file);

/* A descriptor that stays open until tree_unpin: for whoever reads much of one file. */
struct tree_pin {
    int fd;
    uint64_t base; /* add to the offset in the file (nonzero only in the side file) */
    void *entry;   /* private */
};
/* ERR_USAGE for a pad, which has no descriptor. */
int tree_pin(struct tree *t, size_t file, struct tree_pin *out, struct err *e);
void tree_unpin(struct tree *t, struct tree_pin *pin);

/* Takes room on the disk for the whole file. A file system that cannot is no error. */
int tree_preallocate(struct tree *t, size_t file, struct err *e);

/*
 * Everything that was written before this call is on the disk when it returns 0: files, then the
 * folders that got new names. Only then may progress be recorded. When it fails, what had been
 * written stays marked and the next call tries again, but the data since the last success must be
 * taken as lost (a kernel drops dirty pages that it could not write).
 */
int tree_sync(struct tree *t, struct err *e);
bool tree_dirty(struct tree *t); /* something was written since */

/*
 * Complete: what is past its length cut off, executable bit if asked for, synced, renamed to the
 * final name without replacing anything (EEXIST), folder synced. Empty files are made here. A file
 * that is too short (somebody cut it after it was verified) is ERR_INVALID and keeps its name.
 * Nothing happens to a pad, a link, an unselected file or one that is TREE_FINAL already.
 */
int tree_finish_file(struct tree *t, size_t file, struct err *e);
/* The same for many at once, with few syncs however many they are. Stops at the first failure. */
int tree_finish_files(struct tree *t, const size_t *files, size_t n, struct err *e);
/* Makes the symbolic link of a TREE_LINK file. The caller has made sure that it leads inside. */
int tree_link(struct tree *t, size_t file, const char *target, struct err *e);

struct tree_stat {
    bool there;
    bool regular; /* a folder, link, FIFO in the way: there, but not regular */
    uint64_t size;
    uint64_t inode;
    int64_t mtime_ns;
};
/*
 * Both names, of either of which may be absent: that is no error. Fails when the root is missing
 * or a folder on the way may not be searched.
 */
int tree_stat(struct tree *t, size_t file, struct tree_stat *final, struct tree_stat *part,
              struct err *e);
/* Is the root there at all? ERR_IO with ENOENT if not. */
int tree_check_root(struct tree *t, struct err *e);

/*
 * Unlinks exactly the files listed, each under the name its flags tell, and the side file; then
 * the folders in their paths that are empty. What is not a regular file (or a link, for TREE_LINK)
 * stays. Goes on after a failure and returns the first.
 */
int tree_delete(struct tree *t, struct err *e);
/* Removes the side file when nothing needs it any more. */
int tree_drop_side(struct tree *t, struct err *e);

#endif
