/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Objects in flight: a batch that a refill or a flush carries between a
 * magazine and an arena is on the stack of a thread, where nobody else can
 * find it.
 *
 * Hardly anybody minds. But pm_is_free(), which has to know whether an object is
 * free when its mark was found, would look in every magazine, depot and slab and
 * miss one that is carried from a place that is still to be looked at to one that
 * was looked at. So it stops the traffic, and waits for its end.
 *
 * Steps, as in inflight.pml:
 *
 *	A  pm_inflight_begin() counts the carrier
 *	B  it looks at the gate; when that is closed nothing is carried
 *	C  the carrier takes objects from where they are
 *	D  it hands them over
 *	E  pm_inflight_end() counts the carrier out
 *	F  pm_inflight_stop() closes the gate
 *	G  it waits until every count is 0
 *	H  pm_find() takes pm_mag_lock: no CPU gets a magazine
 *	I  pm_mag_drain_all_locked() empties the magazines
 *	J  pm_arenas_find() gives what depots and inboxes hold to slabs
 *	K  it looks at the bitmap, and whether the mark is still there
 *	L  pm_inflight_resume() opens the gate
 *
 * Between A and B, and between F and G, there is a full barrier. One of the two
 * comes first: either B finds the gate closed, or G finds the carrier's count and
 * waits for it. E comes behind D and a full barrier: when G finds the count down,
 * the objects are where D left them.
 *
 * What is lost without each:
 *
 *   - Without A, or with E before D, G would not wait, and an object could be on
 *     its way from what I has yet to empty to what J has emptied.
 *   - Without B newcomers would come along all the time: G would not end, or miss
 *     one that begins at a count that was looked at.
 *   - Without H a CPU could get a magazine when I has passed it.
 *   - Without I or J the object could be where K does not look.
 *
 * A carrier that finds the gate closed loses nothing: a refill gets the one object that was
 * asked for, a flush leaves the one object that found no room, under the arena's
 * lock.
 *
 * Why not an SRCU section: a thread's first one costs more in userspace than all
 * else that a short thread does here. Two atomic operations on a cache line of
 * the CPU's own, once per batch, cost nothing that can be measured.
 */
#ifndef PM_INFLIGHT_H
#define PM_INFLIGHT_H

#include "platform.h"

int pm_inflight_begin(void);
void pm_inflight_end(int carrier);
void pm_inflight_stop(void);
void pm_inflight_resume(void);
bool pm_inflight_stopped(void);
void pm_inflight_forget(void);

#endif /* PM_INFLIGHT_H */
