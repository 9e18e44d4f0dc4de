/*
 * Bencode (BEP 3): one reader for everything that strangers send, and a writer.
 *
 * The reader makes a flat array of tokens over borrowed input, without recursion. It is always
 * strict about structure (lengths inside the input, numbers that fit 64 bits, string keys) and has
 * three minds about canonical form: BENCODE_LENIENT accepts what real files contain (unsorted keys,
 * leading zeros, "-0") and leaves the bytes readable as they are, so that an info-hash is of the
 * original; BENCODE_STRICT (DHT) refuses those. BENCODE_UNSORTED (extension messages) is strict but
 * for the order of keys, which clients in the wild do not keep there. A key that stands twice in
 * one dictionary is refused in these two, in lenient mode on demand (bencode_unique), as in `info`.
 */
#ifndef P2P_FORMAT_BENCODE_H
#define P2P_FORMAT_BENCODE_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>

#define BENCODE_MAX_TOKENS 3000000u
#define BENCODE_MAX_DEPTH 100u

enum bencode_mode { BENCODE_LENIENT, BENCODE_UNSORTED, BENCODE_STRICT };
enum bencode_type { BENCODE_NONE, BENCODE_INT, BENCODE_STR, BENCODE_LIST, BENCODE_DICT };

struct bencode;         /* a parsed document; borrows its input */
typedef uint32_t bnode; /* a place in it; 0 is the root */
#define BNODE_NONE UINT32_MAX

/*
 * Parses one value from the front of `in`. `used` (may be NULL) gets its length; without `used`,
 * bytes behind the value are an error. NULL on error (ERR_INVALID or ERR_LIMIT). max_tokens 0
 * stands for BENCODE_MAX_TOKENS, which nothing exceeds.
 */
struct bencode *bencode_parse(struct bytes in, enum bencode_mode mode, uint32_t max_tokens,
                              size_t *used, struct err *e);
void bencode_free(struct bencode *b);

/* All of these take BNODE_NONE and answer "none", so that look-ups chain. */
enum bencode_type bencode_type(const struct bencode *b, bnode n);
struct bytes bencode_raw(const struct bencode *b, bnode n); /* the value's own encoding */
bool bencode_str(const struct bencode *b, bnode n, struct bytes *out); /* false if not a string */
bool bencode_int(const struct bencode *b, bnode n, int64_t *out);
bool bencode_uint(const struct bencode *b, bnode n, uint64_t *out); /* false if negative too */
/* The value of the first such key. */
bnode bencode_get(const struct bencode *b, bnode dict, const char *key);
bnode bencode_get_bytes(const struct bencode *b, bnode dict, struct bytes key);
size_t bencode_count(const struct bencode *b, bnode n); /* items of a list, pairs of a dictionary */
/* Walks a list: first item, then the next of each. Walks a dictionary: key, then bencode_next gives
 * its value, then the next key. BNODE_NONE at the end. */
bnode bencode_first(const struct bencode *b, bnode container);
bnode bencode_next(const struct bencode *b, bnode n);
/* No dictionary in the subtree has a key twice. */
bool bencode_unique(const struct bencode *b, bnode n);

/* Convenience: a string, unsigned or list value of a key, false if absent or of another type. */
bool bencode_get_str(const struct bencode *b, bnode dict, const char *key, struct bytes *out);
bool bencode_get_int(const struct bencode *b, bnode dict, const char *key, int64_t *out);
bool bencode_get_uint(const struct bencode *b, bnode dict, const char *key, uint64_t *out);

/* Writer: appends to a buf. The caller gives keys in order. */
void bencode_put_int(struct buf *out, int64_t v);
void bencode_put_str(struct buf *out, struct bytes s);
void bencode_put_lit(struct buf *out, const char *s); /* a key or string literal */
void bencode_put_key_int(struct buf *out, const char *key, int64_t v);
void bencode_put_key_str(struct buf *out, const char *key, struct bytes s);
void bencode_put_dict(struct buf *out); /* "d" */
void bencode_put_list(struct buf *out); /* "l" */
void bencode_put_end(struct buf *out);  /* "e" */

#endif
