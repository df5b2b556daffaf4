// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The limit: the cheapest malloc that one can imagine, as a yardstick.
 *
 * Each thread has a stack of free objects per size class, threaded through
 * the objects. The class of an object follows from its address, since each
 * class has an address range of its own. There is nothing else: no check of
 * what is freed, no way home for an object that another thread frees, no
 * memory given back, and what a thread has when it ends is lost. No allocator
 * for real use can be as simple; how far one is from it shows what its checks
 * and its care for memory cost.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Classes: steps of 16 bytes up to 1024, then four per doubling. A range of
 * 64 GiB for each is reserved on first use; that is only address space.
 */
#define LINEAR 64
#define CLASSES 160
#define RANGE_LOG 36
#define BLOCK (64UL << 10)
#define EXPORT __attribute__((visibility("default")))
#define TLS __thread __attribute__((tls_model("initial-exec")))

struct object {
	struct object *next;
};

struct stack {
	struct object *top;
	char *fresh;
	char *end;
};

static TLS struct stack stacks[CLASSES];
static char *base;
static size_t taken[CLASSES];

static inline unsigned int class_of(size_t size)
{
	unsigned int shift;

	if (__builtin_expect(size <= 1024, 1))
		return (size + !size - 1) >> 4;
	shift = 61 - __builtin_clzl(size - 1);
	return LINEAR + (shift - 8) * 4 + ((size - 1) >> shift) % 4;
}

static inline size_t size_of(unsigned int class)
{
	if (class < LINEAR)
		return (class + 1UL) << 4;
	class -= LINEAR;
	return (5UL + class % 4) << (class / 4 + 8);
}

static inline unsigned int class_of_object(const void *object)
{
	return ((const char *)object - base) >> RANGE_LOG;
}

/* The base is a multiple of a range, so that a power of two is aligned. */
static char *reserve(void)
{
	size_t range = 1UL << RANGE_LOG;
	size_t bytes = (CLASSES + 1) * range;
	char *none = NULL;
	char *aligned;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	aligned = p + (range - (uintptr_t)p % range);
	if (!__atomic_compare_exchange_n(&base, &none, aligned, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		munmap(p, bytes);
	return base;
}

/* The next piece of a class's range, for this thread alone. */
static __attribute__((noinline)) void *refill(unsigned int class,
					      struct stack *stack)
{
	size_t size = size_of(class);
	size_t bytes = size > BLOCK ? size : BLOCK - BLOCK % size;
	size_t at;

	if (class >= CLASSES || (!base && !reserve()))
		return NULL;
	at = __atomic_fetch_add(&taken[class], bytes > BLOCK ? bytes : BLOCK,
				__ATOMIC_RELAXED);
	if (at + bytes > 1UL << RANGE_LOG)
		return NULL;
	stack->fresh = base + ((size_t)class << RANGE_LOG) + at;
	stack->end = stack->fresh + bytes;
	stack->fresh += size;
	return stack->fresh - size;
}

static __attribute__((noinline)) void *take_fresh(unsigned int class)
{
	struct stack *stack = &stacks[class];
	void *object = stack->fresh;

	if (stack->fresh == stack->end) {
		object = refill(class, stack);
		if (!object)
			errno = ENOMEM;
		return object;
	}
	stack->fresh += size_of(class);
	return object;
}

static inline void *take(unsigned int class)
{
	struct object *object = stacks[class].top;

	if (__builtin_expect(!object, 0))
		return take_fresh(class);
	stacks[class].top = object->next;
	return object;
}

static bool too_large(size_t size)
{
	if (size <= 1UL << (RANGE_LOG - 4))
		return false;
	errno = ENOMEM;
	return true;
}

EXPORT void *malloc(size_t size)
{
	if (__builtin_expect(size > 1024, 0) && too_large(size))
		return NULL;
	return take(class_of(size));
}

EXPORT void free(void *p)
{
	struct object *object = p;
	unsigned int class;

	if (__builtin_expect(!object, 0))
		return;
	class = class_of_object(object);
	object->next = stacks[class].top;
	stacks[class].top = object;
}

EXPORT size_t malloc_usable_size(void *p)
{
	return p ? size_of(class_of_object(p)) : 0;
}

/* Memory that was never used is zeroed; all other is cleared. */
EXPORT void *calloc(size_t n, size_t size)
{
	unsigned int class;
	void *p;

	if (__builtin_mul_overflow(n, size, &size) || too_large(size)) {
		errno = ENOMEM;
		return NULL;
	}
	class = class_of(size);
	if (!stacks[class].top)
		return take_fresh(class);
	p = take(class);
	memset(p, 0, size);
	return p;
}

EXPORT void *realloc(void *old, size_t size)
{
	size_t room;
	void *p;

	if (!old)
		return malloc(size);
	if (!size) {
		free(old);
		return NULL;
	}
	room = malloc_usable_size(old);
	if (size <= room && size > room / 2)
		return old;
	p = malloc(size);
	if (!p)
		return NULL;
	memcpy(p, old, size < room ? size : room);
	free(old);
	return p;
}

/*
 * A power of two above 512 has a class whose objects are aligned to their
 * size; smaller alignments take an object of 1024 bytes as well when 16 do
 * not suffice.
 */
EXPORT void *memalign(size_t align, size_t size)
{
	size_t room = 1024;

	if (align <= 16)
		return malloc(size);
	if (too_large(align) || too_large(size))
		return NULL;
	while (room < align || room < size)
		room *= 2;
	return malloc(room);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

EXPORT int posix_memalign(void **p, size_t align, size_t size)
{
	*p = memalign(align, size);
	return *p ? 0 : ENOMEM;
}

EXPORT void *valloc(size_t size)
{
	return memalign(sysconf(_SC_PAGESIZE), size);
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return memalign(page, (size + page - 1) & ~(page - 1));
}
