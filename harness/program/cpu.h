/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Threads that stay on a CPU.
 */
#ifndef HARNESS_CPU_H
#define HARNESS_CPU_H

#include <sched.h>

/* Let the calling thread run on @cpu only; where there is none such, anywhere. */
static inline void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

#endif /* HARNESS_CPU_H */
