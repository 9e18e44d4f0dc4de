/*
 * Message stream encryption (MSE, also PE), the side that is called: many clients begin so, and
 * come back a second later, or never, if nobody answers. The two agree on a number (format/dh.h),
 * the caller names his item by a hash that only who knows it can read, and offers ways to go on. We
 * take the way that is not encrypted, for the stream is public anyhow and RC4 would cost more than
 * all else; who offers RC4 alone is refused.
 *
 *      if (mse_is_plain(first bytes)) speak as ever; else m = mse_new(…)
 *      mse_feed(m, bytes)
 *      while ((r = mse_next(m, out, &e)) == MSE_ITEM)
 *          mse_take(m, the info-hash for which mse_means() is true)
 *      r == MSE_CLEAR: mse_clear() is what the caller says next; what comes after needs no mse
 *
 * A machine for one caller. What it keeps of him is bounded by MSE_MAX. No specification but the
 * one at wiki.vuze.com/w/Message_Stream_Encryption.
 */
#ifndef P2P_PROTO_MSE_H
#define P2P_PROTO_MSE_H

#include <p2p/base/buf.h>
#include <p2p/base/err.h>
#include <p2p/base/rng.h>

#define MSE_NUMBER 96 /* bytes that a caller begins with, before noise */
#define MSE_PAD_MAX 512
#define MSE_FIRST_MAX 8192u /* of the stream, said before we have answered */
#define MSE_MAX (MSE_NUMBER + MSE_PAD_MAX + 20 + 20 + 14 + MSE_PAD_MAX + 2 + MSE_FIRST_MAX)

enum mse_event {
    MSE_MORE = 0,  /* more bytes are needed */
    MSE_ITEM = 1,  /* which item is it? then mse_take() */
    MSE_CLEAR = 2, /* it is over */
};

struct mse;

/* Do these, the first to come, begin a handshake that is not hidden? */
bool mse_is_plain(struct bytes first);

struct mse *mse_new(struct rng *r);
void mse_free(struct mse *m); /* NULL is fine */
void mse_feed(struct mse *m, struct bytes b);
/* What we say is appended to `out`. ERR_INVALID: it is something else, or cannot be done; final. */
int mse_next(struct mse *m, struct buf *out, struct err *e);
bool mse_means(const struct mse *m, const uint8_t info_hash[20]);
void mse_take(struct mse *m, const uint8_t info_hash[20]);
struct bytes mse_clear(const struct mse *m); /* borrowed until mse_free() */

#endif
