// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large objects: everything above the largest class, and what is to be aligned to
 * more than a class is.
 *
 * The page map says which object starts where. Whoever takes its entry out
 * of the map (one exchange) owns the object; so free needs the lock only to
 * make it available again, and when that is busy leaves it in an inbox.
 *
 * An object that a cgroup is charged for is a chunk of its own, which goes back to the
 * host when it is freed: whoever had its pages next would have them at the expense of the
 * first. It may be short.
 *
 * An object that has grown is likely to grow again. So when it has to move,
 * it gets headroom, an eighth of its size: the next steps are taken in place,
 * and the number of moves is a logarithm of the size and not the number of
 * steps. Pages that nobody writes to are not there, so in a process headroom
 * is address space only.
 */
#include "back/large.h"
#include "back/populate.h"
#include "back/pagemap.h"
#include "back/span.h"

#define PM_COPY_MAX		(1UL << 20)	/* where copying beats faults */
#define PM_HEADROOM_SHARE	8		/* of the size, for one that grew */

/* What has moved is a mapping of its own, of which a process may have 65 530. */
#define PM_ALONE_SHARE		4096		/* of all large memory, at least */

struct pm_large_counts pm_large_counts;

static void pm_large_count(long bytes, long objects)
{
	atomic_long_add(bytes, &pm_large_counts.live);
	atomic_long_add(objects, &pm_large_counts.live_objects);
}

static size_t pm_large_round(size_t size)
{
	return ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PM_EXTENT_GRAIN);
}

/* Bytes for an object of @size bytes, a multiple of PM_EXTENT_GRAIN, that grew. */
static size_t pm_large_with_headroom(size_t size)
{
	size_t sum = ALIGN(size + size / PM_HEADROOM_SHARE, PM_EXTENT_GRAIN);

	return sum > PM_LARGE_MAX - PM_EXTENT_GRAIN ? size : sum;
}

/* The map knows it from now on. Return: false without memory for that. */
static bool pm_large_publish(struct pm_extent *e, gfp_t gfp)
{
	if (!pm_pagemap_add_large(e, pm_extent_addr(e), gfp))
		return false;
	atomic_long_inc(&pm_large_counts.allocs);
	pm_large_count(pm_extent_size(e), 1);
	return true;
}

/* An extent of @size bytes, or @most if they can be had. */
static void *pm_large_take(size_t size, size_t most, size_t align, gfp_t gfp)
{
	struct pm_extent *e = pm_extent_get(most, align, gfp);

	if (!e && most > size)
		e = pm_extent_get(size, align, gfp);
	if (!e)
		return NULL;
	if (!(gfp & __GFP_ZERO))
		pm_extent_each_fresh(e, pm_extent_addr(e),
				     (char *)pm_extent_addr(e) + size,
				     pm_populate_on_credit);
	if (want_init_on_alloc(gfp) && !pm_extent_is_zero(e))
		memset(pm_extent_addr(e), 0, pm_extent_size(e));
	if (pm_large_publish(e, gfp))
		return pm_extent_addr(e);
	pm_extent_put(e);
	return NULL;
}

static bool pm_large_can_be(size_t size, size_t align, gfp_t gfp)
{
	return size <= PM_LARGE_MAX - PM_EXTENT_GRAIN &&
	       align <= PM_LARGE_MAX / 2 && size + align <= PM_LARGE_MAX &&
	       gfpflags_allow_blocking(gfp);
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
	if (!pm_large_can_be(size, align, gfp))
		return NULL;
	size = pm_large_round(size);
	return pm_large_take(size, size, max_t(size_t, align, PM_EXTENT_GRAIN), gfp);
}

/**
 * pm_large_alloc_charged() - allocate an object that the caller's cgroup is charged for
 * @size: bytes
 * @align: power of two
 * @gfp: context
 *
 * The map has room for one that starts in a unit: one that is not longer than a unit
 * starts where a unit does.
 *
 * Context: may sleep; @gfp without permission to sleep gets NULL.
 * Return: an object of whole pages that are zero, or NULL.
 */
