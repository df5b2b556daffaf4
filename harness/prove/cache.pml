/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A cache is destroyed, and its class number may be another's: two objects that
 * lie in slabs of two arenas, in magazines, depots, on remote lists, or that
 * somebody has, while a magazine is drained, a depot decays, an arena is retired,
 * and a thread that should not gives an object back.
 *
 * Steps:
 *
 *	A  pm_class_give_up() takes pm_registry and pm_mag_lock: no arena is retired, no
 *	   magazine is made or drained
 *	B  it empties the class's stack in every magazine
 *	C  it empties inboxes, remote lists and depots of all arenas into slabs,
 *	   twice, for a depot sends on what is another arena's
 *	D  it counts the objects that are not in their slab
 *	E  it gives the free slabs back to their heaps; the page map forgets them
 *	F  pm_caches_remove() makes the class number free for another cache, if D
 *	   has counted none
 *
 * What stands for what:
 *
 *	place		where an object is; an inbox is a depot here, for both are
 *			taken in at once under the arena's lock
 *	home		the arena that owns the object's slab
 *	out		per arena, objects that are not in their slab
 *	mapped		the page map knows the class
 *
 * What happens under an arena's lock is one step. Who drains a magazine has its
 * objects in hand for a while, with pm_mag_lock held. What is shown: when the number
 * becomes free all objects are in slabs, and the page map knows none of them; and when
 * all objects were given back before, the number does become free. Left out or
 * done wrong on purpose:
 *
 *	-DNO_REGISTRY	A does not take the registry
 *	-DNO_MAG_LOCK	A does not take pm_mag_lock
 *	-DNO_STACKS	B is left out
 *	-DNO_DEPOTS	C is left out
 *	-DONE_PASS	C goes round once
 *	-DEARLY_COUNT	D comes before C
 *	-DNO_COUNT	F does not look at what D has counted
 *	-DNO_FORGET	E is left out
 */
#define OBJECTS	2

#define SLAB	0
#define MAG(c)	(1 + (c))
#define DEPOT(a) (3 + (a))
#define REMOTE(a) (5 + (a))
#define HAND	7
#define USER	8

byte place[OBJECTS];
byte home[OBJECTS];
byte out[2];
bool mapped = true;
bool registry;			/* "the registry" */
bool mag_lock;			/* "pm_mag_lock" */
bool late;			/* somebody frees while the cache is destroyed */
bool over;

#define LOCK(l)		atomic { !l -> l = true }	/* "locks {it} / waits for {it}" */
#define UNLOCK(l)	l = false
#define EACH(o)		o = 0; do :: o < OBJECTS ->
#define DONE(o)		o++ :: else -> break od; o = 0

inline come_home(o)
{
	place[o] = SLAB;		/* "takes object {o} home to its slab" */
	out[home[o]]--
}

/* Under arena @a's lock: the remote list, then the depot. */
inline empty_arena(a, o)
{
	atomic {
		EACH(o)
			if
			:: place[o] == REMOTE(a) && home[o] == a -> come_home(o)
			:: place[o] == REMOTE(a) && home[o] != a ->
				place[o] = REMOTE(home[o])	/* "sends object {o} on to arena {home[o]}" */
			:: place[o] == DEPOT(a) && home[o] == a -> come_home(o)
			:: place[o] == DEPOT(a) && home[o] != a ->
				place[o] = REMOTE(home[o])	/* "sends object {o} on to arena {home[o]}" */
			:: else
			fi;
		DONE(o)
	}
}

/* pm_mag_tick() and its like. */
proctype drain()		/* "a drain" */
{
	byte o, c;
end:
	do
	:: atomic { !mag_lock && !over -> mag_lock = true };	/* "locks pm_mag_lock" */
		if :: c = 0 :: c = 1 fi;
		atomic {
			EACH(o)
				if
				:: place[o] == MAG(c) -> place[o] = HAND	/* "takes object {o} from magazine {c}" */
				:: else
				fi;
			DONE(o)
		};
		atomic {
			EACH(o)
				if
				:: place[o] == HAND -> place[o] = DEPOT(home[o])	/* "puts object {o} into the depot of arena {home[o]}" */
				:: else
				fi;
			DONE(o)
		};
		UNLOCK(mag_lock)
	:: over -> break
	od
}

proctype decay()		/* "decay" */
{
	byte o;
end:
	do
	:: !over -> empty_arena(0, o)
	:: !over -> empty_arena(1, o)
	:: over -> break
	od
}

