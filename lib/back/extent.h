/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Extents: runs of pages, each in use or free.
 */
#ifndef PM_EXTENT_H
#define PM_EXTENT_H

#include "platform.h"
#include "back/resident.h"

/**
 * struct pm_extent - an extent: a run of pages, a span's, a large object's or free
 * @addr: first byte
 * @size: bytes, all usable; of one in use: changed by its owner only
 * @dirty_from: pages outside of @dirty_from to @dirty_to are the host's zeroes;
 *	NULL when all are
 * @dirty_to: end of that range
 * @dirty: bytes of that range that have pages, as far as we know
 * @zero: all of it reads as zero
 * @is_free: on a free list
 * @charged: a chunk of its own, for whose pages somebody is charged; set once
 * @class: class of the span that it is, 0 when it is none; its owner's
 * @freed_at: coarse time at which the latest part of it was freed
 * @prev: the extent that ends where this one begins, in the same chunk
 * @next: the extent that begins where this one ends, in the same chunk
 * @node: place among the free extents of its size, or the spare descriptors
 * @age: place among the free extents that are dirty, the longest free first
 * @inbox: place among those that were freed while the lock was busy
 *
 * Everything but @addr, and @size and @class of one in use, is guarded by the
 * extent lock; what has pages, of one in use, too, is its owner's.
 */
struct pm_extent {
	void *addr;
	size_t size;
	char *dirty_from;
	char *dirty_to;
	size_t dirty;
	bool zero;
	bool is_free;
	bool charged;
	u8 class;
	u64 freed_at;
	struct pm_extent *prev;
	struct pm_extent *next;
	struct list_head node;
	struct list_head age;
	struct llist_node inbox;
};

/**
 * struct pm_extent_counts - figures of the free ones
 * @cached: bytes
 * @dirty: bytes of these that may have pages
 * @reused: how often an extent was used again
 */
struct pm_extent_counts {
	/* private: */
	atomic_long_t cached;
	atomic_long_t dirty;
	atomic_long_t reused;
};

extern struct pm_extent_counts pm_extent_counts;

struct pm_extent *pm_extent_get(size_t size, size_t align, gfp_t gfp);
void pm_extent_put(struct pm_extent *e);
void pm_extent_soil(struct pm_extent *e);
bool pm_extent_resize(struct pm_extent *e, size_t size, size_t most);
struct pm_extent *pm_extent_map_alone(size_t size, size_t align, gfp_t gfp);
void pm_extent_unmap(struct pm_extent *e);
void pm_extent_replace(struct pm_extent *from, struct pm_extent *to);
void pm_extent_each_fresh(const struct pm_extent *e, char *from, char *to,
			  void (*fn)(char *from, char *to));
void pm_extents_decay(void);
size_t pm_extents_shed(size_t least);
size_t pm_extents_mapped(void);
void pm_extents_resident(struct pm_resident *sum);
bool pm_extents_are_warm(size_t size);
void pm_extents_lock_all(void);
void pm_extents_unlock_all(bool child);
void pm_extents_exit(void);

/**
 * pm_extent_addr() - first byte of an extent
 * @e: the caller's extent
 */
static inline void *pm_extent_addr(const struct pm_extent *e)
{
	return e->addr;
}

/**
 * pm_extent_size() - bytes of an extent
 * @e: the caller's extent
 */
static inline size_t pm_extent_size(const struct pm_extent *e)
{
	return e->size;
}

/**
 * pm_extent_class() - class of the span that an extent is
 * @e: extent in use
 *
 * Return: class number, 0 when it is no span.
 */
static inline unsigned int pm_extent_class(const struct pm_extent *e)
{
	return READ_ONCE(e->class);
}

/**
 * pm_extent_set_class() - say which class of spans an extent belongs to
 * @e: the caller's extent
 * @class: class number; 0 for none, as a free extent has to have
 */
static inline void pm_extent_set_class(struct pm_extent *e, unsigned int class)
{
	WRITE_ONCE(e->class, class);
}

/**
 * pm_extent_is_charged() - whether somebody is charged for an extent
 * @e: extent in use
 */
static inline bool pm_extent_is_charged(const struct pm_extent *e)
{
	return __GFP_ACCOUNT && e->charged;
}

/**
 * pm_extent_is_zero() - whether all of an extent reads as zero
 * @e: the caller's extent
 */
static inline bool pm_extent_is_zero(const struct pm_extent *e)
{
	return e->zero;
}

/**
 * pm_extents_cached() - bytes of the free extents
 */
static inline size_t pm_extents_cached(void)
{
	return atomic_long_read(&pm_extent_counts.cached);
}

/**
 * pm_extents_dirty() - bytes of the free extents that may have pages
 */
static inline size_t pm_extents_dirty(void)
{
	return atomic_long_read(&pm_extent_counts.dirty);
}

/**
 * pm_extents_reused() - how often an extent was used again
 */
static inline size_t pm_extents_reused(void)
{
	return atomic_long_read(&pm_extent_counts.reused);
}

/**
 * pm_extents_purge() - give all free extents back to the host
 *
 * Context: may sleep.
 * Return: bytes of address space given back.
 */
static inline size_t pm_extents_purge(void)
{
	return pm_extents_shed(SIZE_MAX);
}

/**
 * pm_extent_end() - first byte behind an extent
 * @e: the caller's extent
 */
static inline char *pm_extent_end(const struct pm_extent *e)
{
	return (char *)e->addr + e->size;
}

#endif /* PM_EXTENT_H */
