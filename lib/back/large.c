// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large objects: everything above the largest class, and what is to be aligned to
 * more than a class is.
 *
 * The page map says which object starts where. Whoever takes its entry out
 * of the map (one exchange) owns the object; so free needs the lock only to
 * make it available again, and when that is busy leaves it in an inbox.
 */
#include "back/large.h"
#include "back/populate.h"
#include "back/pagemap.h"
#include "back/span.h"

#define PM_COPY_MAX		(1UL << 20)	/* where copying beats faults */

struct pm_large_counts pm_large_counts;

static void pm_large_count(long bytes, long objects)
{
	atomic_long_add(bytes, &pm_large_counts.live);
	atomic_long_add(objects, &pm_large_counts.live_objects);
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
	struct pm_extent *e;

	if (size > PM_LARGE_MAX - PM_EXTENT_GRAIN || align > PM_LARGE_MAX / 2 ||
	    size + align > PM_LARGE_MAX || !gfpflags_allow_blocking(gfp))
		return NULL;
	size = ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PM_EXTENT_GRAIN);
	if (align < PM_EXTENT_GRAIN)
		align = PM_EXTENT_GRAIN;
	e = pm_extent_get(size, align, gfp);
	if (!e)
		return NULL;
	if (!(gfp & __GFP_ZERO))
		pm_extent_each_fresh(e, pm_extent_addr(e), pm_extent_end(e),
				     pm_populate_on_credit);
	if (want_init_on_alloc(gfp) && !pm_extent_is_zero(e))
		memset(pm_extent_addr(e), 0, pm_extent_size(e));
	if (!pm_pagemap_add_large(e, pm_extent_addr(e), gfp)) {
		pm_extent_put(e);
		return NULL;
	}
	atomic_long_inc(&pm_large_counts.allocs);
	pm_large_count(pm_extent_size(e), 1);
	return pm_extent_addr(e);
}

/**
 * pm_large_find() - descriptor of a large object
 * @ptr: address in a unit in which a large object starts
 *
 * Return: descriptor, or NULL when @ptr is not the start of one.
 */
struct pm_extent *pm_large_find(const void *ptr)
{
	struct pm_extent *e = pm_pagemap_large(ptr);

	return e && pm_extent_addr(e) == ptr ? e : NULL;
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
	struct pm_extent *e = pm_large_find(ptr);

	if (!e || !pm_pagemap_take_large(e, ptr))
		return false;
	pm_large_count(-(long)pm_extent_size(e), -1);
	if (want_init_on_free())
		memset(ptr, 0, pm_extent_size(e));
	pm_extent_put(e);
	return true;
}

/*
 * An object with a chunk of its own grows with the chunk, its pages moving
 * without being copied.
 *
 * The entry leaves the map before the pages leave the old address: from then
 * on the host may give that address to another thread, whose entry must not
 * be taken for ours. Putting the entry back cannot fail, its place exists.
 */
static void *pm_large_move_pages(struct pm_extent *e, size_t size)
{
	struct pm_extent *to;
	void *old = pm_extent_addr(e), *addr;

	if (!pm_extent_is_whole(e) || pm_extent_size(e) <= PM_COPY_MAX)
		return NULL;
	to = pm_extent_map(size, PM_EXTENT_GRAIN, GFP_KERNEL);
	if (!to)
		return NULL;
	addr = pm_extent_addr(to);
	if (pm_extent_size(to) > size ||
	    !pm_pagemap_add_large(to, addr, GFP_KERNEL))
		goto err_to;
	if (!pm_pagemap_take_large(e, old))
		goto err_map;
	if (!pm_host_large_remap(old, pm_extent_size(e), pm_extent_size(to), addr)) {
		pm_pagemap_add_large(e, old, GFP_NOWAIT);
		goto err_map;
	}
	pm_large_count((long)pm_extent_size(to) - (long)pm_extent_size(e), 0);
	pm_extent_replace(e, to);
	return addr;

err_map:
	pm_pagemap_take_large(to, addr);
err_to:
	pm_extent_unmap(to);
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
	struct pm_extent *e = pm_large_find(ptr);
	size_t old;

	if (!e || size > PM_LARGE_MAX - PM_EXTENT_GRAIN)
		return NULL;
	size = ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PM_EXTENT_GRAIN);
	old = pm_extent_size(e);
	if (size <= old && old - size <= old / 4)
		return ptr;
	if (pm_extent_resize(e, size)) {
		pm_large_count((long)size - (long)old, 0);
		pm_extent_each_fresh(e, (char *)ptr + old, pm_extent_end(e),
				     pm_populate_on_credit);
		if (size > old && want_init_on_alloc(0))
			memset((char *)ptr + old, 0, size - old);
		return ptr;
	}
	if (size < old)
		return ptr;
	return pm_large_move_pages(e, size);
}

/**
 * pm_large_will_write() - the beginning of a new object will be written soon
 * @ptr: start of a large object that the caller owns
 * @size: bytes that will be written
 *
 * Context: may sleep.
 */
void pm_large_will_write(void *ptr, size_t size)
{
	struct pm_extent *e = pm_large_find(ptr);

	if (e)
		pm_extent_each_fresh(e, ptr,
				     (char *)ptr + ALIGN_DOWN(size, PAGE_SIZE),
				     pm_populate);
}

/**
 * pm_large_get_stats() - figures of all large objects
 * @st: where to put them
 */
void pm_large_get_stats(struct pm_large_stats *st)
{
	st->live = atomic_long_read(&pm_large_counts.live);
	st->live_objects = atomic_long_read(&pm_large_counts.live_objects);
	st->cached = pm_extents_cached();
	st->dirty = pm_extents_dirty();
	st->allocs = atomic_long_read(&pm_large_counts.allocs);
	st->reused = pm_extents_reused();
}

static void pm_large_forgotten(struct pm_extent *e)
{
	unsigned int class = pm_extent_class(e);

	if (class)
		pm_span_put(pm_extent_addr(e), class);
	else
		pm_large_free(pm_extent_addr(e));
}

/**
 * pm_large_exit() - free all large objects, and all spans
 *
 * Objects that are still live go too: nobody is left to use them.
 *
 * Context: nobody uses the allocator any more.
 */
void pm_large_exit(void)
{
	pm_pagemap_each_large(pm_large_forgotten);
	pm_extents_exit();
}
