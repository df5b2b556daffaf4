/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The pool of free extents, and how extents are cut and joined.
 */
#ifndef PM_POOL_H
#define PM_POOL_H

#include "back/extent.h"

#define PM_NR_BINS		(4 * (PM_ADDR_BITS - PAGE_SHIFT))
#define PM_BIN_WORDS		BITS_TO_LONGS(PM_NR_BINS)

/**
 * struct pm_pool - the free extents
 * @lock: the extent lock: guards all but @inbox
 * @bin: free extents by size
 * @map: bins that are not empty
 * @age: free extents that are dirty, the longest free first
 * @spare: descriptors that stand for no extent
 * @nr_spare: how many
 * @lowest: first extent of the latest chunk
 * @mapped: bytes of all chunks
 * @ready: the lists are made
 * @inbox: extents that were freed while the lock was busy [lock-less]
 */
struct pm_pool {
	struct mutex lock;
	struct list_head bin[PM_NR_BINS];
	unsigned long map[PM_BIN_WORDS];
	struct list_head age;
	struct list_head spare;
	unsigned int nr_spare;
	struct pm_extent *lowest;
	size_t mapped;
	bool ready;
	struct llist_head inbox;
};

extern struct pm_pool pm_pool;

void pm_pool_prepare(void);
void pm_pool_forsake(void);
void pm_pool_add(struct pm_extent *e);
void pm_pool_del(struct pm_extent *e);
void pm_spare_put(struct pm_extent *e);
bool pm_pool_lock_provided(gfp_t gfp);
bool pm_pool_is_warm(size_t size);
void pm_extent_clip(struct pm_extent *e, char *from, char *to);
struct pm_extent *pm_extent_split(struct pm_extent *e, size_t size);
void pm_extent_join(struct pm_extent *e);
void pm_pool_merge(struct pm_extent *e);
void pm_extent_unlink(struct pm_extent *e);
void pm_chunk_link(struct pm_extent *e);
void pm_extent_expel(struct pm_extent *e, struct list_head *out);
bool pm_extent_can_go(const struct pm_extent *e);
void pm_pool_expel_some(size_t least, struct list_head *out);
void pm_pool_collect(void);
unsigned int pm_bin_next(unsigned int bin);
struct pm_extent *pm_extent_carve(struct pm_extent *e, size_t size,
				  size_t align);
struct pm_extent *pm_pool_get(size_t size, size_t align);

#endif /* PM_POOL_H */
