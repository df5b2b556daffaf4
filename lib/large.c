// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large objects: a mapping each, and a cache of freed ones.
 *
 * Asking the host for memory costs a system call and a fault per page, and
 * giving it back as much again. So freed mappings are kept for reuse, within
 * a byte budget and for the decay time, in bins of four per doubling. A
 * request takes one that is at most a quarter too long.
 *
 * The page map says which large object starts where; whoever takes its
 * entry out of the map (one exchange) owns the object. The lock guards the
 * cache only, and free does not wait for it: when it is busy the mapping
 * goes back to the host.
 */
#include "large.h"
#include "arena.h"
#include "check.h"
#include "options.h"
#include "pagemap.h"
#include "trace.h"

#define PM_BIN_MIN_SHIFT	15
#define PM_BIN_MAX_SHIFT	25	/* cache mappings below 32 MiB */
#define PM_NR_BINS		((PM_BIN_MAX_SHIFT - PM_BIN_MIN_SHIFT) * 4)
#define PM_BIN_PROBES		8

static DEFINE_MUTEX(pm_large_lock);

/*
 * Freed mappings by size, the latest first. [large lock]
 */
static struct pm_large_cache {
	struct list_head bin[PM_NR_BINS];
	bool ready;
	u64 purged_at;
} pm_cache;

static struct {
	atomic_long_t live;
	atomic_long_t live_objects;
	atomic_long_t cached;
	atomic_long_t allocs;
	atomic_long_t reused;
} pm_large_stat;

/* Bin of mappings of @size bytes, PM_NR_BINS when they are not cached. */
static unsigned int pm_large_bin(size_t size)
{
	unsigned int shift = ilog2(size);

	if (shift < PM_BIN_MIN_SHIFT)
		return 0;
	if (shift >= PM_BIN_MAX_SHIFT)
		return PM_NR_BINS;
	return (shift - PM_BIN_MIN_SHIFT) * 4 + ((size >> (shift - 2)) & 3);
}

static void pm_large_count(long bytes, long objects)
{
	atomic_long_add(bytes, &pm_large_stat.live);
	atomic_long_add(objects, &pm_large_stat.live_objects);
}

static void pm_large_release(struct pm_large *large)
{
	trace_large_unmap(0, 0, 0, large->size);
	pm_host_large_unmap(large->addr, large->size);
	pm_meta_free(large, sizeof(*large));
}

/* ---- the cache --------------------------------------------------------- */

static void pm_cache_prepare(void)
{
	unsigned int bin;

	lockdep_assert_held(&pm_large_lock);
	if (pm_cache.ready)
		return;
	for (bin = 0; bin < PM_NR_BINS; bin++)
		INIT_LIST_HEAD(&pm_cache.bin[bin]);
	pm_cache.ready = true;
}

static struct pm_large *pm_cache_remove(struct pm_large *large)
{
	list_del(&large->node);
	atomic_long_sub(large->size, &pm_large_stat.cached);
	return large;
}

/* A mapping of at least @size bytes and at most a quarter more, or NULL. */
static struct pm_large *pm_cache_get(size_t size, size_t align)
{
	unsigned int bin = pm_large_bin(size), last = bin + 1, probes;
	struct pm_large *large;

	lockdep_assert_held(&pm_large_lock);
	for (; bin <= last && bin < PM_NR_BINS; bin++) {
		probes = 0;
		list_for_each_entry(large, &pm_cache.bin[bin], node) {
			if (large->size >= size &&
			    large->size - size <= size / 4 &&
			    IS_ALIGNED((unsigned long)large->addr, align))
				return pm_cache_remove(large);
			if (++probes == PM_BIN_PROBES)
				break;
		}
	}
	return NULL;
}

/* Take out what was freed before @before; the caller releases the list. */
static void pm_cache_expire(u64 before, struct list_head *out)
{
	struct pm_large *large, *next;
	unsigned int bin;

	lockdep_assert_held(&pm_large_lock);
	for (bin = 0; bin < PM_NR_BINS; bin++)
		list_for_each_entry_safe(large, next, &pm_cache.bin[bin], node)
			if (large->freed_at <= before) {
				pm_cache_remove(large);
				list_add(&large->node, out);
			}
}

