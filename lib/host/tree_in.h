/* Inside of a file tree, for tree.c, tree_names.c, tree_sync.c and tree_finish.c. */
#ifndef LIB_HOST_TREE_IN_H
#define LIB_HOST_TREE_IN_H

#include "host/fdcache_pin.h"

#include <p2p/host/beneath.h>
#include <p2p/host/tree.h>

#include <pthread.h>

/* Flags of our own, above the public ones; guarded by the lock of the cache as those are. */
#define FILE_DIRTY 0x100u   /* written since the last sync */
#define FILE_NAMED 0x200u   /* its name is new since the last sync */
#define FILE_LISTED 0x400u  /* in tree.dirty */
#define FILE_FOREIGN 0x800u /* on another file system than the root: syncfs does not reach it */
#define FILE_MOVING 0x1000u /* between its two names just now */
#define FILE_PUBLIC 0xffu

struct tree_entry {
    const char *path; /* in tree.names */
    uint64_t length;
    uint64_t base; /* its place in the side file (UINT64_MAX past 2^63) or in the window */
    unsigned flags;
    unsigned suffixes; /* how often the suffix is repeated: once, but for names that would clash */
};

struct tree {
    struct fdcache *cache;
    struct window *window; /* borrowed: content is in memory there; NULL: on the disk */
    struct fdcache_owner owner;
    char *root, *suffix, *side; /* side: NULL if there is none */
    char *names;
    struct tree_entry *v; /* n, and one behind for the side file */
    size_t n;
    uint32_t *dirty; /* indices with FILE_LISTED */
    size_t dirty_count, dirty_cap;
    int sync_fd; /* root, open since before the first write not synced: see tree_sync.c */
    /* Who writes has it: in the kernel, writers to one file would wait for each other burning time,
     * while here the next one sleeps, and begins as soon as the last is done. */
    pthread_mutex_t pen;
};

static inline bool entry_is_side(const struct tree *t, size_t i)
{
    return i == t->n;
}

/* Relative name on disk, final or not. Owned. */
char *tree_name_of(const struct tree *t, size_t file, bool final);
int tree_beneath(struct tree *t, struct beneath **out, struct err *e);
/* A descriptor to read a TREE_FOLLOW file by, wherever its links lead. */
int tree_open_followed(struct tree *t, const char *name, struct err *e);
/* Index of what holds the bytes of a file: itself or the side file. */
uint32_t tree_store_of(struct tree *t, size_t file);
struct fdcache_entry *tree_pin_store(struct tree *t, uint32_t index, bool write, int *rc,
                                     struct err *e);
/* Where n bytes of a file are to be written, if they may be. */
int tree_place_for(struct tree *t, size_t file, uint64_t off, uint64_t n, uint32_t *store,
                   uint64_t *at, struct err *e);
struct file_clone_range;
/* FICLONERANGE into a file (dest_offset counts within it). 0, or errno, negative. */
int tree_clone(struct tree *t, size_t file, const struct file_clone_range *r);
/* After writing: FILE_DIRTY and what else is to be known before the next sync. */
void tree_mark(struct tree *t, uint32_t index, unsigned flags);
int tree_open_sync_fd(struct tree *t, struct err *e);
void tree_close_sync_fd(struct tree *t);
/* As tree_sync, of these files only; or only what is in them, and not their names. */
int tree_sync_these(struct tree *t, const size_t *files, size_t n, struct err *e);
int tree_sync_data(struct tree *t, const size_t *files, size_t n, struct err *e);

#endif
