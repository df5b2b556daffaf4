// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Size classes: every size, every offset.
 */
#include "pm_test.h"

/* Each size gets the smallest class that holds it, and wastes little. */
static void class_sizes(struct pm_test *t)
{
	unsigned int class;
	size_t size, got;

	for (size = 0; size <= PM_SMALL_MAX; size++) {
		class = pm_class_of(size);
		if (!PM_EXPECT(t, class > 0 && class < PM_NR_SLAB_CLASSES))
			return;
		got = pm_classes[class].size;
		PM_EXPECT(t, got >= size);
		PM_EXPECT(t, class == 1 || pm_classes[class - 1].size < size);
		if (size >= 128)
			PM_EXPECT(t, (got - size) * 8 <= size);
		else
			PM_EXPECT(t, got - size <= 16);
		if (size >= 16)
			PM_EXPECT(t, IS_ALIGNED(got, (size_t)16));
	}
}

/* The published figures, so that a change is made on purpose. */
static void class_known(struct pm_test *t)
{
	static const struct {
		unsigned int size, class, got;
	} known[] = {
		{ 0, 1, 16 }, { 16, 1, 16 }, { 17, 2, 32 }, { 128, 8, 128 },
		{ 129, 9, 144 }, { 256, 16, 256 }, { 257, 17, 288 },
		{ 1024, 32, 1024 }, { 1025, 33, 1152 }, { 32767, 72, 32768 },
		{ 32768, 72, 32768 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		PM_EXPECT_EQ(t, pm_class_of(known[i].size), known[i].class);
		PM_EXPECT_EQ(t, pm_classes[known[i].class].size, known[i].got);
	}
	PM_EXPECT_EQ(t, pm_classes[0].size, 0);
}

/* A slab is whole units, full but for less than an object, not too long. */
static void class_slabs(struct pm_test *t)
{
	const struct pm_class *c;
	unsigned int class;
	size_t bytes;

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		c = &pm_classes[class];
		bytes = c->units * PM_UNIT_SIZE;
		PM_EXPECT(t, c->size > pm_classes[class - 1].size);
		PM_EXPECT(t, is_power_of_2(c->units));
		PM_EXPECT(t, c->units <= PM_SLAB_MAX_UNITS);
		PM_EXPECT_EQ(t, c->capacity, bytes / c->size);
		PM_EXPECT(t, c->capacity >= 2);
		PM_EXPECT(t, c->capacity <= PM_SLAB_MAX_OBJECTS);
		PM_EXPECT(t, bytes % c->size * 5 <= bytes);
		PM_EXPECT(t, c->batch >= 2 && c->batch <= 128);
		PM_EXPECT_EQ(t, pm_class_starts.mask[class], bytes - 1);
	}
}

/* The index of an offset is its quotient by the size, for all offsets. */
static void class_index(struct pm_test *t)
{
	unsigned int class, size, index, bytes, offset, rest;

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		size = pm_classes[class].size;
		bytes = pm_classes[class].units * PM_UNIT_SIZE;
		index = 0;
		rest = 0;
		for (offset = 0; offset < bytes; offset++) {
			if (unlikely(pm_class_index(class, offset) != index)) {
				PM_EXPECT_EQ(t, pm_class_index(class, offset),
					     index);
				return;
			}
			if (++rest == size) {
				rest = 0;
				index++;
			}
		}
		pm_test_yield();
	}
}

/* Exactly the multiples of the size are starts, at any place of a slab. */
static void class_starts(struct pm_test *t)
{
	unsigned int class, size, bytes, offset, rest;
	const char *base = (const char *)(PM_ADDR_BASE +
					  ((unsigned long)PM_SLAB_MAX_UNITS <<
					   PM_UNIT_SHIFT));
	bool start;

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++) {
		size = pm_classes[class].size;
		bytes = pm_classes[class].units * PM_UNIT_SIZE;
		rest = 0;
		for (offset = 0; offset < bytes; offset++) {
			start = !rest && offset + size <= bytes;
			if (unlikely(pm_class_is_start(class, base + offset) !=
				     start)) {
				PM_EXPECT_EQ(t, pm_class_is_start(class, base +
								  offset),
					     start);
				return;
			}
			if (++rest == size)
				rest = 0;
		}
		pm_test_yield();
	}
}

/* Whatever is no class has no starts. */
static void class_no_starts(struct pm_test *t)
{
	unsigned int class, i;
	u64 p;

	for (class = 0; class < 256; class++) {
		if (class > 0 && class < PM_NR_CLASSES)
			continue;
		PM_EXPECT(t, !pm_class_is_start(class, NULL));
		for (i = 0; i < 1000; i++) {
			p = pm_rnd_next(&t->rnd);
			PM_EXPECT(t, !pm_class_is_start(class, (void *)p));
		}
	}
}

static unsigned int class_by_search(size_t size, size_t align)
{
	unsigned int class;

	for (class = 1; class < PM_NR_SLAB_CLASSES; class++)
		if (pm_classes[class].size >= size &&
		    pm_classes[class].size % align == 0)
			return class;
	return 0;
}

/* Of the classes that keep an alignment the smallest. */
static void class_aligned(struct pm_test *t)
{
	size_t align, size;

	for (align = 1; align <= PM_UNIT_SIZE; align *= 2) {
		for (size = 0; size <= PM_SMALL_MAX; size += 7)
			if (!PM_EXPECT_EQ(t, pm_class_of_aligned(size, align),
					  class_by_search(size, align)))
				return;
		PM_EXPECT_EQ(t, pm_class_of_aligned(PM_SMALL_MAX, align),
			     PM_NR_SLAB_CLASSES - 1);
		pm_test_yield();
	}
	PM_EXPECT_EQ(t, pm_class_of_aligned(1, 2 * PM_UNIT_SIZE), 0);
	PM_EXPECT_EQ(t, pm_class_of_aligned(1, 1UL << 63), 0);
}

static const struct pm_test_case class_cases[] = {
	PM_CASE(class, sizes),
	PM_CASE(class, known),
	PM_CASE(class, slabs),
	PM_CASE(class, index),
	PM_CASE(class, starts),
	PM_CASE(class, no_starts),
	PM_CASE(class, aligned),
};
PM_SUITE(class);
