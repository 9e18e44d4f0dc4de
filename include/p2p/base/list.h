/* An intrusive doubly linked list. A node that is zero, or was removed, is in no list. */
#ifndef P2P_BASE_LIST_H
#define P2P_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *prev, *next;
};
struct list {
    struct list_node head; /* prev: last, next: first */
    size_t count;
};

#define LIST_OF(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))

void list_init(struct list *l);
bool list_linked(const struct list_node *n);
void list_push(struct list *l, struct list_node *n);  /* at the end */
void list_unshift(struct list *l, struct list_node *n); /* at the front */
void list_remove(struct list *l, struct list_node *n);
struct list_node *list_first(const struct list *l);   /* NULL when empty */
struct list_node *list_last(const struct list *l);
struct list_node *list_next(const struct list *l, const struct list_node *n); /* NULL at the end */
struct list_node *list_pop(struct list *l);           /* first, removed; NULL when empty */

#endif
