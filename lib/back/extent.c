// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Extents: runs of pages, cut from chunks.
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
 * Lock order: the extent lock is inside of everything but the platform's page
 * lock. Memory is never asked for with it held: the kernel might come to its
 * shrinker, which wants this lock.
 */
#include "back/extent.h"
#include "base/options.h"
#include "base/testing.h"
#include "base/trace.h"

#define PM_NR_BINS		(4 * (PM_ADDR_BITS - PAGE_SHIFT))
#define PM_BIN_WORDS		BITS_TO_LONGS(PM_NR_BINS)
#define PM_BIN_PROBES		8
#define PM_CACHE_MAX_OBJECT	(32UL << 20)	/* longer ones are not kept */
#define PM_DECAY_STEPS		16		/* extents to clean at once */
#define PM_TRIM_BYTES		(256UL << 10)	/* least to give back at once */
#define PM_SPARE_MIN		3		/* descriptors a request may use */
#define PM_SPARE_MORE		8

static DEFINE_MUTEX(pm_pool_lock);

/* [extent lock] */
static struct {
	struct list_head bin[PM_NR_BINS];	/* free extents by size */
	unsigned long map[PM_BIN_WORDS];	/* bins that are not empty */
	struct list_head age;
	struct list_head spare;
	unsigned int nr_spare;
	struct pm_extent *lowest;	/* first extent of the latest chunk */
	size_t mapped;
	bool ready;
} pm_pool;

/* Extents freed while the lock was busy. [lock-less] */
static struct llist_head pm_pool_inbox;

struct pm_extent_counts pm_extent_counts;

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
static void pm_extent_clip(struct pm_extent *e, char *from, char *to)
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

