/*
 * Senders and blame. A sender is a connection or a web seed by the number that the picker knows; it
 * is kept as long as unverified blocks name it. Bans are by evidence only: a block whose leaf hash
 * is wrong (v2), all blocks of a bad piece, or a block that differed from the true one (blame.h).
 */
#include "node/node_int.h"

#include <stdlib.h>

#define MAX_CULPRITS 4096u

uint32_t sender_new(struct task *t, struct conn *c, struct web *w, const struct addr *a)
{
    uint32_t i = 0;
    while (i < t->n_senders && t->senders[i].used)
        i++;
    if (i == t->n_senders)
        t->senders = mem_grow(t->senders, ++t->n_senders, sizeof *t->senders);
    t->senders[i] = (struct sender){.conn = c, .web = w, .used = true};
    if (a)
        t->senders[i].addr = *a;
    return i;
}

static void free_if_unused(struct task *t, uint32_t sender)
{
    struct sender *s = &t->senders[sender];
    if (s->conn || s->web || s->blocks > 0 || !s->used)
        return;
    s->used = false;
    if (t->picker)
        picker_forget_sender(t->picker, sender);
}

void sender_left(struct task *t, uint32_t sender)
{
    t->senders[sender].conn = NULL;
    t->senders[sender].web = NULL;
    free_if_unused(t, sender);
}

void sender_unref(struct task *t, uint32_t sender)
{
    if (sender >= t->n_senders || t->senders[sender].blocks == 0)
        return;
    t->senders[sender].blocks--;
    free_if_unused(t, sender);
}

static void ban(struct task *t, const struct addr *a, usec now)
{
    char text[ADDR_TEXT];
    addr_text(a, text);
    node_notice(t->node, t, "%s: banned: sent data that does not match its hash", text);
    pool_ban(t->pool, a, now);
    bool local = addr_scope(a) == ADDR_LOOPBACK; /* all peers of one host share that address */
    struct list_node *l = list_first(&t->conns);
    while (l) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        bool out = c->phase != CONN_DEAD &&
                   (local ? addr_eq(&c->addr, a) : addr_same_ip(&c->addr, a));
        if (out)
            conn_close(c, true, NULL, now); /* which may convict and close others */
        l = out ? list_first(&t->conns) : list_next(&t->conns, l);
    }
}

void blamed_block(struct task *t, uint32_t sender, usec now)
{
    if (sender >= t->n_senders || !t->senders[sender].used)
        return;
    struct sender *s = &t->senders[sender];
    struct addr a = s->addr;
    if (s->web)
        web_guilty(s->web, now);
    else if (a.family)
        ban(t, &a, now);
}

/* A lasting number for a sender: its address, or the web seed's. 0 when the book is full. */
static uint64_t culprit(struct task *t, uint32_t sender)
{
    if (sender >= t->n_senders)
        return 0;
    struct addr a = t->senders[sender].addr;
    for (uint32_t i = 0; i < t->n_culprits; i++)
        if (addr_eq(&t->culprits[i], &a))
            return i + 1;
    if (t->n_culprits == MAX_CULPRITS)
        return 0;
    t->culprits = mem_grow(t->culprits, t->n_culprits + 1, sizeof *t->culprits);
    t->culprits[t->n_culprits++] = a;
    return t->n_culprits;
}

static void punish(struct task *t, uint64_t id, usec now)
{
    if (id == 0 || id > t->n_culprits)
        return;
    struct addr a = t->culprits[id - 1];
    if (a.family)
        ban(t, &a, now);
    else
        web_guilty(web_by_number(t, a.port), now);
}

bool blamed_wants_leaves(const struct task *t, uint32_t piece)
{
    return blame_knows(t->blame, piece);
}

static struct blame_block *evidence(struct task *t, uint32_t piece, const uint8_t *leaves,
                                    uint32_t n, bool senders)
{
    struct blame_block *v = mem_array(n, sizeof *v);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(v[i].digest, leaves + (size_t)i * SHA256_LEN, sizeof v[i].digest);
        if (!senders)
            continue;
        uint32_t from = picker_sender(t->picker, (struct block_ref){piece, i});
        /* nobody sends padding: it counts with its neighbour */
        v[i].sender = from == PICKER_NO_PEER && i > 0 ? v[i - 1].sender : culprit(t, from);
    }
    return v;
}

void blamed_piece_failed(struct task *t, struct open_piece *o, const uint8_t *leaves, uint32_t n,
                         usec now)
{
    struct blame_block *v = evidence(t, o->piece, leaves, n, true);
    uint64_t guilty = blame_failed(t->blame, o->piece, v, n);
    free(v);
    punish(t, guilty, now);
}

void blamed_piece_good(struct task *t, uint32_t piece, const uint8_t *leaves, uint32_t n, usec now)
{
    uint64_t guilty[16];
    struct blame_block *v = evidence(t, piece, leaves, n, false);
    size_t count = blame_good(t->blame, piece, v, n, guilty, sizeof guilty / sizeof *guilty);
    free(v);
    for (size_t i = 0; i < count; i++)
        punish(t, guilty[i], now);
}

void blamed_judged(struct task *t, uint32_t piece)
{
    uint32_t n = layout_blocks(t->m, piece);
    for (uint32_t i = 0; i < n; i++)
        sender_unref(t, picker_sender(t->picker, (struct block_ref){piece, i}));
}
