// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What stays resident of memory that was freed.
 *
 * Times are only waited for: a program that is slow on a busy machine passes,
 * and one whose memory does not go never does.
 */
#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include "cpu.h"
#include "tap.h"

#define MIB		(1L << 20)
#define OBJECT		500
#define OBJECTS		400000L		/* 190 MiB */
#define PATIENCE	60		/* seconds until memory is said to stay */

static char *objs[OBJECTS];

/* Resident bytes, asked for through stdio: a little work for the allocator as well. */
static long resident(void)
{
	char line[128] = "";
	long size = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file && fgets(line, sizeof(line), file))
		sscanf(line, "%ld %ld", &size, &pages);
	if (file)
		fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/*
 * Resident KiB of the library's file, as far as it can be written to; 0 where the
 * program runs without.
 */
static long library_data(void)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512], mode[5], *path;
	bool is_ours = false;
	long sum = 0, kib;

	while (file && fgets(line, sizeof(line), file)) {
		path = strrchr(line, '/');
		if (sscanf(line, "%*x-%*x %4s", mode) == 1)
			is_ours = path && mode[1] == 'w' &&
				  !strncmp(path, "/libpmalloc.so", 14);
		else if (is_ours && sscanf(line, "Rss: %ld", &kib) == 1)
			sum += kib;
	}
	if (file)
		fclose(file);
	return sum;
}

/* A table for 8192 CPUs has no pages but for those that there are. */
static void table(void)
{
	long kib = library_data();

	tap_diag("the library's data has %ld KiB", kib);
	PM_OK(kib <= 32, "the table of magazines is not resident for CPUs that there are not");
}

static void build(void)
{
	long i;

	for (i = 0; i < OBJECTS; i++) {
		objs[i] = malloc(OBJECT);
		if (!objs[i])
			abort();
		memset(objs[i], 1, OBJECT);
	}
}

static void unbuild(void)
{
	long i;

	for (i = 0; i < OBJECTS; i++)
		free(objs[i]);
}

/* Little work, from a magazine, until no more than @most is resident. */
static bool falls_to(long most)
{
	const struct timespec nap = { .tv_nsec = 30000000 };
	time_t end = time(NULL) + PATIENCE;

	while (resident() > most) {
		void *volatile p = malloc(64);

		free(p);
		nanosleep(&nap, NULL);
		if (time(NULL) > end)
			return false;
	}
	return true;
}

/* A process that frees and calls nothing more, and one that does a little. */
static void idle(void)
{
	long before = resident(), peak, freed;

	build();
	peak = resident();
	unbuild();
	freed = resident();
	tap_diag("peak %ld MiB, freed %ld MiB", peak / MIB, freed / MIB);
	PM_OK(freed <= before + 64 * MIB, "what is freed beyond the bound goes at once");
	PM_OK(falls_to(before + 8 * MIB + peak / 20),
	      "the rest goes with light use");
}

/* Built and freed on one CPU, and then on another: one set at a time. */
static void hop(void)
{
	cpu_set_t set;
	long peak = 0, first = 0;
	int cpu, n = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (cpu = 0; cpu < CPU_SETSIZE && n < 4; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		pin(cpu);
		build();
		peak = resident() > peak ? resident() : peak;
		first = first ? first : peak;
		unbuild();
		n++;
	}
	sched_setaffinity(0, sizeof(set), &set);
	tap_diag("%d CPUs, one after the other: first %ld MiB, peak %ld MiB", n,
		 first / MIB, peak / MIB);
	PM_OK(peak * 100 <= first * 115, "memory follows to another CPU");
}

static void *one_of_forty(void *arg)
{
	const long n = 40 * MIB / OBJECT;
	long i, *peak = arg, now;

	for (i = 0; i < n; i++)
		memset(objs[i] = malloc(OBJECT), 1, OBJECT);
	now = resident();
	if (now > *peak)
		*peak = now;
	for (i = 0; i < n; i++)
		free(objs[i]);
	return NULL;
}

/*
 * Threads that each build and free as much, one after the other, on all CPUs in turn.
 * Each stays where it is: what one that moves leaves behind is in use.
 */
static void forty(void)
{
	long before, peak = 0;
	cpu_set_t set;
	pthread_t thread;
	int i, cpu = 0;

	sched_getaffinity(0, sizeof(set), &set);
	malloc_trim(0);
	before = resident();
	for (i = 0; i < 40; i++) {
		do
			cpu = (cpu + 1) % CPU_SETSIZE;
		while (!CPU_ISSET(cpu, &set));
		pin(cpu);
		if (pthread_create(&thread, NULL, one_of_forty, &peak))
			abort();
		pthread_join(thread, NULL);
	}
	sched_setaffinity(0, sizeof(set), &set);
	tap_diag("before %ld MiB, peak %ld MiB", before / MIB, peak / MIB);
	PM_OK(peak <= before + 60 * MIB, "threads hold no more than one of them needs");
	PM_OK(falls_to(before + 16 * MIB), "nor does it stay");
}

/* What describes 190 MiB goes with them; a magazine's stacks, too. */
static bool goes_with_trim(void)
{
	long before, after;

	memset(objs, 1, sizeof(objs));
	before = resident();
	build();
	unbuild();
	malloc_trim(0);
	after = resident();
	tap_diag("before %ld KiB, built, freed and trimmed %ld KiB", before >> 10, after >> 10);
	return after <= before + 2 * MIB;
}

/* In a child, for what may go back early is counted for a process's life. */
static void trimmed(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(!goes_with_trim());
	waitpid(pid, &status, 0);
	PM_OK(!status, "a trim leaves no more than 2 MiB");
}

int main(void)
{
	tap_begin();
	table();
	trimmed();
	idle();
	hop();
	forty();
	return tap_end();
}
