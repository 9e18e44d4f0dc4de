/*
 * The resume record: what is known to be verified and on disk, and how the files looked then. It is
 * written only after the data was synced. A record that does not read back whole (checksum) or is
 * for another manifest is not trusted: the data is hashed again.
 */
#ifndef P2P_FORMAT_RECORD_H
#define P2P_FORMAT_RECORD_H

#include <p2p/base/bits.h>
#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/format/digest.h>

struct record_file {
    bool present;
    uint64_t size;
    int64_t mtime_ns;
    uint64_t inode;
    /* Was being written: after a crash its mtime may be later by what passed until then, which is
     * RECORD_OPEN_TIME at most, since a record is written at least that often. */
    bool open;
};
#define RECORD_OPEN_TIME 120 /* seconds */
struct record {
    uint8_t content[SHA256_LEN]; /* SHA-256 of the info dictionary: which item this is about */
    struct bits have;            /* pieces verified and synced */
    struct record_file *files;   /* n_files in manifest order */
    uint32_t n_files;
};

void record_init(struct record *r);
void record_fini(struct record *r);
void record_write(const struct record *r, struct buf *out);
int record_parse(struct record *r, struct bytes b,
                 struct err *e); /* ERR_INVALID: not to be trusted */

#endif
