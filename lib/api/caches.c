// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The table of caches: which class numbers are whose.
 *
 * The entry of a number never becomes anything but a cache. Who looks at it without
 * the registry's lock finds a cache of now or of the past, with a name that ends.
 */
#include "api/cache.h"
#include "arena/registry.h"

struct pm_cache pm_caches[PM_CACHES_MAX];

/* The cache's user has it from whoever made it. */
static void pm_cache_set_state(struct pm_cache *cache,
			       enum pm_cache_state state)
{
	/* The cache is complete before it can be found: pm_cache_identify(). */
	smp_store_release(&cache->state, state);
}

/**
 * pm_caches_add() - make a cache
 * @wanted: what it is to be; @class, @starts and @state are filled in
 * @slot: bytes of a slot, a multiple of 16
 *
 * Context: may sleep.
 * Return: the cache, or NULL when there are as many as there can be.
 */
struct pm_cache *pm_caches_add(const struct pm_cache *wanted, size_t slot)
{
	struct pm_cache *cache = NULL;
	unsigned int i, n;

	mutex_lock(&pm_registry);
	for (i = 0; i < PM_CACHES_MAX && !cache; i++)
		if (pm_caches[i].state == PM_CACHE_UNUSED)
			cache = &pm_caches[i];
	if (!cache)
		goto out;
	cache->class = PM_NR_CLASSES + (cache - pm_caches);
	cache->zero = wanted->zero;
	cache->ctor = wanted->ctor;
	/* These are read by pm_cache_identify(), which takes no lock. */
	WRITE_ONCE(cache->offset, wanted->offset);
	WRITE_ONCE(cache->size, wanted->size);
	for (n = 0; n < PM_CACHE_NAME - 1; n++)
		WRITE_ONCE(cache->name[n], wanted->name[n]);
	pm_class_make(cache->class, slot, wanted->ctor ? PM_MARK_FRESH : 0,
		      &cache->starts);
	pm_cache_set_state(cache, PM_CACHE_LIVE);
out:
	mutex_unlock(&pm_registry);
	return cache;
}

/**
 * pm_caches_leave() - begin to destroy a cache
 * @cache: whatever is said to be one
 *
 * Context: may sleep.
 * Return: false when it is none, or when somebody else does that.
 */
bool pm_caches_leave(struct pm_cache *cache)
{
	bool live;

	mutex_lock(&pm_registry);
	live = pm_cache_is_live(cache);
	if (live)
		pm_cache_set_state(cache, PM_CACHE_GOING);
	mutex_unlock(&pm_registry);
	return live;
}

/**
 * pm_caches_stay() - a cache is not destroyed after all
 * @cache: the cache
 *
 * Context: may sleep.
 */
void pm_caches_stay(struct pm_cache *cache)
{
	mutex_lock(&pm_registry);
	pm_cache_set_state(cache, PM_CACHE_LIVE);
	mutex_unlock(&pm_registry);
}

/**
 * pm_caches_remove() - a cache is destroyed
 * @cache: the cache, of which nothing is left
 * @spent: something may be left: its number is never another cache's
 *
 * Context: may sleep.
 */
void pm_caches_remove(struct pm_cache *cache, bool spent)
{
	mutex_lock(&pm_registry);
	/* Those who read from outside know it by its name. */
	WRITE_ONCE(cache->name[0], 0);
	/* cache F */
	pm_cache_set_state(cache, spent ? PM_CACHE_SPENT : PM_CACHE_UNUSED);
	mutex_unlock(&pm_registry);
}

/**
 * pm_cache_identify() - which cache a class number belongs to
 * @class: class number, or page-map byte
 * @id: out: what reports say of it
 *
 * Context: any. Without the registry's lock the answer may be of the past, or, if
 * one cache follows another meanwhile, half of each.
 * Return: false when there is no cache.
 */
bool pm_cache_identify(unsigned long class, struct pm_cache_id *id)
{
	const struct pm_cache *cache;
	unsigned int state, n;

	if (!pm_class_is_cache(class))
		return false;
	cache = &pm_caches[class - PM_NR_CLASSES];
	/* Pairs with pm_cache_set_state(). */
	state = smp_load_acquire(&cache->state);
	if (state != PM_CACHE_LIVE && state != PM_CACHE_GOING)
		return false;
	for (n = 0; n < PM_CACHE_NAME; n++)
		id->name[n] = READ_ONCE(cache->name[n]);
	id->size = READ_ONCE(cache->size);
	id->offset = READ_ONCE(cache->offset);
	return true;
}

/**
 * pm_cache_is_live() - whether a pointer is a cache that may be used
 * @cache: whatever is said to be one
 *
 * Context: any.
 */
bool pm_cache_is_live(const struct pm_cache *cache)
{
	unsigned long offset = (unsigned long)cache - (unsigned long)pm_caches;

	return offset < sizeof(pm_caches) && offset % sizeof(*cache) == 0 &&
	       READ_ONCE(cache->state) == PM_CACHE_LIVE;
}
