// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Children that share their parent's memory: vfork(), posix_spawn(), system().
 *
 * A child of vfork() allocates, although POSIX does not promise that it may,
 * while other threads of the parent do, on another CPU than its parent's. The
 * kernel does not restart per-CPU sections of such a child.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include "cpu.h"
#include "pattern.h"
#include "pmalloc.h"

enum { VFORKS = 300, STEPS = 4000, RING = 64, SPAWNS = 40 };

extern char **environ;

static volatile bool stop;
static uint64_t seed;
static struct tagged child_ring[RING];

static void unpin(const cpu_set_t *all)
{
	sched_setaffinity(0, sizeof(*all), all);
}

/* Few sizes, so that all are at the same stacks all the time. */
static size_t churn(struct rng *rng, size_t steps, struct tagged *ring)
{
	size_t size, faults = 0;

	while (steps--) {
		struct tagged *o = &ring[rng_below(rng, RING)];

		faults += tagged_free(o);
		size = 32 + 16 * rng_below(rng, 2);
		faults += !tagged_malloc(o, size, rng_next(rng));
	}
	return faults;
}

static size_t empty(struct tagged *ring)
{
	size_t faults = 0;

	for (int i = 0; i < RING; i++)
		faults += tagged_free(&ring[i]);
	return faults;
}

static void *busy(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	struct tagged ring[RING] = { 0 };
	size_t faults = 0;

	pin(0);
	while (!stop)
		faults += churn(&rng, 500, ring);
	faults += empty(ring);
	return (void *)faults;
}

/* The parent's thread is on CPU 0, as the others are; its child goes to 1. */
static void child(struct rng *rng)
{
	size_t faults;

	pin(1);
	faults = churn(rng, STEPS, child_ring);
	_exit(faults != 0);
}

static int await(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static __attribute__((noinline)) pid_t start_child(struct rng *rng)
{
	pid_t pid = vfork();

	if (!pid)
		child(rng);
	return pid;
}

static size_t vfork_children(const cpu_set_t *all)
{
	struct rng rng = rng_make(seed, 1000);
	size_t failed = 0;

	for (int i = 0; i < VFORKS && failed < 3; i++) {
		pid_t pid;

		pin(0);
		pid = start_child(&rng);
		failed += pid < 0 || await(pid);
		/* What it left is ours, for its memory is. */
		failed += empty(child_ring);
	}
	unpin(all);
	return failed;
}

/* A child of a child, one after the other in the same place. */
static bool nested(void)
{
	volatile pid_t pid = vfork(), inner;

	if (!pid) {
		free(malloc(100));
		inner = vfork();
		if (!inner) {
			free(malloc(200));
			_exit(7);
		}
		free(malloc(300));
		_exit(WEXITSTATUS(await(inner)) + 1);
	}
	return WEXITSTATUS(await(pid)) == 8;
}

static bool executes(void)
{
	volatile pid_t pid = vfork();

	if (!pid) {
		char *path = strdup("/bin/true");

		execl(path, path, (char *)NULL);
		_exit(9);
	}
	return !await(pid);
}

/* A refused call sets errno, and the thread is as before. */
static bool spawns(void)
{
	char *const args[] = { "sh", "-c", "exit 5", NULL };
	pid_t pid;

	for (int i = 0; i < SPAWNS; i++) {
		if (posix_spawnp(&pid, "sh", NULL, NULL, args, environ) ||
		    WEXITSTATUS(await(pid)) != 5)
			return false;
		if (posix_spawn(&pid, "/nowhere", NULL, NULL, args, environ) !=
		    ENOENT)
			return false;
	}
	return WEXITSTATUS(system("exit 6")) == 6;
}

/* The thread has its magazine again: what it frees stays there. */
static bool has_magazine(void)
{
	void (*totals)(struct pm_totals *) = (void (*)(struct pm_totals *))
		dlsym(RTLD_DEFAULT, "pm_get_totals");
	struct pm_totals before, after;
	void *p[20];

	if (!totals)
		return false;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20; i++)
			p[i] = malloc(3000);
		totals(&before);
		for (int i = 0; i < 20; i++)
			free(p[i]);
		totals(&after);
	}
	return after.magazine > before.magazine;
}

int main(void)
{
	pthread_t threads[3];
	size_t faults = 0;
	cpu_set_t all;
	bool had;
	void *ret;

	tap_begin();
	alarm(60);
	seed = seed_from_env();
	sched_getaffinity(0, sizeof(all), &all);
	had = has_magazine();
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, busy, (void *)i);
	OK(!vfork_children(&all), "%d children of vfork() allocate", VFORKS);
	OK(spawns(), "posix_spawn(), posix_spawnp() and system() work");
	stop = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &ret);
		faults += (size_t)ret;
	}
	OK(!faults, "the other threads' objects are whole (%zu faults)", faults);
	OK(nested(), "a child of vfork() calls vfork()");
	OK(executes(), "a child of vfork() executes another program");
	PM_OK(has_magazine() == had, "the parent uses magazines as before");
	return tap_end();
}
