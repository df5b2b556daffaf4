// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Large objects: extents, which are runs of pages, cut from chunks.
 *
 * Asking the host for memory costs a system call and a fault per page. So a
 * freed object's pages are kept for a while and serve others, of any size: a
 * free extent is split when it is too long and merged with its free
 * neighbours when they come free. What is kept is bounded by the user's limit
 * and by the decay time; beyond that the longest free goes back to the host. A
 * lower bound costs time and saves nothing: with as much as was live (8 MiB
 * when that was less) 64 random blocks of up to 4 MiB took 26 us each and
 * 106 MiB, without 10 us and as much, and buffers that grow by realloc 31 us
 * and 27 MiB, without 12 us and 31 MiB; for pages that went back are asked for
 * again a moment later.
 *
 *	chunk, one mapping of the host
 *	+--------+----------------+-----+------------------------------+
 *	| object | free           | obj | free, never handed out       |
 *	+--------+----------------+-----+------------------------------+
 *	  <-prev    next->
 *
 * Descriptors lie elsewhere and are linked in the order of addresses. Each
 * knows the range of its extent that may have pages. What goes back to the
 * host goes page by page, and the extent stays in its place: a hole would
 * keep its neighbours apart for ever. Requests take the shortest extent that
 * will do, and of that the part that has pages.
 *
 * The page map says which object starts where. Whoever takes its entry out
 * of the map (one exchange) owns the object; so free needs the lock only to
 * make it available again, and when that is busy leaves it in an inbox.
 *
 * Lock order: the large lock is inside of everything but the platform's page
 * lock. Memory is never asked for with it held: the kernel might come to its
 * shrinker, which wants this lock.
 */
#include "back/large.h"
#include "back/ahead.h"
#include "arena/arena.h"
#include "base/check.h"
#include "base/options.h"
#include "back/pagemap.h"
#include "base/trace.h"

#define PM_NR_BINS		(4 * (PM_ADDR_BITS - PAGE_SHIFT))
#define PM_BIN_WORDS		BITS_TO_LONGS(PM_NR_BINS)
#define PM_BIN_PROBES		8
#define PM_CACHE_MAX_OBJECT	(32UL << 20)	/* longer ones are not kept */
#define PM_COPY_MAX		(1UL << 20)	/* where copying beats faults */
#define PM_DECAY_STEPS		16		/* extents to clean at once */
#define PM_TRIM_BYTES		(256UL << 10)	/* least to give back at once */
#define PM_SPARE_MIN		3		/* descriptors a request may use */
#define PM_SPARE_MORE		8

static DEFINE_MUTEX(pm_large_lock);

/* [large lock] */
static struct {
	struct list_head bin[PM_NR_BINS];	/* free extents by size */
	unsigned long map[PM_BIN_WORDS];	/* bins that are not empty */
	struct list_head age;
	struct list_head spare;
	unsigned int nr_spare;
	struct pm_large *lowest;	/* first extent of the latest chunk */
	size_t mapped;
	bool ready;
} pm_pool;

/* Extents freed while the lock was busy. [lock-less] */
static struct llist_head pm_large_inbox;

struct pm_large_counts pm_large_counts;

static void pm_large_count(long bytes, long objects)
{
	atomic_long_add(bytes, &pm_large_counts.live);
	atomic_long_add(objects, &pm_large_counts.live_objects);
}

/* ---- free extents ------------------------------------------------------ */

/* The bin of a size: every extent in a later bin is at least as long. */
static unsigned int pm_bin_of(size_t size)
{
	unsigned int shift = ilog2(size);

	return (shift - PAGE_SHIFT) * 4 + ((size >> (shift - 2)) & 3);
}

/*
 * Let the range that has pages end within @from and @to. What has pages is
 * taken to lie evenly in it.
 */
static void pm_extent_clip(struct pm_large *e, char *from, char *to)
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

static void pm_extent_put(struct pm_large *e)
{
	unsigned int bin = pm_bin_of(e->size);
	struct pm_large *older;

	lockdep_assert_held(&pm_large_lock);
	e->is_free = true;
	list_add(&e->node, &pm_pool.bin[bin]);
	__set_bit(bin, pm_pool.map);
	atomic_long_add(e->size, &pm_large_counts.cached);
	if (!e->dirty_from)
		return;
	atomic_long_add(e->dirty, &pm_large_counts.dirty);
	/* Nearly always the youngest. */
	list_for_each_entry_reverse(older, &pm_pool.age, age)
		if (older->freed_at <= e->freed_at)
			break;
	list_add(&e->age, &older->age);
}

