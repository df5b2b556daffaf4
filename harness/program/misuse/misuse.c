// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * One misuse per run: misuse CASE. It says on stdout which pointer it is
 * about to misuse ("bad ADDRESS") and which object that concerns ("obj
 * ADDRESS"), so that misuse.sh can hold the report against them. Whoever
 * survives its misuse says so, with the library's count, and exits with 3; one
 * who is given what it may not be given exits with 7.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cpu.h"
#include "pmalloc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MIB ((size_t)1 << 20)

static char static_memory[4096] __attribute__((aligned(4096)));

/* Says it, and hides from the compiler where the pointer is from. */
static void *bad(void *p, void *obj)
{
	char line[80];
	int n = snprintf(line, sizeof(line), "bad 0x%lx\nobj 0x%lx\n",
			 (unsigned long)p, (unsigned long)obj);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		_exit(4);
	__asm__ __volatile__("" : "+r"(p));
	return p;
}

static void *in_thread(void *(*fn)(void *), void *arg)
{
	pthread_t thread;
	void *ret;

	if (pthread_create(&thread, NULL, fn, arg) ||
	    pthread_join(thread, &ret))
		_exit(4);
	return ret;
}

static void *free_it(void *p)
{
	free(p);
	return NULL;
}

/*
 * free() looks at the top of its magazine's stack and no deeper: a second free
 * of another object is found when the copies come home.
 */
static void free_found_later(void *p)
{
	free(p);
	malloc_trim(0);
}

/* Has a neighbour that stays, so that its slab does when the copies come home. */
static void *malloc_beside(size_t size)
{
	void *p = malloc(size), *volatile neighbour = malloc(size);

	(void)neighbour;
	return p;
}

static void *malloc_it(void *size)
{
	return malloc_beside((size_t)size);
}

/* ---- foreign pointers --------------------------------------------------- */

static void free_stack(void)
{
	char mem[64] = "";

	free(bad(mem, mem));
}

static void free_static(void)
{
	free(bad(static_memory, NULL));
}

/* Not the first call of all, so options have been read. */
static void free_static_later(void)
{
	free(malloc(1));
	free(bad(static_memory, NULL));
}

static void free_code(void)
{
	free(bad((void *)(uintptr_t)free_stack, NULL));
}

static void free_mmap(void)
{
	free(bad(mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		      MAP_ANONYMOUS, -1, 0), NULL));
}

static void free_sbrk(void)
{
	free(bad(sbrk(65536), NULL));
}

static void free_small_number(void)
{
	free(bad((void *)0x10, NULL));
}

static void free_noncanonical(void)
{
	free(bad((void *)0xdead00000000beef, NULL));
}

static void free_kernel_address(void)
{
	free(bad((void *)-4096, NULL));
}

static void free_unmapped(void)
{
	char *p = mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	munmap(p, 8 * MIB);
	free(bad(p + 4 * MIB, NULL));
}

static void realloc_stack(void)
{
	char mem[64] = "";

	free(realloc(bad(mem, NULL), 100));
}

static void realloc_noncanonical(void)
{
	free(realloc(bad((void *)0x7eadbeef00000010, NULL), 100));
}

static void realloc_mmap(void)
{
	free(realloc(bad(mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), NULL),
		     1 << 17));
}

static void usable_stack(void)
{
	char mem[64] = "";

	if (malloc_usable_size(bad(mem, NULL)) == 0)
		_exit(5);
}

/* ---- no misuse ------------------------------------------------------------ */

/* The C library's own name of malloc() is this malloc(), too. */
static void free_glibc(void)
{
	void *(*get)(size_t) =
		(void *(*)(size_t))dlsym(RTLD_DEFAULT, "__libc_malloc");
	char *p = get ? get(100) : NULL;

	if (!p || malloc_usable_size(p) < 100)
		_exit(5);
	memset(p, 1, 100);
	free(bad(p, p));
}

/* ---- interior pointers --------------------------------------------------- */

static void free_inside(void)
{
	char *p = malloc(64);

	free(bad(p + 16, p));
}

static void free_inside_by_one(void)
{
	char *p = malloc(64);

	free(bad(p + 1, p));
}

static void free_last_byte(void)
{
	char *p = malloc(64);

	free(bad(p + 63, p));
}

static void free_inside_big(void)
{
	char *p = malloc(20000);

	free(bad(p + 4096, p));
}

