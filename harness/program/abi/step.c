// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A program that is single-stepped, as by a debugger with a software
 * watchpoint: each step is an interruption, and a per-CPU section that is
 * interrupted begins again. All the same it comes to its end.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "pattern.h"

enum { OBJECTS = 40, MOST_STEPS = 1000000 };

/* One size that is there already, and one that is cut in here. */
static int work(void)
{
	char *p[OBJECTS];
	size_t bad = 0;

	for (int i = 0; i < OBJECTS; i++) {
		p[i] = malloc(i % 2 ? 100 : 1000);
		if (!p[i])
			return 1;
		p[i][0] = (char)i;
	}
	for (int i = 0; i < OBJECTS; i++) {
		bad += p[i][0] != (char)i;
		free(p[i]);
	}
	return bad != 0;
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(100);
	raise(SIGSTOP);
	_exit(work());
}

/* Return: steps to the end, negative when there was none. */
static long step(pid_t pid, int *status)
{
	long steps;

	for (steps = 0; steps < MOST_STEPS; steps++) {
		if (waitpid(pid, status, 0) != pid)
			return -1;
		if (!WIFSTOPPED(*status))
			return steps;
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
			return -1;
	}
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return -1;
}

int main(void)
{
	int status = -1;
	long steps;
	pid_t pid;

	tap_begin();
	free(malloc(100));
	pid = start();
	steps = step(pid, &status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 100) {
		tap_skip("single steps", "ptrace() is refused here");
		return tap_end();
	}
	OK(steps > 0, "a program that is stepped through ends (%ld steps)", steps);
	OK(!status, "and its objects are whole (status %#x)", status);
	return tap_end();
}
