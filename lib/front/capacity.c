// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How many objects a magazine may hold.
 *
 * A stack begins with room for a few objects and doubles on every
 * miss (a pop that finds it empty, a push that finds it full) up to 16 KiB.
 * From there on it doubles when misses of the two kinds alternate: then more
 * room would have saved both. A CPU that only allocates, or only frees, gains
 * nothing from a large stack, and what it holds is of no use to others. The
 * end is 512 objects or 512 KiB, within a budget per CPU that only the first
 * few slots of a class may exceed. When the budget is spent a class that
 * misses takes room from others, from those that have not missed for some
 * time: a hand goes round as in the clock algorithm of page replacement, and
 * a class that it finds idle twice gives half of its room. A class that sees no miss
 * for a decay time gives half of its room back by itself. So a class that is
 * used little holds little, and a program that changes from some sizes to
 * others does not wait for it.
 */
#include "front/capacity.h"
#include "base/options.h"

#define PM_MAG_EASY_BYTES	(16U << 10)	/* of a class */
#define PM_MAG_LOOKS		8		/* at classes, for room */

/*
 * Between the slots of two classes: the NULL below the first slot, and a cache
 * line. Most classes have 512 slots, a page of them; without the line slots of
 * like depth of all classes would be in a few sets of a first-level cache.
 */
#define PM_MAG_GAP		(8 + SMP_CACHE_BYTES)

u32 pm_mag_base[PM_CLASS_END] __read_mostly;

/**
 * pm_mag_max_slots() - most objects of a class that a magazine may ever hold
 * @class: class number
 */
unsigned int pm_mag_max_slots(unsigned int class)
{
	size_t most = pm_class_is_cache(class) ? PM_CACHE_SLOTS :
						 PM_MAG_MAX_SLOTS;

	return min_t(size_t, PM_MAG_MAX_BYTES / pm_classes[class].size, most);
}

/**
 * pm_mag_lay_out() - decide where in a magazine each class's slots are
 *
 * Those of caches lie behind all others, for as many caches as there can be: so
 * a magazine's stacks are where they are for good.
 *
 * Context: once, at start.
 * Return: bytes of a magazine with all its slots.
 */
size_t pm_mag_lay_out(void)
{
	u32 at = ALIGN(sizeof(struct pm_magazine), 8);
	unsigned int class;

	for (class = 1; class < PM_CLASS_END; class++) {
		at += PM_MAG_GAP;
		pm_mag_base[class] = at;
		at += 8 * (pm_class_is_cache(class) ? PM_CACHE_SLOTS :
						      pm_mag_max_slots(class));
	}
	return at;
}

/**
 * pm_mag_room() - slots that a stack may use now
 * @mag: the magazine
 * @class: class of the stack
 */
unsigned int pm_mag_room(const struct pm_magazine *mag, unsigned int class)
{
	return (READ_ONCE(mag->stack[class].limit) - pm_mag_base[class]) / 8;
}

static void pm_mag_set_room(struct pm_magazine *mag, unsigned int class,
			    unsigned int room)
{
	WRITE_ONCE(mag->stack[class].limit, pm_mag_base[class] + room * 8);
}

/* What is left to a stack with more than the first slots that gives half. */
static unsigned int pm_mag_half(unsigned int room)
{
	return max_t(unsigned int, room - room / 2, PM_MAG_FIRST_SLOTS);
}

/* Whether @more slots of a class are within the budget. */
static bool pm_mag_has_budget(const struct pm_magazine *mag,
			      unsigned int class, unsigned int more)
{
	return READ_ONCE(mag->capacity) + (long)more * pm_classes[class].size <=
	       (long)pm_options.magazine_bytes;
}

/*
 * Make budget for @more slots of @class at the cost of classes that are idle.
 * One call goes a short way, so that a class has some misses' time to show that
 * it is none of them, and a miss stays cheap. Objects above a lowered limit stay
 * until they are popped, or until the next push finds them.
 */
static bool pm_mag_take_room(struct pm_magazine *mag, unsigned int class,
			     unsigned int more)
{
	unsigned int looks, victim = READ_ONCE(mag->hand), room, half;

	for (looks = 0; looks < PM_MAG_LOOKS; looks++) {
		victim = victim % (pm_class_end() - 1) + 1;
		room = pm_mag_room(mag, victim);
		if (victim == class || room <= PM_MAG_FIRST_SLOTS)
			continue;
		if (READ_ONCE(mag->busy[victim])) {
			WRITE_ONCE(mag->busy[victim], 0);
			continue;
		}
		half = pm_mag_half(room);
		pm_mag_set_room(mag, victim, half);
		WRITE_ONCE(mag->capacity, READ_ONCE(mag->capacity) -
			   (long)(room - half) * pm_classes[victim].size);
		if (pm_mag_has_budget(mag, class, more))
			break;
	}
	WRITE_ONCE(mag->hand, victim);
	return looks < PM_MAG_LOOKS;
}

