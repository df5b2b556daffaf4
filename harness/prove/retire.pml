/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Two objects of one slab come home while the arena that owns their heap is
 * retired: arena 0 in favour of 1. Two threads free them, or one frees the first
 * while a depot gives the other back; then 1 is retired in favour of 2 as well.
 * Somebody allocates meanwhile, and makes an arena of the spare one.
 *
 * Steps:
 *
 *	A  pm_arena_retire() takes the old arena out of table and list
 *	B  it locks the old arena and the heir
 *	C  it moves the old arena's inbox, remote list and depots to slabs
 *	D  it gives the heaps to the heir: heap->arena
 *	E  it sets the old arena's retired, a release
 *	F  it unlocks both and waits for a grace period
 *	G  under both locks it takes inbox and remote list once more
 *	H  it makes the old arena a spare one
 *	I  pm_arena_enter_or_unlock() looks at retired under the lock
 *	J  pm_heap_lock_owner() looks at heap->arena again under the lock
 *	K  pm_free_lock_batch() reads heap->arena and fills the inbox, both
 *	   within one section
 *	L  pm_remote_queue() reads heap->arena
 *	M  it puts the slab on that arena's remote list
 *	N  it looks at retired; if set it takes the list back and goes to L
 *	O  pm_arena_collect_remote() sends a slab of another arena's heap to L
 *	P  pm_arena_put_batch() fills no depot of an arena that is retired
 *
 * What stands for what:
 *
 *	give, first	__pm_free_lock(), pm_free_lock_batch(): the lock was free
 *	give, second	the same functions when it was held, or may not be taken:
 *			FREE_REMOTE, in no section
 *	give, third	pm_free_lock_batch() likewise: pm_free_inbox() (K)
 *	send		pm_arena_send_run(): a depot gives an object of another
 *			arena back, its own lock held, in no section
 *	FREE_REMOTE	pm_remote_free(); remote.pml has its steps
 *	QUEUE		pm_remote_queue()
 *	ENTER		pm_arena_collect()
 *	COLLECT_INBOX	pm_arena_collect_inbox()
 *	COLLECT		pm_arena_collect_remote(), pm_slab_collect()
 *	FLUSH_DEPOT	pm_arena_flush_depots(), pm_arena_put()
 *	allocate	__pm_malloc_lock(): pm_arena_lock_slow() in a section,
 *			pm_arena_try() and pm_malloc_ask_all() in none
 *	CREATE		pm_arena_create(), pm_arena_new()
 *	PURGE		pm_arena_purge(): the heap goes when it may
 *	retire		pm_arena_retire(), pm_arena_adopt()
 *	heap_arena	struct pm_heap's arena
 *	refs		struct pm_heap's remote_refs
 *
 * What only a lock's holder touches (a depot, the slab's bitmap) is one step;
 * each access to what others share is a step of its own. Memory is sequentially
 * consistent: E is seen after D because it is a release, and what a missing
 * barrier between M and N would allow is written out in LOOK_FIRST.
 *
 * No object comes home twice, none is lost: at the end both are in the slab.
 * What an arena's lock guards is changed by its holder only. No heap is made in
 * an arena that is retired. Nothing of a heap is touched after it went, and no
 * section sees an arena become a spare one. Who goes from N to L finds another
 * owner than before, so a free does not go round. Left out or done wrong on
 * purpose:
 *
 *	-DLATE_UNLINK	A comes after the grace period
 *	-DNO_LOCK	B takes the heir's lock only
 *	-DNO_FLUSH	C leaves the depots
 *	-DRETIRED_FIRST	E comes before D
 *	-DNO_SYNC	F waits for nobody
 *	-DNO_SECOND_INBOX	G does not look at the inbox
 *	-DNO_SECOND_REMOTE	G does not look at the remote list
 *	-DNO_RETIRED	I is left out
 *	-DNO_RECHECK	J is left out
 *	-DNO_SECTION	K is in no section
 *	-DNO_LOOK	N is left out
 *	-DLOOK_FIRST	N comes before M
 *	-DNO_PASS_ON	O is left out
 *	-DINTO_DEPOT	P is left out
 */
#define ARENAS	3
#define NONE	255
#define FREES	2			/* threads that free */
#define READERS	3			/* and one that allocates */
#define RETIRER	3			/* a thread's number, too */
#define JUDGE	4

