// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Figures for those who look at the process from outside.
 *
 * pmalloc_figures is a block that describes itself: where the arenas' table
 * is, what an arena has at which offset under which name, and how the other
 * figures are made of these. A reader finds the symbol in the symbol table of
 * the library (or of the program, when that is linked statically), and reads
 * the rest with process_vm_readv(2) or /proc/PID/mem. The process is neither
 * stopped nor asked: it does not even notice. harness/study/figures.py is such
 * a reader. It knows the five structs of this file, and not one name or offset
 * besides.
 *
 * The names are those of the JSON report, because the tables are those that
 * the report is written from (stats.h).
 *
 * What keeps such a reader from being misled:
 *
 *   - Figures are aligned words of 32 or 64 bits, each written by one store.
 *   - An arena's lockstat.seq is odd while its lock is held. The store which
 *     publishes is that of pm_lockstat_leave(), which makes it even, a release;
 *     the first store of each holder is that of pm_lockstat_enter(), which makes
 *     it odd. A copy of an arena between two looks at an even and unchanged
 *     number is therefore of one moment (but for what is written without the
 *     lock: contended, fallback_out, free_busy, waiters). Where the lock is held
 *     nearly always a reader has to do with less: each figure for itself is
 *     right, for a word is read whole, or else differs from what is read just
 *     before and after.
 *   - pm_arenas_seq is odd while a retired arena's figures move to its heir.
 *   - The memory of arenas and magazines never becomes anything else, and is
 *     never unmapped. A reader that followed a pointer of the past reads
 *     something old, not something foreign; "retired" says so.
 *
 * A process can have several copies of the library. The place "alive" says of
 * each whether anybody has allocated with it.
 *
 * What has pages is not here: only the process itself can tell a page of an object
 * from that of a free one. A report does; see api/parts.c.
 *
 * What waits in an arena's inbox or remote list counts as live for such a
 * reader; a report takes that in first.
 */
#include "user.h"
#include "arena/arena.h"
#include "arena/registry.h"
#include "back/large.h"
#include "back/span.h"
#include "front/magazine.h"
#include "base/misuse.h"
#include "base/options.h"
#include "api/cache.h"
#include "api/stats.h"

#define PM_PUBLISHED_VERSION	2

/**
 * struct pm_place - something that there is once
 * @name: what it is
 * @at: where
 * @size: bytes of a value
 * @stride: bytes from a value to the next
 * @count: values, 0 when the length is said elsewhere
 */
struct pm_place {
	const char *name;
	const void *at;
	u32 size;
	u32 stride;
	u32 count;
};

/**
 * struct pm_table - what there is in objects of one kind
 * @name: the kind
 * @fields: what it has
 * @nr: how many fields
 * @bytes: of an object, 0 when it has no place of its own
 */
struct pm_table {
	const char *name;
	const struct pm_field *fields;
	u32 nr;
	u32 bytes;
};

/**
 * struct pm_published - where all else is found
 * @magic: "pmalloc", and a NUL
 * @byte_order: 0x01020304
 * @version: of the five structs of this file and struct pm_field
 * @places: struct pm_place
 * @tables: struct pm_table
 * @nr_places: how many
 * @nr_tables: how many
 * @place_bytes: of a struct pm_place
 * @table_bytes: of a struct pm_table
 * @field_bytes: of a struct pm_field
 */
struct pm_published {
	char magic[8];
	u32 byte_order;
	u32 version;
	const struct pm_place *places;
	const struct pm_table *tables;
	u32 nr_places;
	u32 nr_tables;
	u32 place_bytes;
	u32 table_bytes;
	u32 field_bytes;
};

/* As the report's first line has it; the rest is constant. */
static struct {
	u32 alive;
	u32 cpus;
	u32 indexes;
	char host[128];
} pm_said;

/* ---- objects without a report of their own ----------------------------- */

#define PM_STATE(_name, type, first, _stride, _count)			\
	{ .name = _name,						\
	  .how = (_count) > 1 ? PM_FIELD_LIST : PM_FIELD_VALUE,		\
	  .at = offsetof(struct type, first),				\
	  .size = sizeof(((struct type *)0)->first),			\
	  .stride = _stride, .count = _count }

static const struct pm_field pm_arena_state[] = {
	PM_STATE("seq", pm_arena, lockstat.seq, 0, 1),
	PM_STATE("retired", pm_arena, retired, 0, 1),
};

static const struct pm_field pm_policy_state[] = {
	PM_STATE("name", pm_policy, name, 0, 1),
};

static const struct pm_field pm_magazine_state[] = {
	PM_STATE("top", pm_magazine, stack[0].top, sizeof(struct pm_stack),
		 PM_CLASS_END),
};

/* The first class of spans. */
static const u32 pm_span_first = PM_NR_SLAB_CLASSES;

