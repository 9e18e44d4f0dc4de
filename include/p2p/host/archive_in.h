/*
 * Archives, read as they come: entries and their bytes out of a descriptor, in one pass. tar with
 * any filter that libarchive has built in, cpio and iso from anything; zip and 7z only from what
 * can be read at any place, because what they hold is told at their end. No other program is ever
 * started for a filter.
 *
 * Names are a stranger's: archive_in_path says which may be used. What is cut off, is damaged, is
 * encrypted or is no archive at all is ERR_INVALID; more than the limits here is ERR_LIMIT.
 */
#ifndef P2P_HOST_ARCHIVE_IN_H
#define P2P_HOST_ARCHIVE_IN_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>
#include <time.h>

#define ARCHIVE_MAX_ENTRIES (1u << 21)
#define ARCHIVE_MAX_DEPTH 100 /* components of a path */
/* A bomb: more bytes come out than this, and this many times what went in. */
#define ARCHIVE_BOMB_BYTES ((uint64_t)1 << 30)
#define ARCHIVE_BOMB_RATIO 1000u

/* Where its bytes come from: each call waits. A negative code ends it, with words in e. */
struct archive_source {
    void *arg;
    int64_t (*read)(void *arg, struct span to, struct err *e); /* bytes; 0 at the end */
    int64_t (*seek)(void *arg, int64_t off, int whence);       /* NULL: it cannot */
};

enum archive_kind {
    ARCHIVE_IS_FILE,
    ARCHIVE_IS_FOLDER,
    ARCHIVE_IS_LINK, /* symbolic */
    ARCHIVE_IS_HARD, /* another name of the file `link`; bytes that come are for all */
    ARCHIVE_IS_OTHER /* device, FIFO, socket */
};

struct archive_entry_in { /* borrowed until the next entry */
    enum archive_kind kind;
    const char *path; /* as it stands there */
    const char *link; /* text of a symbolic link; path of the file that a hard link is of */
    uint64_t size;    /* as announced; 0 where nobody knows before */
    bool executable;  /* by its owner */
    bool sparse;      /* some of it takes no room */
    bool dated;       /* when it was changed last is known: */
    struct timespec mtime;
};

struct archive_in;

/* `what` is the name for errors. NULL: libarchive is not here. */
struct archive_in *archive_in_new(const struct archive_source *s, const char *what, struct err *e);
void archive_in_free(struct archive_in *a); /* NULL is fine */
/* Before anything is read: what stands behind the end of a tar is read too, as one more. The sum of
 * what is compressed comes last, and would not be looked at. */
void archive_in_to_end(struct archive_in *a);
/* 1: an entry; 0: that was the last one, and the archive is whole. */
int archive_in_next(struct archive_in *a, struct archive_entry_in *out, struct err *e);
/* 1: the next bytes of the entry, borrowed until the next call, and where in it they stand; what is
 * passed over is zero. 0: its end. */
int archive_in_data(struct archive_in *a, struct bytes *b, uint64_t *offset, struct err *e);

/* It tells what it holds at its end (zip, 7z), by its first bytes; 6 are enough. */
bool archive_in_at_end(struct bytes head);

/*
 * A path of an archive as components below the folder where it is unpacked: "./" and "//" are
 * taken out. NULL with ERR_INVALID: absolute, or with "..", with a component that is no name;
 * ERR_LIMIT: too deep. Empty for the folder itself. Moved string.
 */
char *archive_in_path(const char *path, const char *what, struct err *e);

#endif
