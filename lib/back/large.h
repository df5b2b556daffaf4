/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Large objects: everything above the largest class, whole pages each.
 */
#ifndef PM_LARGE_H
#define PM_LARGE_H

#include "platform.h"

/**
 * struct pm_large - an extent: a run of pages, a large object's or free
 * @addr: first byte
 * @size: bytes, all usable; of an object: changed by its owner only
 * @dirty_from: pages outside of @dirty_from to @dirty_to are the host's zeroes;
 *	NULL when all are
 * @dirty_to: end of that range
 * @dirty: bytes of that range that have pages, as far as we know
 * @zero: all of it reads as zero
 * @is_free: on a free list
 * @freed_at: coarse time at which the latest part of it was freed
 * @prev: the extent that ends where this one begins, in the same chunk
 * @next: the extent that begins where this one ends, in the same chunk
 * @node: place among the free extents of its size, or the spare descriptors
 * @age: place among the free extents that are dirty, the longest free first
 * @inbox: place among those that were freed while the lock was busy
 *
 * Everything but @addr, and @size of an object, is guarded by the large lock.
 */
struct pm_large {
	void *addr;
	size_t size;
	char *dirty_from;
	char *dirty_to;
	size_t dirty;
	bool zero;
	bool is_free;
	u64 freed_at;
	struct pm_large *prev;
	struct pm_large *next;
	struct list_head node;
	struct list_head age;
	struct llist_node inbox;
};

/**
 * struct pm_large_stats - figures of all large objects
 * @live: bytes that callers hold
 * @live_objects: how many
 * @cached: bytes of free extents
 * @dirty: bytes of these that may have pages
 * @allocs: how many objects were ever allocated
 * @reused: how many of them came from an extent that was freed before
 */
struct pm_large_stats {
	size_t live;
	size_t live_objects;
	size_t cached;
	size_t dirty;
	u64 allocs;
	u64 reused;
};

/**
 * struct pm_large_counts - where they are counted; members as above [atomic]
 */
struct pm_large_counts {
	/* private: */
	atomic_long_t live;
	atomic_long_t live_objects;
	atomic_long_t cached;
	atomic_long_t dirty;
	atomic_long_t allocs;
	atomic_long_t reused;
};

extern struct pm_large_counts pm_large_counts;

void *pm_large_alloc(size_t size, size_t align, gfp_t gfp);
bool pm_large_free(void *ptr);
struct pm_large *pm_large_find(const void *ptr);
void *pm_large_resize(void *ptr, size_t size);
void pm_large_will_write(void *ptr, size_t size);
void pm_large_decay(void);
size_t pm_large_purge(void);
void pm_large_get_stats(struct pm_large_stats *st);
void pm_large_lock_all(void);
void pm_large_unlock_all(bool child);
void pm_large_exit(void);

#endif /* PM_LARGE_H */
