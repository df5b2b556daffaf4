/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A free object, threads that carry it between magazine and arena, a caller
 * who takes it and gives it back, and somebody who must find out whether it is
 * free.
 *
 * What stands for what:
 *
 *	refill		pm_mag_refill()		lib/front/refill.c
 *	flush		pm_mag_flush_batch()
 *	INSTALL		pm_mag_here()
 *	BEGIN, END	pm_transit_begin(), pm_transit_end()	lib/front/transit.c
 *	look		pm_is_free(), pm_transit_stop(),
 *			pm_mag_drain_all_locked(), pm_arena_is_free()
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
 *	-DNO_COUNT	who carries does not count himself
 *	-DNO_GATE	who carries does not look at the gate
 *	-DLOOK_FIRST	who carries looks at the gate before he counts himself
 *	-DNO_WAIT	who looks does not wait for carriers
 *	-DWAIT_FIRST	who looks waits before he closes the gate
 *	-DEARLY_END	a carrier counts himself out before he hands over
 *	-DNO_MAG_LOCK	magazines may be installed while he looks
 *	-DNO_DRAIN	he does not look in magazines
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
#define COUNT(n)	skip
#else
#define COUNT(n)	count[me] = count[me] + (n)
#endif
#ifdef NO_GATE
#define CLOSED		false
#else
#define CLOSED		gate
#endif

#ifdef LOOK_FIRST
#define BEGIN		closed = CLOSED; COUNT(1)
#else
#define BEGIN		COUNT(1); closed = CLOSED
#endif
#define END		COUNT(-1)
#ifdef EARLY_END
#define END_EARLY	END
#define END_LATE	skip
#else
#define END_EARLY	skip
#define END_LATE	END
#endif

#define INSTALL								\
	atomic {							\
		if							\
		:: !mag && !mag_lock -> mag = true			\
		:: else							\
		fi							\
	}

/* To the magazine if there is one, else back to an arena. */
#define PUSH								\
	atomic {							\
		if							\
		:: mag -> at = MAG					\
		:: else -> at = HOME					\
		fi							\
	}

proctype carrier(byte me)
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
			:: atomic { at == HOME || at == SLAB -> at = CARRIED };
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
			:: atomic { mag && at == MAG -> at = CARRIED };
				END_EARLY;
				at = HOME
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
proctype caller()
{
	if
	:: atomic { (mag && at == MAG) || at == HOME || at == SLAB ->
		    at = OWNED; marked = false };
		INSTALL;
		atomic {
			marked = true;
			if
			:: mag -> at = MAG
			:: else -> at = SLAB
			fi
		}
	:: true
	fi
}

proctype look()
{
	byte i;

#ifdef WAIT_FIRST
	do
	:: i < CARRIERS -> count[i] == 0; i++
	:: else -> break
	od;
	gate = true;
#else
	gate = true;
#ifndef NO_WAIT
	do
	:: i < CARRIERS -> count[i] == 0; i++
	:: else -> break
	od;
#endif
#endif
	atomic { !mag_lock -> mag_lock = true };
#ifndef NO_DRAIN
	atomic {			/* publish, fence, own */
		mag = false;
		if
		:: at == MAG -> at = HOME
		:: else
		fi
	};
#endif
#ifdef NO_MAG_LOCK
	mag_lock = false;
#endif
	atomic {			/* the depots are flushed */
		if
		:: at == HOME -> at = SLAB
		:: else
		fi
	};
	assert(at == SLAB || !marked);
	mag_lock = false;
	gate = false
}

init {
	atomic {
		if
		:: at = MAG
		:: at = HOME
		:: at = SLAB
		fi;
		run carrier(0);
		run carrier(1);
		run caller();
		run look()
	}
}
