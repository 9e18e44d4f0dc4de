/*
 * Making a manifest. Same entries, same options, same bytes out: files are sorted as the v2 file
 * tree demands, nothing of date, machine or tool enters the info dictionary. The author does no
 * input: it yields a manifest without hashes to read the content by (layout.h), takes each piece's
 * result, and writes the whole.
 */
#ifndef P2P_FORMAT_AUTHOR_H
#define P2P_FORMAT_AUTHOR_H

#include <p2p/format/manifest.h>
#include <p2p/format/piecehash.h>

#define AUTHOR_MIN_PIECE (16u << 10)
#define AUTHOR_MAX_PIECE (128u << 20)

enum author_format { AUTHOR_V1, AUTHOR_V2, AUTHOR_HYBRID };

struct author_options {
    enum author_format format;
    uint32_t piece_length; /* 0: chosen by size; else a power of two in the range above */
    const char *name;      /* required; one safe component */
    const char *comment, *source, *created_by; /* NULL: absent */
    int64_t creation_date;                     /* -1: absent */
    bool private_flag;
};

struct author_entry {
    const char *path;   /* components joined by '/', below name; "" or NULL for a single file */
    const char *target; /* symlink target as components joined by '/' below name; NULL otherwise */
    uint64_t length;
    uint8_t attr;       /* FILE_EXEC, FILE_HIDDEN, FILE_SYMLINK */
};

struct author;

/*
 * The piece length for a total: few enough pieces that a terabyte's manifest stays in the low
 * megabytes, many enough that small content still spreads.
 */
uint32_t author_piece_length(uint64_t total);

/* NULL on error (ERR_INVALID: bad name, two entries on one path; ERR_LIMIT). Copies everything. */
struct author *author_new(const struct author_options *o, const struct author_entry *entries,
                          size_t n, struct err *e);
void author_free(struct author *a);
/* Borrowed: files in manifest order with pads; no hashes. NULL once it is finished. */
const struct manifest *author_plan(const struct author *a);
/* Which entry a file of the plan is; UINT32_MAX for pads. */
uint32_t author_entry_of(const struct author *a, uint32_t file);
/* A piece's result, once each, in any order. */
void author_set(struct author *a, uint32_t piece, const struct piecehash_result *r);
/* When all pieces are set: what was planned, finished, and the caller's from now on. Once. */
struct manifest *author_finish(struct author *a, struct err *e);

#endif
