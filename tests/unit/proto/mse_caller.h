/* Who calls with an encrypted handshake, as other clients do: to test the side that answers. */
#ifndef TESTS_MSE_CALLER_H
#define TESTS_MSE_CALLER_H

#include <p2p/base/buf.h>
#include <p2p/base/rng.h>
#include <p2p/format/dh.h>
#include <p2p/format/digest.h>
#include <p2p/format/rc4.h>

struct caller {
    uint8_t secret[DH_SECRET], shared[DH_LEN];
    struct rc4 ours, theirs;
};

static inline void caller_hash(uint8_t out[20], const char *word, const struct caller *c,
                               const uint8_t *p)
{
    struct buf b = {0};
    buf_put(&b, word, 4);
    if (c)
        buf_put(&b, c->shared, DH_LEN);
    if (p)
        buf_put(&b, p, 20);
    digest_sha1(out, buf_bytes(&b));
    buf_fini(&b);
}

/* The first that it says: its number and so much noise. */
static inline void caller_opens(struct caller *c, struct rng *r, size_t noise, struct buf *out)
{
    uint8_t public[DH_LEN];
    rng_fill(r, c->secret, sizeof c->secret);
    dh_public(public, c->secret);
    buf_put(out, public, DH_LEN);
    rng_fill(r, buf_room(out, noise + 1), noise);
    buf_added(out, noise);
}

static inline void caller_key(struct caller *c, struct rc4 *r, const char *word,
                              const uint8_t hash[20])
{
    uint8_t key[20];
    caller_hash(key, word, c, hash);
    rc4_init(r, BYTES(key, 20));
    rc4_skip(r, 1024);
}

/* The second, when it has the other's number. */
static inline void caller_goes_on(struct caller *c, const uint8_t theirs[DH_LEN],
                                  const uint8_t hash[20], uint32_t ways, size_t noise,
                                  struct bytes first, struct buf *out)
{
    uint8_t mark[20], item[20], mask[20];
    struct buf b = {0};
    (void)dh_shared(c->shared, c->secret, theirs);
    caller_key(c, &c->ours, "keyA", hash);
    caller_key(c, &c->theirs, "keyB", hash);
    caller_hash(mark, "req1", c, NULL);
    caller_hash(item, "req2", NULL, hash);
    caller_hash(mask, "req3", c, NULL);
    for (size_t i = 0; i < 20; i++)
        item[i] ^= mask[i];
    buf_put(out, mark, 20);
    buf_put(out, item, 20);
    buf_put_be64(&b, 0);
    buf_put_be32(&b, ways);
    buf_put_be16(&b, (uint16_t)noise);
    memset(buf_room(&b, noise + 1), 'n', noise);
    buf_added(&b, noise);
    buf_put_be16(&b, (uint16_t)first.n);
    buf_put_bytes(&b, first);
    rc4_apply(&c->ours, b.mem + b.head, buf_len(&b));
    buf_put_bytes(out, buf_bytes(&b));
    buf_fini(&b);
}

/* Finds the answer behind the other's number and noise: the way taken, and how many bytes of `in`
 * were his handshake; 0: it is not there. */
static inline uint32_t caller_hears(struct caller *c, struct bytes in, size_t *used)
{
    uint8_t zeros[8] = {0}, rest[6];
    rc4_apply(&c->theirs, zeros, sizeof zeros);
    for (size_t i = DH_LEN; i + 14 <= in.n; i++) {
        if (memcmp(in.p + i, zeros, sizeof zeros) != 0)
            continue;
        memcpy(rest, in.p + i + 8, sizeof rest);
        rc4_apply(&c->theirs, rest, sizeof rest);
        *used = i + 14 + get_be16(rest + 4);
        return get_be32(rest);
    }
    return 0;
}

#endif
