// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Children that share their parent's memory and thread-local storage, by
 * clone() and its relatives, as sandboxes and container tools make them; see
 * vfork.c for what is the matter with them. And what else syscall() is for.
 */
#include <errno.h>
#include <linux/sched.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "cpu.h"
#include "pattern.h"
#include "pmalloc.h"

enum { CHILDREN = 60, STEPS = 4000, RING = 64, STACK = 1 << 17 };

int __clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...);

static volatile bool stop;
static uint64_t seed;
static struct tagged child_ring[RING];
static char *stack;

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
static int child(void *rng)
{
	pin(1);
	return churn(rng, STEPS, child_ring) != 0;
}

static pid_t by_clone(struct rng *rng)
{
	return clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, rng);
}

static pid_t by_other_name(struct rng *rng)
{
	return __clone(child, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD,
		       rng);
}

static pid_t by_clone_awaited(struct rng *rng)
{
	return clone(child, stack + STACK, CLONE_VM | SIGCHLD, rng);
}

static __attribute__((noinline)) pid_t by_sys_vfork(struct rng *rng)
{
	pid_t pid = (pid_t)syscall(SYS_vfork);

	if (!pid)
		_exit(child(rng));
	return pid;
}

static __attribute__((noinline)) pid_t by_sys_clone(struct rng *rng)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD,
				   NULL, NULL, NULL, 0);

	if (!pid)
		_exit(child(rng));
	return pid;
}

static __attribute__((noinline)) pid_t by_sys_clone3(struct rng *rng)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD,
	};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		_exit(child(rng));
	return pid;
}

static const struct {
	const char *name;
	pid_t (*start)(struct rng *rng);
	bool on_glibc;		/* whose syscall() is not made for it */
} ways[] = {
	{ "clone()", by_clone, true },
	{ "__clone()", by_other_name, true },
	{ "syscall(SYS_vfork)", by_sys_vfork, false },
	{ "syscall(SYS_clone)", by_sys_clone, false },
	{ "syscall(SYS_clone3)", by_sys_clone3, false },
	{ "clone(), and a wait", by_clone_awaited, true },
};

static int await(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static size_t children(pid_t (*start)(struct rng *rng))
{
	struct rng rng = rng_make(seed, 1000);
	size_t failed = 0;

	for (int i = 0; i < CHILDREN && failed < 3; i++) {
		pid_t pid;

		pin(0);
		pid = start(&rng);
		failed += pid < 0 || await(pid);
		/* What it left is ours, for its memory is. */
		failed += empty(child_ring);
	}
	return failed;
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

static void *has_magazine_in_thread(void *arg)
{
	*(bool *)arg = has_magazine();
	return NULL;
}

/* ---- what else there is to clone() and syscall() ----------------------------- */

static int seven(void *arg)
{
	free(malloc(100));
	return arg == &stop ? 7 : 8;
}

static bool refused(long ret, int error)
{
	bool good = ret == -1 && errno == error;

	if (!good)
		tap_diag("returned %ld, errno %d", ret, errno);
	errno = 0;
	return good;
}

static void test_clone(void)
{
	pid_t pid, tid = 0;

	pid = clone(seven, stack + STACK - 3, CLONE_PARENT_SETTID | SIGCHLD,
		    (void *)&stop, &tid);
	OK(pid > 0 && tid == pid && WEXITSTATUS(await(pid)) == 7,
	   "clone() with memory of its own");
	OK(refused(clone(NULL, stack + STACK, SIGCHLD, NULL), EINVAL) &&
	   refused(clone(seven, NULL, SIGCHLD, NULL), EINVAL) &&
	   refused(clone(seven, stack + STACK,
			 CLONE_VM | CLONE_VFORK | CLONE_THREAD, NULL), EINVAL),
	   "clone() refuses what it should");
}

static void test_syscall(void)
{
	char *p;

	p = (char *)syscall(SYS_mmap, NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	OK(p != MAP_FAILED && !(p[8191] = 0) && !syscall(SYS_munmap, p, 8192),
	   "syscall() passes six arguments");
	OK(syscall(SYS_getpid) == getpid(), "and returns what the kernel does");
	OK(refused(syscall(SYS_close, -1), EBADF) &&
	   refused(syscall(SYS_clone3, (void *)1, 88), EFAULT) &&
	   refused(syscall(SYS_clone3, NULL, 8), EINVAL), "or -1 and errno");
}

int main(void)
{
	const size_t nr_ways = sizeof(ways) / sizeof(ways[0]);
	bool had, in_thread;
	pthread_t threads[3], thread;
	size_t faults = 0;
	cpu_set_t all;
	void *ret;

	tap_begin();
	alarm(110);
	seed = seed_from_env();
	sched_getaffinity(0, sizeof(all), &all);
	stack = malloc(STACK);
	had = has_magazine();
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, busy, (void *)i);
	for (size_t i = 0; i < nr_ways; i++) {
		if (!ways[i].on_glibc && !tap_on_pmalloc()) {
			tap_skip(ways[i].name, "glibc's returns to nowhere");
			continue;
		}
		if (i == nr_ways - 1)
			PM_OK(has_magazine() == had,
			      "the parent uses magazines as before");
		OK(!children(ways[i].start), "%d children of %s allocate",
		   CHILDREN, ways[i].name);
	}
	stop = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &ret);
		faults += (size_t)ret;
	}
	OK(!faults, "the other threads' objects are whole (%zu faults)", faults);
	sched_setaffinity(0, sizeof(all), &all);
	PM_OK(!has_magazine(), "a thread that was not waiting does without");
	pthread_create(&thread, NULL, has_magazine_in_thread, &in_thread);
	pthread_join(thread, NULL);
	PM_OK(in_thread == had, "and others do not");
	test_clone();
	test_syscall();
	free(stack);
	return tap_end();
}