/* ---- the block --------------------------------------------------------- */

#define PM_PLACE(_name, _at)						\
	{ .name = _name, .at = &(_at), .size = sizeof(_at), .count = 1 }
#define PM_PLACES(_name, array, first, _count)				\
	{ .name = _name, .at = &array[0] first,				\
	  .size = sizeof(array[0] first), .stride = sizeof(array[0]),	\
	  .count = _count }

static const struct pm_place pm_places[] = {
	PM_PLACE("arena_slots", pm_arena_table_size),
	PM_PLACE("arena_table", pm_arena_table),
	PM_PLACE("arenas_seq", pm_arenas_seq),
	PM_PLACE("policy", pm_options.policy),
	PM_PLACE("alive", pm_said.alive),
	PM_PLACE("cpus", pm_said.cpus),
	PM_PLACES("host", pm_said.host, , sizeof(pm_said.host)),
	PM_PLACES("class_size", pm_classes, .size, PM_CLASS_END),
	/* Caches: the class of each, 0 for none so far; one without a name is none. */
	PM_PLACES("cache_class", pm_caches, .class, PM_CACHES_MAX),
	PM_PLACES("cache_size", pm_caches, .size, PM_CACHES_MAX),
	PM_PLACES("cache_name", pm_caches, .name, PM_CACHES_MAX),
	/* Magazines: where each is; @magazine_null or 0 where there is none. */
	PM_PLACE("magazine_indexes", pm_said.indexes),
	PM_PLACES("magazine_table", pm_percpu.mag, , 0),
	PM_PLACE("magazine_null", pm_percpu.null),
	PM_PLACES("magazine_base", pm_mag_base, , PM_CLASS_END),
	PM_PLACE("span_first", pm_span_first),
	PM_PLACES("span_taken", pm_span_counts.taken, , PM_NR_SPAN_CLASSES),
	PM_PLACES("span_out", pm_span_counts.out, , PM_NR_SPAN_CLASSES),
	PM_PLACE("span_bytes", pm_span_counts.bytes),
	PM_PLACE("span_count", pm_span_counts.objects),
	PM_PLACE("large_bytes", pm_large_counts.live),
	PM_PLACE("large_count", pm_large_counts.live_objects),
	PM_PLACE("large_cached_bytes", pm_extent_counts.cached),
	PM_PLACE("meta_bytes", pm_meta_total),
	PM_PLACE("misuse", pm_misuse_count),
};

#define PM_TABLE(_name, _fields, _nr, _bytes)				\
	{ .name = _name, .fields = _fields, .nr = _nr, .bytes = _bytes }

static const struct pm_table pm_tables[] = {
	PM_TABLE("arena", pm_arena_fields, PM_NR_ARENA_FIELDS,
		 sizeof(struct pm_arena)),
	PM_TABLE("arena_class", pm_arena_class_fields,
		 PM_NR_ARENA_CLASS_FIELDS, 0),
	PM_TABLE("class", pm_class_fields, PM_NR_CLASS_FIELDS, 0),
	PM_TABLE("total", pm_total_fields, PM_NR_TOTAL_FIELDS, 0),
	PM_TABLE("memory", pm_part_fields, PM_NR_PARTS, 0),
	PM_TABLE("arena_state", pm_arena_state, ARRAY_SIZE(pm_arena_state), 0),
	PM_TABLE("policy", pm_policy_state, ARRAY_SIZE(pm_policy_state), 0),
	PM_TABLE("magazine", pm_magazine_state, ARRAY_SIZE(pm_magazine_state),
		 sizeof(struct pm_magazine)),
};

extern const struct pm_published pmalloc_figures;

PM_EXPORT const struct pm_published pmalloc_figures = {
	.magic = "pmalloc",
	.byte_order = 0x01020304,
	.version = PM_PUBLISHED_VERSION,
	.places = pm_places,
	.tables = pm_tables,
	.nr_places = ARRAY_SIZE(pm_places),
	.nr_tables = ARRAY_SIZE(pm_tables),
	.place_bytes = sizeof(struct pm_place),
	.table_bytes = sizeof(struct pm_table),
	.field_bytes = sizeof(struct pm_field),
};

/**
 * pm_publish() - write down what the report's first line says
 *
 * Also what brings this file into a program that is linked statically.
 *
 * Context: at the start, and in the child of fork().
 */
void pm_publish(void)
{
	char host[sizeof(pm_said.host)];

	pm_host_describe(host, sizeof(host));
	memcpy(pm_said.host, host, sizeof(host));
	pm_said.cpus = pm_host_nr_cpus();
	pm_said.indexes = pm_percpu_count();
	WRITE_ONCE(pm_said.alive, 1);
	/* The block is not to be thought unused. */
	__asm__ __volatile__("" : : "r"(&pmalloc_figures));
}