static void pm_pool_add(struct pm_extent *e)
{
	unsigned int bin = pm_bin_of(e->size);
	struct pm_extent *older;

	lockdep_assert_held(&pm_pool_lock);
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

static void pm_pool_del(struct pm_extent *e)
{
	unsigned int bin = pm_bin_of(e->size);

	lockdep_assert_held(&pm_pool_lock);
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
static struct pm_extent *pm_pool_find(size_t size)
{
	unsigned int bin = pm_bin_of(size), probes = 0;
	struct pm_extent *e, *best = NULL;

	lockdep_assert_held(&pm_pool_lock);
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

static struct pm_extent *pm_spare_get(void)
{
	struct pm_extent *e;

	lockdep_assert_held(&pm_pool_lock);
	e = list_first_entry(&pm_pool.spare, struct pm_extent, node);
	list_del(&e->node);
	pm_pool.nr_spare--;
	return e;
}

static void pm_spare_put(struct pm_extent *e)
{
	lockdep_assert_held(&pm_pool_lock);
	list_add(&e->node, &pm_pool.spare);
	pm_pool.nr_spare++;
}

static void pm_pool_prepare(void)
{
	unsigned int bin;

	lockdep_assert_held(&pm_pool_lock);
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
static bool pm_pool_lock_provided(gfp_t gfp)
{
	struct pm_extent *e;
	unsigned int i;
	bool enough;

	mutex_lock(&pm_pool_lock);
	pm_pool_prepare();
	while (unlikely(pm_pool.nr_spare < PM_SPARE_MIN)) {
		mutex_unlock(&pm_pool_lock);
		for (i = 0; i < PM_SPARE_MORE; i++) {
			e = pm_inject_fails(&pm_inject.meta) ? NULL :
				pm_meta_alloc(sizeof(*e), gfp);
			if (!e)
				break;
			mutex_lock(&pm_pool_lock);
			pm_spare_put(e);
			mutex_unlock(&pm_pool_lock);
		}
		mutex_lock(&pm_pool_lock);
		enough = pm_pool.nr_spare >= PM_SPARE_MIN;
		if (!e && !enough) {
			mutex_unlock(&pm_pool_lock);
			return false;
		}
	}
	return true;
}

/* ---- split, merge, release --------------------------------------------- */

/* Cut @e behind @size bytes. Return: the rest, on no list. */
static struct pm_extent *pm_extent_split(struct pm_extent *e, size_t size)
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
static void pm_extent_join(struct pm_extent *e)
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

/* Make an extent available, together with its free neighbours. */
static void pm_pool_merge(struct pm_extent *e)
{
	lockdep_assert_held(&pm_pool_lock);
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

/*
 * Whether an extent can go back to the host by itself: always, where a
 * mapping may be given back in pieces.
 */
static bool pm_extent_whole(const struct pm_extent *e)
{
	return PM_CHUNK_MIN || (!e->prev && !e->next);
}

static void pm_extent_unlink(struct pm_extent *e)
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
static void pm_chunk_link(struct pm_extent *e)
{
	struct pm_extent *above = pm_pool.lowest;

	lockdep_assert_held(&pm_pool_lock);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped + e->size);
	if (PM_CHUNK_MIN && above && !above->prev &&
	    (char *)e->addr + e->size == (char *)above->addr) {
		e->next = above;
		above->prev = e;
	}
	pm_pool.lowest = e;
}

/* Take a free extent out for good; the caller gives it back to the host. */
static void pm_extent_expel(struct pm_extent *e, struct list_head *out)
{
	pm_pool_del(e);
	pm_extent_unlink(e);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped - e->size);
	list_add(&e->node, out);
}

/* Without the lock: give extents back to the host. Return: bytes. */
static size_t pm_pool_release(struct list_head *list)
{
	struct pm_extent *e, *next;
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
static void pm_extent_clean(struct pm_extent *e, size_t excess,
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
		pm_pool_del(e);
		pm_extent_clip(e, e->dirty_from, e->dirty_to - excess);
		e->zero = !e->dirty_from;
		pm_pool_add(e);
	}
}

/* What is beyond the budget or the decay time goes, the oldest first. */
static void pm_pool_decay(struct list_head *out)
{
	u64 decay = (u64)pm_options.decay_ms * 1000000, now;
	struct pm_extent *e;
	unsigned int n;
	long excess;

	lockdep_assert_held(&pm_pool_lock);
	if (list_empty(&pm_pool.age))
		return;
	now = pm_host_clock_coarse_ns();
	for (n = 0; n < PM_DECAY_STEPS && !list_empty(&pm_pool.age); n++) {
		e = list_first_entry(&pm_pool.age, struct pm_extent, age);
		excess = atomic_long_read(&pm_extent_counts.dirty) -
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
	struct pm_extent *e;

	lockdep_assert_held(&pm_pool_lock);
	if (likely(llist_empty(&pm_pool_inbox)))
		return;
	node = llist_del_all(&pm_pool_inbox);
	while (node) {
		e = container_of(node, struct pm_extent, inbox);
		node = node->next;
		pm_pool_merge(e);
	}
}

static void pm_pool_unlock(struct list_head *out)
{
	mutex_unlock(&pm_pool_lock);
	pm_pool_release(out);
}

/* ---- get and put -------------------------------------------------------- */

/*
 * Cut @size bytes at a multiple of @align out of a free extent that is long
 * enough for both, where it has pages if it has; what is before and behind
 * stays free.
 */
static struct pm_extent *pm_extent_carve(struct pm_extent *e, size_t size,
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

static struct pm_extent *pm_pool_get(size_t size, size_t align)
{
	struct pm_extent *e = pm_pool_find(size + align - PAGE_SIZE);

	if (!e)
		return NULL;
	if (e->dirty_from)
		atomic_long_inc(&pm_extent_counts.reused);
	return pm_extent_carve(e, size, align);
}

/**
 * pm_extent_map() - map a new chunk, as one fresh extent that is on no list
 * @size: bytes that it has room for
 * @align: at this alignment, a power of two
 * @gfp: context
 *
 * The more is mapped already the longer it is.
 *
 * Context: no lock held; may sleep.
 * Return: extent that no list knows, or NULL.
 */
struct pm_extent *pm_extent_map(size_t size, size_t align, gfp_t gfp)
{
	size_t want, least = ALIGN(size, PAGE_SIZE);
	u64 begin = pm_trace_begin(large_map);
	struct pm_extent *e;

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

/**
 * pm_extent_get() - get a run of pages
 * @size: bytes, a multiple of the page size
 * @align: power of two, at least the page size
 * @gfp: context
 *
 * Context: may sleep.
 * Return: extent of exactly @size bytes, or NULL.
 */
struct pm_extent *pm_extent_get(size_t size, size_t align, gfp_t gfp)
{
	struct pm_extent *e, *chunk;
	LIST_HEAD(out);

	if (!pm_pool_lock_provided(gfp))
		return NULL;
	pm_pool_collect();
	e = pm_pool_get(size, align);
	if (e) {
		pm_pool_decay(&out);
		pm_pool_unlock(&out);
		return e;
	}
	mutex_unlock(&pm_pool_lock);
	chunk = pm_extent_map(size, align, gfp);
	if (!chunk)
		return NULL;
	if (!pm_pool_lock_provided(gfp)) {
		list_add(&chunk->node, &out);
		pm_pool_release(&out);
		return NULL;
	}
	pm_chunk_link(chunk);
	pm_pool_add(chunk);
	e = pm_extent_carve(chunk, size, align);
	mutex_unlock(&pm_pool_lock);
	return e;
}

/* Its owner may have written anywhere. */
static void pm_extent_soil(struct pm_extent *e)
{
	e->dirty_from = e->addr;
	e->dirty_to = (char *)e->addr + e->size;
	e->dirty = e->size;
	e->zero = false;
}

/**
 * pm_extent_put() - an extent is nobody's any more
 * @e: the extent
 *
 * Context: any. Never waits.
 */
void pm_extent_put(struct pm_extent *e)
{
	LIST_HEAD(out);

	pm_extent_soil(e);
	e->freed_at = pm_host_clock_coarse_ns();
	if (!pm_context_may_lock() || !mutex_trylock(&pm_pool_lock)) {
		/* Publishes the extent: pairs with llist_del_all(). */
		llist_add(&e->inbox, &pm_pool_inbox);
		return;
	}
	pm_pool_collect();
	if (e->size > PM_CACHE_MAX_OBJECT && pm_extent_whole(e)) {
		pm_pool_add(e);
		pm_extent_expel(e, &out);
	} else {
		pm_pool_merge(e);
	}
	pm_pool_decay(&out);
	pm_pool_unlock(&out);
}

/* ---- resize ------------------------------------------------------------- */

/**
 * pm_extent_resize() - grow into the free extent behind, or shrink
 * @e: the caller's extent
 * @size: bytes wanted, a multiple of the page size
 *
 * Context: may sleep.
 * Return: whether it has that size now.
 */
bool pm_extent_resize(struct pm_extent *e, size_t size)
{
	struct pm_extent *next;
	LIST_HEAD(out);
	bool done;

	if (!pm_pool_lock_provided(GFP_KERNEL))
		return false;
	pm_pool_collect();
	next = e->next;
	if (size > e->size && next && next->is_free &&
	    e->size + next->size >= size) {
		pm_pool_del(next);
		if (e->size + next->size > size)
			pm_pool_add(pm_extent_split(next, size - e->size));
		pm_extent_join(e);
	} else if (size < e->size) {
		pm_extent_soil(e);
		next = pm_extent_split(e, size);
		next->freed_at = pm_host_clock_coarse_ns();
		pm_pool_merge(next);
	}
	done = e->size == size;
	pm_pool_decay(&out);
	pm_pool_unlock(&out);
	return done;
}

/**
 * pm_extent_is_whole() - whether an extent is a chunk of its own
 * @e: the caller's extent
 *
 * Context: any.
 */
bool pm_extent_is_whole(const struct pm_extent *e)
{
	return !e->prev && !e->next;
}

/**
 * pm_extent_replace() - a chunk's pages have moved to another chunk
 * @from: extent that has no pages any more, forgotten
 * @to: as pm_extent_map() returned it
 *
 * Context: may sleep. Both are the caller's.
 */
void pm_extent_replace(struct pm_extent *from, struct pm_extent *to)
{
	mutex_lock(&pm_pool_lock);
	pm_extent_unlink(from);
	WRITE_ONCE(pm_pool.mapped, pm_pool.mapped - from->size);
	pm_spare_put(from);
	pm_chunk_link(to);
	mutex_unlock(&pm_pool_lock);
}

/**
 * pm_extent_unmap() - give a chunk back that was never used
 * @e: as pm_extent_map() returned it
 *
 * Context: may sleep.
 */
void pm_extent_unmap(struct pm_extent *e)
{
	pm_host_large_unmap(e->addr, e->size);
	pm_meta_free(e, sizeof(*e));
}

/* ---- give back, fork, end ---------------------------------------------- */

/**
 * pm_extents_decay() - give back what was free for the decay time
 *
 * Requests for extents do so by themselves; this is for others to call
 * now and then.
 *
 * Context: any that may take a lock; never waits for one.
 */
void pm_extents_decay(void)
{
	LIST_HEAD(out);

	if (!mutex_trylock(&pm_pool_lock))
		return;
	pm_pool_prepare();
	pm_pool_collect();
	pm_pool_decay(&out);
	pm_pool_unlock(&out);
}

static void pm_pool_expel_all(struct list_head *out)
{
	struct pm_extent *e, *next;
	unsigned int bin;

	for (bin = pm_bin_next(0); bin < PM_NR_BINS; bin = pm_bin_next(bin + 1))
		list_for_each_entry_safe(e, next, &pm_pool.bin[bin], node)
			if (pm_extent_whole(e))
				pm_extent_expel(e, out);
}

/**
 * pm_extents_purge() - give free extents back to the host
 *
 * Pages and address space: a process that is out of either gets both back.
 *
 * Context: may sleep.
 * Return: bytes of address space given back.
 */
size_t pm_extents_purge(void)
{
	LIST_HEAD(out);

	mutex_lock(&pm_pool_lock);
	pm_pool_prepare();
	pm_pool_collect();
	pm_pool_expel_all(&out);
	mutex_unlock(&pm_pool_lock);
	return pm_pool_release(&out);
}

/**
 * pm_extents_lock_all() - hold everything still, for fork()
 */
void pm_extents_lock_all(void)
{
	mutex_lock(&pm_pool_lock);
}

/**
 * pm_extents_unlock_all() - let everything go on
 * @child: in the child of a fork(): whoever waits for the lock is not there
 */
void pm_extents_unlock_all(bool child)
{
	if (child)
		mutex_init(&pm_pool_lock);
	else
		mutex_unlock(&pm_pool_lock);
}

/**
 * pm_extents_exit() - give everything back
 *
 * Context: nobody uses the allocator any more, and all extents are free.
 */
void pm_extents_exit(void)
{
	struct pm_extent *e, *next;

	pm_extents_purge();
	mutex_lock(&pm_pool_lock);
	list_for_each_entry_safe(e, next, &pm_pool.spare, node) {
		list_del(&e->node);
		pm_pool.nr_spare--;
		pm_meta_free(e, sizeof(*e));
	}
	mutex_unlock(&pm_pool_lock);
}
