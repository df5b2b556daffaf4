/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * fork() beside threads that allocate with a lock of the C library held, and
 * fork() in a signal handler over malloc() or free().
 *
 * Steps:
 *
 *	A  pm_fork_prepare() takes the C library's list of streams first
 *	B  it waits for the registry and the arenas
 *	C  a lock that the forking thread has is stepped over, and left as it is
 *	D  a handler's fork() goes on without a lock that it waited long for
 *	E  a fork() outside of a handler lets everything go then, and begins again
 *	F  in the child, what the interrupted code has begun stays as it is
 *	G  signals wait from before the first lock until after the last one
 *	H  in the child, an arena that another thread has locked is forsaken
 *	I  a child that goes without sections waits for none
 *
 * What stands for what:
 *
 *	forker		pm_fork_prepare(), pm_fork_halt(), pm_fork_parent() and
 *			pm_fork_child() of a thread that is outside of the library
 *	interrupted	__pm_malloc_lock() with the arena's lock, pm_free_inbox()
 *			with a spare batch, or pm_arena_retire() before its grace
 *			period, and a handler over it that forks
 *	successor	a thread that the handler's child begins
 *	retire		pm_arena_retire(): the registry, and then an arena
 *	read		__pm_malloc_lock() within a section
 *	flush, getline	fflush(NULL) and getline() in the C library
 *	timeout		PM_HALT_NAPS naps: true when nobody can go on otherwise
 *	halted		PM_MUTEX_HALTED
 *
 * The C library takes the list of streams within fork() as well, behind our
 * handlers. Either the streams' users are there or interrupted threads: with
 * both there is a circle within the C library that no step of ours can break
 * (getline() waits for the arena of the interrupted thread, fflush() for
 * getline(), and the handler's fork() for fflush()).
 *
 * Every run ends with all threads at their end. Nobody sees what is half
 * changed, no lock is let go that is not held, no batch is lost or doubled.
 * Left out or done wrong on purpose:
 *
 *	-DLIST_LATE	A comes after B
 *	-DLET_GO	C lets go of the lock in the parent
 *	-DNEW_OWN	C makes the lock new in the child
 *	-DPATIENT_ONE	D waits without end
 *	-DPATIENT_ALL	E waits without end
 *	-DKEEP_LIST	E keeps the list of streams
 *	-DUNDO		F takes the batch for lost
 *	-DTAKE_TORN	H is left out
 *	-DWAIT_FOR_GONE	I is left out
 *	-DSIGNALS	G is left out
 */
#define NONE	255

byte list = NONE;			/* "the list of streams" */
byte stream = NONE;			/* "the stream" */
byte registry = NONE;			/* "the registry" */
byte arena = NONE;			/* "the arena" */
bool registry_halted;
bool arena_halted;

bool half;				/* what the arena's lock guards is half changed */
bool forsaken;				/* the arena is out of use in the child */
bool reads;				/* a thread is in a read-side section */
byte batches = 1;			/* spare ones */
byte inbox;

byte survivor = NONE;			/* the thread that a child has */

#define GONE		(survivor != NONE && survivor != me)
#define LOCK(l)		atomic { l == NONE -> l = me }	/* "locks {it} / waits for {it}" */
#define UNLOCK(l)	atomic { assert(l == me); /* "{it} is let go by one who does not have it." */ \
				 l = NONE }	/* "unlocks {it}" */

