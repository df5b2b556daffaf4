// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Limits: how much the allocator maps, and what follows.
 *
 * Everything is counted that the host gave for heaps and large objects, before
 * it is asked; descriptors are counted by the host. Beyond the hard limit the
 * host is not asked, so a request fails as it does when there is no memory.
 * Descriptors are never refused: they are what is needed to give back.
 *
 * Beyond the soft limit everything that is free is given back, and again
 * whenever a sixteenth more is mapped. A request finds that it is passed, and
 * whoever serves it gives back when no lock is held any more.
 *
 * The ceiling is what the host lets us have, and it is not to be asked for more: a memory
 * cgroup's limit, beyond which somebody is killed. What counts there is pages, not what
 * is mapped, and it is dear to add up. So whoever serves a request past the magazines
 * says how many bytes may get pages by it, and when these could be half of what was left
 * below the ceiling somebody looks again.
 */
#include "base/limit.h"
#include "base/options.h"

#define PM_LIMIT_STEP_SHARE	16
#define PM_LIMIT_STEP_MIN	(64UL << 10)
#define PM_LIMIT_LOOKS		32	/* of the ceiling: what is worth a look */

/* Bytes of heaps and chunks. */
static atomic_long_t pm_limit_mapped;

/* Bytes beyond which everything is given back once more; a hint. */
static unsigned long pm_limit_next;

/* What the host lets us have, 0 where nothing says so. Set once. */
static unsigned long pm_limit_most __read_mostly;

/* Bytes that were served since somebody looked. */
static atomic_long_t pm_limit_served;

/* So many are worth a look; a hint. */
static unsigned long pm_limit_look;

/**
 * pm_limit_set_ceiling() - say how much the host lets us have
 * @ceiling: bytes, 0 when nobody knows
 *
 * Context: at start.
 */
void pm_limit_set_ceiling(size_t ceiling)
{
	pm_limit_most = ceiling;
	pm_limit_looked(0);
}

/**
 * pm_limit_ceiling() - how much the host lets us have
 *
 * Return: bytes, 0 when nobody knows.
 */
size_t pm_limit_ceiling(void)
{
	return pm_limit_most;
}

/**
 * pm_limit_serve() - a request is about to be served
 * @bytes: how many may get pages by it
 *
 * Context: any.
 * Return: whether somebody is to look at what we have, for the ceiling may be near.
 */
bool pm_limit_serve(size_t bytes)
{
	if (likely(!pm_limit_most))
		return false;
	atomic_long_add(bytes, &pm_limit_served);
	return (unsigned long)atomic_long_read(&pm_limit_served) >=
	       READ_ONCE(pm_limit_look);
}

/**
 * pm_limit_looked() - somebody has looked
 * @used: bytes that may have pages
 *
 * Context: any.
 */
void pm_limit_looked(size_t used)
{
	unsigned long left = pm_limit_most > used ? pm_limit_most - used : 0;

	WRITE_ONCE(pm_limit_look,
		   max_t(unsigned long, left / 2, pm_limit_most / PM_LIMIT_LOOKS));
	atomic_long_set(&pm_limit_served, 0);
}

/**
 * pm_limit_used() - bytes that count
 *
 * Context: any.
 */
size_t pm_limit_used(void)
{
	return atomic_long_read(&pm_limit_mapped) + pm_meta_bytes();
}

/**
 * pm_limit_take() - count bytes that are about to be mapped
 * @bytes: how many
 *
 * Context: any.
 * Return: false when that would be beyond the hard limit; then none is counted.
 */
bool pm_limit_take(size_t bytes)
{
	unsigned long hard = READ_ONCE(pm_options.hard_limit);

	atomic_long_add(bytes, &pm_limit_mapped);
	if (likely(!hard) || pm_limit_used() <= hard)
		return true;
	pm_limit_give(bytes);
	return false;
}

/**
 * pm_limit_give() - bytes are not mapped any more
 * @bytes: how many
 *
 * Context: any.
 */
void pm_limit_give(size_t bytes)
{
	atomic_long_sub(bytes, &pm_limit_mapped);
}

/**
 * pm_limit_has_room() - whether pm_limit_take() would say yes
 * @bytes: how many
 *
 * Context: any.
 */
bool pm_limit_has_room(size_t bytes)
{
	unsigned long hard = READ_ONCE(pm_options.hard_limit), used;

	if (!hard)
		return true;
	used = pm_limit_used();
	return used <= hard && bytes <= hard - used;
}

/**
 * pm_limit_is_passed() - whether the soft limit calls for giving back now
 *
 * Context: any.
 */
bool pm_limit_is_passed(void)
{
	unsigned long soft = READ_ONCE(pm_options.soft_limit), used;

	if (likely(!soft))
		return false;
	used = pm_limit_used();
	if (used > soft)
		return used > READ_ONCE(pm_limit_next);
	if (READ_ONCE(pm_limit_next))
		WRITE_ONCE(pm_limit_next, 0);
	return false;
}

/**
 * pm_limit_purged() - what was free has been given back
 *
 * Context: any.
 */
void pm_limit_purged(void)
{
	unsigned long used = pm_limit_used();

	WRITE_ONCE(pm_limit_next, used +
		   max_t(unsigned long, used / PM_LIMIT_STEP_SHARE,
			 PM_LIMIT_STEP_MIN));
}
