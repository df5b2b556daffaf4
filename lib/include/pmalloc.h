/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * pmalloc: per-CPU arena allocator, the public interface.
 *
 * The same functions exist in pmalloc.ko (for other modules) and in
 * libpmalloc (for programs). The C names malloc(), free() ... of the
 * userspace library are declared by <stdlib.h> as always.
 */
#ifndef PMALLOC_H
#define PMALLOC_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/gfp.h>
#else
#include <stddef.h>
#include <stdbool.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#ifndef __KERNEL__
#pragma GCC visibility push(default)
#endif

/**
 * struct pm_totals - what the allocator as a whole holds
 * @mapped: bytes obtained from the host for heaps, spans and large objects
 * @live: bytes of objects that callers hold, rounded to their class
 * @magazine: bytes of free objects in magazines
 * @depot: bytes of free objects in depots
 * @slab_free: bytes of free objects in slabs that hold others
 * @heap_free: bytes of heaps that no slab uses
 * @large: bytes of live large objects, above 1 MiB, contained in @live
 * @large_cached: bytes of mappings for spans and large objects, kept for reuse
 * @meta: bytes of the allocator's own descriptors
 * @arenas: arenas that exist
 * @heaps: heaps that exist
 * @live_objects: objects that callers hold, large ones included
 * @large_objects: large ones among these
 * @misuse: times that bad input was found and the system went on
 *
 * The figures are gathered arena by arena while others allocate: each is
 * exact for its arena at the moment it was read, the sum is a snapshot.
 */
struct pm_totals {
	size_t mapped;
	size_t live;
	size_t magazine;
	size_t depot;
	size_t slab_free;
	size_t heap_free;
	size_t large;
	size_t large_cached;
	size_t meta;
	size_t arenas;
	size_t heaps;
	size_t live_objects;
	size_t large_objects;
	size_t misuse;
};

/**
 * pm_malloc() - allocate memory
 * @size: bytes, 0 gives a unique object of the smallest class
 *
 * Context: userspace: any thread, not a signal handler. Kernel: may sleep
 * (GFP_KERNEL); pm_malloc_gfp() takes other flags.
 * Return: an object aligned to 16 bytes, or NULL when there is no memory or
 * @size is above PTRDIFF_MAX.
 */
void *pm_malloc(size_t size);

/**
 * pm_calloc() - allocate an array of zeroes
 * @n: elements
 * @size: bytes of one element
 *
 * Context: as pm_malloc().
 * Return: zeroed object, or NULL (also when @n * @size overflows).
 */
void *pm_calloc(size_t n, size_t size);

/**
 * pm_aligned_alloc() - allocate aligned memory
 * @align: power of two, up to the page size times 2^20
 * @size: bytes
 *
 * Context: as pm_malloc().
 * Return: an object at a multiple of @align, or NULL (no memory, or @align
 * is no power of two).
 */
void *pm_aligned_alloc(size_t align, size_t size);

/**
 * pm_realloc() - change an object's size, moving it when need be
 * @ptr: live object or NULL
 * @size: bytes; 0 frees @ptr and returns NULL unless @ptr is NULL
 *
 * Context: as pm_malloc().
 * Return: the object, whose first bytes up to the smaller size are kept, or
 * NULL, in which case @ptr is as before (unless @size was 0).
 */
void *pm_realloc(void *ptr, size_t size);

/**
 * pm_free() - give an object back
 * @ptr: live object or NULL
 *
 * A pointer that is not a live object is reported in one line; then a
 * program is aborted, a kernel goes on after a warning.
 *
 * Context: userspace: as pm_malloc(). Kernel: any, interrupts included.
 * Never waits for a lock.
 */
void pm_free(void *ptr);

/**
 * pm_free_sized() - give an object back, and have its size checked
 * @ptr: live object or NULL
 * @size: bytes that were asked for when it was allocated
 *
 * Context: as pm_free().
 */
void pm_free_sized(void *ptr, size_t size);

