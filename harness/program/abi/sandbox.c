// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that locks itself in when it has been running for a while, as a
 * browser's processes do: a call that is not in its list ends it.
 *
 * The list is what Firefox lets all its sandboxed processes do, as far as memory,
 * threads and time are concerned (security/sandbox/linux/SandboxFilter.cpp of
 * Firefox, class SandboxPolicyCommon, 2024), with its looks at arguments: few
 * requests of madvise(), mremap() where the kernel chooses the place, mincore()
 * of one page (content processes), few of prctl(). Files cannot be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "pattern.h"

#define NR	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,			\
			 offsetof(struct seccomp_data, nr))
#define ARG(i)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS,			\
			 offsetof(struct seccomp_data, args[i]))
#define SAY(what) BPF_STMT(BPF_RET | BPF_K, what)
#define IS(value, otherwise)						\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise)

#define ALLOW(nr)	IS(SYS_##nr, 1), SAY(SECCOMP_RET_ALLOW)
#define REFUSE(nr, err)	IS(SYS_##nr, 1), SAY(SECCOMP_RET_ERRNO | (err))
#define ALLOW_IF(nr, i, value)						\
	IS(SYS_##nr, 4), ARG(i), IS(value, 1), SAY(SECCOMP_RET_ALLOW), NR

enum { NO_CALL = 38 };	/* as a kernel answers that does not have it */

static const struct sock_filter list[] = {
	NR,
	ALLOW(futex), ALLOW(mmap), ALLOW(munmap), ALLOW(mprotect), ALLOW(brk),
	ALLOW_IF(madvise, 2, MADV_DONTNEED), ALLOW_IF(madvise, 2, MADV_FREE),
	ALLOW_IF(madvise, 2, MADV_HUGEPAGE), ALLOW_IF(madvise, 2, MADV_NOHUGEPAGE),
	ALLOW_IF(mremap, 3, 0), ALLOW_IF(mremap, 3, MREMAP_MAYMOVE),
	ALLOW_IF(mincore, 1, 4096),
	ALLOW_IF(prctl, 0, PR_GET_SECCOMP), ALLOW_IF(prctl, 0, PR_SET_NAME),
	ALLOW(membarrier), ALLOW(rseq), ALLOW(getrandom), ALLOW(gettid),
	ALLOW(getpid), ALLOW(sched_yield), ALLOW(getcpu), ALLOW(nanosleep),
	ALLOW(clock_gettime), ALLOW(clock_nanosleep), ALLOW(gettimeofday),
	ALLOW(clone), REFUSE(clone3, NO_CALL), ALLOW(set_robust_list),
	ALLOW(rt_sigprocmask), ALLOW(rt_sigaction), ALLOW(rt_sigreturn),
	ALLOW(tgkill), ALLOW(exit), ALLOW(exit_group), ALLOW(restart_syscall),
	ALLOW(write), ALLOW(writev), ALLOW(read), ALLOW(close), ALLOW(fstat),
	ALLOW(poll), ALLOW(ppoll),
	ALLOW_IF(fcntl, 1, F_GETFD), ALLOW_IF(fcntl, 1, F_GETFL),
	ALLOW_IF(fcntl, 1, F_DUPFD_CLOEXEC),
	REFUSE(sched_getaffinity, NO_CALL),
	ALLOW_IF(prlimit64, 2, 0),		/* content processes: to read */
	SAY(SECCOMP_RET_KILL_PROCESS),
};

static const struct sock_fprog prog = {
	.len = sizeof(list) / sizeof(list[0]),
	.filter = (struct sock_filter *)list,
};

static bool by_prctl(void)
{
	return !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static bool by_syscall(void)
{
	return !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			SECCOMP_FILTER_FLAG_TSYNC, &prog);
}

static bool by_instruction(void)
{
#ifdef __x86_64__
	long ret;

	__asm__ __volatile__("syscall"
			     : "=a" (ret)
			     : "0" (SYS_seccomp), "D" (SECCOMP_SET_MODE_FILTER),
			       "S" (SECCOMP_FILTER_FLAG_TSYNC), "d" (&prog)
			     : "rcx", "r11", "memory");
	return !ret;
#else
	return by_syscall();
#endif
}

/* Small and middle sizes; large ones that are used to the end; and growth. */
static bool work(uint64_t seed)
{
	struct rng rng = rng_make(seed, 0);
	struct tagged o[200] = { 0 };
	size_t bad = 0, i;
	char *p;

	for (i = 0; i < 3000; i++) {
		struct tagged *at = &o[rng_below(&rng, 200)];

		bad += tagged_free(at);
		bad += !tagged_malloc(at, 16 + rng_below(&rng, i % 50 ? 2000 :
							 400000), i);
	}
	for (i = 0; i < 200; i++)
		bad += tagged_free(&o[i]);
	malloc_trim(0);
	for (i = 0; i < 40; i++)
		bad += !tagged_malloc(&o[i], 300000, i);
	for (i = 0; i < 40; i++)
		bad += tagged_free(&o[i]);
	p = NULL;
	for (i = 100000; i < 20000000; i += i / 2) {
		p = realloc(p, i);
		if (!p)
			return false;
		memset(p + i - 1000, 1, 1000);
	}
	free(p);
	mallinfo2();
	return !bad;
}

static void *work_in_thread(void *arg)
{
	return work((uintptr_t)arg) ? NULL : (void *)1;
}

static int locked_in(bool (*lock)(void), bool early)
{
	pthread_t threads[3];
	void *ret, *bad = NULL;

	alarm(100);
	if (!early && !work(7))
		return 1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || !lock())
		return 2;
	for (uintptr_t i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, work_in_thread,
				   (void *)i))
			return 3;
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &ret);
		bad = ret ? ret : bad;
	}
	return bad ? 4 : !work(8);
}

static bool lives(bool (*lock)(void), bool early)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(locked_in(lock, early));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		tap_diag("status %#x", (unsigned int)status);
	return !status;
}

int main(void)
{
	bool filtered;

	tap_begin();
	free(malloc(100));	/* from here on the library is there */
	filtered = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0;
	OK(lives(by_prctl, false), "locked in by prctl()");
	OK(lives(by_prctl, true), "locked in by prctl() before any large object");
	OK(lives(by_syscall, false), "locked in by syscall(SYS_seccomp)");
	if (filtered && tap_on_pmalloc())
		tap_skip("by an instruction",
			 "not seen where there was a filter before");
	else
		OK(lives(by_instruction, false),
		   "locked in by a system call instruction");
	return tap_end();
}