static void pm_extent_take(struct pm_large *e)
{
	unsigned int bin = pm_bin_of(e->size);

	lockdep_assert_held(&pm_large_lock);
	e->is_free = false;
	list_del(&e->node);
	if (list_empty(&pm_pool.bin[bin]))
		__clear_bit(bin, pm_pool.map);
	atomic_long_sub(e->size, &pm_large_counts.cached);
	if (!e->dirty_from)
		return;
	atomic_long_sub(e->dirty, &pm_large_counts.dirty);
	list_del(&e->age);
}

/* First bin from @bin on that is not empty, PM_NR_BINS when all are. */
static unsigned int pm_bin_next(unsigned int bin)
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

/* The shortest extent of @size bytes or more, as far as one quickly finds. */
static struct pm_large *pm_extent_find(size_t size)
{
	unsigned int bin = pm_bin_of(size), probes = 0;
	struct pm_large *e, *best = NULL;

	lockdep_assert_held(&pm_large_lock);
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

/* ---- descriptors ------------------------------------------------------- */

static struct pm_large *pm_spare_get(void)
{
	struct pm_large *e;

	lockdep_assert_held(&pm_large_lock);
	e = list_first_entry(&pm_pool.spare, struct pm_large, node);
	list_del(&e->node);
	pm_pool.nr_spare--;
	return e;
}

static void pm_spare_put(struct pm_large *e)
{
	lockdep_assert_held(&pm_large_lock);
	list_add(&e->node, &pm_pool.spare);
	pm_pool.nr_spare++;
}

static void pm_pool_prepare(void)
{
	unsigned int bin;

	lockdep_assert_held(&pm_large_lock);
	if (likely(pm_pool.ready))
		return;
	for (bin = 0; bin < PM_NR_BINS; bin++)
		INIT_LIST_HEAD(&pm_pool.bin[bin]);
	INIT_LIST_HEAD(&pm_pool.age);
	INIT_LIST_HEAD(&pm_pool.spare);
	pm_pool.ready = true;
}

/*
 * Take the lock with descriptors at hand for whatever a request may split.
 *
 * Return: false when there is no memory for them; then it is not held.
 */
static bool pm_large_lock_provided(gfp_t gfp)
{
	struct pm_large *e;
	unsigned int i;
	bool enough;

	mutex_lock(&pm_large_lock);
	pm_pool_prepare();
	while (unlikely(pm_pool.nr_spare < PM_SPARE_MIN)) {
		mutex_unlock(&pm_large_lock);
		for (i = 0; i < PM_SPARE_MORE; i++) {
			e = pm_inject_fails(&pm_inject.meta) ? NULL :
				pm_meta_alloc(sizeof(*e), gfp);
			if (!e)
				break;
			mutex_lock(&pm_large_lock);
			pm_spare_put(e);
			mutex_unlock(&pm_large_lock);
		}
		mutex_lock(&pm_large_lock);
		enough = pm_pool.nr_spare >= PM_SPARE_MIN;
		if (!e && !enough) {
			mutex_unlock(&pm_large_lock);
			return false;
		}
	}
	return true;
}

/* ---- split, merge, release --------------------------------------------- */

/* Cut @e behind @size bytes. Return: the rest, on no list. */
static struct pm_large *pm_extent_split(struct pm_large *e, size_t size)
{
	struct pm_large *rest = pm_spare_get();
	char *at = (char *)e->addr + size;

