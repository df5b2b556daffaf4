// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The page map's slow half: leaves, heaps and large objects enter and leave.
 */
#include "pagemap.h"
#include "check.h"
#include "heap.h"
#include "large.h"

struct pm_leaf *pm_root[PM_ROOT_ENTRIES];
struct pm_home pm_home __read_mostly = { .index = ~0UL };

static unsigned int pm_leaf_unit(const void *p)
{
	return (u32)pm_addr_key(p) >> PM_UNIT_SHIFT;
}

/**
 * pm_pagemap_leaf() - the leaf that an address belongs to, made when missing
 * @p: address that the host gave us
 * @gfp: context
 *
 * Two callers may make the same leaf; the exchange lets one win, and its
 * full barrier publishes the zeroes before the pointer.
 *
 * Return: leaf, or NULL when there is no memory for it.
 */
struct pm_leaf *pm_pagemap_leaf(const void *p, gfp_t gfp)
{
	unsigned long key = pm_addr_key(p);
	struct pm_leaf **slot, *leaf, *won;

	if (key >> PM_ADDR_BITS)
		return NULL;
	slot = &pm_root[key >> PM_LEAF_SHIFT];
	leaf = READ_ONCE(*slot);
	if (leaf)
		return leaf;
	leaf = pm_inject_fails(&pm_inject.meta) ? NULL :
		pm_meta_alloc(sizeof(*leaf), gfp);
	if (!leaf)
		return NULL;
	won = cmpxchg(slot, NULL, leaf);
	if (!won) {
		if (!cmpxchg(&pm_home.leaf, NULL, leaf)) {
			/* The leaf before its index: pm_pagemap_class(). */
			smp_store_release(&pm_home.index, key >> PM_LEAF_SHIFT);
		}
		return leaf;
	}
	pm_meta_free(leaf, sizeof(*leaf));
	return won;
}

/**
 * pm_pagemap_add_heap() - make a heap findable
 * @heap: the heap; its units have class 0 so far
 * @gfp: context
 *
 * Return: false when there is no memory for a leaf.
 */
bool pm_pagemap_add_heap(struct pm_heap *heap, gfp_t gfp)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(heap->base, gfp);

	if (!leaf)
		return false;
	/* Pairs with the loads of whoever was handed an object from here. */
	smp_store_release(&leaf->heap[(u32)pm_addr_key(heap->base) >>
				      PM_HEAP_SHIFT], heap);
	return true;
}

/**
 * pm_pagemap_del_heap() - forget a heap
 * @heap: the heap, no slab left in it
 */
void pm_pagemap_del_heap(struct pm_heap *heap)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(heap->base, GFP_NOWAIT);

	WRITE_ONCE(leaf->heap[(u32)pm_addr_key(heap->base) >> PM_HEAP_SHIFT],
		   NULL);
}

/**
 * pm_pagemap_set_class() - say what a run of units is
 * @p: start of the first unit, in a heap that was added
 * @units: how many
 * @class: class number, or 0
 */
void pm_pagemap_set_class(const void *p, unsigned int units, u8 class)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(p, GFP_NOWAIT);
	unsigned int unit = pm_leaf_unit(p);

	while (units--)
		WRITE_ONCE(leaf->class[unit++], class);
}

static struct pm_region **pm_region_slot(struct pm_leaf *leaf, const void *p)
{
	return &leaf->region[(u32)pm_addr_key(p) >> PM_REGION_SHIFT];
}

static struct pm_large **pm_large_slot(const void *p)
{
	struct pm_leaf *leaf = READ_ONCE(pm_root[pm_addr_key(p) >>
						 PM_LEAF_SHIFT]);
	struct pm_region *region = READ_ONCE(*pm_region_slot(leaf, p));

	return &region->large[pm_leaf_unit(p) & (PM_REGION_UNITS - 1)];
}

/**
 * pm_pagemap_add_large() - make a large object findable
 * @large: the object, not yet handed out
 * @gfp: context
 *
 * Return: false when there is no memory for the map.
 */
bool pm_pagemap_add_large(struct pm_large *large, gfp_t gfp)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(large->addr, gfp);
	struct pm_region *region, **slot;
	unsigned long page;

	if (!leaf)
		return false;
	slot = pm_region_slot(leaf, large->addr);
	if (!READ_ONCE(*slot)) {
		region = pm_inject_fails(&pm_inject.meta) ? NULL :
			pm_meta_alloc(sizeof(*region), gfp);
		if (!region)
			return false;
		if (cmpxchg(slot, NULL, region))
			pm_meta_free(region, sizeof(*region));
	}
	page = (pm_addr_key(large->addr) & (PM_UNIT_SIZE - 1)) >> PAGE_SHIFT;
	/* The descriptor is complete before it can be found. */
	smp_store_release(pm_large_slot(large->addr), large);
	WRITE_ONCE(leaf->class[pm_leaf_unit(large->addr)],
		   PM_CLASS_LARGE + page);
	return true;
}

/**
 * pm_pagemap_large() - large object that starts at an address
 * @p: address in a unit whose class is PM_CLASS_LARGE or above
 *
 * Return: descriptor, or NULL when none starts at exactly @p.
 */
struct pm_large *pm_pagemap_large(const void *p)
{
	struct pm_large *large = READ_ONCE(*pm_large_slot(p));

	return large && large->addr == p ? large : NULL;
}

/**
 * pm_pagemap_take_large() - remove a large object from the map
 * @p: as for pm_pagemap_large()
 *
 * Of two that free the same object one gets it: the exchange decides.
 *
 * Return: descriptor, now the caller's alone, or NULL.
 */
struct pm_large *pm_pagemap_take_large(const void *p)
{
	struct pm_large *large = pm_pagemap_large(p);
	struct pm_leaf *leaf;

	if (!large || cmpxchg(pm_large_slot(p), large, NULL) != large)
		return NULL;
	leaf = pm_pagemap_leaf(p, GFP_NOWAIT);
	WRITE_ONCE(leaf->class[pm_leaf_unit(p)], 0);
	return large;
}

/**
 * pm_pagemap_destroy() - free every leaf
 *
 * Context: nobody uses the allocator any more.
 */
void pm_pagemap_destroy(void)
{
	struct pm_leaf *leaf;
	unsigned long i, r;

	for (i = 0; i < PM_ROOT_ENTRIES; i++) {
		leaf = pm_root[i];
		if (!leaf)
			continue;
		for (r = 0; r < PM_LEAF_REGIONS; r++)
			pm_meta_free(leaf->region[r], sizeof(*leaf->region[r]));
		pm_meta_free(leaf, sizeof(*leaf));
		pm_root[i] = NULL;
		pm_home.index = ~0UL;
		pm_home.leaf = NULL;
	}
}
