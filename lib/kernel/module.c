// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * pmalloc.ko: parameters, start and end, and how to speak to the operator.
 *
 * Unloading. Modules that call us hold a reference, so at the end there are
 * no callers, only objects that they forgot. These are counted and reported,
 * and then everything is given back, they too, in an order in which each step needs only
 * what still stands: no more work comes from CPUs, reclaim or readers of
 * debugfs; the core lets go of its memory; what waits for a grace period goes
 * with it. What the host has not got back by then was lost by us.
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include "api/start.h"
#include "api/cache.h"
#include "api/core.h"
#include "host.h"
#include "back/large.h"
#include "front/magazine.h"
#include "base/options.h"
#include "back/pagemap.h"
#include "pmalloc.h"

/* ---- parameters -------------------------------------------------------- */

/*
 * The names are those of PMALLOC_OPTIONS in userspace, and the core checks
 * the values: a bad one costs one line, and the default stays.
 *
 * X(name, value, text): a value that is NULL is left to the core.
 */
#define PM_PARAMS(X) \
	X(arena, NULL, \
	  "which arena a task uses: cpu (default), single, thread, pool") \
	X(arenas, NULL, \
	  "number of arenas, 0 (default) for as many as the policy wants") \
	X(magazine, NULL, \
	  "per-CPU magazines in front of the arenas: on (default), off") \
	X(magazine_bytes, "4194304", \
	  "bytes of free objects that a CPU's magazine may hold (default 4 MiB)") \
	X(cache_bytes, NULL, \
	  "bytes of free objects that all magazines and depots may hold (default 32 MiB, or an eighth of what is live)") \
	X(decay_ms, NULL, \
	  "milliseconds that free memory stays before it is given back") \
	X(large_cache, "16777216", \
	  "bytes of freed objects above 32 KiB to keep for reuse, beside magazines and depots (default 16 MiB)") \
	X(keep, NULL, \
	  "bytes of free memory that stay for the decay time (default 32 MiB)") \
	X(reclaim, NULL, \
	  "what gives back besides those who allocate and free: off (default), thread") \
	X(soft_limit, NULL, \
	  "bytes mapped beyond which all that is free is given back, 0 (default) for none") \
	X(hard_limit, NULL, \
	  "bytes mapped beyond which requests fail, 0 (default) for none") \
	X(misuse, NULL, \
	  "what follows the line that names bad input: abort (default, a warning), report, ignore") \
	X(delay, NULL, \
	  "lengthen every hold of an arena's lock, for studies: arena:500ns, also us and ms")

#define PM_PARAM(name, value, text)					\
static char *name = value;						\
module_param(name, charp, 0444);					\
MODULE_PARM_DESC(name, text);
PM_PARAMS(PM_PARAM)

static char pm_option_text[512];

static void __init pm_option_add(const char *name, const char *value)
{
	size_t n = strlen(pm_option_text);

	if (value)
		scnprintf(pm_option_text + n, sizeof(pm_option_text) - n,
			  "%s%s=%s", n ? "," : "", name, value);
}

#define PM_OPTION(name, value, text)	pm_option_add(#name, name);

const char *pm_host_options(void)
{
	return pm_option_text;
}

/* ---- words with the operator ------------------------------------------- */

/* NULL says no more than that. The log does, as for kmem_cache_create(). */
void pm_host_refuse(int err, const char *line)
{
	pr_warn("%s: error %d\n", line, err);
}

void pm_host_say(const char *line)
{
	pr_info("%s\n", line);
}

void pm_host_misuse(const char *line)
{
	WARN(1, "%s\n", line);
}

/* It asks for its memory back: see shrinker.c. */
size_t pm_host_ceiling(void)
{
	return 0;
}

void pm_host_started(void)
{
}

int pm_host_describe(char *buf, size_t size)
{
	return scnprintf(buf, size, "kernel, %u CPUs online, magazines %s",
			 num_online_cpus(),
			 pm_options.magazine ? "on, by CPU" : "off, as chosen");
}

/* ---- the interface that only a kernel has ------------------------------ */

void *pm_malloc_gfp(size_t size, gfp_t gfp)
{
	void *obj, *unmarked;

	might_alloc(gfp);
	if (unlikely(gfp & (__GFP_ZERO | __GFP_ACCOUNT)))
		return pm_alloc(size, 1, gfp);
	obj = pm_malloc_fast(size, &unmarked);
	return likely(obj) ? obj : pm_alloc_miss(size, 1, gfp, unmarked);
}
EXPORT_SYMBOL_GPL(pm_malloc_gfp);

void *pm_cache_alloc_gfp(struct pm_cache *cache, gfp_t gfp)
{
	return pm_cache_alloc_inline(cache, gfp);
}
EXPORT_SYMBOL_GPL(pm_cache_alloc_gfp);

/* ---- start and end ----------------------------------------------------- */

static void pm_release_all(void)
{
	pm_stop();
	pm_pages_flush();
}

static int __init pm_module_init(void)
{
	int err;

	pm_percpu_reset();
	PM_PARAMS(PM_OPTION)
	if (!pm_start(GFP_KERNEL))
		return -ENOMEM;
	err = pm_hotplug_init();
	if (err)
		goto err_arena;
	err = pm_shrinker_init();
	if (err)
		goto err_hotplug;
	pm_reclaim_init();
	pm_debugfs_init();
	pr_info("pmalloc: arena=%s, at most %u arenas, magazines %s\n",
		pm_options.policy->name, pm_arena_table_size,
		pm_options.magazine ? "on" : "off");
	return 0;

err_hotplug:
	pm_hotplug_exit();
err_arena:
	pm_release_all();
	return err;
}
module_init(pm_module_init);

static void __exit pm_module_exit(void)
{
	struct pm_totals totals;

	pm_debugfs_exit();
	pm_reclaim_exit();
	pm_shrinker_exit();
	pm_hotplug_exit();

	/* What was freed without a lock counts as live until it is collected. */
	pm_trim();
	pm_get_totals(&totals);
	if (totals.live_objects)
		pr_warn("pmalloc: leak: %zu objects of %zu bytes were never freed\n",
			totals.live_objects, totals.live);
	pm_release_all();
	if (pm_pages_mapped() || pm_meta_bytes())
		pr_warn("pmalloc: leak: %zu bytes of memory and %zu of descriptors were lost\n",
			pm_pages_mapped(), pm_meta_bytes());
}
module_exit(pm_module_exit);

MODULE_DESCRIPTION("Per-CPU arena allocator");
MODULE_AUTHOR("pmalloc developers");
MODULE_LICENSE("Dual MIT/GPL");
