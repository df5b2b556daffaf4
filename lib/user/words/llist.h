/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Lock-less list: any number of producers, one consumer takes it whole.
 */
#ifndef PM_WORDS_LLIST_H
#define PM_WORDS_LLIST_H

#include "atomic.h"

struct llist_node { struct llist_node *next; };
struct llist_head { struct llist_node *first; };

static inline bool llist_empty(const struct llist_head *h)
{
	return !READ_ONCE(h->first);
}

/* The release half of the exchange pairs with llist_del_all(). */
static inline bool llist_add(struct llist_node *n, struct llist_head *h)
{
	struct llist_node *first = READ_ONCE(h->first);

	do {
		n->next = first;
	} while (!try_cmpxchg(&h->first, &first, n));
	return !first;
}

static inline struct llist_node *llist_del_all(struct llist_head *h)
{
	return xchg(&h->first, NULL);
}

#endif /* PM_WORDS_LLIST_H */
