// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program whose live bytes fit into its memory cgroup, and whose peak of kept memory
 * would not.
 *
 *	churn MIB THREADS
 *
 * At most MIB MiB are live at any time, of all threads together; every byte is written.
 * Each thread fills its share with objects of one kind and frees them all, in another
 * order, then the next kind: what is free of the one is of no use to the other unless it
 * can serve all sizes, or goes back. Then objects of all kinds replace each other at
 * random, and a vector grows while they do.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTS	(1 << 20)
#define REPLACED	3		/* times the share, at random */

struct kind {
	size_t least;
	size_t most;
};

static const struct kind kinds[] = {
	{ 100, 600 }, { 2 << 20, 5 << 20 }, { 1000, 30000 }, { 40000, 900000 },
	{ 200, 4000 }, { 1 << 20, 3 << 20 },
};
#define KINDS	(sizeof(kinds) / sizeof(kinds[0]))

struct object {
	char *p;
	size_t size;
};

struct worker {
	pthread_t thread;
	uint64_t state;
	size_t share;
	size_t live;
	struct object *obj;
	size_t nr;
};

static void die(const char *what)
{
	fprintf(stderr, "churn: %s\n", what);
	exit(1);
}

static uint64_t next_random(struct worker *w)
{
	w->state = w->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return w->state >> 33;
}

static size_t size_of(struct worker *w, const struct kind *kind)
{
	return kind->least + next_random(w) % (kind->most - kind->least);
}

/* Whether there was room for one more. */
static int take(struct worker *w, size_t size)
{
	struct object *obj = &w->obj[w->nr];

	if (w->live + size > w->share || w->nr == MAX_OBJECTS)
		return 0;
	obj->p = malloc(size);
	if (!obj->p)
		die("no memory");
	memset(obj->p, (int)size, size);
	obj->size = size;
	w->live += size;
	w->nr++;
	return 1;
}

static void give(struct worker *w, size_t n)
{
	struct object *obj = &w->obj[n];

	if (obj->p[0] != (char)obj->size || obj->p[obj->size - 1] != (char)obj->size)
		die("an object was overwritten");
	free(obj->p);
	w->live -= obj->size;
	*obj = w->obj[--w->nr];
}

static void build_and_free(struct worker *w, const struct kind *kind)
{
	while (take(w, size_of(w, kind)))
		;
	while (w->nr)
		give(w, next_random(w) % w->nr);
}

static void replace(struct worker *w)
{
	size_t bytes = 0, size;

	while (bytes < REPLACED * w->share) {
		size = size_of(w, &kinds[next_random(w) % KINDS]);
		while (!take(w, size))
			give(w, next_random(w) % w->nr);
		bytes += size;
	}
	while (w->nr)
		give(w, 0);
}

/* A vector in steps of an eighth: old and new are live at once while it is copied. */
static void grow(struct worker *w)
{
	size_t size = 1000, old = 0;
	char *p = NULL;

	for (; size < w->share / 3; old = size, size += size / 8) {
		p = realloc(p, size);
		if (!p)
			die("no memory to grow");
		memset(p + old, 1, size - old);
	}
	free(p);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	unsigned int kind;

	for (kind = 0; kind < KINDS; kind++)
		build_and_free(w, &kinds[kind]);
	replace(w);
	grow(w);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int n, threads;
	struct worker *workers;
	size_t share;

	if (argc != 3)
		die("usage: churn MIB THREADS");
	threads = strtoul(argv[2], NULL, 10);
	share = (strtoul(argv[1], NULL, 10) << 20) / threads;
	workers = calloc(threads, sizeof(*workers));
	if (!workers)
		die("no memory");
	for (n = 0; n < threads; n++) {
		workers[n].state = n + 1;
		workers[n].share = share;
		workers[n].obj = calloc(MAX_OBJECTS, sizeof(struct object));
		if (!workers[n].obj ||
		    pthread_create(&workers[n].thread, NULL, work, &workers[n]))
			die("no thread");
	}
	for (n = 0; n < threads; n++)
		pthread_join(workers[n].thread, NULL);
	return 0;
}
