/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Frees of objects of one slab by threads that do not get the arena's lock,
 * against the lock's holders, who take them in, cut the slab anew and give the
 * heap back.
 *
 * Steps:
 *
 *	A  pm_remote_free() takes a reference to the heap
 *	B  it sets the object's remote bit, an atomic OR
 *	C  it sets queued, an exchange; if that was set before, the reference
 *	   is dropped, and it is done
 *	D  pm_remote_queue() puts the slab on the remote list
 *	E  pm_arena_collect_remote() takes the list
 *	F  it clears queued, an exchange
 *	G  it takes the remote bits in, an exchange
 *	H  it drops the reference that came with the entry
 *	I  pm_heap_may_go() lets a heap go that has no references
 *
 * What stands for what:
 *
 *	FREE_REMOTE	pm_remote_free(), pm_slab_put_remote()
 *	FREE_LOCK	__pm_free_lock(), pm_slab_put()
 *	COLLECT		pm_arena_collect_remote(), pm_slab_collect()
 *	AGAIN		pm_slab_init(), pm_slab_take(): an empty slab is cut again
 *	PURGE		pm_arena_purge()
 *	refs		struct pm_heap's remote_refs
 *
 * One slab is enough, for each has its own words and is queued by itself. Memory
 * is sequentially consistent. C and F are full barriers: what their lack would
 * allow, the look before the store, is BITS_FIRST on the one side and BIT_LAST
 * on the other.
 *
 * Either two threads free an object each: then both come home once, in a slab
 * that may live twice, and nothing of the heap is touched after it went. Or they
 * free the same object: then it comes home once and counts once, and one of them
 * is noted. At the end nothing is queued and no reference is left. Left out or
 * done wrong on purpose:
 *
 *	-DNO_REF	A is left out
 *	-DLATE_REF	A comes after B
 *	-DPLAIN_BIT	B is a load and a store
 *	-DBIT_LAST	B comes after C
 *	-DNO_QUEUED	C does not look at what was there
 *	-DEARLY_DROP	C drops the reference although D comes
 *	-DBITS_FIRST	G comes before F
 *	-DTWICE		G counts an object that is in the slab already
 *	-DNO_LOOK	I does not look at the references
 *	-DNEW_QUEUED	a slab that is cut again is not queued
 */
#define THREADS		2		/* that free */
#define HOLDERS		2
#define NONE		255
#define BIT(o)		(1 << (o))
#define ALL		3

byte lock = NONE;		/* "the arena" */
bool list;				/* the slab is on the remote list */
bool queued;
byte refs;
byte free;				/* bits */
byte remote;
byte nr_free;
bool heap_gone;
bool same;				/* both free the same object */
bool lived;				/* the slab was cut again */
byte noted;
byte ended;

#define NO_HEAP		assert(!heap_gone)	/* "The heap has gone." */
#define OWNED		assert(lock == me)	/* "The arena is not locked." */
#define UNLOCK		atomic { OWNED; lock = NONE }	/* "unlocks {it}" */

#ifdef NO_REF
#define REF(n)		skip
#define REFER		skip		/* without A */
#else
#define REF(n)		atomic { NO_HEAP; refs = refs + (n) }
#define REFER		REF(1)		/* "takes a reference to the heap" */
#endif
#ifdef LATE_REF
#define REF_FIRST	skip
#define REF_LATE	REFER		/* A too late */
#else
#define REF_FIRST	REFER		/* A */
#define REF_LATE	skip
#endif
#ifdef PLAIN_BIT
#define OR(o)								\
	atomic { NO_HEAP; bits = remote; fault = (bits & BIT(o)) != 0 }; /* "loads the remote bits" */ \
	atomic { NO_HEAP; remote = bits | BIT(o) }	/* "stores them with its own" */
#else
#define OR(o)								\
	atomic { NO_HEAP; fault = (remote & BIT(o)) != 0;		\
		 remote = remote | BIT(o) }	/* "sets its remote bit{fault? (it was set):}" */
#endif
#ifdef NO_QUEUED
#define SET_QUEUED	atomic { NO_HEAP; was = false; queued = true }	/* "sets queued, and does not look" */
#else
#define SET_QUEUED	atomic { NO_HEAP; was = queued; queued = true }	/* "queued = 1, it was {was}" */
#endif
#ifdef BIT_LAST
#define BIT_AND_QUEUED(o)	SET_QUEUED; /* C */ OR(o)	/* B too late */
#else
#define BIT_AND_QUEUED(o)						\
	OR(o);						/* B */		\
	REF_LATE;							\
	if								\
	:: fault -> was = true						\
	:: else -> SET_QUEUED				/* C */		\
	fi
