// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Random sequences against an oracle: the set of live address ranges.
 *
 * Every object that comes back from malloc, calloc, realloc, memalign and
 * the rest is entered with its whole usable size into an ordered set (a
 * treap in memory from mmap, away from the allocator under test); entering
 * one that meets another is the failure looked for. Contents are checked
 * when an object goes.
 */
#include <errno.h>
#include <malloc.h>
#include <sys/mman.h>
#include "pattern.h"

#define MAX_LIVE	20000
#define STEPS		400000
#define BUDGET		((size_t)192 << 20)

struct range {
	uintptr_t start;
	size_t size;		/* usable */
	size_t asked;
	uint64_t tag;
	uint64_t priority;
	unsigned int left, right;
};

static struct range *ranges;	/* index 0 is the empty tree */
static unsigned int root, nr_live, live[MAX_LIVE], spare[MAX_LIVE + 1];
static unsigned int nr_spare;
static size_t live_bytes, overlaps, lost, misaligned, short_objects, refused;

/* Split @node into ranges that start below @start and the rest. */
static void split(unsigned int node, uintptr_t start, unsigned int *low,
		  unsigned int *high)
{
	if (!node) {
		*low = *high = 0;
	} else if (ranges[node].start < start) {
		split(ranges[node].right, start, &ranges[node].right, high);
		*low = node;
	} else {
		split(ranges[node].left, start, low, &ranges[node].left);
		*high = node;
	}
}

static unsigned int merge(unsigned int low, unsigned int high)
{
	if (!low || !high)
		return low ? low : high;
	if (ranges[low].priority > ranges[high].priority) {
		ranges[low].right = merge(ranges[low].right, high);
		return low;
	}
	ranges[high].left = merge(low, ranges[high].left);
	return high;
}

static unsigned int outermost(unsigned int node, bool last)
{
	unsigned int next = node;

	while (next) {
		node = next;
		next = last ? ranges[node].right : ranges[node].left;
	}
	return node;
}

static void enter(void *p, size_t asked, size_t align, struct rng *rng)
{
	unsigned int low, high, at = spare[--nr_spare], near;
	struct range *r = &ranges[at];

	*r = (struct range) {
		.start = (uintptr_t)p,
		.size = malloc_usable_size(p),
		.asked = asked,
		.tag = rng_next(rng),
		.priority = rng_next(rng),
	};
	if (r->size < asked)
		short_objects++;
	if (r->start % align)
		misaligned++;
	split(root, r->start, &low, &high);
	near = outermost(low, true);
	if (near && ranges[near].start + ranges[near].size > r->start)
		overlaps++;
	near = outermost(high, false);
	if (near && r->start + r->size > ranges[near].start)
		overlaps++;
	root = merge(merge(low, at), high);
	live[nr_live++] = at;
	live_bytes += r->size;
	pattern_fill(p, asked, r->tag);
}

/* Take live object number @i out of the set; its memory is untouched. */
static struct range *leave(unsigned int i)
{
	unsigned int at = live[i], low, mid, high;
	struct range *r = &ranges[at];

	live[i] = live[--nr_live];
	split(root, r->start, &low, &high);
	split(high, r->start + 1, &mid, &high);
	root = merge(low, high);
	spare[nr_spare++] = at;
	live_bytes -= r->size;
	if (!pattern_holds((void *)r->start, r->asked, r->tag))
		lost++;
	return r;
}

static void allocate(struct rng *rng)
{
	size_t size = rng_size(rng, rng_below(rng, 64) ? 14 : 22), align = 1;
	void *p = NULL;

	switch (rng_below(rng, 8)) {
	case 0:
		p = calloc(1, size);
		if (p && !all_zero(p, size))
			lost++;
		break;
	case 1:
		align = (size_t)8 << rng_below(rng, 14);
		p = memalign(align, size);
		break;
	case 2:
		align = (size_t)8 << rng_below(rng, 10);
		if (posix_memalign(&p, align, size))
			p = NULL;
		break;
	case 3:
		align = (size_t)1 << rng_below(rng, 17);
		p = aligned_alloc(align, size);
		break;
	case 4:
		p = reallocarray(NULL, size, 1);
		break;
	default:
		p = malloc(size);
		break;
	}
	if (!p)
		refused++;
	else
		enter(p, size, size >= 16 && align < 16 ? 16 : align, rng);
}

static void resize(struct rng *rng)
{
	struct range old = *leave((unsigned int)rng_below(rng, nr_live));
	size_t size = rng_size(rng, 18) + 1;
	void *p;

	if (rng_below(rng, 2))
		size = old.asked + rng_below(rng, old.asked / 4 + 64) + 1;
	p = realloc((void *)old.start, size);
	if (!p) {
		refused++;
		return;
	}
	if (!pattern_holds(p, size < old.asked ? size : old.asked, old.tag))
		lost++;
	enter(p, size, size >= 16 ? 16 : 1, rng);
}

static void release(struct rng *rng)
{
	struct range *r = leave((unsigned int)rng_below(rng, nr_live));

	free((void *)r->start);
}

/* Phases of growth and decline, so that slabs and heaps come and go. */
static void run(struct rng *rng)
{
	size_t step;

	for (step = 0; step < STEPS; step++) {
		unsigned int grow = step / 20000 % 2 ? 35 : 60;
		unsigned int dice = (unsigned int)rng_below(rng, 100);

		if (nr_live == MAX_LIVE || live_bytes > BUDGET)
			dice = 99;
		if (nr_live && dice >= 90 && nr_live < MAX_LIVE / 2 &&
		    live_bytes < BUDGET)
			resize(rng);
		else if (!nr_live || dice < grow)
			allocate(rng);
		else
			release(rng);
		if (step % 90001 == 90000)
			malloc_trim(0);
	}
	while (nr_live)
		release(rng);
}

int main(void)
{
	uint64_t seed;
	struct rng rng;
	size_t i;

	tap_begin();
	seed = seed_from_env();
	rng = rng_make(seed, 0);
	ranges = mmap(NULL, (MAX_LIVE + 1) * sizeof(*ranges),
		      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	for (i = 1; i <= MAX_LIVE; i++)
		spare[nr_spare++] = (unsigned int)i;
	run(&rng);
	OK(!overlaps, "no two live objects overlap (%zu)", overlaps);
	OK(!lost, "contents hold (%zu lost)", lost);
	OK(!misaligned, "alignment as asked for (%zu not)", misaligned);
	OK(!short_objects, "usable size at least as asked for (%zu not)",
	   short_objects);
	OK(!refused, "no request was refused (%zu)", refused);
	return tap_end();
}
