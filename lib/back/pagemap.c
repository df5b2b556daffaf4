// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The page map's slow half: leaves, heaps and large objects enter and leave.
 */
#include "back/pagemap.h"
#include "base/testing.h"

struct pm_branch *pm_root[PM_ROOT_ENTRIES];
struct pm_first_leaf pm_first_leaf __read_mostly = { .index = ~0UL };

/* Where a leaf says what an address is. */
static u8 *pm_leaf_class(struct pm_leaf *leaf, const void *p)
{
	return &leaf->class[(u32)pm_addr_key(p) >> PM_STEP_SHIFT];
}

/*
 * What an entry of root, branch or leaf leads to, made when missing. Two may make the
 * same; the exchange lets one win, and its full barrier publishes the zeroes
 * before the pointer. NULL when there is no memory for it.
 */
static void *pm_node_provide(void **entry, size_t size, gfp_t gfp)
{
	void *node, *won;

	/* Pairs with the exchange below: another's node is seen with its zeroes. */
	node = smp_load_acquire(entry);
	if (node)
		return node;
	node = pm_inject_fails(&pm_inject.meta) ? NULL :
		pm_meta_alloc(size, gfp);
	if (!node)
		return NULL;
	won = cmpxchg(entry, NULL, node);
	if (!won)
		return node;
	pm_meta_free(node, size);
	return won;
}

/**
 * pm_pagemap_leaf() - the leaf that an address belongs to, made when missing
 * @p: address that the host gave us
 * @gfp: context
 *
 * Return: leaf, or NULL when there is no memory for it.
 */
struct pm_leaf *pm_pagemap_leaf(const void *p, gfp_t gfp)
{
	unsigned long index = pm_addr_key(p) >> PM_LEAF_SHIFT;
	struct pm_leaf *leaf = pm_leaf_of(pm_addr_key(p));
	struct pm_branch *branch;

	if (likely(leaf) || index >= PM_LEAVES)
		return leaf;
	branch = pm_node_provide((void **)&pm_root[index / PM_BRANCH_LEAVES],
				 sizeof(*branch), gfp);
	if (!branch)
		return NULL;
	leaf = pm_node_provide((void **)&branch->leaf[index % PM_BRANCH_LEAVES],
			       sizeof(*leaf), gfp);
	if (leaf && !cmpxchg(&pm_first_leaf.leaf, NULL, leaf)) {
		/* The leaf before its index: pm_leaf_of(). */
		smp_store_release(&pm_first_leaf.index, index);
	}
	return leaf;
}

static struct pm_heap **pm_leaf_heap(struct pm_leaf *leaf, const void *base)
{
	return &leaf->heap[(u32)pm_addr_key(base) >> PM_HEAP_SHIFT];
}

static bool pm_is_table(const struct pm_heap *entry)
{
	return PM_PLACE_HEAPS > 1 && (unsigned long)entry & PM_PLACE_TABLE;
}

/*
 * A short heap comes: see to it that its place has a table. No heap has the place
 * for itself, for the short one's memory lies there. Two may make the table
 * at once, as in pm_pagemap_leaf().
 */
static bool pm_place_provide(struct pm_heap **entry, gfp_t gfp)
{
	struct pm_place_heaps *place;

	/* Pairs with the exchange below. */
	if (pm_is_table(smp_load_acquire(entry)))
		return true;
	place = pm_inject_fails(&pm_inject.meta) ? NULL :
		pm_meta_alloc(sizeof(*place), gfp);
	if (!place)
		return false;
	if (cmpxchg(entry, NULL, (void *)((unsigned long)place + PM_PLACE_TABLE)))
		pm_meta_free(place, sizeof(*place));
	return true;
}

/* Let the map lead to @to, or nowhere, from @size bytes at @base. */
static void pm_place_set(struct pm_heap **entry, const void *base, size_t size,
			struct pm_heap *to)
{
	unsigned long key = pm_addr_key(base), end;