/**
 * pm_malloc_lock() - allocate memory from an arena, past the magazines
 * @size: bytes
 *
 * The way that pm_malloc() goes when a CPU's magazine is empty: the policy
 * picks an arena, usually that of the CPU, its lock is tried, another arena is
 * used when it is busy, and waited for when all are. For programs that want to
 * see or to measure that; pm_malloc() is faster. What it returns is freed like
 * any other object.
 *
 * Context: as pm_malloc(). Takes and releases an arena's lock; none is held on
 * return.
 * Return: as pm_malloc().
 */
void *pm_malloc_lock(size_t size);

/**
 * pm_free_lock() - give an object back to its arena, past the magazines
 * @ptr: live object or NULL, from whichever function
 *
 * Under the arena's lock when that can be had at once; else the object is left
 * to the next holder.
 *
 * Context: as pm_free().
 */
void pm_free_lock(void *ptr);

/**
 * pm_usable_size() - bytes that an object can hold
 * @ptr: live object or NULL
 *
 * Return: the exact number of bytes that the caller may use, 0 for NULL.
 */
size_t pm_usable_size(const void *ptr);

/**
 * pm_trim() - give all free memory back to the host
 *
 * Drains every magazine and depot, purges free slabs, unmaps free heaps and
 * cached large mappings.
 *
 * Context: may sleep.
 * Return: bytes given back.
 */
size_t pm_trim(void);

/**
 * pm_limit_set() - limit what is mapped
 * @soft: bytes beyond which everything that is free is given back, and again
 *	whenever a sixteenth more is mapped; 0 for no limit
 * @hard: bytes beyond which requests fail; 0 for no limit
 *
 * Counted is what the host gave for heaps and large objects, in use or not, and
 * for descriptors. Where more than that is mapped already, what is free is
 * given back at once.
 *
 * Context: may sleep.
 * Return: 0, or -EINVAL when @soft is above @hard; then nothing has changed.
 */
int pm_limit_set(size_t soft, size_t hard);

/**
 * pm_limit_get() - read the limits
 * @soft: where to put the soft one, 0 for none
 * @hard: where to put the hard one, 0 for none
 *
 * Context: any.
 * Return: bytes that count now.
 */
size_t pm_limit_get(size_t *soft, size_t *hard);

/**
 * pm_arena_retire() - retire the arena of a CPU
 * @cpu: arena number; with arena=cpu it is the CPU number
 *
 * Unlinks the arena, lets another adopt its heaps, waits for a grace period
 * and releases it. Other threads may allocate and free meanwhile; one that
 * runs on @cpu later gets a new arena.
 *
 * Context: may sleep; not within the allocator.
 * Return: 0, -ENOENT when there is no such arena, -EBUSY when it is the last,
 * -EPERM when a sandbox refuses what a grace period needs.
 */
int pm_arena_retire(unsigned int cpu);

/**
 * pm_get_totals() - read the allocator's figures
 * @totals: where to put them
 *
 * Context: may sleep on arena locks.
 */
void pm_get_totals(struct pm_totals *totals);

/**
 * pm_report() - write a readable report
 * @buf: where to put it, may be NULL when @size is 0
 * @size: bytes of @buf
 * @json: JSON when true, aligned text otherwise
 *
 * Context: may sleep on arena locks. Allocates nothing.
 * Return: bytes that the whole report has without its final NUL; more than
 * @size - 1 when it was cut.
 */
size_t pm_report(char *buf, size_t size, bool json);

/* A cache: objects of one kind for one user. What is in it we alone know. */
struct pm_cache;

/* Flags of pm_cache_create(). */
#define PM_CACHE_HWALIGN	1U	/* each object begins a cache line */
#define PM_CACHE_ZERO		2U	/* objects are zeroes when handed out */

