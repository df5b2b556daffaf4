/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The page map: what an address is to us.
 *
 * Two levels. The root has one entry per 4 GiB of address space, a leaf one
 * byte per step of 4 KiB: the class of the slab that the step belongs to, 0
 * where nothing is ours. So a pointer leads to its class in two loads, any
 * bit pattern may be asked about, and the bytes of a 4 MiB heap share sixteen
 * cache lines. A leaf also leads to the descriptors of heaps and of large
 * objects.
 *
 *	key = address - PM_ADDR_BASE
 *	root[key >> 32] -> leaf { class[step], heap[slot], region[slot] }
 *
 * Writers: a byte is set under the lock of the arena that owns the step,
 * before any object of it is handed out, and cleared after the slab's last
 * one came back. The owner of an object therefore always reads what was
 * written: whatever handed it the pointer ordered the two. Others may read
 * anything that a unit ever was; they hold no object there, so it is misuse.
 * Leaves are never given back while the allocator lives.
 */
#ifndef PM_PAGEMAP_H
#define PM_PAGEMAP_H

#include "platform.h"
#include "class.h"

struct pm_heap;
struct pm_large;

#define PM_LEAF_SHIFT		32
#define PM_LEAF_STEPS		(1UL << (PM_LEAF_SHIFT - PM_STEP_SHIFT))
#define PM_LEAF_HEAPS		(1UL << (PM_LEAF_SHIFT - PM_HEAP_SHIFT))
#define PM_REGION_SHIFT		22
#define PM_REGION_UNITS		(1UL << (PM_REGION_SHIFT - PM_UNIT_SHIFT))
#define PM_LEAF_REGIONS		(1UL << (PM_LEAF_SHIFT - PM_REGION_SHIFT))
#define PM_ROOT_ENTRIES		(1UL << (PM_ADDR_BITS - PM_LEAF_SHIFT))

/**
 * struct pm_region - large objects that start in 4 MiB of address space
 * @large: per unit, the one that starts there; two cannot, for each is
 *	longer than a unit
 */
struct pm_region {
	struct pm_large *large[PM_REGION_UNITS];
};

#define PM_SLOT_HEAPS		(1UL << (PM_HEAP_SHIFT - PM_HEAP_ALIGN_SHIFT))

/**
 * struct pm_slot - heaps of a slot in which short ones lie
 * @heap: per least alignment of a heap, the one that lies there
 *
 * A leaf's entry of a slot is a heap that has the slot for itself, or such a
 * table, told by the lowest bit. A table is made when the first short heap
 * comes, and stays; hosts whose heaps never share a slot have none.
 */
struct pm_slot {
	struct pm_heap *heap[PM_SLOT_HEAPS];
};

#define PM_SLOT_TABLE		1UL

struct pm_leaf {
	u8 class[PM_LEAF_STEPS];
	struct pm_heap *heap[PM_LEAF_HEAPS];
	struct pm_region *region[PM_LEAF_REGIONS];
};

/**
 * struct pm_home - the leaf that nearly all addresses belong to
 * @index: its place in the root; beyond every place while there is none
 * @leaf: the leaf
 *
 * Set once, to the first leaf. Where the compare is predicted right, the
 * leaf does not depend on the address: the class is one load away, not two,
 * and that is in the chain from malloc to free to malloc.
 */
struct pm_home {
	unsigned long index;
	struct pm_leaf *leaf;
};

extern struct pm_leaf *pm_root[PM_ROOT_ENTRIES];
extern struct pm_home pm_home __pm_local;

static __always_inline unsigned long pm_addr_key(const void *p)
{
	return (unsigned long)p - PM_ADDR_BASE;
}

/**
 * pm_pagemap_class() - what an address is to us
 * @p: any bit pattern
 *
 * Return: class number, PM_CLASS_LARGE for a large object's start and what
 * follows in the same unit, or 0.
 */
static __always_inline unsigned long pm_pagemap_class(const void *p)
{
	unsigned long key = pm_addr_key(p);
	struct pm_leaf *leaf;

	/* Pairs with the release in pm_pagemap_leaf(). */
	if (likely(key >> PM_LEAF_SHIFT == smp_load_acquire(&pm_home.index))) {
		leaf = pm_home.leaf;
	} else {
		if (key >> PM_LEAF_SHIFT >= PM_ROOT_ENTRIES)
			return 0;
		leaf = READ_ONCE(pm_root[key >> PM_LEAF_SHIFT]);
		if (unlikely(!leaf))
			return 0;
	}
	return READ_ONCE(leaf->class[(u32)key >> PM_STEP_SHIFT]);
}

/* Where a leaf's entry that is a table keeps the heap of an address. */
static inline struct pm_heap **pm_slot_heap(struct pm_heap *entry,
					    unsigned long key)
{
	struct pm_slot *slot = (void *)((unsigned long)entry - PM_SLOT_TABLE);

	return &slot->heap[key >> PM_HEAP_ALIGN_SHIFT & (PM_SLOT_HEAPS - 1)];
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
	struct pm_leaf *leaf = READ_ONCE(pm_root[key >> PM_LEAF_SHIFT]);
	struct pm_heap *heap = READ_ONCE(leaf->heap[(u32)key >> PM_HEAP_SHIFT]);

	if (PM_SLOT_HEAPS > 1 && unlikely((unsigned long)heap & PM_SLOT_TABLE))
		heap = READ_ONCE(*pm_slot_heap(heap, key));
	return heap;
}

struct pm_leaf *pm_pagemap_leaf(const void *p, gfp_t gfp);
bool pm_pagemap_add_heap(struct pm_heap *heap, gfp_t gfp);
void pm_pagemap_del_heap(struct pm_heap *heap);
void pm_pagemap_set_class(const void *p, unsigned int steps, u8 class);
bool pm_pagemap_add_large(struct pm_large *large, gfp_t gfp);
struct pm_large *pm_pagemap_large(const void *p);
struct pm_large *pm_pagemap_take_large(const void *p);
void pm_pagemap_each_large(void (*visit)(struct pm_large *large));
void pm_pagemap_destroy(void);

#endif /* PM_PAGEMAP_H */
