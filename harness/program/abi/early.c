// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A library that is preloaded beside pmalloc and allocates from its
 * constructor, also in a thread it starts there, and from its destructor.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *kept[300];
static char *from_thread;

static void *early_thread(void *arg)
{
	from_thread = strdup(arg);
	free(kept[1]);
	kept[1] = NULL;
	return NULL;
}

__attribute__((constructor)) static void begin(void)
{
	pthread_t thread;
	size_t i;

	for (i = 0; i < 300; i++) {
		kept[i] = calloc(1, i * i);
		if (i)
			memset(kept[i], (int)i, i * i);
	}
	kept[2] = realloc(kept[2], 200000);
	kept[3] = aligned_alloc(4096, 8192);
	if (!pthread_create(&thread, NULL, early_thread, "early"))
		pthread_join(thread, NULL);
}

__attribute__((destructor)) static void end(void)
{
	static const char good[] = "ok - objects of a constructor last\n";
	static const char bad[] = "not ok - objects of a constructor last\n";
	int ok = from_thread && !strcmp(from_thread, "early");
	size_t i;

	for (i = 5; i < 300; i++)
		ok &= *(unsigned char *)kept[i] == (unsigned char)i &&
			((unsigned char *)kept[i])[i * i - 1] ==
			(unsigned char)i;
	for (i = 0; i < 300; i++)
		free(kept[i]);
	free(from_thread);
	free(malloc(100));
	if (getenv("EARLY_QUIET"))
		return;
	if (write(STDOUT_FILENO, ok ? good : bad,
		  (ok ? sizeof(good) : sizeof(bad)) - 1) < 0)
		_exit(9);
}
