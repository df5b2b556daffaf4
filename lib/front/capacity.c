// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How many objects a magazine may hold.
 *
 * A stack begins with room for a few objects and doubles on every
 * miss (a pop that finds it empty, a push that finds it full) up to 16 KiB, or
 * less where many CPUs share what the process may cache.
 * From there on it doubles when misses of the two kinds alternate: then more
 * room would have saved both. A CPU that only allocates, or only frees, gains
 * nothing from a large stack, and what it holds is of no use to others. The
 * end is 512 objects (fewer with more than eight CPUs, down to 128) or 512 KiB,
 * within a budget per CPU that only the first
 * few slots of a class may exceed. When the budget is spent a class that
 * misses takes room from others, from those that have not missed for some
 * time: a hand goes round as in the clock algorithm of page replacement, and
 * a class that it finds idle twice gives half of its room. A class that sees no miss
 * for a decay time gives half of its room back by itself. So a class that is
 * used little holds little, and a program that changes from some sizes to
 * others does not wait for it.
 *
 * A span is as long as many objects of slabs, and memory that lies in one class of
 * spans serves no other class, while extents serve all. So a class of spans has no
 * slots but in the budget, and gets the first only if it misses the other way soon after it
 * has missed: few misses of other spans came in between. That is so where a few
 * sizes come again and again, and not where any size may be next. A class whose
 * misses have become rare among others' gives half. All classes of spans together have
 * a sixteenth of the budget, or one span: a short thread that takes two or three of any
 * size would else fill them, and extents are as good for it. What a stack
 * then has beyond its room goes to the arena with the CPU's next refill; that of
 * small objects stays.
 */
#include "front/capacity.h"
#include "back/share.h"
#include "base/options.h"

#define PM_MAG_EASY_BYTES	(16U << 10)	/* of a class */
#define PM_MAG_EASY_PART	128		/* ... and of the CPU's share */
#define PM_MAG_ALL_SLOTS	4096		/* of a class, on all CPUs */
#define PM_MAG_FEW_SLOTS	128		/* ... and on each, at least */
#define PM_MAG_LOOKS		8		/* at classes, for room */
#define PM_MAG_SPAN_SHARE	16		/* of the budget, or one span */
#define PM_MAG_SOON		4		/* misses of spans, to the next */
#define PM_MAG_LATE		12		/* ... of the same class */

/*
 * Between the slots of two classes: the NULL below the first slot, and a cache
 * line. Most classes have 512 slots, a page of them; without the line slots of
 * like depth of all classes would be in a few sets of a first-level cache.
 */
#define PM_MAG_GAP		(8 + SMP_CACHE_BYTES)

u32 pm_mag_base[PM_CLASS_END] __read_mostly;

/* Most slots of a class. Set once, by pm_mag_lay_out(). */
static unsigned int pm_mag_slots __read_mostly = PM_MAG_MAX_SLOTS;

/* As many as the layout has room for, whatever the class's size is. */
static unsigned int pm_mag_most_slots(unsigned int class)
{
	return pm_class_is_cache(class) ?
	       min_t(unsigned int, PM_CACHE_SLOTS, pm_mag_slots) : pm_mag_slots;
}

/**
 * pm_mag_max_slots() - most objects of a class that a magazine may ever hold
 * @class: class number
 */
unsigned int pm_mag_max_slots(unsigned int class)
{
	if (pm_class_is_span(class))
		return PM_MAG_MAX_SPAN_BYTES / pm_classes[class].size;
	return min_t(size_t, PM_MAG_MAX_BYTES / pm_classes[class].size,
		     pm_mag_most_slots(class));
}

/*
 * A stack of 512 slots is a page, whatever is in it. Many CPUs have less to share
 * each, and stacks so short that several have a page together.
 */
