/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Pop, push, refill and flush by two threads of one CPU, against a drain by
 * another CPU.
 *
 * What stands for what:
 *
 *	POP		pm_percpu_pop()		lib/user/rseq-x86_64.h
 *	PUSH		pm_percpu_push()
 *	POP_BATCH	pm_percpu_pop_batch()
 *	PUSH_BATCH	pm_percpu_push_batch()
 *	INSTALL		pm_mag_here()		lib/front/drain.c
 *	thread, miss	pm_mag_refill()
 *	thread, full	pm_mag_flush()
 *	drain		pm_mag_drain_locked(), pm_mag_retire()
 *	IRQ		pm_percpu_fence()	lib/user/percpu.c
 *	table		pm_percpu.mag[] of the CPU
 *	depot		everything under the arena's lock: one atomic step
 *
 * Only the thread that the CPU runs takes a step. The scheduler changes it at
 * any time; a thread that was inside a section then begins it anew when it
 * runs again (`aborted`). Every load and store inside a section is a step of
 * its own. Memory is sequentially consistent: that the drain's publishing
 * store is seen before the interrupt is the fence's promise, and the stores
 * of one CPU are seen in order by itself.
 *
 * No object has two owners: `held` when it is handed out. None is lost: at
 * the end each is in the depot once, or held. Left out or done wrong on
 * purpose:
 *
 *	-DNO_FENCE	drain owns what it took out of the table at once
 *	-DOWN_FIRST	drain empties before it publishes the null magazine
 *	-DPLAIN_REFILL	the batch is pushed by plain C: no section
 *	-DPLAIN_FLUSH	the batch is popped by plain C
 *	-DEARLY_COMMIT	the new top is stored before the slots are filled
 */
#ifndef OPS
#define OPS	2
#endif
#ifndef DRAINS
#define DRAINS	1
#endif
#define OBJS	3
#define SLOTS	2
#define BATCH	2

bool table = true;		/* the magazine, false: the null magazine */
byte top;
byte slot[SLOTS];
bool spare;			/* the magazine is nobody's */
bool mag_lock;			/* pm_mag_lock */
byte depot[OBJS];
byte nr_depot;
bool held[OBJS + 1];		/* objects that callers hold, from 1 */

byte running;			/* the thread that the CPU runs */
bool inside[2];			/* in a section */
bool aborted[2];		/* was interrupted in it */
byte ended;

/* What an interrupt does to the thread that runs. */
#define IRQ								\
	if								\
	:: inside[running] -> aborted[running] = true			\
	:: else								\
	fi

/* A step outside of any section. */
#define RUN(x)		atomic { running == me -> x }

/* A step inside: as long as nothing came in between, else back to L. */
#define STEP(L, x)							\
	if								\
	:: atomic { running == me && !aborted[me] -> x }		\
	:: atomic { running == me && aborted[me] ->			\
		    aborted[me] = false; inside[me] = false;		\
		    m = false; t = 0; n = 0; i = 0; goto L }		\
	fi
/* Begin, and load the magazine's address. */
#define BEGIN(L)	L: RUN(inside[me] = true; m = table)
#define END		inside[me] = false

#define DEPOT_PUT(o)	depot[nr_depot] = o; nr_depot++
#define DEPOT_TAKE(o)	nr_depot--; o = depot[nr_depot]; depot[nr_depot] = 0
#define HAND_OUT(o)	assert(!held[o]); held[o] = true

/* o: the object, 0 when there is none */
#define POP(L)								\
	BEGIN(L);							\
	STEP(L, if							\
		:: !m -> t = 0				\
		:: else -> t = top					\
		fi);							\
	STEP(L, if							\
		:: t == 0 -> o = 0; END; goto L##_end			\
		:: else -> o = slot[t - 1]				\
		fi);							\
	STEP(L, top = t - 1; END);					\
L##_end:

/* ok: whether o found room */
#define PUSH(L)								\
	BEGIN(L);							\
	STEP(L, if							\
		:: !m -> t = SLOTS				\
		:: else -> t = top					\
		fi);							\
	STEP(L, if							\
		:: t == SLOTS -> ok = false; END; goto L##_end		\
		:: else -> ok = true; slot[t] = o			\
		fi);							\
	STEP(L, top = t + 1; END);					\
L##_end:

#ifdef PLAIN_REFILL
#define RSTEP(L, x)	RUN(x)
#define RBEGIN(L)	L: RUN(m = table)
#else
#define RSTEP(L, x)	STEP(L, x)
#define RBEGIN(L)	BEGIN(L)
#endif
#ifdef EARLY_COMMIT
#define COMMIT_EARLY(L)	RSTEP(L, top = t + n)
#define COMMIT_LATE(L)	RSTEP(L, END)
#else
#define COMMIT_EARLY(L)	skip
#define COMMIT_LATE(L)	RSTEP(L, top = t + n; END)
#endif

