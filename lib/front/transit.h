/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Objects in transit: a batch that a refill or a flush carries between a
 * magazine and an arena is on the stack of a thread, where nobody else can
 * find it.
 *
 * Hardly anybody minds. But who has to know whether an object is free (a
 * mark was found, see pm_is_free()) would look in every magazine, depot and
 * slab and not see one that is being carried from a place he has yet to look
 * at to one that he has looked at. So he stops the traffic and waits until it
 * has ended:
 *
 *	who carries			who looks
 *	-----------			---------
 *	count + 1			gate = closed
 *	full barrier			full barrier
 *	gate closed? then not		wait until every count is 0
 *	take the batch			look
 *	hand it over			gate = open
 *	count - 1 (full barrier)
 *
 * Of the two full barriers one comes first: either the carrier finds the gate
 * closed, or the other finds the carrier's count and waits for it. What was
 * handed over is seen, because the count went down after it.
 *
 * The gate keeps newcomers out, so the wait ends. They lose nothing: a refill
 * gets the one object that was asked for, a flush leaves the one object that
 * found no room, under the arena's lock.
 *
 * Why not an SRCU section: a thread's first one costs 5 us in userspace,
 * more than all else that a short thread does here. Two atomic operations on
 * a cache line of the CPU's own, once per batch, took 1.00 to 1.02 of the
 * processor time of workloads that carry much (25 alternating runs each).
 */
#ifndef PM_TRANSIT_H
#define PM_TRANSIT_H

#include "platform.h"

int pm_transit_begin(void);
void pm_transit_end(int carrier);
void pm_transit_stop(void);
void pm_transit_resume(void);
bool pm_transit_stopped(void);
void pm_transit_forget(void);

#endif /* PM_TRANSIT_H */
