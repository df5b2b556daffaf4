/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Caches: objects of one kind for one user.
 *
 * The idea. A cache is a class of objects that is made at run time. It has a number
 * behind those of the size classes, and with it slabs, a depot in each arena and a
 * stack in each magazine of its own; all that goes by a class number serves it as
 * it is.
 *
 * The trick. A constructor runs outside of all locks, when an object is handed out
 * that never was before: its mark says so (mark.h). Where there is a constructor a
 * header precedes each object, and the mark is in there; so the object stays as its
 * user left it until it is handed out again:
 *
 *	+------+------+-------------------+------+------+--------
 *	|      | mark |  object           |      | mark |  object
 *	+------+------+-------------------+------+------+--------
 *	 slot          what the user has    slot
 *
 * The limits. Constructed state lasts until the object's slab goes back to its
 * heap. There are PM_CACHES_MAX caches at a time, and no object is longer than the
 * largest class.
 */
#ifndef PM_CACHE_H
#define PM_CACHE_H

#include "platform.h"
#include "pmalloc.h"
#include "back/class.h"
#include "back/mark.h"
#include "front/magazine.h"

#define PM_CACHE_NAME	32	/* bytes of a name, its NUL included */

/**
 * enum pm_cache_state - what an entry of the table is
 * @PM_CACHE_UNUSED: no cache
 * @PM_CACHE_LIVE: a cache
 * @PM_CACHE_GOING: one that is being destroyed
 * @PM_CACHE_SPENT: none, and none may be made here: see struct pm_left
 */
enum pm_cache_state {
	PM_CACHE_UNUSED,
	PM_CACHE_LIVE,
	PM_CACHE_GOING,
	PM_CACHE_SPENT,
};

/**
 * struct pm_cache - a cache
 * @class: number of its class
 * @offset: bytes from a slot to its object: 0, or room for the mark
 * @starts: which addresses are slots
 * @zero: objects are zeroed when they are handed out
 * @size: bytes of an object, as they were asked for
 * @ctor: constructor, or NULL
 * @state: enum pm_cache_state [registry; read without it]
 * @name: for reports
 *
 * Set before the cache is given to its user, but for @state. Its memory is always
 * a cache's.
 */
struct pm_cache {
	u32 class;
	u32 offset;
	struct pm_starts starts;
	bool zero;
	size_t size;
	void (*ctor)(void *obj);
	u32 state;
	char name[PM_CACHE_NAME];
} ____cacheline_aligned_in_smp;

/**
 * struct pm_cache_id - what reports say of a cache
 * @name: its name
 * @size: bytes of an object, as they were asked for
 * @offset: bytes from a slot to its object
 */
struct pm_cache_id {
	char name[PM_CACHE_NAME];
	size_t size;
	u32 offset;
};

/* caches.c: the table */
struct pm_cache *pm_caches_add(const struct pm_cache *wanted, size_t slot);
bool pm_caches_leave(struct pm_cache *cache);
void pm_caches_stay(struct pm_cache *cache);
void pm_caches_remove(struct pm_cache *cache, bool spent);
bool pm_cache_identify(unsigned long class, struct pm_cache_id *id);
bool pm_cache_is_live(const struct pm_cache *cache);

/* For who reads a process from outside (lib/user/publish.c), else private. */
extern struct pm_cache pm_caches[PM_CACHES_MAX];

/**
 * pm_cache_object() - the object in a slot
 * @cache: the cache
 * @slot: slot of the cache
 */
static __always_inline void *pm_cache_object(const struct pm_cache *cache,
					     void *slot)
{
	return (char *)slot + cache->offset;
}

/**
 * pm_cache_slot() - the slot of an object
 * @cache: the cache
 * @obj: whatever is said to be an object of it
 */
static __always_inline void *pm_cache_slot(const struct pm_cache *cache,
					   void *obj)
{
	return (void *)((unsigned long)obj - cache->offset);
}

/**
 * pm_cache_spend() - spend the mark of a slot
 * @cache: the cache
 * @slot: slot that was free
 *
 * Return: false when it has none, or when the object is to be constructed.
 */
static __always_inline bool pm_cache_spend(const struct pm_cache *cache,
					   void *slot)
{
	/* A build without marks has fresh ones. */
	if (!PM_MARK && cache->ctor)
		return ((const u64 *)slot)[1] != (pm_mark(slot) ^ PM_MARK_FRESH);
	return pm_spend_mark(slot);
}

/**
 * pm_cache_is_start() - whether an address is a slot of a cache
 * @cache: the cache
 * @class: page-map byte of the address
 * @slot: the address
 */
static __always_inline bool pm_cache_is_start(const struct pm_cache *cache,
					      unsigned long class,
					      const void *slot)
{
	u64 rest = cache->starts.mask & (unsigned long)slot;

	rest *= cache->starts.mul;
	return likely(class == cache->class) && likely(rest < cache->starts.limit);
}

void *pm_cache_alloc_miss(struct pm_cache *cache, gfp_t gfp, void *slot);

static __always_inline void *pm_cache_ready(const struct pm_cache *cache,
					    void *slot, gfp_t gfp)
{
	void *obj = pm_cache_object(cache, slot);

	if (unlikely(cache->zero) ||
	    (unlikely(gfp & __GFP_ZERO) && !cache->ctor))
		memset(obj, 0, cache->size);
	return obj;
}

/**
 * pm_cache_alloc_inline() - take an object out of a cache
 * @cache: the cache
 * @gfp: context
 *
 * Context: as @gfp says.
 * Return: object or NULL.
 */
static __always_inline void *pm_cache_alloc_inline(struct pm_cache *cache,
						   gfp_t gfp)
{
	void *slot = pm_percpu_pop(cache->class);	/* mark D */

	if (unlikely(!slot) || unlikely(!pm_cache_spend(cache, slot)))
		return pm_cache_alloc_miss(cache, gfp, slot);
	pm_mag_count_hit();
	return pm_cache_ready(cache, slot, gfp);
}

#endif /* PM_CACHE_H */
