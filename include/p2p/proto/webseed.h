/*
 * Web seeds (BEP 19) without HTTP: which URL serves which file, and which byte ranges to ask for.
 */
#ifndef P2P_PROTO_WEBSEED_H
#define P2P_PROTO_WEBSEED_H

#include <p2p/base/buf.h>
#include <p2p/format/layout.h>

/* HTTP or HTTPS: others are to be ignored, as nobody speaks FTP any more. */
bool webseed_spoken(const char *url);
/*
 * Appends the URL of a file. Single-file: the URL itself, or with the name behind if it ends in
 * '/'. Several files: URL + '/' if absent + name + '/' + path, each component percent-escaped.
 */
void webseed_url(struct buf *out, const char *base, const struct manifest *m, uint32_t file);

struct webseed_part {
    uint32_t file;
    uint64_t offset, length; /* in the file */
    uint64_t at;             /* in content space */
};
/*
 * Splits content range [at, at+length) into at most `max` HTTP requests, pads and gaps left out.
 * Returns the number written; *covered tells how much of the range they (and the padding) cover.
 */
size_t webseed_plan(const struct manifest *m, uint64_t at, uint64_t length,
                    struct webseed_part *out, size_t max, uint64_t *covered);

#endif