static void pm_mag_set_slots(void)
{
	unsigned int slots = PM_MAG_ALL_SLOTS / pm_percpu_count();

	pm_mag_slots = min_t(unsigned int, PM_MAG_MAX_SLOTS,
			     max_t(unsigned int, slots, PM_MAG_FEW_SLOTS));
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

	pm_mag_set_slots();
	for (class = 1; class < PM_CLASS_END; class++) {
		at += PM_MAG_GAP;
		pm_mag_base[class] = at;
		at += 8 * (pm_class_is_cache(class) ?
			   pm_mag_most_slots(class) :
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

/* Slots that a class has in no budget. */
static unsigned int pm_mag_first_slots(unsigned int class)
{
	return pm_class_is_span(class) ? 0 : PM_MAG_FIRST_SLOTS;
}

/* What is left to a stack with more than the first slots that gives half. */
static unsigned int pm_mag_half(unsigned int class, unsigned int room)
{
	if (pm_class_is_span(class))
		return room / 2;
	return max_t(unsigned int, room - room / 2, PM_MAG_FIRST_SLOTS);
}

/* A stack gives half of its room. Return: what it has then. */
static unsigned int pm_mag_give_half(struct pm_magazine *mag,
				     unsigned int class, unsigned int room)
{
	room = pm_mag_half(class, room);
	pm_mag_set_room(mag, class, room);
	if (pm_class_is_span(class) && pm_mag_excess(mag, class))
		WRITE_ONCE(mag->has_excess, true);
	return room;
}

/* Whether @more slots of a class are within the budget. */
static bool pm_mag_has_budget(const struct pm_magazine *mag,
			      unsigned int class, unsigned int more)
{
	long bytes = (long)more * pm_classes[class].size;
	long budget = (long)pm_share_of_magazine();

	if (pm_class_is_span(class) && READ_ONCE(mag->span_capacity) &&
	    READ_ONCE(mag->span_capacity) + bytes > budget / PM_MAG_SPAN_SHARE)
		return false;
	return READ_ONCE(mag->capacity) + bytes <= budget;
}

/* A class has @slots more in the budget, or fewer. */
static void pm_mag_charge(struct pm_magazine *mag, unsigned int class, long slots)
{
	long bytes = slots * (long)pm_classes[class].size;

	WRITE_ONCE(mag->capacity, READ_ONCE(mag->capacity) + bytes);
	if (pm_class_is_span(class))
		WRITE_ONCE(mag->span_capacity, READ_ONCE(mag->span_capacity) + bytes);
}

/* The class behind @class, round all of them, or round those of spans. */
static unsigned int pm_mag_next(unsigned int class, bool spans)
{
	unsigned int first = spans ? PM_NR_SLAB_CLASSES : 1;
	unsigned int end = spans ? PM_NR_CLASSES : pm_class_end();

	return class < first || class + 1 >= end ? first : class + 1;
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
	bool spans = pm_class_is_span(class);
	unsigned int looks, victim = READ_ONCE(mag->hand[spans]), room, half;

	for (looks = 0; looks < PM_MAG_LOOKS; looks++) {
		victim = pm_mag_next(victim, spans);
		room = pm_mag_room(mag, victim);
		if (victim == class || room <= pm_mag_first_slots(victim))
			continue;
		if (READ_ONCE(mag->busy[victim])) {
			WRITE_ONCE(mag->busy[victim], 0);
			continue;
		}
		half = pm_mag_give_half(mag, victim, room);
		pm_mag_charge(mag, victim, (long)half - room);
		if (pm_mag_has_budget(mag, class, more))
			break;
	}
	WRITE_ONCE(mag->hand[spans], victim);
	return looks < PM_MAG_LOOKS;
}

/* Within the budget, or beyond it for the first few: @more slots. */
static bool pm_mag_add_room(struct pm_magazine *mag, unsigned int class,
			    unsigned int room, unsigned int more)
{
	if (room || pm_class_is_span(class)) {
		if (!pm_mag_has_budget(mag, class, more) &&
		    !pm_mag_take_room(mag, class, more))
			return false;
		pm_mag_charge(mag, class, more);
	}
	pm_mag_set_room(mag, class, room + more);
	return true;
}

/* Whether a stack that misses in one direction only has what it may have. */
static bool pm_mag_has_enough(unsigned int class, unsigned int room)
{
	return room * pm_classes[class].size >=
	       min_t(size_t, PM_MAG_EASY_BYTES,
		     pm_share_of_magazine() / PM_MAG_EASY_PART);
}

/* Count a miss of a class of spans. Return: how many there were since its last one. */
static u8 pm_mag_misses_since(struct pm_magazine *mag, unsigned int class)
{
	u8 *last = &mag->span_missed[class - PM_NR_SLAB_CLASSES];
	u8 now = READ_ONCE(mag->span_misses) + 1, since = now - READ_ONCE(*last);

	WRITE_ONCE(mag->span_misses, now);
	WRITE_ONCE(*last, now);
	return since;
}

/* A stack of spans may get more room, or give some. Return: whether it got it. */
static bool pm_mag_grow_spans(struct pm_magazine *mag, unsigned int class,
			      bool turned)
{
	unsigned int room = pm_mag_room(mag, class), half;
	unsigned int max = pm_mag_max_slots(class), more;
	u8 since = pm_mag_misses_since(mag, class);

	if (since > PM_MAG_LATE) {
		half = pm_mag_give_half(mag, class, room);
		pm_mag_charge(mag, class, (long)half - room);
		return false;
	}
	if (since > PM_MAG_SOON || !turned || room >= max)
		return false;
	more = min_t(unsigned int, max_t(unsigned int, room, 1), max - room);
	return pm_mag_add_room(mag, class, room, more);
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
	if (pm_class_is_span(class))
		return pm_mag_grow_spans(mag, class, turned);
	if (room >= max || (!turned && pm_mag_has_enough(class, room)))
		return false;
	more = room ? room : PM_MAG_FIRST_SLOTS;
	more = min_t(unsigned int, more, max - room);
	/* Every class may have its first few slots, whatever the others have. */
	return pm_mag_add_room(mag, class, room, more);
}

/**
 * pm_mag_take_excess() - whether stacks of spans may have excess, asked once
 * @mag: the magazine
 */
bool pm_mag_take_excess(struct pm_magazine *mag)
{
	if (likely(!READ_ONCE(mag->has_excess)))
		return false;
	WRITE_ONCE(mag->has_excess, false);
	return true;
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
 * A class without a miss since the last look gives half of its room back, and each
 * when the magazine has more than its share;
 * objects above the new limit stay until they are popped. A user of the
 * magazine may grow the limit at the same time: one of the two is lost.
 */
void pm_mag_shrink(struct pm_magazine *mag)
{
	bool over = READ_ONCE(mag->capacity) > (long)pm_share_of_magazine();
	unsigned int class, room, first;
	long capacity[2] = { 0 };

	pm_for_each_class(class) {
		room = pm_mag_room(mag, class);
		first = pm_mag_first_slots(class);
		if (room > first && (over || !READ_ONCE(mag->busy[class])))
			room = pm_mag_give_half(mag, class, room);
		WRITE_ONCE(mag->busy[class], 0);
		if (room > first)
			capacity[pm_class_is_span(class)] +=
				(long)(room - first) * pm_classes[class].size;
	}
	WRITE_ONCE(mag->capacity, capacity[0] + capacity[1]);
	WRITE_ONCE(mag->span_capacity, capacity[1]);
}
