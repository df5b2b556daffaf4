// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The C library's names: malloc() and its relatives, with the edge behaviour
 * of a current glibc. C++'s operators are in new.c.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include "user.h"
#include "api/core.h"
#include "base/options.h"
#include "api/stats.h"

/* Newer than the C library that we compile against, or gone from it. */
void cfree(void *ptr);
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

static void *pm_or_enomem(void *obj)
{
	if (unlikely(!obj))
		errno = ENOMEM;
	return obj;
}

static noinline void *pm_malloc_miss(size_t size, void *unmarked)
{
	void *obj = NULL;

	/* Middle sizes have their fast half here. */
	if (!unmarked)
		obj = pm_malloc_middle_fast(size, 1, &unmarked);
	return likely(obj) ? obj :
	       pm_or_enomem(pm_alloc_miss(size, 1, GFP_KERNEL, unmarked));
}

PM_EXPORT void *malloc(size_t size)
{
	void *obj, *unmarked;

	obj = pm_malloc_fast(size, &unmarked);
	return likely(obj) ? obj : pm_malloc_miss(size, unmarked);
}

PM_EXPORT void free(void *ptr)
{
	pm_free_named(ptr, "free");
}

PM_EXPORT void *calloc(size_t n, size_t size)
{
	void *obj, *unmarked;

	if (unlikely(check_mul_overflow(n, size, &size))) {
		errno = ENOMEM;
		return NULL;
	}
	obj = pm_malloc_fast(size, &unmarked);
	if (likely(obj))
		return memset(obj, 0, size);
	return pm_or_enomem(pm_alloc_miss(size, 1, GFP_KERNEL | __GFP_ZERO,
					  unmarked));
}

PM_EXPORT void *realloc(void *ptr, size_t size)
{
	if (!ptr)
		return malloc(size);
	if (!size) {
		pm_free_from(ptr, "realloc");
		return NULL;
	}
	return pm_or_enomem(pm_realloc_from(ptr, size, "realloc"));
}

PM_EXPORT void *reallocarray(void *ptr, size_t n, size_t size)
{
	if (unlikely(check_mul_overflow(n, size, &size))) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(ptr, size);
}

static noinline void *pm_aligned_miss(size_t align, size_t size,
				      void *unmarked)
{
	return pm_or_enomem(pm_alloc_miss(size, align, GFP_KERNEL, unmarked));
}

/*
 * It says what went wrong with its value. POSIX leaves open what is in errno
 * then; where memory ran out glibc leaves ENOMEM there, and so do we.
 */
PM_EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	void *obj, *unmarked;

	if (unlikely(!is_power_of_2(align) || align % sizeof(void *)))
		return EINVAL;
	obj = pm_malloc_aligned_fast(size, align, &unmarked);
	if (unlikely(!obj))
		obj = pm_aligned_miss(align, size, unmarked);
	if (unlikely(!obj))
		return ENOMEM;
	*out = obj;
	return 0;
}

PM_EXPORT void *aligned_alloc(size_t align, size_t size)
{
	void *obj, *unmarked;

	if (unlikely(!is_power_of_2(align))) {
		errno = EINVAL;
		return NULL;
	}
	obj = pm_malloc_aligned_fast(size, align, &unmarked);
	return likely(obj) ? obj : pm_aligned_miss(align, size, unmarked);
}

/* An alignment that is no power of two is rounded up to the next. */
PM_EXPORT void *memalign(size_t align, size_t size)
{
	size_t rounded = 16;

	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	while (rounded < align)
		rounded *= 2;
	return pm_or_enomem(pm_alloc(size, rounded, GFP_KERNEL));
}

PM_EXPORT void *valloc(size_t size)
{
	return pm_or_enomem(pm_alloc(size, PAGE_SIZE, GFP_KERNEL));
}

PM_EXPORT void *pvalloc(size_t size)
{
	if (unlikely(check_add_overflow(size, PAGE_SIZE - 1, &size))) {
		errno = ENOMEM;
		return NULL;
	}
	return valloc(ALIGN_DOWN(size, PAGE_SIZE));
}

PM_EXPORT void cfree(void *ptr)
{
	pm_free_from(ptr, "cfree");
}

