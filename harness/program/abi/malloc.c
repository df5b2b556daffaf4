// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * malloc, calloc, free and malloc_usable_size on one thread: what every
 * program relies on, and every refusal.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "pattern.h"

#define KEPT 64

static const size_t impossible[] = {
	(size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX + 4096,
	SIZE_MAX / 2 + 12345, SIZE_MAX - 8192, SIZE_MAX - 4096,
	SIZE_MAX - 4095, SIZE_MAX - 64, SIZE_MAX - 16, SIZE_MAX - 15,
	SIZE_MAX - 8, SIZE_MAX - 7, SIZE_MAX - 1, SIZE_MAX,
	/* Allowed by the limit, had by nobody. */
	PTRDIFF_MAX, PTRDIFF_MAX - 4096, (size_t)1 << 62, (size_t)1 << 48,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static size_t alignment_of(size_t size)
{
	return size >= 16 ? 16 : size > 8 ? 8 : size > 4 ? 4 : 1;
}

static void test_zero_sizes(void)
{
	void *p[4] = { malloc(0), malloc(0), calloc(0, 8), calloc(8, 0) };
	bool unique = true, usable = true;
	int i, j;

	for (i = 0; i < 4; i++)
		for (j = 0; j < i; j++)
			unique &= p[i] != p[j];
	for (i = 0; i < 4; i++)
		usable &= p[i] != NULL;
	OK(usable, "an object of no bytes is not NULL");
	OK(unique, "objects of no bytes are distinct");
	for (i = 0; i < 4; i++)
		free(p[i]);
	free(NULL);
	OK(malloc_usable_size(NULL) == 0, "usable size of NULL is 0");
}

/* Every size up to @max: aligned, long enough, neighbours apart. */
static void test_all_sizes(size_t max, size_t step)
{
	size_t size, bad_align = 0, bad_usable = 0, bad_content = 0, wide = 0;
	unsigned char *kept[KEPT] = { NULL };
	size_t kept_size[KEPT] = { 0 };
	unsigned int i, n = 0;

	for (size = 1; size <= max; size += step, n++) {
		unsigned char *p = malloc(size);
		size_t usable;

		i = n % KEPT;
		if (!p) {
			bad_usable = size;
			break;
		}
		usable = malloc_usable_size(p);
		if ((uintptr_t)p % alignment_of(size))
			bad_align = size;
		if (usable < size)
			bad_usable = size;
		if (size >= 128 && (usable - size) * 8 > usable)
			wide = size;
		if (kept[i] && !pattern_holds(kept[i], kept_size[i], n - KEPT))
			bad_content = kept_size[i];
		free(kept[i]);
		kept[i] = p;
		kept_size[i] = usable;
		pattern_fill(p, usable, n);
	}
	for (i = 0; i < KEPT; i++)
		free(kept[i]);
	OK(!bad_align, "aligned for its type, all sizes to %zu by %zu (%zu)",
	   max, step, bad_align);
	OK(!bad_usable, "usable size is enough, to %zu by %zu (%zu)",
	   max, step, bad_usable);
	OK(!bad_content, "every usable byte is ours alone, to %zu by %zu (%zu)",
	   max, step, bad_content);
	PM_OK(!wide, "waste at most 1/8 from 128 bytes up, to %zu by %zu (%zu)",
	      max, step, wide);
}

/* Many of one size at once, so that slabs, heaps and their edges are full. */
static void test_dense(void)
{
	static const size_t sizes[] = {
		1, 8, 9, 16, 17, 24, 32, 48, 64, 100, 128, 144, 200, 256, 513,
		1024, 1500, 2048, 4096, 5000, 8192, 16384, 20000, 32768, 32769,
		65536, 100000,
	};
	static void *p[20000];
	size_t i, k, bad = 0;

	for (k = 0; k < COUNT(sizes); k++) {
		size_t n = ((size_t)12 << 20) / sizes[k];

		if (n > COUNT(p))
			n = COUNT(p);
		for (i = 0; i < n; i++) {
			p[i] = malloc(sizes[k]);
			pattern_fill(p[i], sizes[k], i + k);
		}
		for (i = 0; i < n; i++) {
			if (!pattern_holds(p[i], sizes[k], i + k))
				bad = sizes[k];
			free(p[i]);
		}
	}
	OK(!bad, "12 MiB of one size hold their contents (%zu)", bad);
}

static void test_calloc_zeroes(void)
{
	size_t size, i, bad = 0;
	void *p[32];

	for (size = 1; size < (size_t)3 << 20; size += size / 7 + 1) {
		for (i = 0; i < COUNT(p); i++) {
			p[i] = malloc(size);
			memset(p[i], 0xa5, malloc_usable_size(p[i]));
		}
		for (i = 0; i < COUNT(p); i++)
			free(p[i]);
		for (i = 0; i < COUNT(p); i++) {
			p[i] = calloc(1, size);
			if (!p[i] || !all_zero(p[i], size))
				bad = size;
			if (p[i])
				memset(p[i], 0x5a, size);
		}
		for (i = 0; i < COUNT(p); i++)
			free(p[i]);
	}
	OK(!bad, "calloc gives zeroes where others wrote before (%zu)", bad);
	p[0] = calloc((size_t)1 << 10, (size_t)1 << 16);
	OK(p[0] && all_zero(p[0], (size_t)1 << 26), "calloc of 64 MiB");
	free(p[0]);
}

static void test_refusals(void)
{
	static const size_t wide[][2] = {
		{ SIZE_MAX, 2 }, { 2, SIZE_MAX }, { SIZE_MAX, SIZE_MAX },
		{ SIZE_MAX / 2 + 1, 2 }, { (size_t)1 << 32, (size_t)1 << 32 },
		{ ((size_t)1 << 32) + 1, (size_t)1 << 32 },
		{ SIZE_MAX / 16 + 1, 16 }, { SIZE_MAX / 3, 4 },
		{ PTRDIFF_MAX, 2 }, { (size_t)1 << 31, (size_t)1 << 32 },
		{ SIZE_MAX, 1 }, { 1, SIZE_MAX - 8 },
	};
	size_t i;
	void *p;

	for (i = 0; i < COUNT(impossible); i++) {
		errno = 0;
		p = malloc(impossible[i]);
		OK(!p && errno == ENOMEM, "malloc(%#zx) is ENOMEM",
		   impossible[i]);
		free(p);
		errno = 0;
		p = calloc(impossible[i], 1);
		OK(!p && errno == ENOMEM, "calloc(%#zx, 1) is ENOMEM",
		   impossible[i]);
		free(p);
	}
	for (i = 0; i < COUNT(wide); i++) {
		errno = 0;
		p = calloc(wide[i][0], wide[i][1]);
		OK(!p && errno == ENOMEM, "calloc(%#zx, %#zx) is ENOMEM",
		   wide[i][0], wide[i][1]);
		free(p);
	}
	p = malloc(100);
	OK(p, "a request after all refusals succeeds");
	free(p);
}

static void test_free_keeps_errno(void)
{
	static const size_t sizes[] = {
		1, 100, 5000, 32768, 40000, 1 << 20, (size_t)300 << 20,
	};
	size_t i, bad = 0;

	for (i = 0; i < COUNT(sizes); i++) {
		void *p = malloc(sizes[i]);

		errno = 12345;
		free(p);
		if (errno != 12345)
			bad = sizes[i];
	}
	errno = 54321;
	free(NULL);
	OK(!bad && errno == 54321, "free keeps errno (%zu)", bad);
}

/* Unmapping the middle of a mapping fails where the map count is reached. */
static void test_free_keeps_errno_on_failure(void)
{
	enum { MAPS = 70000 };
	size_t page = 4096, n = 0, i;
	void *p[8];
	char *at, *area;

	for (i = 0; i < COUNT(p); i++)
		p[i] = malloc((size_t)40 << 20);
	area = mmap(NULL, MAPS * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_NORESERVE, -1, 0);
	for (at = area; n < MAPS; at += 2 * page, n += 2)
		if (mprotect(at, page, PROT_NONE))
			break;
	errno = 12345;
	for (i = 0; i < COUNT(p); i++)
		free(p[i]);
	OK(errno == 12345, "free keeps errno with no mapping left (%zu maps)",
	   n);
	errno = 0;
	at = malloc(100);
	OK(at || errno == ENOMEM, "malloc with no mapping left is fair");
	free(at);
	munmap(area, MAPS * page);
	at = malloc((size_t)8 << 20);
	OK(at, "malloc works once mappings can be had again");
	free(at);
}

/* Blocks of all sizes, each time the same: use must not grow. */
static void test_no_growth(void)
{
	size_t size, round, i;
	struct rusage first, last;
	static void *p[512];

	for (round = 0; round < 12; round++) {
		for (size = 8; size <= (size_t)1 << 18; size *= 2) {
			for (i = 0; i < COUNT(p); i++) {
				p[i] = malloc(size - i % 7);
				*(volatile char *)p[i] = 1;
			}
			for (i = 0; i < COUNT(p); i++)
				free(p[i]);
		}
		if (round == 1)
			getrusage(RUSAGE_SELF, &first);
	}
	getrusage(RUSAGE_SELF, &last);
	OK(last.ru_maxrss <= first.ru_maxrss + 8192,
	   "the same work takes the same memory (%ld, then %ld KiB)",
	   first.ru_maxrss, last.ru_maxrss);
}

int main(void)
{
	tap_begin();
	test_zero_sizes();
	test_all_sizes(34000, 1);
	test_all_sizes((size_t)9 << 20, 98765);
	test_dense();
	test_calloc_zeroes();
	test_refusals();
	test_free_keeps_errno();
	test_free_keeps_errno_on_failure();
	test_no_growth();
	return tap_end();
}
