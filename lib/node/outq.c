/* What is to go out on one connection; see outq.h. */
#include "node/outq.h"

#include <p2p/base/mem.h>
#include <stdlib.h>

void outq_fini(struct outq *q)
{
    for (uint32_t i = 0; i < q->n; i++)
        free(q->v[(q->head + i) & (q->cap - 1)].kept);
    buf_fini(&q->bytes);
    free(q->v);
    *q = (struct outq){0};
}

static struct outq_item *at(const struct outq *q, uint32_t i)
{
    return &q->v[(q->head + i) & (q->cap - 1)];
}

static struct outq_item *push(struct outq *q)
{
    if (q->n == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 8;
        struct outq_item *v = mem_array(cap, sizeof *v);
        for (uint32_t i = 0; i < q->n; i++)
            v[i] = *at(q, i);
        free(q->v);
        q->v = v;
        q->cap = cap;
        q->head = 0;
    }
    struct outq_item *it = at(q, q->n++);
    *it = (struct outq_item){0};
    return it;
}

void outq_note(struct outq *q)
{
    size_t more = buf_len(&q->bytes) - q->noted;
    if (more == 0)
        return;
    struct outq_item *last = q->n ? at(q, q->n - 1) : NULL;
    if (!last || last->content)
        last = push(q);
    last->left += (uint32_t)more;
    q->noted += more;
}

void outq_content(struct outq *q, uint64_t offset, uint32_t length)
{
    outq_note(q);
    struct outq_item *it = push(q);
    it->content = true;
    it->offset = offset;
    it->left = length;
    q->content_left += length;
}

size_t outq_peek(const struct outq *q, node_id task, uint64_t may, struct node_out *v, size_t max)
{
    struct bytes b = buf_bytes(&q->bytes);
    size_t n = 0;
    for (uint32_t i = 0; i < q->n && n < max; i++) {
        const struct outq_item *it = at(q, i);
        if (it->content && may == 0)
            break;
        v[n] = (struct node_out){.task = task};
        if (it->content) {
            v[n].offset = it->offset;
            v[n].length = it->left < may ? it->left : (uint32_t)may;
            if (it->kept)
                v[n].b = BYTES(it->next, v[n].length);
            may = v[n].length < it->left ? 0 : may - it->left;
            if (v[n].length < it->left)
                return n + 1;
        } else {
            v[n].b = BYTES(b.p, it->left);
            v[n].length = it->left;
            b.p += it->left;
        }
        n++;
    }
    return n;
}

uint64_t outq_sent(struct outq *q, size_t bytes)
{
    uint64_t content = 0;
    while (bytes > 0 && q->n > 0) {
        struct outq_item *it = at(q, 0);
        uint32_t take = bytes < it->left ? (uint32_t)bytes : it->left;
        if (it->content) {
            it->offset += take;
            if (it->kept)
                it->next += take;
            content += take;
            q->content_left -= take;
        } else {
            buf_eat(&q->bytes, take);
            q->noted -= take;
        }
        it->left -= take;
        bytes -= take;
        if (it->left == 0) {
            free(it->kept);
            q->head = (q->head + 1) & (q->cap - 1);
            q->n--;
        }
    }
    return content;
}

void outq_keep(struct outq *q, uint64_t offset, struct bytes content)
{
    for (uint32_t i = 0; i < q->n; i++) {
        struct outq_item *it = at(q, i);
        if (!it->content || it->kept || it->offset < offset || it->offset - offset >= content.n)
            continue;
        it->kept = it->next = mem_dup(content.p + (it->offset - offset), it->left);
    }
}

bool outq_empty(const struct outq *q)
{
    return q->n == 0 && buf_len(&q->bytes) == 0;
}
