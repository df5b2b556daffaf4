// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Random sequences against an oracle: the set of live address ranges.
 *
 * No two objects from malloc, calloc, realloc, memalign and the rest may
 * overlap; contents are checked when an object goes.
 */
#include <errno.h>
#include <malloc.h>
#include "ranges.h"

#define STEPS		400000
#define BUDGET		((size_t)192 << 20)

static size_t lost, misaligned, short_objects, refused;

static void enter(void *p, size_t asked, size_t align, struct rng *rng)
{
	struct range *r = ranges_enter((uintptr_t)p, malloc_usable_size(p),
				       asked, rng);

	if (r->size < asked)
		short_objects++;
	if (r->start % align)
		misaligned++;
	pattern_fill(p, asked, r->tag);
}

static struct range *leave(struct rng *rng)
{
	struct range *r = ranges_leave((unsigned int)rng_below(rng, nr_live));

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
	struct range old = *leave(rng);
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
	struct range *r = leave(rng);

	free((void *)r->start);
}

/* Phases of growth and decline, so that slabs and heaps come and go. */
static void run(struct rng *rng)
{
	size_t step;

	for (step = 0; step < STEPS; step++) {
		unsigned int grow = step / 20000 % 2 ? 35 : 60;
		unsigned int dice = (unsigned int)rng_below(rng, 100);

		if (nr_live == RANGES_MAX || live_bytes > BUDGET)
			dice = 99;
		if (nr_live && dice >= 90 && nr_live < RANGES_MAX / 2 &&
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

	tap_begin();
	seed = seed_from_env();
	rng = rng_make(seed, 0);
	ranges_init();
	run(&rng);
	OK(!overlaps, "no two live objects overlap (%zu)", overlaps);
	OK(!lost, "contents hold (%zu lost)", lost);
	OK(!misaligned, "alignment as asked for (%zu not)", misaligned);
	OK(!short_objects, "usable size at least as asked for (%zu not)",
	   short_objects);
	OK(!refused, "no request was refused (%zu)", refused);
	return tap_end();
}
