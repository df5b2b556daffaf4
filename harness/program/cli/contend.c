// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Threads that allocate and free as fast as they can, so that they meet on
 * the locks of the allocator that they run on. It knows nothing of which.
 *
 *	contend [THREADS [SECONDS [SIZE]]]
 *
 * Each thread keeps a window of objects of SIZE bytes and replaces them in
 * turn. Prints how many objects there were, which is all the work.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 64

static size_t size = 96;
static int stop;

static void *work(void *arg)
{
	unsigned long *done = arg, n = 0;
	void *object[WINDOW] = { NULL };
	unsigned int i;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		i = n++ % WINDOW;
		free(object[i]);
		object[i] = malloc(size);
		if (!object[i])
			break;
		memset(object[i], (int)n, 16);
	}
	for (i = 0; i < WINDOW; i++)
		free(object[i]);
	*done = n;
	return NULL;
}

static long number(char **argv, int argc, int i, long standard)
{
	long n = i < argc ? strtol(argv[i], NULL, 10) : standard;

	if (n <= 0) {
		fprintf(stderr, "usage: contend [THREADS [SECONDS [SIZE]]]\n");
		exit(2);
	}
	return n;
}

/* Not there when the program runs on another malloc. */
struct pm_cache;
struct pm_cache *pm_cache_create(const char *name, size_t size, size_t align,
				 unsigned int flags, void (*ctor)(void *obj))
	__attribute__((weak));
void *pm_cache_alloc(struct pm_cache *cache) __attribute__((weak));

int main(int argc, char **argv)
{
	struct pm_cache *cache;
	long threads = number(argv, argc, 1, 16);
	long seconds = number(argv, argc, 2, 10);
	unsigned long *done, sum = 0;
	pthread_t *thread;
	long i;

	size = number(argv, argc, 3, 96);
	/* For those who look at it: a cache, with an object in use. */
	if (pm_cache_create) {
		cache = pm_cache_create("contenders", 100, 0, 0, NULL);
		if (cache)
			pm_cache_alloc(cache);
	}
	thread = calloc(threads, sizeof(*thread));
	done = calloc(threads, sizeof(*done));
	if (!thread || !done)
		return 1;
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, work, &done[i])) {
			perror("contend: pthread_create");
			return 1;
		}
	sleep(seconds);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += done[i];
	}
	printf("%ld threads, %ld seconds, %lu objects\n", threads, seconds, sum);
	free(done);
	free(thread);
	return 0;
}