	rest->addr = at;
	rest->size = e->size - size;
	rest->dirty_from = e->dirty_from;
	rest->dirty_to = e->dirty_to;
	rest->dirty = e->dirty;
	pm_extent_clip(rest, at, at + rest->size);
	rest->zero = e->zero;
	rest->is_free = false;
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

/* @e takes in its right neighbour, which is on no list. */
static void pm_extent_join(struct pm_large *e)
{
	struct pm_large *next = e->next;

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

static bool pm_extent_is_free(const struct pm_large *e)
{
	return e && e->is_free;
}

/* Make an extent available, together with its free neighbours. */
static void pm_extent_free(struct pm_large *e)
{
	lockdep_assert_held(&pm_large_lock);
	if (pm_extent_is_free(e->next)) {
		pm_extent_take(e->next);
		pm_extent_join(e);
	}
	if (pm_extent_is_free(e->prev)) {
		e = e->prev;
		pm_extent_take(e);
		pm_extent_join(e);
	}
	pm_extent_put(e);
}

/*
 * Whether an extent can go back to the host by itself: always, where a
 * mapping may be given back in pieces.
 */
static bool pm_extent_whole(const struct pm_large *e)
{
	return PM_CHUNK_MIN || (!e->prev && !e->next);
}

static void pm_extent_unlink(struct pm_large *e)
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

/*
 * A chunk has come. Hosts hand out addresses downwards: where it ends at the
 * start of the one before, the two are one from now on.
 */
static void pm_chunk_link(struct pm_large *e)
{
	struct pm_large *above = pm_pool.lowest;

	lockdep_assert_held(&pm_large_lock);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped + e->size);
	if (PM_CHUNK_MIN && above && !above->prev &&
	    (char *)e->addr + e->size == (char *)above->addr) {
		e->next = above;
		above->prev = e;
	}
	pm_pool.lowest = e;
}

/* Take a free extent out for good; the caller gives it back to the host. */
static void pm_extent_expel(struct pm_large *e, struct list_head *out)
{
	pm_extent_take(e);
	pm_extent_unlink(e);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped - e->size);
	list_add(&e->node, out);
}

/* Without the lock: give extents back to the host. Return: bytes. */
static size_t pm_large_release(struct list_head *list)
{
	struct pm_large *e, *next;
	size_t bytes = 0;

	list_for_each_entry_safe(e, next, list, node) {
		u64 begin = pm_trace_begin(large_unmap);

		bytes += e->size;
		pm_host_large_unmap(e->addr, e->size);
		trace_large_unmap(PM_NO_ARENA, 0, pm_trace_since(begin),
				  e->size);
		pm_meta_free(e, sizeof(*e));
	}
	return bytes;
}

/*
 * Pages of a free extent go back to the host, @excess bytes or a little more;
 * the extent stays where it is. A whole chunk that keeps nothing, or one of
 * a host that cannot take pages back, goes as it is.
 */
static void pm_extent_clean(struct pm_large *e, size_t excess,
			    struct list_head *out)
{
	size_t range = e->dirty_to - e->dirty_from;

	/* The share of the range that has so many pages. */
	excess = max_t(size_t, excess, PM_TRIM_BYTES) >> PAGE_SHIFT;
	if (PM_CHUNK_MIN && excess < e->dirty >> PAGE_SHIFT)
		excess = DIV_ROUND_UP(excess * (range >> PAGE_SHIFT),
				      e->dirty >> PAGE_SHIFT) << PAGE_SHIFT;
	else
		excess = range;
	if (excess == range && !e->prev && !e->next) {
		pm_extent_expel(e, out);
	} else if (pm_host_purge(e->dirty_to - excess, excess)) {
		pm_extent_take(e);
		pm_extent_clip(e, e->dirty_from, e->dirty_to - excess);
		e->zero = !e->dirty_from;
		pm_extent_put(e);
	}
}

/* What is beyond the budget or the decay time goes, the oldest first. */
static void pm_pool_decay(struct list_head *out)
{
	u64 decay = (u64)pm_options.decay_ms * 1000000, now;
	struct pm_large *e;
	unsigned int n;
	long excess;

	lockdep_assert_held(&pm_large_lock);
	if (list_empty(&pm_pool.age))
		return;
	now = pm_host_clock_coarse_ns();
	for (n = 0; n < PM_DECAY_STEPS && !list_empty(&pm_pool.age); n++) {
		e = list_first_entry(&pm_pool.age, struct pm_large, age);
		excess = atomic_long_read(&pm_large_counts.dirty) -
			 (long)pm_options.large_cache;
		if (now - e->freed_at >= decay)
			excess = e->dirty;
		else if (excess <= 0)
			break;
		pm_extent_clean(e, excess, out);
	}
}

/* Take in what was freed while the lock was busy. */
static void pm_pool_collect(void)
{
	struct llist_node *node;
	struct pm_large *e;

	lockdep_assert_held(&pm_large_lock);
	if (likely(llist_empty(&pm_large_inbox)))
		return;
	node = llist_del_all(&pm_large_inbox);
	while (node) {
		e = container_of(node, struct pm_large, inbox);
		node = node->next;
		pm_extent_free(e);
	}
}

static void pm_large_unlock(struct list_head *out)
{
	mutex_unlock(&pm_large_lock);
	pm_large_release(out);
}

/* ---- allocate ---------------------------------------------------------- */

/*
 * Cut @size bytes at a multiple of @align out of a free extent that is long
 * enough for both, where it has pages if it has; what is before and behind
 * stays free.
 */
static struct pm_large *pm_extent_carve(struct pm_large *e, size_t size,
					size_t align)
{
	char *last = (char *)e->addr + e->size - size, *at = e->addr;
	struct pm_large *rest;

	if (e->dirty_from)
		at = e->dirty_from < last ? e->dirty_from : last;
	at = (char *)ALIGN((unsigned long)at, align);
	if (at > last)
		at = (char *)ALIGN_DOWN((unsigned long)last, align);
	pm_extent_take(e);
	if (at > (char *)e->addr) {
		rest = pm_extent_split(e, at - (char *)e->addr);
		pm_extent_put(e);
		e = rest;
	}
	if (e->size > size)
		pm_extent_put(pm_extent_split(e, size));
	return e;
}

static struct pm_large *pm_pool_get(size_t size, size_t align)
{
	struct pm_large *e = pm_extent_find(size + align - PAGE_SIZE);

