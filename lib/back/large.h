/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Large objects: everything above the largest class, and what is to be aligned to more
 * than a class is; an extent each.
 */
#ifndef PM_LARGE_H
#define PM_LARGE_H

#include "platform.h"
#include "back/extent.h"

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
	atomic_long_t allocs;
};

extern struct pm_large_counts pm_large_counts;

/**
 * pm_large_live() - bytes of large objects that callers hold
 */
static inline size_t pm_large_live(void)
{
	return atomic_long_read(&pm_large_counts.live);
}

void *pm_large_alloc(size_t size, size_t align, gfp_t gfp);
void *pm_large_alloc_charged(size_t size, size_t align, gfp_t gfp);
void *pm_large_alloc_grown(size_t size, gfp_t gfp);
bool pm_large_free(void *ptr);
struct pm_extent *pm_large_find(const void *ptr);
void *pm_large_resize(void *ptr, size_t size);
void pm_large_will_write(void *ptr, size_t size);
void pm_large_get_stats(struct pm_large_stats *st);
void pm_large_exit(void);

/**
 * pm_large_size() - bytes of a large object
 * @e: as pm_large_find() returned it
 */
static inline size_t pm_large_size(const struct pm_extent *e)
{
	return pm_extent_size(e);
}

#endif /* PM_LARGE_H */
