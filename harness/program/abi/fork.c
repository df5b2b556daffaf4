// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * fork in a process whose other threads allocate and free all the time.
 *
 * A child has one thread and a copy of the heap in whatever state the others
 * left it. It must be able to free what its parent allocated, allocate,
 * start threads, and fork again. A deadlock is what one fears: every child
 * has an alarm, and the parent one of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "pattern.h"

enum { THREADS = 6, FORKS = 150, KEPT = 400, PATIENCE = 10 };

static volatile bool stop;
static uint64_t seed;
static struct tagged shared[KEPT];

static void fill(struct tagged *o, struct rng *rng)
{
	size_t size = rng_size(rng, rng_below(rng, 20) ? 12 : 19);

	tagged_malloc(o, size, rng_next(rng));
}

static size_t churn(struct rng *rng, size_t steps, struct tagged *ring,
		    size_t len)
{
	size_t faults = 0;

	while (steps--) {
		struct tagged *o = &ring[rng_below(rng, len)];

		faults += tagged_free(o);
		fill(o, rng);
		faults += !o->p;
	}
	return faults;
}

/* Frees objects of each other's, too: every free path is busy at the fork. */
static void *busy(void *arg)
{
	static struct tagged rings[THREADS][64];
	static pthread_mutex_t locks[THREADS];
	size_t me = (size_t)arg, faults = 0;
	struct rng rng = rng_make(seed, me);

	while (!stop) {
		size_t whose = rng_below(&rng, THREADS);

		pthread_mutex_lock(&locks[whose]);
		faults += churn(&rng, 20, rings[whose], 64);
		pthread_mutex_unlock(&locks[whose]);
		if (!rng_below(&rng, 2000))
			free(malloc((size_t)3 << 20));
	}
	return (void *)faults;
}

static void *child_thread(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	static struct tagged ring[50];

	return (void *)churn(&rng, 300, ring, 50);
}

static size_t await(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (WIFSIGNALED(status))
		tap_diag("a child died of signal %d%s", WTERMSIG(status),
			 WTERMSIG(status) == SIGALRM ? ", deadlock" : "");
	return status != 0;
}

/* What a child does, and a child of it once more. */
static size_t child(int depth, struct rng *rng)
{
	struct tagged ring[40] = { 0 };
	size_t i, faults = 0;
	pthread_t thread;
	void *ret;
	pid_t pid;

	alarm(PATIENCE);
	for (i = 0; i < KEPT / 2; i++)
		faults += tagged_free(&shared[i * 2]);
	faults += churn(rng, 500, ring, 40);
	if (pthread_create(&thread, NULL, child_thread, (void *)7ul))
		faults++;
	else if (!pthread_join(thread, &ret))
		faults += (size_t)ret;
	if (!depth) {
		for (i = 0; i < KEPT; i++)
			faults += tagged_free(&shared[i]);
		return faults;
	}
	pid = fork();
	if (!pid)
		_exit(child(depth - 1, rng) != 0);
	faults += churn(rng, 500, ring, 40);
	if (pid < 0 || await(pid))
		faults++;
	for (i = 0; i < 40; i++)
		faults += tagged_free(&ring[i]);
	return faults;
}

int main(void)
{
	size_t i, faults = 0, lost = 0, failed = 0;
	pthread_t threads[THREADS];
	struct rng rng;
	void *ret;

	tap_begin();
	alarm(100);
	seed = seed_from_env();
	rng = rng_make(seed, 1000);
	for (i = 0; i < KEPT; i++)
		fill(&shared[i], &rng);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, busy, (void *)i);
	for (i = 0; i < FORKS && failed < 3; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(child(i % 10 == 0, &rng) != 0);
		/* The parent goes on; its objects are its own. */
		lost += tagged_free(&shared[i % KEPT]);
		fill(&shared[i % KEPT], &rng);
		failed += pid < 0 || await(pid);
	}
	stop = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		faults += (size_t)ret;
	}
	OK(i == THREADS && !failed, "%d forks, each child works (%zu did not)",
	   FORKS, failed);
	for (i = 0; i < KEPT; i++)
		lost += tagged_free(&shared[i]);
	OK(!lost, "the parent's objects are whole (%zu lost)", lost);
	OK(!faults, "and those of its threads (%zu faults)", faults);
	return tap_end();
}
