/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Bad input is tried in a child: what it says on standard error is the report,
 * how it ends is whether it was stopped.
 */
#ifndef HARNESS_MISUSE_CHILD_H
#define HARNESS_MISUSE_CHILD_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SAYS	1000

struct child {
	int status;
	char said[CHILD_SAYS];
};

/* Run @fn(@arg) in a child; what it returns is the child's exit status. */
static inline void child_run(struct child *child, int (*fn)(void *arg),
			     void *arg)
{
	size_t len = 0;
	int fd[2];
	ssize_t n;
	pid_t pid;

	child->status = -1;
	child->said[0] = 0;
	if (pipe(fd))
		return;
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDERR_FILENO);
		_exit(fn(arg));
	}
	close(fd[1]);
	while (len < sizeof(child->said) - 1 &&
	       (n = read(fd[0], child->said + len,
			 sizeof(child->said) - 1 - len)) > 0)
		len += (size_t)n;
	child->said[len] = 0;
	close(fd[0]);
	while (waitpid(pid, &child->status, 0) < 0 && errno == EINTR)
		;
}

/* Whether it was ended by abort(), and its first words were @begin. */
static inline bool child_aborted(const struct child *child, const char *begin)
{
	return WIFSIGNALED(child->status) &&
	       WTERMSIG(child->status) == SIGABRT &&
	       !strncmp(child->said, begin, strlen(begin));
}

/* Whether it said one line and no more. */
static inline bool child_said_a_line(const struct child *child)
{
	return strchr(child->said, '\n') ==
	       child->said + strlen(child->said) - 1;
}

#endif /* HARNESS_MISUSE_CHILD_H */
