// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Size classes: the tables, made by the compiler but for what caches add.
 */
#include "back/class.h"

/*
 * How many units a slab of a class has: a power of two, for slabs are aligned
 * to their size. Small objects: one unit, more when a unit held fewer than
 * 64. From 1 KiB up: four when these waste at most one sixteenth of the slab
 * at its end, else eight.
 */
#define PM_WASTE_OK(s, u) \
	(((u) * PM_UNIT_SIZE) % (s) * 16 <= (u) * PM_UNIT_SIZE)
#define PM_UNITS(s)							\
	((s) <= 256 ? 1 : (s) <= 512 ? 2 : (s) <= 1024 ? 4 :		\
	 PM_WASTE_OK(s, 4) ? 4 : 8)

#define PM_MIN(a, b)	((a) < (b) ? (a) : (b))
#define PM_MAX(a, b)	((a) > (b) ? (a) : (b))
#define PM_CAPACITY(s)	(PM_UNITS(s) * PM_UNIT_SIZE / (s))

#define PM_CAPACITY_FITS(s) \
static_assert(PM_CAPACITY(s) <= PM_SLAB_MAX_OBJECTS, "bitmap is long enough");
PM_SLAB_SIZES(PM_CAPACITY_FITS)

/* A batch is 16 KiB of objects, but at most 128 and at least 2. */
#define PM_BATCH(s)	PM_MAX(PM_MIN(PM_UNIT_SIZE / (s), 128), 2)

#define PM_CLASS_ENTRY(s) {						\
	.size = (s),							\
	.recip = (u32)(((1ULL << 32) + (s) - 1) / (s)),			\
	.capacity = PM_CAPACITY(s),					\
	.units = PM_UNITS(s),						\
	.batch = (u8)PM_BATCH(s),						\
},

/* Of spans, 128 KiB, and at least 1. */
#define PM_SPAN_BATCH(s)	PM_MAX(131072 / (s), 1)

#define PM_SPAN_FITS(s) \
static_assert((s) % PAGE_SIZE == 0, "a span has whole pages");
PM_SPAN_SIZES(PM_SPAN_FITS)

#define PM_SPAN_ENTRY(s) {						\
	.size = (s),							\
	.capacity = 1,							\
	.batch = (u8)PM_SPAN_BATCH(s),					\
},

struct pm_class pm_classes[PM_CLASS_END] = {
	{ 0 },
	PM_SLAB_SIZES(PM_CLASS_ENTRY)
	PM_SPAN_SIZES(PM_SPAN_ENTRY)
};

#define PM_MUL(s)	(~0ULL / (s) + 1)
#define PM_EXCESS(s)	((s) * PM_MUL(s))
#define PM_LIMIT(s)	(PM_EXCESS(s) ? PM_CAPACITY(s) * PM_EXCESS(s) : 1)
#define PM_MUL_ENTRY(s)		PM_MUL(s),
#define PM_MASK_ENTRY(s)	PM_UNITS(s) * PM_UNIT_SIZE - 1,
#define PM_LIMIT_ENTRY(s)	PM_LIMIT(s),

#define PM_SPAN_MUL(s)		1,
#define PM_SPAN_MASK(s)		PM_STEP_SIZE - 1,
#define PM_SPAN_LIMIT(s)	1,

const struct pm_class_starts pm_class_starts = {
	.mul = { 0, PM_SLAB_SIZES(PM_MUL_ENTRY) PM_SPAN_SIZES(PM_SPAN_MUL) },
	.mask = { 0, PM_SLAB_SIZES(PM_MASK_ENTRY) PM_SPAN_SIZES(PM_SPAN_MASK) },
	.limit = { 0, PM_SLAB_SIZES(PM_LIMIT_ENTRY) PM_SPAN_SIZES(PM_SPAN_LIMIT) },
};

/* Class of n bytes, where n is a multiple of 16 in the doubling above 2^k. */
#define PM_STEP(n, k) \
	(8 + ((k) - 7) * 8 + DIV_ROUND_UP((n) - (1 << (k)), 1 << ((k) - 3)))
#define PM_OF(n)							\
	((n) <= 16 ? 1 : (n) <= 128 ? DIV_ROUND_UP(n, 16) :		\
	 (n) <= 256 ? PM_STEP(n, 7) : (n) <= 512 ? PM_STEP(n, 8) :	\
	 (n) <= 1024 ? PM_STEP(n, 9) : (n) <= 2048 ? PM_STEP(n, 10) :	\
	 (n) <= 4096 ? PM_STEP(n, 11) : (n) <= 8192 ? PM_STEP(n, 12) :	\
	 (n) <= 16384 ? PM_STEP(n, 13) : PM_STEP(n, 14))

/* The branches that are not taken may not fit: they are cut off openly. */
#define PM_OF_U8(n)	((u8)PM_OF(n))
#define PM_OF_4(i)	PM_OF_U8(16 * (i)), PM_OF_U8(16 * (i) + 16), \
			PM_OF_U8(16 * (i) + 32), PM_OF_U8(16 * (i) + 48)
#define PM_OF_16(i)	PM_OF_4(i), PM_OF_4((i) + 4), \
			PM_OF_4((i) + 8), PM_OF_4((i) + 12)
#define PM_OF_64(i)	PM_OF_16(i), PM_OF_16((i) + 16), \
			PM_OF_16((i) + 32), PM_OF_16((i) + 48)
#define PM_OF_256(i)	PM_OF_64(i), PM_OF_64((i) + 64), \
			PM_OF_64((i) + 128), PM_OF_64((i) + 192)

const u8 pm_class_of_size[PM_SMALL_MAX / 16 + 1] = {
	PM_OF_256(0), PM_OF_256(256), PM_OF_256(512), PM_OF_256(768),
	PM_OF_256(1024), PM_OF_256(1280), PM_OF_256(1536), PM_OF_256(1792),
	PM_OF_U8(PM_SMALL_MAX)
};

static_assert(PM_OF(PM_SMALL_MAX) == PM_NR_SLAB_CLASSES - 1, "last class of slabs");

unsigned int pm_classes_end __read_mostly = PM_NR_CLASSES;

/**
 * pm_class_make() - say what the objects of a cache are
 * @class: its number, that no object has
 * @size: bytes, a multiple of 16 up to PM_SMALL_MAX
 * @fresh: as in struct pm_class
 * @starts: out: which offsets in a slab are starts of objects
 *
 * By the rules of the size classes. Where they say that each number is read by
 * a walk over all classes, its entry may be written meanwhile: whoever walks
 * finds no object of it, whatever the size.
 *
 * Context: one caller at a time.
 */
void pm_class_make(unsigned int class, size_t size, u32 fresh,
		   struct pm_starts *starts)
{
	struct pm_class *c = &pm_classes[class];
	u64 mul = PM_MUL(size), excess = size * mul;

	WRITE_ONCE(c->size, size);
	WRITE_ONCE(c->recip, (u32)(((1ULL << 32) + size - 1) / size));
	WRITE_ONCE(c->units, PM_UNITS(size));
	WRITE_ONCE(c->capacity, PM_CAPACITY(size));
	WRITE_ONCE(c->batch, (u8)PM_BATCH(size));
	WRITE_ONCE(c->fresh, fresh);
	starts->mul = mul;
	starts->mask = PM_UNITS(size) * PM_UNIT_SIZE - 1;
	starts->limit = excess ? PM_CAPACITY(size) * excess : 1;
	if (class < pm_classes_end)
		return;
	/* Pairs with pm_class_end(). */
	smp_store_release(&pm_classes_end, class + 1);
}
