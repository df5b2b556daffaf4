/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The page map: what an address is to us.
 *
 * A leaf has one byte per step (PM_STEP_SIZE) of 4 GiB of address space: the
 * class of the slab that the step belongs to, 0 where nothing is ours. So any
 * bit pattern may be asked about, and the bytes of a heap share a few cache
 * lines. A leaf also leads to the descriptors of heaps and of large objects.
 * Nearly always it is the same leaf, and then a pointer leads to its class in
 * one load that waits for it; else two more go through root and branch.
 *
 *	key = address - PM_ADDR_BASE
 *	root[key >> 39] -> branch[key >> 32] -> leaf { class[step], heap[place],
 *						       region[place] }
 *
 * Writers: a byte is set under the lock of the arena that owns the step,
 * before any object of it is handed out, and cleared after the slab's last
 * one came back. The owner of an object therefore always reads what was
 * written: whatever handed it the pointer ordered the two. Others may read
 * anything that a unit ever was; they hold no object there, so it is misuse.
 * Branches and leaves are never given back while the allocator lives.
 */
#ifndef PM_PAGEMAP_H
#define PM_PAGEMAP_H

#include "platform.h"
#include "back/class.h"

struct pm_heap;
struct pm_extent;

#define PM_LEAF_SHIFT		32
#define PM_LEAF_STEPS		(1UL << (PM_LEAF_SHIFT - PM_STEP_SHIFT))
#define PM_LEAF_HEAPS		(1UL << (PM_LEAF_SHIFT - PM_HEAP_SHIFT))
#define PM_REGION_SHIFT		22
#define PM_REGION_UNITS		(1UL << (PM_REGION_SHIFT - PM_UNIT_SHIFT))
#define PM_LEAF_REGIONS		(1UL << (PM_LEAF_SHIFT - PM_REGION_SHIFT))
#define PM_LEAVES		(1UL << (PM_ADDR_BITS - PM_LEAF_SHIFT))
#define PM_BRANCH_LEAVES	128UL
#define PM_ROOT_ENTRIES		(PM_LEAVES / PM_BRANCH_LEAVES)

/**
 * struct pm_region - spans and large objects that start in 4 MiB of address space
 * @large: per unit, the one that starts there; two cannot, for each is
 *	longer than a unit
 */
struct pm_region {
	struct pm_extent *large[PM_REGION_UNITS];
};

#define PM_PLACE_HEAPS		(1UL << (PM_HEAP_SHIFT - PM_HEAP_ALIGN_SHIFT))

/**
 * struct pm_place_heaps - heaps of a place in which short ones lie
 * @heap: per least alignment of a heap, the one that lies there
 *
 * A leaf's entry of a place is a heap that has the place for itself, or such a
 * table, told by the lowest bit. A table is made when the first short heap
 * comes, and stays; hosts whose heaps never share a place have none.
 */
struct pm_place_heaps {
	struct pm_heap *heap[PM_PLACE_HEAPS];
};

#define PM_PLACE_TABLE		1UL

struct pm_leaf {
	u8 class[PM_LEAF_STEPS];
	struct pm_heap *heap[PM_LEAF_HEAPS];
	struct pm_region *region[PM_LEAF_REGIONS];
};

/**
 * struct pm_branch - leaves of 512 GiB of address space
 * @leaf: per 4 GiB, the leaf, or NULL
 */
struct pm_branch {
	struct pm_leaf *leaf[PM_BRANCH_LEAVES];
};

/**
 * struct pm_first_leaf - the leaf that nearly all addresses belong to
 * @index: its number; beyond every number while there is none
 * @leaf: the leaf
 *
 * Set once, to the first leaf. Where the compare is predicted right, the
 * leaf does not depend on the address: the class is one load away, not three,
 * and that is in the chain from malloc to free to malloc.
 */
struct pm_first_leaf {
	unsigned long index;
	struct pm_leaf *leaf;
};

extern struct pm_branch *pm_root[PM_ROOT_ENTRIES];
extern struct pm_first_leaf pm_first_leaf __pm_local;

static __always_inline unsigned long pm_addr_key(const void *p)
{
	return (unsigned long)p - PM_ADDR_BASE;
}

