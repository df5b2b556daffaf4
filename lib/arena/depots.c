// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The depots of an arena, which share its part of what may be cached.
 *
 * A depot has a bound of its own, so that one class does not take everything; all of
 * an arena's together have the arena's share of the process's: see back/share.c.
 */
#include "arena/depots.h"
#include "back/share.h"

static void pm_arena_count_depot(struct pm_arena *arena, unsigned int class, long n)
{
	WRITE_ONCE(arena->depot_bytes,
		   arena->depot_bytes + n * (long)pm_classes[class].size);
}

/* How many of @n objects are within the arena's share. */
static unsigned int pm_arena_depot_room(const struct pm_arena *arena,
					unsigned int class, unsigned int n)
{
	size_t share = pm_share_of_depots(), bytes = arena->depot_bytes;
	size_t size = pm_classes[class].size;

	if (likely(bytes + n * size <= share))
		return n;
	return bytes < share ? (share - bytes) / size : 0;
}

/**
 * pm_arena_depot_put() - put objects into a depot of an arena
 * @arena: the arena
 * @class: their class
 * @objs: objects
 * @n: how many
 *
 * Context: arena lock held.
 * Return: how many had room: the first of @objs.
 */
unsigned int pm_arena_depot_put(struct pm_arena *arena, unsigned int class,
				void **objs, unsigned int n)
{
	lockdep_assert_held(&arena->lock);
	n = pm_arena_depot_room(arena, class, n);
	if (unlikely(!n))
		return 0;
	n = pm_depot_put(&arena->depot[class], class, objs, n);
	pm_arena_count_depot(arena, class, n);
	return n;
}

/**
 * pm_arena_depot_take() - take objects out of a depot of an arena, the latest first
 * @arena: the arena
 * @class: their class
 * @objs: where they go
 * @n: how many are wanted
 *
 * Context: arena lock held.
 * Return: how many there were.
 */
unsigned int pm_arena_depot_take(struct pm_arena *arena, unsigned int class,
				 void **objs, unsigned int n)
{
	lockdep_assert_held(&arena->lock);
	n = pm_depot_take(&arena->depot[class], objs, n);
	pm_arena_count_depot(arena, class, -(long)n);
	return n;
}

/**
 * pm_arena_depot_take_oldest() - ... from the other end
 * @arena: the arena
 * @class: their class
 * @objs: where they go
 * @n: how many are wanted
 *
 * Context: arena lock held.
 * Return: how many there were.
 */
unsigned int pm_arena_depot_take_oldest(struct pm_arena *arena,
					unsigned int class, void **objs,
					unsigned int n)
{
	lockdep_assert_held(&arena->lock);
	n = pm_depot_take_oldest(&arena->depot[class], objs, n);
	pm_arena_count_depot(arena, class, -(long)n);
	return n;
}

/**
 * pm_arena_depot_surplus() - objects that a depot is to give at a decay
 * @arena: the arena
 * @class: class of the depot
 *
 * What it did not need since the last one, and half of the rest if the arena has more
 * than its share.
 *
 * Context: arena lock held.
 */
unsigned int pm_arena_depot_surplus(const struct pm_arena *arena,
				    unsigned int class)
{
	const struct pm_depot *depot = &arena->depot[class];
	unsigned int n = pm_depot_unneeded(depot);

	lockdep_assert_held(&arena->lock);
	if (unlikely(arena->depot_bytes > pm_share_of_depots()))
		n = max_t(unsigned int, n, DIV_ROUND_UP(pm_depot_nr(depot), 2));
	return n;
}
