/*
 * Fuzzes the peer wire. floor: proto
 * The first byte seeds the cuts, the second tells how many pieces are known (0: not known), the
 * rest is a handshake and messages. Holds: any cut tells the same story, with payload fed or
 * received in place; messages written again are the input; the parser keeps no byte of what it
 * refuses.
 */
#include <p2p/base/mem.h>
#include <p2p/base/rng.h>
#include <p2p/proto/wire.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SCRATCH = 64 << 10 };

struct story {
    struct buf again; /* what was understood, written again */
    bool unknown;     /* from there on it cannot be */
    size_t messages;
    int end;
    uint8_t place[WIRE_MAX_BLOCK];
};

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void write_fixed(struct buf *b, const struct wire_msg *m)
{
    switch (m->type) {
    case WIRE_HAVE:
    case WIRE_SUGGEST:
    case WIRE_ALLOWED_FAST:
        wire_put_index(b, m->type, m->index);
        return;
    case WIRE_REQUEST:
    case WIRE_CANCEL:
    case WIRE_REJECT:
        wire_put_block(b, m->type, m->index, m->begin, m->length);
        return;
    case WIRE_PORT:
        wire_put_port(b, m->port);
        return;
    case WIRE_KEEPALIVE:
        wire_put_keepalive(b);
        return;
    default:
        wire_put_simple(b, m->type);
    }
}

static void write_again(struct story *s, const struct wire_msg *m)
{
    struct buf *b = &s->again;
    switch (m->type) {
    case WIRE_HANDSHAKE:
        wire_put_handshake(b, &m->handshake);
        return;
    case WIRE_PIECE:
        wire_put_piece(b, m->index, m->begin, m->length);
        return;
    case WIRE_PIECE_DONE:
        buf_put(b, s->place, m->length);
        return;
    case WIRE_BITFIELD:
        wire_put_bitfield(b, m->body);
        return;
    case WIRE_EXTENDED:
        wire_put_extended(b, m->ext_id, m->body);
        return;
    case WIRE_HASH_REQUEST:
    case WIRE_HASH_REJECT:
        wire_put_hash_req(b, m->type, &m->hash);
        return;
    case WIRE_HASHES:
        must(m->body.n <= (size_t)WIRE_MAX_HASHES * SHA256_LEN);
        wire_put_hashes(b, &m->hash, m->body);
        return;
    case WIRE_UNKNOWN:
        must(m->length < WIRE_MAX_UNKNOWN);
        s->unknown = true;
        return;
    default:
        write_fixed(b, m);
    }
}

static int drain(struct story *s, struct wire *w)
{
    struct wire_msg m;
    struct err e = {0};
    int r;
    while ((r = wire_next(w, &m, &e)) > 0) {
        s->messages++;
        if (m.type == WIRE_PIECE)
            wire_place(w, s->place);
        if (!s->unknown)
            write_again(s, &m);
    }
    must(r == 0 || (r == ERR_INVALID && e.msg[0]));
    return r;
}

/* With rng NULL everything is fed at once. */
static void play(struct story *s, struct bytes in, uint8_t pieces, struct rng *rng)
{
    struct wire *w = wire_new();
    uint8_t *scratch = mem_alloc(SCRATCH);
    if (pieces)
        wire_set_pieces(w, pieces);
    while (in.n && !s->end) {
        size_t n = rng ? 1 + rng_below(rng, rng_below(rng, 4) ? 40 : SCRATCH) : in.n;
        if (n > in.n)
            n = in.n;
        struct span want = wire_want(w);
        size_t placed = want.n < n ? want.n : n;
        if (placed) {
            memcpy(want.p, in.p, placed);
            wire_placed(w, placed);
        }
        if (rng) {
            memcpy(scratch, in.p + placed, n - placed);
            wire_feed(w, BYTES(scratch, n - placed));
        } else {
            wire_feed(w, BYTES(in.p + placed, n - placed));
        }
        s->end = drain(s, w);
        in = BYTES(in.p + n, in.n - n);
    }
    free(scratch);
    wire_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct rng rng;
    struct bytes in = BYTES(data + 2, size - 2);
    struct story *whole = mem_zero(sizeof *whole), *cut = mem_zero(sizeof *cut);
    rng_seed(&rng, data[0]);
    play(whole, in, data[1], NULL);
    play(cut, in, data[1], &rng);
    must(whole->messages == cut->messages && whole->end == cut->end &&
         whole->unknown == cut->unknown);
    must(bytes_eq(buf_bytes(&whole->again), buf_bytes(&cut->again)));
    must(buf_len(&whole->again) <= in.n);
    must(memcmp(buf_bytes(&whole->again).p, in.p, buf_len(&whole->again)) == 0);
    buf_fini(&whole->again);
    buf_fini(&cut->again);
    free(whole);
    free(cut);
    return 0;
}
