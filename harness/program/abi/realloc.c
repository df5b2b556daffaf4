// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * realloc and reallocarray: contents survive every change of size, a refusal
 * leaves the old block alone, realloc(p, 0) frees.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include "pattern.h"
#include "pmalloc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* One change of size; @bad gets the target when a byte was lost. */
static void *change(void *p, size_t from, size_t to, size_t *bad)
{
	void *q;

	pattern_fill(p, from, from + to);
	q = realloc(p, to);
	if (!q || !pattern_holds(q, smaller(from, to), from + to)) {
		*bad = to;
		return q ? q : p;
	}
	if (malloc_usable_size(q) < to || (to >= 16 && (uintptr_t)q % 16))
		*bad = to;
	memset(q, 0x77, malloc_usable_size(q));
	return q;
}

static void test_boundaries(void)
{
	size_t size, bad = 0, k;
	char *p = malloc(1);

	for (size = 1; size < 40000; size++)
		p = change(p, size, size + 1, &bad);
	OK(!bad, "byte by byte to 40000 (%zu)", bad);
	bad = 0;
	for (; size > 1; size--)
		p = change(p, size, size - 1, &bad);
	OK(!bad, "byte by byte back to 1 (%zu)", bad);
	free(p);

	/* From each power of two, less one, as it is, plus one, to each. */
	bad = 0;
	for (k = 0; k < 21 * 21 * 9; k++) {
		size_t from = ((size_t)1 << k % 21) + k / 441 % 3;
		size_t to = ((size_t)1 << k / 21 % 21) + k / 1323;

		from = from > 1 ? from - 1 : 1;
		to = to > 1 ? to - 1 : 1;
		p = change(malloc(from), from, to, &bad);
		free(p);
	}
	OK(!bad, "between powers of two and their neighbours (%zu)", bad);
}

static void test_huge(void)
{
	static const size_t steps[] = {
		1, 40, 33000, 100000, 1 * MIB, 1 * MIB + 1, 4 * MIB, 5 * MIB,
		16 * MIB, 15 * MIB, 64 * MIB, 256 * MIB, 256 * MIB + 4096,
		100 * MIB, 3 * MIB, 40000, 32768, 5000, 8,
	};
	size_t i, bad = 0;
	char *p = malloc(1);

	for (i = 0; i + 1 < COUNT(steps); i++)
		p = change(p, steps[i], steps[i + 1], &bad);
	OK(!bad, "from a byte to 256 MiB and back (%zu)", bad);
	free(p);
}

/* Two blocks that grow in turns stand in each other's way. */
static void test_growing_together(void)
{
	size_t size = 1000, next, bad = 0;
	char *a = malloc(size), *b = malloc(size);

	for (; size < 40 * MIB; size = next) {
		next = size + size / 5;
		a = change(a, size, next, &bad);
		b = change(b, size, next, &bad);
	}
	OK(!bad, "two vectors that grow in turns (%zu)", bad);
	free(a);
	free(b);
}

static void test_aligned_blocks(void)
{
	size_t align, size, bad = 0;

	for (align = 16; align <= MIB; align *= 2) {
		for (size = 1; size < 3 * MIB; size = size * 3 + 1) {
			void *p = memalign(align, size);

			p = change(p, size, size * 2, &bad);
			p = change(p, size * 2, size, &bad);
			free(p);
		}
	}
	OK(!bad, "blocks from memalign keep their contents (%zu)", bad);
}

static size_t live_objects(void)
{
	void (*get)(struct pm_totals *) =
		(void (*)(struct pm_totals *))dlsym(RTLD_DEFAULT,
						    "pm_get_totals");
	struct pm_totals totals = { 0 };

	if (get)
		get(&totals);
	return totals.live_objects;
}

