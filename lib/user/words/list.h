/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Customised: lists are liburcu's, which have the same layout and order of stores.
 */
#ifndef PM_WORDS_LIST_H
#define PM_WORDS_LIST_H

#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE		/* inline read-side functions */
#endif
#include <urcu/list.h>
#include <urcu/rculist.h>
#include "lockdep.h"

#define list_head		cds_list_head
#define INIT_LIST_HEAD(l)	CDS_INIT_LIST_HEAD(l)
#define LIST_HEAD(l)		CDS_LIST_HEAD(l)
#define list_add(n, l)		cds_list_add(n, l)
#define list_add_tail(n, l)	cds_list_add_tail(n, l)
#define list_del(n)		cds_list_del(n)
#define list_empty(l)		cds_list_empty(l)
#define list_splice_init(l, h)	\
	do { cds_list_splice(l, h); CDS_INIT_LIST_HEAD(l); } while (0)
#define list_first_entry(l, t, m) cds_list_first_entry(l, t, m)
#define list_is_singular(l)	(!cds_list_empty(l) && (l)->next == (l)->prev)
#define list_for_each_entry(p, l, m) cds_list_for_each_entry(p, l, m)
#define list_for_each_entry_reverse(p, l, m) \
	cds_list_for_each_entry_reverse(p, l, m)
#define list_for_each_entry_safe(p, n, l, m) \
	cds_list_for_each_entry_safe(p, n, l, m)
#define list_for_each_entry_safe_reverse(p, n, l, m)			\
	for (p = cds_list_entry((l)->prev, typeof(*p), m),		\
	     n = cds_list_entry(p->m.prev, typeof(*p), m);		\
	     &p->m != (l);						\
	     p = n, n = cds_list_entry(n->m.prev, typeof(*p), m))
#define list_add_tail_rcu(n, l)	cds_list_add_tail_rcu(n, l)
#define list_del_rcu(n)		cds_list_del_rcu(n)
/*
 * The load pairs with the release in cds_list_add_tail_rcu(), and what it finds
 * is looked at through it: an address dependency. @cond says what makes the
 * walk safe; the debug build looks at it.
 */
#define list_for_each_entry_srcu(p, l, m, cond)				\
	for (RCU_LOCKDEP_WARN(!(cond), "list walked outside of a section"), \
	     p = cds_list_entry(rcu_dereference((l)->next), typeof(*p), m); \
	     &p->m != (l);						\
	     p = cds_list_entry(rcu_dereference(p->m.next), typeof(*p), m))

#endif /* PM_WORDS_LIST_H */
