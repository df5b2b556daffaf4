// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who the readers of the private liburcu are: lib/user/urcu-private.c.
 *
 * No thread says that it ends, and yet readers are used again and nobody waits
 * for the dead. Where a reader cannot be had, that is an answer.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "tap.h"
#include "user.h"

enum { MANY = 3000, CROWD = 300, PATIENCE = 60 };

/* What the library's malloc.c answers in the library. */
const char *pm_host_options(void)
{
	return "";
}

void pm_host_started(void)
{
}

static DEFINE_SRCU(srcu);

static void start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	if (pthread_create(thread, &attr, fn, arg))
		_exit(3);
	pthread_attr_destroy(&attr);
}

/* Whether a section can be had. */
static bool visit(void)
{
	int idx;

	if (!pm_srcu_read_trylock(&srcu, &idx))
		return false;
	srcu_read_unlock(&srcu, idx);
	return true;
}

/* ---- used again ---------------------------------------------------------- */

static void *visitor(void *arg)
{
	return visit() ? (void *)(uintptr_t)pm_tls.reader : arg;
}

/* The greatest number that any of @n threads had, one after the other. */
static uintptr_t one_by_one(int n)
{
	uintptr_t most = 0;
	pthread_t thread;
	void *nr;

	while (n--) {
		start(&thread, visitor, (void *)UINTPTR_MAX);
		pthread_join(thread, &nr);
		most = max_t(uintptr_t, most, (uintptr_t)nr);
	}
	return most;
}

static pthread_barrier_t barrier;

static void *guest(void *arg)
{
	bool got = visit();

	pthread_barrier_wait(&barrier);
	return got ? (void *)(uintptr_t)pm_tls.reader : arg;
}

static uintptr_t together(int n)
{
	static pthread_t threads[CROWD];
	uintptr_t most = 0;
	void *nr;
	int i;

	pthread_barrier_init(&barrier, NULL, n);
	for (i = 0; i < n; i++)
		start(&threads[i], guest, (void *)UINTPTR_MAX);
	for (i = 0; i < n; i++) {
		pthread_join(threads[i], &nr);
		most = max_t(uintptr_t, most, (uintptr_t)nr);
	}
	return most;
}

static void used_again(void)
{
	uintptr_t most = one_by_one(MANY);
	int i;

	OK(most && most <= 8, "%d threads in a row: number %zu at most", MANY,
	   most);
	for (i = 0; i < 20; i++)
		most = together(CROWD);
	OK(most >= CROWD && most <= 2 * CROWD,
	   "%d at a time, twenty times: number %zu at most", CROWD, most);
	/* Nobody's number may be another's who lives. */
	OK(one_by_one(MANY) <= 2 * CROWD, "and no more afterwards");
}

/* ---- waited for, and not -------------------------------------------------- */

static bool waited;

static void *waiter(void *arg)
{
	synchronize_srcu(&srcu);
	__atomic_store_n(&waited, true, __ATOMIC_SEQ_CST);
	return arg;
}

static void *leaver(void *arg)
{
	int idx;

	if (!pm_srcu_read_trylock(&srcu, &idx))
		_exit(4);
	pthread_exit(arg);
}

static void waits(void)
{
	pthread_t thread, leaving;
	int idx, nested, i;

	if (!OK(pm_srcu_read_trylock(&srcu, &idx) &&
		pm_srcu_read_trylock(&srcu, &nested), "a section within another"))
		return;
	start(&thread, waiter, NULL);
	srcu_read_unlock(&srcu, nested);
	for (i = 0; i < 1000; i++)
		pm_host_nap();
	OK(!__atomic_load_n(&waited, __ATOMIC_SEQ_CST),
	   "a grace period waits for a section");
	srcu_read_unlock(&srcu, idx);
	pthread_join(thread, NULL);
	OK(waited, "and ends with it");

	start(&leaving, leaver, NULL);
	pthread_join(leaving, NULL);
	synchronize_srcu(&srcu);
	OK(true, "it does not wait for a thread that left within a section");
	start(&thread, waiter, NULL);
	start(&leaving, leaver, NULL);
	pthread_join(thread, NULL);
	pthread_join(leaving, NULL);
	OK(true, "nor for one that leaves meanwhile");
}

