/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pop, push, refill and flush by two threads of one CPU, against a drain by
 * another CPU.
 *
 * Steps:
 *
 *	A  a section loads the magazine's address from the CPU's place
 *	B  it loads top, and reads slots below or writes slots above
 *	C  it commits: its last instruction stores the new top
 *	D  a section that something came between begins again at A
 *	E  one that is aborted too often finds nothing, and
 *	   pm_percpu_prepare() sends its caller past the magazine, once
 *	F  pm_mag_here() puts a magazine where the null magazine is
 *	G  pm_mag_drain_locked() publishes the null magazine
 *	H  pm_percpu_fence() returns when no section that began before runs;
 *	   where it cannot, the magazine is published again
 *	I  pm_mag_retire() has the magazine for itself and empties it
 *	J  pm_mag_refill_batch() pushes a batch in one section with one commit
 *	K  pm_mag_flush_batch() pops a batch in one section with one commit
 *	L  pm_mag_set_aside() publishes the null magazine; the magazine stays
 *	   its CPU's, for F and G to find
 *
 * What stands for what:
 *
 *	POP		pm_percpu_pop()
 *	PUSH		pm_percpu_push()
 *	POP_BATCH	pm_percpu_pop_batch()
 *	PUSH_BATCH	pm_percpu_push_batch()
 *	INSTALL		pm_mag_here()
 *	aside		the CPU's place in pm_mags[], and nothing is published
 *	thread, miss	pm_mag_refill()
 *	thread, no room	pm_mag_flush(), behind pm_mag_is_on_top()
 *	PREPARE		pm_percpu_prepare(): pm_gives_way()
 *	aborts		pm_tls.aborts
 *	drain		pm_mag_drain_locked(), pm_mag_retire()
 *	IRQ		pm_percpu_fence()
 *	table		pm_percpu.mag[] of the CPU
 *	depot		everything under the arena's lock: one atomic step
 *
 * Only the thread that the CPU runs takes a step. The scheduler changes it at
 * any time; a thread that was inside a section then begins it again when it
 * runs again (`aborted`). Every load and store inside a section is a step of
 * its own. Memory is sequentially consistent: that the drain's publishing
 * store is seen before the interrupt is the fence's promise, and the stores
 * of one CPU are seen in order by itself.
 *
 * No object has two owners: `held` when it is handed out. None is lost: at
 * the end each is in the depot once, or held. And every run ends: with -DENDS
 * the scheduler may interrupt a thread after each of its steps, without end, and
 * a run that goes on without end would be a cycle. (Without that flag a section
 * begins again as often as you like, and E is not needed.) Left out or done wrong
 * on purpose:
 *
 *	-DEARLY_COMMIT	C comes before the slots of B are written
 *	-DNO_RESTART	D is left out: the section goes on
 *	-DNO_BOUND	(-DENDS) E is left out
 *	-DOWN_FIRST	I comes before G and H
 *	-DNO_FENCE	H is left out
 *	-DASIDE_OWN	H is left out where L came before
 *	-DLOST_MAG	H fails, and the magazine is not published again
 *	-DPLAIN_REFILL	J is plain C: no section
 *	-DPLAIN_FLUSH	K is plain C
 */
#ifdef ENDS
#define OPS	1
#else
#define OPS	2
#endif
#define TRIES	2		/* PM_RSEQ_TRIES */
#define DRAINS	1
#define OBJS	3
#define SLOTS	2
#define BATCH	2

bool table = true;		/* the magazine, false: the null magazine */
byte top;
byte slot[SLOTS];
bool spare;			/* the magazine is nobody's */
bool aside;			/* it is the CPU's, and not in the table */
bool mag_lock;			/* pm_mag_lock */
bool depot[OBJS + 1];		/* objects that lie in it, from 1 */
bool held[OBJS + 1];		/* objects that callers hold, from 1 */

byte running;			/* the thread that the CPU runs */
bool inside[2];			/* in a section */
bool aborted[2];		/* was interrupted in it */
byte ended;

#ifdef ENDS
bool stepped;			/* the running thread has, since the switch */
#define STEPPED		stepped = true
#else
#define STEPPED		skip
#endif

/* What an interrupt does to the thread that runs. */
#define IRQ								\
	if								\
	:: inside[running] -> aborted[running] = true			\
	:: else								\
	fi

