/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events in userspace: USDT probes, one nop each until a tracer comes.
 */
#ifndef PM_TRACE_H
#define PM_TRACE_H

#include <sys/sdt.h>
#include "platform.h"

#define PM_DEFINE_PROBE(name)						\
static __always_inline void trace_##name(unsigned int arena,		\
					 unsigned int class, u64 ns,	\
					 u64 count)			\
{									\
	DTRACE_PROBE5(pmalloc, name, pm_host_cpu(), arena, class, ns,	\
		      count);						\
}

PM_EVENTS(PM_DEFINE_PROBE)

#endif /* PM_TRACE_H */