/* per arena */
byte lock[ARENAS] = NONE;		/* "arena {}" */
bool retired[ARENAS];			/* "arena {}" */
bool spare[ARENAS];			/* "arena {}" */
bool table[ARENAS] = true;		/* "arena {}" */
bool remote[ARENAS];	/* the slab is on its remote list */	/* "arena {}" */
bool inbox[ARENAS];	/* a batch with object 0 is there */	/* "arena {}" */
bool depot[ARENAS];	/* object 0 is there */			/* "arena {}" */

byte registry = NONE;			/* "the registry" */
byte rounds;				/* arenas that are retired */

/* the heap and its slab */
byte heap_arena;
bool heap_gone;
byte refs;
bool queued;
bool free_bit[2];			/* "object {}" */
bool remote_bit[2];			/* "object {}" */

/* SRCU: who is in a section, and for whom a grace period waits */
bool reads[READERS];
bool awaited[READERS];
byte ended;

#define NO_HEAP		assert(!heap_gone) /* "The heap has gone." */
#define OWNED(a)	assert(lock[a] == me) /* "{it} guards what changes here, and is not locked." */
#define ALIVE(a)	assert(!spare[a]) /* "{it} has become a spare one in the midst of a section." */
#define HOME(o)								\
	NO_HEAP;							\
	assert(!free_bit[o] && !remote_bit[o]); /* "{it} has come home twice." */ \
	free_bit[o] = true;		/* "puts {it} into its slab" */	\
	OWNED(heap_arena)

#define READ_LOCK	reads[me] = true
#define READ_UNLOCK	atomic { reads[me] = false; awaited[me] = false }
#define LOCK(a)		atomic { lock[a] == NONE -> lock[a] = me } /* "locks {it} / waits for {it}" */
#define UNLOCK(a)	atomic { OWNED(a); lock[a] = NONE }

/* A slab is on one list at most. */
#define ADD_REMOTE(a)							\
	atomic { assert(!remote[0] && !remote[1] && !remote[2]); /* "The slab is on a list twice." */ \
		 remote[a] = true }	/* M: "puts the slab on the remote list of {it}" */

#define READ_OWNER							\
	atomic { NO_HEAP; assert(heap_arena != left); /* "It finds the same arena again, and goes round." */ \
		 owner = heap_arena }	/* L: "reads heap->arena: {owner}" */
#ifdef LOOK_FIRST
#define QUEUE								\
	do								\
	:: READ_OWNER;							\
		if							\
		:: retired[owner] -> left = owner	/* N too early: "sees that it is retired" */ \
		:: else ->			/* N too early: "looks whether it is retired: no" */ \
			ADD_REMOTE(owner); break			\
		fi							\
	od;								\
	owner = 0; left = NONE
#else
#ifdef NO_LOOK
#define LOOK(a)		false
#define IN_USE		else		/* without N */
#else
#define LOOK(a)		retired[a]
#define IN_USE		else		/* N: "looks whether it is retired: no" */
#endif
#define QUEUE								\
	do								\
	:: READ_OWNER;						\
		ADD_REMOTE(owner);					\
		if							\
		:: LOOK(owner) ->	/* N: "looks whether it is retired: yes" */ \
			if						\
			:: atomic { remote[owner] ->			\
				    remote[owner] = false; left = owner } /* "takes it back" */ \
			:: !remote[owner] -> break			\
			fi						\
		:: IN_USE -> break					\
		fi							\
	od;								\
	owner = 0; left = NONE
#endif

#define FREE_REMOTE(o)							\
	atomic { NO_HEAP; refs++ };		/* "references the heap" */ \
	atomic { NO_HEAP; assert(!free_bit[o] && !remote_bit[o]); /* "{it} is freed twice." */ \
		 remote_bit[o] = true };	/* "sets the remote bit of {it}" */ \
	atomic { NO_HEAP; was = queued; queued = true };		\
	if								\
	:: was -> atomic { NO_HEAP; refs--; was = false } /* "finds the slab queued" */ \
	:: else -> QUEUE						\
	fi

/* Put an object into its slab by the holder of a's lock. */
#define PUT(a, o)							\
	if								\
	:: atomic { heap_arena == a -> HOME(o) }			\
	:: else -> FREE_REMOTE(o)					\
	fi

#ifdef INTO_DEPOT
#define KEEP(a)		true		/* without P */
#else
#define KEEP(a)		!retired[a]
#endif
#define COLLECT_INBOX(a)						\
	if								\
	:: atomic { inbox[a] -> inbox[a] = false; /* "takes the inbox of {it}" */ OWNED(a) }; \
		if					/* P */		\
		:: KEEP(a) -> depot[a] = true	/* "puts object 0 into the depot of {it}" */ \
		:: else -> PUT(a, 0)		/* P: "puts nothing into a depot" */ \
		fi							\
	:: else								\
	fi

