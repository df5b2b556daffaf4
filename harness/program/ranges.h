/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The oracle: which address ranges are live.
 *
 * An ordered set of ranges (a treap, its nodes in memory from mmap, away from
 * the allocator under test). Every object is entered with its whole usable
 * size; entering one that meets another is the failure looked for.
 */
#ifndef HARNESS_RANGES_H
#define HARNESS_RANGES_H

#include <sys/mman.h>
#include "pattern.h"

#define RANGES_MAX 20000

struct range {
	uintptr_t start;
	size_t size;		/* usable */
	size_t asked;
	uint64_t tag;		/* of its contents */
	uint64_t priority;
	unsigned int left, right;
};

static struct range *ranges;	/* index 0 is the empty tree */
static unsigned int ranges_root, nr_live, live[RANGES_MAX];
static unsigned int spare[RANGES_MAX + 1], nr_spare;
static size_t live_bytes, overlaps;

static void ranges_init(void)
{
	unsigned int i;

	ranges = mmap(NULL, (RANGES_MAX + 1) * sizeof(*ranges),
		      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	for (i = 1; i <= RANGES_MAX; i++)
		spare[nr_spare++] = i;
}

/* Split @node into ranges that start below @start and the rest. */
static void ranges_split(unsigned int node, uintptr_t start, unsigned int *low,
			 unsigned int *high)
{
	if (!node) {
		*low = *high = 0;
	} else if (ranges[node].start < start) {
		ranges_split(ranges[node].right, start, &ranges[node].right,
			     high);
		*low = node;
	} else {
		ranges_split(ranges[node].left, start, low,
			     &ranges[node].left);
		*high = node;
	}
}

static unsigned int ranges_merge(unsigned int low, unsigned int high)
{
	if (!low || !high)
		return low ? low : high;
	if (ranges[low].priority > ranges[high].priority) {
		ranges[low].right = ranges_merge(ranges[low].right, high);
		return low;
	}
	ranges[high].left = ranges_merge(low, ranges[high].left);
	return high;
}

static unsigned int ranges_outermost(unsigned int node, bool last)
{
	unsigned int next = node;

	while (next) {
		node = next;
		next = last ? ranges[node].right : ranges[node].left;
	}
	return node;
}

/* Enter an object; counts in @overlaps when it meets another. */
static struct range *ranges_enter(uintptr_t start, size_t size, size_t asked,
				  struct rng *rng)
{
	unsigned int low, high, at = spare[--nr_spare], near;
	struct range *r = &ranges[at];

	*r = (struct range) {
		.start = start,
		.size = size,
		.asked = asked,
		.tag = rng_next(rng),
		.priority = rng_next(rng),
	};
	ranges_split(ranges_root, start, &low, &high);
	near = ranges_outermost(low, true);
	if (near && ranges[near].start + ranges[near].size > start)
		overlaps++;
	near = ranges_outermost(high, false);
	if (near && start + size > ranges[near].start)
		overlaps++;
	ranges_root = ranges_merge(ranges_merge(low, at), high);
	live[nr_live++] = at;
	live_bytes += size;
	return r;
}

/* Take live object number @i out of the set; its memory is untouched. */
static struct range *ranges_leave(unsigned int i)
{
	unsigned int at = live[i], low, mid, high;
	struct range *r = &ranges[at];

	live[i] = live[--nr_live];
	ranges_split(ranges_root, r->start, &low, &high);
	ranges_split(high, r->start + 1, &mid, &high);
	ranges_root = ranges_merge(low, high);
	spare[nr_spare++] = at;
	live_bytes -= r->size;
	return r;
}

/* Whether a live object starts exactly at @addr. */
__attribute__((unused))
static bool ranges_starts_at(uintptr_t addr)
{
	unsigned int node = ranges_root;

	while (node && ranges[node].start != addr)
		node = ranges[node].start < addr ? ranges[node].right :
						   ranges[node].left;
	return node != 0;
}

#endif /* HARNESS_RANGES_H */
