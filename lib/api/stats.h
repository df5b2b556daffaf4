/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Figures: what the arenas did and what they hold.
 */
#ifndef PM_STATS_H
#define PM_STATS_H

#include "platform.h"
#include "arena/arena.h"
#include "pmalloc.h"

/**
 * enum pm_format - how a report is written
 * @PM_TEXT: aligned columns
 * @PM_JSON: one JSON object
 * @PM_XML: malloc_info(3)
 */
enum pm_format { PM_TEXT, PM_JSON, PM_XML };

/*
 * What the report says of an arena: the only list. Members of struct
 * pm_arena_figures, keys of the JSON report, and what tells those who read a
 * running process from outside where to look are all made from it.
 *
 *	V(name, member)			a member of struct pm_arena
 *	C(name, how, array, first)	of a member with an element per class,
 *					whose first value is @first, the sum: of
 *					the values (SUM), or of values times
 *					class sizes (BYTES)
 *	D(name, expression)		F(other) + F(other) - F(other) ..., never
 *					below 0; whoever reads from outside is
 *					given the text
 *	L(name, array)			all elements of an array
 */
#define PM_ARENA_FIGURES(V, C, D, L)					\
	V(arena, id)							\
	V(acquired, lockstat.acquired)					\
	C(contended, SUM, waits.class, waits.class[0].contended)	\
	C(waited, SUM, waits.class, waits.class[0].waited)		\
	C(wait_ns, SUM, waits.class, waits.class[0].wait_ns)		\
	V(wait_max_ns, waits.wait_max_ns)				\
	V(wait_calls, waits.wait_calls)					\
	V(asked, waits.asked)						\
	V(slept, waits.slept)						\
	V(slept_ns, waits.slept_ns)					\
	C(fallback_out, SUM, waits.class, waits.class[0].fallback_out)	\
	V(fallback_in, waits.fallback_in)				\
	C(free_busy, SUM, waits.class, waits.class[0].free_busy)	\
	V(owner_switches, lockstat.switches)				\
	V(waiters, waits.waiters)					\
	V(waiters_max, waits.waiters_max)				\
	V(holder_tid, waits.holder.tid)					\
	V(holder_cpu, waits.holder.cpu)					\
	V(longest_holder_tid, waits.longest_holder.tid)			\
	V(longest_holder_cpu, waits.longest_holder.cpu)			\
	V(longest_class, waits.longest_class)				\
	V(local_free, stats.local_free)					\
	V(remote_in, stats.remote_in)					\
	V(heaps, nr_heaps)						\
	V(heap_maps, stats.heap_maps)					\
	V(heap_unmaps, stats.heap_unmaps)				\
	V(purged_bytes, stats.purged)					\
	V(adopted_heaps, stats.adopted)					\
	V(lent, stats.lent)						\
	V(batches_in, stats.batches_in)					\
	V(batches_out, stats.batches_out)				\
	V(inbox_in, stats.inbox_in)					\
	C(out_objects, SUM, nr_out, nr_out[0])				\
	C(out_bytes, BYTES, nr_out, nr_out[0])				\
	C(depot_objects, SUM, depot, depot[0].nr)			\
	C(depot_bytes, BYTES, depot, depot[0].nr)			\
	V(heap_bytes, heap_bytes)					\
	V(slab_bytes, slab_bytes)					\
	D(slab_free_bytes, F(slab_bytes) - F(out_bytes))		\
	D(heap_free_bytes, F(heap_bytes) - F(slab_bytes))		\
	L(wait_hist, waits.hist)

/*
 * One class of one arena: E(name, array, first), from a member of struct
 * pm_arena with an element per class, whose first value is @first.
 */
#define PM_ARENA_CLASS_FIGURES(E)					\
	E(acquired, nr_acquired, nr_acquired[0])			\
	E(contended, waits.class, waits.class[0].contended)		\
	E(waited, waits.class, waits.class[0].waited)			\
	E(wait_ns, waits.class, waits.class[0].wait_ns)			\
	E(wait_max_ns, waits.class, waits.class[0].wait_max_ns)		\
	E(fallback_out, waits.class, waits.class[0].fallback_out)	\
	E(free_busy, waits.class, waits.class[0].free_busy)

/*
 * One class, summed up over all arenas; what is in magazines comes besides, and of
 * spans all but what is in depots.
 */
#define PM_CLASS_FIGURES(E)						\
	E(taken, nr_taken, nr_taken[0])					\
	E(out, nr_out, nr_out[0])					\
	E(depot, depot, depot[0].nr)

/* What is not an arena's. */
#define PM_GLOBAL_FIGURES(G)						\
	G(arenas) G(magazine_bytes) G(magazine_objects)			\
	G(span_bytes) G(span_count) G(large_bytes) G(large_count)	\
	G(large_cached_bytes) G(meta_bytes) G(misuse)

/*
 * struct pm_totals: T(name, expression) of A(a figure summed up over all
 * arenas) and G(one that is not an arena's), never below 0.
 */
#define PM_TOTALS(T)							\
	T(mapped, A(heap_bytes) + G(span_bytes) + G(large_bytes)	\
		+ G(large_cached_bytes))				\
	T(live, A(out_bytes) + G(span_bytes) - A(depot_bytes)		\
		- G(magazine_bytes) + G(large_bytes))			\
	T(live_objects, A(out_objects) + G(span_count)			\
		- A(depot_objects) - G(magazine_objects)		\
		+ G(large_count))					\
	T(large, G(large_bytes))					\
	T(large_objects, G(large_count))				\
	T(magazine, G(magazine_bytes))					\
	T(depot, A(depot_bytes))					\
	T(slab_free, A(slab_free_bytes))				\
	T(heap_free, A(heap_free_bytes))				\
	T(large_cached, G(large_cached_bytes))				\
	T(meta, G(meta_bytes))						\
	T(arenas, G(arenas))						\
	T(heaps, A(heaps))						\
	T(misuse, G(misuse))

