// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Threads that come and go, and threads that change CPUs while they
 * allocate. What short threads leave behind must be freed by others and used
 * again, not pile up.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include "pattern.h"

enum { STORM = 1000, WIDE = 50, LEFT = 20, MOVERS = 6 };

struct left {
	void *p[LEFT];
	size_t size[LEFT];
	uint64_t tag;
};

static uint64_t seed;
static volatile bool stop;
static pid_t tids[MOVERS];

/* A short life: some objects used up, some left for whoever joins. */
static void *short_life(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	struct left *left = malloc(sizeof(*left));
	size_t i;

	left->tag = rng_next(&rng);
	for (i = 0; i < 200; i++) {
		void *p = malloc(rng_size(&rng, 12));

		if (i % 50 == 0)
			p = realloc(p, 60000);
		free(p);
	}
	for (i = 0; i < LEFT; i++) {
		left->size[i] = rng_size(&rng, 13);
		left->p[i] = malloc(left->size[i]);
		pattern_fill(left->p[i], left->size[i], left->tag + i);
	}
	return left;
}

static size_t clean_up(struct left *left)
{
	size_t i, faults = 0;

	for (i = 0; i < LEFT; i++) {
		faults += !pattern_holds(left->p[i], left->size[i],
					 left->tag + i);
		free(left->p[i]);
	}
	free(left);
	return faults;
}

static size_t storm(uint64_t stream)
{
	pthread_t threads[WIDE];
	size_t i, faults = 0, n;
	void *left;

	for (n = 0; n < STORM; n += WIDE) {
		for (i = 0; i < WIDE; i++)
			if (pthread_create(&threads[i], NULL, short_life,
					   (void *)(stream + n + i)))
				return 1000000;
		for (i = 0; i < WIDE; i++) {
			pthread_join(threads[i], &left);
			faults += clean_up(left);
		}
	}
	return faults;
}

static void test_storm(void)
{
	struct rusage first, last;
	size_t round, faults = storm(0);

	getrusage(RUSAGE_SELF, &first);
	OK(!faults, "%d short threads (%zu faults)", STORM, faults);
	for (round = 1; round < 5; round++)
		faults += storm(round * STORM);
	getrusage(RUSAGE_SELF, &last);
	OK(!faults, "and four times as many (%zu faults)", faults);
	OK(last.ru_maxrss < first.ru_maxrss + 16384,
	   "they leave nothing behind: %ld KiB, then %ld", first.ru_maxrss,
	   last.ru_maxrss);
}

/* All threads there at once, each with its stack and some objects. */
static void *long_life(void *arg)
{
	pthread_barrier_t *barrier = arg;
	struct left *left = short_life(&seed);

	pthread_barrier_wait(barrier);
	pthread_barrier_wait(barrier);
	return left;
}

static void test_many_at_once(void)
{
	enum { MANY = 1000 };
	static pthread_t threads[MANY];
	pthread_barrier_t barrier;
	pthread_attr_t attr;
	size_t i, n, faults = 0;
	void *left;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	pthread_barrier_init(&barrier, NULL, MANY + 1);
	for (n = 0; n < MANY; n++)
		if (pthread_create(&threads[n], &attr, long_life, &barrier))
			break;
	OK(n == MANY, "%zu threads at once", n);
	if (n < MANY) {
		tap_end();
		_exit(1);
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], &left);
		faults += clean_up(left);
	}
	OK(!faults, "their objects are whole (%zu faults)", faults);
}

static void *mover(void *arg)
{
	size_t me = (size_t)arg, i, faults = 0;
	struct rng rng = rng_make(seed, 5000 + me);
	struct { void *p; size_t size; uint64_t tag; } ring[100] = { 0 };

	__atomic_store_n(&tids[me], gettid(), __ATOMIC_RELEASE);
	while (!stop) {
		i = rng_below(&rng, 100);
		if (ring[i].p &&
		    !pattern_holds(ring[i].p, ring[i].size, ring[i].tag))
			faults++;
		free(ring[i].p);
		ring[i].size = rng_size(&rng, 13);
		ring[i].tag = rng_next(&rng);
		ring[i].p = malloc(ring[i].size);
		if (ring[i].p)
			pattern_fill(ring[i].p, ring[i].size, ring[i].tag);
		else
			faults++;
	}
	for (i = 0; i < 100; i++)
		free(ring[i].p);
	return (void *)faults;
}

/* Threads are sent from CPU to CPU as fast as the kernel does it. */
static void test_affinity(void)
{
	struct rng rng = rng_make(seed, 99);
	struct timespec start, now;
	pthread_t threads[MOVERS];
	size_t i, faults = 0, moves = 0;
	cpu_set_t all, one;
	int cpus[CPU_SETSIZE], nr_cpus = 0, cpu;
	void *ret;

	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[nr_cpus++] = cpu;
	for (i = 0; i < MOVERS; i++)
		pthread_create(&threads[i], NULL, mover, (void *)i);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		pid_t tid = __atomic_load_n(&tids[rng_below(&rng, MOVERS)],
					    __ATOMIC_ACQUIRE);

		CPU_ZERO(&one);
		CPU_SET(cpus[rng_below(&rng, (uint64_t)nr_cpus)], &one);
		if (tid && !sched_setaffinity(tid, sizeof(one), &one))
			moves++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < start.tv_sec + 3);
	stop = true;
	for (i = 0; i < MOVERS; i++) {
		pthread_join(threads[i], &ret);
		faults += (size_t)ret;
	}
	OK(!faults, "contents hold while threads change CPUs (%zu faults)",
	   faults);
	tap_diag("%zu changes of affinity, %d CPUs", moves, nr_cpus);
}

int main(void)
{
	tap_begin();
	alarm(100);
	seed = seed_from_env();
	test_storm();
	test_many_at_once();
	test_affinity();
	return tap_end();
}
