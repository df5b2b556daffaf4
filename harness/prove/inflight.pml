/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A free object, threads that carry it between magazine and arena, a caller
 * who takes it and gives it back, and somebody who must find out whether it is
 * free.
 *
 * Steps:
 *
 *	A  pm_inflight_begin() counts the carrier
 *	B  it looks at the gate; when that is closed nothing is carried
 *	C  the carrier takes objects from where they are
 *	D  it hands them over
 *	E  pm_inflight_end() counts the carrier out
 *	F  pm_inflight_stop() closes the gate
 *	G  it waits until every count is 0
 *	H  pm_find() takes pm_mag_lock: no CPU gets a magazine
 *	I  pm_mag_drain_all_locked() empties the magazines
 *	J  pm_arenas_find() gives what depots and inboxes hold to slabs
 *	K  it looks at the bitmap, and whether the mark is still there
 *	L  pm_inflight_resume() opens the gate
 *
 * What stands for what:
 *
 *	refill		pm_mag_refill_batch()
 *	flush		pm_mag_flush_batch()
 *	INSTALL		pm_mag_here()
 *	BEGIN, END	pm_inflight_begin(), pm_inflight_end()
 *	look		pm_find(), for pm_is_free() and pm_has_copy()
 *	HOME		under an arena's lock: in a depot, an inbox or a slab
 *	SLAB		in its slab
 *
 * One object is enough: each is carried and looked for by itself. Memory is
 * sequentially consistent; what a missing barrier would allow, the load
 * before the store, is written out in LOOK_FIRST and WAIT_FIRST. A pop, and
 * the wiping of the mark that follows it, are one step: whoever is between
 * the two owns the object already.
 *
 * The object is free and marked when the look begins, so the verdict must
 * be "free": it is in its slab, or its mark has gone because it was handed
 * out. Left out or done wrong on purpose:
 *
 *	-DNO_COUNT	A is left out
 *	-DNO_GATE	B is left out
 *	-DLOOK_FIRST	B comes before A
 *	-DEARLY_END	E comes before D
 *	-DNO_WAIT	G is left out
 *	-DWAIT_FIRST	G comes before F
 *	-DNO_MAG_LOCK	H is left out
 *	-DNO_DRAIN	I is left out
 *	-DNO_FLUSH	J is left out
 */
#define CARRIERS	2
#define OPS		2

mtype = { MAG, HOME, SLAB, CARRIED, OWNED };

mtype at = MAG;
bool marked = true;
bool mag = true;		/* the CPU has a magazine */
bool mag_lock;
bool gate;			/* closed */
byte count[CARRIERS];

#ifdef NO_COUNT
#define COUNT(n)	skip			/* without A */
#else
#define COUNT(n)	count[me] = count[me] + (n)	/* "counts itself {count[me]?in:out}" */
#endif
#ifdef NO_GATE
#define LOOK		closed = false		/* without B */
#else
#define LOOK		closed = gate	/* "looks at the gate: {closed?closed:open}" */
#endif

#ifdef LOOK_FIRST
#define BEGIN		LOOK; /* B too early */ COUNT(1)	/* A */
#else
#define BEGIN		COUNT(1); /* A */ LOOK	/* B */
#endif
#define END		COUNT(-1)			/* E */
#ifdef EARLY_END
#define END_EARLY	COUNT(-1)		/* E too early */
#define END_LATE	skip
#else
#define END_EARLY	skip
#define END_LATE	END
#endif

#define INSTALL								\
	atomic {							\
		if							\
		:: !mag && !mag_lock -> mag = true	/* "installs a magazine" */ \
		:: else							\
		fi							\
	}

/* D: to the magazine if there is one, else back to an arena. */
#define PUSH								\
	atomic {							\
		if							\
		:: mag -> at = MAG	/* D: "pushes it to the magazine" */ \
		:: else -> at = HOME	/* D: "puts it back into an arena" */ \
		fi							\
	}

proctype carrier(byte me)		/* "carrier {me}" */
{
	byte op;
	bool closed;

	do
	:: op == OPS -> break
	:: op < OPS -> op++;				/* refill */
		INSTALL;
		BEGIN;
		if
		:: closed
		:: else ->
			if
			:: atomic { at == HOME || at == SLAB ->
				    at = CARRIED };	/* C: "takes the object from an arena" */
				END_EARLY;
				PUSH
			:: else -> END_EARLY
			fi
		fi;
		if
		:: closed -> END
		:: else -> END_LATE
		fi;
		closed = false
	:: op < OPS -> op++;				/* flush */
		BEGIN;
		if
		:: closed
		:: else ->
			if
			:: atomic { mag && at == MAG ->
				    at = CARRIED };	/* C: "pops the object" */
				END_EARLY;
				at = HOME	/* D: "gives it to an arena" */
			:: else -> END_EARLY
			fi
		fi;
		if
		:: closed -> END
		:: else -> END_LATE
		fi;
		closed = false
	od
}

/* Takes one object, from where it is to be had, and gives it back. */
proctype caller()			/* "malloc, free" */
{
	if
	:: atomic { (mag && at == MAG) || at == HOME || at == SLAB ->
		    at = OWNED; marked = false };	/* "malloc: gets the object, wipes the mark" */
		INSTALL;
		atomic {
			marked = true;		/* "free: marks it" */
			if
			:: mag -> at = MAG	/* "pushes it to the magazine" */
			:: else -> at = SLAB	/* "puts it into its slab" */
			fi
		}
	:: true
	fi
}

proctype look()				/* "who looks" */
{
	byte i;

#ifndef WAIT_FIRST
	gate = true;			/* F: "closes the gate" */
#endif
#ifndef NO_WAIT
	do
	:: i < CARRIERS -> count[i] == 0; i++
#ifdef WAIT_FIRST
	:: else ->			/* G too early: "every count is 0" */
		break
#else
	:: else ->			/* G: "every count is 0" */
		break
#endif
	od;
#else
	/* without G */
#endif
#ifdef WAIT_FIRST
	gate = true;			/* F: "closes the gate" */
#endif
#ifndef NO_MAG_LOCK
	atomic { !mag_lock -> mag_lock = true };	/* H: "locks pm_mag_lock" */
#else
	skip;				/* without H */
#endif
#ifndef NO_DRAIN
	atomic {			/* publish, fence, own */
		mag = false;		/* I: "empties the magazines" */
		if
		:: at == MAG -> at = HOME
		:: else
		fi
	};
#else
	/* without I */
#endif
#ifndef NO_FLUSH
	atomic {
		if
		:: at == HOME -> at = SLAB	/* J: "takes it home from an arena" */
		:: else		/* J: "empties depots and inboxes: not there" */
		fi
	};
#else
	skip;				/* without J */
#endif
	assert(at == SLAB || !marked);	/* K: "It is free, yet not in its slab: taken for live." */
	mag_lock = false;
	gate = false			/* L */
}

init {
	atomic {
		if
		:: at = MAG	/* "the object is free, in the magazine" */
		:: at = HOME	/* "the object is free, in a depot" */
		:: at = SLAB	/* "the object is free, in its slab" */
		fi;
		run carrier(0);
		run carrier(1);
		run caller();
		run look()
	}
}
