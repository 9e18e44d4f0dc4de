/*
 * What the parts of the manifest reader share: the arena that strings live in, and the state of one
 * reading. manifest.c leads; manifest_v1.c and manifest_v2.c read the two descriptions of the
 * files, manifest_paths.c holds the paths against one another, manifest_outer.c reads what stands
 * around the info dictionary. All return 0 or a negative code with the error filled.
 */
#ifndef FORMAT_MANIFEST_INT_H
#define FORMAT_MANIFEST_INT_H

#include <p2p/format/bencode.h>
#include <p2p/format/manifest.h>

/* An empty manifest with its arena. */
struct manifest *manifest_blank(void);
/* Memory that lives as long as the manifest. */
void *manifest_alloc(struct manifest *m, size_t n);
char *manifest_strn(struct manifest *m, struct bytes s); /* up to a NUL in it */
/* The index of files by pieces root; made once the files are known. */
void manifest_index_roots(struct manifest *m);
/* Files with this root are order[first..end). */
const uint32_t *manifest_roots(const struct manifest *m, const uint8_t *root, uint32_t *first,
                               uint32_t *end);

/* All files with a root, by it. */
const uint32_t *manifest_root_order(const struct manifest *m, uint32_t *n);

/* The info-hashes of the halves that there are. */
void manifest_hash_info(struct manifest *m);

struct manifest_reader {
    struct manifest *m;
    struct bencode *b;
    bnode info;
    struct err *e;
    uint32_t cap_files;
    uint32_t links;      /* symlinks seen */
    bool strict_links;   /* targets count from the root only */
    size_t path_bytes;   /* spent of MANIFEST_MAX_PATHS */
    size_t path_len;     /* the path being put together */
    char path[MANIFEST_MAX_PATH + 1];
    /* v2 */
    uint64_t v2_end;     /* of the last file, in v2 content space */
    uint64_t v2_pieces;
    uint32_t v1_file;    /* hybrid: the next v1 file to match */
};

int manifest_bad(struct manifest_reader *r, const char *what);                   /* ERR_INVALID */
int manifest_bad_path(struct manifest_reader *r, const char *what, const char *path);
/* Appends a component; `dots`: "." and ".." are let through (link targets). */
int manifest_path_add(struct manifest_reader *r, struct bytes c, bool dots);
/* Puts a list of components together in r->path. */
int manifest_path_list(struct manifest_reader *r, bnode list, bool dots);
/* Copies r->path to the arena. */
int manifest_path_keep(struct manifest_reader *r, const char **out);
/* A new last file (zero), NULL past MANIFEST_MAX_FILES. */
struct manifest_file *manifest_file_add(struct manifest_reader *r);
uint8_t manifest_attr(struct manifest_reader *r, bnode dict);
/* `length` and `symlink path` of an entry; a symlink's length may be left out. */
int manifest_entry(struct manifest_reader *r, bnode dict, struct manifest_file *f);

int manifest_read_v1(struct manifest_reader *r);
int manifest_read_v2(struct manifest_reader *r);
/* The order of a v2 file tree: '/' before every other byte. */
int manifest_path_cmp(const char *a, const char *b);
int manifest_check_paths(struct manifest_reader *r);
/* `piece layers` (BNODE_NONE if absent): each is proved. */
int manifest_read_layers(struct manifest_reader *r, bnode layers);
void manifest_read_outer(struct manifest_reader *r, bnode root);

/* How many hashes a file's piece layer has; 0 if it needs none. */
uint32_t manifest_layer_len(const struct manifest *m, const struct manifest_file *f);
bool manifest_layer_proves(const struct manifest *m, const struct manifest_file *f,
                           struct bytes layer);

#endif