	if (!pm_is_table(READ_ONCE(*entry))) {
		/* Pairs with the loads of whoever has an object from here. */
		smp_store_release(entry, to);
		return;
	}
	for (end = key + size; key < end;
	     key += 1UL << PM_HEAP_ALIGN_SHIFT)
		smp_store_release(pm_place_heap(*entry, key), to); /* likewise */
}

/**
 * pm_pagemap_add_heap() - make a heap findable
 * @heap: the heap; its units have class 0 so far
 * @base: its first byte
 * @size: its bytes
 * @gfp: context
 *
 * Return: false when there is no memory for the map.
 */
bool pm_pagemap_add_heap(struct pm_heap *heap, const void *base, size_t size,
			 gfp_t gfp)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(base, gfp);
	struct pm_heap **entry;

	if (!leaf)
		return false;
	entry = pm_leaf_heap(leaf, base);
	if (PM_PLACE_HEAPS > 1 && size < 1UL << PM_HEAP_SHIFT &&
	    !pm_place_provide(entry, gfp))
		return false;
	pm_place_set(entry, base, size, heap);
	return true;
}

/**
 * pm_pagemap_del_heap() - forget a heap
 * @base: its first byte; no slab is left in it
 * @size: its bytes
 */
void pm_pagemap_del_heap(const void *base, size_t size)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(base, GFP_NOWAIT);

	pm_place_set(pm_leaf_heap(leaf, base), base, size, NULL);
}

/**
 * pm_pagemap_set_class() - say what a run of steps is
 * @p: start of the first step, in a leaf that was made
 * @steps: how many
 * @class: class number, or 0
 */
void pm_pagemap_set_class(const void *p, unsigned int steps, u8 class)
{
	u8 *byte = pm_leaf_class(pm_pagemap_leaf(p, GFP_NOWAIT), p);

	while (steps--)
		WRITE_ONCE(*byte++, class);
}

static struct pm_region **pm_region_entry(struct pm_leaf *leaf, const void *p)
{
	return &leaf->region[(u32)pm_addr_key(p) >> PM_REGION_SHIFT];
}

static struct pm_extent **pm_large_entry(const void *p)
{
	struct pm_leaf *leaf = pm_leaf_of(pm_addr_key(p));
	struct pm_region *region = READ_ONCE(*pm_region_entry(leaf, p));

	return &region->large[pm_addr_key(p) >> PM_UNIT_SHIFT &
			      (PM_REGION_UNITS - 1)];
}

/*
 * Say that a large object starts at @p, or none any more: from there to the end
 * of the unit, which all are longer than; so a pointer into its first pages is
 * known to be one.
 */
static void pm_large_set_class(const void *p, u8 class)
{
	unsigned int step = pm_addr_key(p) >> PM_STEP_SHIFT;

	pm_pagemap_set_class(p, PM_UNIT_STEPS - step % PM_UNIT_STEPS, class);
}

/**
 * pm_pagemap_add_large() - make a large object findable
 * @large: its descriptor
 * @p: where it starts; it is not yet handed out
 * @gfp: context
 *
 * Return: false when there is no memory for the map.
 */
bool pm_pagemap_add_large(struct pm_extent *large, const void *p, gfp_t gfp)
{
	struct pm_leaf *leaf = pm_pagemap_leaf(p, gfp);

	if (!leaf ||
	    !pm_node_provide((void **)pm_region_entry(leaf, p),
			     sizeof(struct pm_region), gfp))
		return false;
	/* The descriptor is complete before it can be found. */
	smp_store_release(pm_large_entry(p), large);
	pm_large_set_class(p, PM_CLASS_LARGE);
	return true;
}

/**
 * pm_pagemap_large() - span or large object that starts in the unit of an address
 * @p: address whose class is PM_CLASS_LARGE or one of spans
 *
 * Return: descriptor, or NULL. Whether the object starts at exactly @p its
 * descriptor tells.
 */
struct pm_extent *pm_pagemap_large(const void *p)
{
	return READ_ONCE(*pm_large_entry(p));
}

