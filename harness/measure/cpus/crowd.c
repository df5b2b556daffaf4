// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What an allocator holds on a machine with many CPUs.
 *
 *	crowd many THREADS OBJECTS	threads that each have so many small objects
 *	crowd tour MIB			one thread that builds and frees so much on
 *					each CPU in turn
 *
 * One line of figures in KiB: resident at the start, at the most, and after all was
 * freed and trimmed; and the bytes that were asked for at the most.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_US	2500000		/* two decay times and a half */
#define STACK_BYTES	(64 << 10)

static pthread_barrier_t barrier;
static unsigned long nr_objects;
static unsigned long asked;		/* bytes, by all threads [atomic] */

static void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Read without the allocator. */
static long resident_kib(void)
{
	FILE *file;
	char line[256];
	long kib = -1;
	static char buffer[4096];

	file = fopen("/proc/self/status", "r");
	if (!file)
		die("/proc/self/status");
	setvbuf(file, buffer, _IOFBF, sizeof(buffer));
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static void *member(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	unsigned long i, bytes = 0;
	void **objs = calloc(nr_objects, sizeof(*objs));
	size_t size;

	if (!objs)
		die("calloc");
	for (i = 0; i < nr_objects; i++) {
		size = 16 + next_random(&state) % 240;
		objs[i] = malloc(size);
		if (!objs[i])
			die("malloc");
		memset(objs[i], 1, size);
		bytes += size;
	}
	__atomic_add_fetch(&asked, bytes, __ATOMIC_RELAXED);
	pthread_barrier_wait(&barrier);		/* all have all */
	pthread_barrier_wait(&barrier);		/* and were looked at */
	for (i = 0; i < nr_objects; i++)
		free(objs[i]);
	free(objs);
	return NULL;
}

static void crowd(unsigned long threads)
{
	pthread_t *thread = calloc(threads, sizeof(*thread));
	long start = resident_kib(), peak;
	pthread_attr_t attr;
	unsigned long i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], &attr, member, (void *)(i + 1)))
			die("pthread_create");
	pthread_barrier_wait(&barrier);
	peak = resident_kib();
	pthread_barrier_wait(&barrier);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	free(thread);
	malloc_trim(0);
	usleep(SETTLE_US);
	malloc_trim(0);
	printf("%ld %ld %ld %lu\n", start, peak, resident_kib(), asked);
}

static void tour(unsigned long mib)
{
	unsigned long n = (mib << 20) / 1000, i;
	void **objs = calloc(n, sizeof(*objs));
	long start = resident_kib(), peak = 0, now;
	cpu_set_t all, one;
	int cpu;

	if (!objs || sched_getaffinity(0, sizeof(all), &all))
		die("tour");
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			die("sched_setaffinity");
		for (i = 0; i < n; i++) {
			objs[i] = malloc(1000);
			if (!objs[i])
				die("malloc");
			memset(objs[i], 1, 1000);
		}
		now = resident_kib();
		if (now > peak)
			peak = now;
		for (i = 0; i < n; i++)
			free(objs[i]);
	}
	free(objs);
	malloc_trim(0);
	usleep(SETTLE_US);
	malloc_trim(0);
	printf("%ld %ld %ld %lu\n", start, peak, resident_kib(), n * 1000);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "many")) {
		nr_objects = strtoul(argv[3], NULL, 10);
		crowd(strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (argc == 3 && !strcmp(argv[1], "tour")) {
		tour(strtoul(argv[2], NULL, 10));
		return 0;
	}
	fprintf(stderr, "usage: crowd many THREADS OBJECTS | crowd tour MIB\n");
	return 2;
}
