/*
 * Inside of unpack: what is read, and where it is put.
 */
#ifndef LIB_HOST_UNPACK_IN_H
#define LIB_HOST_UNPACK_IN_H

#include <p2p/base/buf.h>
#include <p2p/host/unpack.h>

/* ---- unpack_place.c: entries into the folder ---- */

struct place {
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
 * itself. ERR_FAIL: it is not to be unpacked. */
int place_name(struct place *p, const char *raw, char **path, struct err *e);
int place_folder(struct place *p, const char *path, struct err *e);
int place_link(struct place *p, const char *path, const char *text, struct err *e);
int place_hardlink(struct place *p, const char *path, const char *target, struct err *e);
/* A new file, to be written with place_write at ascending offsets: its descriptor. `again`: it is
 * there, by place_hardlink. */
int place_file(struct place *p, const char *path, bool again, struct err *e);
/* Announced: room for so many bytes. */
int place_room(struct place *p, uint64_t bytes, struct err *e);
int place_write(struct place *p, int fd, uint64_t at, uint64_t end, struct bytes b, struct err *e);
/* All entries were given: links, and the disk. */
int place_finish(struct place *p, const char *top, bool *inner, struct err *e);
void place_undo(struct place *p);

/* ---- unpack_source.c: bytes of the archive ---- */

struct source {
    int fd;
    bool whole;   /* it was kept until its end: `fd` is a file */
    bool own;     /* and ours */
    uint8_t *mem; /* what was read last */
    size_t n, at; /* bytes in it, and those that are given */
    struct err e; /* why it could not be read or kept */
};

/* Reads as much as tells what it is; keeps what must be whole. */
int source_open(struct source *s, const struct unpack_spec *spec, struct err *e);
void source_close(struct source *s);
int64_t source_read(struct source *s, const void **p);
int64_t source_seek(struct source *s, int64_t offset, int whence);
void source_drain(struct source *s); /* to its end */

#endif
