/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Frees of two objects of one slab, and somebody who allocates, against the
 * retirement of the arenas that own the slab's heap: arena 0 is adopted by 1,
 * then 1 by 2.
 *
 * What stands for what (lib/arena/arena.c unless said otherwise):
 *
 *	FREE_LOCK	pm_free_lock()
 *	FREE_REMOTE	pm_free_remote(), pm_slab_put_remote() in lib/back/slab.c
 *	FREE_BATCH	pm_free_lock_batch(), pm_free_remote_batch(): a batch
 *			of one object that goes to the inbox or the depot
 *	ENTER		pm_arena_enter()
 *	COLLECT_INBOX	pm_arena_collect_inbox(), pm_arena_put_batch()
 *	COLLECT		pm_arena_collect(), pm_slab_collect()
 *	FLUSH_DEPOT	pm_arena_flush_depots(), pm_arena_put_objects()
 *	allocate	pm_malloc_lock_batch(), pm_arena_lock_pick()
 *	PURGE		pm_arena_purge_locked(): the heap goes when it may
 *	retire		pm_arena_retire(), pm_arena_adopt()
 *	heap_arena	struct pm_heap's arena
 *	refs		struct pm_heap's remote_refs
 *
 * What only a lock's holder touches (a depot, the slab's bitmap) is one step;
 * each access to what others share is a step of its own.
 *
 * No object comes home twice, none is lost: at the end both are in the slab.
 * What an arena's lock guards is changed by its holder only. Nothing of a
 * heap is touched after it went, nor of an arena after its grace period.
 * Left out or done wrong on purpose:
 *
 *	-DNO_RECHECK	a free that got the lock does not look at the heap's
 *			owner again
 *	-DNO_RETIRED	who got the lock does not look at `retired`
 *	-DNO_SECOND	no second look at the lists of a retired arena
 *	-DNO_SECOND_INBOX	none at its inbox alone
 *	-DNO_SYNC	the second look does not wait for a grace period
 *	-DBITS_FIRST	a slab's bits are collected before `queued` is cleared
 *	-DNO_PASS_ON	a collector takes in slabs of others, too
 *	-DNO_REF	a remote free holds no reference to the heap
 */
#define ARENAS	3
#define NONE	255
#define READERS	3			/* two that free, one that allocates */
#define RETIRER	3			/* a thread number, too */

/* per arena */
byte lock[ARENAS] = NONE;
bool retired[ARENAS];
bool gone[ARENAS];			/* past its grace period */
bool table[ARENAS] = true;
bool remote[ARENAS];			/* the slab is on its remote list */
bool inbox[6];				/* a batch with object o is there */
bool depot[6];				/* object o is there */

/* the heap and its slab */
byte heap_arena;
bool heap_gone;
byte refs;
bool queued;
bool free_bit[2];
bool remote_bit[2];

/* SRCU: who is in a section, and how many each has left */
bool reads[READERS];
byte exits[READERS];
byte ended;

#define IN(set, a, o)	set[(a) * 2 + (o)]
#define NO_HEAP		assert(!heap_gone)
#define OWNED(a)	assert(lock[a] == me)
#define ALIVE(a)	assert(!gone[a])
#define HOME(o)								\
	OWNED(heap_arena); NO_HEAP;					\
	assert(!free_bit[o] && !remote_bit[o]); free_bit[o] = true

/* a: where to; on entry the object's bit is not set yet */
#ifdef NO_REF
#define REF(n)		skip
#else
#define REF(n)		refs = refs + (n)
#endif
#define FREE_REMOTE(o)							\
	atomic { NO_HEAP; REF(1) };					\
	atomic { NO_HEAP; assert(!free_bit[o] && !remote_bit[o]);	\
		 remote_bit[o] = true };				\
	atomic { NO_HEAP; was = queued; queued = true };		\
	if								\
	:: was -> atomic { NO_HEAP; REF(-1); was = false }		\
	:: else ->							\
		atomic { NO_HEAP; to = heap_arena };			\
		ADD_REMOTE(to)						\
	fi

