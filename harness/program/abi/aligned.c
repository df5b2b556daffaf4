// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * memalign, posix_memalign, aligned_alloc, valloc and pvalloc: which
 * alignments they take, which they refuse, and how.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include "pattern.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096

static const size_t bad_alignments[] = {
	3, 5, 6, 7, 12, 24, 48, 100, 4095, 4097, 12288, SIZE_MAX,
	SIZE_MAX / 2, SIZE_MAX / 2 + 2,
};

static const size_t impossible[] = {
	(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4095,
	SIZE_MAX - 8192, PTRDIFF_MAX, (size_t)1 << 62, (size_t)1 << 48,
};

enum how { MEMALIGN, POSIX_MEMALIGN, ALIGNED_ALLOC };

static const char *const how_name[] = {
	"memalign", "posix_memalign", "aligned_alloc"
};

static void *get(enum how how, size_t align, size_t size)
{
	void *p = NULL;

	switch (how) {
	case MEMALIGN:
		return memalign(align, size);
	case POSIX_MEMALIGN:
		return posix_memalign(&p, align, size) ? NULL : p;
	default:
		return aligned_alloc(align, size);
	}
}

/*
 * Several of each at a time, filled to their usable size, so that an overlap
 * shows, and freed in another order.
 */
static void test_powers(enum how how)
{
	static const size_t sizes[] = {
		0, 1, 7, 8, 9, 16, 17, 40, 100, 128, 129, 1000, 4096, 5000,
		16384, 30000, 32768, 32769, 70000, 300000,
	};
	size_t align, k, i, bad_align = 0, bad_size = 0, bad_content = 0;
	void *p[4];

	for (align = sizeof(void *); align <= (size_t)1 << 23; align *= 2) {
		for (k = 0; k < COUNT(sizes); k++) {
			for (i = 0; i < COUNT(p); i++) {
				p[i] = get(how, align, sizes[k]);
				if (!p[i] || (uintptr_t)p[i] % align) {
					bad_align = align;
					continue;
				}
				if (malloc_usable_size(p[i]) < sizes[k])
					bad_size = sizes[k];
				pattern_fill(p[i], malloc_usable_size(p[i]),
					     i + k);
			}
			for (i = 0; i < COUNT(p); i++) {
				void *q = p[(i + 2) % COUNT(p)];

				if (!q)
					continue;
				if (!pattern_holds(q, malloc_usable_size(q),
						   (i + 2) % COUNT(p) + k))
					bad_content = sizes[k];
				free(q);
			}
		}
	}
	OK(!bad_align, "%s aligns to every power of two (%zu)", how_name[how],
	   bad_align);
	OK(!bad_size, "%s gives enough (%zu)", how_name[how], bad_size);
	OK(!bad_content, "%s: every usable byte is ours alone (%zu)",
	   how_name[how], bad_content);
}

/* An alignment that only a whole mapping can have: given, or refused. */
static void test_vast_alignments(void)
{
	unsigned int k, bad = 0;

	for (k = 24; k < 64; k++) {
		size_t align = (size_t)1 << k;
		void *p;

		errno = 0;
		p = memalign(align, 100);
		if (p ? (uintptr_t)p % align != 0 :
		    errno != ENOMEM && errno != EINVAL)
			bad = k;
		free(p);
		errno = 0;
		p = aligned_alloc(align, 100);
		if (p ? (uintptr_t)p % align != 0 :
		    errno != ENOMEM && errno != EINVAL)
			bad = k;
		free(p);
		if (posix_memalign(&p, align, 100) == 0) {
			if ((uintptr_t)p % align)
				bad = k;
			free(p);
		}
		if (k <= 32 && !bad) {
			p = memalign(align, 100);
			if (!p)
				bad = k;
			free(p);
		}
	}
	OK(!bad, "2^24 to 2^32 are given, more is given or refused (2^%u)",
	   bad);
}

static void test_posix_memalign_refusals(void)
{
	static const size_t small[] = { 0, 1, 2, 4 };
	void *const mark = (void *)0x5a5a;
	void *p = mark;
	size_t i, bad = 0, touched = 0, silent = 0;

	errno = 12345;
	for (i = 0; i < COUNT(bad_alignments) + COUNT(small); i++) {
		size_t align = i < COUNT(small) ? small[i] :
			bad_alignments[i - COUNT(small)];

		if (posix_memalign(&p, align, 64) != EINVAL)
			bad = align + 1;
		if (p != mark || errno != 12345)
			touched = align + 1;
	}
	OK(!bad, "posix_memalign: bad alignment is EINVAL (%zu)", bad);
	OK(!touched, "and leaves pointer and errno alone (%zu)", touched);
	bad = touched = 0;
	for (i = 0; i < COUNT(impossible); i++) {
		errno = 0;
		if (posix_memalign(&p, 64, impossible[i]) != ENOMEM)
			bad = impossible[i];
		if (errno != ENOMEM)
			silent = impossible[i];
		errno = 0;
		if (posix_memalign(&p, PAGE * 16, impossible[i]) != ENOMEM)
			bad = impossible[i];
		if (errno != ENOMEM)
			silent = impossible[i];
		if (p != mark)
			touched = impossible[i];
	}
	OK(!bad, "posix_memalign: impossible size is ENOMEM (%#zx)", bad);
	OK(!touched, "and leaves the pointer alone (%#zx)", touched);
	OK(!silent, "and ENOMEM in errno, as glibc does (%#zx)", silent);
	errno = 12345;
	if (posix_memalign(&p, 64, 100) == 0)
		free(p);
	OK(errno == 12345, "success leaves errno alone");
	p = mark;
	OK(posix_memalign(&p, 64, 0) == 0 && p && p != mark,
	   "posix_memalign of no bytes gives an object");
	free(p);
}

static void test_aligned_alloc_refusals(void)
{
	size_t i, bad = 0;
	void *p;

	for (i = 0; i < COUNT(bad_alignments); i++) {
		errno = 0;
		p = aligned_alloc(bad_alignments[i], 64);
		if (p || errno != EINVAL)
			bad = bad_alignments[i];
		free(p);
	}
	PM_OK(!bad, "aligned_alloc: not a power of two is EINVAL (%zu)", bad);
	errno = 0;
	p = aligned_alloc(0, 64);
	PM_OK(!p && errno == EINVAL, "aligned_alloc(0, n) is EINVAL");
	if (tap_on_pmalloc())
		free(p);
	bad = 0;
	for (i = 1; i <= 64; i *= 2) {
		p = aligned_alloc(i, i * 3 / 2 + 1);
		if (!p || (uintptr_t)p % i)
			bad = i;
		free(p);
	}
	OK(!bad, "aligned_alloc takes 1 to 64 and any size (%zu)", bad);
	bad = 0;
	for (i = 0; i < COUNT(impossible); i++) {
		errno = 0;
		p = aligned_alloc(64, impossible[i]);
		if (p || errno != ENOMEM)
			bad = impossible[i];
		errno = 0;
		p = aligned_alloc(PAGE, impossible[i]);
		if (p || errno != ENOMEM)
			bad = impossible[i];
	}
	OK(!bad, "aligned_alloc: impossible size is ENOMEM (%#zx)", bad);
}

static void test_memalign(void)
{
	size_t align, power, i, bad = 0;
	void *p;

	for (align = 0; align < 5000; align++) {
		for (power = 16; power < align; power *= 2)
			;
		p = memalign(align, 10 + align % 90);
		if (!p || (uintptr_t)p % power)
			if (!p || align > 16 || (uintptr_t)p % 16)
				bad = align + 1;
		free(p);
	}
	OK(!bad, "memalign rounds alignments up to the next power (%zu)", bad);
	errno = 0;
	p = memalign(SIZE_MAX / 2 + 2, 64);
	OK(!p && errno == EINVAL, "memalign: no such power is EINVAL");
	errno = 0;
	p = memalign(SIZE_MAX, 64);
	OK(!p && errno == EINVAL, "memalign(SIZE_MAX, n) is EINVAL");
	bad = 0;
	for (i = 0; i < COUNT(impossible); i++) {
		errno = 0;
		p = memalign(64, impossible[i]);
		if (p || errno != ENOMEM)
			bad = impossible[i];
		errno = 0;
		p = memalign(1 << 20, impossible[i]);
		if (p || errno != ENOMEM)
			bad = impossible[i];
	}
	OK(!bad, "memalign: impossible size is ENOMEM (%#zx)", bad);
}

static void test_pages(void)
{
	size_t i, size, bad = 0, bad_v = 0;
	void *p;

	for (size = 0; size < 5 * PAGE; size += 511) {
		size_t whole = (size + PAGE - 1) / PAGE * PAGE;

		p = valloc(size);
		if (!p || (uintptr_t)p % PAGE || malloc_usable_size(p) < size)
			bad_v = size + 1;
		else
			memset(p, 1, size);
		free(p);
		p = pvalloc(size);
		if (!p || (uintptr_t)p % PAGE || malloc_usable_size(p) < whole)
			bad = size + 1;
		else
			memset(p, 1, whole);
		free(p);
	}
	OK(!bad_v, "valloc aligns to a page (%zu)", bad_v);
	OK(!bad, "pvalloc gives whole pages (%zu)", bad);
	bad = 0;
	for (i = 0; i < COUNT(impossible); i++) {
		errno = 0;
		p = valloc(impossible[i]);
		if (p || errno != ENOMEM)
			bad = impossible[i];
		errno = 0;
		p = pvalloc(impossible[i]);
		if (p || errno != ENOMEM)
			bad = impossible[i];
	}
	OK(!bad, "valloc and pvalloc: impossible size is ENOMEM (%#zx)", bad);
}

int main(void)
{
	tap_begin();
	test_powers(MEMALIGN);
	test_powers(POSIX_MEMALIGN);
	test_powers(ALIGNED_ALLOC);
	test_vast_alignments();
	test_posix_memalign_refusals();
	test_aligned_alloc_refusals();
	test_memalign();
	test_pages();
	return tap_end();
}
