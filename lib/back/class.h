/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Size classes: which sizes objects really have.
 *
 * Steps of 16 bytes up to 128, then eight classes per doubling up to 32 KiB,
 * whose objects lie in slabs; then eight per doubling up to 1 MiB, whose objects
 * are spans, an extent each. Above 128 bytes a class wastes at most one eighth
 * of what it serves.
 *
 * Everything here is known at compile time: a look-up before any
 * initialisation is right, and the fast path needs one load.
 *
 * There is no class of 8 bytes: the second word of a free object carries a
 * mark (see magazine.h), and one place for it in all classes keeps a branch
 * out of both fast paths.
 *
 * Classes are numbered from 1. Class 0 means "no object of ours", so that a
 * zeroed page map knows no object.
 *
 * Behind the size classes come numbers for caches (api/cache.h): a cache is a
 * class that is made at run time. No size leads to it, and free() takes its
 * objects for odd, for their numbers have a limit of 0 in pm_class_starts. All
 * else goes by the class number and knows no difference.
 */
#ifndef PM_CLASS_H
#define PM_CLASS_H

#include "pm_env.h"

#define PM_UNIT_SHIFT		14	/* slabs are made of 16 KiB units */
#define PM_UNIT_SIZE		(1UL << PM_UNIT_SHIFT)
#define PM_STEP_SIZE		(1UL << PM_STEP_SHIFT)	/* and opened by steps */
#define PM_UNIT_STEPS		(PM_UNIT_SIZE / PM_STEP_SIZE)
#define PM_SLAB_MAX_UNITS	8
#define PM_SLAB_MAX_OBJECTS	1024
#define PM_SMALL_MAX		32768UL	/* the largest class of slabs */
#define PM_SPAN_MAX		(1UL << 20)	/* and of spans */

/* Eight classes from @b (excluded) to 2 * @b (included). */
#define PM_DOUBLING(X, b)						\
	X((b) + (b) / 8) X((b) + (b) / 4) X((b) + (b) * 3 / 8)		\
	X((b) + (b) / 2) X((b) + (b) * 5 / 8) X((b) + (b) * 3 / 4)	\
	X((b) + (b) * 7 / 8) X((b) * 2)

#define PM_SLAB_SIZES(X)						\
	X(16) X(32) X(48) X(64) X(80) X(96) X(112) X(128)		\
	PM_DOUBLING(X, 128) PM_DOUBLING(X, 256) PM_DOUBLING(X, 512)	\
	PM_DOUBLING(X, 1024) PM_DOUBLING(X, 2048) PM_DOUBLING(X, 4096)	\
	PM_DOUBLING(X, 8192) PM_DOUBLING(X, 16384)

#define PM_SPAN_SIZES(X)						\
	PM_DOUBLING(X, 32768) PM_DOUBLING(X, 65536)			\
	PM_DOUBLING(X, 131072) PM_DOUBLING(X, 262144)			\
	PM_DOUBLING(X, 524288)

#define PM_COUNT_ONE(size)	+ 1
#define PM_NR_SLAB_CLASSES	(1 PM_SLAB_SIZES(PM_COUNT_ONE))
#define PM_NR_SPAN_CLASSES	(0 PM_SPAN_SIZES(PM_COUNT_ONE))
#define PM_NR_CLASSES		(PM_NR_SLAB_CLASSES + PM_NR_SPAN_CLASSES)

/* The page-map byte of a large object's first steps. */
#define PM_CLASS_LARGE		0xf0

#define PM_CACHES_MAX		64
#define PM_CLASS_END		(PM_NR_CLASSES + PM_CACHES_MAX)

static_assert(PM_NR_SLAB_CLASSES == 73, "72 classes and the empty one");
static_assert(PM_CLASS_END <= PM_CLASS_LARGE, "page-map bytes are distinct");

/**
 * struct pm_class - what is fixed about a size class
 * @size: bytes of an object
 * @recip: 2^32 / @size rounded up, so that a product replaces a division
 * @capacity: objects in a slab; 1 for a span
 * @units: units in a slab; 0 for a span, which lies in none
 * @batch: objects that move together between a magazine and a depot
 * @fresh: what the mark of an object that was never handed out differs by from
 *	others (see mark.h)
 */
struct pm_class {
	u32 size;
	u32 recip;
	u16 capacity;
	u8 units;
	u8 batch;
	u32 fresh;
};

/**
 * struct pm_starts - which offsets in a slab of one class are starts of objects
 * @mul: as in struct pm_class_starts
 * @mask: likewise
 * @limit: likewise
 */
struct pm_starts {
	u64 mul;
	u64 mask;
	u64 limit;
};

/**
 * struct pm_class_starts - which offsets in a slab are starts of objects
 * @mul: per page-map byte, 2^64 / size rounded up; 0 where the byte is no
 *	class of ours
 * @mask: bytes of a slab minus one; slabs are aligned to their size. Of a
 *	span only the first step has its class in the page map: bytes of a step
 *	minus one
 * @limit: the product of the first multiple of the size that is no object;
 *	1 where the size is a power of two, 0 where @mul is
 *
 * n is a multiple of the size just when n * mul, cut to 64 bits, is below
 * mul (Lemire, Kaser, Kurz, "Faster remainder by direct computation"). The
 * product of k * size is then k times a small excess, so that a lower limit
 * refuses the multiple behind the last object, too: it is the start of what
 * is left at the slab's end. A power of two has no excess, and leaves
 * nothing. With a limit of 0 nothing passes: one comparison refuses foreign
 * pointers, large objects and interior pointers alike.
 */
