/*
 * What is inside an archive whose bytes may be far away: they are read where the directory of its
 * format says, and nowhere else. zip, 7z and iso have a directory; tar, cpio and ar have a header
 * in front of each entry, and what is between is skipped; of a tar or cpio in a filter (gzip, xz …)
 * all that stands before an entry must be read. libarchive is behind it, but for the directory of
 * zip, and runs no other program. Any thread, one at a time.
 *
 *     inside_open → inside_next … [inside_read …] inside_next … → inside_close
 *
 * The archive is a stranger's: entries, names, directories and what is read of it are bounded, no
 * entry gives more or less than it announced, what comes out is in a proportion to what is put in
 * (archive_in.h), and names are bytes that are no paths yet.
 */
#ifndef P2P_HOST_INSIDE_H
#define P2P_HOST_INSIDE_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

#define INSIDE_MAX_ENTRIES (1u << 20)
#define INSIDE_MAX_NAME 4096u
#define INSIDE_MAX_DIRECTORY ((uint64_t)256 << 20) /* of a zip */
#define INSIDE_READ_TIMES 4u /* so many times its size is read at most, and INSIDE_READ_MORE */
#define INSIDE_READ_MORE (1u << 20)

struct inside_source {
    uint64_t size;
    /* At least one byte, at most to.n, from `at` on; `sure`: up to there it will be read on. May
     * wait. ERR_… ends the reading with that. */
    int64_t (*read)(void *arg, uint64_t at, struct span to, uint64_t sure, struct err *e);
    void *arg;
};

enum inside_kind {
    INSIDE_FILE,
    INSIDE_FOLDER,
    INSIDE_SYMLINK,
    INSIDE_HARDLINK, /* the same file as `target`, which is in the archive too */
    INSIDE_OTHER,    /* devices and the like */
};

struct inside_entry { /* borrowed until the next call */
    const char *path;
    uint64_t size;
    enum inside_kind kind;
    bool executable, encrypted, dated;
    int64_t mtime;      /* seconds, if it is dated */
    const char *target; /* of links */
};

struct inside;

/* ERR_INVALID: it is no archive that is known. */
int inside_open(struct inside **out, const struct inside_source *s, struct err *e);
void inside_close(struct inside *a); /* NULL is fine */
/* False: to come to an entry, all before it is read. */
bool inside_has_directory(const struct inside *a);
const char *inside_format(const struct inside *a); /* "zip" */
/* 1; 0: there are no more. */
int inside_next(struct inside *a, struct inside_entry *n, struct err *e);
/* Bytes of the file that was told last; 0: that was all of it, and its checksum is right. */
int64_t inside_read(struct inside *a, struct span to, struct err *e);

#endif
