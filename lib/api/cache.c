// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Caches: made, used, shrunk and destroyed.
 */
#include "api/cache.h"
#include "api/core.h"
#include "api/misuse.h"
#include "api/start.h"
#include "base/limit.h"
#include "front/magazine.h"
#include "upkeep/shrink.h"
#include "upkeep/trim.h"

/* ---- made -------------------------------------------------------------- */

/*
 * What a cache is to be. Return: 0 or a negative error number; @slot is set to the
 * bytes of a slot.
 */
static int pm_cache_plan(struct pm_cache *wanted, size_t *slot, size_t size,
			 size_t align, unsigned int flags)
{
	if (!align)
		align = 1;
	if (!size || !is_power_of_2(align) || align > PM_UNIT_SIZE ||
	    (flags & ~(PM_CACHE_HWALIGN | PM_CACHE_ZERO)) ||
	    ((flags & PM_CACHE_ZERO) && wanted->ctor))
		return -EINVAL;
	if (size > PM_SMALL_MAX)
		return -E2BIG;
	align = max_t(size_t, align, 16);
	if (flags & PM_CACHE_HWALIGN)
		align = max_t(size_t, align, SMP_CACHE_BYTES);
	wanted->offset = wanted->ctor ? align : 0;
	*slot = ALIGN(size + wanted->offset, align);
	if (*slot > PM_SMALL_MAX)
		return -E2BIG;
	wanted->size = size;
	wanted->zero = !wanted->ctor &&
		       ((flags & PM_CACHE_ZERO) || want_init_on_alloc(0));
	return 0;
}

/* A name that every report can print as it is. */
static bool pm_cache_set_name(struct pm_cache *cache, const char *name)
{
	unsigned int n;

	for (n = 0; name && n < PM_CACHE_NAME - 1 && name[n]; n++)
		cache->name[n] = name[n] < ' ' || strchr("\"\\<>&\x7f", name[n]) ?
				 '_' : name[n];
	return n;
}

struct pm_cache *pm_cache_create(const char *name, size_t size, size_t align,
				 unsigned int flags, void (*ctor)(void *obj))
{
	struct pm_cache wanted = { .ctor = ctor }, *cache = NULL;
	char line[160];
	size_t slot;
	int err = -EINVAL;

	if (pm_cache_set_name(&wanted, name))
		err = pm_cache_plan(&wanted, &slot, size, align, flags);
	if (!err && !pm_start(GFP_KERNEL))
		err = -ENOMEM;
	if (!err) {
		cache = pm_caches_add(&wanted, slot);
		err = cache ? 0 : -ENOSPC;
	}
	if (unlikely(err)) {
		scnprintf(line, sizeof(line),
			  "pmalloc: no cache \"%s\" of objects of %zu bytes, aligned to %zu",
			  wanted.name, size, align);
		pm_host_refuse(err, line);
	}
	return cache;
}
EXPORT_SYMBOL_GPL(pm_cache_create);

/* ---- used -------------------------------------------------------------- */

/*
 * The object of a slot that was free, constructed if it never was before. NULL when
 * the slot has no mark: then nobody gets it.
 */
static void *pm_cache_take(const struct pm_cache *cache, void *slot, gfp_t gfp)
{
	if (likely(pm_cache_spend(cache, slot)))
		return pm_cache_ready(cache, slot, gfp);
	if (cache->ctor && likely(pm_spend_fresh(slot))) {
		cache->ctor(pm_cache_object(cache, slot));
		return pm_cache_object(cache, slot);
	}
	pm_misuse_unmarked(slot, cache->class);
	return NULL;
}

static void *pm_cache_refill(const struct pm_cache *cache, gfp_t gfp)
{
	void *slot, *obj;

	do {
		slot = pm_mag_refill(cache->class, gfp);
		pm_misuse_report_noted();
		if (unlikely(!slot))
			return NULL;
		obj = pm_cache_take(cache, slot, gfp);
	} while (unlikely(!obj));
	return obj;
}

/**
 * pm_cache_alloc_miss() - take an object after the fast path has found none
 * @cache: the cache
 * @gfp: context
 * @slot: what it took and may not hand out as it is, or NULL
 *
 * Context: as @gfp says.
 * Return: object or NULL.
 */