struct pm_class_starts {
	u64 mul[256];
	u64 mask[256];
	u64 limit[256];
};

/*
 * The size classes' part is as the compiler made it. A cache's entry is written
 * by pm_class_make(), before its number is published: to those who walk over all
 * classes by pm_class_end(), to the owners of objects by whatever hands them the
 * cache. Once written it is never empty again.
 */
extern struct pm_class pm_classes[PM_CLASS_END] __pm_local;
extern unsigned int pm_classes_end __pm_local;
extern const u8 pm_class_of_size[PM_SMALL_MAX / 16 + 1];
extern const struct pm_class_starts pm_class_starts;

/**
 * pm_class_of() - class that serves a size
 * @size: bytes, at most PM_SMALL_MAX
 *
 * Return: class number, never 0.
 */
static __always_inline unsigned long pm_class_of(size_t size)
{
	return pm_class_of_size[(size + 15) >> 4];
}

/**
 * pm_class_of_small() - class of slabs that serves a size, when one does
 * @size: bytes
 *
 * Return: class number, or 0 for what is larger than PM_SMALL_MAX.
 */
static __always_inline unsigned long pm_class_of_small(size_t size)
{
	return likely(size <= PM_SMALL_MAX) ? pm_class_of(size) : 0;
}

/**
 * pm_class_is_span() - whether the objects of a class are spans
 * @class: class number, or page-map byte
 */
static __always_inline bool pm_class_is_span(unsigned long class)
{
	return class - PM_NR_SLAB_CLASSES < PM_NR_SPAN_CLASSES;
}

/**
 * pm_class_of_span() - class of spans that serves a size
 * @size: bytes, more than PM_SMALL_MAX and at most PM_SPAN_MAX
 *
 * Return: class number.
 */
static __always_inline unsigned long pm_class_of_span(size_t size)
{
	unsigned long rest = size - 1, shift = ilog2(rest);

	return PM_NR_SLAB_CLASSES + (shift - ilog2(PM_SMALL_MAX)) * 8 +
	       ((rest >> (shift - 3)) & 7);
}

/**
 * pm_class_of_middle() - class of spans that serves a size, when one does
 * @size: bytes
 * @align: power of two
 *
 * Return: class number, or 0 for what slabs serve, is larger than PM_SPAN_MAX, or
 * is to have another alignment than every extent has.
 */
static __always_inline unsigned long pm_class_of_middle(size_t size,
							size_t align)
{
	return size - PM_SMALL_MAX - 1 < PM_SPAN_MAX - PM_SMALL_MAX &&
	       align <= PM_EXTENT_GRAIN ? pm_class_of_span(size) : 0;
}

/**
 * pm_class_of_aligned() - class of slabs that serves a size at an alignment
 * @size: bytes
 * @align: power of two
 *
 * Slabs start at multiples of a unit, so the objects of a class are aligned
 * to every power of two that divides their size, up to a unit's. The class of
 * a multiple of @align is such a one: where classes are @align or less apart
 * its size is that multiple, and where they are more apart its size is a
 * multiple of their distance, which is a power of two as well.
 *
 * Return: class number, or 0 when no class will do.
 */
static __always_inline unsigned long pm_class_of_aligned(size_t size,
							 size_t align)
{
	if (unlikely(align > PM_UNIT_SIZE || size > PM_SMALL_MAX))
		return 0;
	size = size ? ALIGN(size, align) : align;
	return pm_class_of_small(size);
}

void pm_class_make(unsigned int class, size_t size, u32 fresh,
		   struct pm_starts *starts);

/**
 * pm_class_end() - number behind the highest class that was ever in use
 *
 * Context: any. It only grows.
 */
static inline unsigned int pm_class_end(void)
{
	/* Pairs with pm_class_make(): the entries below are complete. */
	return smp_load_acquire(&pm_classes_end);
}

/* All classes that may have objects. */
#define pm_for_each_class(class)					\
	for ((class) = 1; (class) < pm_class_end(); (class)++)

/**
 * pm_class_is_cache() - whether a class is that of a cache
 * @class: class number, or page-map byte
 */
static __always_inline bool pm_class_is_cache(unsigned long class)
{
	return class - PM_NR_CLASSES < PM_CACHES_MAX;
}

/**
 * pm_class_bytes() - bytes of an object, for those who walk over all classes
 * @class: class number below pm_class_end()
 *
 * A number that no object has may be about to get another size.
 */
static inline size_t pm_class_bytes(unsigned int class)
{
	return READ_ONCE(pm_classes[class].size);
}

/**
 * pm_class_index() - which object of a slab an offset falls into
 * @class: class number
 * @offset: bytes from the slab's start, below its size
 *
 * Exact for every offset in a slab: a slab has at most 2^17 bytes, and the
 * error of the rounded reciprocal stays below 1/size (tested for all).
 */
static inline unsigned int pm_class_index(unsigned int class, u32 offset)
{
	return (u64)offset * pm_classes[class].recip >> 32;
}

/**
 * pm_class_is_start() - whether an address is the start of an object
 * @class: page-map byte of the address
 * @p: the address
 *
 * Return: true for the start of an object in a slab, or of a span.
 */
static __always_inline bool pm_class_is_start(unsigned long class,
					      const void *p)
{
	u64 rest = pm_class_starts.mask[class] & (unsigned long)p;

	rest *= pm_class_starts.mul[class];
	return rest < pm_class_starts.limit[class];
}

#endif /* PM_CLASS_H */
