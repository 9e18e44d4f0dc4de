/*
 * MSE, the side that is called. What comes, after the caller's number and noise of any length:
 *
 *      HASH('req1', S)                      by which the noise ends
 *      HASH('req2', SKEY) ^ HASH('req3', S) the item
 *      RC4(8 zeros, ways offered (32 bits), length of more noise (16 bits), noise,
 *          length of the stream's first bytes (16 bits)), RC4(those bytes)
 *
 * and our answer is RC4(8 zeros, way taken, 0: no more noise), under the other key.
 */
#include <p2p/format/dh.h>
#include <p2p/format/digest.h>
#include <p2p/format/rc4.h>
#include <p2p/base/mem.h>
#include <p2p/proto/mse.h>

#include <stdlib.h>

#define ZEROS 8
_Static_assert(MSE_NUMBER == DH_LEN, "one group");
#define OFFER_LEN (ZEROS + 4 + 2)
#define WAY_PLAIN 1u
#define RC4_DROPPED 1024

enum mse_state { AT_KEY, AT_SYNC, AT_ITEM, AT_OFFER, AT_NOISE, AT_FIRST, AT_END, BROKEN };

struct mse {
    enum mse_state state;
    struct buf in;
    uint8_t secret[DH_SECRET], shared[DH_LEN], tag[20];
    uint8_t pad[MSE_PAD_MAX];
    uint16_t pad_len;
    uint16_t want; /* of noise, then of first bytes */
    struct rc4 theirs, ours;
};

bool mse_is_plain(struct bytes first)
{
    struct bytes word = BYTES_LIT("\x13"
                                  "BitTorrent protocol");
    return memcmp(first.p, word.p, first.n < word.n ? first.n : word.n) == 0;
}

struct mse *mse_new(struct rng *r)
{
    struct mse *m = mem_zero(sizeof *m);
    m->in.max = MSE_MAX;
    rng_fill(r, m->secret, sizeof m->secret);
    m->pad_len = (uint16_t)rng_below(r, MSE_PAD_MAX + 1);
    rng_fill(r, m->pad, m->pad_len);
    return m;
}

void mse_free(struct mse *m)
{
    if (!m)
        return;
    buf_fini(&m->in);
    free(m);
}

void mse_feed(struct mse *m, struct bytes b)
{
    if (!buf_put_bytes(&m->in, b))
        m->state = BROKEN; /* nobody says so much before he is answered */
}

static void hash_of(uint8_t out[20], const char *word, struct bytes a, struct bytes b)
{
    uint8_t text[4 + DH_LEN + 20];
    memcpy(text, word, 4);
    memcpy(text + 4, a.p, a.n);
    if (b.n)
        memcpy(text + 4 + a.n, b.p, b.n);
    digest_sha1(out, BYTES(text, 4 + a.n + b.n));
}

static void key_from(struct rc4 *r, const char *word, const struct mse *m, const uint8_t item[20])
{
    uint8_t key[20];
    hash_of(key, word, BYTES(m->shared, DH_LEN), BYTES(item, 20));
    rc4_init(r, BYTES(key, sizeof key));
    rc4_skip(r, RC4_DROPPED);
}

/* ---- one step each: what mse_next says, or that the next step may be tried ---- */

enum { GO_ON = MSE_CLEAR + 1 };

static int at_key(struct mse *m, struct buf *out, struct err *e)
{
    uint8_t public[DH_LEN];
    if (buf_len(&m->in) < DH_LEN)
        return MSE_MORE;
    if (!dh_shared(m->shared, m->secret, buf_bytes(&m->in).p))
        return err_set(e, ERR_INVALID, "encrypted handshake: not a number to share");
    buf_eat(&m->in, DH_LEN);
    dh_public(public, m->secret);
    buf_put(out, public, DH_LEN);
    buf_put(out, m->pad, m->pad_len);
    m->state = AT_SYNC;
    return GO_ON;
}

static int at_sync(struct mse *m, struct buf *out, struct err *e)
{
    uint8_t mark[20];
    struct bytes in = buf_bytes(&m->in);
    (void)out;
    hash_of(mark, "req1", BYTES(m->shared, DH_LEN), BYTES(NULL, 0));
    for (size_t i = 0; i + sizeof mark <= in.n && i <= MSE_PAD_MAX; i++) {
        if (memcmp(in.p + i, mark, sizeof mark) != 0)
            continue;
        buf_eat(&m->in, i + sizeof mark);
        m->state = AT_ITEM;
        return GO_ON;
    }
    if (in.n >= MSE_PAD_MAX + sizeof mark)
        return err_set(e, ERR_INVALID, "encrypted handshake: nothing but noise");
    return MSE_MORE;
}

