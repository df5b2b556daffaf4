// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * cfree, which glibc has dropped, and C23's free_sized and
 * free_aligned_sized, which it does not have yet.
 */
#include <errno.h>
#include <malloc.h>
#include "pattern.h"
#include "pmalloc.h"

typedef void free_fn(void *ptr);
typedef void free_sized_fn(void *ptr, size_t size);
typedef void free_aligned_sized_fn(void *ptr, size_t align, size_t size);
typedef void totals_fn(struct pm_totals *totals);

static free_fn *p_cfree;
static free_sized_fn *p_free_sized;
static free_aligned_sized_fn *p_free_aligned_sized;
static totals_fn *p_totals;

static const size_t sizes[] = {
	0, 1, 8, 15, 16, 17, 24, 64, 100, 128, 129, 144, 1000, 1024, 1025,
	4096, 5000, 16384, 20000, 32767, 32768, 32769, 50000, 65536,
	100000, 1 << 20, (1 << 20) + 1, 40 << 20,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static size_t live_objects(void)
{
	struct pm_totals totals = { 0 };

	if (p_totals)
		p_totals(&totals);
	return totals.live_objects;
}

static void test_cfree(void)
{
	size_t i;

	for (i = 0; i < COUNT(sizes); i++)
		p_cfree(malloc(sizes[i]));
	errno = 12345;
	p_cfree(NULL);
	OK(errno == 12345, "cfree takes any object, and NULL");
}

static void test_free_sized(void)
{
	size_t i, k, size;
	void *p;

	for (i = 0; i < COUNT(sizes); i++) {
		p_free_sized(malloc(sizes[i]), sizes[i]);
		p_free_sized(calloc(1, sizes[i]), sizes[i]);
	}
	for (size = 1; size < 70000; size += 13)
		p_free_sized(malloc(size), size);
	OK(true, "free_sized takes what malloc and calloc gave");
	/*
	 * The size is that of the last realloc, however much of the object
	 * was there before.
	 */
	for (i = 1; i < COUNT(sizes); i++) {
		for (k = 1; k < COUNT(sizes); k++) {
			p = realloc(malloc(sizes[i]), sizes[k]);
			p_free_sized(p, sizes[k]);
		}
	}
	OK(true, "free_sized takes what realloc gave");
	for (size = 40000; size > 1; size -= size / 50 + 1) {
		p = malloc(40000);
		for (i = 39000; i > size; i -= i / 9 + 1)
			p = realloc(p, i);
		p_free_sized(realloc(p, size), size);
	}
	OK(true, "free_sized takes what shrank in many steps");
	errno = 12345;
	p_free_sized(NULL, 0);
	p_free_sized(NULL, 100);
	p_free_sized(malloc(100), 100);
	p_free_sized(malloc(80 << 20), 80 << 20);
	OK(errno == 12345, "free_sized takes NULL, and keeps errno");
}

static void test_free_aligned_sized(void)
{
	size_t align, i;

	for (align = 1; align <= 1 << 21; align *= 2)
		for (i = 0; i < COUNT(sizes); i++)
			p_free_aligned_sized(aligned_alloc(align, sizes[i]),
					     align, sizes[i]);
	errno = 12345;
	p_free_aligned_sized(NULL, 64, 100);
	OK(errno == 12345, "free_aligned_sized takes what aligned_alloc gave");
}

int main(void)
{
	size_t before;

	tap_begin();
	p_cfree = (free_fn *)dlsym(RTLD_DEFAULT, "cfree");
	p_free_sized = (free_sized_fn *)dlsym(RTLD_DEFAULT, "free_sized");
	p_free_aligned_sized = (free_aligned_sized_fn *)
		dlsym(RTLD_DEFAULT, "free_aligned_sized");
	p_totals = (totals_fn *)dlsym(RTLD_DEFAULT, "pm_get_totals");
	PM_OK(p_cfree && p_free_sized && p_free_aligned_sized,
	      "cfree, free_sized and free_aligned_sized are there");
	if (!p_cfree || !p_free_sized || !p_free_aligned_sized)
		return tap_end();
	before = live_objects();
	test_cfree();
	test_free_sized();
	test_free_aligned_sized();
	PM_OK(live_objects() == before, "nothing leaked: %zu live, then %zu",
	      before, live_objects());
	return tap_end();
}