/**
 * pm_mag_grow() - a stack was found empty or full: it may get twice the room
 * @mag: the magazine
 * @class: class of the stack
 * @miss: which of the two
 *
 * Two threads may do so at once; @capacity is then a little off until
 * pm_mag_shrink() puts it right.
 *
 * Return: whether it has more room now.
 */
bool pm_mag_grow(struct pm_magazine *mag, unsigned int class,
		 enum pm_miss miss)
{
	unsigned int room = pm_mag_room(mag, class);
	unsigned int max = pm_mag_max_slots(class), more;
	bool turned = READ_ONCE(mag->last[class]) != miss;

	WRITE_ONCE(mag->busy[class], 1);
	WRITE_ONCE(mag->last[class], miss);
	if (room >= max ||
	    (!turned && room * pm_classes[class].size >= PM_MAG_EASY_BYTES))
		return false;
	more = room ? min_t(unsigned int, room, max - room) :
		      min_t(unsigned int, PM_MAG_FIRST_SLOTS, max);
	/* Every class may have its first few slots, whatever the others have. */
	if (room) {
		if (!pm_mag_has_budget(mag, class, more) &&
		    !pm_mag_take_room(mag, class, more))
			return false;
		WRITE_ONCE(mag->capacity, READ_ONCE(mag->capacity) +
			   (long)more * pm_classes[class].size);
	}
	pm_mag_set_room(mag, class, room + more);
	return true;
}

/**
 * pm_mag_excess() - objects above the limit: room was taken from the stack
 * @mag: the magazine
 * @class: class of the stack
 */
unsigned int pm_mag_excess(const struct pm_magazine *mag, unsigned int class)
{
	u32 top = READ_ONCE(mag->stack[class].top);
	u32 limit = READ_ONCE(mag->stack[class].limit);

	return top > limit ? (top - limit) / 8 : 0;
}

/**
 * pm_mag_room_left() - whether a push would find room
 * @mag: the magazine
 * @class: class of the stack
 *
 * Return: a hint: others push and pop.
 */
bool pm_mag_room_left(const struct pm_magazine *mag, unsigned int class)
{
	return READ_ONCE(mag->stack[class].top) <
	       READ_ONCE(mag->stack[class].limit);
}

/**
 * pm_mag_has_room() - whether a push would find room, or never had any
 * @mag: the magazine
 * @class: class of the stack
 *
 * Return: a hint: others push and pop.
 */
bool pm_mag_has_room(const struct pm_magazine *mag, unsigned int class)
{
	return pm_mag_room_left(mag, class) || !pm_mag_room(mag, class);
}

/**
 * pm_mag_has_object() - whether a pop would find an object
 * @mag: the magazine
 * @class: class of the stack
 *
 * Return: a hint: others push and pop.
 */
bool pm_mag_has_object(const struct pm_magazine *mag, unsigned int class)
{
	return READ_ONCE(mag->stack[class].top) > pm_mag_base[class];
}

/**
 * pm_mag_take_all_room() - a stack that is empty is to have no slots
 * @mag: the magazine
 * @class: class of the stack
 *
 * Context: no CPU has the magazine.
 */
void pm_mag_take_all_room(struct pm_magazine *mag, unsigned int class)
{
	unsigned int room = pm_mag_room(mag, class);

	if (room > PM_MAG_FIRST_SLOTS)
		WRITE_ONCE(mag->capacity, READ_ONCE(mag->capacity) -
			   (long)(room - PM_MAG_FIRST_SLOTS) *
			   pm_classes[class].size);
	pm_mag_set_room(mag, class, 0);
}

/**
 * pm_mag_shrink() - classes that were not used give room back
 * @mag: the magazine
 *
 * A class without a miss since the last look gives half of its room back;
 * objects above the new limit stay until they are popped. A user of the
 * magazine may grow the limit at the same time: one of the two is lost.
 */
void pm_mag_shrink(struct pm_magazine *mag)
{
	unsigned int class, room;
	long capacity = 0;

	pm_for_each_class(class) {
		room = pm_mag_room(mag, class);
		if (room > PM_MAG_FIRST_SLOTS && !READ_ONCE(mag->busy[class])) {
			room = pm_mag_half(room);
			pm_mag_set_room(mag, class, room);
		}
		WRITE_ONCE(mag->busy[class], 0);
		if (room > PM_MAG_FIRST_SLOTS)
			capacity += (long)(room - PM_MAG_FIRST_SLOTS) *
				    pm_classes[class].size;
	}
	WRITE_ONCE(mag->capacity, capacity);
}
