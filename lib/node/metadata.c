/*
 * The info dictionary by ut_metadata (BEP 9), both ways.
 *
 * Peers that announce different sizes are different candidates. Memory is taken as pieces arrive,
 * never as announced. A candidate is first gathered from everybody at once; if its hash is wrong
 * and several peers had a hand in it, it is gathered again from one peer at a time, so that whoever
 * lies stands alone with it. Who promises and does not give holds up nobody: a candidate that
 * stands still makes room for another, and a peer alone with one for the peer that waited longest.
 */
#include "node/node_int.h"

#include <stdlib.h>

#define MAX_CANDIDATES 4u
#define BURST 16u /* requests outstanding at one peer */
#define PIECE_TIME (5 * USEC_SEC)
#define STALLED (2 * PIECE_TIME)
#define REFUSED_TIME (30 * USEC_SEC)
#define OUSTED_TIME (10 * USEC_MIN)
#define SERVE_MAX_WAITING (512u << 10)

struct meta_piece {
    uint8_t *data;
    node_id asked; /* connection; 0: none */
    usec at;
    uint64_t from; /* connection that gave it */
};
struct candidate {
    uint32_t size, n, got;
    struct meta_piece *v;
    bool single;   /* from one peer at a time */
    node_id owner; /* that peer */
    usec since;    /* the last progress, or the beginning */
};
struct metadata_fetch {
    struct candidate c[MAX_CANDIDATES];
    uint32_t n;
};

void metadata_begin(struct task *t, usec now)
{
    (void)now;
    t->meta = mem_zero(sizeof *t->meta);
}

static void candidate_clear(struct candidate *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        free(k->v[i].data);
    memset(k->v, 0, k->n * sizeof *k->v);
    k->got = 0;
}

static void candidate_fini(struct candidate *k)
{
    candidate_clear(k);
    free(k->v);
    *k = (struct candidate){0};
}

void metadata_end(struct task *t)
{
    if (!t->meta)
        return;
    for (uint32_t i = 0; i < t->meta->n; i++)
        candidate_fini(&t->meta->c[i]);
    free(t->meta);
    t->meta = NULL;
}

static uint32_t piece_len(uint32_t size, uint32_t piece)
{
    uint32_t at = piece * EXT_META_BLOCK;
    return size - at < EXT_META_BLOCK ? size - at : EXT_META_BLOCK;
}

static bool may_be_asked(const struct conn *c)
{
    return c->phase == CONN_OPEN && c->extended && c->ext.id[EXT_METADATA] != 0 &&
           c->meta_again <= c->node->now && c->hold_until <= c->node->now;
}

static struct candidate *find(struct metadata_fetch *f, uint32_t size)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->c[i].size == size)
            return &f->c[i];
    return NULL;
}

static struct candidate *free_candidate(struct task *t, usec now)
{
    struct metadata_fetch *f = t->meta;
    struct candidate *oldest = &f->c[0];
    if (f->n < MAX_CANDIDATES)
        return &f->c[f->n++];
    for (uint32_t i = 1; i < f->n; i++)
        if (f->c[i].since < oldest->since)
            oldest = &f->c[i];
    if (now - oldest->since < STALLED)
        return NULL;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        if (c->ext.metadata_size == oldest->size)
            c->meta_again = now + OUSTED_TIME; /* others first, however many these are */
    }
    candidate_fini(oldest);
    return oldest;
}

static struct candidate *find_or_make(struct conn *c, usec now)
{
    uint32_t size = c->ext.metadata_size;
    struct candidate *k = find(c->task->meta, size);
    if (k || size == 0 || size > MANIFEST_MAX_INFO || !may_be_asked(c))
        return k;
    k = free_candidate(c->task, now);
    if (!k)
        return NULL;
    *k = (struct candidate){.size = size, .since = now};
    k->n = (size + EXT_META_BLOCK - 1) / EXT_META_BLOCK;
    k->v = mem_array(k->n, sizeof *k->v);
    return k;
}

