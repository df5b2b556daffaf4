// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Writes after free and behind the end: they may spoil other objects'
 * contents, never the allocator. Freed objects are overwritten with forged
 * addresses, zeroes, ones and noise, whole and in part; after that every
 * object that is handed out is a real one with one owner. That holds whatever
 * becomes of the report, and is tried without one, by misuse=ignore. By default
 * the program is stopped when such an object is to be handed out again.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include "child.h"
#include "ranges.h"

static char forged[1 << 16] __attribute__((aligned(4096)));
static size_t forgeries;
static void *given[8000];

static void note(void *p, size_t size, struct rng *rng)
{
	uintptr_t at = (uintptr_t)p;

	if (at - (uintptr_t)forged < sizeof(forged))
		forgeries++;
	ranges_enter(at, malloc_usable_size(p), size, rng);
}

static void forget_all(void)
{
	while (nr_live) {
		struct range *r = ranges_leave(nr_live - 1);

		free((void *)r->start);
	}
}

static void scribble(void *p, size_t size, unsigned int how, struct rng *rng)
{
	uintptr_t *word = p, value;
	size_t i;

	for (i = 0; i < size / sizeof(*word); i++) {
		switch (how % 5) {
		case 0:
			value = (uintptr_t)forged + 64;
			break;
		case 1:
			value = 0;
			break;
		case 2:
			value = ~0ul;
			break;
		case 3:
			value = (uintptr_t)p + 16;
			break;
		default:
			value = rng_next(rng);
			break;
		}
		if (how < 5 || i % 2)
			word[i] = value;
	}
}

/* Frees, scribbles over what was freed, and takes as many again. */
static void write_after_free(size_t size, unsigned int how, struct rng *rng)
{
	size_t n = size > 4096 ? 300 : 3000, i;

	for (i = 0; i < n; i++)
		given[i] = malloc(size);
	for (i = 0; i < n; i++) {
		free(given[i]);
		/* A large object's memory may be gone: that would be SIGSEGV. */
		scribble(given[i], size, how, rng);
	}
	for (i = 0; i < n + n / 2; i++)
		note(malloc(size), size, rng);
	forget_all();
}

/* Writes 64 bytes too far; the neighbour's contents are not ours to check. */
static void write_too_far(size_t size, struct rng *rng)
{
	size_t n = 3000, i;

	for (i = 0; i < n; i++)
		given[i] = malloc(size);
	/* Not the last of a slab: behind it may be another class's object. */
	for (i = 0; i + 1 < n; i++)
		if ((char *)given[i] + malloc_usable_size(given[i]) ==
		    (char *)given[i + 1])
			memset(given[i], 0xff, size + 64);
	for (i = 0; i < n; i++)
		free(given[i]);
	for (i = 0; i < n; i++)
		note(malloc(size), size, rng);
	forget_all();
}

/* The second word is what a free object is known by. */
static int reuse(void *unused)
{
	(void)unused;
	alarm(20);
	for (int i = 0; i < 100; i++)
		given[i] = malloc(64);
	for (int i = 0; i < 100; i++) {
		free(given[i]);
		((uint64_t *)given[i])[1] = (uintptr_t)forged;
	}
	for (int i = 0; i < 4000; i++)
		if (!malloc(64))
			return 1;
	return 0;
}

static bool is_stopped(void)
{
	struct child child;

	child_run(&child, reuse, NULL);
	return child_aborted(&child, "pmalloc: malloc: 0x") &&
	       child_said_a_line(&child) &&
	       strstr(child.said, "was written to after it was freed");
}

/* Options are read at the start of a process. */
static void run_ignored(char *self)
{
	const char *options = getenv("PMALLOC_OPTIONS");
	char all[500];
	char *const args[] = {
		self, (char *)(is_stopped() ? "stopped" : "not stopped"), NULL,
	};

	snprintf(all, sizeof(all), "%s,misuse=ignore", options ? options : "");
	setenv("PMALLOC_OPTIONS", all, 1);
	execv("/proc/self/exe", args);
	_exit(8);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 16, 32, 64, 100, 256, 1000, 4096, 16384 };
	struct rng rng;
	unsigned int how;
	size_t i;

	if (argc < 2)
		run_ignored(argv[0]);
	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("writes after free", "pmalloc's promise");
		return tap_end();
	}
	OK(!strcmp(argv[1], "stopped"),
	   "by default a program that gets such an object is %s", argv[1]);
	alarm(60);
	rng = rng_make(seed_from_env(), 0);
	ranges_init();
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (how = 0; how < 10; how++)
			write_after_free(sizes[i], how, &rng);
		OK(!overlaps && !forgeries,
		   "%zu bytes, written after free: %zu with two owners, %zu forged",
		   sizes[i], overlaps, forgeries);
	}
	for (i = 0; i < 5; i++) {
		write_too_far(sizes[i], &rng);
		OK(!overlaps && !forgeries,
		   "%zu bytes, written too far: %zu with two owners, %zu forged",
		   sizes[i], overlaps, forgeries);
	}
	return tap_end();
}
