/*
 * Walking what the user wants to share. Gives all files below a folder, sorted by the bytes of
 * their components, so that the same content gives the same list anywhere. Sockets, FIFOs and
 * devices are left out with a notice; anything that cannot be read is an error that names it,
 * since a link to half of a folder would be a lie.
 */
#ifndef P2P_HOST_WALK_H
#define P2P_HOST_WALK_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

#define WALK_MAX_DEPTH 100
#define WALK_MAX_FILES (1u << 20)

struct walk_file {
    const char *path;   /* relative to the root; "" when the root is a file itself */
    const char *target; /* of a symbolic link that is kept as one; else NULL */
    uint64_t size;      /* 0 for a link */
    uint64_t inode;
    int64_t mtime_ns;
    bool exec; /* its owner may execute it */
};

struct walk {
    struct walk_file *v;
    size_t n;
    bool is_file; /* the root is a regular file: one entry */
    uint64_t total; /* bytes */
    char **notices; /* what was left out and why, a line each */
    size_t notice_count;
    struct walk_chunk *chunks; /* private: where the strings are */
};

struct walk_options {
    const char *const *exclude; /* globs of text_glob over the relative path; folders too */
    size_t exclude_count;
    bool follow; /* links are followed; one that leads to a folder above itself is an error */
};

/* The root may be reached over links. ERR_IO, or ERR_LIMIT for depth and count. */
int walk_run(struct walk *w, const char *root, const struct walk_options *o, struct err *e);
void walk_fini(struct walk *w); /* also after a failure */
/* The path, or a folder above it, is excluded. */
bool walk_leaves_out(const struct walk_options *o, const char *path);

#endif
