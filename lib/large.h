/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Large objects: everything above the largest class, each a mapping of its
 * own.
 */
#ifndef PM_LARGE_H
#define PM_LARGE_H

#include "platform.h"

/**
 * struct pm_large - descriptor of a large object
 * @addr: first byte; set once while the object lives
 * @size: bytes mapped, all usable; changed by its owner only
 * @zero: the mapping is known to read as zero
 * @freed_at: coarse time at which it went into the cache
 * @node: place in the cache [large lock]
 */
struct pm_large {
	void *addr;
	size_t size;
	bool zero;
	u64 freed_at;
	struct list_head node;
};

/**
 * struct pm_large_stats - figures of all large objects
 * @live: bytes that callers hold
 * @live_objects: how many
 * @cached: bytes of mappings kept for reuse
 * @allocs: how many were ever allocated
 * @reused: how many of them came from the cache
 */
struct pm_large_stats {
	size_t live;
	size_t live_objects;
	size_t cached;
	u64 allocs;
	u64 reused;
};

void *pm_large_alloc(size_t size, size_t align, gfp_t gfp);
bool pm_large_free(void *ptr);
struct pm_large *pm_large_find(const void *ptr);
void *pm_large_resize(void *ptr, size_t size);
size_t pm_large_purge(u64 older_than);
void pm_large_get_stats(struct pm_large_stats *st);
void pm_large_lock_all(void);
void pm_large_unlock_all(bool child);

#endif /* PM_LARGE_H */
