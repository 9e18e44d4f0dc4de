/*
 * Hashing what lies on the disk, on all cores: to make a manifest of it, or to hold it against one.
 * Memory does not grow with the files, but for what the manifest itself takes.
 *
 * - What changes while it is read is noticed and said (host/intake.h); nothing is recorded then.
 * - A path that the catalogue has already, whose files are all as the record says, is not hashed
 *   again, unless a file was changed so shortly before it was recorded that its time cannot tell.
 * - Content stays where it lies. Only what comes from a stream is put into the home's store.
 *
 * Everything here is called from one thread, and blocks; the watch tells and stops.
 */
#ifndef P2P_ENGINE_SCAN_H
#define P2P_ENGINE_SCAN_H

#include <p2p/base/bits.h>
#include <p2p/base/err.h>
#include <p2p/format/author.h>
#include <p2p/format/record.h>
#include <p2p/host/catalogue.h>

struct scan_watch { /* zero: nobody looks */
    /* Now and then (ten times a second): bytes read of how many; total 0 if nobody knows. */
    void (*progress)(void *arg, uint64_t done, uint64_t total);
    bool (*stopped)(void *arg); /* true: end with ERR_CANCELED */
    void *arg;
};

struct scan_words { /* strings of the caller */
    char *const *v;
    size_t n;
};

/* Borrowed during the call. Zero is a good default, but for author.creation_date. */
struct scan_options {
    struct author_options author; /* name NULL: the last part of the path */
    bool follow;                  /* links in a folder; else they are kept as links */
    struct scan_words exclude;    /* globs */
    struct scan_words files;      /* names: of a folder only these; none: all of it */
    struct scan_words trackers;   /* each a tier, its addresses split by commas */
    struct scan_words web_seeds, nodes;
    struct catalogue *catalogue;  /* to spare hashing and to record in; NULL: only compute */
    const char *home;             /* its folder, absolute; NULL with it */
    int64_t now;                  /* Unix seconds */
    struct scan_watch watch;
};

struct scan_result {
    struct manifest *m;   /* as the options say: what the catalogue knows besides is not in it */
    char *path;           /* where the content lies, absolute; NULL: nowhere */
    unsigned where;       /* PLACES_… */
    struct record record;
    bool known;           /* nothing was hashed */
    char **notices;       /* for the user, a line each: what was left out and why */
    size_t n_notices;
};
void scan_result_fini(struct scan_result *r); /* also after a failure */

/* The options make sense: ERR_USAGE, saying which does not. To be asked before the work begins. */
int scan_check(const struct scan_options *o, struct err *e);
/* A file or folder. Touches no catalogue but for reading. */
int scan_path(struct scan_result *r, const char *path, const struct scan_options *o, struct err *e);
/*
 * What comes from the descriptor, to its end, as one file called author.name, which lies in the
 * home's store afterwards; without a catalogue it is only hashed.
 */
int scan_stream(struct scan_result *r, int in, const struct scan_options *o, struct err *e);
/*
 * What is inside the archive that comes from the descriptor, as what unpacking it into an empty
 * folder would leave there: that file or folder if it is one, else a folder called as the archive
 * `path` without its suffix. `path` NULL: it is standard input, and has no name. The bytes go to
 * the home's store in one pass; without a catalogue they are only hashed. ERR_INVALID if it is no
 * archive, or damaged, or holds what no folder may; nothing stays then.
 */
int scan_archive(struct scan_result *r, int in, const char *path, const struct scan_options *o,
                 struct err *e);
/*
 * Puts a result into o->catalogue, complete. What is there of trackers, web seeds and nodes from
 * before is kept. ERR_LOCKED while a p2p-get is at work on the same item. `id` may be NULL.
 */
int scan_record(const struct scan_result *r, const struct scan_options *o, int64_t *id,
                struct err *e);
/* Check, path, record: what p2p-seed does with a PATH. */
int scan_add(struct scan_result *r, const char *path, const struct scan_options *o, int64_t *id,
             struct err *e);

enum scan_fault {
    SCAN_DIFFERS, /* the bytes are not those of the manifest */
    SCAN_MISSING, /* they are not there: the file is absent or short */
    SCAN_TOO_LONG /* the file has bytes behind its end */
};
struct scan_bad {
    enum scan_fault fault;
    uint32_t file;
    uint64_t first, last; /* bytes of the file, both included */
};
struct scan_verdict {
    struct bits good;      /* pieces that were hashed and match */
    struct scan_bad *bad;  /* in the order of files and bytes; neighbours of a kind are one */
    size_t n_bad;
    uint64_t checked;      /* bytes hashed */
    uint64_t have;         /* bytes of content in good pieces */
    struct record record;  /* of what is good, as the files look now */
};
void scan_verdict_fini(struct scan_verdict *v); /* also after a failure */

struct scan_place {
    const struct manifest *m;
    const char *path;        /* absolute; of the file, or of the folder that holds all of them */
    unsigned where;          /* PLACES_… */
    const char *side;        /* side file of a download with unselected files, or NULL */
    const struct bits *wanted; /* of files; NULL: all */
    bool whole;                /* all of it should be there */
    const struct bits *recorded; /* else: pieces that should; NULL: nobody knows */
};
/*
 * Hashes what should be there: all of it, or what was recorded and what is in files that have
 * their final names (where nobody knows what was recorded, all that is there). The rest of an
 * unfinished download is neither hashed nor bad.
 *
 * 0 whatever the verdict is; ERR_IO when something cannot be read, or the folder is not there at
 * all, or a file changed meanwhile; ERR_INVALID when a manifest from a link has no piece layers to
 * hold the data against.
 */
int scan_verify(struct scan_verdict *v, const struct scan_place *p, const struct scan_watch *w,
                struct err *e);

/* Bytes of content (no padding) in the pieces of a set. */
uint64_t scan_content(const struct manifest *m, const struct bits *pieces);

#endif
