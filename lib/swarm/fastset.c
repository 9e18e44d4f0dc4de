/* Neighbours share a set, so that who has many addresses in a row gets no more than others. */
#include <p2p/swarm/fastset.h>

#include <p2p/base/bytes.h>

#define SHARED 3u /* bytes of an address that make it a neighbour's */

static bool holds(const uint32_t *set, uint32_t n, uint32_t piece)
{
    while (n > 0 && set[n - 1] != piece)
        n--;
    return n > 0;
}

void fastset(uint32_t *out, uint32_t k, const struct addr *a, const uint8_t hash[SHA1_LEN],
             uint32_t n_pieces)
{
    uint8_t x[4 + SHA1_LEN] = {0}, digest[SHA1_LEN];
    memcpy(x, a->ip, SHARED);
    memcpy(x + 4, hash, SHA1_LEN);
    digest_sha1(digest, BYTES(x, sizeof x));
    for (uint32_t n = 0; n < k; digest_sha1(digest, BYTES(digest, sizeof digest)))
        for (size_t i = 0; i < sizeof digest && n < k; i += 4) {
            uint32_t piece = get_be32(digest + i) % n_pieces;
            if (!holds(out, n, piece))
                out[n++] = piece;
        }
}
