// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Threads that hand their objects to each other.
 *
 *	cc handoff.c $(pkg-config --cflags --libs pmalloc) -pthread -o handoff
 *
 * Each thread allocates, puts its object into a ring and frees what it takes
 * out: nearly every object is freed by another thread than the one that
 * allocated it. At the end the report shows where that happened.
 */
#include <pmalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS	4
#define ROUNDS	200000
#define RING	256

static _Atomic(unsigned char *) ring[RING];

/* An object's first byte says how long it is, its last byte says the same. */
static unsigned char *make(unsigned int n)
{
	unsigned char *obj = pm_malloc(n);

	if (!obj)
		abort();
	memset(obj, (int)n, n);
	return obj;
}

static void check_and_free(unsigned char *obj)
{
	if (!obj)
		return;
	if (obj[obj[0] - 1] != obj[0])
		abort();
	pm_free(obj);
}

static void *work(void *arg)
{
	unsigned int seed = *(unsigned int *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned char *obj = make(1 + rand_r(&seed) % 255);

		check_and_free(atomic_exchange(&ring[rand_r(&seed) % RING],
					       obj));
	}
	return NULL;
}

int main(void)
{
	struct pm_totals before, after;
	unsigned int seed[THREADS];
	pthread_t thread[THREADS];
	static char report[65536];

	pm_get_totals(&before);
	for (unsigned int t = 0; t < THREADS; t++) {
		seed[t] = t + 1;
		if (pthread_create(&thread[t], NULL, work, &seed[t]))
			return 1;
	}
	for (int t = 0; t < THREADS; t++)
		pthread_join(thread[t], NULL);

	pm_report(report, sizeof(report), false);
	fputs(report, stdout);

	for (int i = 0; i < RING; i++)
		check_and_free(ring[i]);
	pm_get_totals(&after);
	printf("%d objects changed hands, %s is left of them\n",
	       THREADS * ROUNDS,
	       after.live_objects <= before.live_objects + THREADS + 8 ?
	       "nothing" : "something");
	return 0;
}
