// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One function for each word that promises an order. harness/prove/seam/words
 * compiles this for each architecture, and looks at the instructions: a
 * function's name begins with what is expected of it.
 *
 *	full_	a full barrier before and after the operation
 *	mb_	a full barrier
 *	wmb_	stores before come before stores behind
 *	acq_	a load that comes before all that is behind it
 *	rel_	a store that comes after all that is before it
 *	none_	no order: an access of one instruction, no barrier
 *	refuse_	does not compile; each alone, named by REFUSE
 */
#if defined(REFUSE) && REFUSE == 7
/* The C library knows this architecture; the words are asked about another. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#undef __x86_64__
#endif
#include "words/atomic.h"
#include "pm_env.h"

struct item {
	struct list_head node;
	long value;
};

struct two_words {
	long a, b;
};

#ifndef REFUSE

long full_xchg(long *p, long v)
{
	return xchg(p, v);
}

u8 full_xchg_byte(u8 *p, u8 v)
{
	return xchg(p, v);
}

u32 full_xchg_int(u32 *p, u32 v)
{
	return xchg(p, v);
}

void *full_xchg_pointer(void **p)
{
	return xchg(p, NULL);
}

/* Whoever does not look at the answer has the barriers, too. */
void full_xchg_void(u8 *p)
{
	(void)xchg(p, 0);
}

long full_cmpxchg(long *p, long o, long n)
{
	return cmpxchg(p, o, n);
}

bool full_try_cmpxchg(long *p, long *o, long n)
{
	return try_cmpxchg(p, o, n);
}

long full_add_return(atomic_long_t *v, long n)
{
	return atomic_long_add_return(n, v);
}

long full_inc_return(atomic_long_t *v)
{
	return atomic_long_inc_return(v);
}

void full_dec_return_void(atomic_long_t *v)
{
	(void)atomic_long_dec_return(v);
}

long full_dec_if_positive(atomic_long_t *v)
{
	return atomic_long_dec_if_positive(v);
}

bool full_test_and_set_bit(unsigned long *map, unsigned long nr)
{
	return test_and_set_bit(nr, map);
}

bool full_llist_add(struct llist_head *h, struct llist_node *n)
{
	return llist_add(n, h);
}

struct llist_node *full_llist_del_all(struct llist_head *h)
{
	return llist_del_all(h);
}

void mb_smp(long *p)
{
	WRITE_ONCE(p[0], 1);
	smp_mb();
	WRITE_ONCE(p[1], 1);
}

void wmb_smp(long *p)
{
	WRITE_ONCE(p[0], 1);
	smp_wmb();
	WRITE_ONCE(p[1], 1);
}

long acq_load(long *p)
{
	return smp_load_acquire(p);
}

bool acq_load_bool(bool *p)
{
	return smp_load_acquire(p);
}

bool acq_trylock(struct mutex *m)
{
	return mutex_trylock(m);
}

void rel_store(long *p, long v)
{
	smp_store_release(p, v);
}

void rel_unlock(struct mutex *m)
{
	mutex_unlock(m);
}

void rel_list_add_tail(struct item *item, struct list_head *list)
{
	list_add_tail_rcu(&item->node, list);
}

long none_read_once(long *p)
{
	return READ_ONCE(*p);
}

void none_write_once(long *p, long v)
{
	WRITE_ONCE(*p, v);
}

/* Two loads that depend on each other, and nothing is needed in between. */
long none_dependency(struct item **p)
{
	return READ_ONCE(*p)->value;
}

void none_add(atomic_long_t *v, long n)
{
	atomic_long_add(n, v);
}

long none_atomic_read(const atomic_long_t *v)
{
	return atomic_long_read(v);
}

bool none_test_bit(const unsigned long *map, unsigned long nr)
{
	return test_bit(nr, map);
}

#elif REFUSE == 1
struct two_words refuse_read_once(struct two_words *p)
{
	return READ_ONCE(*p);
}
#elif REFUSE == 2
void refuse_write_once(struct two_words *p, struct two_words v)
{
	WRITE_ONCE(*p, v);
}
#elif REFUSE == 3
__int128 refuse_xchg(__int128 *p, __int128 v)
{
	return xchg(p, v);
}
#elif REFUSE == 4
__int128 refuse_cmpxchg(__int128 *p, __int128 o, __int128 n)
{
	return cmpxchg(p, o, n);
}
#elif REFUSE == 5
__int128 refuse_load_acquire(__int128 *p)
{
	return smp_load_acquire(p);
}
#elif REFUSE == 6
void refuse_store_release(__int128 *p, __int128 v)
{
	smp_store_release(p, v);
}
#endif
