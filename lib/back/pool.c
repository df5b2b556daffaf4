// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The pool of free extents: bins by size, and an order by age.
 *
 * The idea. A free extent is split when it is too long and merged with its free
 * neighbours when they come free. Requests take the shortest extent that will
 * do, and of that the part that has pages.
 *
 * The trick. Four bins per doubling, and a bitmap of those that are not empty:
 * every extent in a later bin is at least as long. Descriptors lie outside of
 * the extents and are linked in the order of addresses.
 *
 * The limits. Nothing is asked of the host here: see extent.c.
 */
#include "back/pool.h"
#include "back/pagemap.h"
#include "base/testing.h"

#define PM_BIN_PROBES		8
#define PM_SPARE_MIN		3	/* descriptors a request may use */
#define PM_SPARE_MORE		8

struct pm_pool pm_pool = { .lock = __MUTEX_INITIALIZER(pm_pool.lock) };
struct pm_extent_counts pm_extent_counts;

/**
 * pm_pool_prepare() - make the lists, once
 *
 * Context: the extent lock is held.
 */
void pm_pool_prepare(void)
{
	unsigned int bin;

	lockdep_assert_held(&pm_pool.lock);
	if (likely(pm_pool.ready))
		return;
	for (bin = 0; bin < PM_NR_BINS; bin++)
		INIT_LIST_HEAD(&pm_pool.bin[bin]);
	INIT_LIST_HEAD(&pm_pool.age);
	INIT_LIST_HEAD(&pm_pool.spare);
	pm_pool.ready = true;
}

/* It is not merged with neighbours of which nobody knows what they are. */
static void pm_extent_isolate(struct pm_extent *e)
{
	e->prev = NULL;
	e->next = NULL;
}

/**
 * pm_pool_forsake() - begin with nothing, in the child of a fork()
 *
 * A thread that is not here was in the middle of a change. What was free is lost
 * to the child, and each object is a chunk of its own.
 *
 * Context: the child's one thread.
 */
void pm_pool_forsake(void)
{
	memset(pm_pool.map, 0, sizeof(pm_pool.map));
	pm_pool.nr_spare = 0;
	pm_pool.lowest = NULL;
	pm_pool.ready = false;
	(void)llist_del_all(&pm_pool.inbox);
	atomic_long_set(&pm_extent_counts.cached, 0);
	atomic_long_set(&pm_extent_counts.dirty, 0);
	pm_pagemap_each_large(pm_extent_isolate);
}

/* The bin of a size: every extent in a later bin is at least as long. */
static unsigned int pm_bin_of(size_t size)
{
	unsigned int shift = ilog2(size);

	return (shift - PAGE_SHIFT) * 4 + ((size >> (shift - 2)) & 3);
}

/**
 * pm_bin_next() - first bin that is not empty
 * @bin: where to begin
 *
 * Context: the extent lock is held.
 * Return: number of the bin, PM_NR_BINS when all from @bin on are empty.
 */
unsigned int pm_bin_next(unsigned int bin)
{
	unsigned int w = bin / BITS_PER_LONG;
	unsigned long bits;

	if (bin >= PM_NR_BINS)
		return PM_NR_BINS;
	bits = pm_pool.map[w] & (~0UL << (bin % BITS_PER_LONG));
	while (!bits) {
		if (++w == PM_BIN_WORDS)
			return PM_NR_BINS;
		bits = pm_pool.map[w];
	}
	return w * BITS_PER_LONG + __ffs(bits);
}

/**
 * pm_pool_add() - a free extent joins the pool
 * @e: the extent
 *
 * Context: the extent lock is held.
 */
void pm_pool_add(struct pm_extent *e)
{
	unsigned int bin = pm_bin_of(e->size);
	struct pm_extent *older;

	lockdep_assert_held(&pm_pool.lock);
	e->is_free = true;
	list_add(&e->node, &pm_pool.bin[bin]);
	__set_bit(bin, pm_pool.map);
	atomic_long_add(e->size, &pm_extent_counts.cached);
	if (!e->dirty_from)
		return;
	atomic_long_add(e->dirty, &pm_extent_counts.dirty);
	/* Nearly always the youngest. */
	list_for_each_entry_reverse(older, &pm_pool.age, age)
		if (older->freed_at <= e->freed_at)
			break;
	list_add(&e->age, &older->age);
}

/**
 * pm_pool_del() - a free extent leaves the pool
 * @e: the extent
 *
 * Context: the extent lock is held.
 */
void pm_pool_del(struct pm_extent *e)
{
	unsigned int bin = pm_bin_of(e->size);

	lockdep_assert_held(&pm_pool.lock);
	e->is_free = false;
	list_del(&e->node);
	if (list_empty(&pm_pool.bin[bin]))
		__clear_bit(bin, pm_pool.map);
	atomic_long_sub(e->size, &pm_extent_counts.cached);
	if (!e->dirty_from)
		return;
	atomic_long_sub(e->dirty, &pm_extent_counts.dirty);
	list_del(&e->age);
}

