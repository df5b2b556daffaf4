// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a limited address space gives: run by limit.sh under `ulimit -v`.
 *
 *	limit base [THREADS]	VmSize at the start of main in bytes, with so
 *				many idle threads beside it
 *	limit fill SIZE OTHER	take blocks of SIZE until there are no more,
 *				check, free, take again, then blocks of OTHER
 *	limit wander SIZE OTHER	the same, on one CPU and on another by turns
 *	limit threads SIZE N	the same from N threads at once
 *	limit hopeless SIZE N	N times a pair of a small block, and a request of
 *				SIZE that must be refused
 *	limit late 0 N		N threads whose first request comes when main
 *				has taken everything
 *
 * Results are NAME=VALUE lines for the script to judge. Blocks are chained
 * through their own memory: the bookkeeping takes none.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include "pattern.h"

enum { MAX_THREADS = 100, STACK = 128 << 10 };

struct block {
	struct block *next;
	uint64_t tag;
	unsigned char data[];
};

struct fill {
	struct block *first;
	size_t size;
	size_t blocks;
	int error;
};

static size_t vm_size(void)
{
	char text[64] = "";
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long pages;

	if (read(fd, text, sizeof(text) - 1) <= 0)
		_exit(2);
	close(fd);
	pages = strtoul(text, NULL, 10);
	return pages * 4096;
}

__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
	char buf[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	tap_write(buf, (size_t)n);
}

/*
 * Stay on one CPU: whether the scheduler moves the thread shall not decide
 * what it gets. Which one, is @turn's matter; a machine may have but one.
 */
