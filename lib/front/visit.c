// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is done now and then, by whoever comes along.
 *
 * Idle magazines are drained, idle arenas give back, and what one CPU does not need
 * another gets. Whoever comes down the slow path does that when it is done.
 *
 * A program whose magazines serve all that it asks for would not come by, for the
 * fast path has no clock. So magazines are *set aside*, as long as there is memory
 * that could go back to the host: a magazine that is set aside stays its CPU's, with
 * all that it holds, but the null magazine is published. The next malloc or free of
 * that CPU comes down the slow path, finds the magazine, and publishes it again.
 *
 * Nobody is to publish one and leave it so while there is something to give back:
 *
 *   - The magazine that was published is set aside, not that of the CPU which runs the
 *     thread by then. The other one would stay.
 *   - Whoever looks reads how often much came free, and then counts it. Whoever has much
 *     come free without a slow path (a CPU's arena is retired) adds to that number, and
 *     then sets all magazines aside. So the look counts it, or the next one is due; and
 *     a full barrier behind publishing and behind the number sees that one of the two
 *     finds the other.
 *   - A look is good for a tick of the clock. Its time is written last, so whoever finds
 *     that finds what the look said.
 *
 * The limits. A busy program would feel it if each of its operations came by, so there
 * is a number of times for a tick. What comes to an end with these used up, and then only
 * hits, keeps what it has, up to the bound of back/keep.c.
 */
#include "front/visit.h"
#include "arena/decay.h"
#include "arena/home.h"
#include "base/options.h"
#include "front/capacity.h"
#include "front/drain.h"

/* Coarse time of the latest look at idle magazines. */
static u64 pm_mag_tick_at;

#define PM_MAG_KEPT	(8UL << 20)	/* bytes that are not worth a slow path */
#define PM_RECLAIM_MIN_MS	10
#define PM_RECLAIM_MAX_MS	10000
#define PM_NO_CPU	(~0U)
#define PM_MAG_ASIDE	64		/* times in a tick of the coarse clock */

/*
 * When somebody last looked at what could go back, a tick of the coarse clock, or
 * when much had come free; and how often a magazine may still be set aside until
 * the next tick; and which growth of an arena was looked at. A store that is lost costs
 * a look.
 */
static struct {
	u64 at;
	unsigned long freed;
	unsigned int left;
	unsigned int outgrown;
} pm_mag_look;

static u64 pm_mag_sum_tops(const struct pm_magazine *mag)
{
	unsigned int class;
	u64 sum = 0;

	pm_for_each_class(class)
		sum += (u64)READ_ONCE(mag->stack[class].top) * class;
	return sum;
}

/* Whether nothing has moved since @then was noted; it is noted again. */
static bool pm_mag_was_idle(const struct pm_magazine *mag, u64 *then)
{
	u64 tops = pm_mag_sum_tops(mag);
	bool idle = tops == *then;

	*then = tops;
	return idle;
}

/*
 * Once per decay time one of those who come along looks at all magazines.
 * One whose tops have not moved belongs to a CPU that this process has left,
 * unless it is @mine: it is drained. The others' unused classes shrink.
 */
static void pm_mag_tick(u64 now, unsigned int mine)
{
	u64 at = READ_ONCE(pm_mag_tick_at);
	struct pm_magazine *mag;
	unsigned int index;

	if (likely((s64)(now - at) < (s64)pm_options.decay_ms * 1000000) ||
	    !pm_mag_trylock_all())
		return;
	if (at != pm_mag_tick_at)
		goto out;
	WRITE_ONCE(pm_mag_tick_at, now);
	for (index = 0; index < pm_percpu_count(); index++) {
		mag = pm_mag_at(index);
		if (!mag)
			continue;
		if (pm_mag_was_idle(mag, &mag->tops) && index != mine)
			pm_mag_drain_locked(index);
		else
			pm_mag_shrink(mag);
	}
out:
	pm_mag_unlock_all();
}

/*
 * Set a CPU's magazine aside. The null magazine may be published at any time and
 * by anybody: no lock is needed, so nobody who drains can keep us from it, and be the
 * last that comes by.
 */
static void pm_mag_set_aside(unsigned int index)
{
	if (pm_percpu_get(index))
		pm_percpu_publish(index, NULL);		/* magazine L */
}

/**
 * pm_mag_set_all_aside() - have every CPU come by at its next operation
 *
 * For memory that could go back and that no slow path saw, or that was freed by a
 * thread which is gone.
 *
 * Context: any.
 */
void pm_mag_set_all_aside(void)
{
	unsigned int index;

	for (index = 0; index < pm_percpu_count(); index++)
		pm_mag_set_aside(index);
}

/*
 * Whether the next operation of this CPU is to come by: as long as something
 * could go back, and not so often that a busy program would feel it.
 */
static bool pm_mag_may_set_aside(u64 now)
{
	unsigned long freed = pm_arenas_freed();
	bool tick = READ_ONCE(pm_mag_look.at) != now;
	unsigned int left;

	if (tick || READ_ONCE(pm_mag_look.freed) != freed) {
		left = pm_arenas_kept() > PM_MAG_KEPT ? PM_MAG_ASIDE : 0;
		WRITE_ONCE(pm_mag_look.left, left);
		WRITE_ONCE(pm_mag_look.freed, freed);
		WRITE_ONCE(pm_mag_look.at, now);
		if (tick && left)
			pm_mag_set_all_aside();
	}
	left = READ_ONCE(pm_mag_look.left);
	if (!left)
		return false;
	WRITE_ONCE(pm_mag_look.left, left - 1);
	return true;
}

/*
 * Memory that other arenas have is free in vain where objects in magazines and depots
 * are spread over all of its heaps. Those of CPUs that did nothing since this one
 * needed a heap before are brought home.
 */
static noinline void pm_mag_bring_home(void)
{
	unsigned int index, mine = pm_percpu_index();
	struct pm_magazine *mag;

	WRITE_ONCE(pm_mag_look.outgrown, pm_arenas_outgrown());
	if (!pm_mag_trylock_all())
		return;
	for (index = 0; index < pm_percpu_count(); index++) {
		mag = pm_mag_at(index);
		if (mag && index != mine &&
		    pm_mag_was_idle(mag, &mag->tops_then))
			pm_mag_drain_locked(index);
	}
	pm_mag_unlock_all();
	pm_arenas_bring_home();
}

/**
 * pm_mag_come_by() - what is to be done now and then, by whoever comes along
 * @mag: magazine that pm_mag_here() found
 *
 * Idle magazines are drained, idle arenas give back. Whoever published a magazine
 * ends here, but for those who flush: see pm_mag_flush().
 *
 * Context: no lock held.
 */
void pm_mag_come_by(const struct pm_magazine *mag)
{
	u64 now = pm_host_clock_coarse_ns();

	pm_mag_tick(now, READ_ONCE(mag->cpu));
	if (unlikely(pm_arenas_outgrown() != READ_ONCE(pm_mag_look.outgrown)))
		pm_mag_bring_home();
	if (likely(!pm_mag_may_set_aside(now)))
		return;
	pm_arenas_decay();
	/* The thread may run elsewhere by now. */
	pm_mag_set_aside(READ_ONCE(mag->cpu));
}

/**
 * pm_mag_pass_by() - leave what is to be done now and then to the next one
 * @mag: magazine that pm_mag_here() found
 *
 * For those who must not sleep, as giving back may: the magazine is set aside again.
 *
 * Context: any.
 */
void pm_mag_pass_by(const struct pm_magazine *mag)
{
	if (pm_mag_may_set_aside(pm_host_clock_coarse_ns()))
		pm_mag_set_aside(READ_ONCE(mag->cpu));
}

/**
 * pm_mag_reclaim() - the same by somebody who does nothing else
 *
 * Magazines that nobody uses are drained, that of this CPU too.
 *
 * Context: may sleep, no lock held; the allocator has started.
 * Return: milliseconds after which it is worth another call.
 */
unsigned int pm_mag_reclaim(void)
{
	unsigned long ms = pm_options.decay_ms / 4;

	pm_mag_tick(pm_host_clock_coarse_ns(), PM_NO_CPU);
	pm_arenas_decay();
	ms = max_t(unsigned long, ms, PM_RECLAIM_MIN_MS);
	return min_t(unsigned long, ms, PM_RECLAIM_MAX_MS);
}
