// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Signals that arrive while threads allocate: from a timer and from another
 * thread, thousands a second. The handler does not call malloc; it must not
 * disturb it, whatever instruction it comes in on.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include "pattern.h"

enum { THREADS = 4, RING = 200 };

static volatile bool stop;
static uint64_t seed, delivered;

static void handler(int sig)
{
	char stack[4096];

	memset(stack, sig, sizeof(stack));
	__asm__ __volatile__("" : : "r"(stack) : "memory");
	__atomic_fetch_add(&delivered, 1, __ATOMIC_RELAXED);
}

static void *storm(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	struct { void *p; size_t size; uint64_t tag; } ring[RING] = { 0 };
	size_t i, faults = 0;

	while (!stop) {
		i = rng_below(&rng, RING);
		if (ring[i].p &&
		    !pattern_holds(ring[i].p, ring[i].size, ring[i].tag))
			faults++;
		errno = 12345;
		free(ring[i].p);
		faults += errno != 12345;
		ring[i].size = rng_size(&rng, rng_below(&rng, 50) ? 11 : 18);
		ring[i].tag = rng_next(&rng);
		ring[i].p = malloc(ring[i].size);
		if (!ring[i].p)
			faults++;
		else
			pattern_fill(ring[i].p, ring[i].size, ring[i].tag);
	}
	for (i = 0; i < RING; i++)
		free(ring[i].p);
	return (void *)faults;
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, never = { 0 };
	struct timespec pause = { 0, 50000 }, now, start;
	pthread_t threads[THREADS];
	size_t i, faults = 0;
	void *ret;

	tap_begin();
	alarm(60);
	seed = seed_from_env();
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGPROF, &action, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, storm, (void *)i);
	setitimer(ITIMER_PROF, &often, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (i = 0; i < THREADS; i++)
			pthread_kill(threads[i], SIGUSR1);
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < start.tv_sec + 3);
	setitimer(ITIMER_PROF, &never, NULL);
	stop = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		faults += (size_t)ret;
	}
	OK(!faults, "contents and errno hold under signals (%zu faults)",
	   faults);
	OK(delivered > 1000, "%llu signals were delivered",
	   (unsigned long long)delivered);
	return tap_end();
}