static void free_inside_large(void)
{
	char *p = malloc(2 * MIB);

	free(bad(p + 16, p));
}

static void free_page_of_large(void)
{
	char *p = malloc(2 * MIB);

	free(bad(p + 4096, p));
}

static void free_middle_of_large(void)
{
	char *p = malloc(8 * MIB);

	free(bad(p + 4 * MIB, p));
}

static void free_inside_span(void)
{
	char *p = malloc(100000);

	free(bad(p + 16, p));
}

static void free_page_of_span(void)
{
	char *p = malloc(100000);

	free(bad(p + 4096, p));
}

static void free_middle_of_span(void)
{
	char *p = malloc(100000);

	free(bad(p + 65536, p));
}

static void realloc_inside(void)
{
	char *p = malloc(64);

	free(realloc(bad(p + 32, p), 100));
}

static void free_inside_aligned(void)
{
	char *p = aligned_alloc(1024, 1024);

	free(bad(p + 512, p));
}

/* ---- double frees -------------------------------------------------------- */

static void double_of(size_t size)
{
	void *p = malloc(size);

	bad(p, p);
	free(p);
	free(p);
}

static void double_free(void) { double_of(64); }
static void double_tiny(void) { double_of(1); }
static void double_page(void) { double_of(4096); }
static void double_big(void) { double_of(32768); }
static void double_span(void) { double_of(40000); }
static void double_mib(void) { double_of(MIB); }
static void double_large(void) { double_of(2 * MIB); }
static void double_huge(void) { double_of(100 * MIB); }

static void double_calloc(void)
{
	void *p = calloc(8, 8);

	bad(p, p);
	free(p);
	free(p);
}

static void double_aligned(void)
{
	void *p = aligned_alloc(64, 64);

	bad(p, p);
	free(p);
	free(p);
}

/* The object is the @at-th freed of @n. */
static void double_among(size_t n, size_t at)
{
	static void *p[20000];
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = i == at ? malloc_beside(64) : malloc(64);
	bad(p[at], p[at]);
	for (i = 0; i < n; i++)
		free(p[i]);
	free_found_later(p[at]);
}

static void double_after_one(void) { double_among(2, 0); }
static void double_after_64(void) { double_among(66, 0); }
static void double_after_1000(void) { double_among(2000, 1000); }
static void double_after_all(void) { double_among(20000, 10000); }

/* Another object was taken between; it is not this one. */
static void double_after_malloc(void)
{
	void *p[8], *q = malloc(64);
	size_t i;

	bad(q, q);
	for (i = 0; i < COUNT(p); i++)
		p[i] = malloc(64);
	free(q);
	free(p[3]);
	p[3] = malloc(64);
	if (p[3] == q)
		free(p[3]);
	free_found_later(q);
}

static void double_other_thread(void)
{
	void *p = malloc_beside(64);

	bad(p, p);
	in_thread(free_it, p);
	free_found_later(p);
}

static void double_in_thread(void)
{
	void *p = malloc_beside(64);

	bad(p, p);
	free(p);
	in_thread(free_it, p);
	malloc_trim(0);
}

static void double_two_threads(void)
{
	void *p = in_thread(malloc_it, (void *)64);

	bad(p, p);
	in_thread(free_it, p);
	in_thread(free_it, p);
	malloc_trim(0);
}

/* From a CPU that is not the owner's, where there are two. */
static void double_remote(void)
{
	void *p;

	pin(0);
	p = malloc_beside(64);
	bad(p, p);
	pin(1);
	free(p);
	free_found_later(p);
}

static void double_remote_and_home(void)
{
	void *p;

	pin(0);
	p = malloc_beside(64);
	bad(p, p);
	pin(1);
	free(p);
	pin(0);
	free_found_later(p);
}

static void double_after_trim(void)
{
	void *keep = malloc(64), *p = malloc(64);

	bad(p, p);
	free(p);
	malloc_trim(0);
	free_found_later(p);
	free(keep);
}

/* With nothing else alive: the trim that finds it gives the heap back. */
static void double_with_its_heap(void)
{
	void *p, *q;

	pin(0);
	p = malloc(64);
	q = malloc(64);
	bad(p, p);
	free(p);
	free(q);
	free_found_later(p);
}

static void double_realloc_zero(void)
{
	void *p = malloc(64);

	bad(p, p);
	if (!realloc(p, 0))
		free(p);
}