static void ask(struct conn *c, struct candidate *k, usec now)
{
    for (uint32_t i = 0; i < k->n && c->meta_asked < BURST; i++) {
        struct meta_piece *p = &k->v[i];
        if (p->data || (p->asked && (now - p->at < PIECE_TIME || p->asked == c->id)))
            continue;
        p->asked = c->id;
        p->at = now;
        c->meta_asked++;
        struct ext_meta m = {.type = EXT_META_REQUEST, .piece = i};
        struct buf body = {0};
        ext_put_meta(&body, &m);
        wire_put_extended(&c->out.bytes, c->ext.id[EXT_METADATA], buf_bytes(&body));
        buf_fini(&body);
    }
    conn_flush(c);
}

/* The peer that is to give all of it, alone; another once it stands still. */
static void choose_owner(struct task *t, struct candidate *k, usec now)
{
    struct conn *best = idtab_get(&t->node->conns, k->owner);
    if (best && now - k->since < STALLED) {
        if (may_be_asked(best))
            ask(best, k, now);
        return;
    }
    best = NULL;
    for (struct list_node *l = list_first(&t->conns); l; l = list_next(&t->conns, l)) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        bool fits = may_be_asked(c) && c->ext.metadata_size == k->size;
        if (fits && (!best || c->meta_owned < best->meta_owned))
            best = c;
    }
    candidate_clear(k);
    k->owner = best ? best->id : 0;
    if (!best)
        return;
    k->since = best->meta_owned = now;
    best->meta_asked = 0;
    ask(best, k, now);
}

void metadata_peer(struct conn *c, usec now)
{
    struct task *t = c->task;
    if (!t->meta)
        return;
    struct candidate *k = find_or_make(c, now);
    if (k && k->single)
        choose_owner(t, k, now);
    else if (k && may_be_asked(c))
        ask(c, k, now);
}

/* The hash is wrong. One sender: it is guilty. Several: gather again, one peer at a time. */
static void candidate_bad(struct task *t, struct candidate *k, usec now)
{
    uint64_t from = k->v[0].from;
    bool alone = true;
    for (uint32_t i = 1; i < k->n; i++)
        alone &= k->v[i].from == from;
    candidate_clear(k);
    k->single = true;
    k->owner = 0;
    k->since = now;
    struct conn *liar = alone ? idtab_get(&t->node->conns, (node_id)from) : NULL;
    if (liar)
        blamed_block(t, liar->sender, now);
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        c->meta_asked = 0;
        if (c->phase == CONN_OPEN)
            metadata_peer(c, now);
    }
}

static bool hash_is_right(struct task *t, struct bytes info)
{
    uint8_t v1[SHA1_LEN], v2[SHA256_LEN];
    bool ok1 = true, ok2 = true;
    if (t->link->has_v1) {
        digest_sha1(v1, info);
        ok1 = memcmp(v1, t->link->hash_v1, SHA1_LEN) == 0;
    }
    if (t->link->has_v2) {
        digest_sha256(v2, info);
        ok2 = memcmp(v2, t->link->hash_v2, SHA256_LEN) == 0;
    }
    if (t->link->has_v1 && t->link->has_v2 && ok1 != ok2)
        task_fail(t, ERR_INVALID, "the two hashes of the link name different content");
    return ok1 && ok2;
}

static void candidate_whole(struct task *t, struct candidate *k, usec now)
{
    struct err e = {0};
    uint8_t *info = mem_alloc(k->size);
    for (uint32_t i = 0; i < k->n; i++)
        memcpy(info + (size_t)i * EXT_META_BLOCK, k->v[i].data, piece_len(k->size, i));
    if (hash_is_right(t, BYTES(info, k->size))) {
        t->m = manifest_parse_info(BYTES(info, k->size), &e);
        if (t->m) {
            metadata_end(t);
            task_manifest_here(t, now);
        } else {
            task_fail(t, e.code ? e.code : ERR_INVALID, "%s", e.msg);
        }
    } else if (!t->halted) {
        candidate_bad(t, k, now);
    }
    free(info);
}

