/* list.h - a doubly linked ring through its members' own `struct cs_list` nodes; no allocation.
 * An initialised head alone is an empty list; a node that is in no list is its own ring, so removing twice is
 * harmless. */
#ifndef CS_BASE_LIST_H
#define CS_BASE_LIST_H

#include "shared/base/macros.h"

#include <stdbool.h>

struct cs_list {
    struct cs_list *next, *prev;
};

static inline void cs_list_init(struct cs_list *node)
{
    node->next = node->prev = node;
}

static inline bool cs_list_empty(const struct cs_list *head)
{
    return head->next == head;
}

static inline void cs_list_append(struct cs_list *head, struct cs_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void cs_list_remove(struct cs_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    cs_list_init(node);
}

/* The first node taken out, NULL from an empty list. */
static inline struct cs_list *cs_list_pop(struct cs_list *head)
{
    struct cs_list *first = head->next;

    if (first == head)
        return NULL;
    cs_list_remove(first);
    return first;
}

/* The body may remove `node`, and no other. */
#define CS_LIST_FOREACH(node, head)                                                                          \
    for (struct cs_list *node = (head)->next, *node##_next = node->next; node != (head);                     \
         node = node##_next, node##_next = node->next)

#endif
