// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A cache of connections, each with a buffer that is made once.
 *
 *	cc cache.c $(pkg-config --cflags --libs pmalloc) -o cache
 *
 * The constructor runs when an object is handed out for the first time. From then
 * on a connection comes back with its buffer, and the next one that is opened has
 * it already.
 */
#include <pmalloc.h>
#include <stdio.h>
#include <stdlib.h>

struct connection {
	int number;		/* -1 while it is closed */
	char *buffer;
};

static int buffers;

static void connection_init(void *obj)
{
	struct connection *c = obj;

	c->number = -1;
	c->buffer = malloc(4096);
	buffers++;
}

int main(void)
{
	struct connection *open[100];
	struct pm_cache *cache;
	static char report[65536];

	cache = pm_cache_create("connections", sizeof(struct connection), 0,
				PM_CACHE_HWALIGN, connection_init);
	if (!cache) {
		perror("pm_cache_create");
		return 1;
	}
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 100; i++) {
			open[i] = pm_cache_alloc(cache);
			if (!open[i] || open[i]->number != -1)
				abort();
			open[i]->number = i;
		}
		for (int i = round == 49; i < 100; i++) {
			open[i]->number = -1;	/* as the next one wants it */
			pm_cache_free(cache, open[i]);
		}
	}
	pm_report(report, sizeof(report), false);
	fputs(report, stdout);
	printf("5000 connections, %s buffers\n",
	       buffers < 500 ? "fewer than 500" : "too many");

	if (pm_cache_destroy(cache))	/* one is still open: says so */
		puts("in use");
	open[0]->number = -1;
	pm_cache_free(cache, open[0]);
	if (!pm_cache_destroy(cache))
		puts("destroyed");
	return 0;
}