PM_EXPORT void free_sized(void *ptr, size_t size)
{
	pm_free_sized_named(ptr, size, pm_class_of_small(size), false,
			    "free_sized");
}

PM_EXPORT void free_aligned_sized(void *ptr, size_t align, size_t size)
{
	pm_free_sized_named(ptr, size, pm_class_of_aligned(size, align), true,
			    "free_aligned_sized");
}

PM_EXPORT size_t malloc_usable_size(void *ptr)
{
	return pm_usable_from(ptr, "malloc_usable_size");
}

PM_EXPORT int malloc_trim(size_t pad __maybe_unused)
{
	return pm_trim() != 0;
}

/*
 * Neither of the two that print is a cancellation point in glibc, and fputs() is
 * one. A thread that ended there would leave the text behind.
 */
static void pm_print_report(FILE *out, enum pm_format format)
{
	struct pm_text text;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (pm_text_get(&text, format)) {
		fputs(text.at, out);
		pm_text_put(&text);
	}
	pthread_setcancelstate(state, NULL);
}

PM_EXPORT void malloc_stats(void)
{
	pm_print_report(stderr, PM_TEXT);
}

PM_EXPORT int malloc_info(int options, FILE *out)
{
	if (options) {
		errno = EINVAL;
		return -1;
	}
	pm_print_report(out, PM_XML);
	return 0;
}

PM_EXPORT struct mallinfo2 mallinfo2(void)
{
	struct pm_totals t;

	pm_get_totals(&t);
	return (struct mallinfo2) {
		.arena = t.mapped - t.large - t.large_cached,
		.ordblks = t.heaps,
		.hblks = t.large_objects,
		.hblkhd = t.large,
		.uordblks = t.live,
		.fordblks = t.magazine + t.depot + t.slab_free + t.heap_free,
		.keepcost = t.heap_free + t.large_cached,
	};
}

/* As mallinfo2(), in the int fields of old; what does not fit wraps. */
PM_EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 m = mallinfo2();

	return (struct mallinfo) {
		.arena = (int)m.arena,
		.ordblks = (int)m.ordblks,
		.hblks = (int)m.hblks,
		.hblkhd = (int)m.hblkhd,
		.uordblks = (int)m.uordblks,
		.fordblks = (int)m.fordblks,
		.keepcost = (int)m.keepcost,
	};
}

/*
 * The parameters that glibc knows are accepted, so that programs which
 * insist go on. Ours are in PMALLOC_OPTIONS.
 */
PM_EXPORT int mallopt(int param, int value __maybe_unused)
{
	switch (param) {
	case M_MXFAST:
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}

/* ---- glibc's other names ------------------------------------------------- */

/*
 * glibc exports its allocator under names of its own as well. Old programs and
 * run-time systems call these, and free by the usual name or the other way
 * round; so they have to lead to the same allocator. __posix_memalign() is what
 * other allocators add.
 */
#define PM_ALIAS(other, name)						\
	extern __typeof__(name) other					\
	__copy(name) __attribute__((visibility("default"), alias(#name)))

PM_ALIAS(__libc_malloc, malloc);
PM_ALIAS(__libc_free, free);
PM_ALIAS(__libc_calloc, calloc);
PM_ALIAS(__libc_realloc, realloc);
PM_ALIAS(__libc_reallocarray, reallocarray);
PM_ALIAS(__libc_memalign, memalign);
PM_ALIAS(__libc_valloc, valloc);
PM_ALIAS(__libc_pvalloc, pvalloc);
PM_ALIAS(__posix_memalign, posix_memalign);
PM_ALIAS(__libc_mallopt, mallopt);
/* By hand: the name mallinfo draws a warning that it is deprecated. */
extern struct mallinfo __libc_mallinfo(void)
	__attribute__((nothrow, leaf, visibility("default"), alias("mallinfo")));

/* ---- start and end ----------------------------------------------------- */

const char *pm_host_options(void)
{
	return secure_getenv("PMALLOC_OPTIONS");
}

void pm_host_started(void)
{
	pm_fork_init();
	pm_publish();
	pm_say_init();
	pm_filter_init();
	pm_exit_init();
	pm_reclaim_start(false);
}
