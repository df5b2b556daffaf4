// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that uses liburcu itself, on a malloc that does, too.
 *
 * Its readers, its grace periods and its fork handlers, which it registers as
 * liburcu's manual asks, go on under load while the library has its own of
 * each. With one copy for both, the first fork takes liburcu's locks twice.
 */
#define _LGPL_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <urcu-bp.h>
#include "pattern.h"
#include "tap.h"

enum { READERS = 4, FORKS = 60, PATIENCE = 20, SIZE = 200 };

static struct tagged *published;
static volatile bool stop;
static uint64_t seed;

static struct tagged *make(struct rng *rng)
{
	struct tagged *o = malloc(sizeof(*o));

	tagged_malloc(o, SIZE, rng_next(rng));
	return o;
}

/* Reads what is published, which nobody may have freed, and allocates. */
static size_t look(struct rng *rng)
{
	struct tagged mine = { 0 }, *o;
	size_t faults = 0;

	tagged_malloc(&mine, rng_size(rng, 14), rng_next(rng));
	rcu_read_lock();
	o = rcu_dereference(published);
	faults += !pattern_holds(o->p, SIZE, o->tag);
	faults += tagged_free(&mine);
	rcu_read_unlock();
	return faults;
}

static size_t replace(struct rng *rng)
{
	struct tagged *old = rcu_xchg_pointer(&published, make(rng));
	size_t faults;

	synchronize_rcu();
	faults = tagged_free(old);
	free(old);
	return faults;
}

static void *reader(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	size_t faults = 0;

	while (!stop)
		faults += look(&rng);
	return (void *)faults;
}

static void *updater(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	size_t faults = 0;

	while (!stop)
		faults += replace(&rng);
	return (void *)faults;
}

static void *short_thread(void *arg)
{
	struct rng rng = rng_make(seed, (uintptr_t)arg);
	size_t i, faults = 0;

	for (i = 0; i < 100; i++)
		faults += look(&rng);
	return (void *)faults;
}

static size_t child(struct rng *rng)
{
	pthread_t thread[2];
	size_t i, faults = 0;
	void *ret;

	alarm(PATIENCE);
	for (i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, short_thread, (void *)i))
			return 1;
	for (i = 0; i < 10; i++)
		faults += replace(rng) + look(rng);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		faults += (size_t)ret;
	}
	return faults;
}

/* liburcu's handlers block signals: an alarm would not end what hangs. */
static size_t await(pid_t pid)
{
	struct timespec nap = { 0, 10000000 };
	int status = -1, naps;

	for (naps = 0; naps < PATIENCE * 100; naps++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status != 0;
		nanosleep(&nap, NULL);
	}
	tap_diag("a child hangs");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 1;
}

static size_t fork_under_load(struct rng *rng)
{
	size_t failed = 0, i;

	for (i = 0; i < FORKS && !failed; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(child(rng) != 0);
		failed += pid < 0 || await(pid);
	}
	return failed;
}

int main(void)
{
	const char *urcu = getenv("PMALLOC_URCU");
	pthread_t threads[READERS + 1];
	size_t i, faults = 0, failed;
	struct rng rng;
	void *ret;

	tap_begin();
	if (urcu && !strcmp(urcu, "shared")) {
		tap_skip("two copies of liburcu", "the library shares it");
		return tap_end();
	}
	seed = seed_from_env();
	rng = rng_make(seed, 1000);
	free(malloc(100));
	published = make(&rng);
	OK(!pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent,
			   urcu_bp_after_fork_child),
	   "the program has liburcu's fork handlers");
	for (i = 0; i <= READERS; i++)
		pthread_create(&threads[i], NULL, i ? reader : updater,
			       (void *)i);
	failed = fork_under_load(&rng);
	OK(!failed, "%d forks under load, and each child uses both", FORKS);
	stop = true;
	for (i = 0; i <= READERS; i++) {
		pthread_join(threads[i], &ret);
		faults += (size_t)ret;
	}
	OK(!faults, "its readers saw what it had published (%zu faults)",
	   faults);
	return tap_end();
}