static int at_item(struct mse *m, struct buf *out, struct err *e)
{
    uint8_t mask[20];
    (void)out, (void)e;
    if (buf_len(&m->in) < sizeof m->tag)
        return MSE_MORE;
    hash_of(mask, "req3", BYTES(m->shared, DH_LEN), BYTES(NULL, 0));
    memcpy(m->tag, buf_bytes(&m->in).p, sizeof m->tag);
    for (size_t i = 0; i < sizeof m->tag; i++)
        m->tag[i] ^= mask[i];
    buf_eat(&m->in, sizeof m->tag);
    m->state = AT_OFFER; /* when mse_take() has made the keys */
    return MSE_ITEM;
}

/* Their next n bytes, in clear, or NULL. To be eaten. */
static const uint8_t *deciphered(struct mse *m, size_t n)
{
    if (buf_len(&m->in) < n)
        return NULL;
    uint8_t *p = m->in.mem + m->in.head;
    rc4_apply(&m->theirs, p, n);
    return p;
}

static int at_offer(struct mse *m, struct buf *out, struct err *e)
{
    static const uint8_t zeros[ZEROS];
    uint8_t answer[OFFER_LEN] = {0};
    const uint8_t *p = deciphered(m, OFFER_LEN);
    if (!p)
        return MSE_MORE;
    m->want = get_be16(p + ZEROS + 4);
    if (memcmp(p, zeros, ZEROS) != 0 || m->want > MSE_PAD_MAX)
        return err_set(e, ERR_INVALID, "encrypted handshake: garbled");
    if (!(get_be32(p + ZEROS) & WAY_PLAIN))
        return err_set(e, ERR_INVALID, "wants all of the stream encrypted");
    buf_eat(&m->in, OFFER_LEN);
    put_be32(answer + ZEROS, WAY_PLAIN);
    rc4_apply(&m->ours, answer, sizeof answer);
    buf_put(out, answer, sizeof answer);
    m->state = AT_NOISE;
    return GO_ON;
}

static int at_noise(struct mse *m, struct buf *out, struct err *e)
{
    const uint8_t *p = deciphered(m, m->want + 2u);
    (void)out;
    if (!p)
        return MSE_MORE;
    size_t noise = m->want + 2u;
    m->want = get_be16(p + m->want);
    buf_eat(&m->in, noise);
    if (m->want > MSE_FIRST_MAX)
        return err_set(e, ERR_INVALID, "encrypted handshake: says too much at first");
    m->state = AT_FIRST;
    return GO_ON;
}

static int at_first(struct mse *m, struct buf *out, struct err *e)
{
    (void)out, (void)e;
    if (!deciphered(m, m->want))
        return MSE_MORE;
    m->state = AT_END;
    return MSE_CLEAR;
}

static int at_end(struct mse *m, struct buf *out, struct err *e)
{
    (void)m, (void)out, (void)e;
    return MSE_CLEAR;
}

static int broken(struct mse *m, struct buf *out, struct err *e)
{
    (void)m, (void)out;
    return err_set(e, ERR_INVALID, "encrypted handshake: broken");
}

int mse_next(struct mse *m, struct buf *out, struct err *e)
{
    typedef int step_fn(struct mse *, struct buf *, struct err *);
    static step_fn *const steps[] = {
        [AT_KEY] = at_key,     [AT_SYNC] = at_sync,   [AT_ITEM] = at_item, [AT_OFFER] = at_offer,
        [AT_NOISE] = at_noise, [AT_FIRST] = at_first, [AT_END] = at_end,   [BROKEN] = broken,
    };
    int r;

    do
        r = steps[m->state](m, out, e);
    while (r == GO_ON);
    if (r < 0)
        m->state = BROKEN;
    return r;
}

bool mse_means(const struct mse *m, const uint8_t info_hash[20])
{
    uint8_t tag[20];
    hash_of(tag, "req2", BYTES(info_hash, 20), BYTES(NULL, 0));
    return memcmp(tag, m->tag, sizeof tag) == 0;
}

void mse_take(struct mse *m, const uint8_t info_hash[20])
{
    key_from(&m->theirs, "keyA", m, info_hash);
    key_from(&m->ours, "keyB", m, info_hash);
}

struct bytes mse_clear(const struct mse *m)
{
    return m->state == AT_END ? buf_bytes(&m->in) : BYTES(NULL, 0);
}