static void stay(unsigned int turn)
{
	static cpu_set_t all;
	unsigned int cpu;
	cpu_set_t one;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		return;
	turn %= CPU_COUNT(&all);
	for (cpu = 0; !CPU_ISSET(cpu, &all) || turn--; cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static bool wandering;

/* Takes blocks until there are no more, at most @max. */
static void take(struct fill *f, size_t max)
{
	while (f->blocks < max) {
		struct block *b;

		errno = 0;
		b = malloc(f->size);
		if (!b) {
			f->error = errno;
			return;
		}
		b->next = f->first;
		b->tag = (uintptr_t)b ^ f->blocks;
		pattern_fill(b->data, f->size - sizeof(*b), b->tag);
		f->first = b;
		f->blocks++;
		if (wandering)
			stay(f->blocks * f->size >> 21);
	}
}

/* Frees all but every @keep-th block (0: all); returns how many were bad. */
static size_t give(struct fill *f, size_t keep)
{
	struct block *b = f->first, *next, *kept = NULL;
	size_t bad = 0, i, n = f->blocks;

	for (i = 0; b; b = next, i++) {
		next = b->next;
		if (b->tag != ((uintptr_t)b ^ (n - 1 - i)) ||
		    !pattern_holds(b->data, f->size - sizeof(*b), b->tag))
			bad++;
		if (keep && i % keep == 0) {
			b->next = kept;
			kept = b;
			continue;
		}
		free(b);
		f->blocks--;
	}
	f->first = kept;
	return bad + (i != n);
}

static void renumber(struct fill *f)
{
	size_t i = f->blocks;
	struct block *b;

	for (b = f->first; b; b = b->next) {
		b->tag = (uintptr_t)b ^ --i;
		pattern_fill(b->data, f->size - sizeof(*b), b->tag);
	}
}

static void fill(size_t size, size_t other)
{
	struct fill f = { .size = size }, o = { .size = other };
	size_t bad, first, kept;

	take(&f, SIZE_MAX);
	first = f.blocks;
	say("first=%zu\nerror=%s\n", first * size,
	    f.error == ENOMEM ? "ENOMEM" : "other");
	bad = give(&f, 2);
	renumber(&f);
	kept = f.blocks;
	take(&f, first);
	say("again=%zu\nwanted=%zu\n", (f.blocks - kept) * size,
	    (first - kept) * size);
	bad += give(&f, 0);
	take(&f, SIZE_MAX);
	say("second=%zu\n", f.blocks * size);
	bad += give(&f, 0);
	take(&o, SIZE_MAX);
	say("other=%zu\n", o.blocks * other);
	bad += give(&o, 0);
	say("bad=%zu\n", bad);
}

static size_t hopeless(size_t size, size_t n)
{
	size_t bad = 0;

	while (n--) {
		free(malloc(16));
		errno = 0;
		bad += malloc(size) || errno != ENOMEM;
	}
	return bad;
}

/* ---- several threads --------------------------------------------------- */

static pthread_barrier_t barrier;
static size_t taken[MAX_THREADS], total;
static size_t thread_size;

static void *run_thread(void *arg)
{
	struct fill f = { .size = thread_size };
	size_t me = (size_t)arg, round, bad = 0, kept;

	pthread_barrier_wait(&barrier);
	for (round = 0; round < 4; round++) {
		take(&f, SIZE_MAX);
		bad += f.error != ENOMEM;
		taken[me] = f.blocks * f.size;
		/* Everybody has met the end; what all hold is the figure. */
		pthread_barrier_wait(&barrier);
		if (!round)
			__atomic_fetch_add(&total, taken[me], __ATOMIC_SEQ_CST);
		bad += give(&f, 3);
		renumber(&f);
		kept = f.blocks;
		pthread_barrier_wait(&barrier);
		/* All gave two thirds back: a third of that is there. */
		take(&f, kept + kept / 2);
		bad += f.blocks < kept + kept / 2;
		pthread_barrier_wait(&barrier);
	}
	bad += give(&f, 0);
	return (void *)bad;
}

/* Whatever a new thread needs inside the library may be refused, too. */
static void *late_thread(void *arg)
{
	size_t bad = 0, i;
	void *p;

	pthread_barrier_wait(&barrier);
	for (i = 16; i < 200000; i *= 2) {
		errno = 0;
		p = malloc(i);
		bad += !p && errno != ENOMEM;
		free(p);
	}
	pthread_barrier_wait(&barrier);
	/* main has freed: now there is enough for each. */
	pthread_barrier_wait(&barrier);
	p = malloc(1000);
	bad += !p;
	free(p);
	(void)arg;
	return (void *)bad;
}

static size_t late(size_t n)
{
	struct fill f[3] = { { .size = 65536 }, { .size = 2000 },
			     { .size = 16 } };
	void **page, **pages = NULL;
	size_t i, bad = 0;

	for (i = 0; i < 3; i++)
		take(&f[i], SIZE_MAX);
	/* What is too little for the library, but not for others. */
	while ((page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) {
		*page = pages;
		pages = page;
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	while (pages) {
		page = pages;
		pages = *page;
		munmap(page, 4096);
	}
	for (i = 0; i < 3; i++)
		bad += give(&f[i], 0);
	pthread_barrier_wait(&barrier);
	say("threads=%zu\n", n);
	return bad;
}

static void *idle_thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	return arg;
}

static void start(size_t n, void *(*fn)(void *), pthread_t *threads)
{
	pthread_attr_t attr;
	size_t i;

	pthread_barrier_init(&barrier, NULL, (unsigned int)n +
			     (fn != run_thread));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], &attr, fn, (void *)i))
			_exit(3);
}

int main(int argc, char **argv)
{
	size_t n, i, bad = 0, base = vm_size();
	pthread_t threads[MAX_THREADS];
	void *ret;

	if (argc < 2)
		return 2;
	alarm(60);
	if (!strcmp(argv[1], "base")) {
		n = argc > 2 ? (size_t)atoi(argv[2]) : 0;
		start(n, idle_thread, threads);
		if (n)
			base = vm_size();
		say("base=%zu\n", base);
		pthread_barrier_wait(&barrier);
		for (i = 0; i < n; i++)
			pthread_join(threads[i], NULL);
		return 0;
	}
	if (argc < 4)
		return 2;
	if (!strcmp(argv[1], "fill") || !strcmp(argv[1], "wander")) {
		wandering = !strcmp(argv[1], "wander");
		stay(0);
		fill(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
		return 0;
	}
	thread_size = strtoul(argv[2], NULL, 10);
	n = strtoul(argv[3], NULL, 10);
	if (!strcmp(argv[1], "hopeless")) {
		say("bad=%zu\n", hopeless(thread_size, n));
		return 0;
	}
	if (!strcmp(argv[1], "late")) {
		start(n, late_thread, threads);
		bad = late(n);
	} else {
		start(n, run_thread, threads);
	}
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], &ret);
		bad += (size_t)ret;
	}
	say("first=%zu\nbad=%zu\n", total, bad);
	return 0;
}