/* A step outside of any section. */
#define RUN(x)		atomic { running == me -> STEPPED; x }

#ifdef NO_RESTART
#define ABORTED		false		/* without D */
#define AGAIN		skip
#else
#define ABORTED		aborted[me]
#define AGAIN		skip	/* D: "something came between: begins again" */
#endif
#if !defined(ENDS)
#define GIVE_WAY	false
#define COUNT		skip
#define PREPARE		skip
#elif defined(NO_BOUND)
#define GIVE_WAY	false		/* without E */
#define COUNT		skip
#define PREPARE		skip
#else
#define GIVE_WAY	(aborts == TRIES)
#define COUNT		aborts++	/* "begins again: aborted {aborts} times" */
/* past: whether the caller goes past the magazine */
#define PREPARE								\
	past = (aborts == TRIES);	/* "{past?goes past the magazine:}" */ \
	aborts = (past -> TRIES - 1 : 0)
#endif

/*
 * A step inside: as long as nothing came in between, else back to the label L
 * (D), or the section ends with `none` (E).
 */
#define STEP(L, x, none)						\
	if								\
	:: atomic { running == me && !ABORTED -> STEPPED; x }		\
	:: atomic { running == me && ABORTED ->				\
		    STEPPED;						\
		    m = false; t = 0; n = 0; i = 0;			\
		    inside[me] = false; aborted[me] = false;		\
		    if							\
		    :: GIVE_WAY -> none; goto L##_end	/* E */		\
		    :: !GIVE_WAY -> AGAIN; COUNT; goto L		\
		    fi }						\
	fi
/* Begin, and load the magazine's address. */
#define BEGIN(L)	L: RUN(inside[me] = true; m = table)	/* A: "loads the address: {m?the magazine:the null magazine}" */
#define END		inside[me] = false; aborted[me] = false

#define DEPOT_PUT(o)	assert(!depot[o] && !held[o]); /* "The object has two owners." */ depot[o] = true
#define DEPOT_HAS	(depot[1] || depot[2] || depot[3])
#define DEPOT_TAKE(o)							\
	if								\
	:: depot[1] -> o = 1						\
	:: !depot[1] && depot[2] -> o = 2				\
	:: !depot[1] && !depot[2] -> o = 3				\
	fi;								\
	depot[o] = false
#define HAND_OUT(o)	assert(!held[o]); /* "The object has two owners." */ held[o] = true /* "malloc returns object {o}" */

/* o: the object, 0 when there is none */
#define POP_STEP(L, x)	STEP(L, x, o = 0)
#define POP(L)								\
	BEGIN(L);							\
	POP_STEP(L, if							\
		:: !m -> t = 0						\
		:: else -> t = top	/* B: "loads top: {t}" */	\
		fi);							\
	POP_STEP(L, if							\
		:: t == 0 -> o = 0; END; goto L##_end			\
		:: else -> o = slot[t - 1]	/* B: "reads the slot: object {o}" */ \
		fi);							\
	POP_STEP(L, top = t - 1; /* C: "pops it: top = {top}" */ END);	\
L##_end:

/* ok: whether o found room */
#define PUSH_STEP(L, x)	STEP(L, x, ok = false)
#define PUSH(L)								\
	BEGIN(L);							\
	PUSH_STEP(L, if							\
		:: !m -> t = SLOTS					\
		:: else -> t = top	/* B: "loads top: {t}" */	\
		fi);							\
	PUSH_STEP(L, if							\
		:: t == SLOTS -> ok = false; END; goto L##_end		\
		:: else -> ok = true; slot[t] = o	/* B: "writes object {o} to slot {t}" */ \
		fi);							\
	PUSH_STEP(L, top = t + 1; /* C: "pushes it: top = {top}" */ END);	\
L##_end:

#ifdef PLAIN_REFILL
#define RSTEP(L, x)	RUN(x)
#define RBEGIN(L)	L: RUN(m = table)	/* without J */
#else
#define RSTEP(L, x)	STEP(L, x, skip)
#define RBEGIN(L)	BEGIN(L)
#endif
#ifdef EARLY_COMMIT
#define COMMIT_EARLY(L)	RSTEP(L, top = t + n /* C too early: "top = {top}" */)
#define COMMIT_LATE(L)	RSTEP(L, END)
#else
#define COMMIT_EARLY(L)	skip
#define COMMIT_LATE(L)	RSTEP(L, top = t + n; /* C: "refill: top = {top}" */ END)
#endif

