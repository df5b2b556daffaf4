// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that wants restartable sequences for itself. With
 * GLIBC_TUNABLES=glibc.pthread.rseq=0 the C library registers no area, and the
 * program registers its own, as librseq does; a thread has one at most.
 *
 * Each case is this program again: argv[1] names it.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "pattern.h"
#include "pmalloc.h"

enum { ROUNDS = 3000, THREADS = 4 };

static __thread struct rseq area __attribute__((aligned(32)));

typedef long call_fn(int flags);

static long by_syscall(int flags)
{
	return syscall(SYS_rseq, &area, sizeof(area), flags, RSEQ_SIG);
}

/* As a program does that has its own system call instruction. */
static long by_instruction(int flags)
{
#ifdef __x86_64__
	register long sig __asm__("r10") = RSEQ_SIG;
	long ret;

	__asm__ __volatile__("syscall"
			     : "=a" (ret)
			     : "0" (SYS_rseq), "D" (&area), "S" (sizeof(area)),
			       "d" ((long)flags), "r" (sig)
			     : "rcx", "r11", "memory");
	return ret;
#else
	return by_syscall(flags);
#endif
}

static bool churn(void)
{
	static const size_t sizes[] = { 16, 100, 1000, 20000 };
	char *p[64] = { NULL };
	size_t bad = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		char **at = &p[i * 7 % 64];

		bad += *at && **at != (char)(i * 7 % 64);
		free(*at);
		*at = malloc(sizes[i % 4]);
		if (!*at)
			return false;
		**at = (char)(i * 7 % 64);
	}
	for (unsigned int i = 0; i < 64; i++)
		free(p[i]);
	return !bad;
}

/* Register, use, give up, and once more; objects live all the time. */
static bool use(call_fn *call, bool first)
{
	for (int i = 0; i < 3; i++) {
		if ((!first || i) && !churn())
			return false;
		if (call(0) || (int)area.cpu_id < 0 || !churn())
			return false;
		if (call(RSEQ_FLAG_UNREGISTER) || (int)area.cpu_id >= 0)
			return false;
	}
	return churn();
}

static void *use_in_thread(void *call)
{
	return use((call_fn *)call, true) && use((call_fn *)call, false) ?
		NULL : (void *)1;
}

static bool use_in_threads(call_fn *call)
{
	pthread_t threads[THREADS];
	void *ret, *bad = NULL;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, use_in_thread,
				   (void *)call))
			return false;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		bad = ret ? ret : bad;
	}
	return !bad;
}

static bool report_says(const char *what)
{
	size_t (*report)(char *, size_t, bool) =
		(size_t (*)(char *, size_t, bool))dlsym(RTLD_DEFAULT, "pm_report");
	char text[400];

	if (!report)
		return false;
	report(text, sizeof(text), false);
	text[strcspn(text, "\n")] = 0;
	if (strstr(text, what))
		return true;
	tap_diag("%s", text);
	return false;
}

static size_t in_magazines(void)
{
	void (*totals)(struct pm_totals *) = (void (*)(struct pm_totals *))
		dlsym(RTLD_DEFAULT, "pm_get_totals");
	struct pm_totals t = { 0 };

	if (totals)
		totals(&t);
	return t.magazine;
}

static int run(const char *name)
{
	alarm(50);
	if (!strcmp(name, "left"))
		return !(use(by_instruction, false) &&
			 use_in_threads(by_instruction) &&
			 use_in_threads(by_syscall) &&
			 report_says("magazines off: rseq is left"));
	if (!strcmp(name, "own"))
		return !(churn() && in_magazines() &&
			 use(by_syscall, false) && use_in_threads(by_syscall) &&
			 report_says("own rseq area"));
	if (!strcmp(name, "refused"))
		/* Not the length that it has: ours is there again afterwards. */
		return !(churn() &&
			 syscall(SYS_rseq, &area, 1, 0, RSEQ_SIG) == -1 &&
			 errno == EINVAL &&
			 by_instruction(0) == -EINVAL && churn());
	if (!strcmp(name, "off"))
		return !(churn() && !in_magazines() &&
			 report_says("magazines off, as chosen"));
	return 99;
}

static bool runs(const char *name, const char *options)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		setenv("GLIBC_TUNABLES", "glibc.pthread.rseq=0", 1);
		setenv("PMALLOC_OPTIONS", options, 1);
		execl("/proc/self/exe", "rseq", name, NULL);
		_exit(98);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		tap_diag("%s: status %#x", name, (unsigned int)status);
	return !status;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return run(argv[1]);
	tap_begin();
	if (!tap_on_pmalloc()) {
		tap_skip("rseq", "glibc has no use for it");
		return tap_end();
	}
	area.cpu_id = (uint32_t)RSEQ_CPU_ID_UNINITIALIZED;
	syscall(-1);		/* as a kernel answers that does not have a call */
	if (by_instruction(0) == -errno) {
		tap_skip("rseq", "the kernel has none");
		return tap_end();
	}
	OK(runs("left", ""), "rseq is the program's, in every thread");
	OK(runs("own", "rseq=own"), "rseq=own: the program comes later, and gets it");
	OK(runs("refused", "rseq=own"),
	   "rseq=own: the program is refused, and the library goes on");
	OK(runs("off", "rseq=off"), "rseq=off: nobody has it");
	return tap_end();
}
