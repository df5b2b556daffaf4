// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program with threads that allocate, to be looked at from outside.
 *
 *	load THREADS
 *
 * Each line on standard input is one thing to do, and is answered by one line
 * on standard output, so that the looker knows when it is done:
 *
 *	report	let the threads end; answer with pm_report()'s JSON
 *	fork	go on in a child, which answers with its number
 *	exec	become another program: sleep(1)
 *
 * At the end of its input it ends. It uses stdio for none of this, for stdio
 * allocates.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OBJECTS	256
#define THREADS	16

/* Not there when the program runs on another malloc. */
struct pm_cache;
size_t pm_report(char *buf, size_t size, bool json) __attribute__((weak));
struct pm_cache *pm_cache_create(const char *name, size_t size, size_t align,
				 unsigned int flags, void (*ctor)(void *obj))
	__attribute__((weak));
void *pm_cache_alloc(struct pm_cache *cache) __attribute__((weak));
void pm_cache_free(struct pm_cache *cache, void *ptr) __attribute__((weak));

static struct pm_cache *cache;

static atomic_int stop;
static char text[1 << 20];

/* Objects go from thread to thread through here: so frees are remote. */
static _Atomic(void *) shelf[OBJECTS];

static void *work(void *arg)
{
	unsigned int x = 2463534242u + (unsigned int)(size_t)arg;

	while (!stop) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		free(atomic_exchange(&shelf[x % OBJECTS],
				     malloc(16 + (x >> 8) % 3000)));
		if (!(x >> 12))
			free(malloc(100000 + x));
		if (cache && !(x & 7))
			pm_cache_free(cache, pm_cache_alloc(cache));
	}
	return NULL;
}

static void say(const char *what, size_t len)
{
	ssize_t n;

	for (; len; what += n, len -= n) {
		n = write(STDOUT_FILENO, what, len);
		if (n <= 0)
			_exit(1);
	}
}

static void report(pthread_t *threads, int n)
{
	size_t len;

	stop = 1;
	while (n--)
		pthread_join(threads[n], NULL);
	if (!pm_report) {
		say("none\n", 5);
		return;
	}
	/* The first takes in what waits in inboxes, so that the second is last. */
	pm_report(NULL, 0, true);
	len = pm_report(text, sizeof(text), true);
	say(text, len);
}

/* A line of input, without stdio. */
static bool line(char *buf, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && read(STDIN_FILENO, buf + n, 1) == 1)
		if (buf[n++] == '\n') {
			buf[n - 1] = 0;
			return true;
		}
	return false;
}

int main(int argc, char **argv)
{
	static pthread_t threads[THREADS];
	int n = argc > 1 ? atoi(argv[1]) : 4, i;
	char buf[64];

	if (n < 1 || n > THREADS)
		return 2;
	if (pm_cache_create)
		cache = pm_cache_create("loaded", 72, 0, 0, NULL);
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(size_t)i))
			return 1;
	while (line(buf, sizeof(buf))) {
		if (!strcmp(buf, "report")) {
			report(threads, n);
			n = 0;
		} else if (!strcmp(buf, "fork")) {
			if (fork())
				_exit(0);
			n = 0;
			i = snprintf(buf, sizeof(buf), "%d\n", (int)getpid());
			say(buf, i);
		} else if (!strcmp(buf, "exec")) {
			unsetenv("LD_PRELOAD");
			execl("/bin/sleep", "sleep", "1000", (char *)NULL);
			_exit(127);
		}
	}
	return 0;
}