/* J: b[0..n-1], as many of nb as there is room for */
#define PUSH_BATCH(L)							\
	RBEGIN(L);							\
	RSTEP(L, if							\
		:: !m -> t = SLOTS					\
		:: else -> t = top					\
		fi;							\
		n = (SLOTS - t < nb -> SLOTS - t : nb);	/* J: "has {nb} to push, top is {t}" */ \
		if							\
		:: n == 0 -> END; goto L##_end				\
		:: else							\
		fi);							\
	COMMIT_EARLY(L);						\
	RSTEP(L, slot[t] = b[0] /* J: "writes object {b[0]} to slot {t}" */); \
	if								\
	:: n == 2 -> RSTEP(L, slot[t + 1] = b[1] /* J: "writes object {b[1]} to slot {t + 1}" */) \
	:: else								\
	fi;								\
	COMMIT_LATE(L);							\
L##_end:

#ifdef PLAIN_FLUSH
#define FSTEP(L, x)	RUN(x)
#define FBEGIN(L)	L: RUN(m = table)	/* without K */
#else
#define FSTEP(L, x)	STEP(L, x, skip)
#define FBEGIN(L)	BEGIN(L)
#endif

/* K: b[0..n-1]: what was on top */
#define POP_BATCH(L)							\
	FBEGIN(L);							\
	FSTEP(L, if							\
		:: !m -> t = 0						\
		:: else -> t = top					\
		fi;							\
		n = (t < BATCH -> t : BATCH);	/* K: "loads top: {t}" */ \
		if							\
		:: n == 0 -> END; goto L##_end				\
		:: else							\
		fi);							\
	FSTEP(L, b[0] = slot[t - n] /* K: "reads object {b[0]}" */);	\
	if								\
	:: n == 2 -> FSTEP(L, b[1] = slot[t - 1] /* K: "reads object {b[1]}" */) \
	:: else								\
	fi;								\
	FSTEP(L, top = t - n; /* K: "pops them: top = {top}" */ END);	\
L##_end:

/* F: the null magazine is in the table: put the CPU's there, or a spare one. */
#define INSTALL								\
	if								\
	:: !past && !mag_lock && (spare || aside) ->			\
		spare = false; aside = false; table = true	/* F: "publishes a magazine" */ \
	:: else								\
	fi

/* L, now and then; the thread may have come to another CPU meanwhile. */
#ifdef ENDS
#define SET_ASIDE	skip
#else
#define SET_ASIDE							\
	if								\
	:: table -> table = false; aside = true	/* L: "sets the magazine aside" */ \
	:: true								\
	fi
#endif

/* Local variables are forgotten between operations: fewer states. */
#define FORGET		m = false; t = 0; n = 0; i = 0; nb = 0; o = 0;	\
			b[0] = 0; b[1] = 0; ok = false; past = false