/* The shortest extent of @size bytes or more, as far as one quickly finds. */
static struct pm_extent *pm_pool_find(size_t size)
{
	unsigned int bin = pm_bin_of(size), probes = 0;
	struct pm_extent *e, *best = NULL;

	lockdep_assert_held(&pm_pool.lock);
	for (; !best; bin++) {
		bin = pm_bin_next(bin);
		if (bin == PM_NR_BINS)
			return NULL;
		list_for_each_entry(e, &pm_pool.bin[bin], node) {
			if (e->size >= size && (!best || e->size < best->size))
				best = e;
			if (++probes >= PM_BIN_PROBES)
				break;
		}
		probes = 0;
	}
	return best;
}

static struct pm_extent *pm_spare_get(void)
{
	struct pm_extent *e;

	lockdep_assert_held(&pm_pool.lock);
	e = list_first_entry(&pm_pool.spare, struct pm_extent, node);
	list_del(&e->node);
	pm_pool.nr_spare--;
	return e;
}

/**
 * pm_spare_put() - keep a descriptor for another extent
 * @e: descriptor that stands for none
 *
 * Context: the extent lock is held.
 */
void pm_spare_put(struct pm_extent *e)
{
	lockdep_assert_held(&pm_pool.lock);
	list_add(&e->node, &pm_pool.spare);
	pm_pool.nr_spare++;
}

/**
 * pm_pool_lock_provided() - take the lock with descriptors for whatever a request may split
 * @gfp: context
 *
 * Context: the extent lock is held on return.
 * Return: false when there is no memory for them; then it is not held.
 */
bool pm_pool_lock_provided(gfp_t gfp)
{
	struct pm_extent *e;
	unsigned int i;
	bool enough;

	mutex_lock(&pm_pool.lock);
	pm_pool_prepare();
	while (unlikely(pm_pool.nr_spare < PM_SPARE_MIN)) {
		mutex_unlock(&pm_pool.lock);
		for (i = 0; i < PM_SPARE_MORE; i++) {
			e = pm_inject_fails(&pm_inject.meta) ? NULL :
				pm_meta_alloc(sizeof(*e), gfp);
			if (!e)
				break;
			mutex_lock(&pm_pool.lock);
			pm_spare_put(e);
			mutex_unlock(&pm_pool.lock);
		}
		mutex_lock(&pm_pool.lock);
		enough = pm_pool.nr_spare >= PM_SPARE_MIN;
		if (!e && !enough) {
			mutex_unlock(&pm_pool.lock);
			return false;
		}
	}
	return true;
}

/**
 * pm_extent_clip() - let the range that has pages end within an address range
 * @e: the extent
 * @from: start
 * @to: end
 *
 * What has pages is taken to lie evenly in it.
 *
 * Context: the extent lock is held.
 */
void pm_extent_clip(struct pm_extent *e, char *from, char *to)
{
	size_t before = e->dirty_to - e->dirty_from, after;

	if (e->dirty_from < from)
		e->dirty_from = from;
	if (e->dirty_to > to)
		e->dirty_to = to;
	if (e->dirty_from >= e->dirty_to) {
		e->dirty_from = NULL;
		e->dirty_to = NULL;
		e->dirty = 0;
		return;
	}
	after = e->dirty_to - e->dirty_from;
	if (after < before)
		e->dirty = (e->dirty >> PAGE_SHIFT) * (after >> PAGE_SHIFT) /
			   (before >> PAGE_SHIFT) << PAGE_SHIFT;
}

/**
 * pm_extent_split() - cut an extent in two
 * @e: the extent
 * @size: bytes that it keeps
 *
 * Context: the extent lock is held.
 * Return: the rest, on no list.
 */
struct pm_extent *pm_extent_split(struct pm_extent *e, size_t size)
{
	struct pm_extent *rest = pm_spare_get();
	char *at = (char *)e->addr + size;

	rest->addr = at;
	rest->size = e->size - size;
	rest->dirty_from = e->dirty_from;
	rest->dirty_to = e->dirty_to;
	rest->dirty = e->dirty;
	pm_extent_clip(rest, at, at + rest->size);
	rest->zero = e->zero;
	rest->is_free = false;
	rest->class = 0;
	rest->freed_at = e->freed_at;
	rest->prev = e;
	rest->next = e->next;
	if (rest->next)
		rest->next->prev = rest;
	e->next = rest;
	pm_extent_clip(e, e->addr, at);
	WRITE_ONCE(e->size, size);
	return rest;
}

/**
 * pm_extent_join() - an extent takes in its right neighbour
 * @e: the extent; what follows it is on no list
 *
 * Context: the extent lock is held.
 */
void pm_extent_join(struct pm_extent *e)
{
	struct pm_extent *next = e->next;

	WRITE_ONCE(e->size, e->size + next->size);
	if (next->dirty_from) {
		if (!e->dirty_from)
			e->dirty_from = next->dirty_from;
		e->dirty_to = next->dirty_to;
		e->dirty += next->dirty;
	}
	e->zero = e->zero && next->zero;
	e->next = next->next;
	if (e->next)
		e->next->prev = e;
	if (next->freed_at > e->freed_at)
		e->freed_at = next->freed_at;
	pm_spare_put(next);
}