/* ---- fork ----------------------------------------------------------------- */

static void *stays(void *arg)
{
	int idx;

	if (!pm_srcu_read_trylock(&srcu, &idx))
		_exit(4);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	srcu_read_unlock(&srcu, idx);
	return arg;
}

static int child(unsigned int reader)
{
	alarm(PATIENCE);
	/* In the child there is nobody but us, and we are outside. */
	synchronize_srcu(&srcu);
	if (pm_tls.reader != reader || !visit())
		return 1;
	/* The readers of the parent's threads are free. */
	if (together(CROWD) > 2 * CROWD)
		return 2;
	return one_by_one(MANY) > 2 * CROWD ? 3 : 0;
}

/* The same as lib/user/fork.c does of it. */
static int forked(void)
{
	unsigned int reader = pm_tls.reader;
	int status = -1;
	pid_t pid;

	urcu_bp_before_fork();
	pid = fork();
	if (!pid) {
		pm_urcu_after_fork_child();
		_exit(child(reader));
	}
	urcu_bp_after_fork_parent();
	waitpid(pid, &status, 0);
	return status;
}

static void forks(void)
{
	pthread_t thread;
	int status;

	OK(visit(), "a section before fork()");
	pthread_barrier_init(&barrier, NULL, 2);
	start(&thread, stays, NULL);
	pthread_barrier_wait(&barrier);
	status = forked();
	OK(!status, "a child has its own reader, and no other (status 0x%x)",
	   status);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	status = forked();
	OK(!status, "once more, outside (status 0x%x)", status);
	OK(visit(), "the parent goes on");
}

/* ---- nothing to be had ----------------------------------------------------- */

static void *late_guest(void *arg)
{
	bool first, second;

	pthread_barrier_wait(&barrier);
	first = visit();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	second = visit();
	pthread_barrier_wait(&barrier);
	*(int *)arg = first + 2 * second;
	return arg;
}

/* More threads than there are readers, and no memory for one more. */
static void no_memory(void)
{
	enum { GUESTS = 1500 };
	static pthread_t threads[GUESTS];
	static int got[GUESTS];
	struct rlimit limit, none;
	int i, without = 0, with = 0;

	pthread_barrier_init(&barrier, NULL, GUESTS + 1);
	for (i = 0; i < GUESTS; i++)
		start(&threads[i], late_guest, &got[i]);
	getrlimit(RLIMIT_AS, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_AS, &none);
	while (pm_meta_alloc(PM_READER_CHUNK * sizeof(struct pm_reader) +
			     __alignof__(struct pm_reader), GFP_KERNEL))
		;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	setrlimit(RLIMIT_AS, &limit);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < GUESTS; i++) {
		pthread_join(threads[i], NULL);
		without += !(got[i] & 1);
		with += got[i] >> 1;
	}
	OK(without > 0, "no memory: %d of %d threads do without", without,
	   GUESTS);
	OK(with == GUESTS, "with memory all %d have sections", GUESTS);
}

/* A child with this thread's storage would begin and end the same sections. */
static void no_place(void)
{
	bool got;

	pm_vfork_begin();
	got = visit();
	pm_vfork_end(1);
	OK(!got, "no section while a child may be in the thread's place");
	OK(visit(), "one afterwards");
}

static void *key_guest(void *arg)
{
	return visit() ? arg : NULL;
}

static void no_keys(void)
{
	pthread_key_t key;
	pthread_t thread;
	int keys = 0;
	void *ret;

	while (!pthread_key_create(&key, NULL))
		keys++;
	OK(keys == PTHREAD_KEYS_MAX, "all %d keys are the program's", keys);
	start(&thread, key_guest, &keys);
	pthread_join(thread, &ret);
	OK(ret, "and a thread has a section without one");
}

int main(void)
{
	static const char version[] = "TAP version 13\n";

	tap_write(version, sizeof(version) - 1);
	alarm(PATIENCE * 2);
	used_again();
	waits();
	forks();
	no_place();
	no_keys();
	no_memory();
	return tap_end();
}
