// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * glibc's own names of its allocator: what one name gave is freed, grown and
 * measured by another. elf.sh compares the lists of names.
 */
#include <malloc.h>
#include "pattern.h"

void *__libc_malloc(size_t size);
void __libc_free(void *ptr);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t align, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);

static const size_t sizes[] = { 1, 100, 5000, 40000, 1 << 20 };

enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void *old_malloc(size_t size)
{
	return __libc_malloc(size);
}

static void *old_calloc(size_t size)
{
	return __libc_calloc(1, size);
}

static void *old_realloc(size_t size)
{
	return __libc_realloc(malloc(10), size);
}

static void *old_memalign(size_t size)
{
	return __libc_memalign(64, size);
}

static void *old_valloc(size_t size)
{
	return __libc_valloc(size);
}

static void *old_pvalloc(size_t size)
{
	return __libc_pvalloc(size);
}

static const struct {
	const char *name;
	void *(*get)(size_t size);
} given[] = {
	{ "__libc_malloc", old_malloc },
	{ "__libc_calloc", old_calloc },
	{ "__libc_realloc", old_realloc },
	{ "__libc_memalign", old_memalign },
	{ "__libc_valloc", old_valloc },
	{ "__libc_pvalloc", old_pvalloc },
	{ "malloc", malloc },
};

static bool lives(void *(*get)(size_t size), size_t size, uint64_t tag)
{
	bool good;
	void *p = get(size);

	if (!p || malloc_usable_size(p) < size)
		return false;
	pattern_fill(p, size, tag);
	p = realloc(p, size * 2);
	good = p && pattern_holds(p, size, tag);
	p = __libc_realloc(p, size * 3);
	good = good && p && pattern_holds(p, size, tag);
	free(p);
	__libc_free(get(size));
	free(get(size));
	return good;
}

int main(void)
{
	tap_begin();
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		size_t bad = 0;

		for (size_t k = 0; k < SIZES; k++)
			if (!lives(given[i].get, sizes[k], i * 100 + k))
				bad = sizes[k];
		OK(!bad, "%s: grown and freed by either name (%zu)",
		   given[i].name, bad);
	}
	return tap_end();
}
