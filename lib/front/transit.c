// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Objects in transit: how many carry some, and how to wait for them.
 */
#include "front/transit.h"

#define PM_TRANSIT_SLOTS	64

/* Per CPU, or shared by a few: threads that carry a batch now. [atomic] */
static struct {
	atomic_long_t carriers;
} ____cacheline_aligned_in_smp pm_transit_slot[PM_TRANSIT_SLOTS];

static bool pm_transit_gate __read_mostly;	/* closed [transit lock] */

/* One at a time may look. Outside of every other lock. */
static DEFINE_MUTEX(pm_transit_lock);

/**
 * pm_transit_begin() - ask to carry objects
 *
 * Context: any.
 * Return: what pm_transit_end() wants to know, or -1: no object may be on its
 * way now.
 */
int pm_transit_begin(void)
{
	int carrier = pm_host_cpu() % PM_TRANSIT_SLOTS;

	/* transit A. Full barrier between count and gate: pairs with F, G. */
	(void)atomic_long_inc_return(&pm_transit_slot[carrier].carriers);
	if (likely(!READ_ONCE(pm_transit_gate)))	/* transit B */
		return carrier;
	pm_transit_end(carrier);
	return -1;
}

/**
 * pm_transit_end() - the objects are where others can find them
 * @carrier: as pm_transit_begin() returned it
 *
 * The count is 0 already in a child that was forked by a signal handler over
 * this carrier. Nobody was there to look meanwhile.
 *
 * Context: any.
 */
void pm_transit_end(int carrier)
{
	/* transit E. Full barrier: who finds the count down finds the objects. */
	(void)atomic_long_dec_if_positive(&pm_transit_slot[carrier].carriers);
}

/**
 * pm_transit_stop() - wait until nobody carries anything, and keep it so
 *
 * Context: may sleep; no lock held, for carriers may wait for any.
 */
void pm_transit_stop(void)
{
	unsigned int carrier;

	mutex_lock(&pm_transit_lock);
	WRITE_ONCE(pm_transit_gate, true);			/* transit F */
	/* Between gate and counts: pairs with transit A, B. */
	smp_mb();
	/* transit G */
	for (carrier = 0; carrier < PM_TRANSIT_SLOTS; carrier++)
		while (atomic_long_read(&pm_transit_slot[carrier].carriers))
			pm_host_nap();
	/* Between counts and objects: pairs with transit E. */
	smp_mb();
}

/**
 * pm_transit_resume() - let the traffic go on
 */
void pm_transit_resume(void)
{
	WRITE_ONCE(pm_transit_gate, false);			/* transit L */
	mutex_unlock(&pm_transit_lock);
}

/**
 * pm_transit_stopped() - whether somebody has stopped the traffic, for tests
 */
bool pm_transit_stopped(void)
{
	return READ_ONCE(pm_transit_gate);
}

/**
 * pm_transit_forget() - begin anew in the child of a fork()
 *
 * Who carried something is not there, nor is who stopped it. What was carried
 * is lost to the child: a batch per thread at most.
 *
 * Context: one thread.
 */
void pm_transit_forget(void)
{
	unsigned int carrier;

	for (carrier = 0; carrier < PM_TRANSIT_SLOTS; carrier++)
		atomic_long_set(&pm_transit_slot[carrier].carriers, 0);
	/* Unless it is this thread that has stopped it, and goes on. */
	if (pm_mutex_restart(&pm_transit_lock))
		WRITE_ONCE(pm_transit_gate, false);
}
