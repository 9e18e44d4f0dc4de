/*
 * Inside of unpack: what is read, and where it is put.
 */
#ifndef LIB_HOST_UNPACK_IN_H
#define LIB_HOST_UNPACK_IN_H

#include "host/unpack.h"

#include <p2p/base/buf.h>

/* ---- unpack_place.c: entries into the folder ---- */

struct place {
    const char *what; /* the archive */
    const struct beneath *to;
    struct unpack_limits l;
    uint64_t allowed; /* bytes, of all of it */
    uint64_t bytes, entries, names;
    struct buf made;  /* paths, a NUL behind each */
    struct buf links; /* path, NUL, text, NUL; to be made last */
    char *before;     /* path of the entry before */
    char *top;        /* of all entries so far; NULL: there is no entry yet */
    bool many;        /* they have several */
};

void place_init(struct place *p, const struct unpack_spec *s);
void place_fini(struct place *p);
/* What an entry is called: its path beneath the folder in *path (moved), NULL for the folder
 * itself. A code: it is not to be unpacked. */
int place_name(struct place *p, const char *raw, char **path, struct err *e);
int place_folder(struct place *p, const char *path, struct err *e);
int place_link(struct place *p, const char *path, const char *text, struct err *e);
int place_hardlink(struct place *p, const char *path, const char *target, struct err *e);
/* A new file, to be written with place_write at ascending offsets: its descriptor. `again`: it is
 * there, by place_hardlink. */
int place_file(struct place *p, const char *path, bool again, struct err *e);
/* Announced: so many bytes; with holes they take less room. */
int place_room(struct place *p, uint64_t bytes, bool holes, struct err *e);
int place_write(struct place *p, int fd, uint64_t at, uint64_t end, struct bytes b, struct err *e);
int place_refuse(const struct place *p, const char *path, const char *why, struct err *e);
/* All entries were given: links, and the disk. */
int place_finish(struct place *p, const char *top, bool *inner, struct err *e);
void place_undo(struct place *p);

/* ---- unpack_source.c: bytes of the archive ---- */

#define SOURCE_HEAD (36u << 10) /* tells what it is */

struct source {
    const struct unpack_spec *spec; /* borrowed */
    bool jumps;                     /* its format has a directory */
    uint8_t *head;                  /* its beginning, */
    size_t n;                       /* so much of it */
    uint64_t pos, left;             /* where the reader is; what was asked for and did not come */
};

/* Reads as much as tells what it is. */
int source_open(struct source *s, const struct unpack_spec *spec, struct err *e);
void source_close(struct source *s);
struct archive_source source_archive(struct source *s);
bool source_is_tar(const struct source *s);        /* plain */
int source_drain(struct source *s, struct err *e); /* to its end */

#endif