/**
 * pm_pagemap_take_large() - remove a large object from the map
 * @large: its descriptor
 * @p: where it starts
 *
 * Of two that free the same object one gets it: the exchange decides.
 *
 * Return: whether it is the caller's alone now.
 */
bool pm_pagemap_take_large(struct pm_extent *large, const void *p)
{
	if (cmpxchg(pm_large_entry(p), large, NULL) != large)
		return false;
	pm_large_set_class(p, 0);
	return true;
}

static void pm_region_each_large(const struct pm_region *region,
				 void (*visit)(struct pm_extent *large))
{
	unsigned int unit;

	for (unit = 0; region && unit < PM_REGION_UNITS; unit++)
		if (region->large[unit])
			visit(region->large[unit]);
}

/* The leaf with a number, NULL where there is none. */
static struct pm_leaf *pm_leaf_at(unsigned long index)
{
	return pm_leaf_of(index << PM_LEAF_SHIFT);
}

/**
 * pm_pagemap_each_large() - visit all large objects
 * @visit: what to do with one; it may take it out of the map
 *
 * Context: nobody uses the allocator meanwhile.
 */
void pm_pagemap_each_large(void (*visit)(struct pm_extent *large))
{
	struct pm_leaf *leaf;
	unsigned long i, r;

	for (i = 0; i < PM_LEAVES; i++) {
		leaf = pm_leaf_at(i);
		for (r = 0; leaf && r < PM_LEAF_REGIONS; r++)
			pm_region_each_large(leaf->region[r], visit);
	}
}

/**
 * pm_pagemap_next_large() - the next span or large object by address
 * @unit: in: unit of address space to begin with, 0 for the first. out: where to
 *	go on
 *
 * Context: any. As long as the extent lock is held nobody uses the descriptor for
 * something else.
 * Return: descriptor, or NULL when no more come.
 */
struct pm_extent *pm_pagemap_next_large(unsigned long *unit)
{
	const struct pm_region *region;
	struct pm_extent *large;
	struct pm_leaf *leaf;

	while (*unit < PM_LEAVES << (PM_LEAF_SHIFT - PM_UNIT_SHIFT)) {
		leaf = pm_leaf_of(*unit << PM_UNIT_SHIFT);
		if (!leaf) {
			*unit = ALIGN(*unit + 1, 1UL << (PM_LEAF_SHIFT - PM_UNIT_SHIFT));
			continue;
		}
		region = READ_ONCE(leaf->region[(u32)(*unit << PM_UNIT_SHIFT) >>
						PM_REGION_SHIFT]);
		if (!region) {
			*unit = ALIGN(*unit + 1, PM_REGION_UNITS);
			continue;
		}
		large = READ_ONCE(region->large[(*unit)++ & (PM_REGION_UNITS - 1)]);
		if (large)
			return large;
	}
	return NULL;
}

static void pm_leaf_destroy(struct pm_leaf *leaf)
{
	unsigned long i;

	for (i = 0; i < PM_LEAF_REGIONS; i++)
		pm_meta_free(leaf->region[i], sizeof(*leaf->region[i]));
	for (i = 0; i < PM_LEAF_HEAPS; i++)
		if (pm_is_table(leaf->heap[i]))
			pm_meta_free((char *)leaf->heap[i] - PM_PLACE_TABLE,
				     sizeof(struct pm_place_heaps));
	pm_meta_free(leaf, sizeof(*leaf));
}

/**
 * pm_pagemap_destroy() - free every leaf and branch
 *
 * Context: nobody uses the allocator any more.
 */
void pm_pagemap_destroy(void)
{
	unsigned long i;

	for (i = 0; i < PM_LEAVES; i++)
		if (pm_leaf_at(i))
			pm_leaf_destroy(pm_leaf_at(i));
	for (i = 0; i < PM_ROOT_ENTRIES; i++) {
		pm_meta_free(pm_root[i], sizeof(*pm_root[i]));
		pm_root[i] = NULL;
	}
	pm_first_leaf.index = ~0UL;
	pm_first_leaf.leaf = NULL;
}