static void free_after_realloc_moved(void)
{
	void *p = malloc_beside(64), *q;

	bad(p, p);
	q = realloc(p, 5000);
	free_found_later(p);
	free(q);
}

static void free_never_allocated(void)
{
	char *p = malloc(64), *q;
	size_t i;

	for (i = 1; i < 10; i++) {
		q = malloc(64);
		if (q > p)
			p = q;
	}
	free_found_later(bad(p + 64 * 20, p + 64 * 20));
}

static void realloc_freed(void)
{
	void *p = malloc(64);

	bad(p, p);
	free(p);
	free(realloc(p, 100));
}

static void realloc_freed_shrink(void)
{
	void *p = malloc(64);

	bad(p, p);
	free(p);
	free(realloc(p, 50));
}

static void realloc_freed_span(void)
{
	void *p = malloc(100000);

	bad(p, p);
	free(p);
	free(realloc(p, MIB));
}

static void realloc_freed_large(void)
{
	void *p = malloc(2 * MIB);

	bad(p, p);
	free(p);
	free(realloc(p, 4 * MIB));
}

static void reallocarray_freed(void)
{
	void *p = malloc(64);

	bad(p, p);
	free(p);
	free(reallocarray(p, 10, 10));
}

static void realloc_freed_zero(void)
{
	void *p = malloc(64);

	bad(p, p);
	free(p);
	if (!realloc(p, 0))
		_exit(3);
}

/* ---- writes after free --------------------------------------------------- */

/* Take more objects than a magazine has: @p is @owners' at most. */
static void take(const void *p, int owners)
{
	int i;

	for (i = 0; i < 2000; i++)
		if (malloc(64) == p && owners-- == 0)
			_exit(7);
}

static void written(int word)
{
	uint64_t *p;

	pin(0);
	p = malloc(64);
	bad(p, p);
	free(p);
	p[word] = 0x4242424242424240;
	take(p, word == 1 ? 0 : 1);
}

static void written_first(void) { written(0); }
static void written_second(void) { written(1); }

/* Freed, written to, freed again; with another one freed in between, or not. */
static void double_written(int word, bool between)
{
	uint64_t *p;
	void *q;

	pin(0);
	p = malloc(64);
	q = malloc(64);
	bad(p, p);
	free(p);
	p[word] = 0x4242424242424240;
	if (between)
		free(q);
	free(p);
	take(p, 1);
}

static void double_written_first(void) { double_written(0, false); }
static void double_written_second(void) { double_written(1, false); }
static void double_written_first_later(void) { double_written(0, true); }
static void double_written_second_later(void) { double_written(1, true); }

/* ---- wrong sizes, other functions ---------------------------------------- */

static void sized(void *p, size_t size)
{
	void (*fn)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");

	bad(p, p);
	if (fn)
		fn(p, size);
}

static void sized_too_long(void) { sized(malloc(64), 100); }
static void sized_too_short(void) { sized(malloc(4096), 8); }
static void sized_span(void) { sized(malloc(40000), 100000); }
static void sized_large(void) { sized(malloc(2 * MIB), 100 * MIB); }
static void sized_small_for_large(void) { sized(malloc(2 * MIB), 100); }
static void sized_max(void) { sized(malloc(64), SIZE_MAX); }

static void sized_double(void)
{
	void *p = malloc(64);

	free(p);
	sized(p, 64);
}

static void sized_foreign(void)
{
	sized(static_memory, 64);
}

static void aligned_sized_wrong(void)
{
	void (*fn)(void *, size_t, size_t) = (void (*)(void *, size_t, size_t))
		dlsym(RTLD_DEFAULT, "free_aligned_sized");
	void *p = aligned_alloc(64, 64);

	bad(p, p);
	if (fn)
		fn(p, 64, 1000);
}

static void cfree_double(void)
{
	void (*fn)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
	void *p = malloc(64);

	bad(p, p);
	free(p);
	if (fn)
		fn(p);
}

static void delete_double(void)
{
	void (*fn)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "_ZdlPv");
	void *p = malloc(64);

	bad(p, p);
	free(p);
	if (fn)
		fn(p);
}

static void delete_sized_wrong(void)
{
	void (*fn)(void *, size_t) =
		(void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "_ZdlPvm");
	void *p = malloc(64);

	bad(p, p);
	if (fn)
		fn(p, 5000);
}

static void usable_freed(void)
{
	void *p = malloc(64);

	bad(p, p);
	free(p);
	if (malloc_usable_size(p) == 0)
		_exit(5);
}

