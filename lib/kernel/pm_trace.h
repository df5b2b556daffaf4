/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Events in the kernel: one tracepoint for each entry of the table, all of
 * one class. `perf record -e 'pmalloc:*'`, or tracefs events/pmalloc/.
 *
 * The kernel reads this header several times, with another meaning of
 * DEFINE_EVENT each time, and so the table is expanded once more each time.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pmalloc

#if !defined(PM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define PM_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>
#include "back/class.h"

DECLARE_EVENT_CLASS(pm_event,
	TP_PROTO(int arena, unsigned int class, u64 ns, u64 count),
	TP_ARGS(arena, class, ns, count),
	TP_STRUCT__entry(
		__field(unsigned int, cpu)
		__field(int, arena)
		__field(unsigned int, class)
		__field(u64, ns)
		__field(u64, count)
		__field(unsigned int, size)
	),
	TP_fast_assign(
		__entry->cpu = raw_smp_processor_id();
		__entry->arena = arena;
		__entry->class = class;
		__entry->ns = ns;
		__entry->count = count;
		__entry->size = pm_classes[class].size;
	),
	TP_printk("cpu=%u arena=%d class=%u ns=%llu count=%llu size=%u",
		  __entry->cpu, __entry->arena, __entry->class, __entry->ns,
		  __entry->count, __entry->size)
);

#define PM_DEFINE_EVENT(name)						\
DEFINE_EVENT(pm_event, name,						\
	TP_PROTO(int arena, unsigned int class, u64 ns, u64 count), \
	TP_ARGS(arena, class, ns, count));

PM_EVENTS(PM_DEFINE_EVENT)

#undef PM_DEFINE_EVENT

#endif /* PM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE pm_trace
#include <trace/define_trace.h>