static void test_zero(void)
{
	static const size_t sizes[] = { 0, 1, 64, 5000, 32768, 50000, MIB };
	size_t i, before, bad = 0, bad_errno = 0;
	void *p;

	before = live_objects();
	for (i = 0; i < COUNT(sizes); i++) {
		p = malloc(sizes[i]);
		errno = 12345;
		if (realloc(p, 0))
			bad = sizes[i] + 1;
		if (errno != 12345)
			bad_errno = sizes[i] + 1;
		p = malloc(sizes[i]);
		if (reallocarray(p, 0, 16))
			bad = sizes[i] + 1;
		p = malloc(sizes[i]);
		if (reallocarray(p, 16, 0))
			bad = sizes[i] + 1;
	}
	OK(!bad, "realloc(p, 0) returns NULL (%zu)", bad);
	OK(!bad_errno, "and is no error: errno stays (%zu)", bad_errno);
	PM_OK(live_objects() == before, "and has freed: %zu live, then %zu",
	      before, live_objects());
	p = realloc(NULL, 0);
	OK(p, "realloc(NULL, 0) is malloc(0)");
	free(p);
	p = reallocarray(NULL, 0, 0);
	OK(p, "reallocarray(NULL, 0, 0) is malloc(0)");
	free(p);
	p = realloc(NULL, 1000);
	OK(p && malloc_usable_size(p) >= 1000, "realloc(NULL, n) is malloc(n)");
	free(p);
	p = reallocarray(NULL, 30, 40);
	OK(p && malloc_usable_size(p) >= 1200, "reallocarray(NULL, 30, 40)");
	pattern_fill(p, 1200, 7);
	p = reallocarray(p, 3000, 40);
	OK(p && pattern_holds(p, 1200, 7), "reallocarray grows");
	free(p);
}

static void test_refusals(void)
{
	static const size_t impossible[] = {
		(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15,
		SIZE_MAX - 4095, PTRDIFF_MAX, (size_t)1 << 62, (size_t)1 << 48,
	};
	static const size_t from[] = { 1, 64, 5000, 32768, 32769, MIB };
	static const size_t wide[][2] = {
		{ SIZE_MAX, 2 }, { 2, SIZE_MAX }, { SIZE_MAX / 2 + 1, 2 },
		{ (size_t)1 << 32, (size_t)1 << 32 }, { SIZE_MAX / 24 + 1, 24 },
		{ PTRDIFF_MAX, 1 }, { SIZE_MAX, 1 }, { 3, SIZE_MAX / 3 },
	};
	size_t i, k, bad, lost;
	void *p, *q;

	for (i = 0; i < COUNT(from); i++) {
		p = malloc(from[i]);
		pattern_fill(p, from[i], i);
		bad = lost = 0;
		for (k = 0; k < COUNT(impossible); k++) {
			errno = 0;
			q = realloc(p, impossible[k]);
			if (q || errno != ENOMEM)
				bad = impossible[k];
			if (!pattern_holds(p, from[i], i))
				lost = impossible[k];
		}
		OK(!bad, "realloc from %zu to the impossible (%#zx)", from[i],
		   bad);
		OK(!lost, "and the block of %zu is kept (%#zx)", from[i], lost);
		bad = lost = 0;
		for (k = 0; k < COUNT(wide); k++) {
			errno = 0;
			q = reallocarray(p, wide[k][0], wide[k][1]);
			if (q || errno != ENOMEM)
				bad = wide[k][0];
			if (!pattern_holds(p, from[i], i))
				lost = wide[k][0];
		}
		OK(!bad, "reallocarray overflow from %zu (%#zx)", from[i], bad);
		OK(!lost, "and the block of %zu is kept (%#zx)", from[i], lost);
		free(p);
	}
	errno = 0;
	p = realloc(NULL, SIZE_MAX);
	OK(!p && errno == ENOMEM, "realloc(NULL, SIZE_MAX) is ENOMEM");
	errno = 0;
	p = reallocarray(NULL, SIZE_MAX, 2);
	OK(!p && errno == ENOMEM, "reallocarray(NULL, overflow) is ENOMEM");
}

int main(void)
{
	size_t before;

	tap_begin();
	before = live_objects();
	test_boundaries();
	test_huge();
	test_growing_together();
	test_aligned_blocks();
	test_zero();
	test_refusals();
	PM_OK(live_objects() == before, "nothing leaked: %zu live, then %zu",
	      before, live_objects());
	return tap_end();
}
