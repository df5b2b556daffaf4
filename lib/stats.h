/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Figures: what the arenas did and what they hold.
 */
#ifndef PM_STATS_H
#define PM_STATS_H

#include "platform.h"
#include "arena.h"
#include "pmalloc.h"

/**
 * enum pm_format - how a report is written
 * @PM_TEXT: aligned columns
 * @PM_JSON: one JSON object
 * @PM_XML: malloc_info(3)
 */
enum pm_format { PM_TEXT, PM_JSON, PM_XML };

/**
 * struct pm_arena_figures - one arena at one moment
 * @id: its number
 * @stats: what happened there
 * @nr_heaps: heaps
 * @heap_bytes: their bytes
 * @slab_bytes: bytes of slabs in them
 * @out_bytes: bytes of objects not in their slab
 * @out_objects: how many
 * @depot_bytes: bytes of objects in its depots
 * @depot_objects: how many
 */
struct pm_arena_figures {
	unsigned int id;
	struct pm_arena_stats stats;
	unsigned int nr_heaps;
	size_t heap_bytes;
	size_t slab_bytes;
	size_t out_bytes;
	size_t out_objects;
	size_t depot_bytes;
	size_t depot_objects;
};

/**
 * struct pm_class_figures - one class over all arenas
 * @taken: objects taken from slabs since the beginning
 * @out: objects not in their slab
 * @depot: how many of these are in depots
 * @magazine: how many of these are in magazines
 */
struct pm_class_figures {
	u64 taken;
	u64 out;
	u64 depot;
	u64 magazine;
};

bool pm_arena_figures(unsigned int id, struct pm_arena_figures *fig);
void pm_class_figures(unsigned int class, struct pm_class_figures *fig);
size_t pm_report_as(char *buf, size_t size, enum pm_format format);

#endif /* PM_STATS_H */