#endif
#ifdef EARLY_DROP
#define DROP_EARLY	REF(-1)		/* C too early: "drops its reference" */
#define DROP_LATE	skip
#else
#define DROP_EARLY	skip
#define DROP_LATE	REF(-1)		/* "drops the entry's reference" */
#endif

#define FREE_REMOTE(o)							\
	REF_FIRST;							\
	atomic { NO_HEAP; fault = (free & BIT(o)) != 0; was = fault };	\
	if								\
	:: fault -> REF_LATE						\
	:: else -> BIT_AND_QUEUED(o)					\
	fi;								\
	if								\
	:: fault -> noted++						\
	:: else								\
	fi;								\
	if								\
	:: was -> REF(-1)	/* C: "drops its reference" */	\
	:: else ->							\
		DROP_EARLY;						\
		atomic { NO_HEAP; assert(!list); /* "The slab is on the list twice." */ \
			 list = true }	/* D: "puts the slab on the list" */ \
	fi;								\
	atomic { was = false; fault = false; bits = 0 }

/* The lock is held. */
#define FREE_LOCK(o)							\
	atomic { OWNED; NO_HEAP; fault = ((free | remote) & BIT(o)) != 0 }; \
	atomic {							\
		if							\
		:: fault -> noted++					\
		:: else -> free = free | BIT(o); nr_free++ /* "sets its bit in the slab" */ \
		fi;							\
		fault = false						\
	}

#ifdef TWICE
#define FRESH(b)	(b)
#else
#define FRESH(b)	((b) & ~free)
#endif
#define COUNT(b)	(((b) & 1) + (((b) >> 1) & 1))
#ifdef BITS_FIRST
#define QUEUED_FIRST	skip
#define QUEUED_LAST	atomic { NO_HEAP; queued = false }	/* F too late: "queued = 0" */
#else
#define QUEUED_FIRST	atomic { NO_HEAP; queued = false }	/* F: "queued = 0" */
#define QUEUED_LAST	skip
#endif

#define COLLECT								\
	if								\
	:: atomic { list -> list = false };	/* E: "takes the list" */ \
		QUEUED_FIRST;						\
		atomic {						\
			NO_HEAP; OWNED;					\
			noted = noted + COUNT(remote & free);		\
			bits = FRESH(remote);				\
			remote = 0;					\
			free = free | bits;				\
			nr_free = nr_free + COUNT(bits); /* G: "takes in the remote bits: {bits}" */ \
			bits = 0					\
		};							\
		QUEUED_LAST;						\
		DROP_LATE				/* H */		\
	:: else								\
	fi

#ifdef NEW_QUEUED
#define INIT_QUEUED	queued = false
#else
#define INIT_QUEUED	skip
#endif
#ifdef NO_LOOK
#define REFERENCED	false		/* without I */
#else
#define REFERENCED	(refs != 0)
#endif

#define LOCALS								\
	byte bits;							\
	bool was, fault

/* An object is freed. */
proctype give(byte me; byte object)	/* "free of object {object}" */
{
	LOCALS;

	if
	:: FREE_REMOTE(object)
	:: atomic { lock == NONE -> lock = me };	/* "locks {it} / waits for {it}" */
		COLLECT;
		FREE_LOCK(object);
		UNLOCK
	fi;
	ended++
}

/* Somebody has the lock. */
proctype hold(byte me)			/* "holder {me - 1}" */
{
	LOCALS;

	atomic { lock == NONE -> lock = me };	/* "locks {it} / waits for {it}" */
	COLLECT;
	if
	:: atomic { !same && free == ALL && !heap_gone && !lived ->
		    lived = true; free = ALL - BIT(0); nr_free--;
		    INIT_QUEUED };	/* "cuts the slab anew, hands object 0 out" */
		UNLOCK;
		FREE_REMOTE(0)
	:: atomic { !same && free == ALL && !heap_gone && !REFERENCED ->
		    heap_gone = true };		/* I: "gives the heap back" */
		UNLOCK
	:: UNLOCK
	fi;
	ended++
}

/* The next who has the lock. */
proctype judge(byte me)
{
	LOCALS;

	ended == THREADS + HOLDERS;
	lock = me;
	COLLECT;
	if
	:: same ->
		assert(free == BIT(0) && nr_free == 1 && noted == 1)
		/* "At the end {nr_free} objects count as free and {noted} as freed twice." */
	:: else ->
		assert(free == ALL && nr_free == 2 && noted == 0)
		/* "At the end only {nr_free} of 2 objects are free in their slab." */
	fi;
	assert(!remote && !list && !queued && !refs)	/* "At the end something is left." */
}

init {
	atomic {
		if
		:: run give(0, 0); run give(1, 1)
		:: same = true;		/* "both threads free the same object" */
			run give(0, 0); run give(1, 0)
		fi;
		run hold(2);
		run hold(3);
		run judge(4)
	}
}