/* Arena @a's heaps and accounts go to @b. */
inline adopt(a, b, o)
{
	atomic {
		EACH(o)
			if
			:: home[o] == a -> home[o] = b	/* "object {o}: arena {a} -> arena {b}" */
			:: else
			fi;
			if
			:: place[o] == DEPOT(a) -> place[o] = DEPOT(b)
			:: place[o] == REMOTE(a) -> place[o] = REMOTE(b)
			:: else
			fi;
		DONE(o);
		out[b] = out[b] + out[a];
		out[a] = 0
	}
}

proctype retire()		/* "pm_arena_retire()" */
{
	byte o;
end:
	do
	:: atomic { !registry && !over -> registry = true };	/* "locks the registry" */
		if
		:: adopt(0, 1, o)
		:: adopt(1, 0, o)
		fi;
		UNLOCK(registry)
	:: over -> break
	od
}

proctype user()			/* "a caller" */
{
	if
	:: atomic { place[0] == USER && late -> place[0] = MAG(1) }	/* "frees object 0, into magazine 1" */
	:: atomic { place[0] == USER && late -> place[0] = REMOTE(home[0]) }	/* "frees object 0, without the lock" */
	:: over
	fi
}

inline empty_stack(c, o)
{
	atomic {
		EACH(o)
			if
			:: place[o] == MAG(c) -> place[o] = DEPOT(home[o])	/* "magazine {c}: object {o} to a depot" */
			:: else
			fi;
		DONE(o)
	}
}

inline count()
{
	sum = out[0];
	sum = sum + out[1]	/* "counts what is not in its slab: {sum}" */
}

proctype destroy()		/* "pm_class_give_up()" */
{
	byte o, sum;
	bool freed = !late && place[0] != USER && place[1] != USER;

#ifndef NO_REGISTRY
	LOCK(registry);						/* A */
#else
	skip;							/* without A */
#endif
#ifndef NO_MAG_LOCK
	LOCK(mag_lock);						/* A */
#else
	skip;							/* without A */
#endif
#ifndef NO_STACKS
	skip;			/* B: "empties the class's stacks" */
	empty_stack(0, o);
	empty_stack(1, o);
#else
	skip;							/* without B */
#endif
#ifdef EARLY_COUNT
	count();
	skip;							/* D too early: "(too early)" */
#endif
#ifndef NO_DEPOTS
	skip;			/* C: "empties inboxes, remote lists and depots" */
	empty_arena(0, o);
	empty_arena(1, o);
#ifndef ONE_PASS
	skip;			/* C: "and once more" */
	empty_arena(0, o);
	empty_arena(1, o);
#else
	skip;							/* without C */
#endif
#else
	skip;							/* without C */
#endif
#ifndef EARLY_COUNT
	skip;							/* D */
	count();
#endif
#ifndef NO_FORGET
	mapped = place[0] != SLAB || place[1] != SLAB;	/* E: "gives the free slabs back" */
#else
	skip;							/* without E */
#endif
#ifdef NO_COUNT
	sum = 0;						/* without F */
#endif
	if
	:: sum == 0 ->		/* F: "makes the number free" */
		assert(place[0] == SLAB && place[1] == SLAB);	/* "The number is free, and an object is not in its slab." */
		assert(!mapped)	/* "The number is free, and the page map knows the class." */
	:: else ->		/* F: "keeps the number" */
		assert(!freed)	/* "All was given back, and the number does not become free." */
	fi;
	over = true
}

inline put_somewhere(o)
{
	if
	:: place[o] = SLAB	/* "object {o} is in its slab, of arena {home[o]}" */
	:: place[o] = MAG(0)	/* "object {o} of arena {home[o]} is in magazine 0" */
	:: place[o] = MAG(1)	/* "object {o} of arena {home[o]} is in magazine 1" */
	:: place[o] = DEPOT(0)	/* "object {o} of arena {home[o]} is in the depot of arena 0" */
	:: place[o] = DEPOT(1)	/* "object {o} of arena {home[o]} is in the depot of arena 1" */
	:: place[o] = REMOTE(0); home[o] = 0	/* "object {o} is on the remote list of arena 0" */
	:: place[o] = USER	/* "somebody has object {o} of arena {home[o]}" */
	fi;
	if
	:: place[o] != SLAB -> out[home[o]]++
	:: else
	fi
}

init {
	atomic {
		if :: home[0] = 0 :: home[0] = 1 fi;
		if :: home[1] = 0 :: home[1] = 1 fi;
		put_somewhere(0);
		put_somewhere(1);
		if
		:: late = true	/* "somebody frees late" */
		:: skip
		fi;
		run drain();
		run decay();
		run retire();
		run user();
		run destroy()
	}
}
