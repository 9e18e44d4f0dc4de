/* The list is a ring through its head: no special case at either end. */
#include <p2p/base/list.h>

void list_init(struct list *l)
{
    l->head.prev = l->head.next = &l->head;
    l->count = 0;
}

bool list_linked(const struct list_node *n)
{
    return n->next != NULL;
}

static void insert(struct list *l, struct list_node *prev, struct list_node *n)
{
    n->prev = prev;
    n->next = prev->next;
    prev->next->prev = n;
    prev->next = n;
    l->count++;
}

void list_push(struct list *l, struct list_node *n)
{
    insert(l, l->head.prev, n);
}

void list_unshift(struct list *l, struct list_node *n)
{
    insert(l, &l->head, n);
}

void list_remove(struct list *l, struct list_node *n)
{
    if (!list_linked(n))
        return;
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->prev = n->next = NULL;
    l->count--;
}

struct list_node *list_first(const struct list *l)
{
    return l->head.next == &l->head ? NULL : l->head.next;
}

struct list_node *list_last(const struct list *l)
{
    return l->head.prev == &l->head ? NULL : l->head.prev;
}

struct list_node *list_next(const struct list *l, const struct list_node *n)
{
    return n->next == &l->head ? NULL : n->next;
}

struct list_node *list_pop(struct list *l)
{
    struct list_node *n = list_first(l);
    if (n)
        list_remove(l, n);
    return n;
}
