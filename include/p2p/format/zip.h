/*
 * The directory of a zip archive: where it lies, what its entries are, and where the data of one
 * begins. Bytes in, structs out; who reads decides from where. So what is inside is known from the
 * end of the archive alone, and one member costs no more than its own bytes. Strings are borrowed
 * from what was fed. APPNOTE.TXT 6.3, sections 4.3 and 4.5.3 (zip64).
 */
#ifndef P2P_FORMAT_ZIP_H
#define P2P_FORMAT_ZIP_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>

#define ZIP_END 22u                               /* bytes of the record at the end, and of that */
#define ZIP_END64 56u                             /* which is before it where sizes are big, */
#define ZIP_LOCATOR 20u                           /* found by this one between the two */
#define ZIP_TAIL (ZIP_END + 65535u + ZIP_LOCATOR) /* they lie in the last so many bytes */
#define ZIP_LOCAL 30u                       /* bytes before the name, in front of an entry's data */
#define ZIP_RECORD_MOST (46u + 3u * 65535u) /* of the directory, one entry */

struct zip_end {
    uint64_t at, length, entries; /* of the directory */
    uint64_t base;                /* what stands before the archive: a program that unpacks it */
    uint64_t end64_at;            /* 0, or the rest stands in the ZIP_END64 bytes there */
};
/* `tail` are the last bytes of an archive of `size`. 0, or ERR_NOTFOUND: there is no end in it. */
int zip_end(struct zip_end *z, struct bytes tail, uint64_t size, struct err *e);
/* Fed with the bytes at end64_at; it is 0 afterwards. */
int zip_end64(struct zip_end *z, struct bytes b, uint64_t size, struct err *e);

struct zip_entry {
    struct bytes name;
    uint64_t size, packed; /* bytes: of the file, and in the archive */
    uint64_t at;           /* of the local header; add zip_end.base */
    uint32_t crc;
    uint16_t method, flags;
    uint16_t mode; /* of Unix; 0: not told */
    bool dated;    /* a time that does not depend on where it is read: */
    int64_t mtime; /* seconds */
};
#define ZIP_ENCRYPTED 1u /* of flags */

/* The entry that `b` begins with: 1, *used bytes long; 0: it takes more bytes; ERR_INVALID. */
int zip_entry(struct zip_entry *n, struct bytes b, size_t *used, struct err *e);
/* Of the ZIP_LOCAL bytes at its header: how far behind their beginning the data begin. */
int zip_local(struct bytes b, uint32_t *skip, struct err *e);
/* A header that says of itself all that a reader needs who sees nothing but this entry. */
void zip_put_local(const struct zip_entry *n, struct buf *out);

#endif
