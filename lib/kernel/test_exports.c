// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What pmalloc_test.ko sees of the core besides the public interface: what
 * the core's headers declare, but for its start and end. The namespace keeps
 * it from others.
 */
#include "arena/arena.h"
#include "api/misuse.h"
#include "api/start.h"
#include "arena/check.h"
#include "arena/decay.h"
#include "arena/free_lock.h"
#include "arena/malloc_lock.h"
#include "arena/policy.h"
#include "arena/registry.h"
#include "base/testing.h"
#include "upkeep/pressure.h"
#include "upkeep/standstill.h"
#include "upkeep/trim.h"
#include "back/class.h"
#include "api/cache.h"
#include "api/core.h"
#include "arena/depot.h"
#include "back/heap.h"
#include "back/huge.h"
#include "back/keep.h"
#include "back/large.h"
#include "back/share.h"
#include "back/span.h"
#include "arena/lockstat.h"
#include "front/capacity.h"
#include "front/drain.h"
#include "front/magazine.h"
#include "base/options.h"
#include "back/pagemap.h"
#include "platform.h"
#include "back/slab.h"
#include "api/stats.h"
#include "front/inflight.h"
#include "front/visit.h"

#define PM_EXPORT_TEST(symbol)						\
	EXPORT_SYMBOL_NS_GPL(symbol,					\
			     PMALLOC_TEST)

/* platform.h */
PM_EXPORT_TEST(pm_host_can_synchronize);
PM_EXPORT_TEST(pm_host_clock_coarse_ns);
PM_EXPORT_TEST(pm_host_clock_ns);
PM_EXPORT_TEST(pm_host_cpu);
PM_EXPORT_TEST(pm_host_large_map);
PM_EXPORT_TEST(pm_host_large_remap);
PM_EXPORT_TEST(pm_host_large_unmap);
PM_EXPORT_TEST(pm_host_nap);
PM_EXPORT_TEST(pm_host_nr_cpus);
PM_EXPORT_TEST(pm_host_random);
PM_EXPORT_TEST(pm_host_resident);
PM_EXPORT_TEST(pm_host_thread_slot);
PM_EXPORT_TEST(pm_host_tid);
PM_EXPORT_TEST(pm_meta_bytes);

/* core.h */
PM_EXPORT_TEST(pm_alloc);
PM_EXPORT_TEST(pm_cache_alloc_miss);
PM_EXPORT_TEST(pm_free_from);
PM_EXPORT_TEST(pm_free_full);
PM_EXPORT_TEST(pm_free_slow);
PM_EXPORT_TEST(pm_free_sized_from);
PM_EXPORT_TEST(pm_realloc_from);
PM_EXPORT_TEST(pm_usable_from);

/* options.h */
PM_EXPORT_TEST(pm_options);

/* class.h */
PM_EXPORT_TEST(pm_class_of_size);
PM_EXPORT_TEST(pm_class_starts);
PM_EXPORT_TEST(pm_classes);
PM_EXPORT_TEST(pm_classes_end);

/* pagemap.h */
PM_EXPORT_TEST(pm_first_leaf);
PM_EXPORT_TEST(pm_pagemap_add_heap);
PM_EXPORT_TEST(pm_pagemap_add_large);
PM_EXPORT_TEST(pm_pagemap_del_heap);
PM_EXPORT_TEST(pm_pagemap_large);
PM_EXPORT_TEST(pm_pagemap_leaf);
PM_EXPORT_TEST(pm_pagemap_set_class);
PM_EXPORT_TEST(pm_pagemap_take_large);
PM_EXPORT_TEST(pm_root);

/* slab.h */
PM_EXPORT_TEST(pm_slab_collect);
PM_EXPORT_TEST(pm_slab_init);
PM_EXPORT_TEST(pm_slab_put);
PM_EXPORT_TEST(pm_slab_put_remote);
PM_EXPORT_TEST(pm_heap_open_slab);
PM_EXPORT_TEST(pm_heap_take);
PM_EXPORT_TEST(pm_slab_object_is_free);
PM_EXPORT_TEST(pm_slab_take);

/* heap.h */

/* span.h */
PM_EXPORT_TEST(pm_span_counts);
PM_EXPORT_TEST(pm_span_find);
PM_EXPORT_TEST(pm_span_get_stats);
PM_EXPORT_TEST(pm_span_put);

/* large.h */
PM_EXPORT_TEST(pm_large_alloc);
PM_EXPORT_TEST(pm_large_find);
PM_EXPORT_TEST(pm_large_free);
PM_EXPORT_TEST(pm_large_get_stats);
PM_EXPORT_TEST(pm_extents_lock_all);
PM_EXPORT_TEST(pm_extents_shed);
PM_EXPORT_TEST(pm_pressure_free);
PM_EXPORT_TEST(pm_pressure_give_back);
PM_EXPORT_TEST(pm_large_resize);
PM_EXPORT_TEST(pm_extents_unlock_all);

