// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Parts: all memory that is mapped, by what it is used for, and how much of
 * each part has pages.
 *
 * The idea. The bytes of a part are those of the totals. Its resident bytes are
 * found by asking the host which pages are there: heaps under their arenas'
 * locks, extents and descriptors. That is what the host counts, too, so the sum
 * over all parts agrees with it.
 *
 * The limits. Objects of magazines and depots lie among those of callers. Their
 * resident bytes are taken off those of all objects that are out of their slabs,
 * and rest is live: what waits in an inbox as well.
 */
#include "api/stats.h"
#include "arena/registry.h"
#include "arena/resident.h"
#include "back/extent.h"
#include "front/magazine.h"

#define PM_FIELD_P(_name, _how)						\
	{ .name = #_name, .how = PM_FIELD_TEXT, .text = "T(" #_name ")" },

const struct pm_field pm_part_fields[PM_NR_PARTS] = { PM_PARTS(PM_FIELD_P) };

#define PM_PART_HOW(_name, how)		#how,

/* How the resident bytes of a part are found. */
static const char *const pm_part_hows[PM_NR_PARTS] = { PM_PARTS(PM_PART_HOW) };

/**
 * pm_part_name() - what a part is called
 * @n: number of the part
 */
const char *pm_part_name(unsigned int n)
{
	return pm_part_fields[n].name;
}

/**
 * pm_part_how() - how its resident bytes are found
 * @n: number of the part
 *
 * Return: "measured" or "counted".
 */
const char *pm_part_how(unsigned int n)
{
	return pm_part_hows[n];
}

static void pm_arenas_resident(struct pm_resident *sum, u64 *depot)
{
	struct pm_arena *arena;

	pm_for_each_arena(arena) {
		pm_arena_lock_uncounted(arena);
		pm_arena_collect(arena);
		pm_arena_resident(arena, sum);
		*depot += pm_arena_depot_resident(arena);
		pm_arena_unlock(arena);
	}
}

static u64 pm_magazines_resident(void)
{
	unsigned int index;
	struct pm_bytes mag;
	u64 bytes = 0;

	for (index = 0; index < pm_percpu_count(); index++)
		if (pm_magazine_bytes(index, &mag))
			bytes += mag.resident;
	return bytes;
}

/**
 * pm_magazine_bytes() - what one magazine holds
 * @index: the CPU's number
 * @mag: where to put it
 *
 * Context: any. Magazines move while they are looked at.
 * Return: false when the CPU has no magazine.
 */
bool pm_magazine_bytes(unsigned int index, struct pm_bytes *mag)
{
	size_t bytes, resident;

	if (!pm_mag_held(index, &bytes, &resident))
		return false;
	mag->bytes = bytes;
	mag->resident = resident;
	return true;
}

static u64 pm_less(u64 a, u64 b)
{
	return a > b ? a - b : 0;
}

/* Whether the host could tell; then all but @bytes is there. */
static bool pm_parts_measure(struct pm_parts *parts)
{
	struct pm_bytes *part = parts->part;
	struct pm_resident sum = { 0 };
	long meta = pm_meta_resident();
	u64 depot = 0;
	int idx;

	if (meta < 0 || !pm_srcu_read_trylock(&pm_srcu, &idx))
		return false;
	pm_arenas_resident(&sum, &depot);
	pm_extents_resident(&sum);
	srcu_read_unlock(&pm_srcu, idx);
	part[PM_PART_magazine].resident = pm_magazines_resident();
	part[PM_PART_depot].resident = depot;
	part[PM_PART_live].resident =
		pm_less(sum.out, depot + part[PM_PART_magazine].resident);
	part[PM_PART_slab_free].resident = sum.slab_free;
	part[PM_PART_heap_free].resident = sum.heap_free;
	part[PM_PART_large_cached].resident = sum.cached;
	part[PM_PART_meta].resident = meta;
	return true;
}

/**
 * pm_get_parts() - split all memory by what it is used for
 * @parts: where to put it
 * @t: the totals, from which the bytes are taken
 *
 * Context: may sleep on arena locks.
 */
void pm_get_parts(struct pm_parts *parts, const struct pm_totals *t)
{
	unsigned int n;

#define PM_PART_TOTAL(name, how) t->name,
	const size_t bytes[PM_NR_PARTS] = { PM_PARTS(PM_PART_TOTAL) };
#undef PM_PART_TOTAL

	memset(parts, 0, sizeof(*parts));
	parts->is_measured = pm_parts_measure(parts);
	for (n = 0; n < PM_NR_PARTS; n++) {
		parts->part[n].bytes = bytes[n];
		parts->sum.bytes += bytes[n];
		parts->sum.resident += parts->part[n].resident;
	}
}
