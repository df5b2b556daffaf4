// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The probes themselves, one for each event of the table.
 *
 * One place per event, and not one per use: perf would otherwise make several
 * events of it, with a number behind their names.
 */
#include "base/trace.h"

#ifndef PM_NO_PROBES

#include "back/class.h"

/* Probes with semaphores, which tracers look for in this section. */
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/*
 * Keep the compiler from knowing a value: an argument that is a constant, or
 * that lies at an address relative to the program counter, perf does not show.
 */
#define PM_HIDE(x)	asm("" : "+r" (x))

#define PM_DEFINE_PROBE(name)						\
unsigned short pmalloc_##name##_semaphore __section(".probes");		\
									\
__cold void pm_probe_##name(int arena, unsigned int class, u64 ns,	\
			    u64 count)					\
{									\
	unsigned int cpu = pm_host_cpu();				\
	unsigned int size = pm_classes[class].size;			\
									\
	PM_HIDE(cpu);							\
	PM_HIDE(size);							\
	DTRACE_PROBE6(pmalloc, name, cpu, arena, class, ns, count,	\
		      size);						\
}

PM_EVENTS(PM_DEFINE_PROBE)

#endif /* PM_NO_PROBES */