/* b[0..n-1], as many of nb as there is room for */
#define PUSH_BATCH(L)							\
	RBEGIN(L);							\
	RSTEP(L, if							\
		:: !m -> t = SLOTS				\
		:: else -> t = top					\
		fi;							\
		n = (SLOTS - t < nb -> SLOTS - t : nb);			\
		if							\
		:: n == 0 -> END; goto L##_end				\
		:: else							\
		fi);							\
	COMMIT_EARLY(L);						\
	RSTEP(L, slot[t] = b[0]);					\
	if								\
	:: n == 2 -> RSTEP(L, slot[t + 1] = b[1])			\
	:: else								\
	fi;								\
	COMMIT_LATE(L);							\
L##_end:

#ifdef PLAIN_FLUSH
#define FSTEP(L, x)	RUN(x)
#define FBEGIN(L)	L: RUN(m = table)
#else
#define FSTEP(L, x)	STEP(L, x)
#define FBEGIN(L)	BEGIN(L)
#endif

/* b[0..n-1]: what was on top */
#define POP_BATCH(L)							\
	FBEGIN(L);							\
	FSTEP(L, if							\
		:: !m -> t = 0				\
		:: else -> t = top					\
		fi;							\
		n = (t < BATCH -> t : BATCH);				\
		if							\
		:: n == 0 -> END; goto L##_end				\
		:: else							\
		fi);							\
	FSTEP(L, b[0] = slot[t - n]);				\
	if								\
	:: n == 2 -> FSTEP(L, b[1] = slot[t - 1])			\
	:: else								\
	fi;								\
	FSTEP(L, top = t - n; END);					\
L##_end:

/* The null magazine is in the table: put a spare one there. */
#define INSTALL								\
	if								\
	:: !mag_lock && spare -> spare = false; table = true		\
	:: else								\
	fi

/* Local variables are forgotten between operations: fewer states. */
#define FORGET		m = false; t = 0; n = 0; i = 0; nb = 0; o = 0;	\
			b[0] = 0; b[1] = 0; ok = false

proctype thread(byte me)
{
	byte b[BATCH], own[2];		/* a batch; objects that we hold */
	byte t, n, i, nb, o, op;
	bool m, ok;

	do
	:: op == OPS -> break
	:: op < OPS && own[1] == 0 -> op++;			/* malloc */
		POP(pop)
		if
		:: o == 0 ->					/* miss */
			RUN(INSTALL;
			    if
			    :: nr_depot -> DEPOT_TAKE(o)
			    :: else
			    fi;
			    do
			    :: nr_depot && nb < BATCH ->
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
		    fi; FORGET)
	:: op < OPS && own[0] != 0 -> op++;			/* free */
		RUN(o = own[0]; own[0] = own[1]; own[1] = 0;
		    held[o] = false);
		PUSH(push)
		if
		:: !ok ->					/* full */
			RUN(INSTALL; m = false; t = 0);
			POP_BATCH(flush)
			RUN(do
			    :: i < n -> DEPOT_PUT(b[i]); i++
			    :: else -> break
			    od; n = 0; i = 0);
			PUSH(again)
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

/* The other CPU. */
proctype drain()
{
	byte times;

	do
	:: times == DRAINS -> break
	:: times < DRAINS ->
		atomic { !mag_lock -> mag_lock = true };
		if
		:: table ->
#ifndef OWN_FIRST
			table = false;			/* publish */
#endif
#ifndef NO_FENCE
			atomic { IRQ };			/* fence */
#endif
			do				/* own */
			:: atomic { top > 0 -> top-- };
				atomic { DEPOT_PUT(slot[top]) }
			:: else -> break
			od;
#ifdef OWN_FIRST
			table = false;
			atomic { IRQ };
#endif
			spare = true
		:: else
		fi;
		times++;
		mag_lock = false
	od;
	ended++
}

/* Another thread of the CPU runs from now on. */
proctype scheduler()
{
	do
	:: ended == 3 -> break
	:: atomic { ended < 3 -> IRQ; running = 1 - running }
	od
}

/* At the end every object is in one place. */
proctype judge()
{
	byte at[OBJS + 1], i;

	atomic {
		ended == 3 ->
		assert(table != spare);
		assert(table || !top);
		do
		:: i < top -> at[slot[i]]++; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < nr_depot -> at[depot[i]]++; i++
		:: else -> break
		od;
		i = 1;
		do
		:: i <= OBJS -> at[i] = at[i] + held[i];
			assert(at[i] == 1); i++
		:: else -> break
		od
	}
}

init {
	atomic {
		/* some in the magazine, one with each thread or not */
		slot[0] = 1; slot[1] = 2;
		if
		:: top = 2
		:: top = 1; depot[0] = 2; nr_depot = 1
		:: depot[0] = 1; depot[1] = 2; nr_depot = 2
		fi;
		depot[nr_depot] = 3; nr_depot++;
		run thread(0);
		run thread(1);
		run drain();
		run scheduler();
		run judge()
	}
}