	if (!e)
		return NULL;
	if (e->dirty_from)
		atomic_long_inc(&pm_large_counts.reused);
	return pm_extent_carve(e, size, align);
}

/*
 * A new chunk with room for @size bytes at @align, as one fresh extent that
 * is on no list; longer than that the more is mapped already. Without the
 * lock.
 */
static struct pm_large *pm_chunk_map(size_t size, size_t align, gfp_t gfp)
{
	size_t want, least = ALIGN(size, PAGE_SIZE);
	u64 begin = pm_trace_begin(large_map);
	struct pm_large *e;

	if (pm_inject_fails(&pm_inject.meta))
		return NULL;
	e = pm_meta_alloc(sizeof(*e), gfp);
	if (!e)
		return NULL;
	want = min_t(size_t, PM_CHUNK_MAX, READ_ONCE(pm_pool.mapped) / 2);
	want = ALIGN(max_t(size_t, want, PM_CHUNK_MIN), PAGE_SIZE);
	if (want < least || align > PAGE_SIZE)
		want = least;
	do {
		e->size = want;
		e->addr = pm_inject_fails(&pm_inject.large_map) ? NULL :
			pm_host_large_map(&e->size, align, gfp);
		if (e->addr)
			break;
		want = want / 2 > least ? ALIGN(want / 2, PAGE_SIZE) :
		       want > least ? least : 0;
	} while (want);
	if (!e->addr) {
		pm_meta_free(e, sizeof(*e));
		return NULL;
	}
	e->zero = true;
	trace_large_map(PM_NO_ARENA, 0, pm_trace_since(begin), e->size);
	return e;
}

static struct pm_large *pm_large_get(size_t size, size_t align, gfp_t gfp)
{
	struct pm_large *e, *chunk;
	LIST_HEAD(out);

