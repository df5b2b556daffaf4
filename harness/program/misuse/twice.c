// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Two threads free the same object at the same instant.
 *
 * Without magazines the slab's bitmap decides, under the lock or by an atomic
 * operation: one of the two is reported. With magazines the object is in two of
 * them; that is found out when the second of them gives it back to its slab. In
 * between two requests at the same instant may both see its one mark and get it:
 * that is what the mark cannot prevent, and what is not done here.
 */
#include <malloc.h>
#include <pthread.h>
#include "child.h"
#include "cpu.h"
#include "tap.h"

enum { ROUNDS = 300, PATIENCE = 20 };

static void *object;
static int here;

static void *free_with_other(void *cpu)
{
	pin((int)(size_t)cpu);
	/* One of this CPU, so that there is a magazine with room. */
	free(malloc(64));
	__atomic_add_fetch(&here, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&here, __ATOMIC_SEQ_CST) < 2)
		;
	free(object);
	return NULL;
}

static int free_at_once(void *unused)
{
	pthread_t threads[2];

	(void)unused;
	alarm(PATIENCE);
	object = malloc(64);
	for (size_t i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, free_with_other,
				   (void *)i))
			return 9;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	malloc_trim(0);
	return 0;
}

static bool is_named(void)
{
	struct child child;

	child_run(&child, free_at_once, NULL);
	if (child_aborted(&child, "pmalloc: free(") &&
	    strstr(child.said, "double free"))
		return true;
	tap_diag("status 0x%x, said: %s", (unsigned int)child.status,
		 child.said);
	return false;
}

static bool test(void)
{
	int missed = 0;

	for (int i = 0; i < ROUNDS; i++)
		missed += !is_named();
	tap_diag("%d of %d not named", missed, ROUNDS);
	return !missed;
}

/* The options are read at the start of a process. */
int main(int argc, char **argv)
{
	if (argc > 1)
		return !test();
	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("two frees at once", "pmalloc's promise");
		return tap_end();
	}
	for (int off = 0; off < 2; off++) {
		char *const args[] = { argv[0], (char *)"now", NULL };
		int status = -1;
		pid_t pid;

		setenv("PMALLOC_OPTIONS", off ? "magazine=off" : "magazine=on",
		       1);
		pid = fork();
		if (!pid) {
			execv("/proc/self/exe", args);
			_exit(8);
		}
		waitpid(pid, &status, 0);
		OK(!status, "magazine=%s: of %d objects freed twice at once each is named",
		   off ? "off" : "on", ROUNDS);
	}
	return tap_end();
}
