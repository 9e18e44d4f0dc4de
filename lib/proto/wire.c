/*
 * The peer wire, incoming half: a parser over a borrowed slice. What has come whole is read where
 * it lies; only a message cut by the end of the slice is copied, and of it only what its type
 * allows. The payload of a PIECE goes straight to the place that its owner names.
 *
 * Rules: a length is judged by the table of kinds as soon as the type byte is there, and before a
 * byte of the body is kept. Nothing is allocated for a message that came whole.
 */
#include <p2p/base/mem.h>
#include <p2p/proto/wire.h>

#include <stdlib.h>

#include "proto/wire_kinds.h"

enum { KEEP_CAP = 64 << 10 }; /* what an idle connection may go on holding */

enum wire_state { EXPECT_HANDSHAKE, EXPECT_MESSAGE, IN_PIECE, SKIPPING, BROKEN };

struct wire {
    enum wire_state state;
    bool pieces_known;
    uint32_t n_pieces;
    struct bytes fed; /* borrowed, not looked at yet */
    struct buf kept;  /* owned: comes before `fed` */
    size_t lent;      /* of `kept`: what the last message borrows */
    uint32_t skip;    /* SKIPPING: bytes to come */
    uint8_t *place;   /* IN_PIECE: borrowed, NULL to discard */
    uint32_t placed;  /* bytes of the payload that came */
    uint32_t index, begin, length; /* IN_PIECE */
    struct err broken;
};

static const uint8_t protocol[20] = "\x13" "BitTorrent protocol";

struct wire *wire_new(void)
{
    return mem_zero(sizeof(struct wire));
}

void wire_free(struct wire *w)
{
    if (!w)
        return;
    buf_fini(&w->kept);
    free(w);
}

void wire_set_pieces(struct wire *w, uint32_t n_pieces)
{
    w->pieces_known = true;
    w->n_pieces = n_pieces;
}

size_t wire_unread(const struct wire *w)
{
    return w->fed.n + buf_len(&w->kept) - w->lent;
}

static void give_back(struct wire *w)
{
    buf_eat(&w->kept, w->lent);
    w->lent = 0;
    if (!buf_len(&w->kept) && w->kept.cap > KEEP_CAP)
        buf_fini(&w->kept);
}

void wire_feed(struct wire *w, struct bytes b)
{
    give_back(w);
    if (w->fed.n) /* fed twice without a look: the older bytes come first */
        buf_put_bytes(&w->kept, w->fed);
    w->fed = b;
}

/* The next n bytes in a row, looked at but not taken; NULL if they have not come. */
static const uint8_t *peek(struct wire *w, size_t n)
{
    size_t have = buf_len(&w->kept);
    if (!have && w->fed.n >= n)
        return w->fed.p;
    if (have < n) {
        size_t more = n - have < w->fed.n ? n - have : w->fed.n;
        if (more) {
            buf_put(&w->kept, w->fed.p, more);
            w->fed.p += more;
            w->fed.n -= more;
        }
        if (have + more < n)
            return NULL;
    }
    return buf_bytes(&w->kept).p;
}

/* Takes what peek() showed; it stays readable until the next call. */
static void take(struct wire *w, size_t n)
{
    if (buf_len(&w->kept)) {
        w->lent = n;
        return;
    }
    w->fed.p += n;
    w->fed.n -= n;
}

/* The next bytes, as many as lie in a row and at most `most`: taken. */
static struct bytes take_some(struct wire *w, size_t most)
{
    give_back(w);
    struct bytes b = buf_len(&w->kept) ? buf_bytes(&w->kept) : w->fed;
    if (b.n > most)
        b.n = most;
    if (b.n)
        take(w, b.n);
    return b;
}

/* Nothing that follows can be trusted, so nothing of it is held. */
static void broke(struct wire *w)
{
    w->state = BROKEN;
    w->fed.n = 0;
    w->lent = 0;
    w->place = NULL;
    buf_fini(&w->kept);
}

static int next_handshake(struct wire *w, struct wire_msg *m)
{
    /* A stranger who talks something else is known by the first bytes. */
    size_t have = wire_unread(w) < sizeof protocol ? wire_unread(w) : sizeof protocol;
    const uint8_t *p = have ? peek(w, have) : NULL;
    if (p && memcmp(p, protocol, have) != 0) {
        broke(w);
        return err_set(&w->broken, ERR_INVALID, "handshake: not the BitTorrent protocol");
    }
    p = peek(w, WIRE_HANDSHAKE_LEN);
    if (!p)
        return 0;
    m->type = WIRE_HANDSHAKE;
    memcpy(m->handshake.reserved, p + 20, 8);
    memcpy(m->handshake.info_hash, p + 28, 20);
    memcpy(m->handshake.peer_id, p + 48, 20);
    take(w, WIRE_HANDSHAKE_LEN);
    w->state = EXPECT_MESSAGE;
    return 1;
}

static int bad_length(struct wire *w, const char *name, uint32_t length)
{
    broke(w);
    return err_set(&w->broken, ERR_INVALID, "%s message: wrong length %lu", name,
                   (unsigned long)length);
}

