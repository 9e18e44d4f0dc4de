/*
 * What the catalogue knows of the content of its items: for each of their larger files numbers by
 * which another item finds the same file, without any manifest being read. A number is made of the
 * file's pieces root (v2), another of its name and length. They are hints: whoever follows one
 * hashes what it finds.
 */
#ifndef LIB_ENGINE_CONTENT_H
#define LIB_ENGINE_CONTENT_H

#include <p2p/format/manifest.h>
#include <p2p/host/catalogue.h>

#define CONTENT_MOST 4096u   /* files of an item that are noted: the largest, */
#define CONTENT_LEAST 16384u /* and of so many bytes at least */

/* Notes what item `id` holds, in place of what was noted of it. */
int content_note(struct catalogue *c, int64_t id, const struct manifest *m, struct err *e);

/* The least length of those files of m that are noted. */
uint64_t content_least(const struct manifest *m);
struct content_holder {
    char *path; /* of the file: absolute, owned */
    uint64_t size;
};
/* Finds files that are to be like file `i` of m. What it has parsed is kept in `known`
 * (content_known_free), which begins as NULL. Returns how many. */
#define CONTENT_HOLDERS 4u
struct content_known;
size_t content_find(struct catalogue *c, const struct manifest *m, uint32_t i,
                    struct content_known **known, struct content_holder out[CONTENT_HOLDERS]);
void content_known_free(struct content_known *k);

#endif