static size_t pm_large_release_list(struct list_head *list)
{
	struct pm_large *large, *next;
	size_t bytes = 0;

	list_for_each_entry_safe(large, next, list, node) {
		bytes += large->size;
		pm_large_release(large);
	}
	return bytes;
}

/* Once per decay time: what has been in the cache that long goes. */
static void pm_cache_decay(u64 now, struct list_head *out)
{
	u64 decay = (u64)pm_options.decay_ms * 1000000;

	if (now - pm_cache.purged_at < decay)
		return;
	pm_cache.purged_at = now;
	if (now >= decay)
		pm_cache_expire(now - decay, out);
}

/* Keep a freed mapping. Return: whether it was kept. */
static bool pm_cache_put(struct pm_large *large)
{
	unsigned int bin = pm_large_bin(large->size);
	u64 now = pm_host_clock_coarse_ns();
	LIST_HEAD(expired);
	bool kept = false;

	if (bin >= PM_NR_BINS || !pm_context_may_lock() ||
	    !mutex_trylock(&pm_large_lock))
		return false;
	pm_cache_prepare();
	pm_cache_decay(now, &expired);
	if (atomic_long_read(&pm_large_stat.cached) + large->size <=
	    pm_options.large_cache) {
		large->freed_at = now;
		large->zero = false;
		list_add(&large->node, &pm_cache.bin[bin]);
		atomic_long_add(large->size, &pm_large_stat.cached);
		kept = true;
	}
	mutex_unlock(&pm_large_lock);
	pm_large_release_list(&expired);
	return kept;
}

/**
 * pm_large_purge() - give cached mappings back to the host
 * @older_than: those freed at or before this coarse time
 *
 * Context: may sleep.
 * Return: bytes given back.
 */
size_t pm_large_purge(u64 older_than)
{
	LIST_HEAD(expired);

	mutex_lock(&pm_large_lock);
	pm_cache_prepare();
	pm_cache_expire(older_than, &expired);
	mutex_unlock(&pm_large_lock);
	return pm_large_release_list(&expired);
}

/* ---- objects ----------------------------------------------------------- */

static struct pm_large *pm_large_map(size_t size, size_t align, gfp_t gfp)
{
	struct pm_large *large;

	if (pm_inject_fails(&pm_inject.meta))
		return NULL;
	large = pm_meta_alloc(sizeof(*large), gfp);
	if (!large)
		return NULL;
	large->addr = pm_inject_fails(&pm_inject.large_map) ? NULL :
		pm_host_large_map(&size, align, gfp);
	if (!large->addr) {
		pm_meta_free(large, sizeof(*large));
		return NULL;
	}
	large->size = size;
	large->zero = true;
	trace_large_map(0, 0, 0, size);
	return large;
}

static struct pm_large *pm_large_get(size_t size, size_t align, gfp_t gfp)
{
	struct pm_large *large = NULL;
	LIST_HEAD(expired);

	if (atomic_long_read(&pm_large_stat.cached)) {
		mutex_lock(&pm_large_lock);
		large = pm_cache_get(size, align);
		pm_cache_decay(pm_host_clock_coarse_ns(), &expired);
		mutex_unlock(&pm_large_lock);
		pm_large_release_list(&expired);
	}
	if (large) {
		atomic_long_inc(&pm_large_stat.reused);
		return large;
	}
	large = pm_large_map(size, align, gfp);
	if (large)
		return large;
	/* Short of memory: what we keep for reuse comes first. */
	if (pm_large_purge(~0ULL) + pm_arena_trim())
		large = pm_large_map(size, align, gfp);
	return large;
}

/**
 * pm_large_alloc() - allocate a large object
 * @size: bytes
 * @align: power of two
 * @gfp: context; __GFP_ZERO asks for zeroes
 *
 * Context: may sleep; @gfp without permission to sleep gets NULL.
 * Return: an object that starts at a page, or NULL.
 */
