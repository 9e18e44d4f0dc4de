/* Inside of scanning. scan.c: from a path to a manifest. scan_stream.c and scan_archive.c: from
 * what comes to the store. scan_plan.c: what there is, and what it is called. scan_hash.c: pieces,
 * on all cores. scan_record.c: into the catalogue, and out of it again without hashing.
 * scan_verify.c: held against a manifest. */
#ifndef LIB_ENGINE_SCAN_INT_H
#define LIB_ENGINE_SCAN_INT_H

#include <p2p/engine/scan.h>
#include <p2p/format/flowhash.h>
#include <p2p/host/intake.h>
#include <p2p/host/tree.h>
#include <p2p/host/walk.h>

/* ---- scan_hash.c ---- */

/* How the files of a manifest are opened; from any thread. */
struct scan_source {
    void *ctx;
    int (*open)(void *ctx, uint32_t file, struct tree_pin *out, struct err *e);
    /* Every one that was opened. A failure is one of the pieces read from it. */
    int (*close)(void *ctx, uint32_t file, struct tree_pin *pin, struct err *e);
    /* All of a file that is no longer than INTAKE_WHOLE, in one call instead of three. NULL: no. */
    int (*whole)(void *ctx, uint32_t file, struct span to, struct err *e);
    /* It came out short. */
    int (*cut)(void *ctx, uint32_t file, struct err *e);
};

struct scan_piece {
    int code;      /* 0: `v1` and `root` are there */
    uint32_t file; /* of a failure */
    uint8_t v1[SHA1_LEN], root[SHA256_LEN];
};

struct scan_hash {
    const struct manifest *m;
    struct scan_source source;
    const struct bits *only; /* pieces; NULL: all */
    bool go_on;              /* a failure is the piece's own; else it ends all */
    const struct scan_watch *watch;
    /* Each piece once, in any order, on the caller's thread. */
    void (*piece)(void *arg, uint32_t piece, const struct scan_piece *r);
    void *arg;
};
/* The first failure that was no ERR_NOTFOUND (or any, without go_on); ERR_CANCELED. */
int scan_hash(const struct scan_hash *h, struct err *e);

/* ---- scan_plan.c ---- */

struct scan_plan {
    struct walk walk;
    char *root;                   /* absolute, no link at its end; owned */
    char *name;                   /* owned */
    struct author_entry *entries; /* what of the walk stays */
    size_t *walked;               /* of each entry: its number in the walk */
    char **targets;               /* of links; owned */
    size_t n, n_targets;
};
/* Notices go to r. `stream`: the path is of an open file without a name, and is taken as it is. */
int scan_plan(struct scan_plan *p, struct scan_result *r, const char *path, bool stream,
              const struct scan_options *o, struct err *e);
/* The rest of it: the walk, root and name are there. `path` is what the user typed. */
int scan_plan_entries(struct scan_plan *p, struct scan_result *r, const char *path,
                      const struct scan_options *o, struct err *e);
void scan_plan_fini(struct scan_plan *p);

/* ---- scan.c ---- */

struct scan_author { /* a plan with its author */
    struct scan_plan plan;
    struct author *author;
    struct intake *intake;
    const struct flowhash *flow; /* what is known already of a single file; borrowed, or NULL */
};
void scan_author_fini(struct scan_author *a);
/*
 * From a plan to a result without a path. What has an intake already lies where no record knows it,
 * and is hashed anew.
 */
int scan_planned(struct scan_result *r, struct scan_author *a, const char *path,
                 const struct scan_options *o, struct err *e);
/* From a path, or (the catalogue is not asked) an open file without a name that came as `flow`. */
int scan_it(struct scan_result *r, const char *path, const struct flowhash *flow,
            const struct scan_options *o, struct err *e);

/* ---- scan_stream.c ---- */

/* Where what comes is put, and what it is called there: the folder of its own, moved. */
int scan_store(const struct scan_options *o, char **out, struct err *e);
char *scan_store_place(const struct manifest *m);
bool scan_tick(void *watch, uint64_t bytes); /* for intake_read: goes on */

/* ---- scan_record.c ---- */

/* What the files looked like, as a record of all pieces; r->m is there. */
void scan_remember(struct scan_result *r, const struct scan_author *a);
/* True: all pieces were set from what the catalogue has. Damage there only costs the hashing. */
bool scan_recall(struct scan_author *a, unsigned where, const struct scan_options *o);

#endif