proctype thread(byte me)	/* "thread {me}" */
{
	byte b[BATCH], own[2];		/* a batch; objects that we hold */
	byte t, n, i, nb, o, op, aborts;
	bool m, ok, past;

#ifdef ENDS
	/* As after other operations: many aborts, and one has an object. */
	RUN(if
	    :: aborts = 0
	    :: aborts = TRIES
	    fi;
	    if
	    :: me == 0 && depot[3] ->
		depot[3] = false; held[3] = true; own[0] = 3
	    :: skip
	    fi);
#endif
	do
	:: op == OPS -> break
	:: op < OPS && own[1] == 0 -> op++;			/* malloc */
		POP(pop)
		if
		:: o == 0 ->					/* miss */
			RUN(PREPARE; INSTALL;
			    if
			    :: DEPOT_HAS -> DEPOT_TAKE(o)
			    :: else
			    fi;
			    do
			    :: !past && DEPOT_HAS && nb < BATCH ->
				DEPOT_TAKE(b[nb]); nb++
			    :: else -> break
			    od);
			if
			:: nb ->
				PUSH_BATCH(refill)
				RUN(do
				    :: n < nb -> DEPOT_PUT(b[n]); n++
				    :: else -> break
				    od)
			:: else
			fi
		:: else
		fi;
		RUN(if
		    :: o ->
			HAND_OUT(o);
			if
			:: own[0] == 0 -> own[0] = o
			:: else -> own[1] = o
			fi
		    :: else
		    fi; FORGET);
		atomic { SET_ASIDE }
	:: op < OPS && own[0] != 0 -> op++;			/* free */
		RUN(o = own[0]; own[0] = own[1]; own[1] = 0;
		    held[o] = false);	/* "free of object {o}" */
		PUSH(push)
		if
		:: !ok ->					/* full */
			RUN(PREPARE; PREPARE; INSTALL; m = false; t = 0);
			if
			:: !past ->
				POP_BATCH(flush)
				RUN(do
				    :: i < n -> DEPOT_PUT(b[i]); i++
				    :: else -> break
				    od; n = 0; i = 0);
				PUSH(again)
			:: past
			fi;
			RUN(if
			    :: !ok -> DEPOT_PUT(o)
			    :: else
			    fi)
		:: else
		fi;
		RUN(FORGET)
	od;
	RUN(ended++)
}

#define EMPTY								\
	do								\
	:: atomic { top > 0 -> top-- };	/* "takes object {slot[top]} out" */ \
		atomic { assert(top < SLOTS); /* "A stack of the past has come back." */ \
			 DEPOT_PUT(slot[top]) }				\
	:: else -> break						\
	od

/* The other CPU. */
proctype drain()		/* "who drains" */
{
	byte times;

	do
	:: times == DRAINS -> break
	:: times < DRAINS ->
		atomic { !mag_lock -> mag_lock = true };
		if
		:: table || aside ->
#ifdef OWN_FIRST
			skip;	/* I too early: "has the magazine for itself" */
			EMPTY;
#endif
			table = false;	/* G: "publishes the null magazine" */
			if				/* H */
#ifdef NO_FENCE
			:: skip				/* without H */
#else
			:: atomic { skip; /* H: "fences" */ IRQ }
#endif
#ifdef ASIDE_OWN
			:: aside			/* without H */
#endif
#ifndef LOST_MAG
			:: atomic { table = true; aside = false };	/* H: "cannot fence: publishes the magazine again" */
				goto next
#else
			:: skip;	/* without H: "cannot fence, and goes on" */
				goto next
#endif
			fi;
#ifndef OWN_FIRST
			skip;	/* I: "has the magazine for itself" */
			EMPTY;
#endif
			atomic { spare = true; aside = false }
		:: else
		fi;
next:
		times++;
		mag_lock = false
	od;
	ended++
}

/* Another thread of the CPU runs from now on. */
#ifdef ENDS
#define MAY_SWITCH	stepped
#define SWITCHED	stepped = false
#else
#define MAY_SWITCH	true
#define SWITCHED	skip
#endif
proctype scheduler()
{
	do
	:: ended == 3 -> break
	:: atomic { ended < 3 && MAY_SWITCH ->
		    IRQ; running = 1 - running; SWITCHED }
	od
}

proctype judge()
{
	byte at[OBJS + 1], i;

	atomic {
		ended == 3 ->
		assert(table + spare + aside == 1);	/* "The magazine is lost." */
		assert(table || aside || !top);	/* "There are objects in a magazine that is nobody's." */
		do
		:: i < top -> at[slot[i]]++; i++
		:: else -> break
		od;
		i = 1;
		do
		:: i <= OBJS ->
			at[i] = at[i] + held[i] + depot[i];
			assert(at[i] == 1);	/* "Object {i} is in {at[i]} places." */
			i++
		:: else -> break
		od
	}
}

init {
	atomic {
		/* some in the magazine, one with each thread or not */
		slot[0] = 1; slot[1] = 2;
		if
		:: top = 2	/* "the magazine holds objects 1 and 2" */
		:: top = 1; depot[2] = true	/* "the magazine holds object 1" */
		:: depot[1] = true; depot[2] = true	/* "the magazine is empty" */
		fi;
		depot[3] = true;
		run thread(0);
		run thread(1);
		run drain();
		run scheduler();
		run judge()
	}
}
