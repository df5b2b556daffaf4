/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events in userspace: USDT probes.
 *
 * Each probe has a semaphore, a counter that the kernel raises in every
 * process which maps the library while somebody listens. Until then an event
 * costs the look at it; the probe, one per event, lies out of the way in
 * trace.c. PM_NO_PROBES makes a library without, to measure what that costs.
 */
#ifndef PM_TRACE_H
#define PM_TRACE_H

#include "platform.h"
#include "back/class.h"	/* as in the kernel: an event names bytes */

#ifndef PM_NO_PROBES

#define PM_DECLARE_PROBE(name)						\
extern __pm_local unsigned short pmalloc_##name##_semaphore;		\
__pm_local void pm_probe_##name(int arena, unsigned int class, u64 ns,	\
				u64 count);				\
static __always_inline bool trace_##name##_enabled(void)		\
{									\
	return unlikely(READ_ONCE(pmalloc_##name##_semaphore));		\
}									\
static __always_inline void trace_##name(int arena, unsigned int class,	\
					 u64 ns, u64 count)		\
{									\
	if (trace_##name##_enabled())					\
		pm_probe_##name(arena, class, ns, count);		\
}

#else

#define PM_DECLARE_PROBE(name)						\
static __always_inline bool trace_##name##_enabled(void)		\
{									\
	return false;							\
}									\
static __always_inline void trace_##name(int arena, unsigned int class,	\
					 u64 ns, u64 count)		\
{									\
}

#endif /* PM_NO_PROBES */

PM_EVENTS(PM_DECLARE_PROBE)

#endif /* PM_TRACE_H */
