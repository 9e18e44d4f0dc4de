/*
 * Going through the archives of an item: their entries are told, or some members are taken. Which
 * of its files are archives is said by their names, unless there is but one file; in a folder an
 * entry is called ARCHIVE/NAME. Blocking, on any thread: whoever calls brings the bytes, and takes
 * what comes.
 */
#ifndef LIB_ENGINE_DIG_H
#define LIB_ENGINE_DIG_H

#include <p2p/base/bits.h>
#include <p2p/format/manifest.h>
#include <p2p/host/inside.h>

#define DIG_NONE "none of its files is called like an archive"

struct dig {
    const struct manifest *m;
    const char *label;         /* of the item, in errors; NULL: the caller says it */
    const struct bits *wanted; /* files; NULL: all */
    char *const *names;        /* members that are taken, with n_names 0 all entries are told */
    size_t n_names;
    bool far; /* the bytes come from afar: nothing is read in whole for telling entries */
    /* As inside_source.read, of a file of the item. */
    int64_t (*read)(void *arg, uint32_t file, uint64_t at, struct span to, uint64_t sure,
                    struct err *e);
    int (*tell)(void *arg, uint32_t file, const struct inside_entry *n, struct err *e);
    /* A member: its name as it was asked for, and the last part of it. Then its bytes, then the
     * end; after a failure `drop`. */
    int (*begin)(void *arg, const char *name, const char *base, uint64_t size, struct err *e);
    int (*data)(void *arg, struct bytes b, struct err *e);
    int (*end)(void *arg, struct err *e);
    void (*drop)(void *arg);
    void *arg;
};

/* ERR_NOTFOUND: there is no archive, or a member is not in it. */
int dig_run(const struct dig *d, struct err *e);
/* The archives of an item among the wanted files. */
void dig_archives(const struct manifest *m, const struct bits *wanted, struct bits *out);

#endif