/* ---- caches ------------------------------------------------------------ */

#pragma weak pm_cache_create
#pragma weak pm_cache_alloc
#pragma weak pm_cache_free

static void *cached(const char *name, struct pm_cache **cache)
{
	*cache = pm_cache_create(name, 48, 0, 0, NULL);
	return *cache ? pm_cache_alloc(*cache) : NULL;
}

static void cache_free(void)
{
	struct pm_cache *cache;
	void *p = cached("ours", &cache);

	free(bad(p, p));
}

static void cache_foreign(void)
{
	struct pm_cache *cache, *other;
	void *p = cached("ours", &cache);

	cached("theirs", &other);
	pm_cache_free(other, bad(p, p));
}

static void cache_of_malloc(void)
{
	struct pm_cache *cache;
	void *p = malloc(64);

	cached("ours", &cache);
	pm_cache_free(cache, bad(p, p));
}

static void cache_double(void)
{
	struct pm_cache *cache;
	void *p = cached("ours", &cache);

	pm_cache_free(cache, p);
	pm_cache_free(cache, bad(p, p));
}

/* stderr closed: it must end all the same. */
static void double_silent(void)
{
	close(STDERR_FILENO);
	double_of(64);
}

#define CASE(fn) { #fn, fn }

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	CASE(free_stack), CASE(free_static),
	CASE(free_static_later), CASE(free_code), CASE(free_mmap),
	CASE(free_sbrk), CASE(free_glibc), CASE(free_small_number),
	CASE(free_noncanonical), CASE(free_kernel_address),
	CASE(free_unmapped), CASE(realloc_stack), CASE(realloc_noncanonical),
	CASE(realloc_mmap), CASE(usable_stack), CASE(free_inside),
	CASE(free_inside_by_one), CASE(free_last_byte), CASE(free_inside_big),
	CASE(free_inside_large), CASE(free_page_of_large),
	CASE(free_middle_of_large), CASE(free_inside_span),
	CASE(free_page_of_span), CASE(free_middle_of_span), CASE(realloc_inside),
	CASE(free_inside_aligned), CASE(double_free), CASE(double_tiny),
	CASE(double_page), CASE(double_big), CASE(double_span), CASE(double_large),
	CASE(double_mib), CASE(double_huge), CASE(double_calloc),
	CASE(double_aligned), CASE(double_after_one), CASE(double_after_64),
	CASE(double_after_1000), CASE(double_after_all),
	CASE(double_after_malloc), CASE(double_other_thread),
	CASE(double_in_thread), CASE(double_two_threads), CASE(double_remote),
	CASE(double_remote_and_home), CASE(double_after_trim),
	CASE(double_with_its_heap), CASE(double_realloc_zero), CASE(free_after_realloc_moved),
	CASE(free_never_allocated), CASE(realloc_freed),
	CASE(realloc_freed_shrink), CASE(realloc_freed_span), CASE(realloc_freed_large),
	CASE(reallocarray_freed), CASE(realloc_freed_zero),
	CASE(written_first), CASE(written_second), CASE(double_written_first),
	CASE(double_written_second), CASE(double_written_first_later),
	CASE(double_written_second_later), CASE(sized_too_long),
	CASE(sized_too_short), CASE(sized_span), CASE(sized_large),
	CASE(sized_small_for_large), CASE(sized_max), CASE(sized_double),
	CASE(sized_foreign), CASE(aligned_sized_wrong), CASE(cfree_double),
	CASE(delete_double), CASE(delete_sized_wrong), CASE(usable_freed),
	CASE(double_silent),
	CASE(cache_free), CASE(cache_foreign), CASE(cache_of_malloc),
	CASE(cache_double),
};

/* How often the library found misuse, by its own count. */
static size_t misuses(void)
{
	void (*get)(struct pm_totals *) = (void (*)(struct pm_totals *))
		dlsym(RTLD_DEFAULT, "pm_get_totals");
	struct pm_totals totals = { 0 };

	if (get)
		get(&totals);
	return totals.misuse;
}

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		if (argc < 2) {
			puts(cases[i].name);
			continue;
		}
		if (strcmp(cases[i].name, argv[1]))
			continue;
		alarm(10);
		cases[i].run();
		printf("survived %zu\n", misuses());
		return 3;
	}
	return argc < 2 ? 0 : 2;
}
