// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What pmalloc_test.ko sees of the core besides the public interface. The
 * namespace keeps it from others; a module that the tests are not has no
 * business here.
 */
#include "arena.h"
#include "check.h"
#include "class.h"
#include "heap.h"
#include "large.h"
#include "options.h"
#include "pagemap.h"
#include "platform.h"
#include "slab.h"
#include "stats.h"

#define PM_EXPORT_TEST(symbol)						\
	EXPORT_SYMBOL_NS_GPL(symbol,					\
			     PMALLOC_TEST)

/* platform.h */
PM_EXPORT_TEST(pm_host_clock_ns);
PM_EXPORT_TEST(pm_host_cpu);
PM_EXPORT_TEST(pm_host_nr_cpus);

/* options.h */
PM_EXPORT_TEST(pm_options);

/* class.h */
PM_EXPORT_TEST(pm_class_of_aligned);
PM_EXPORT_TEST(pm_class_of_size);
PM_EXPORT_TEST(pm_class_starts);
PM_EXPORT_TEST(pm_classes);

/* pagemap.h */
PM_EXPORT_TEST(pm_home);
PM_EXPORT_TEST(pm_pagemap_add_large);
PM_EXPORT_TEST(pm_pagemap_large);
PM_EXPORT_TEST(pm_pagemap_leaf);
PM_EXPORT_TEST(pm_pagemap_take_large);
PM_EXPORT_TEST(pm_root);

/* slab.h */
PM_EXPORT_TEST(pm_slab_collect);
PM_EXPORT_TEST(pm_slab_put);
PM_EXPORT_TEST(pm_slab_put_remote);
PM_EXPORT_TEST(pm_slab_take);

/* heap.h */
PM_EXPORT_TEST(pm_heap_create);
PM_EXPORT_TEST(pm_heap_destroy);
PM_EXPORT_TEST(pm_heap_get_slab);
PM_EXPORT_TEST(pm_heap_purge);
PM_EXPORT_TEST(pm_heap_put_slab);

/* large.h */
PM_EXPORT_TEST(pm_large_alloc);
PM_EXPORT_TEST(pm_large_free);
PM_EXPORT_TEST(pm_large_get_stats);
PM_EXPORT_TEST(pm_large_purge);

/* arena.h */
PM_EXPORT_TEST(pm_arena_at);
PM_EXPORT_TEST(pm_arena_lock_all);
PM_EXPORT_TEST(pm_arena_ready);
PM_EXPORT_TEST(pm_arena_trim);
PM_EXPORT_TEST(pm_arena_unlock_all);
PM_EXPORT_TEST(pm_free_lock);
PM_EXPORT_TEST(pm_malloc_lock);
PM_EXPORT_TEST(pm_nr_arena_slots);
PM_EXPORT_TEST(pm_policy_find);
PM_EXPORT_TEST(pm_registry);
PM_EXPORT_TEST(pm_srcu);

/* stats.h */
PM_EXPORT_TEST(pm_class_figures);

/* check.h */
PM_EXPORT_TEST(pm_arena_fault);
PM_EXPORT_TEST(pm_heap_fault);
PM_EXPORT_TEST(pm_inject);
PM_EXPORT_TEST(pm_slab_fault);
