/*
 * Reading what the user shares: the files that walk_run found, each opened once where possible, and
 * what changes meanwhile is noticed. A file must be as the walk saw it (size, time of change,
 * inode) when it is opened and, by its name, when it is closed again; a link to bytes that nobody
 * has any more would be a lie. Also takes in a stream, whose content goes to a file of ours.
 *
 * Failures are ERR_IO and name the file. Thread-safe but for intake_open and intake_free.
 */
#ifndef P2P_HOST_INTAKE_H
#define P2P_HOST_INTAKE_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>
#include <p2p/host/walk.h>

#define INTAKE_AHEAD (4u << 20) /* bytes to ask the disk for at a time */

struct intake;

/* `w` is what walk_run said about `root` (with the same `follow`) and is borrowed. */
int intake_open(struct intake **out, const char *root, const struct walk *w, bool follow,
                struct err *e);
/*
 * The same for files that are called otherwise than in the walk: file i is names[i] (borrowed; NULL
 * of what is no file) in the folder open as `dir`, which stays the caller's. `label` stands for the
 * root in errors.
 */
void intake_open_named(struct intake **out, int dir, char *const *names, const char *label,
                       const struct walk *w);
void intake_free(struct intake *t); /* NULL is fine */

/* A descriptor of file number `file` of the walk, or a negative code. */
int intake_begin(struct intake *t, size_t file, struct err *e);
/* Closes it. ERR_IO: what was read since intake_begin is not what stands there now. */
int intake_end(struct intake *t, size_t file, int fd, struct err *e);
#define INTAKE_WHOLE (64u << 10)
/*
 * All bytes of a file of at most so many, as many as the walk saw: begin, read, end. Read at once,
 * it is looked at once, when that is done.
 */
int intake_whole(struct intake *t, size_t file, struct span to, struct err *e);
/* As intake_end would fail: for a read that came out short. */
int intake_changed(struct intake *t, size_t file, struct err *e);

/*
 * What was written in the last minute is on the disk when this returns: a record must not vouch
 * for what a power cut can still take. The kernel has written out what is older.
 */
int intake_sync(struct intake *t, int64_t now, struct err *e);

/* These bytes will be read soon. For any descriptor; failing does not matter. */
void intake_ahead(int fd, uint64_t off, uint64_t n);

/* The path with its last component's links resolved, absolute: trees do not follow links. The
 * folder above keeps its name. Moved string; NULL with ERR_IO. */
char *intake_resolve(const char *path, struct err *e);

/*
 * What a stream brought: a synced file without a name, so that not even kill -9 leaves half of one
 * behind (where the file system knows no such files, one with a name of its own).
 */
struct intake_stream {
    char *path; /* to read it by, while it is open; owned */
    uint64_t size;
    int fd;     /* -1: none */
    char *temp, *folder; /* private */
};
/*
 * Bytes read, 0 at the end. Waits, and asks `tick` (may be NULL) meanwhile, which is told `bytes`;
 * false stops: ERR_CANCELED.
 */
int64_t intake_read(int in, const char *what, struct span to,
                    bool (*tick)(void *arg, uint64_t bytes), void *arg, uint64_t bytes,
                    struct err *e);
/* As lseek: where it is now, or negative, for a pipe. */
int64_t intake_seek(int in, int64_t off, int whence);
/* One that is written bit by bit, at its end, into the file system of `folder`. */
int intake_stream_new(struct intake_stream *s, const char *folder, struct err *e);
int intake_stream_put(struct intake_stream *s, struct bytes b, struct err *e);
/*
 * Writes `head`, which was read before, and then all of `in`, into the file system of `folder`.
 * `tick` (may be NULL) is told now and then how much is there; false stops: ERR_CANCELED. Nothing
 * is left behind by a failure.
 */
int intake_stream(struct intake_stream *s, int in, struct bytes head, const char *folder,
                  bool (*tick)(void *arg, uint64_t bytes), void *arg, struct err *e);
/* Gives it its name for good (in place of what is there), making the folder above; synced. */
int intake_stream_name(struct intake_stream *s, const char *path, struct err *e);
/* Closes it. Without a name it is gone. */
void intake_stream_fini(struct intake_stream *s);

#endif
