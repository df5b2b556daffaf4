// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * CPUs, tasks and time in the kernel; and what happens to the magazine and
 * the arena of a CPU that goes away.
 *
 * The magazine of a dead CPU would be used by nobody, and neither would its
 * arena: the one is drained, the other retired. That waits for grace periods,
 * and such a wait is forbidden to a hotplug callback: SRCU's may hang on a
 * timer of the very CPU that is going. So the callback, which runs after the
 * CPU is dead, notes its number and leaves the rest to a work item. When the
 * CPU is back before the work runs, it keeps what it has.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/smp.h>
#include <linux/workqueue.h>
#include "arena/registry.h"
#include "host.h"
#include "front/magazine.h"
#include "base/options.h"
#include "pmalloc.h"

#define PM_SLOT_BITS	8

/* A task has no room for us: tasks share words, by their address. */
static unsigned int pm_thread_slots[1 << PM_SLOT_BITS];

unsigned int pm_host_nr_cpus(void)
{
	return nr_cpu_ids;
}

unsigned int pm_host_cpu(void)
{
	return raw_smp_processor_id();
}

unsigned int *pm_host_thread_slot(void)
{
	return &pm_thread_slots[hash_ptr(current, PM_SLOT_BITS)];
}

unsigned int pm_host_tid(void)
{
	return current->pid;
}

u64 pm_host_clock_ns(void)
{
	return ktime_get_ns();
}

u64 pm_host_clock_coarse_ns(void)
{
	return ktime_get_coarse_ns();
}

bool pm_host_can_synchronize(void)
{
	return true;
}

void pm_host_nap(void)
{
	usleep_range(50, 100);
}

u64 pm_host_random(void)
{
	return get_random_u64();
}

/* ---- the per-CPU section ----------------------------------------------- */

const struct pm_null_magazine pm_null_magazine;

DEFINE_PER_CPU(struct pm_percpu, pm_percpu);

static_assert(offsetof(struct pm_null_magazine, stack) == sizeof(void *),
	      "a zero word is below");

/**
 * pm_percpu_reset() - give every CPU the null magazine
 *
 * An initialiser would do in the kernel proper; but the per-CPU data of a
 * module is copied without its relocations, and pointers in it are NULL.
 *
 * Context: before anybody allocates or frees, magazines on or off.
 */
void pm_percpu_reset(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		pm_percpu_publish(cpu, NULL);
}

bool pm_percpu_init(void)
{
	return true;
}

static void pm_percpu_ask(void *busy)
{
	*(bool *)busy = this_cpu_read(pm_percpu.busy);
}

/*
 * Ask the CPU, by an interrupt, whether it is inside a section. When it says
 * no, those that began before have ended, and the next will load what is
 * published now: interrupts do not come in the middle of one another, so
 * there is only the interrupted code to ask about. When it says yes, the
 * section has a few instructions to go. That is what membarrier() does for
 * the sections of userspace. A grace period of RCU would do as well, but takes
 * milliseconds, tens of them on PREEMPT_RT.
 *
 * A CPU that is not online is inside no section. The barrier orders what was
 * published before the look at who is online; it pairs with that of a CPU
 * which comes up, between setting its bit and running anything of ours.
 */
bool pm_percpu_fence(unsigned int index)
{
	bool busy;

	/* See above. */
	smp_mb();
	do {
		busy = false;
		if (smp_call_function_single(index, pm_percpu_ask, &busy, true))
			break;
	} while (busy);
	return true;
}

/* ---- CPUs that go away ------------------------------------------------- */

static enum cpuhp_state pm_cpuhp_state;
static struct cpumask pm_dead_cpus;

/* Whether every CPU has an arena of its own. */
static bool pm_arenas_are_cpus(void)
{
	return pm_options.policy->pick == pm_host_cpu &&
	       pm_arena_table_size >= nr_cpu_ids;
}

static void pm_retire_dead(struct work_struct *work)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		if (!cpumask_test_and_clear_cpu(cpu, &pm_dead_cpus) ||
		    cpu_online(cpu))
			continue;
		pm_mag_drain(cpu);
		if (pm_arenas_are_cpus())
			pm_arena_retire(cpu);
	}
}

static DECLARE_WORK(pm_retire_work, pm_retire_dead);

static int pm_cpu_dead(unsigned int cpu)
{
	cpumask_set_cpu(cpu, &pm_dead_cpus);
	queue_work(system_unbound_wq, &pm_retire_work);
	return 0;
}

/**
 * pm_hotplug_init() - begin to follow CPUs that go away
 *
 * Context: may sleep; the arenas' table exists.
 * Return: 0 or an error.
 */
int pm_hotplug_init(void)
{
	int state;

	state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "pmalloc:dead",
					  NULL, pm_cpu_dead);
	if (state < 0)
		return state;
	pm_cpuhp_state = state;
	return 0;
}

/**
 * pm_hotplug_exit() - no longer follow them
 *
 * Context: may sleep.
 */
void pm_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(pm_cpuhp_state);
	flush_work(&pm_retire_work);
}
