/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Standing still for fork(), while other threads retire an arena, make one, enter their first
 * read-side section, wait for an arena's lock within one, and are anywhere in
 * what is done without a lock.
 *
 * Steps:
 *
 *	A  pm_fork_halt() takes the registry
 *	B  it takes pm_mag_lock
 *	C  it takes liburcu's locks
 *	D  it takes every arena's lock, by number
 *	E  it takes the locks within: extents, batches, pages
 *	F  fork(): the child has one thread, and of each other a prefix of
 *	   what that did
 *	G  pm_fork_resume() lets all locks go
 *	H  pm_fork_child() makes all locks new, those of spare arenas, too
 *	I  pm_remote_restart() queues the slabs that have remote bits, and counts
 *	   the references again
 *	J  pm_batch_restart_all() makes spare what is in no inbox
 *	K  pm_inflight_forget() sets the carriers' counts to 0
 *	L  liburcu forgets the readers that are not there
 *	M  pm_arena_lock_slow() leaves its section before it waits for the
 *	   registry
 *	N  pm_malloc_ask_all() within liburcu's registration makes no arena
 *
 * What stands for what:
 *
 *	fork		pm_fork_halt(), pm_fork_parent(), pm_fork_child(), and
 *			what the child does with each of these locks afterwards
 *	retire		pm_arena_retire(): registry, pm_mag_drain(), arena,
 *			a grace period
 *	allocate	__pm_malloc_lock(), pm_arena_create(): first its
 *			thread's registration, in which pm_malloc_ask_all() waits
 *			for an arena; later a section that waits for one; then
 *			one that finds none; and pm_mag_drain_all()
 *	give		__pm_free_lock() that got the lock of a spare arena;
 *			pm_remote_free(); pm_mag_flush_batch() with a batch of
 *			pm_free_inbox() in its hands
 *	gp, readers	liburcu's two locks: one grace period at a time, and the
 *			list of readers
 *	pages		the innermost lock, for those of step E
 *
 * The child is one of two ways to go on behind F: then all other threads are
 * gone where they stand. Memory is what it is at that moment, which is a prefix
 * of each thread's stores: fork() copies a page or makes the thread wait for it.
 *
 * A thread that forks in a signal handler over us, and the C library's list of
 * streams, are in handler.pml.
 *
 * Nobody waits in a circle: every run ends with all threads at their end. The
 * child can take every lock, wait for readers, and for carriers; what was freed
 * comes home, nothing is queued that is on no list, no reference is left, no
 * batch is lost. Left out or done wrong on purpose:
 *
 *	-DREGISTRY_LATE	A comes after C
 *	-DMAG_FIRST	B comes before A
 *	-DMAG_LATE	B comes after C
 *	-DARENAS_FIRST	D comes before A
 *	-DURCU_LATE	C comes after D
 *	-DPAGES_FIRST	E comes before D
 *	-DNO_URCU	C is left out
 *	-DNO_ARENAS	D is left out
 *	-DNO_SPARES	H leaves the locks of spare arenas
 *	-DNO_REQUEUE	I is left out
 *	-DOLD_REFS	I does not count the references again
 *	-DNO_BATCHES	J is left out
 *	-DNO_FORGET	K is left out
 *	-DOLD_READERS	L is left out
 *	-DSECTION	M is left out
 *	-DNESTED_MAKES	N is left out
 */
#define NONE	255
#define THREADS	3			/* beside the one that forks */
#define FORKER	3
#define BATCHES	1

byte registry = NONE;			/* "the registry" */
byte mag_lock = NONE;			/* "pm_mag_lock" */
byte gp = NONE;				/* "liburcu's grace period" */
byte readers = NONE;			/* "liburcu's readers" */
byte arena = NONE;			/* "the arena" */
byte spare = NONE;			/* "the spare arena" */
byte pages = NONE;			/* "the pages" */

bool reads[THREADS];
bool awaited[THREADS];

/* A slab with an object that is freed without the lock. */
byte refs;
bool remote_bit;
bool queued;
bool list;
bool half;				/* what the arena's lock guards is half changed */

byte batches = BATCHES;			/* spare ones */
byte inbox;
byte carriers;

bool child;

#define LOCK(l)		atomic { l == NONE -> l = me }	/* "locks {it} / waits for {it}" */
#define UNLOCK(l)	atomic { assert(l == me); /* "{it} is not locked." */ l = NONE } /* "unlocks {it}" */
#define READ_LOCK	reads[me] = true	/* "begins a section" */
#define READ_UNLOCK	atomic { reads[me] = false; awaited[me] = false }	/* "ends its section" */

#define SYNCHRONIZE							\
	LOCK(gp);							\
	LOCK(readers);							\
	atomic {							\
		awaited[0] = reads[0];					\
		awaited[1] = reads[1];					\
		awaited[2] = reads[2]					\
	};								\
	UNLOCK(readers);						\
	!awaited[0] && !awaited[1] && !awaited[2]; /* "a grace period has passed / waits for the end of a section" */ \
	UNLOCK(gp)

#define COLLECT								\
	if								\
	:: atomic { list -> list = false };	/* "takes the remote list" */ \
		queued = false;						\
		remote_bit = false;					\
		refs--							\
	:: else								\
	fi

#define UNDER_ARENA							\
	LOCK(arena);							\
	half = true;							\
	LOCK(pages);							\
	UNLOCK(pages);							\
	COLLECT;							\
	half = false;							\
	UNLOCK(arena)

