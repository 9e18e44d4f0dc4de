/*
 * A short list of failed rounds, the oldest first. A piece that fails several times has several
 * rounds, and each is compared with the truth: whoever lied in any is found.
 */
#include <p2p/swarm/blame.h>

#include <p2p/base/mem.h>

#include <stdlib.h>

struct round {
    uint32_t piece, n;
    struct blame_block *blocks; /* owned */
};

struct blame {
    struct round *v; /* BLAME_MAX_PIECES, from the first failure on: few items ever see one */
    size_t n, blocks;
};

struct blame *blame_new(void)
{
    return mem_zero(sizeof(struct blame));
}

static void forget(struct blame *b, size_t i)
{
    b->blocks -= b->v[i].n;
    free(b->v[i].blocks);
    b->n--;
    memmove(b->v + i, b->v + i + 1, (b->n - i) * sizeof *b->v);
}

void blame_free(struct blame *b)
{
    if (!b)
        return;
    while (b->n)
        forget(b, b->n - 1);
    free(b->v);
    free(b);
}

static uint64_t only_sender(const struct blame_block *blocks, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        if (blocks[i].sender != blocks[0].sender)
            return 0;
    return n ? blocks[0].sender : 0;
}

uint64_t blame_failed(struct blame *b, uint32_t piece, const struct blame_block *blocks, uint32_t n)
{
    uint64_t guilty = only_sender(blocks, n);
    if (guilty || n == 0 || n > BLAME_MAX_BLOCKS)
        return guilty;
    while (b->n == BLAME_MAX_PIECES || (b->n && b->blocks + n > BLAME_MAX_BLOCKS))
        forget(b, 0);
    if (!b->v)
        b->v = mem_array(BLAME_MAX_PIECES, sizeof *b->v);
    b->v[b->n++] = (struct round){piece, n, mem_dup(blocks, n * sizeof *blocks)};
    b->blocks += n;
    return 0;
}

bool blame_knows(const struct blame *b, uint32_t piece)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->v[i].piece == piece)
            return true;
    return false;
}

static bool listed(const uint64_t *v, size_t n, uint64_t sender)
{
    for (size_t i = 0; i < n; i++)
        if (v[i] == sender)
            return true;
    return false;
}

static size_t compare(const struct round *r, const struct blame_block *truth, uint32_t n,
                      uint64_t *guilty, size_t found, size_t max)
{
    for (uint32_t i = 0; i < r->n && i < n && found < max; i++) {
        const struct blame_block *x = &r->blocks[i];
        if (x->sender && memcmp(x->digest, truth[i].digest, sizeof x->digest) != 0 &&
            !listed(guilty, found, x->sender))
            guilty[found++] = x->sender;
    }
    return found;
}

size_t blame_good(struct blame *b, uint32_t piece, const struct blame_block *truth, uint32_t n,
                  uint64_t *guilty, size_t max)
{
    size_t found = 0;
    for (size_t i = 0; i < b->n;) {
        if (b->v[i].piece != piece) {
            i++;
            continue;
        }
        found = compare(&b->v[i], truth, n, guilty, found, max);
        forget(b, i);
    }
    return found;
}
