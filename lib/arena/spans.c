// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Spans in an arena.
 *
 * A span belongs to no arena. What a magazine has no room for the arena of its CPU
 * keeps in its depot, within a bound for all classes together, and gives it to whoever
 * allocates there next. A class that has no room in a magazine, for it seldom comes,
 * goes past the depots as well. Nobody waits for an arena's lock on behalf of a span: where
 * it is held, and where the depot is empty or full, the extents are asked.
 *
 * What decays from a depot, and what a trim finds there, become extents again.
 */
#include "arena/spans.h"
#include "arena/depots.h"

/* Of all classes together. */
#define PM_SPAN_DEPOTS_BYTES	(1UL << 20)

/**
 * pm_arena_span_bytes() - bytes of the spans in an arena's depots
 * @arena: the arena
 *
 * Context: any. Without the arena's lock the answer may be of the past.
 */
size_t pm_arena_span_bytes(const struct pm_arena *arena)
{
	unsigned int class;
	size_t bytes = 0;

	for (class = PM_NR_SLAB_CLASSES; class < PM_NR_CLASSES; class++)
		bytes += (size_t)pm_depot_nr(&arena->depot[class]) *
			 pm_classes[class].size;
	return bytes;
}

/* How many more spans of a class a depot may keep. */
static unsigned int pm_arena_span_room(const struct pm_arena *arena,
				       unsigned int class)
{
	size_t bytes = pm_arena_span_bytes(arena);

	bytes = max_t(size_t, PM_SPAN_DEPOTS_BYTES, bytes) - bytes;
	return bytes / pm_classes[class].size;
}

/**
 * pm_arena_has_spans() - whether an arena's depot seems to have a span
 * @arena: the arena
 * @class: class of spans
 *
 * Context: any.
 * Return: a hint: others take and keep some.
 */
bool pm_arena_has_spans(const struct pm_arena *arena, unsigned int class)
{
	return pm_depot_nr(&arena->depot[class]);
}

/**
 * pm_arena_wants_spans() - whether it seems to have room for one
 * @arena: the arena
 * @class: class of spans
 *
 * Context: any.
 * Return: a hint, likewise.
 */
bool pm_arena_wants_spans(const struct pm_arena *arena, unsigned int class)
{
	return pm_arena_span_room(arena, class);
}

/**
 * pm_arena_take_spans() - take spans out of an arena's depot
 * @arena: the arena
 * @class: their class
 * @objs: where they go
 * @n: how many are wanted
 *
 * Context: arena lock held.
 * Return: how many there were.
 */
unsigned int pm_arena_take_spans(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n)
{
	lockdep_assert_held(&arena->lock);
	n = pm_arena_depot_take(arena, class, objs, n);
	arena->stats.batches_out += n > 1;
	return n;
}

/**
 * pm_arena_keep_spans() - put spans into an arena's depot
 * @arena: the arena
 * @class: their class
 * @objs: spans
 * @n: how many
 *
 * Context: arena lock held.
 * Return: how many had room: the first of @objs.
 */
unsigned int pm_arena_keep_spans(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n)
{
	lockdep_assert_held(&arena->lock);
	arena->stats.batches_in++;
	n = min_t(unsigned int, n, pm_arena_span_room(arena, class));
	return pm_arena_depot_put(arena, class, objs, n);
}
