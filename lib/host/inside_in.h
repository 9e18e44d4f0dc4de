/* Inside of inside: what its files share. inside.c: which format, and the bounds of all of them.
 * inside_zip.c: zip. inside_la.c: the others, by libarchive, and what is packed in a zip. */
#ifndef LIB_HOST_INSIDE_IN_H
#define LIB_HOST_INSIDE_IN_H

#include <p2p/host/inside.h>

/* ---- the bytes of the archive, with the bounds of what is read ---- */

struct inside_bytes {
    struct inside_source source;
    uint64_t read;
};
/* Some of `to`; 0 at the end. */
int64_t inside_some(struct inside_bytes *b, uint64_t at, struct span to, uint64_t sure,
                    struct err *e);
/* All of `to`, or ERR_INVALID: it ends before. */
int inside_all(struct inside_bytes *b, uint64_t at, struct span to, struct err *e);

/* ---- libarchive ---- */

enum inside_la_format { LA_TAR, LA_CPIO, LA_AR, LA_7ZIP, LA_ISO, LA_ZIP_ENTRY, LA_FORMATS };
enum inside_la_filter {
    LA_NONE,
    LA_GZIP,
    LA_BZIP2,
    LA_XZ,
    LA_LZMA,
    LA_ZSTD,
    LA_LZ4,
    LA_LZIP,
    LA_COMPRESS,
    LA_FILTERS
};

struct inside_la;
/* `b` is borrowed. With a filter, what is in it is a tar, cpio or ar. */
int inside_la_open(struct inside_la **out, struct inside_bytes *b, enum inside_la_format format,
                   enum inside_la_filter filter, struct err *e);
void inside_la_close(struct inside_la *r); /* NULL is fine */
int inside_la_next(struct inside_la *r, struct inside_entry *n, struct err *e);
int64_t inside_la_read(struct inside_la *r, struct span to, struct err *e);

/* ---- zip ---- */

struct inside_zip;
/* ERR_NOTFOUND: it is none. `b` is borrowed. */
int inside_zip_open(struct inside_zip **out, struct inside_bytes *b, struct err *e);
void inside_zip_close(struct inside_zip *z); /* NULL is fine */
int inside_zip_next(struct inside_zip *z, struct inside_entry *n, struct err *e);
int64_t inside_zip_read(struct inside_zip *z, struct span to, struct err *e);

#endif