#define FLUSH_DEPOT(a)							\
	if								\
	:: atomic { depot[a] -> depot[a] = false; /* "empties the depot of {it}" */ OWNED(a) }; \
		PUT(a, 0)						\
	:: else								\
	fi

#ifdef NO_PASS_ON
#define FOREIGN(a)	false
#define OURS		else			/* without O */
#else
#define FOREIGN(a)	(owner != a)
#define OURS		else
#endif

#define COLLECT_BIT(o)							\
	if								\
	:: remote_bit[o] -> remote_bit[o] = false; HOME(o)		\
	:: else								\
	fi

#define COLLECT(a)							\
	if								\
	:: atomic { remote[a] -> remote[a] = false; /* "takes the remote list of {it}" */ OWNED(a) }; \
		atomic { NO_HEAP; owner = heap_arena };			\
		if					/* O */		\
		:: FOREIGN(a) -> QUEUE	/* O: "sees that the slab is of arena {owner}" */ \
		:: OURS ->						\
			atomic { NO_HEAP; queued = false };		\
			atomic {					\
				NO_HEAP; COLLECT_BIT(0); COLLECT_BIT(1) \
			};						\
			atomic { NO_HEAP; refs--; owner = 0 }		\
		fi							\
	:: else								\
	fi

#define ENTER(a)							\
	if								\
	:: inbox[a] || remote[a] -> COLLECT_INBOX(a); COLLECT(a)	\
	:: else								\
	fi

/* The heap may go when no slab is left and nobody is on the way to it. */
#define PURGE(a)							\
	atomic {							\
		if							\
		:: heap_arena == a && free_bit[0] && free_bit[1] &&	\
		   !refs -> OWNED(a); heap_gone = true	/* "gives the heap back" */ \
		:: else							\
		fi							\
	}

#ifdef NO_RECHECK
#define STILL_OWNER(a)	true		/* without J */
#else
#define STILL_OWNER(a)	(heap_arena == a)	/* J: "reads heap->arena again: the same" */
#endif
#ifdef NO_RETIRED
#define USABLE(a)	true		/* without I */
#else
#define USABLE(a)	(!retired[a])	/* I: "looks whether {it} is retired: no" */
#endif

#define END		a = 0; ended++
#define LOCALS								\
	byte a, owner, left = NONE;					\
	bool was

/* Make an arena of the spare one. */
#define CREATE								\
	atomic { registry == NONE && spare[0] -> registry = me };	\
	LOCK(0);							\
	retired[0] = false;	/* "{it}, a spare one, is in use again" */ \
	UNLOCK(0);							\
	atomic { spare[0] = false; table[0] = true };			\
	registry = NONE

/* An object is freed: alone, or, by one of the two, as a batch. */
proctype give(byte me)		/* "free of object {me}" */
{
	LOCALS;

again:
	if
	:: atomic { NO_HEAP; a = heap_arena };		/* "reads heap->arena: {a}" */
		if
		:: LOCK(a)
		:: lock[a] != NONE -> goto again
		fi;
		if						/* J */
		:: STILL_OWNER(a) -> skip
		:: else ->	/* J: "reads heap->arena again: another one" */
			UNLOCK(a); goto again
		fi;
		ENTER(a);
		if
		:: atomic { HOME(me) }
		:: me == 0 -> depot[a] = true	/* "puts object 0 into the depot of {it}" */
		fi;
		UNLOCK(a)		/* "unlocks it" */
	:: FREE_REMOTE(me)
	:: me == 0 ->						/* K */
		READ_LOCK;		/* "begins a section" */
		atomic { NO_HEAP; a = heap_arena };	/* K: "reads heap->arena: {a}" */
#ifdef NO_SECTION
		READ_UNLOCK;		/* without K */
#else
		ALIVE(a);
#endif
		inbox[a] = true;	/* K: "adds a batch with object 0 to the inbox of {it}" */
		READ_UNLOCK		/* "ends its section" */
	fi;
	atomic { END }
}

/* Or the depot of arena 2 gives the other object back, in no section. */
proctype send(byte me)		/* "the depot of arena 2" */
{
	LOCALS;

	a = 2;
	LOCK(a);
	FREE_REMOTE(me);
	UNLOCK(a);
	atomic { END }
}

/*
 * Somebody comes for an object, in a section or not, and gives back what nobody
 * needs. An arena that is not there is made.
 */