void *pm_large_alloc(size_t size, size_t align, gfp_t gfp)
{
	struct pm_large *large;

	if (size > PM_LARGE_MAX - PAGE_SIZE || align > PM_LARGE_MAX / 2 ||
	    !gfpflags_allow_blocking(gfp))
		return NULL;
	size = ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PAGE_SIZE);
	if (align < PAGE_SIZE)
		align = PAGE_SIZE;
	large = pm_large_get(size, align, gfp);
	if (!large)
		return NULL;
	if ((gfp & __GFP_ZERO) && !large->zero)
		memset(large->addr, 0, large->size);
	large->zero = false;
	if (!pm_pagemap_add_large(large, gfp)) {
		pm_large_release(large);
		return NULL;
	}
	atomic_long_inc(&pm_large_stat.allocs);
	pm_large_count(large->size, 1);
	return large->addr;
}

/**
 * pm_large_find() - descriptor of a large object
 * @ptr: address in a unit in which a large object starts
 *
 * Return: descriptor, or NULL when @ptr is not the start of one.
 */
struct pm_large *pm_large_find(const void *ptr)
{
	return pm_pagemap_large(ptr);
}

/**
 * pm_large_free() - free a large object
 * @ptr: as for pm_large_find()
 *
 * Context: any. Never waits.
 * Return: false when @ptr is not the start of a large object.
 */
bool pm_large_free(void *ptr)
{
	struct pm_large *large = pm_pagemap_take_large(ptr);

	if (!large)
		return false;
	pm_large_count(-(long)large->size, -1);
	if (!pm_cache_put(large))
		pm_large_release(large);
	return true;
}

/*
 * Move the pages of @large to a new mapping of @size bytes.
 *
 * The old entry leaves the map before the pages leave the old address: from
 * then on the host may give that address to another thread, whose entry must
 * not be taken for ours. Putting the entry back cannot fail, its place in
 * the map exists.
 */
static void *pm_large_move(struct pm_large *large, size_t size)
{
	void *old = large->addr, *new;
	struct pm_large *to;

	new = pm_large_alloc(size, PAGE_SIZE, GFP_KERNEL);
	if (!new)
		return NULL;
	to = pm_pagemap_large(new);
	large = pm_pagemap_take_large(old);
	if (!large)
		goto err_new;
	if (!pm_host_large_remap(old, large->size, to->size, new))
		goto err_old;
	pm_large_count(-(long)large->size, -1);
	pm_meta_free(large, sizeof(*large));
	return new;

err_old:
	pm_pagemap_add_large(large, GFP_NOWAIT);
err_new:
	pm_large_free(new);
	return NULL;
}

/**
 * pm_large_resize() - change the size of a large object without copying
 * @ptr: start of a live large object
 * @size: bytes wanted, more than the largest class
 *
 * Context: may sleep. The caller owns the object.
 * Return: where the object is now, or NULL; then it is as before.
 */
void *pm_large_resize(void *ptr, size_t size)
{
	struct pm_large *large = pm_pagemap_large(ptr);
	size_t old;

	if (!large || size > PM_LARGE_MAX - PAGE_SIZE)
		return NULL;
	size = ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PAGE_SIZE);
	old = large->size;
	/* A quarter too long is what the cache hands out, too. */
	if (size <= old && old - size <= old / 4)
		return ptr;
	if (pm_host_large_remap(ptr, old, size, NULL)) {
		large->size = size;
		pm_large_count((long)size - (long)old, 0);
		return ptr;
	}
	return size > old ? pm_large_move(large, size) : NULL;
}

/**
 * pm_large_get_stats() - figures of all large objects
 * @st: where to put them
 */
void pm_large_get_stats(struct pm_large_stats *st)
{
	st->live = atomic_long_read(&pm_large_stat.live);
	st->live_objects = atomic_long_read(&pm_large_stat.live_objects);
	st->cached = atomic_long_read(&pm_large_stat.cached);
	st->allocs = atomic_long_read(&pm_large_stat.allocs);
	st->reused = atomic_long_read(&pm_large_stat.reused);
}

/**
 * pm_large_lock_all() - hold the cache still, for fork()
 */
void pm_large_lock_all(void)
{
	mutex_lock(&pm_large_lock);
}

/**
 * pm_large_unlock_all() - let the cache go on
 * @child: in the child of a fork(): whoever waits for the lock is not there
 */
void pm_large_unlock_all(bool child)
{
	if (child)
		mutex_init(&pm_large_lock);
	else
		mutex_unlock(&pm_large_lock);
}