void *pm_large_alloc_charged(size_t size, size_t align, gfp_t gfp)
{
	struct pm_extent *e;

	if (!pm_large_can_be(size, align, gfp))
		return NULL;
	size = ALIGN(max_t(size_t, size, 1), PM_EXTENT_GRAIN);
	align = max_t(size_t, align, PM_EXTENT_GRAIN);
	if (size <= PM_UNIT_SIZE)
		align = max_t(size_t, align, PM_UNIT_SIZE);
	e = pm_extent_map_alone(size, align, gfp);
	if (!e)
		return NULL;
	if (pm_large_publish(e, gfp))
		return pm_extent_addr(e);
	pm_extent_unmap(e);
	return NULL;
}

/**
 * pm_large_alloc_grown() - allocate a large object for what has grown
 * @size: bytes
 * @gfp: context
 *
 * With headroom, if there is memory for it.
 *
 * Context: may sleep; @gfp without permission to sleep gets NULL.
 * Return: an object that starts at a page, or NULL.
 */
void *pm_large_alloc_grown(size_t size, gfp_t gfp)
{
	if (size > PM_LARGE_MAX - PM_EXTENT_GRAIN || !gfpflags_allow_blocking(gfp))
		return NULL;
	size = pm_large_round(size);
	return pm_large_take(size, pm_large_with_headroom(size), PM_EXTENT_GRAIN, gfp);
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
	if (pm_extent_is_charged(e))
		pm_extent_unmap(e);
	else
		pm_extent_put(e);
	return true;
}

/*
 * A long object grows into a mapping of its own, its pages moving without
 * being copied; what was never written has no pages there either.
 *
 * The entry leaves the map before the pages leave the old address: from then
 * on the host may give that address to another thread, whose entry must not
 * be taken for ours. Putting the entry back cannot fail, its place exists.
 */
static void *pm_large_move_pages(struct pm_extent *e, size_t size)
{
	size_t old_size = pm_extent_size(e);
	void *old = pm_extent_addr(e), *addr;
	struct pm_extent *to;

	if (old_size <= PM_COPY_MAX ||
	    old_size < pm_extents_mapped() / PM_ALONE_SHARE ||
	    pm_extents_are_warm(pm_large_with_headroom(size)))
		return NULL;
	to = pm_extent_map_alone(pm_large_with_headroom(size),
				 PM_EXTENT_GRAIN, GFP_KERNEL);
	if (!to)
		to = pm_extent_map_alone(size, PM_EXTENT_GRAIN, GFP_KERNEL);
	if (!to)
		return NULL;
	addr = pm_extent_addr(to);
	if (!pm_pagemap_add_large(to, addr, GFP_KERNEL))
		goto err_to;
	if (!pm_pagemap_take_large(e, old))
		goto err_map;
	if (!pm_host_large_remap(old, old_size, pm_extent_size(to), addr)) {
		pm_pagemap_add_large(e, old, GFP_NOWAIT);
		goto err_map;
	}
	pm_large_count((long)pm_extent_size(to) - (long)old_size, 0);
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
	size_t old, now;

	if (!e || size > PM_LARGE_MAX - PM_EXTENT_GRAIN)
		return NULL;
	size = pm_large_round(size);
	old = pm_extent_size(e);
	if (size <= old && old - size <= old / 4)
		return ptr;
	if (pm_extent_is_charged(e))
		return NULL;
	if (size < old && want_init_on_free())
		memset((char *)ptr + size, 0, old - size);
	if (pm_extent_resize(e, size, pm_large_with_headroom(size))) {
		now = pm_extent_size(e);
		pm_large_count((long)now - (long)old, 0);
		pm_extent_each_fresh(e, (char *)ptr + old, (char *)ptr + size,
				     pm_populate_on_credit);
		if (now > old && want_init_on_alloc(0))
			memset((char *)ptr + old, 0, now - old);
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