proctype allocate(byte me)	/* "malloc" */
{
	LOCALS;
	bool section;

again:
	if
	:: atomic { READ_LOCK -> section = true }	/* "begins a section" */
	:: true
	fi;
	if
	:: a = 0
	:: a = 1
	:: a = 2
	fi;
	if
	:: table[a] ->			/* "finds {it} in the table" */
		LOCK(a);
		assert(!section || !spare[a]);	/* "Arena {a} has become a spare one in the midst of a section." */
		if						/* I */
		:: USABLE(a) -> goto usable
		:: else ->		/* I: "looks whether arena {a} is retired: yes" */
			UNLOCK(a);
			assert(!section || !spare[a])	/* "Arena {a} has become a spare one in the midst of a section." */
		fi
	:: !table[a]
	fi;
	atomic { READ_UNLOCK; section = false; a = 0 };
	if
	:: CREATE
	:: true
	fi;
	goto again;
usable:
	ENTER(a);
	FLUSH_DEPOT(a);
	PURGE(a);
	atomic {
		assert(!retired[a]);	/* "It makes a heap in an arena that nobody will find again." */
		UNLOCK(a)		/* "makes a heap there, unlocks it" */
	};
	atomic { READ_UNLOCK; section = false; END }
}

/* Arena 0 in favour of 1, then, beside a depot, 1 in favour of 2. */
proctype retire(byte me)	/* "pm_arena_retire()" */
{
	byte r;
	LOCALS;

	do
	:: r == rounds -> break
	:: r < rounds ->
		atomic { registry == NONE -> registry = me };
#ifndef LATE_UNLINK
		table[r] = false;	/* A: "takes {it} out of the table" */
#endif
#ifndef NO_LOCK
		LOCK(r);					/* B */
#else
		/* without B */
#endif
		LOCK(r + 1);					/* B */
		ENTER(r);					/* C */
#ifndef NO_FLUSH
		FLUSH_DEPOT(r);					/* C */
#else
		skip;						/* without C */
#endif
#ifdef RETIRED_FIRST
		retired[r] = true;	/* E too early: "says that {it} is retired" */
#endif
		if						/* D */
		:: heap_gone
		:: atomic { !heap_gone && heap_arena == r ->
			    heap_arena = r + 1 }	/* D: "heap->arena = {r + 1}" */
		:: else
		fi;
#ifndef RETIRED_FIRST
		retired[r] = true;	/* E: "says that {it} is retired" */
#endif
#ifndef NO_LOCK
		UNLOCK(r);
#endif
		UNLOCK(r + 1);		/* F: "unlocks" */
#ifndef NO_SYNC
		atomic {					/* F */
			awaited[0] = reads[0];
			awaited[1] = reads[1];
			awaited[2] = reads[2]
		};
		!awaited[0] && !awaited[1] && !awaited[2];	/* F: "a grace period has passed" */
#else
		skip;						/* without F */
#endif
#ifdef LATE_UNLINK
		table[r] = false;	/* A too late: "takes {it} out of the table" */
#endif
		atomic { lock[r] == NONE -> lock[r] = me };
		atomic { lock[r + 1] == NONE -> lock[r + 1] = me };	/* G: "locks both" */
#ifndef NO_SECOND_INBOX
		COLLECT_INBOX(r);				/* G */
#else
		/* without G */
#endif
#ifndef NO_SECOND_REMOTE
		COLLECT(r);					/* G */
#else
		skip;						/* without G */
#endif
		UNLOCK(r);
		UNLOCK(r + 1);
		spare[r] = true;	/* H: "makes {it} a spare one" */
		registry = NONE;
		r++
	od;
	ended++
}

/* The next who takes the arenas' locks brings everything home. */
proctype judge(byte me)
{
	LOCALS;

	ended == READERS + 1;
	do
	:: a == ARENAS -> break
	:: a < ARENAS && !table[a] -> a++
	:: a < ARENAS && table[a] ->
		lock[a] = me;
		ENTER(a);
		FLUSH_DEPOT(a);
			UNLOCK(a);
		a++
	od;
	assert(free_bit[0] && free_bit[1]);	/* "At the end an object has not come home." */
	assert(!remote_bit[0] && !remote_bit[1]);	/* "At the end a remote bit is left." */
	assert(!refs && !queued);	/* "At the end the heap is referenced." */
	assert(!remote[0] && !remote[1] && !remote[2])	/* "At the end the slab is on a list." */
}

init {
	atomic {
		run give(0);
		if
		:: run send(1); rounds = 2
		:: run give(1); rounds = 1
		fi;
		run allocate(2);
		run retire(RETIRER);
		run judge(JUDGE)
	}
}
