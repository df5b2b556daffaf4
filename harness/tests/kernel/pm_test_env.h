/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What tests ask of their host, answered in the kernel. A process's answers
 * are in harness/tests/user/pm_test_env.h, under the same names.
 */
#ifndef PM_TEST_ENV_H
#define PM_TEST_ENV_H

#include <linux/completion.h>
#include <linux/sched.h>
#include "pm_env.h"

/* What a stack buffer for one line of output has. */
#define PM_TEST_LINE	256

struct pm_test;

struct pm_thread {
	struct task_struct *task;
	struct completion done;
	void (*fn)(void *arg);
	void *arg;
};

/* Set once, waited for by any number of threads. */
struct pm_event {
	struct completion set;
};

bool pm_thread_start(struct pm_thread *thread, void (*fn)(void *), void *arg);
void pm_thread_join(struct pm_thread *thread);

void pm_event_init(struct pm_event *event);
void pm_event_set(struct pm_event *event);
void pm_event_wait(struct pm_event *event);

unsigned int pm_test_cpus(void);
void pm_test_pin(unsigned int n);
void pm_test_unpin(void);
void pm_test_yield(void);
void pm_test_pause(void);
void pm_test_sleep_ms(unsigned int ms);

/* With a spinlock held and interrupts off, in an RCU section, in an interrupt. */
#define PM_TEST_CONTEXTS	3
void pm_test_in_context(unsigned int context, void (*fn)(void *arg), void *arg);

void *pm_test_zalloc(size_t size);
void pm_test_release(void *p, size_t size);

void pm_test_print(const char *line);
void pm_test_misuse(struct pm_test *t, void (*fn)(void *arg), void *arg,
		    const char *expected);

#endif /* PM_TEST_ENV_H */
