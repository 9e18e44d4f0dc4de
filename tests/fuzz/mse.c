/*
 * Fuzzes encrypted handshakes, the side that is called. floor: proto
 * The first byte tells how much noise the caller opens with, the second seeds the cuts; the rest is
 * what it says from its offer on, encrypted as it should be, or, if the noise is odd, all that it
 * says. Holds: any cut tells the same story; what is kept and what is answered are bounded.
 */
#include <p2p/proto/mse.h>

#include <stdlib.h>

#include "../unit/proto/mse_caller.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t item[20] = "the item's info-hash";

struct story {
    struct mse *m;
    struct buf out;
    int end;
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void hear(struct story *s, struct bytes b)
{
    mse_feed(s->m, b);
    while ((s->end = mse_next(s->m, &s->out, NULL)) == MSE_ITEM && mse_means(s->m, item))
        mse_take(s->m, item);
    must(s->end == MSE_MORE || s->end == MSE_ITEM || s->end == MSE_CLEAR || s->end == ERR_INVALID);
    must(buf_len(&s->out) <= DH_LEN + MSE_PAD_MAX + 14);
    must(mse_clear(s->m).n <= MSE_MAX && (s->end == MSE_CLEAR || mse_clear(s->m).n == 0));
}

static void hear_cut(struct story *s, struct bytes b, struct rng *cuts)
{
    while (b.n > 0 && s->end == MSE_MORE) {
        size_t n = cuts ? 1 + rng_below(cuts, b.n) : b.n;
        hear(s, BYTES(b.p, n));
        b = BYTES(b.p + n, b.n - n);
    }
}

static void tell(struct story *s, const uint8_t *data, size_t size, struct rng *cuts)
{
    struct rng r;
    struct caller c = {0};
    struct buf in = {0};
    rng_seed(&r, data[0]);
    *s = (struct story){.m = mse_new(&r)};
    if (data[0] % 2 == 0) {
        caller_opens(&c, &r, data[0] * 2u, &in);
        hear_cut(s, buf_bytes(&in), cuts);
        buf_clear(&in);
        caller_goes_on(&c, buf_bytes(&s->out).p, item, 1, 0, BYTES_LIT(""), &in);
        in.tail = in.head + 40; /* the offer is the input's */
        caller_key(&c, &c.ours, "keyA", item);
    }
    buf_put(&in, data + 2, size - 2);
    if (data[0] % 2 == 0)
        rc4_apply(&c.ours, in.mem + in.head + 40, buf_len(&in) - 40);
    hear_cut(s, buf_bytes(&in), cuts);
    buf_fini(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct story whole, cut;
    struct rng cuts;
    if (size < 2 || size > MSE_FIRST_MAX) /* whole, it must fit with all that goes before it */
        return 0;
    rng_seed(&cuts, data[1]);
    tell(&whole, data, size, NULL);
    tell(&cut, data, size, &cuts);
    must(whole.end == cut.end);
    must(bytes_eq(buf_bytes(&whole.out), buf_bytes(&cut.out)));
    if (whole.end == MSE_CLEAR) /* what came after its end is the wire's */
        must(mse_clear(cut.m).n <= mse_clear(whole.m).n &&
             memcmp(mse_clear(cut.m).p, mse_clear(whole.m).p, mse_clear(cut.m).n) == 0);
    buf_fini(&whole.out);
    buf_fini(&cut.out);
    mse_free(whole.m);
    mse_free(cut.m);
    return 0;
}