proctype retire(byte me)	/* "pm_arena_retire()" */
{
	{
		LOCK(registry);
		LOCK(mag_lock);
		UNLOCK(mag_lock);
		LOCK(arena);
		UNLOCK(arena);
		SYNCHRONIZE;
		UNLOCK(registry)
	} unless { child }
}

proctype allocate(byte me)	/* "malloc" */
{
	{
		LOCK(readers);
#ifdef NESTED_MAKES
		skip;				/* without N */
		LOCK(registry);
		UNLOCK(registry);
#else
		skip;				/* N: "registers, and makes no arena" */
#endif
		UNDER_ARENA;
		UNLOCK(readers);
		READ_LOCK;
		UNDER_ARENA;
#ifdef SECTION
		skip;				/* without M */
		LOCK(registry);
		UNLOCK(registry);
		READ_UNLOCK;
#else
		READ_UNLOCK;			/* M */
		LOCK(registry);
		UNLOCK(registry);
#endif
		LOCK(mag_lock);			/* drains: its frees register */
		LOCK(readers);
		UNLOCK(readers);
		UNLOCK(mag_lock)
	} unless { child }
}

proctype give(byte me)		/* "free" */
{
	{
		LOCK(spare);
		UNLOCK(spare);
		READ_LOCK;
		refs++;				/* "references the heap" */
		remote_bit = true;		/* "sets a remote bit" */
		queued = true;			/* "queued = 1" */
		list = true;			/* "puts the slab on the list" */
		READ_UNLOCK;
		carriers++;			/* "counts itself as a carrier" */
		if
		:: atomic { batches -> batches-- };	/* "takes a spare batch" */
			inbox++		/* "adds it to the inbox" */
		:: else
		fi;
		carriers--			/* "counts itself out" */
	} unless { child }
}

proctype fork(byte me)		/* "fork(){child?, the child:}" */
{
#ifdef MAG_FIRST
	LOCK(mag_lock);			/* B too early */
#endif
#ifdef ARENAS_FIRST
	LOCK(arena);			/* D too early */
#endif
#ifndef REGISTRY_LATE
	LOCK(registry);			/* A */
#endif
#if !defined(MAG_FIRST) && !defined(MAG_LATE)
	LOCK(mag_lock);			/* B */
#endif
#if !defined(URCU_LATE) && !defined(NO_URCU)
	LOCK(gp);			/* C */
	LOCK(readers);			/* C */
#endif
#ifdef NO_URCU
	skip;				/* without C */
#endif
#ifdef REGISTRY_LATE
	LOCK(registry);			/* A too late */
#endif
#ifdef MAG_LATE
	LOCK(mag_lock);			/* B too late */
#endif
#ifdef PAGES_FIRST
	LOCK(pages);			/* E too early */
#endif
#if !defined(ARENAS_FIRST) && !defined(NO_ARENAS)
	LOCK(arena);			/* D */
#endif
#ifdef NO_ARENAS
	skip;				/* without D */
#endif
#ifdef URCU_LATE
	LOCK(gp);			/* C too late */
	LOCK(readers);			/* C too late */
#endif
#ifndef PAGES_FIRST
	LOCK(pages);			/* E */
#endif
	if
	:: child = true; goto child_goes_on	/* F: "fork(): the child goes on" */
	:: skip				/* F: "fork(): the parent goes on" */
	fi;
	UNLOCK(pages);			/* G */
#ifndef NO_ARENAS
	UNLOCK(arena);
#endif
#ifndef NO_URCU
	UNLOCK(readers);
	UNLOCK(gp);
#endif
	UNLOCK(mag_lock);
	UNLOCK(registry);
	goto ended;

child_goes_on:
	pages = NONE;			/* H: "makes its locks new" */
#ifndef NO_ARENAS
	arena = NONE;
#endif
#ifndef NO_SPARES
	spare = NONE;			/* H: "makes those of spare arenas new" */
#else
	skip;				/* without H */
#endif
	list = false;			/* I: "empties the remote list" */
#ifndef NO_REQUEUE
	if
	:: refs ->
		queued = false;
#ifndef OLD_REFS
		refs = 0;		/* I: "counts the references again" */
#else
		/* without I */
#endif
		if
		:: remote_bit -> queued = true; list = true; refs++	/* I: "queues the slab" */
		:: else
		fi
	:: else
	fi;
#else
	skip;				/* without I */
#endif
#ifndef NO_BATCHES
	batches = BATCHES - inbox;	/* J: "makes spare what is in no inbox" */
#else
	skip;				/* without J */
#endif
#ifndef OLD_READERS
	atomic { reads[0] = false; reads[1] = false; reads[2] = false };	/* L: "forgets the readers" */
#else
	skip;				/* without L */
#endif
#ifndef NO_URCU
	readers = NONE;
	gp = NONE;
#endif
	mag_lock = NONE;
	registry = NONE;
#ifndef NO_FORGET
	carriers = 0;			/* K: "sets the carriers' counts to 0" */
#else
	skip;				/* without K */
#endif

	/* The child lives: it retires an arena, and collects. */
	assert(!half);		/* "What the arena's lock guards is half changed, in the child." */
	carriers == 0;		/* "no carrier is left / waits for a carrier that is not there" */
	LOCK(registry);
	LOCK(mag_lock);
	LOCK(spare);
	UNDER_ARENA;
	SYNCHRONIZE;
	assert(!remote_bit && !queued && !refs && !list);	/* "In the child an object never comes home, or its heap never goes." */
	assert(batches + inbox == BATCHES);	/* "In the child a batch is lost." */
ended:
	skip
}

init {
	atomic {
		run retire(0);
		run allocate(1);
		run give(2);
		run fork(FORKER)
	}
}