#ifdef LET_GO
#define TAKEN(l)	true		/* without C */
#else
#define TAKEN(l)	l##_halted
#endif
#define RESUME(l)							\
	if								\
	:: atomic { l == me && TAKEN(l) -> l##_halted = false; l = NONE } /* "lets {it} go" */ \
	:: else								\
	fi
/* In the child; @torn: what follows when another thread has the lock. */
#define RESTART(l, torn)						\
	if								\
	:: atomic { l == me && !l##_halted } -> NEW(l)			\
	:: atomic { l != me && l != NONE -> torn; l = NONE } /* "makes {it} new, another had it" */ \
	:: else -> atomic { l##_halted = false; l = NONE } /* "makes {it} new" */ \
	fi
#ifdef TAKE_TORN
#define FORSAKE	skip			/* without H */
#else
#define FORSAKE	forsaken = true		/* H: "forsakes the arena" */
#endif
#ifdef NEW_OWN
#define NEW(l)	l = NONE		/* without C */
#else
#define NEW(l)	skip			/* C: "leaves its own lock as it is" */
#endif

#ifdef PATIENT_ONE
#define LONG_ENOUGH	false
#else
#define LONG_ENOUGH	timeout		/* D: "has waited long: goes on without" */
#endif

#define HALT_OVER(l)							\
	if								\
	:: l == me		/* C: "has {it}: steps over it" */ \
	:: atomic { l == NONE -> l##_halted = true; l = me } /* "the handler locks {it} / the handler waits for {it}" */ \
	:: LONG_ENOUGH							\
	fi

/* The C library's part of fork(). */
#define TAKE_LIST							\
	if								\
	:: list == me -> had = true					\
	:: atomic { list == NONE -> list = me; had = false } /* "*signal*: fork() locks the list of streams / *signal*: fork() waits for the list of streams" */ \
	fi

#ifdef UNDO
#define BATCHES		batches = 1 - inbox	/* without F */
#else
#define BATCHES		skip		/* F */
#endif

/* A handler forks over code that is inside. */
#define HANDLER								\
	TAKE_LIST;			/* A */			\
	HALT_OVER(registry);						\
	HALT_OVER(arena);						\
	if								\
	:: atomic { survivor == NONE -> survivor = me };	/* "goes on as the child" */ \
		list = (had -> me : NONE);				\
		RESTART(arena, FORSAKE);				\
		BATCHES;						\
		RESTART(registry, skip);				\
		run successor(4)					\
	:: true ->			/* "goes on as the parent" */ \
		if							\
		:: had							\
		:: else -> UNLOCK(list)					\
		fi;							\
		RESUME(arena);						\
		RESUME(registry)					\
	fi

#ifdef WAIT_FOR_GONE
#define SYNCHRONIZE	!reads	/* "a grace period has passed / waits for a reader that is not there (without I)" */
#else
#define SYNCHRONIZE							\
	if								\
	:: !reads							\
	:: survivor == me		/* I: "waits for no readers" */ \
	fi
#endif

proctype successor(byte me)	/* "a thread of the child" */
{
	if
	:: forsaken
	:: else ->
		LOCK(arena);
		assert(!half);	/* "It sees what is half changed." */
		UNLOCK(arena)
	fi;
	LOCK(registry);
	UNLOCK(registry)
}

proctype interrupted(byte me)	/* "thread {me}, interrupted" */
{
	bool had;

	{
		if
		:: LOCK(arena);
			half = true;
			HANDLER;
			half = false;
			UNLOCK(arena)
		:: atomic { batches -> batches-- };	/* "takes the spare batch" */
			HANDLER;
			inbox++;		/* "adds it to the inbox" */
			assert(batches + inbox == 1)	/* "There are two batches for one." */
		:: LOCK(registry);
			HANDLER;
			SYNCHRONIZE;
			UNLOCK(registry)
		fi
	} unless { GONE }
}

proctype forker(byte me)	/* "fork()" */
{
	bool had;

	{
#ifdef SIGNALS
		skip;				/* without G */
#else
		skip;				/* G: "signals wait from here on" */
#endif
again:
#ifndef LIST_LATE
		LOCK(list);				/* A */
#endif
		if					/* B */
		:: atomic { registry == NONE -> registry = me; registry_halted = true }	/* B: "locks the registry / waits for the registry" */
#ifndef PATIENT_ALL
		:: timeout -> goto let_go		/* E: "has waited long" */
#endif
		fi;
#ifdef SIGNALS
		if
		:: HANDLER
		:: skip
		fi;
#endif
		if
		:: atomic { arena == NONE -> arena = me; arena_halted = true }	/* B: "locks the arena / waits for the arena" */
#ifndef PATIENT_ALL
		:: timeout -> goto let_go	/* E: "has waited long" */
#endif
		fi;
#ifdef LIST_LATE
		LOCK(list);			/* A too late */
#endif
		if
		:: atomic { survivor == NONE -> survivor = me };
			list = NONE;
			assert(!half);	/* "It sees what is half changed." */
			atomic { arena = NONE; arena_halted = false };
			atomic { registry = NONE; registry_halted = false };
			run successor(4)
		:: true ->
			atomic { assert(arena == me);	/* "It lets the arena go and does not have it." */
				 arena = NONE; arena_halted = false };
			atomic { assert(registry == me);	/* "It lets the registry go and does not have it." */
				 registry = NONE; registry_halted = false };
			UNLOCK(list)
		fi;
		goto ended;
let_go:
		RESUME(arena);				/* E */
		RESUME(registry);
#ifdef KEEP_LIST
		list == NONE;			/* "begins again / keeps the list, and waits for it (without E)" */
#elif !defined(LIST_LATE)
		UNLOCK(list);
#endif
		goto again;
ended:
		skip
	} unless { GONE }
}

proctype retire(byte me)	/* "pm_arena_retire()" */
{
	{
		LOCK(registry);
		LOCK(arena);
		half = true;
		half = false;
		UNLOCK(arena);
		UNLOCK(registry)
	} unless { GONE }
}

proctype read(byte me)		/* "malloc in a section" */
{
	{
		reads = true;		/* "begins a section" */
		LOCK(arena);
		half = true;
		half = false;
		UNLOCK(arena);
		reads = false		/* "ends its section" */
	} unless { GONE }
}

proctype flush(byte me)		/* "fflush(NULL)" */
{
	{
		LOCK(list);
		LOCK(stream);
		UNLOCK(stream);
		UNLOCK(list)
	} unless { GONE }
}

proctype getline(byte me)	/* "getline()" */
{
	{
		LOCK(stream);
		LOCK(arena);
		assert(!half);	/* "It sees what is half changed." */
		UNLOCK(arena);
		UNLOCK(stream)
	} unless { GONE }
}

init {
	atomic {
		run forker(0);
		run retire(1);
		if
		:: run interrupted(2);
			if
			:: run interrupted(3)
			:: run read(3)
			fi
		:: run flush(2);
			run getline(3)
		fi
	}
}