noinline void *pm_cache_alloc_miss(struct pm_cache *cache, gfp_t gfp,
					  void *slot)
{
	void *obj = slot ? pm_cache_take(cache, slot, gfp) : NULL;

	if (likely(obj))
		return obj;
	if (unlikely(!pm_cache_is_live(cache))) {
		pm_misuse(PM_FAULT_NO_CACHE, "pm_cache_alloc", cache, 0, 0);
		return NULL;
	}
	if (unlikely(pm_limit_serve(cache->size * pm_classes[cache->class].batch)) &&
	    gfpflags_allow_blocking(gfp))
		pm_trim_below_ceiling(cache->size);
	obj = pm_cache_refill(cache, gfp);
	if (unlikely(!obj) && gfpflags_allow_blocking(gfp) && pm_trim())
		obj = pm_cache_refill(cache, gfp);
	return obj;
}

____cacheline_aligned_in_smp void *pm_cache_alloc(struct pm_cache *cache)
{
	return pm_cache_alloc_inline(cache, GFP_KERNEL);
}
EXPORT_SYMBOL_GPL(pm_cache_alloc);

/* What came is no object of the cache. */
static noinline __cold void pm_cache_free_odd(struct pm_cache *cache, void *ptr)
{
	unsigned long class = pm_pagemap_class(ptr);

	if (!ptr)
		return;
	if (!pm_cache_is_live(cache))
		pm_misuse(PM_FAULT_NO_CACHE, "pm_cache_free", cache, 0, 0);
	else if (!class)
		pm_misuse(PM_FAULT_FOREIGN, "pm_cache_free", ptr, 0, 0);
	else if (class == cache->class)
		pm_misuse(PM_FAULT_INTERIOR, "pm_cache_free", ptr, 0, 0);
	else
		pm_misuse(PM_FAULT_CACHE, "pm_cache_free", ptr, cache->class,
			  0);
}

____cacheline_aligned_in_smp void pm_cache_free(struct pm_cache *cache,
						void *ptr)
{
	void *slot = pm_cache_slot(cache, ptr);
	unsigned long class = pm_pagemap_class(slot);

	if (unlikely(!pm_cache_is_start(cache, class, slot))) {
		pm_cache_free_odd(cache, ptr);
		return;
	}
	if (want_init_on_free() && !cache->ctor)
		memset(ptr, 0, cache->size);
	pm_set_mark(slot);				/* mark B */
	if (unlikely(!pm_percpu_push(class, slot)))	/* mark C */
		pm_free_full(slot, class, "pm_cache_free");
	else
		pm_mag_count_hit();
}
EXPORT_SYMBOL_GPL(pm_cache_free);

/* ---- shrunk and destroyed ---------------------------------------------- */

size_t pm_cache_shrink(struct pm_cache *cache)
{
	size_t bytes;

	if (unlikely(!pm_cache_is_live(cache))) {
		pm_misuse(PM_FAULT_NO_CACHE, "pm_cache_shrink", cache, 0, 0);
		return 0;
	}
	bytes = pm_class_shrink(cache->class);
	pm_misuse_report_noted();
	return bytes;
}
EXPORT_SYMBOL_GPL(pm_cache_shrink);

static __cold void pm_cache_say_left(struct pm_cache *cache,
				     const struct pm_left *left)
{
	char line[160];
	int n;

	n = scnprintf(line, sizeof(line),
		      "pmalloc: pm_cache_destroy(\"%s\"): objects in use: %zu, of %zu bytes; the cache stays",
		      cache->name, left->objects, cache->size);
	if (left->first)
		scnprintf(line + n, sizeof(line) - n, "; one is at 0x%lx",
			  (unsigned long)pm_cache_object(cache, left->first));
	pm_host_say(line);
}

int pm_cache_destroy(struct pm_cache *cache)
{
	struct pm_left left;

	if (!cache)
		return 0;
	if (unlikely(!pm_caches_leave(cache))) {
		pm_misuse(PM_FAULT_NO_CACHE, "pm_cache_destroy", cache, 0, 0);
		return -EINVAL;
	}
	pm_class_give_up(cache->class, &left);
	if (unlikely(left.objects)) {
		pm_cache_say_left(cache, &left);
		pm_caches_stay(cache);
	} else {
		pm_caches_remove(cache, left.anywhere);
	}
	pm_misuse_report_noted();
	return left.objects ? -EBUSY : 0;
}
EXPORT_SYMBOL_GPL(pm_cache_destroy);
