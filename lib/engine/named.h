/*
 * Files asked for by name: as they are called in the item, or with its name before, as programs
 * print them; where a name has a tab or newline in it, also as it is printed in a line. A name that
 * is not there is ERR_NOTFOUND, and the nearest ones are told.
 */
#ifndef LIB_ENGINE_NAMED_H
#define LIB_ENGINE_NAMED_H

#include <p2p/base/bits.h>
#include <p2p/base/err.h>

struct named_files {   /* what there is; borrowed */
    const char *label; /* of the item, for errors */
    const char *top;   /* its name, if it is a folder; else NULL */
    size_t n;
    const char *(*path)(const void *ctx, size_t file); /* NULL: no file to ask for */
    const void *ctx;
};

/* Sets in `found`, of f->n bits, what is asked for. */
int named_find(const struct named_files *f, char *const *asked, size_t n, struct bits *found,
               struct err *e);
int named_not_there(const struct named_files *f, const char *asked, struct err *e);
/* The path with the item's name before it; NULL of a single file. Moved string. */
char *named_whole(const char *top, const char *path);

#endif