/* depot.h */
PM_EXPORT_TEST(pm_batch_get);
PM_EXPORT_TEST(pm_batch_provide);
PM_EXPORT_TEST(pm_batch_put);
PM_EXPORT_TEST(pm_depot_capacity);
PM_EXPORT_TEST(pm_depot_destroy);
PM_EXPORT_TEST(pm_depot_put);
PM_EXPORT_TEST(pm_depot_take);
PM_EXPORT_TEST(pm_depot_take_oldest);

/* arena.h */
PM_EXPORT_TEST(pm_arena_cut_slab);
PM_EXPORT_TEST(pm_arena_map_heap);
PM_EXPORT_TEST(pm_arena_purge_heap);
PM_EXPORT_TEST(pm_arena_decay);
PM_EXPORT_TEST(pm_arena_kept);
PM_EXPORT_TEST(pm_arena_watch);
PM_EXPORT_TEST(pm_arenas_kept);
PM_EXPORT_TEST(pm_keep_allow);
PM_EXPORT_TEST(pm_keep_bound);
PM_EXPORT_TEST(pm_keep_set_live);
PM_EXPORT_TEST(pm_keep_spend);
PM_EXPORT_TEST(pm_arena_put_slab);
PM_EXPORT_TEST(pm_arena_unmap_heap);

PM_EXPORT_TEST(pm_arena_at);
PM_EXPORT_TEST(pm_arena_lock);
PM_EXPORT_TEST(pm_arena_lock_all);
PM_EXPORT_TEST(pm_arena_lock_uncounted);
PM_EXPORT_TEST(pm_arena_ready);
PM_EXPORT_TEST(pm_arena_collect);
PM_EXPORT_TEST(pm_arena_trim_all);
PM_EXPORT_TEST(pm_arena_unlock);
PM_EXPORT_TEST(pm_arena_unlock_all);
PM_EXPORT_TEST(pm_arenas);
PM_EXPORT_TEST(__pm_free_lock);
PM_EXPORT_TEST(pm_free_lock_batch);
PM_EXPORT_TEST(__pm_malloc_lock);
PM_EXPORT_TEST(pm_arena_table_size);
PM_EXPORT_TEST(pm_policies);
PM_EXPORT_TEST(pm_registry);
PM_EXPORT_TEST(pm_srcu);

/* lockstat.h */
PM_EXPORT_TEST(pm_lockstat_holder);
PM_EXPORT_TEST(pm_lockwait_adopt);
PM_EXPORT_TEST(pm_lockwait_begin);
PM_EXPORT_TEST(pm_lockwait_contended);
PM_EXPORT_TEST(pm_lockwait_end);
PM_EXPORT_TEST(pm_wait_bucket);

/* magazine.h */
PM_EXPORT_TEST(pm_mag_at);
PM_EXPORT_TEST(pm_mag_base);
PM_EXPORT_TEST(pm_mag_drain);
PM_EXPORT_TEST(pm_mag_drain_all);
PM_EXPORT_TEST(pm_mag_set_all_aside);
PM_EXPORT_TEST(pm_mag_flush);
PM_EXPORT_TEST(pm_mag_get_counts);
PM_EXPORT_TEST(pm_mag_lock_all);
PM_EXPORT_TEST(pm_mag_objects);
PM_EXPORT_TEST(pm_mag_reclaim);
PM_EXPORT_TEST(pm_mag_refill);
PM_EXPORT_TEST(pm_mag_room);
PM_EXPORT_TEST(pm_mag_shrink);
PM_EXPORT_TEST(pm_huge_judge);
PM_EXPORT_TEST(pm_share_of_depots);
PM_EXPORT_TEST(pm_share_of_magazine);
PM_EXPORT_TEST(pm_share_set_live);
PM_EXPORT_TEST(pm_mag_unlock_all);
PM_EXPORT_TEST(pm_mark_secret);
#if PM_DEBUG
PM_EXPORT_TEST(pm_mag_count_hit);
#endif

/* inflight.h */
PM_EXPORT_TEST(pm_inflight_begin);
PM_EXPORT_TEST(pm_inflight_end);
PM_EXPORT_TEST(pm_inflight_resume);
PM_EXPORT_TEST(pm_inflight_stop);
PM_EXPORT_TEST(pm_inflight_stopped);

/* pm_percpu.h */
PM_EXPORT_TEST(pm_null_magazine);
PM_EXPORT_TEST(pm_percpu);
PM_EXPORT_TEST(pm_percpu_fence);

/* stats.h */
PM_EXPORT_TEST(pm_arena_class_figures);
PM_EXPORT_TEST(pm_arena_figures);
PM_EXPORT_TEST(pm_class_figures);
PM_EXPORT_TEST(pm_report_as);

/* check.h */
PM_EXPORT_TEST(pm_arena_fault);
PM_EXPORT_TEST(pm_heap_fault);
PM_EXPORT_TEST(pm_inject);
PM_EXPORT_TEST(pm_misuse);
PM_EXPORT_TEST(pm_misuse_noted);
PM_EXPORT_TEST(pm_stop_hook);
PM_EXPORT_TEST(pm_slab_fault);
