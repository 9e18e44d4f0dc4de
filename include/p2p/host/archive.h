/*
 * Files into an archive as they come: entries and bytes in, bytes of the archive out. libarchive is
 * behind it and appears nowhere else. Nothing is kept but what has not been taken yet, so memory is
 * as bounded as what is put in before it is taken out. Same entries, same bytes: no date, owner or
 * tool enters. Any thread, one at a time.
 */
#ifndef P2P_HOST_ARCHIVE_H
#define P2P_HOST_ARCHIVE_H

#include <p2p/base/bytes.h>
#include <p2p/base/err.h>

enum archive_format { ARCHIVE_TAR, ARCHIVE_CPIO, ARCHIVE_ZIP }; /* pax, newc, stored */

struct archive_file {
    const char *path; /* relative and safe; bytes as they are */
    uint64_t size;
    bool executable;
    const char *link; /* text of a symbolic link; NULL: a regular file */
};

struct archive_out;

struct archive_out *archive_out_new(enum archive_format f, struct err *e);
void archive_out_free(struct archive_out *a); /* NULL is fine */
/* The next entry; the one before it has had all of its bytes. */
int archive_out_begin(struct archive_out *a, const struct archive_file *f, struct err *e);
int archive_out_data(struct archive_out *a, struct bytes b, struct err *e);
int archive_out_end(struct archive_out *a, struct err *e);   /* no entry comes after */
struct bytes archive_out_ready(const struct archive_out *a); /* borrowed until the next call */
void archive_out_taken(struct archive_out *a, size_t n);     /* the first n of them */

#endif
