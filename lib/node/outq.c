/* What is to go out on one connection; see outq.h. */
#include "node/outq.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

void outq_fini(struct outq *q)
{
    for (uint32_t i = 0; i < q->n; i++)
        free(q->v[(q->head + i) & (q->cap - 1)].kept);
    buf_fini(&q->bytes);
    buf_fini(&q->soon);
    free(q->v);
    *q = (struct outq){0};
}

static struct outq_item *at(const struct outq *q, uint32_t i)
{
    return &q->v[(q->head + i) & (q->cap - 1)];
}

static void grow(struct outq *q)
{
    uint32_t cap = q->cap ? q->cap * 2 : 8;
    struct outq_item *v = mem_array(cap, sizeof *v);
    for (uint32_t i = 0; i < q->n; i++)
        v[i] = *at(q, i);
    free(q->v);
    q->v = v;
    q->cap = cap;
    q->head = 0;
}

/* Before the item at `i`, which is never far from the head. */
static struct outq_item *insert(struct outq *q, uint32_t i, enum outq_kind kind, size_t length)
{
    if (q->n == q->cap)
        grow(q);
    if (i < q->n) {
        q->head = (q->head - 1) & (q->cap - 1);
        for (uint32_t k = 0; k < i; k++)
            *at(q, k) = *at(q, k + 1);
    }
    q->n++;
    struct outq_item *it = at(q, i);
    *it = (struct outq_item){.kind = kind, .left = (uint32_t)length};
    return it;
}

static struct outq_item *push(struct outq *q, enum outq_kind kind, size_t length)
{
    return insert(q, q->n, kind, length);
}

static void note_words(struct outq *q)
{
    size_t more = buf_len(&q->bytes) - q->noted;
    if (more == 0)
        return;
    struct outq_item *last = q->n ? at(q, q->n - 1) : NULL;
    if (last && last->kind == OUTQ_WORDS)
        last->left += (uint32_t)more;
    else
        push(q, OUTQ_WORDS, more);
    q->noted += more;
}

/* The first block from `i` on of which nothing was sent, or the end. */
static uint32_t next_block(const struct outq *q, uint32_t i)
{
    while (i < q->n && !(at(q, i)->kind == OUTQ_WORDS && at(q, i)->fresh))
        i++;
    return i;
}

static void note_soon(struct outq *q)
{
    size_t more = buf_len(&q->soon) - q->soon_noted;
    if (more == 0)
        return;
    q->soon_noted += more;
    struct outq_item *last = q->soon_end ? at(q, q->soon_end - 1) : NULL;
    if (last && last->fresh && last->left < OUTQ_BATCH) {
        last->left += (uint32_t)more;
        return;
    }
    uint32_t i = next_block(q, q->soon_end);
    if (last && i < q->n)
        i = next_block(q, i + 1);
    insert(q, i, OUTQ_SOON, more)->fresh = true;
    q->soon_end = i + 1;
}

void outq_note(struct outq *q)
{
    note_words(q);
    note_soon(q);
}

void outq_block(struct outq *q, uint64_t offset, uint32_t length)
{
    size_t header = buf_len(&q->bytes) - q->noted;
    push(q, OUTQ_WORDS, header)->fresh = true;
    q->noted += header;
    push(q, OUTQ_CONTENT, length)->offset = offset;
    q->content_left += length;
}

static struct bytes take_bytes(struct bytes *b, size_t n)
{
    struct bytes taken = BYTES(b->p, n);
    *b = BYTES(b->p + n, b->n - n);
    return taken;
}

size_t outq_peek(const struct outq *q, node_id task, uint64_t may, struct node_out *v, size_t max)
{
    struct bytes words = buf_bytes(&q->bytes), soon = buf_bytes(&q->soon);
    size_t n = 0;
    for (uint32_t i = 0; i < q->n && n < max; i++) {
        const struct outq_item *it = at(q, i);
        bool is_block = it->kind == OUTQ_CONTENT || (it->kind == OUTQ_WORDS && it->fresh);
        if (is_block && may == 0)
            break;
        v[n] = (struct node_out){.task = task, .length = it->left};
        if (it->kind == OUTQ_CONTENT) {
            v[n].offset = it->offset;
            v[n].length = it->left < may ? it->left : (uint32_t)may;
            if (it->kept)
                v[n].b = BYTES(it->next, v[n].length);
            may = v[n].length < it->left ? 0 : may - it->left;
            if (v[n].length < it->left)
                return n + 1;
        } else {
            v[n].b = take_bytes(it->kind == OUTQ_SOON ? &soon : &words, it->left);
        }
        n++;
    }
    return n;
}

static void item_sent(struct outq *q, struct outq_item *it, uint32_t n)
{
    it->fresh = false;
    it->left -= n;
    if (it->kind == OUTQ_SOON) {
        buf_eat(&q->soon, n);
        q->soon_noted -= n;
    } else if (it->kind == OUTQ_WORDS) {
        buf_eat(&q->bytes, n);
        q->noted -= n;
    } else {
        it->offset += n;
        it->next += it->kept ? n : 0;
        q->content_left -= n;
    }
}

uint64_t outq_sent(struct outq *q, size_t bytes)
{
    uint64_t content = 0;
    while (bytes > 0 && q->n > 0) {
        struct outq_item *it = at(q, 0);
        uint32_t take = bytes < it->left ? (uint32_t)bytes : it->left;
        item_sent(q, it, take);
        content += it->kind == OUTQ_CONTENT ? take : 0;
        bytes -= take;
        if (it->left == 0) {
            free(it->kept);
            q->head = (q->head + 1) & (q->cap - 1);
            q->n--;
            q->soon_end -= q->soon_end > 0;
        }
    }
    return content;
}

void outq_keep(struct outq *q, uint64_t offset, struct bytes content)
{
    for (uint32_t i = 0; i < q->n; i++) {
        struct outq_item *it = at(q, i);
        if (it->kind != OUTQ_CONTENT || it->kept || it->offset < offset ||
            it->offset - offset >= content.n)
            continue;
        it->kept = it->next = mem_dup(content.p + (it->offset - offset), it->left);
    }
}

bool outq_empty(const struct outq *q)
{
    return q->n == 0 && outq_words(q) == 0;
}

size_t outq_words(const struct outq *q)
{
    return buf_len(&q->bytes) + buf_len(&q->soon);
}