/* What the table allows, and for a BITFIELD what the number of pieces does. */
static bool length_fits(const struct wire *w, const struct wire_kind *k, uint8_t type,
                        uint32_t length)
{
    if (type == WIRE_BITFIELD && w->pieces_known)
        return length == 1 + (uint64_t)w->n_pieces / 8 + (w->n_pieces % 8 != 0);
    return length >= k->min && length <= k->max;
}

static int start_skip(struct wire *w, struct wire_msg *m, uint8_t type, uint32_t length)
{
    if (length > WIRE_MAX_UNKNOWN)
        return bad_length(w, "unknown", length);
    m->type = WIRE_UNKNOWN;
    m->index = type;
    m->length = length - 1;
    take(w, 5);
    w->skip = length - 1;
    w->state = w->skip ? SKIPPING : EXPECT_MESSAGE;
    return 1;
}

/* Only the head: the payload is IN_PIECE's. */
static int start_piece(struct wire *w, struct wire_msg *m, uint32_t length)
{
    const uint8_t *p = peek(w, WIRE_PIECE_HEAD);
    if (!p)
        return 0;
    m->type = WIRE_PIECE;
    m->index = w->index = get_be32(p + 5);
    m->begin = w->begin = get_be32(p + 9);
    m->length = w->length = length - 9;
    take(w, WIRE_PIECE_HEAD);
    w->place = NULL;
    w->placed = 0;
    w->state = IN_PIECE;
    return 1;
}

static int next_message(struct wire *w, struct wire_msg *m)
{
    const uint8_t *p = peek(w, 4);
    if (!p)
        return 0;
    uint32_t length = get_be32(p);
    if (length == 0) {
        take(w, 4);
        m->type = WIRE_KEEPALIVE;
        return 1;
    }
    p = peek(w, 5);
    if (!p)
        return 0;
    uint8_t type = p[4];
    const struct wire_kind *k = wire_kind(type);
    if (!k)
        return start_skip(w, m, type, length);
    if (!length_fits(w, k, type, length))
        return bad_length(w, k->name, length);
    if (type == WIRE_PIECE)
        return start_piece(w, m, length);
    p = peek(w, 4 + (size_t)length);
    if (!p)
        return 0;
    m->type = type;
    if (k->read && !k->read(m, BYTES(p + 5, length - 1)))
        return bad_length(w, k->name, length);
    take(w, 4 + (size_t)length);
    return 1;
}

static int next_of_piece(struct wire *w, struct wire_msg *m)
{
    for (struct bytes b; w->placed < w->length; w->placed += (uint32_t)b.n) {
        b = take_some(w, w->length - w->placed);
        if (!b.n)
            return 0;
        if (w->place)
            memcpy(w->place + w->placed, b.p, b.n);
    }
    m->type = WIRE_PIECE_DONE;
    m->index = w->index;
    m->begin = w->begin;
    m->length = w->length;
    w->place = NULL;
    w->state = EXPECT_MESSAGE;
    return 1;
}

static int next_after_skip(struct wire *w, struct wire_msg *m)
{
    for (struct bytes b; w->skip; w->skip -= (uint32_t)b.n) {
        b = take_some(w, w->skip);
        if (!b.n)
            return 0;
    }
    give_back(w);
    w->state = EXPECT_MESSAGE;
    return next_message(w, m);
}

static int next_broken(struct wire *w, struct wire_msg *m)
{
    (void)m;
    w->fed.n = 0;
    return ERR_INVALID;
}

int wire_next(struct wire *w, struct wire_msg *m, struct err *e)
{
    static int (*const next[])(struct wire *, struct wire_msg *) = {
        [EXPECT_HANDSHAKE] = next_handshake, [EXPECT_MESSAGE] = next_message,
        [IN_PIECE] = next_of_piece,          [SKIPPING] = next_after_skip,
        [BROKEN] = next_broken,
    };
    give_back(w);
    m->index = m->begin = m->length = 0;
    m->port = 0;
    m->ext_id = 0;
    m->body = BYTES(NULL, 0);
    int r = next[w->state](w, m);
    return r < 0 ? err_set(e, r, "%s", w->broken.msg) : r;
}

void wire_place(struct wire *w, uint8_t *place)
{
    if (w->state == IN_PIECE && !w->placed)
        w->place = place;
}

void wire_unplace(struct wire *w)
{
    w->place = NULL;
}

struct span wire_want(const struct wire *w)
{
    /* Bytes that came earlier belong in front of those that a receive would bring. */
    if (w->state != IN_PIECE || !w->place || wire_unread(w))
        return (struct span){NULL, 0};
    return (struct span){w->place + w->placed, w->length - w->placed};
}

size_t wire_to_payload(const struct wire *w)
{
    size_t have = wire_unread(w);
    if (w->state == IN_PIECE)
        return w->place && !have ? WIRE_PIECE_HEAD : 0;
    return w->state == EXPECT_MESSAGE && have < WIRE_PIECE_HEAD ? WIRE_PIECE_HEAD - have : 0;
}

void wire_placed(struct wire *w, size_t n)
{
    if (!n)
        return;
    if (w->state != IN_PIECE || n > w->length - w->placed)
        abort(); /* the caller has written past the place already */
    w->placed += (uint32_t)n;
}
