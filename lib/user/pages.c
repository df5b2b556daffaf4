// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory of a process: heaps, large objects and descriptors, all from
 * mmap().
 *
 * No gigabytes are reserved: a heap is mapped when it is needed, at an
 * aligned address next to the last one. So the library works under a small
 * `ulimit -v`, and when that runs out heaps become shorter.
 */
#include <sys/mman.h>
#include "back/pagemap.h"
#include "base/options.h"
#include "user.h"

#define PM_HEAP_SIZE		(1UL << PM_HEAP_SHIFT)
#define PM_HEAP_MIN_SIZE	(16UL * PM_UNIT_SIZE)
#define PM_META_CHUNK		(128UL << 10)
#define PM_META_BINS		40
#define PM_META_MAP		ALIGN(sizeof(struct pm_meta_map), SMP_CACHE_BYTES)

/* Guards what follows; innermost of all locks. */
static DEFINE_MUTEX(pm_page_lock);

/* Where the next heap is tried: below the last one. [page lock] */
static char *pm_heap_hint;

static void *pm_map(void *addr, size_t size, int flags)
{
	void *p = mmap(addr, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* ---- heaps ------------------------------------------------------------- */

/**
 * pm_map_aligned() - map memory at an aligned address
 * @size: bytes, a multiple of the page size
 * @align: a power of two, likewise
 *
 * More is asked for and cut; tail and head go back at once.
 *
 * Context: any. Changes errno.
 * Return: the memory, or NULL.
 */
char *pm_map_aligned(size_t size, size_t align)
{
	char *p = pm_map(NULL, size + align - PAGE_SIZE, 0), *start, *end;

	if (!p)
		return NULL;
	end = p + size + align - PAGE_SIZE;
	start = (char *)ALIGN((unsigned long)p, align);
	if (start > p)
		munmap(p, start - p);
	if (end > start + size)
		munmap(start + size, end - start - size);
	return start;
}

/*
 * Address space is short: no room for the detour of cutting. Look for a free
 * place below the last heap, for a heap of @size bytes.
 */
static char *pm_map_short(size_t size)
{
	char *at = pm_heap_hint, *p;
	int tries;

	if (!at) {
		p = pm_map(NULL, PAGE_SIZE, 0);
		if (!p)
			return NULL;
		munmap(p, PAGE_SIZE);
		at = (char *)ALIGN_DOWN((unsigned long)p, PM_HEAP_SIZE);
	}
	for (tries = 0; tries < 64; tries++, at -= PM_HEAP_SIZE) {
		if (!pm_pagemap_place_is_free(at))
			continue;
		p = pm_map(at, size, MAP_FIXED_NOREPLACE);
		if (p == at)
			return p;
		if (p)		/* a kernel that takes the address for a hint */
			munmap(p, size);
		else if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}

void *pm_host_heap_map(size_t *size, size_t least __maybe_unused,
		       gfp_t gfp __maybe_unused)
{
	size_t want = *size;
	int saved = errno;
	char *p = NULL;

	mutex_lock(&pm_page_lock);
	if (pm_heap_hint && want == PM_HEAP_SIZE) {
		p = pm_map(pm_heap_hint, want, MAP_FIXED_NOREPLACE);
		if (p && p != pm_heap_hint) {
			munmap(p, want);
			p = NULL;
		}
	}
	if (!p)
		p = pm_map_aligned(want, PM_HEAP_SIZE);
	while (!p && want >= PM_HEAP_MIN_SIZE) {
		p = pm_map_short(want);
		if (!p)
			want /= 2;
	}
	if (p)
		pm_heap_hint = p - PM_HEAP_SIZE;
	mutex_unlock(&pm_page_lock);
	if (p)
		pm_refuse_huge(p, want);
	*size = want;
	errno = saved;
	return p;
}

void pm_host_heap_unmap(void *addr, size_t size)
{
	int saved = errno;

	munmap(addr, size);
	mutex_lock(&pm_page_lock);
	pm_heap_hint = addr;	/* so that addresses do not creep */
	mutex_unlock(&pm_page_lock);
	errno = saved;
}

bool pm_host_purge(void *addr, size_t size)
{
	int saved = errno;
	bool purged = !madvise(addr, size, MADV_DONTNEED);

	errno = saved;
	return purged;
}

/*
 * A kernel before 5.14 does not know the request; then pages come by fault, as
 * they do when it fails for any other reason.
 */
void pm_host_populate(void *addr, size_t size)
{
	static bool unknown;
	int saved = errno;

	if (!READ_ONCE(unknown) && pm_filter_allows(true) &&
	    madvise(addr, size, PM_POPULATE_WRITE) && errno == EINVAL)
		WRITE_ONCE(unknown, true);
	errno = saved;
}

bool pm_host_pages(const void *addr, size_t pages, unsigned long *has)
{
	unsigned char there[PM_PAGES_AT_ONCE];
	int saved = errno;
	bool known;
	size_t i;

	pages = min_t(size_t, pages, sizeof(there));
	known = pm_filter_allows(false) &&
		!mincore((void *)addr, pages * PAGE_SIZE, there);
	errno = saved;
	if (!known)
		return false;
	memset(has, 0, BITS_TO_LONGS(pages) * sizeof(*has));
	for (i = 0; i < pages; i++)
		if (there[i] & 1)
			__set_bit(i, has);
	return true;
}

long pm_host_resident(const void *addr, size_t size)
{
	unsigned long has[BITS_TO_LONGS(PM_PAGES_AT_ONCE)];
	size_t pages = min_t(size_t, size / PAGE_SIZE, PM_PAGES_AT_ONCE), w;
	long bytes = 0;

	if (!pm_host_pages(addr, pages, has))
		return -1;
	for (w = 0; w < BITS_TO_LONGS(pages); w++)
		bytes += hweight_long(has[w]) * PAGE_SIZE;
	return bytes;
}

/* ---- large objects ----------------------------------------------------- */

void *pm_host_large_map(size_t *size, size_t align, gfp_t gfp __maybe_unused)
{
	int saved = errno;
	size_t sum;
	char *p;

	/* Below the last one there is, as a rule, a place that is aligned. */
	p = align <= PM_EXTENT_GRAIN ? pm_map(NULL, *size, 0) : NULL;
	if (align > PM_EXTENT_GRAIN || !IS_ALIGNED((unsigned long)p, align)) {
		if (p)
			munmap(p, *size);
		p = check_add_overflow(*size, align, &sum) ? NULL :
			pm_map_aligned(*size, align);
	}
	if (p)
		pm_refuse_huge(p, *size);
	errno = saved;
	return p;
}

void pm_host_large_unmap(void *addr, size_t size)
{
	int saved = errno;

	munmap(addr, size);
	errno = saved;
}

/* Nothing tells but to try. */
bool pm_host_has_room(size_t size, size_t align)
{
	void *p = pm_host_large_map(&size, align, GFP_KERNEL);

	if (!p)
		return false;
	pm_host_large_unmap(p, size);
	return true;
}

bool pm_host_large_remap(void *addr, size_t old_size, size_t new_size,
			 void *to)
{
	int saved = errno;
	void *p;

	if (!pm_filter_allows(true))
		return false;
	p = mremap(addr, old_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED,
		   to);
	errno = saved;
	return p != MAP_FAILED;
}

/* ---- descriptors ------------------------------------------------------- */

/*
 * Descriptors come in few sizes. A freed one is kept for the next of its
 * size and never unmapped, which is more than the contract asks for: a
 * reader may look at it at any time later.
 */
struct pm_meta_bin {
	size_t size;
	void *free;
};

/**
 * struct pm_meta_map - a mapping for descriptors; one lies in it, or in another
 * @next: the one before
 * @at: its first byte
 * @size: its bytes
 *
 * They stay for good, so whoever has one may look at all that follow.
 */
struct pm_meta_map {
	struct pm_meta_map *next;
	char *at;
	size_t size;
};

static struct {
	char *at;
	char *end;
	struct pm_meta_bin bin[PM_META_BINS];
	struct pm_meta_map *maps;
} pm_meta; /* [page lock; @maps is read without it] */

/* Bytes of all that was mapped for descriptors. [page lock] */
size_t pm_meta_total;

static struct pm_meta_bin *pm_meta_bin(size_t size)
{
	struct pm_meta_bin *bin = pm_meta.bin;

	lockdep_assert_held(&pm_page_lock);
	for (; bin < pm_meta.bin + PM_META_BINS; bin++) {
		if (!bin->size)
			bin->size = size;
		if (bin->size == size)
			return bin;
	}
	return NULL;
}

/* @map says that there are @size bytes at @at. */
static void pm_meta_note(struct pm_meta_map *map, char *at, size_t size)
{
	lockdep_assert_held(&pm_page_lock);
	map->at = at;
	map->size = size;
	map->next = pm_meta.maps;
	/* Complete before it is found: pm_meta_resident(). */
	smp_store_release(&pm_meta.maps, map);
	pm_meta_total += size;
}

static bool pm_meta_has(size_t size)
{
	return (size_t)(pm_meta.end - pm_meta.at) >= size;
}

static void *pm_meta_cut(size_t size)
{
	char *p = pm_meta.at;

	lockdep_assert_held(&pm_page_lock);
	pm_meta.at += size;
	return p;
}

/* A new chunk, in which @size bytes are left; what the old one has left stays. */
static bool pm_meta_chunk(size_t size)
{
	size_t chunk = PM_META_CHUNK;
	char *p;

	size += PM_META_MAP;
	while (!(p = pm_map(NULL, chunk, 0))) {
		chunk /= 2;
		if (chunk < ALIGN(size, PAGE_SIZE))
			return false;
	}
	pm_meta.at = p;
	pm_meta.end = p + chunk;
	pm_meta_note(pm_meta_cut(PM_META_MAP), p, chunk);
	return true;
}

/* Pages of its own. */
static void *pm_meta_alone(size_t size)
{
	char *p;

	size = ALIGN(size, PAGE_SIZE);
	if (!pm_meta_has(PM_META_MAP) && !pm_meta_chunk(PM_META_MAP))
		return NULL;
	p = pm_map(NULL, size, 0);
	if (p)
		pm_meta_note(pm_meta_cut(PM_META_MAP), p, size);
	return p;
}

static void *pm_meta_carve(size_t size)
{
	lockdep_assert_held(&pm_page_lock);
	if (pm_meta_has(size))
		return pm_meta_cut(size);
	if (size >= PM_META_CHUNK / 2)
		return pm_meta_alone(size);
	return pm_meta_chunk(size) ? pm_meta_cut(size) : NULL;
}

/* The whole pages of a descriptor, but for the link in its first word. */
static char *pm_meta_inner(void *ptr, size_t size, size_t *inner)
{
	char *from = (char *)ALIGN((unsigned long)ptr + sizeof(void *), PAGE_SIZE);
	char *end = (char *)ALIGN_DOWN((unsigned long)ptr + size, PAGE_SIZE);

	*inner = from < end ? end - from : 0;
	return from;
}

/* A descriptor that waits for its next use has no pages inside, and is zero there. */
static void pm_meta_park(void *ptr, size_t size)
{
	char *from = pm_meta_inner(ptr, size, &size);

	if (size && !pm_host_purge(from, size))
		memset(from, 0, size);
}

/* It is zero inside: the rest shall be, too. */
static void pm_meta_unpark(void *ptr, size_t size)
{
	char *end = (char *)ptr + size, *from = pm_meta_inner(ptr, size, &size);

	if (!size)
		from = end;
	memset(ptr, 0, from - (char *)ptr);
	memset(from + size, 0, end - from - size);
}

void *pm_meta_alloc(size_t size, gfp_t gfp __maybe_unused)
{
	struct pm_meta_bin *bin;
	int saved = errno;
	void *p = NULL;

	size = ALIGN(size, SMP_CACHE_BYTES);
	mutex_lock(&pm_page_lock);
	bin = pm_meta_bin(size);
	if (bin && bin->free) {
		p = bin->free;
		bin->free = *(void **)p;
	}
	if (!p) {
		p = pm_meta_carve(size);
		mutex_unlock(&pm_page_lock);
	} else {
		mutex_unlock(&pm_page_lock);
		pm_meta_unpark(p, size);
	}
	errno = saved;
	return p;
}

void pm_meta_free(void *ptr, size_t size)
{
	struct pm_meta_bin *bin;

	if (!ptr)
		return;
	size = ALIGN(size, SMP_CACHE_BYTES);
	pm_meta_park(ptr, size);
	mutex_lock(&pm_page_lock);
	bin = pm_meta_bin(size);
	if (bin) {
		*(void **)ptr = bin->free;
		bin->free = ptr;
	}
	mutex_unlock(&pm_page_lock);
}

size_t pm_meta_bytes(void)
{
	return READ_ONCE(pm_meta_total);
}

long pm_meta_resident(void)
{
	/* Pairs with pm_meta_note(). */
	const struct pm_meta_map *map = smp_load_acquire(&pm_meta.maps);
	long bytes = 0, some;
	size_t at, n;

	for (; map; map = map->next) {
		for (at = 0; at < map->size; at += n) {
			n = min_t(size_t, map->size - at,
				  PM_PAGES_AT_ONCE * PAGE_SIZE);
			some = pm_host_resident(map->at + at, n);
			if (some < 0)
				return some;
			bytes += some;
		}
	}
	return bytes;
}

void pm_pages_lock(void)
{
	pm_mutex_halt(&pm_page_lock);
}

void pm_pages_unlock(bool child)
{
	if (!child) {
		pm_mutex_resume(&pm_page_lock);
		return;
	}
	/*
	 * A thread that is not here may have been between the two: a new chunk
	 * with the old one's end. Bins change by one store each.
	 */
	if (pm_mutex_is_others(&pm_page_lock)) {
		pm_meta.at = NULL;
		pm_meta.end = NULL;
	}
	pm_mutex_restart(&pm_page_lock);
}
