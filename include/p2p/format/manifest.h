/*
 * A manifest (.torrent, "metainfo"): BEP 3, 12, 19, 27, 47, 52; v1, v2 and hybrid. Reading checks
 * everything HOSTILE.md asks, so that whoever holds a `struct manifest` may trust its numbers:
 * names are safe relative paths, sizes add up, pieces fit, no two entries on one path, the halves
 * of a hybrid agree. The info-hashes are over the original bytes.
 *
 * Content space. Pieces, blocks and resume records count in one space per item: files (pad files
 * too) follow one another; in v2-only manifests every file that is not empty begins at a piece
 * boundary and the gap before it is no data at all. `offset` of a file is its place there. layout.h
 * does the arithmetic.
 */
#ifndef P2P_FORMAT_MANIFEST_H
#define P2P_FORMAT_MANIFEST_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/format/digest.h>

#define MANIFEST_MAX_BYTES (64u << 20)
#define MANIFEST_MAX_INFO (32u << 20) /* metadata from peers (BEP 9) */
#define MANIFEST_MAX_PIECES (1u << 21)
#define MANIFEST_MAX_FILES (1u << 20)
#define MANIFEST_MAX_PATH_DEPTH 100
#define MANIFEST_MAX_PIECE_READ (512u << 20)
#define MANIFEST_MAX_PATH 16384u          /* bytes of one path or link target, or of `name` */
#define MANIFEST_MAX_PATHS (256u << 20)   /* of all: a v2 tree names a folder once for all below */
#define MANIFEST_MAX_URLS 1000u /* trackers, web seeds, nodes, each; others are left out */
#define MANIFEST_MAX_URL 8192u            /* bytes; a longer one is left out */

enum {
    FILE_PAD = 1,     /* BEP 47: zeros, never stored, never asked for */
    FILE_EXEC = 2,
    FILE_HIDDEN = 4,
    FILE_SYMLINK = 8, /* length 0; `target` is the entry it points to, inside the content */
};

struct manifest_file {
    const char *path; /* components joined by '/', below `name` when manifest.multi, else == name;
                         raw bytes without NUL, not necessarily UTF-8, not yet shortened */
    const char *target;  /* of a symlink: path like `path`; NULL otherwise */
    uint64_t length;
    uint64_t offset;     /* in content space */
    const uint8_t *root; /* pieces root (v2), NULL for empty files, pads, symlinks and v1-only */
    const uint8_t *layer; /* piece layer (v2): layer_n * 32 bytes; NULL if absent or not needed */
    uint32_t layer_n;
    uint8_t attr;        /* FILE_… */
};

struct manifest_tier {
    char **urls;
    size_t n;
};

struct manifest {
    struct bytes raw;  /* owned: the file as it was read; of one that was made, info alone */
    struct bytes info; /* inside raw: the info dictionary */
    bool has_v1, has_v2, multi, private_flag;
    uint8_t hash_v1[SHA1_LEN];   /* SHA-1 of info; valid if has_v1 */
    uint8_t hash_v2[SHA256_LEN]; /* SHA-256 of info; valid if has_v2 */
    char *name;                  /* a safe single component, or "" is never */
    uint32_t piece_length;
    uint32_t n_pieces;
    uint64_t space; /* length of content space: end of the last file */
    uint64_t size;  /* bytes of real content: all files without pads */
    const uint8_t *pieces; /* v1: n_pieces * 20 bytes; NULL if v2-only */
    struct manifest_file *files;
    uint32_t n_files;
    struct manifest_tier *tiers; /* announce-list, or one tier of announce (BEP 12) */
    size_t n_tiers;
    char **web_seeds; /* url-list (BEP 19) */
    size_t n_web_seeds;
    char **nodes; /* "HOST:PORT" (BEP 5) */
    size_t n_nodes;
    char *comment, *created_by, *source; /* NULL if absent */
    int64_t creation_date; /* unix seconds; -1 if absent */
    void *arena;           /* private */
};

/* Parses a .torrent. `raw` is copied. NULL on error: ERR_INVALID, ERR_LIMIT with the reason. */
struct manifest *manifest_parse(struct bytes raw, struct err *e);
/*
 * Makes one from a bare info dictionary (BEP 9), as from peers: no trackers, and for v2 no piece
 * layers yet (manifest_layers_missing).
 */
struct manifest *manifest_parse_info(struct bytes info, struct err *e);
void manifest_free(struct manifest *m);

/* How many files of more than one piece lack their layer; `first` (may be NULL) gets one. */
uint32_t manifest_layers_missing(const struct manifest *m, uint32_t *first);
/* Takes a file's piece layer (copied) if it proves against the root; ERR_INVALID otherwise. */
int manifest_set_layer(struct manifest *m, uint32_t file, struct bytes layer, struct err *e);
/* Index of the file with this pieces root; UINT32_MAX if none. */
uint32_t manifest_find_root(const struct manifest *m, const uint8_t root[SHA256_LEN]);

/* Adds what a link or the user brings (duplicates are dropped). */
void manifest_add_tracker(struct manifest *m, size_t tier, const char *url);
void manifest_add_web_seed(struct manifest *m, const char *url);
void manifest_add_node(struct manifest *m, const char *hostport);

/* Writes the .torrent: info as it was, trackers, web seeds, nodes, comment, piece layers. */
void manifest_write(const struct manifest *m, struct buf *out);

/* 20 bytes that go into handshakes and announces: v1's hash, or v2's cut to 20. */
const uint8_t *manifest_wire_hash(const struct manifest *m, bool v2);

#endif