	if (!pm_large_lock_provided(gfp))
		return NULL;
	pm_pool_collect();
	e = pm_pool_get(size, align);
	if (e) {
		pm_pool_decay(&out);
		pm_large_unlock(&out);
		return e;
	}
	mutex_unlock(&pm_large_lock);
	chunk = pm_chunk_map(size, align, gfp);
	if (!chunk)
		return NULL;
	if (!pm_large_lock_provided(gfp)) {
		list_add(&chunk->node, &out);
		pm_large_release(&out);
		return NULL;
	}
	pm_chunk_link(chunk);
	pm_extent_put(chunk);
	e = pm_extent_carve(chunk, size, align);
	mutex_unlock(&pm_large_lock);
	return e;
}

/* Its owner may have written anywhere. */
static void pm_extent_soil(struct pm_large *e)
{
	e->dirty_from = e->addr;
	e->dirty_to = (char *)e->addr + e->size;
	e->dirty = e->size;
	e->zero = false;
}

/* An extent that is nobody's any more. Never waits. */
static void pm_large_put(struct pm_large *e)
{
	LIST_HEAD(out);

	pm_extent_soil(e);
	e->freed_at = pm_host_clock_coarse_ns();
	if (!pm_context_may_lock() || !mutex_trylock(&pm_large_lock)) {
		/* Publishes the extent: pairs with llist_del_all(). */
		llist_add(&e->inbox, &pm_large_inbox);
		return;
	}
	pm_pool_collect();
	if (e->size > PM_CACHE_MAX_OBJECT && pm_extent_whole(e)) {
		pm_extent_put(e);
		pm_extent_expel(e, &out);
	} else {
		pm_extent_free(e);
	}
	pm_pool_decay(&out);
	pm_large_unlock(&out);
}

/*
 * Call @ahead for what has no pages of the memory from @from to @to in an
 * object.
 */
static void pm_extent_ahead(const struct pm_large *e, char *from, char *to,
			    void (*ahead)(char *from, char *to))
{
	if (!e->dirty_from) {
		ahead(from, to);
		return;
	}
	ahead(from, min_t(char *, to, e->dirty_from));
	ahead(max_t(char *, from, e->dirty_to), to);
}

static char *pm_extent_end(const struct pm_large *e)
{
	return (char *)e->addr + e->size;
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
	struct pm_large *e;

	if (size > PM_LARGE_MAX - PAGE_SIZE || align > PM_LARGE_MAX / 2 ||
	    size + align > PM_LARGE_MAX || !gfpflags_allow_blocking(gfp))
		return NULL;
	size = ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PAGE_SIZE);
	if (align < PAGE_SIZE)
		align = PAGE_SIZE;
	e = pm_large_get(size, align, gfp);
	/* Short of memory: what we keep for reuse comes first. */
	if (!e && pm_large_purge() + pm_arena_trim())
		e = pm_large_get(size, align, gfp);
	if (!e)
		return NULL;
	if (!(gfp & __GFP_ZERO))
		pm_extent_ahead(e, e->addr, pm_extent_end(e), pm_ahead_habit);
	if (want_init_on_alloc(gfp) && !e->zero)
		memset(e->addr, 0, e->size);
	if (!pm_pagemap_add_large(e, gfp)) {
		pm_large_put(e);
		return NULL;
	}
	atomic_long_inc(&pm_large_counts.allocs);
	pm_large_count(e->size, 1);
	return e->addr;
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
	struct pm_large *e = pm_pagemap_take_large(ptr);

	if (!e)
		return false;
	pm_large_count(-(long)e->size, -1);
	if (want_init_on_free())
		memset(ptr, 0, e->size);
	pm_large_put(e);
	return true;
}

/* ---- resize ------------------------------------------------------------ */

/* Grow into the free extent behind, or shrink. Return: whether that did. */
static bool pm_extent_resize(struct pm_large *e, size_t size)
{
	struct pm_large *next;
	LIST_HEAD(out);
	bool done;

	if (!pm_large_lock_provided(GFP_KERNEL))
		return false;
	pm_pool_collect();
	next = e->next;
	if (size > e->size && next && next->is_free &&
	    e->size + next->size >= size) {
		pm_extent_take(next);
		if (e->size + next->size > size)
			pm_extent_put(pm_extent_split(next, size - e->size));
		pm_extent_join(e);
	} else if (size < e->size) {
		pm_extent_soil(e);
		next = pm_extent_split(e, size);
		next->freed_at = pm_host_clock_coarse_ns();
		pm_extent_free(next);
	}
	done = e->size == size;
	pm_pool_decay(&out);
	pm_large_unlock(&out);
	return done;
}

/*
 * An object with a chunk of its own grows with the chunk, its pages moving
 * without being copied.
 *
 * The entry leaves the map before the pages leave the old address: from then
 * on the host may give that address to another thread, whose entry must not
 * be taken for ours. Putting the entry back cannot fail, its place exists.
 */
static void *pm_large_move_pages(struct pm_large *e, size_t size)
{
	struct pm_large *to;
	void *old = e->addr;

	if (e->prev || e->next || e->size <= PM_COPY_MAX)
		return NULL;
	to = pm_chunk_map(size, PAGE_SIZE, GFP_KERNEL);
	if (!to)
		return NULL;
	if (to->size > size || !pm_pagemap_add_large(to, GFP_KERNEL))
		goto err_to;
	if (!pm_pagemap_take_large(old))
		goto err_map;
	if (!pm_host_large_remap(old, e->size, to->size, to->addr)) {
		pm_pagemap_add_large(e, GFP_NOWAIT);
		goto err_map;
	}
	mutex_lock(&pm_large_lock);
	pm_extent_unlink(e);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped - e->size);
	pm_spare_put(e);
	pm_chunk_link(to);
	mutex_unlock(&pm_large_lock);
	pm_large_count((long)to->size - (long)e->size, 0);
	return to->addr;

