// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * thp=off means off: the mapping of every object refuses huge pages (flag `nh`
 * in /proc/self/smaps), so that a system which gives them to all gives it none. So
 * does a small program under thp=auto, the default. With thp=on no mapping refuses
 * them. A large program under thp=auto has what its own measurement speaks for, and
 * the report says so.
 */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pattern.h"

/* Whether the mapping at @p has a flag, as /proc/self/smaps has them. */
static bool has_flag(const void *p, const char *flag)
{
	unsigned long at = (unsigned long)p, from, to;
	bool here = false, has = false;
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= at && at < to;
		else if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	fclose(f);
	return has;
}

/* How many of five objects lie where huge pages are refused; -1 without memory. */
static int refusals(void)
{
	void *o[5], *between;
	int n = 0;

	o[0] = malloc(100);
	o[1] = malloc(300000);
	o[2] = malloc(50UL << 20);
	o[3] = malloc(5UL << 20);
	between = malloc(100000);	/* so that what grows has to move */
	o[3] = realloc(o[3], 20UL << 20);
	if (posix_memalign(&o[4], 2UL << 20, 3UL << 20) || !between)
		return -1;
	for (int i = 0; i < 5; i++) {
		if (!o[i])
			return -1;
		n += has_flag(o[i], " nh");
		free(o[i]);
	}
	free(between);
	return n;
}

static int refusals_of_child(char *self, const char *options)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		setenv("PMALLOC_OPTIONS", options, 1);
		execl("/proc/self/exe", self, "count", NULL);
		_exit(99);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * An arena with many heaps: what is chosen is what was measured, the report has
 * both, and the latest heap has what was chosen.
 */
static void test_choice(void)
{
	size_t (*report)(char *buf, size_t size, bool json) =
		(size_t (*)(char *, size_t, bool))dlsym(RTLD_DEFAULT, "pm_report");
	static char text[1 << 20], *at;
	unsigned int huge, small;
	void **p = NULL, **last = NULL;
	char on[8] = "";

	for (int i = 0; i < 60000; i++) {
		p = malloc(1000);
		if (!p)
			break;
		*p = last;
		last = p;
	}
	PM_OK(p, "60 MB of small objects");
	report(text, sizeof(text), true);
	at = strstr(text, "\"thp\":");
	if (!at || sscanf(at, "\"thp\":{\"option\":\"auto\",\"on\":%7[a-z],\"huge_ns\":%u,\"small_ns\":%u}",
			  on, &huge, &small) != 3) {
		PM_OK(false, "the report says what was chosen");
		return;
	}
	tap_diag("huge page %u ns, small pages %u ns: %s", huge, small, on);
	PM_OK(!strcmp(on, "true") == (huge * 5ULL < small * 4ULL),
	      "what was chosen is what was measured");
	if (p)
		PM_OK(has_flag(p, !strcmp(on, "true") ? " hg" : " nh"),
		      "a large arena's heap has what was chosen");
	for (; last; last = p) {
		p = *last;
		free(last);
	}
}

int main(int argc, char **argv)
{
	cpu_set_t one;

	if (argc > 1)
		return refusals();
	tap_begin();
	/* So that one arena gets all. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK))
		tap_skip("thp", "a kernel without huge pages");
	else if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0))
		tap_skip("thp", "under a filter of system calls: see sandbox.c");
	else if (!dlsym(RTLD_DEFAULT, "pm_report"))
		tap_skip("thp", "this malloc is not pmalloc");
	else {
		PM_OK(refusals() == 5, "all five of a small program refuse huge pages");
		PM_OK(refusals_of_child(argv[0], "thp=off") == 5, "with thp=off, too");
		PM_OK(refusals_of_child(argv[0], "thp=on") == 0, "with thp=on none does");
		test_choice();
	}
	return tap_end();
}
