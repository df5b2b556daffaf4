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

/*
 * Where the system's setting is `always`, a program gets huge pages unless it
 * says no: 2 MiB where it writes to a few bytes. So thp=off says no, for each
 * mapping. A kernel without huge pages does not know the request.
 */
static void pm_refuse_huge(void *addr, size_t size)
{
	static bool unknown;

	if (pm_options.thp || READ_ONCE(unknown) || !pm_filter_allows(true))
		return;
	if (madvise(addr, size, MADV_NOHUGEPAGE) && errno == EINVAL)
		WRITE_ONCE(unknown, true);
}

/* ---- heaps ------------------------------------------------------------- */

/*
 * Map @size bytes at an aligned address, asking for more and cutting it. The
 * cut-off tail and head go back at once.
 */
static char *pm_map_aligned(size_t size, size_t align)
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

void *pm_host_heap_map(size_t *size, size_t least __maybe_unused, bool huge,
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
	if (p && huge && want == PM_HEAP_SIZE)
		madvise(p, want, MADV_HUGEPAGE);
	else if (p)
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

long pm_host_resident(const void *addr, size_t size)
{
	unsigned char there[1024];
	size_t pages = min_t(size_t, size / PAGE_SIZE, sizeof(there)), i;
	int saved = errno;
	long bytes = 0;

	if (!pm_filter_allows(false) ||
	    mincore((void *)addr, pages * PAGE_SIZE, there)) {
		errno = saved;
		return -1;
	}
	for (i = 0; i < pages; i++)
		bytes += there[i] & 1 ? PAGE_SIZE : 0;
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

static struct {
	char *at;
	char *end;
	struct pm_meta_bin bin[PM_META_BINS];
} pm_meta; /* [page lock] */

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

static void *pm_meta_carve(size_t size)
{
	size_t chunk = PM_META_CHUNK;
	char *p;

	lockdep_assert_held(&pm_page_lock);
	if ((size_t)(pm_meta.end - pm_meta.at) >= size) {
		p = pm_meta.at;
		pm_meta.at += size;
		return p;
	}
	/* A long one has pages of its own; what a chunk has left stays. */
	if (size >= PM_META_CHUNK / 2) {
		p = pm_map(NULL, ALIGN(size, PAGE_SIZE), 0);
		if (p)
			pm_meta_total += ALIGN(size, PAGE_SIZE);
		return p;
	}
	while (!(p = pm_map(NULL, chunk, 0))) {
		chunk /= 2;
		if (chunk < ALIGN(size, PAGE_SIZE))
			return NULL;
	}
	pm_meta_total += chunk;
	pm_meta.at = p + size;
	pm_meta.end = p + chunk;
	return p;
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
		memset(p, 0, size);
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