/**
 * pm_cache_create() - make a cache
 * @name: for reports; its first 31 characters are copied, and those that a report
 *	could not show are replaced
 * @size: bytes of an object, at least 1
 * @align: power of two up to 16384 that objects are aligned to; 0 and what is
 *	below 16 stand for 16
 * @flags: PM_CACHE_HWALIGN, PM_CACHE_ZERO, or both
 * @ctor: called for an object before it is handed out for the first time, or NULL.
 *	The object keeps its state from pm_cache_free() to the next
 *	pm_cache_alloc() that hands it out. An object whose memory went back in
 *	between counts as a new one. No lock is held: @ctor may allocate, from this
 *	cache, too. Not together with PM_CACHE_ZERO.
 *
 * An object may have up to 32768 bytes, of which a cache with a constructor needs
 * 16, or @align where that is more, for itself. There can be 64 caches.
 *
 * Context: may sleep. pm_cache_destroy() undoes it.
 * Return: the cache, or NULL: then errno (in a kernel the log) says EINVAL for
 * arguments that make no sense, E2BIG for objects that are too large, ENOSPC for
 * too many caches, ENOMEM.
 */
struct pm_cache *pm_cache_create(const char *name, size_t size, size_t align,
				 unsigned int flags, void (*ctor)(void *obj));

/**
 * pm_cache_alloc() - take an object out of a cache
 * @cache: the cache
 *
 * Context: as pm_malloc().
 * Return: an object, or NULL when there is no memory.
 */
void *pm_cache_alloc(struct pm_cache *cache);

/**
 * pm_cache_free() - give an object back to its cache
 * @cache: the cache that it was taken from
 * @ptr: live object or NULL; one of a cache with a constructor has to be as the
 *	next user wants to find it
 *
 * What is no object of @cache is reported in one line that says what it is, and of
 * which cache. pm_free() and its kin report objects of caches likewise.
 *
 * Context: as pm_free().
 */
void pm_cache_free(struct pm_cache *cache, void *ptr);

/**
 * pm_cache_shrink() - let others have the memory that a cache does not use
 * @cache: the cache, which others may use meanwhile
 *
 * Free objects leave magazines and depots, and memory that holds no object in use
 * can serve any other request; it goes back to the host after the decay time, or
 * with pm_trim().
 *
 * Context: may sleep.
 * Return: bytes that the cache has given up.
 */
size_t pm_cache_shrink(struct pm_cache *cache);

/**
 * pm_cache_destroy() - destroy a cache
 * @cache: the cache, which nobody else uses meanwhile, or NULL
 *
 * While an object is in use the cache stays as it is, can be used, and can be
 * destroyed later; one line says how many there are and where one of them is.
 *
 * Context: may sleep; not within the allocator.
 * Return: 0, -EBUSY while objects are in use, -EINVAL for what is no cache.
 */
int pm_cache_destroy(struct pm_cache *cache);

#ifdef __KERNEL__
/**
 * pm_cache_alloc_gfp() - take an object out of a cache in a given context
 * @cache: the cache
 * @gfp: as for pm_malloc_gfp(); __GFP_ZERO counts where there is no constructor,
 *	and nobody is charged: objects of a cache share their pages
 *
 * A constructor runs in the same context.
 *
 * Context: as @gfp says.
 * Return: object or NULL.
 */
void *pm_cache_alloc_gfp(struct pm_cache *cache, gfp_t gfp);

/**
 * pm_malloc_gfp() - allocate memory in a given context
 * @size: bytes
 * @gfp: GFP_KERNEL, GFP_NOFS, GFP_ATOMIC ..., with __GFP_ZERO zeroed, with
 *	__GFP_ACCOUNT charged
 *
 * Where @gfp forbids sleeping, only what is at hand without a lock can be
 * had; be ready for NULL.
 *
 * With __GFP_ACCOUNT the caller's memory cgroup is charged for the object's pages until
 * it is freed. They are its own: at least one, however small the object is. That
 * has to be a request that may sleep. pm_realloc() leaves the object charged.
 *
 * Context: as @gfp says.
 * Return: object or NULL.
 */
void *pm_malloc_gfp(size_t size, gfp_t gfp);
#endif

#ifndef __KERNEL__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* PMALLOC_H */