/* A slab is on one list at most. */
#define ADD_REMOTE(a)							\
	atomic { ALIVE(a);						\
		 assert(!remote[0] && !remote[1] && !remote[2]);	\
		 remote[a] = true; to = 0; owner = 0 }

/* Put an object into its slab by the holder of a's lock. */
#define PUT(a, o)							\
	if								\
	:: atomic { heap_arena == a -> HOME(o) }			\
	:: else -> FREE_REMOTE(o)					\
	fi

#define COLLECT_INBOX(a, o)						\
	if								\
	:: atomic { IN(inbox, a, o) ->					\
		    OWNED(a); IN(inbox, a, o) = false };		\
		if							\
		:: retired[a] -> PUT(a, o)				\
		:: else -> IN(depot, a, o) = true			\
		fi							\
	:: else								\
	fi

#define FLUSH_DEPOT(a, o)						\
	if								\
	:: atomic { IN(depot, a, o) ->					\
		    OWNED(a); IN(depot, a, o) = false };		\
		PUT(a, o)						\
	:: else								\
	fi

#ifdef NO_PASS_ON
#define FOREIGN(a)	false
#else
#define FOREIGN(a)	(owner != a)
#endif
#ifdef BITS_FIRST
#define QUEUED_FIRST	skip
#define QUEUED_LAST	atomic { NO_HEAP; queued = false }
#else
#define QUEUED_FIRST	atomic { NO_HEAP; queued = false }
#define QUEUED_LAST	skip
#endif

#define COLLECT_BIT(o)							\
	if								\
	:: remote_bit[o] -> remote_bit[o] = false; HOME(o)		\
	:: else								\
	fi

#define COLLECT(a)							\
	if								\
	:: atomic { remote[a] -> OWNED(a); remote[a] = false };		\
		atomic { NO_HEAP; owner = heap_arena };			\
		if							\
		:: FOREIGN(a) -> ADD_REMOTE(owner)			\
		:: else ->						\
			QUEUED_FIRST;					\
			atomic {					\
				NO_HEAP; COLLECT_BIT(0); COLLECT_BIT(1) \
			};						\
			QUEUED_LAST;					\
			atomic { NO_HEAP; REF(-1); owner = 0 }		\
		fi							\
	:: else								\
	fi

#define ENTER(a)							\
	ALIVE(a);							\
	COLLECT_INBOX(a, 0);						\
	COLLECT_INBOX(a, 1);						\
	COLLECT(a)

/* The heap may go when no slab is left and nobody is on the way to it. */
#define PURGE(a)							\
	atomic {							\
		if							\
		:: heap_arena == a && free_bit[0] && free_bit[1] &&	\
		   !refs -> OWNED(a); heap_gone = true			\
		:: else							\
		fi							\
	}

#define READ_LOCK	reads[me] = true
#define READ_UNLOCK	reads[me] = false; exits[me]++
#define UNLOCK(a)	atomic { OWNED(a); lock[a] = NONE }

#ifdef NO_RECHECK
#define STILL_OWNER(a)	true
#else
#define STILL_OWNER(a)	(heap_arena == a)
#endif
#ifdef NO_RETIRED
#define USABLE(a)	true
#else
#define USABLE(a)	(!retired[a])
#endif

