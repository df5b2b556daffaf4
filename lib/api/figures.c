// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Figures: the tables, and how they are gathered.
 *
 * An arena's figures are copied under its lock. To look at them leaves no trace
 * in them. Which figures there are is said once, by the tables of stats.h.
 */
#include "api/stats.h"
#include "arena/registry.h"
#include "base/misuse.h"
#include "back/large.h"
#include "back/span.h"
#include "front/magazine.h"

/* ---- the tables -------------------------------------------------------- */

#define PM_SIZE(member)		sizeof(((struct pm_arena *)0)->member)

#define PM_FIELD_V(_name, member)					\
	{ .name = #_name, .how = PM_FIELD_VALUE,			\
	  .at = offsetof(struct pm_arena, member),			\
	  .size = PM_SIZE(member), .count = 1 },
#define PM_FIELD_C(_name, _how, array, first)				\
	{ .name = #_name, .how = PM_FIELD_##_how,			\
	  .at = offsetof(struct pm_arena, first),			\
	  .size = PM_SIZE(first), .stride = PM_SIZE(array[0]),		\
	  .count = PM_CLASS_END },
#define PM_FIELD_D(_name, expression)					\
	{ .name = #_name, .how = PM_FIELD_TEXT, .text = #expression },
#define PM_FIELD_L(_name, array)					\
	{ .name = #_name, .how = PM_FIELD_LIST,				\
	  .at = offsetof(struct pm_arena, array[0]),			\
	  .size = PM_SIZE(array[0]), .stride = PM_SIZE(array[0]),	\
	  .count = ARRAY_SIZE(((struct pm_arena *)0)->array) },
#define PM_FIELD_E(_name, array, first)	PM_FIELD_C(_name, LIST, array, first)

const struct pm_field pm_arena_fields[PM_NR_ARENA_FIELDS] = {
	PM_ARENA_FIGURES(PM_FIELD_V, PM_FIELD_C, PM_FIELD_D, PM_FIELD_L)
};

const struct pm_field pm_arena_class_fields[PM_NR_ARENA_CLASS_FIELDS] = {
	PM_ARENA_CLASS_FIGURES(PM_FIELD_E)
};

const struct pm_field pm_class_fields[PM_NR_CLASS_FIELDS] = {
	PM_CLASS_FIGURES(PM_FIELD_E)
};

const struct pm_field pm_total_fields[PM_NR_TOTAL_FIELDS] = { PM_TOTALS(PM_FIELD_D) };

/* A figure is a member of the arena, or one per class of such. */
static_assert(sizeof(struct pm_arena_figures) ==
	      8 * (PM_NR_ARENA_FIELDS - 1 + PM_WAIT_BUCKETS),
	      "figures are 64 bits each, in the order of the table");
static_assert(sizeof(struct pm_arena_class_figures) ==
	      8 * PM_NR_ARENA_CLASS_FIELDS, "likewise");
static_assert(sizeof(struct pm_class_figures) ==
	      8 * (PM_NR_CLASS_FIELDS + 1), "likewise");

/* The value number @n of a field of the object at @base. */
static u64 pm_field_value(const struct pm_field *field, const void *base,
			  unsigned int n)
{
	const char *at = (const char *)base + field->at + n * field->stride;

	return field->size == 8 ? READ_ONCE(*(const u64 *)at) :
				  READ_ONCE(*(const u32 *)at);
}

static u64 pm_field_sum(const struct pm_field *field, const void *base)
{
	unsigned int n;
	u64 sum = 0;

	for (n = 0; n < field->count; n++)
		sum += pm_field_value(field, base, n) *
		       (field->how == PM_FIELD_BYTES ? pm_class_bytes(n) : 1);
	return sum;
}

static u64 pm_not_below_0(s64 n)
{
	return n < 0 ? 0 : n;
}

/* ---- gathering --------------------------------------------------------- */

/* What is an expression of the others. */
static void pm_arena_derive(struct pm_arena_figures *fig)
{
#define F(name)			fig->name
#define PM_SKIP(...)
#define PM_SET(name, expression) F(name) = pm_not_below_0(expression),
	PM_ARENA_FIGURES(PM_SKIP, PM_SKIP, PM_SET, PM_SKIP) (void)0;
#undef PM_SET
#undef F
}

static void pm_arena_copy(const struct pm_arena *arena,
			  struct pm_arena_figures *fig)
{
	const struct pm_field *field = pm_arena_fields;
	u64 *to = (u64 *)fig;
	unsigned int n;

	for (; field < pm_arena_fields + PM_NR_ARENA_FIELDS; field++) {
		if (field->how == PM_FIELD_LIST)
			for (n = 0; n < field->count; n++)
				*to++ = pm_field_value(field, arena, n);
		else if (field->how == PM_FIELD_TEXT)
			to++;
		else
			*to++ = pm_field_sum(field, arena);
	}
}

/**
 * pm_arena_figures() - copy the figures of an arena
 * @id: its number
 * @fig: where to put them
 *
 * Context: may sleep.
 * Return: false when there is no such arena.
 */
bool pm_arena_figures(unsigned int id, struct pm_arena_figures *fig)
{
	struct pm_arena *arena;
	bool found = false;
	bool reading;
	int idx;

	memset(fig, 0, sizeof(*fig));
	/* Without a section it might be in use under another number by then. */
	reading = pm_srcu_read_trylock(&pm_srcu, &idx);
	arena = pm_arena_at(id);
	if (!arena)
		goto out;
	pm_arena_lock_uncounted(arena);
	found = pm_arena_is_in_use(arena) && pm_arena_id(arena) == id;
	if (found)
		pm_arena_collect(arena);
	pm_arena_copy(arena, fig);
	pm_arena_unlock(arena);
	pm_arena_derive(fig);
out:
	if (likely(reading))
		srcu_read_unlock(&pm_srcu, idx);
	return found;
}

/**
 * pm_arena_class_figures() - copy what an arena says of one class
 * @id: number of the arena
 * @class: class number, or PM_CLASS_NONE
 * @fig: where to put it
 *
 * Without the lock: each figure is whole, but one may be newer than another.
 *
 * Context: any that may begin an SRCU section.
 * Return: whether the arena's lock was ever taken, or wanted, for the class.
 */
bool pm_arena_class_figures(unsigned int id, unsigned int class,
			    struct pm_arena_class_figures *fig)
{
	struct pm_arena *arena;
	unsigned int n;
	bool reading;
	int idx;

	memset(fig, 0, sizeof(*fig));
	reading = pm_srcu_read_trylock(&pm_srcu, &idx);
	arena = pm_arena_at(id);
	for (n = 0; arena && n < PM_NR_ARENA_CLASS_FIELDS; n++)
		((u64 *)fig)[n] = pm_field_value(&pm_arena_class_fields[n],
						 arena, class);
	if (likely(reading))
		srcu_read_unlock(&pm_srcu, idx);
	return fig->acquired || fig->contended || fig->free_busy;
}

/**
 * pm_class_figures() - sum up a class
 * @class: class number
 * @fig: where to put the figures
 *
 * Context: may sleep.
 */
void pm_class_figures(unsigned int class, struct pm_class_figures *fig)
{
	struct pm_span_stats span;
	struct pm_arena *arena;
	unsigned int n;
	int idx;

	memset(fig, 0, sizeof(*fig));
	if (!pm_srcu_read_trylock(&pm_srcu, &idx))
		return;
	pm_for_each_arena(arena) {
		pm_arena_lock_uncounted(arena);
		pm_arena_collect(arena);
		for (n = 0; n < PM_NR_CLASS_FIELDS; n++)
			if (class < pm_class_fields[n].count)
				((u64 *)fig)[n] +=
					pm_field_value(&pm_class_fields[n],
						       arena, class);
		pm_arena_unlock(arena);
	}
	srcu_read_unlock(&pm_srcu, idx);
	if (pm_class_is_span(class)) {
		pm_span_get_stats(class, &span);
		fig->taken = span.taken;
		fig->out = span.out;
	}
	fig->magazine = min_t(u64, pm_mag_objects(class), fig->out);
}

#define PM_GLOBAL_MEMBER(name)	u64 name;

/* What is not an arena's: members as in PM_GLOBAL_FIGURES. */
struct pm_global_figures {
	PM_GLOBAL_FIGURES(PM_GLOBAL_MEMBER)
};

static void pm_global_figures(struct pm_global_figures *g)
{
	struct pm_large_stats large;
	unsigned int class;
	size_t objects;

	pm_large_get_stats(&large);
	g->span_bytes = pm_span_bytes();
	g->span_count = pm_span_objects();
	g->large_bytes = large.live;
	g->large_count = large.live_objects;
	g->large_cached_bytes = large.cached;
	g->meta_bytes = pm_meta_bytes();
	g->misuse = atomic_long_read(&pm_misuse_count);
	pm_for_each_class(class) {
		objects = pm_mag_objects(class);
		g->magazine_objects += objects;
		g->magazine_bytes += objects * pm_class_bytes(class);
	}
}

void pm_get_totals(struct pm_totals *t)
{
	struct pm_global_figures g = { 0 };
	struct pm_arena_figures fig, sum;
	unsigned int id, n;

	memset(&sum, 0, sizeof(sum));
	for (id = 0; id < pm_arena_table_size; id++) {
		if (!pm_arena_figures(id, &fig))
			continue;
		g.arenas++;
		for (n = 0; n < sizeof(sum) / sizeof(u64); n++)
			((u64 *)&sum)[n] += ((u64 *)&fig)[n];
	}
	/* Behind the arenas: what went to a magazine meanwhile is seen. */
	pm_global_figures(&g);
#define A(name)			sum.name
#define G(name)			g.name
#define PM_SET(name, expression) .name = pm_not_below_0(expression),
	*t = (struct pm_totals) { PM_TOTALS(PM_SET) };
#undef PM_SET
#undef G
#undef A
}
EXPORT_SYMBOL_GPL(pm_get_totals);
