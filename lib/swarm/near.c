/*
 * Classes are judged from the nearest outwards, and the first that fits counts.
 *
 * Parts are drawn by rendezvous hashing: of all candidates' keys, each mixed with the number of the
 * part, the highest has it. Who leaves takes only his own parts with him, and they are spread over
 * all that stay. Parts of about a megabyte suit web seeds, where each is a request; small items
 * have smaller ones, so that everybody gets some.
 */
#include <p2p/swarm/near.h>

#include <p2p/base/mem.h>

#include <stdlib.h>

#define SMALL_PARTS 256u /* a small item has no fewer, if it has as many pieces */

/* ---- who is near ---- */

static size_t same_bytes(const struct addr *a, const struct addr *b)
{
    size_t n = a->family == 4 ? 4 : 16, i = 0;
    if (a->family != b->family)
        return 0;
    while (i < n && a->ip[i] == b->ip[i])
        i++;
    return i;
}

static bool is_local(enum addr_scope s)
{
    return s == ADDR_PRIVATE || s == ADDR_LINK_LOCAL;
}

/* By one address of ours and the peer's. */
static enum near_class by_address(const struct addr *self, const struct addr *peer, usec rtt)
{
    size_t same = same_bytes(self, peer);
    if (same == 0)
        return NEAR_FAR;
    if (peer->family == 6)
        return same == 16 ? NEAR_HOST : same >= 8 ? NEAR_LINK : same >= 6 ? NEAR_SITE : NEAR_FAR;
    bool local = is_local(addr_scope(peer));
    if (same == 4)
        return local ? NEAR_HOST : NEAR_SITE; /* of a public one, a NAT may stand before many */
    if (same == 3 && local)
        return NEAR_LINK;
    return same == 3 && rtt <= NEAR_RTT_NEXT_DOOR ? NEAR_SITE : NEAR_FAR;
}

enum near_class near_class(const struct near_clue *c)
{
    enum addr_scope scope = addr_scope(c->peer);
    enum near_class best = NEAR_FAR;
    if (scope == ADDR_LOOPBACK)
        return NEAR_HOST;
    for (size_t i = 0; i < c->n_self; i++) {
        enum near_class k = by_address(&c->self[i], c->peer, c->rtt);
        best = k > best ? k : best;
    }
    if ((c->heard || scope == ADDR_LINK_LOCAL) && best < NEAR_LINK)
        best = NEAR_LINK;
    /* A private address that answers is of our own network: nobody carries it further. */
    if ((scope == ADDR_PRIVATE || c->rtt <= NEAR_RTT) && best < NEAR_SITE)
        best = NEAR_SITE;
    return best;
}

/* ---- who is at work ---- */

usec near_patience(unsigned prefer)
{
    return (usec)(prefer < NEAR_MAX_PREFER ? prefer : NEAR_MAX_PREFER) * USEC_SEC / 5;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

uint64_t near_key(const uint8_t peer_id[20])
{
    uint64_t k = mix(get_be64(peer_id)) ^ mix(get_be64(peer_id + 8) + 1) ^
                 mix((uint64_t)get_be32(peer_id + 16) + 2);
    return k ? k : 1;
}

void near_mate_init(struct near_mate *m, uint64_t key, usec now)
{
    *m = (struct near_mate){.key = key, .joined = now};
}

static usec last_shown(const struct near_mate *m)
{
    return m->brought ? m->brought : m->joined;
}

/* Pieces that are fetched side by side come in bursts: the gaps between bursts count. */
void near_mate_brought(struct near_mate *m, usec now)
{
    usec gap = now - last_shown(m);
    m->gap -= m->gap / 8;
    if (gap > m->gap)
        m->gap = usec_min(gap, NEAR_MAX_GAP);
    m->brought = now;
    m->count++;
}

/* The longest gap that is usual, or the first one as far as it goes. */
static usec usual_gap(const struct near_mate *m, usec now)
{
    return m->count ? m->gap : usec_min(now - m->joined, NEAR_MAX_GAP);
}

bool near_mate_works(const struct near_mate *m, const struct near_mate *us, unsigned prefer,
                     usec now)
{
    usec own = usual_gap(us, now), gap = m->gap > own ? m->gap : own;
    return now >= m->passed_over && now - last_shown(m) <= near_patience(prefer) + 3 * gap;
}

bool near_mate_is_slow(const struct near_mate *m, const struct near_mate *us, uint32_t pieces,
                       unsigned prefer, usec now)
{
    usec here = usec_min(now - m->joined, 60 * USEC_MIN), ours = now - us->joined;
    usec needs = here / (usec)(m->count ? m->count : 1) * (usec)pieces;
    return needs > near_patience(prefer) && needs > ours / 2;
}

/* ---- parts ---- */

void near_parts_init(struct near_parts *p, uint32_t n_pieces, uint32_t piece_length, uint64_t us)
{
    uint32_t size = piece_length && piece_length < NEAR_PART ? NEAR_PART / piece_length : 1;
    if (size > n_pieces / SMALL_PARTS)
        size = n_pieces / SMALL_PARTS;
    if (size < n_pieces / NEAR_MAX_PARTS + 1)
        size = n_pieces / NEAR_MAX_PARTS + 1;
    *p = (struct near_parts){
        .n_pieces = n_pieces, .size = size, .n = (n_pieces + size - 1) / size, .us = us};
    p->owner = mem_array(p->n, sizeof *p->owner);
}

void near_parts_fini(struct near_parts *p)
{
    free(p->owner);
    *p = (struct near_parts){0};
}

static uint16_t draw(const struct near_parts *p, uint32_t part, const uint64_t *keys, size_t n)
{
    uint64_t salt = mix((uint64_t)part + 1), best = mix(p->us ^ salt);
    uint16_t owner = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t weight = mix(keys[i] ^ salt);
        if (keys[i] && weight > best) {
            best = weight;
            owner = (uint16_t)(i + 1);
        }
    }
    return owner;
}

void near_parts_divide(struct near_parts *p, const uint64_t *keys, size_t n)
{
    uint64_t who = 0;
    if (n > NEAR_MAX_MATES)
        n = NEAR_MAX_MATES;
    for (size_t i = 0; i < n; i++)
        if (keys[i])
            who += mix(keys[i] + i);
    if (who == p->drawn)
        return;
    p->drawn = who;
    for (uint32_t i = 0; i < p->n; i++)
        p->owner[i] = draw(p, i, keys, n);
}

uint32_t near_part_end(const struct near_parts *p, uint32_t piece)
{
    uint32_t end = (piece / p->size + 1) * p->size;
    return end < p->n_pieces ? end : p->n_pieces;
}

uint64_t near_least(uint64_t dear, unsigned part, unsigned prefer)
{
    if (prefer >= NEAR_MAX_PREFER)
        return 1;
    uint64_t least = dear / part / 50 * (NEAR_MAX_PREFER - prefer);
    return least ? least : 1;
}