/* An object is freed, alone or as a batch. */
proctype give(byte me)
{
	byte a, to, owner;
	bool was;

	READ_LOCK;
	atomic { NO_HEAP; a = heap_arena };
	if
	:: goto object
	:: goto batch
	fi;
object:
	if
	:: atomic { lock[a] == NONE -> ALIVE(a); lock[a] = me };
		if
		:: STILL_OWNER(a) ->
			ENTER(a);
			atomic { HOME(me) };
			UNLOCK(a);
			goto out
		:: else ->
			UNLOCK(a);
			atomic { NO_HEAP; a = heap_arena };
			goto object
		fi
	:: lock[a] != NONE -> FREE_REMOTE(me); goto out
	fi;
batch:
	if
	:: atomic { lock[a] == NONE -> ALIVE(a); lock[a] = me };
		if
		:: USABLE(a) ->
			ENTER(a);
			IN(depot, a, me) = true;
			UNLOCK(a)
		:: else ->
			UNLOCK(a);
			atomic { NO_HEAP; a = heap_arena };
			goto batch
		fi
	:: lock[a] != NONE -> atomic { ALIVE(a); IN(inbox, a, me) = true }
	fi;
out:
	atomic { READ_UNLOCK; ended++ }
}

/* Somebody comes for an object, and gives back what nobody needs. */
proctype allocate(byte me)
{
	byte a, to, owner;
	bool was;

again:
	READ_LOCK;
	atomic {
		if
		:: table[0] -> a = 0
		:: table[1] -> a = 1
		:: a = 2
		fi
	};
	atomic { lock[a] == NONE -> ALIVE(a); lock[a] = me };
	if
	:: USABLE(a) ->
		ENTER(a);
		FLUSH_DEPOT(a, 0);
		FLUSH_DEPOT(a, 1);
		PURGE(a);
		UNLOCK(a)
	:: else ->
		UNLOCK(a);
		atomic { READ_UNLOCK; a = 0 };
		goto again
	fi;
	atomic { READ_UNLOCK; ended++ }
}

#define WAIT_FOR(r)							\
	atomic {							\
		!seen[r] || exits[r] != before[r] ->			\
			seen[r] = false; before[r] = 0			\
	}

/* Arena 0 in favour of 1, then 1 in favour of 2. */
proctype retire(byte me)
{
	byte r, to, owner, before[READERS];
	bool was, seen[READERS];

	do
	:: r == 2 -> break
	:: r < 2 ->
		table[r] = false;
		atomic { lock[r] == NONE -> lock[r] = me };
		atomic { lock[r + 1] == NONE -> lock[r + 1] = me };
		ENTER(r);
		retired[r] = true;
		FLUSH_DEPOT(r, 0);
		FLUSH_DEPOT(r, 1);
		if
		:: heap_gone
		:: atomic { !heap_gone && heap_arena == r ->
			    heap_arena = r + 1 }
		:: else
		fi;
		UNLOCK(r);
		UNLOCK(r + 1);
#ifndef NO_SYNC
		atomic {
			seen[0] = reads[0]; before[0] = exits[0];
			seen[1] = reads[1]; before[1] = exits[1];
			seen[2] = reads[2]; before[2] = exits[2]
		};
		WAIT_FOR(0);
		WAIT_FOR(1);
		WAIT_FOR(2);
#endif
#ifndef NO_SECOND
		atomic { lock[r] == NONE -> lock[r] = me };
#ifndef NO_SECOND_INBOX
		COLLECT_INBOX(r, 0);
		COLLECT_INBOX(r, 1);
#endif
		COLLECT(r);
		UNLOCK(r);
#endif
		gone[r] = true;
		r++
	od;
	ended++
}

/* The next who takes the last arena's lock brings everything home. */
proctype judge(byte me)
{
	byte to, owner;
	bool was;

	ended == READERS + 1;
	lock[2] = me;
	ENTER(2);
	FLUSH_DEPOT(2, 0);
	FLUSH_DEPOT(2, 1);
	assert(free_bit[0] && free_bit[1]);
	assert(!remote_bit[0] && !remote_bit[1]);
	assert(!refs && !queued);
	assert(!remote[0] && !remote[1] && !remote[2])
}

init {
	atomic {
		run give(0);
		run give(1);
		run allocate(2);
		run retire(RETIRER);
		run judge(RETIRER + 1)
	}
}
