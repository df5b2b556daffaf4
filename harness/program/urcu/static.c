// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * libpmalloc.a and liburcu-bp.a in one program: no symbol of one is taken for
 * one of the other, and both fork handlers run.
 */
#define _LGPL_SOURCE
#include <pthread.h>
#include <sys/wait.h>
#include <urcu-bp.h>
#include "pmalloc.h"
#include "tap.h"

static void *use(void *arg)
{
	void *p = pm_malloc(100);

	rcu_read_lock();
	pm_free(p);
	rcu_read_unlock();
	synchronize_rcu();
	return arg;
}

int main(void)
{
	static const char version[] = "TAP version 13\n";
	pthread_t thread;
	int i, status = 0;

	tap_write(version, sizeof(version) - 1);
	use(NULL);
	pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent,
		       urcu_bp_after_fork_child);
	for (i = 0; i < 10 && !status; i++) {
		pid_t pid = fork();

		if (!pid) {
			use(NULL);
			_exit(pthread_create(&thread, NULL, use, NULL) ||
			      pthread_join(thread, NULL));
		}
		if (waitpid(pid, &status, 0) != pid)
			status = -1;
	}
	OK(!status, "ten forks of a static program with two liburcu");
	OK(pm_usable_size(pm_malloc(100)) >= 100, "and it is on pmalloc");
	return tap_end();
}
