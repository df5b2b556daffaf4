// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Start and end of the allocator.
 *
 * The first request that finds nothing starts it: the fast paths need no test,
 * for before the start every CPU has the null magazine.
 */
#include "api/start.h"
#include "arena/batch.h"
#include "arena/policy.h"
#include "back/large.h"
#include "back/mark.h"
#include "back/pagemap.h"
#include "base/limit.h"
#include "front/magazine.h"

/* How many arenas there can be. */
static unsigned int pm_arena_limit(void)
{
	unsigned int n = pm_options.arenas;

	return n ? n : pm_options.policy->arenas();
}

/**
 * pm_start() - read the options, and be ready to make arenas
 * @gfp: context
 *
 * Cheap when it was done already.
 *
 * Context: no lock held, not within a read-side section.
 * Return: whether it is done; false when there is no memory, and then a later
 * call tries again.
 */
bool pm_start(gfp_t gfp)
{
	bool first, started;

	mutex_lock(&pm_registry);
	first = !pm_is_started();
	if (first) {
		pm_options_parse(pm_host_options(), pm_policies);
		pm_limit_set_ceiling(pm_host_ceiling());
		pm_mark_init();
		pm_mag_init(gfp);
		pm_registry_init(pm_arena_limit(), gfp);
	}
	started = pm_is_started();
	mutex_unlock(&pm_registry);
	if (first && started)
		pm_host_started();
	return started;
}

/**
 * pm_stop() - give everything back
 *
 * Objects that are still live go too: nobody is left to use them.
 *
 * Context: nobody uses the allocator any more.
 */
void pm_stop(void)
{
	pm_mag_exit();
	pm_large_exit();
	pm_registry_exit();
	pm_batch_exit();
	pm_pagemap_destroy();
}