static void got_data(struct conn *c, const struct ext_meta *m, usec now)
{
    struct task *t = c->task;
    bool asked = c->meta_asked > 0;
    struct candidate *k = t->meta && asked ? find(t->meta, m->total_size) : NULL;
    c->meta_asked -= asked;
    if (!k || m->piece >= k->n || k->v[m->piece].data || m->total_size != c->ext.metadata_size)
        return; /* late, or somebody was faster, or not what it announced */
    if (m->data.n != piece_len(k->size, m->piece)) {
        conn_close(c, true, "metadata piece of the wrong length", now);
        return;
    }
    if (k->single && k->owner != c->id)
        return;
    struct meta_piece *p = &k->v[m->piece];
    p->data = mem_dup(m->data.p, m->data.n);
    p->from = c->id;
    t->last_arrival = k->since = c->meta_heard = now;
    c->meta_again = 0;
    if (++k->got == k->n)
        candidate_whole(t, k, now);
    else if (may_be_asked(c))
        ask(c, k, now);
}

static void forget_asked(struct task *t, node_id conn)
{
    for (uint32_t i = 0; t->meta && i < t->meta->n; i++)
        for (uint32_t k = 0; k < t->meta->c[i].n; k++)
            if (t->meta->c[i].v[k].asked == conn)
                t->meta->c[i].v[k].asked = 0;
}

/* Somebody else may have what this one will not give. */
static void ask_others(struct task *t, const struct conn *but, usec now)
{
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l && t->meta; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (c != but && c->phase == CONN_OPEN)
            metadata_peer(c, now);
    }
}

static void serve(struct conn *c, uint32_t piece)
{
    struct task *t = c->task;
    struct ext_meta m = {.type = EXT_META_REJECT, .piece = piece};
    uint32_t size = t->m ? (uint32_t)t->m->info.n : 0;
    if (c->ext.id[EXT_METADATA] == 0)
        return;
    if (piece < (size + EXT_META_BLOCK - 1) / EXT_META_BLOCK &&
        buf_len(&c->out.bytes) < SERVE_MAX_WAITING) {
        m.type = EXT_META_DATA;
        m.total_size = size;
        m.data = BYTES(t->m->info.p + (size_t)piece * EXT_META_BLOCK, piece_len(size, piece));
    }
    struct buf body = {0};
    ext_put_meta(&body, &m);
    wire_put_extended(&c->out.bytes, c->ext.id[EXT_METADATA], buf_bytes(&body));
    buf_fini(&body);
    conn_flush(c);
}

void metadata_message(struct conn *c, struct bytes body, usec now)
{
    struct ext_meta m;
    struct err e = {0};
    int r = ext_parse_meta(&m, body, &e);
    if (r < 0) {
        conn_close(c, true, e.msg, now);
        return;
    }
    if (r == 0)
        return;
    if (m.type == EXT_META_REQUEST) {
        serve(c, m.piece);
    } else if (m.type == EXT_META_DATA) {
        got_data(c, &m, now);
    } else {
        c->meta_again = now + REFUSED_TIME; /* it may have learned by then */
        c->meta_asked = 0;
        forget_asked(c->task, c->id);
        ask_others(c->task, c, now);
    }
}

void metadata_gone(struct conn *c)
{
    if (!c->task->meta)
        return;
    forget_asked(c->task, c->id);
    ask_others(c->task, c, c->node->now);
}

/* Who lets requests stand is left alone for a while, and then asked again. */
static void judge_silence(struct task *t, struct candidate *k, usec now)
{
    for (uint32_t i = 0; i < k->n; i++) {
        struct meta_piece *p = &k->v[i];
        struct conn *c = p->data || !p->asked ? NULL : idtab_get(&t->node->conns, p->asked);
        if (!c || now - p->at < PIECE_TIME || now - c->meta_heard < PIECE_TIME)
            continue;
        p->asked = 0;
        c->meta_asked = 1; /* it may come late */
        c->meta_again = now + REFUSED_TIME;
    }
}

void metadata_pulse(struct task *t, usec now)
{
    if (!t->meta)
        return;
    for (uint32_t i = 0; i < t->meta->n; i++)
        judge_silence(t, &t->meta->c[i], now);
    struct list_node *next;
    for (struct list_node *l = list_first(&t->conns); l && t->meta; l = next) {
        struct conn *c = LIST_OF(l, struct conn, in_task);
        next = list_next(&t->conns, l);
        if (c->phase == CONN_OPEN)
            metadata_peer(c, now);
    }
}