/* Whether a key belongs to the leaf that nearly all do. */
static __always_inline bool pm_is_first_leaf(unsigned long key)
{
	/* Pairs with the release in pm_pagemap_leaf(). */
	return key >> PM_LEAF_SHIFT == smp_load_acquire(&pm_first_leaf.index);
}

/* The leaf of a key, or NULL, the long way. */
static __always_inline struct pm_leaf *pm_leaf_by_root(unsigned long key)
{
	unsigned long index = key >> PM_LEAF_SHIFT;
	struct pm_branch *branch;

	if (index >= PM_LEAVES)
		return NULL;
	branch = READ_ONCE(pm_root[index / PM_BRANCH_LEAVES]);
	return branch ? READ_ONCE(branch->leaf[index % PM_BRANCH_LEAVES]) :
			NULL;
}

/**
 * pm_leaf_of() - leaf of an address
 * @key: address - PM_ADDR_BASE
 *
 * Return: the leaf, or NULL when there is none.
 */
static inline struct pm_leaf *pm_leaf_of(unsigned long key)
{
	return likely(pm_is_first_leaf(key)) ? pm_first_leaf.leaf : pm_leaf_by_root(key);
}

/**
 * pm_pagemap_class() - what an address is to us
 * @p: any bit pattern
 *
 * Return: class number, PM_CLASS_LARGE for a large object's start and what
 * follows in the same unit, or 0. Of a span the first step has the span's class,
 * when it starts where the step does, and the rest of the unit PM_CLASS_LARGE.
 */
static __always_inline unsigned long pm_pagemap_class(const void *p)
{
	unsigned long key = pm_addr_key(p);
	struct pm_leaf *leaf;

	if (likely(pm_is_first_leaf(key))) {
		leaf = pm_first_leaf.leaf;
	} else {
		leaf = pm_leaf_by_root(key);
		if (unlikely(!leaf))
			return 0;
	}
	return READ_ONCE(leaf->class[(u32)key >> PM_STEP_SHIFT]);
}

/* Where a leaf's entry that is a table keeps the heap of an address. */
static inline struct pm_heap **pm_place_heap(struct pm_heap *entry,
					    unsigned long key)
{
	struct pm_place_heaps *place = (void *)((unsigned long)entry - PM_PLACE_TABLE);

	return &place->heap[key >> PM_HEAP_ALIGN_SHIFT & (PM_PLACE_HEAPS - 1)];
}

/**
 * pm_pagemap_heap() - heap that an address lies in
 * @p: address whose class is that of a slab
 *
 * Return: the heap, or NULL.
 */
static inline struct pm_heap *pm_pagemap_heap(const void *p)
{
	unsigned long key = pm_addr_key(p);
	struct pm_leaf *leaf = pm_leaf_of(key);
	struct pm_heap *heap = READ_ONCE(leaf->heap[(u32)key >> PM_HEAP_SHIFT]);

	if (PM_PLACE_HEAPS > 1 && unlikely((unsigned long)heap & PM_PLACE_TABLE))
		heap = READ_ONCE(*pm_place_heap(heap, key));
	return heap;
}

/**
 * pm_pagemap_place_is_free() - whether no heap lies in the place of an address
 * @p: any address
 */
static inline bool pm_pagemap_place_is_free(const void *p)
{
	unsigned long key = pm_addr_key(p);
	struct pm_leaf *leaf = pm_leaf_of(key);

	return !leaf || !READ_ONCE(leaf->heap[(u32)key >> PM_HEAP_SHIFT]);
}

struct pm_leaf *pm_pagemap_leaf(const void *p, gfp_t gfp);
bool pm_pagemap_add_heap(struct pm_heap *heap, const void *base, size_t size,
			 gfp_t gfp);
void pm_pagemap_del_heap(const void *base, size_t size);
void pm_pagemap_set_class(const void *p, unsigned int steps, u8 class);
bool pm_pagemap_add_large(struct pm_extent *large, const void *p, gfp_t gfp);
struct pm_extent *pm_pagemap_large(const void *p);
bool pm_pagemap_take_large(struct pm_extent *large, const void *p);
void pm_pagemap_each_large(void (*visit)(struct pm_extent *large));
struct pm_extent *pm_pagemap_next_large(unsigned long *unit);
void pm_pagemap_destroy(void);

#endif /* PM_PAGEMAP_H */
