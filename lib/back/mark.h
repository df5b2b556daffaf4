/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The mark: the secret word that tells a free object from a live one.
 *
 * The idea. free() makes a mark: it stores a secret, mixed with the object's
 * address, in the object's second word. malloc() spends one: it hands an object
 * out only when the mark is there, and wipes it. An object that was freed twice
 * is in two places, but after the first hand-out it has no mark, so nobody gets
 * it a second time. Fresh objects get theirs when their slab is opened.
 *
 * The trick. free() only stores, so it does not wait for an object that is not
 * in the cache. malloc() looks at what its caller is about to use.
 *
 * The limits. A missing mark tells that the object was freed twice or written
 * to after it was freed; which of the two is for a slow path to find out. Two
 * hand-outs in the same instant, of an object that lies in two magazines, can
 * both see the one mark: looking and wiping are two steps, for an atomic
 * exchange would cost more than the rest of the fast path.
 *
 * Steps, as in mark.pml:
 *
 *	A  pm_slab_open_step() marks the objects of a slab as it is opened
 *	B  pm_free_class_fast() stores the mark, and does not look
 *	C  it pushes the object
 *	D  pm_malloc_class_fast() pops an object
 *	E  pm_spend_mark() looks at the mark; without one nobody gets the object
 *	F  it wipes the mark, and the object is the caller's
 *	G  pm_serve() takes an object under the arena's lock, and goes to E
 *	H  pm_mag_flush_batch() carries objects to their slabs as they are
 *	I  pm_slab_put_run() drops an object whose bit is set
 *	J  pm_mag_refill_batch() carries objects to a magazine as they are
 *
 * What is lost without each:
 *
 *   - Without A or B an object that nobody did wrong to would be refused.
 *   - With C before B another thread of the CPU could pop the object before it is
 *     marked, and be refused.
 *   - Without E, without F, or without E after G, an object that lies in two places
 *     would be handed out twice.
 *   - Two threads between E and F with one object both find the mark: see above.
 *
 * Where a cache has a constructor, objects that were never handed out carry
 * another mark than those that came back, a fresh one: whoever takes the former
 * constructs it first (api/cache.h). The mark lies before such an object then,
 * not in it.
 *
 * The mark is only compared, never followed, so a program that writes to freed
 * memory can lead us nowhere.
 */
#ifndef PM_MARK_H
#define PM_MARK_H

#include "platform.h"
#include "back/class.h"

/* Secret of this process or boot; 0 until the allocator has started. */
extern u64 pm_mark_secret __pm_local;

static __always_inline u64 pm_mark(const void *obj)
{
	return pm_mark_secret ^ (unsigned long)obj;
}

static __always_inline bool pm_is_marked(const void *obj)
{
	return PM_MARK && ((const u64 *)obj)[1] == pm_mark(obj);
}

static __always_inline void pm_set_mark(void *obj)
{
	if (PM_MARK)
		((u64 *)obj)[1] = pm_mark(obj);
}

/* What @fresh of a class is whose fresh objects carry another mark. */
#define PM_MARK_FRESH	2

/* The mark of an object that was never handed out: mark A. */
static inline void pm_set_fresh(void *obj, u32 fresh)
{
	if (PM_MARK || fresh)
		((u64 *)obj)[1] = pm_mark(obj) ^ fresh;
}

/* Spend the mark of @obj, if it is a fresh one that differs. */
static inline bool pm_spend_fresh(void *obj)
{
	if (((const u64 *)obj)[1] != (pm_mark(obj) ^ PM_MARK_FRESH))
		return false;
	((u64 *)obj)[1] = 0;
	return true;
}

/* Spend the mark of @obj. Return: false when it has none. */
static __always_inline bool pm_spend_mark(void *obj)
{
	if (!PM_MARK)
		return true;
	if (unlikely(!pm_is_marked(obj)))		/* mark E */
		return false;
	((u64 *)obj)[1] = 0;				/* mark F */
	return true;
}

/*
 * @obj leaves the free ones: what we or others wrote to it goes. Return: false
 * when it must not, for it carries no mark.
 */
static __always_inline bool pm_obj_take(void *obj, unsigned long class)
{
	if (unlikely(!pm_spend_mark(obj)))
		return false;
	if (want_init_on_alloc(0))
		memset(obj, 0, pm_classes[class].size);
	return true;
}

/* @obj joins them. */
static __always_inline void pm_obj_give(void *obj, unsigned long class)
{
	if (want_init_on_free())
		memset(obj, 0, pm_classes[class].size);
	pm_set_mark(obj);
}

void pm_mark_init(void);

#endif /* PM_MARK_H */
