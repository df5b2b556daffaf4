// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How often magazines do the work, counted.
 *
 *	counts [--seed=N] [--steps=N]
 *
 * The workload is after Larson and Krishnan's ("Memory Allocation for
 * Long-Running Server Applications", 1998): each thread replaces objects of
 * random size at random places of its array; after some rounds it ends, and a
 * new thread goes on with the array, so that objects are freed by others than
 * those who made them. After a warm-up at least 99 of 100 operations must
 * commit in a magazine, and an arena's lock be taken at most once per 100.
 *
 * Linked with the objects of the debug build, which count. These are counts,
 * not times: the same on a slow machine. What varies is how threads are
 * scheduled; with one thread not even that.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdlib.h>
#include "pmalloc.h"
#include "arena/arena.h"
#include "arena/registry.h"
#include "front/magazine.h"
#include "base/options.h"
#include "api/stats.h"
#include "user.h"

#define MAX_THREADS	32
#define ROUNDS		10	/* generations of threads after the warm-up */

struct server {
	pthread_t thread;
	u64 state;
	void **place;
};

struct setting {
	unsigned int threads;
	unsigned int places;	/* per thread */
	unsigned int min, max;	/* bytes */
	const char *what;
};

static const struct setting settings[] = {
	{ 1, 1000, 10, 500, "1 thread, 1000 objects of 10 to 500 bytes" },
	{ 2, 1000, 10, 500, "2 threads, 1000 objects each" },
	{ 8, 1000, 10, 500, "8 threads, 1000 objects each" },
	{ 32, 1000, 10, 500, "32 threads, 1000 objects each" },
	{ 8, 5000, 8, 1000, "8 threads, 5000 objects of 8 to 1000 bytes each" },
};

struct counts {
	u64 hits, misses, locks;
};

static const struct setting *setting;
static unsigned int steps = 50000;
static u64 seed;

/* ---- what malloc.c answers in the library ------------------------------ */

const char *pm_host_options(void)
{
	return getenv("PMALLOC_OPTIONS");
}

void pm_host_started(void)
{
	pm_fork_init();
}

/* ---- the workload ------------------------------------------------------ */

/* Marsaglia's xorshift64 with Vigna's multiplier. */
static unsigned int below(u64 *state, unsigned int n)
{
	u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (x * 0x2545f4914f6cdd1dULL >> 32) * n >> 32;
}

static void *make(u64 *state)
{
	unsigned char *p = pm_malloc(setting->min +
				     below(state, setting->max - setting->min));

	if (!p)
		abort();
	p[0] = 1;
	return p;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	unsigned int n, i;

	for (n = 0; n < steps; n++) {
		i = below(&s->state, setting->places);
		pm_free(s->place[i]);
		s->place[i] = make(&s->state);
	}
	return NULL;
}

/* A generation of threads; the next one takes over what they hold. */
static void generation(struct server *servers)
{
	unsigned int i;

	for (i = 0; i < setting->threads; i++)
		if (pthread_create(&servers[i].thread, NULL, serve,
				   &servers[i]))
			abort();
	for (i = 0; i < setting->threads; i++)
		pthread_join(servers[i].thread, NULL);
}

/* ---- counting ---------------------------------------------------------- */

static void count(struct counts *c)
{
	struct pm_arena_figures fig;
	unsigned int id;

	pm_mag_get_counts(&c->hits, &c->misses);
	c->locks = 0;
	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_figures(id, &fig))
			c->locks += fig.acquired;
}

static bool judge(unsigned int nr, const struct counts *a,
		  const struct counts *b)
{
	u64 hits = b->hits - a->hits, misses = b->misses - a->misses;
	u64 locks = b->locks - a->locks, all = hits + misses;
	bool good = pm_options.magazine && all >= steps && misses * 100 <= all &&
		    locks * 100 <= all;

	printf("%sok %u - %s\n", good ? "" : "not ", nr, setting->what);
	printf("# %llu operations, %.3f%% in a magazine, %.3f locks taken per 100\n",
	       (unsigned long long)all, 100.0 * hits / all,
	       100.0 * locks / all);
	return good;
}

static bool run(unsigned int nr)
{
	static struct server servers[MAX_THREADS];
	struct counts before, after;
	unsigned int i, k;

	for (i = 0; i < setting->threads; i++) {
		servers[i].state = seed * 0x9e3779b97f4a7c15ULL +
				   i * 0xbf58476d1ce4e5b9ULL + 1;
		servers[i].place = calloc(setting->places, sizeof(void *));
		for (k = 0; k < setting->places; k++)
			servers[i].place[k] = make(&servers[i].state);
	}
	for (i = 0; i < 3; i++)		/* warm up */
		generation(servers);
	count(&before);
	for (i = 0; i < ROUNDS; i++)
		generation(servers);
	count(&after);
	for (i = 0; i < setting->threads; i++) {
		for (k = 0; k < setting->places; k++)
			pm_free(servers[i].place[k]);
		free(servers[i].place);
	}
	pm_trim();
	return judge(nr, &before, &after);
}

int main(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "steps", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned int i, failed = 0;
	char report[400];
	int c;

	seed = pm_host_clock_ns() | 1;
	while ((c = getopt_long(argc, argv, "", longopts, NULL)) >= 0) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			steps = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	pm_free(pm_malloc(1));
	pm_report(report, sizeof(report), false);
	report[strcspn(report, "\n")] = 0;
	printf("# seed 0x%llx; %s\n", (unsigned long long)seed, report);
	if (!pm_options.magazine) {
		printf("1..0 # SKIP no magazines here\n");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		setting = &settings[i];
		failed += !run(i + 1);
		fflush(stdout);
	}
	printf("1..%zu\n", ARRAY_SIZE(settings));
	return failed != 0;
}