static bool pm_extent_is_free(const struct pm_extent *e)
{
	return e && e->is_free;
}

/**
 * pm_pool_merge() - an extent joins the pool, together with its free neighbours
 * @e: the extent
 *
 * Context: the extent lock is held.
 */
void pm_pool_merge(struct pm_extent *e)
{
	lockdep_assert_held(&pm_pool.lock);
	if (pm_extent_is_free(e->next)) {
		pm_pool_del(e->next);
		pm_extent_join(e);
	}
	if (pm_extent_is_free(e->prev)) {
		e = e->prev;
		pm_pool_del(e);
		pm_extent_join(e);
	}
	pm_pool_add(e);
}

/**
 * pm_extent_unlink() - an extent is no neighbour of others any more
 * @e: the extent
 *
 * Context: the extent lock is held.
 */
void pm_extent_unlink(struct pm_extent *e)
{
	if (e->prev)
		e->prev->next = NULL;
	if (e->next)
		e->next->prev = NULL;
	e->prev = NULL;
	e->next = NULL;
	if (pm_pool.lowest == e)
		pm_pool.lowest = NULL;
}

/**
 * pm_chunk_link() - a chunk has come
 * @e: the extent that it is
 *
 * Hosts hand out addresses downwards: where it ends at the start of the one
 * before, the two are one from now on.
 *
 * Context: the extent lock is held.
 */
void pm_chunk_link(struct pm_extent *e)
{
	struct pm_extent *above = pm_pool.lowest;

	lockdep_assert_held(&pm_pool.lock);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped + e->size);
	if (PM_CHUNK_CUTS && above && !above->prev &&
	    (char *)e->addr + e->size == (char *)above->addr) {
		e->next = above;
		above->prev = e;
	}
	pm_pool.lowest = e;
}

/**
 * pm_extent_expel() - take a free extent out of the pool for good
 * @e: the extent
 * @out: list of those that the caller gives back to the host
 *
 * Context: the extent lock is held.
 */
void pm_extent_expel(struct pm_extent *e, struct list_head *out)
{
	pm_pool_del(e);
	pm_extent_unlink(e);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped - e->size);
	list_add(&e->node, out);
}

/**
 * pm_extent_can_go() - whether an extent can go back to the host by itself
 * @e: the extent
 *
 * Return: true; where a mapping goes back as a whole, when it is a mapping.
 */
bool pm_extent_can_go(const struct pm_extent *e)
{
	return PM_CHUNK_CUTS || (!e->prev && !e->next);
}

/**
 * pm_pool_expel_some() - take those out that can go back by themselves
 * @least: bytes that are enough
 * @out: list of those that the caller gives back to the host
 *
 * Context: the extent lock is held.
 */
void pm_pool_expel_some(size_t least, struct list_head *out)
{
	struct pm_extent *e, *next;
	unsigned int bin;
	size_t bytes = 0;

	for (bin = pm_bin_next(0); bin < PM_NR_BINS; bin = pm_bin_next(bin + 1))
		list_for_each_entry_safe(e, next, &pm_pool.bin[bin], node)
			if (bytes < least && pm_extent_can_go(e)) {
				bytes += e->size;
				pm_extent_expel(e, out);
			}
}

/**
 * pm_extent_carve() - cut a part out of a free extent
 * @e: the extent, long enough for both
 * @size: bytes
 * @align: power of two
 *
 * Where it has pages, if it has; what is before and behind stays free.
 *
 * Context: the extent lock is held.
 * Return: extent of @size bytes, on no list.
 */
struct pm_extent *pm_extent_carve(struct pm_extent *e, size_t size,
					size_t align)
{
	char *last = (char *)e->addr + e->size - size, *at = e->addr;
	struct pm_extent *rest;

	if (e->dirty_from)
		at = e->dirty_from < last ? e->dirty_from : last;
	at = (char *)ALIGN((unsigned long)at, align);
	if (at > last)
		at = (char *)ALIGN_DOWN((unsigned long)last, align);
	pm_pool_del(e);
	if (at > (char *)e->addr) {
		rest = pm_extent_split(e, at - (char *)e->addr);
		pm_pool_add(e);
		e = rest;
	}
	if (e->size > size)
		pm_pool_add(pm_extent_split(e, size));
	return e;
}

/**
 * pm_pool_get() - a free extent of a size
 * @size: bytes
 * @align: power of two
 *
 * Context: the extent lock is held.
 * Return: extent of exactly @size bytes, or NULL.
 */
struct pm_extent *pm_pool_get(size_t size, size_t align)
{
	struct pm_extent *e = pm_pool_find(size + align - PM_EXTENT_GRAIN);

	if (!e)
		return NULL;
	if (e->dirty_from)
		atomic_long_inc(&pm_extent_counts.reused);
	return pm_extent_carve(e, size, align);
}

/**
 * pm_pool_is_warm() - whether pm_pool_get() would find pages for all of it
 * @size: bytes
 *
 * Context: the extent lock is held.
 */
bool pm_pool_is_warm(size_t size)
{
	const struct pm_extent *e = pm_pool_find(size);

	return e && e->dirty >= size;
}
