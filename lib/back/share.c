// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How much one CPU and one arena may cache, of what the process may.
 *
 * The idea. A free object in a magazine or a depot is of use to one CPU. If each
 * CPU had a budget of its own, a process would hold the more of such memory the more
 * CPUs its machine has, whatever it needs. So the budget is the process's,
 * `cache_bytes` or an eighth of what is live, whichever is more: one half for the
 * magazines, one for the depots, in equal shares among those that there are. A CPU
 * that the process leaves has its magazine drained after a decay time, and its share
 * is the others'.
 *
 * The trick. Nobody counts what is cached where: each keeps to its share, which is
 * written when somebody comes or goes, or when live bytes were looked at, and only read
 * by those who want room.
 *
 * The limits. A share that shrinks is not taken at once: a stack or a depot that has
 * more gives half at each decay time. And the first few slots of each class of slabs
 * are in no budget.
 */
#include "back/share.h"
#include "base/options.h"

#define PM_SHARE_LIVE_PART	8	/* of what is live may be cached */

/*
 * What is shared by how many, and what comes of it. Each of the first three has its
 * writer; two who work out a share at once may leave the older one, until somebody looks
 * at live bytes again.
 */
static struct {
	size_t live;
	unsigned int magazines;		/* [magazine lock] */
	unsigned int arenas;		/* [registry] */
	size_t of_magazine;
	size_t of_depots;
} pm_share;

static void pm_share_work_out(void)
{
	size_t half = max_t(size_t, pm_options.cache_bytes,
			    READ_ONCE(pm_share.live) / PM_SHARE_LIVE_PART) / 2;
	unsigned int magazines = max_t(unsigned int, 1,
				       READ_ONCE(pm_share.magazines));
	unsigned int arenas = max_t(unsigned int, 1, READ_ONCE(pm_share.arenas));

	WRITE_ONCE(pm_share.of_magazine, half / magazines);
	WRITE_ONCE(pm_share.of_depots, half / arenas);
}

/**
 * pm_share_set_live() - somebody has looked how much is live
 * @live: bytes
 *
 * Context: any.
 */
void pm_share_set_live(size_t live)
{
	WRITE_ONCE(pm_share.live, live);
	pm_share_work_out();
}

/**
 * pm_share_set_magazines() - so many CPUs have a magazine
 * @n: how many
 *
 * Context: the magazine lock.
 */
void pm_share_set_magazines(unsigned int n)
{
	WRITE_ONCE(pm_share.magazines, n);
	pm_share_work_out();
}

/**
 * pm_share_set_arenas() - there are so many arenas
 * @n: how many
 *
 * Context: pm_registry held.
 */
void pm_share_set_arenas(unsigned int n)
{
	WRITE_ONCE(pm_share.arenas, n);
	pm_share_work_out();
}

/**
 * pm_share_of_magazine() - bytes of objects that a CPU's magazine may hold
 *
 * Context: any, once there is an arena.
 */
size_t pm_share_of_magazine(void)
{
	return min_t(size_t, READ_ONCE(pm_options.magazine_bytes),
		     READ_ONCE(pm_share.of_magazine));
}

/**
 * pm_share_of_depots() - bytes of objects that an arena's depots may hold
 *
 * Context: any, once there is an arena.
 */
size_t pm_share_of_depots(void)
{
	return READ_ONCE(pm_share.of_depots);
}
