// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that locks itself into a sandbox after its start: seccomp refuses
 * membarrier() from then on, with which magazines are drained and liburcu
 * waits for a grace period (it aborts when that fails).
 *
 * Each case is done in a child, for a sandbox is for ever. Whatever is no
 * misuse goes on working; a double free is named and stopped, as outside, though
 * later: what lies deep in a magazine when the object is handed out again.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "child.h"
#include "cpu.h"
#include "tap.h"

enum { MANY = 500, PATIENCE = 20 };

static char *many[MANY];

/* From now on membarrier() fails with @error, and does nothing. */
static bool refuse_membarrier(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
			 SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(filter[0]),
		.filter = filter,
	};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) &&
	       syscall(SYS_membarrier, 0, 0, 0) < 0 && errno == error;
}

static void *churn(void *arg)
{
	char *p[64] = { NULL };

	for (unsigned int i = 0; i < 200000; i++) {
		size_t size = 16 << i % 12;
		char **at = &p[i * 7 % 64];

		free(*at);
		*at = malloc(size);
		if (!*at)
			return (void *)1;
		(*at)[size - 1] = 1;
	}
	for (unsigned int i = 0; i < 64; i++)
		free(p[i]);
	return arg;
}

static void free_many(size_t size)
{
	for (int i = 0; i < MANY; i++)
		many[i] = malloc(size);
	for (int i = 0; i < MANY; i++)
		free(many[i]);
}

/* ---- no misuse ------------------------------------------------------------- */

static int goes_on(void)
{
	pthread_t threads[4];
	void *ret, *bad = NULL;

	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, churn, NULL))
			return 1;
	for (int i = 0; i < 50; i++) {
		malloc_trim(0);
		mallinfo2();
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &ret);
		bad = ret ? ret : bad;
	}
	free_many(1000);
	malloc_trim(0);
	return bad != NULL;
}

static int forks(void)
{
	int status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(goes_on());
	waitpid(pid, &status, 0);
	return status;
}

/* An arena cannot be retired without a grace period: that is refused. */
static int retires(void)
{
	int (*retire)(unsigned int cpu) =
		(int (*)(unsigned int))dlsym(RTLD_DEFAULT, "pm_arena_retire");
	int expected = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? -EPERM : -EBUSY;

	for (int cpu = 1; cpu >= 0; cpu--) {
		pin(cpu);
		free_many(2000);
	}
	return !retire || retire(0) != expected || goes_on();
}

/*
 * Magazines cannot be emptied here: a second free that was not seen at once is
 * found when the second copy is handed out, by the CPU that has it.
 */
static int take_until_found(void)
{
	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		pin(cpu);
		for (int i = 0; i < 4000; i++)
			if (!malloc(64))
				return 1;
	}
	return 0;
}

/* ---- misuse ---------------------------------------------------------------- */

static int frees_twice(void)
{
	char *p = malloc(64);

	free(p);
	free(p);
	return take_until_found();
}

static int frees_twice_later(void)
{
	free_many(64);
	free(many[MANY / 3]);
	return take_until_found();
}

static void *free_it(void *p)
{
	free(p);
	return NULL;
}

static int frees_twice_in_threads(void)
{
	char *p = malloc(64);
	pthread_t thread;

	free(p);
	if (!pthread_create(&thread, NULL, free_it, p))
		pthread_join(thread, NULL);
	return take_until_found();
}

static int frees_foreign(void)
{
	free(many);
	return 0;
}

/* ---- in a child ------------------------------------------------------------ */

struct trial {
	int (*fn)(void);
	int error;
};

static int locked_in(void *arg)
{
	struct trial *trial = arg;

	alarm(PATIENCE);
	churn(NULL);
	return refuse_membarrier(trial->error) ? trial->fn() : 99;
}

static bool lives(int (*fn)(void), int error)
{
	struct trial trial = { fn, error };
	struct child child;

	child_run(&child, locked_in, &trial);
	if (!child.status && !child.said[0])
		return true;
	tap_diag("status 0x%x, said: %s", (unsigned int)child.status,
		 child.said);
	return false;
}

static bool stopped(int (*fn)(void), int error, const char *expected,
		    const char *later)
{
	struct trial trial = { fn, error };
	struct child child;

	child_run(&child, locked_in, &trial);
	if (child_aborted(&child, "pmalloc: ") && child_said_a_line(&child) &&
	    (strstr(child.said, expected) ||
	     (later && strstr(child.said, later))))
		return true;
	tap_diag("status 0x%x, said: %s", (unsigned int)child.status,
		 child.said);
	return false;
}

static void test(int error, const char *name)
{
	OK(lives(goes_on, error), "%s: threads, trim, figures", name);
	OK(lives(forks, error), "%s: in a child, too", name);
	OK(lives(retires, error), "%s: retiring an arena is refused", name);
	OK(stopped(frees_twice, error, "double free", "freed twice"),
	   "%s: double free", name);
	OK(stopped(frees_twice_later, error, "double free", "freed twice"),
	   "%s: double free after others", name);
	OK(stopped(frees_twice_in_threads, error, "double free", "freed twice"),
	   "%s: double free in another thread", name);
	OK(stopped(frees_foreign, error, "not a pmalloc object", NULL),
	   "%s: foreign free", name);
}

int main(void)
{
	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("a sandbox without membarrier", "pmalloc's promise");
		return tap_end();
	}
	test(EPERM, "EPERM");
	/* As a kernel answers that does not have the call. */
	syscall(-1);
	test(errno, "no such call");
	return tap_end();
}