/*
 * All memory by what it is used for: P(name, how), a member of struct pm_totals,
 * and how the part of it that has pages is found. The sum over all is what is
 * mapped, and descriptors. Reports have them in this order.
 *
 *	measured	the host is asked which pages are there
 *	counted		so many objects, times their size, of those up to a page;
 *			measured for longer ones
 */
#define PM_PARTS(P)							\
	P(live, measured)						\
	P(magazine, counted)						\
	P(depot, counted)						\
	P(slab_free, measured)						\
	P(heap_free, measured)						\
	P(large_cached, measured)					\
	P(meta, measured)

/**
 * enum pm_field_how - how a figure is found
 * @PM_FIELD_VALUE: it is there
 * @PM_FIELD_SUM: the sum of @count values
 * @PM_FIELD_BYTES: the same, each times the size of its class
 * @PM_FIELD_TEXT: an expression of others
 * @PM_FIELD_LIST: @count values
 */
enum pm_field_how {
	PM_FIELD_VALUE,
	PM_FIELD_SUM,
	PM_FIELD_BYTES,
	PM_FIELD_TEXT,
	PM_FIELD_LIST,
};

/**
 * struct pm_field - where a figure is
 * @name: its name in the JSON report
 * @text: the expression of PM_FIELD_TEXT
 * @how: enum pm_field_how
 * @at: bytes from the start of the object to the first value
 * @size: bytes of a value
 * @stride: bytes from a value to the next
 * @count: values
 */
struct pm_field {
	const char *name;
	const char *text;
	u32 how;
	u32 at;
	u32 size;
	u32 stride;
	u32 count;
};

#define PM_ONE_MORE(...)		+ 1
#define PM_NR_ARENA_FIELDS						\
	(0 PM_ARENA_FIGURES(PM_ONE_MORE, PM_ONE_MORE, PM_ONE_MORE, PM_ONE_MORE))
#define PM_NR_ARENA_CLASS_FIELDS (0 PM_ARENA_CLASS_FIGURES(PM_ONE_MORE))
#define PM_NR_CLASS_FIELDS	(0 PM_CLASS_FIGURES(PM_ONE_MORE))
#define PM_NR_TOTAL_FIELDS	(0 PM_TOTALS(PM_ONE_MORE))
#define PM_NR_PARTS		(0 PM_PARTS(PM_ONE_MORE))

extern const struct pm_field pm_arena_fields[PM_NR_ARENA_FIELDS];
extern const struct pm_field pm_arena_class_fields[PM_NR_ARENA_CLASS_FIELDS];
extern const struct pm_field pm_class_fields[PM_NR_CLASS_FIELDS];
extern const struct pm_field pm_total_fields[PM_NR_TOTAL_FIELDS];
extern const struct pm_field pm_part_fields[PM_NR_PARTS];

#define PM_PART_NUMBER(name, how)	PM_PART_##name,

enum pm_part_number { PM_PARTS(PM_PART_NUMBER) };

/**
 * struct pm_bytes - how long something is
 * @bytes: bytes of address space
 * @resident: of these, bytes that have pages
 */
struct pm_bytes {
	u64 bytes;
	u64 resident;
};

/**
 * struct pm_parts - all memory by what it is used for
 * @part: by number of the part
 * @sum: over all of them
 * @is_measured: the resident bytes are there: the host can tell
 */
struct pm_parts {
	struct pm_bytes part[PM_NR_PARTS];
	struct pm_bytes sum;
	bool is_measured;
};

#define PM_FIGURE_MEMBER(name, ...)	u64 name;
#define PM_FIGURE_LIST(name, array)					\
	u64 name[ARRAY_SIZE(((struct pm_arena *)0)->array)];

/* One arena at one moment: members as in PM_ARENA_FIGURES. */
struct pm_arena_figures {
	PM_ARENA_FIGURES(PM_FIGURE_MEMBER, PM_FIGURE_MEMBER, PM_FIGURE_MEMBER,
			 PM_FIGURE_LIST)
};

/* One class of one arena: members as in PM_ARENA_CLASS_FIGURES. */
struct pm_arena_class_figures {
	PM_ARENA_CLASS_FIGURES(PM_FIGURE_MEMBER)
};

/*
 * One class over all arenas: objects taken from slabs since the beginning, or
 * spans made; objects not in their slab, or spans that are no free extents; how
 * many of these are in depots, and how many in magazines.
 */
struct pm_class_figures {
	PM_CLASS_FIGURES(PM_FIGURE_MEMBER)
	u64 magazine;
};

/**
 * pm_class_live() - objects of a class that callers have
 * @fig: its figures
 *
 * Magazines move while they are looked at: never below 0.
 */
static inline u64 pm_class_live(const struct pm_class_figures *fig)
{
	u64 free = fig->depot + fig->magazine;

	return fig->out > free ? fig->out - free : 0;
}

bool pm_arena_figures(unsigned int id, struct pm_arena_figures *fig);
bool pm_arena_class_figures(unsigned int id, unsigned int class,
			    struct pm_arena_class_figures *fig);
void pm_class_figures(unsigned int class, struct pm_class_figures *fig);
void pm_get_parts(struct pm_parts *parts, const struct pm_totals *t);
const char *pm_part_name(unsigned int n);
const char *pm_part_how(unsigned int n);
bool pm_magazine_bytes(unsigned int index, struct pm_bytes *mag);
size_t pm_report_as(char *buf, size_t size, enum pm_format format);

#endif /* PM_STATS_H */