err_map:
	pm_pagemap_take_large(to->addr);
err_to:
	pm_host_large_unmap(to->addr, to->size);
	pm_meta_free(to, sizeof(*to));
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
	struct pm_large *e = pm_pagemap_large(ptr);
	size_t old;

	if (!e || size > PM_LARGE_MAX - PAGE_SIZE)
		return NULL;
	size = ALIGN(max_t(size_t, size, PM_UNIT_SIZE + 1), PAGE_SIZE);
	old = e->size;
	if (size <= old && old - size <= old / 4)
		return ptr;
	if (pm_extent_resize(e, size)) {
		pm_large_count((long)size - (long)old, 0);
		pm_extent_ahead(e, (char *)ptr + old, pm_extent_end(e),
				pm_ahead_habit);
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
	struct pm_large *e = pm_pagemap_large(ptr);

	if (e)
		pm_extent_ahead(e, ptr, (char *)ptr + ALIGN_DOWN(size, PAGE_SIZE),
				pm_ahead_sure);
}

/* ---- purge, figures, fork, end ----------------------------------------- */

/**
 * pm_large_decay() - give back what was free for the decay time
 *
 * Requests for large objects do so by themselves; this is for others to call
 * now and then.
 *
 * Context: any that may take a lock; never waits for one.
 */
void pm_large_decay(void)
{
	LIST_HEAD(out);

	if (!mutex_trylock(&pm_large_lock))
		return;
	pm_pool_prepare();
	pm_pool_collect();
	pm_pool_decay(&out);
	pm_large_unlock(&out);
}

static void pm_pool_expel_all(struct list_head *out)
{
	struct pm_large *e, *next;
	unsigned int bin;

	for (bin = pm_bin_next(0); bin < PM_NR_BINS; bin = pm_bin_next(bin + 1))
		list_for_each_entry_safe(e, next, &pm_pool.bin[bin], node)
			if (pm_extent_whole(e))
				pm_extent_expel(e, out);
}

/**
 * pm_large_purge() - give free extents back to the host
 *
 * Pages and address space: a process that is out of either gets both back.
 *
 * Context: may sleep.
 * Return: bytes of address space given back.
 */
size_t pm_large_purge(void)
{
	LIST_HEAD(out);

	mutex_lock(&pm_large_lock);
	pm_pool_prepare();
	pm_pool_collect();
	pm_pool_expel_all(&out);
	mutex_unlock(&pm_large_lock);
	return pm_large_release(&out);
}

/**
 * pm_large_get_stats() - figures of all large objects
 * @st: where to put them
 */
void pm_large_get_stats(struct pm_large_stats *st)
{
	st->live = atomic_long_read(&pm_large_counts.live);
	st->live_objects = atomic_long_read(&pm_large_counts.live_objects);
	st->cached = atomic_long_read(&pm_large_counts.cached);
	st->dirty = atomic_long_read(&pm_large_counts.dirty);
	st->allocs = atomic_long_read(&pm_large_counts.allocs);
	st->reused = atomic_long_read(&pm_large_counts.reused);
}

/**
 * pm_large_lock_all() - hold everything still, for fork()
 */
void pm_large_lock_all(void)
{
	mutex_lock(&pm_large_lock);
}

/**
 * pm_large_unlock_all() - let everything go on
 * @child: in the child of a fork(): whoever waits for the lock is not there
 */
void pm_large_unlock_all(bool child)
{
	if (child)
		mutex_init(&pm_large_lock);
	else
		mutex_unlock(&pm_large_lock);
}

static void pm_large_forgotten(struct pm_large *e)
{
	pm_large_free(e->addr);
}

/**
 * pm_large_exit() - free everything
 *
 * Objects that are still live go too: nobody is left to use them.
 *
 * Context: nobody uses the allocator any more.
 */
void pm_large_exit(void)
{
	struct pm_large *e, *next;

	pm_pagemap_each_large(pm_large_forgotten);
	pm_large_purge();
	mutex_lock(&pm_large_lock);
	list_for_each_entry_safe(e, next, &pm_pool.spare, node) {
		list_del(&e->node);
		pm_pool.nr_spare--;
		pm_meta_free(e, sizeof(*e));
	}
	mutex_unlock(&pm_large_lock);
}
