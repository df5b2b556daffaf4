/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A mark is made by free() and spent by malloc(): an object, three threads that
 * allocate it, free it, free it again, and write to it when it is no longer
 * theirs, while flushes and refills carry it between two CPUs' magazines and
 * its slab.
 *
 * Steps:
 *
 *	A  pm_slab_open_step() marks the objects of a slab as it is opened
 *	B  pm_free_class_fast() stores the mark, and does not look
 *	C  it pushes the object
 *	D  pm_malloc_class_fast() pops an object
 *	E  pm_spend_mark() looks at the mark; without one nobody gets the object
 *	F  it wipes the mark, and the object is the caller's
 *	G  pm_serve() takes an object under the arena's lock, and goes to E
 *	H  pm_mag_flush_batch() carries objects to their slabs as they are
 *	I  pm_slab_put_run() drops an object whose bit is set
 *	J  pm_mag_refill_batch() carries objects to a magazine as they are
 *
 * What stands for what:
 *
 *	word		the object's second word: the mark, or something else
 *	stack		how often the object lies in a CPU's magazine
 *	in_slab		the object's bit in its slab
 *	owner		the thread that got the object last, until somebody frees it
 *	known		who may have the address: frees it and writes to it as it
 *			likes
 *
 * One object is enough: each has its own word, and nothing here depends on what
 * other objects do. A thread uses any CPU's magazine at any time. There is no
 * bound on what a thread does, but for an object's places in a magazine: with
 * more than two a push finds no room. Memory is sequentially consistent.
 *
 * free() happens at B. Who frees an object of somebody else ends the ownership of
 * that one: no allocator can tell the two apart. What is shown is that an object
 * has one owner: it is handed out at most once for each free, whatever is freed
 * and written, and wherever the object lies how often. And in a program without
 * such faults nobody is ever refused an object. A program that knows the secret is
 * not asked about (FORGED).
 *
 * E and F are a load and a store. What is assumed is that no two threads are
 * between them with the same object (`between`). That can only be if the object
 * lies in two places, so it was freed twice before, be it long before, and if both
 * are taken at the same instant. Then both find the one mark (AT_ONCE). Left out or
 * done wrong on purpose:
 *
 *	-DNO_FIRST	A is left out
 *	-DNO_STORE	B is left out
 *	-DLATE_STORE	B comes after C
 *	-DNO_CHECK	E is left out
 *	-DNO_WIPE	F does not wipe
 *	-DNO_SPENDING	G does not go to E
 *	-DFORGED	a program writes the mark
 *	-DAT_ONCE	two threads may be between E and F with the object
 */
#define THREADS	3
#define CPUS	2
#define PLACES	2		/* of an object in a magazine */
#define NONE	255

mtype = { MARK, OTHER };

#ifdef NO_FIRST
mtype word = OTHER;
#else
mtype word = MARK;		/* A */
#endif
byte stack[CPUS];
bool in_slab = true;
byte owner = NONE;
bool known[THREADS];
bool between;			/* somebody is between E and F */
bool faulty;			/* the program is one with faults */

#ifdef NO_STORE
#define STORE		skip		/* without B */
#else
#define STORE		word = MARK	/* "free: marks it" */
#endif
/* The caller's call is over here, as far as anybody can tell. */
#define GIVE		atomic { owner = NONE; STORE }

#ifdef NO_CHECK
#define MARKED		true		/* without E */
#define UNMARKED	false
#else
#define MARKED		(word == MARK)	/* E: "finds the mark" */
#define UNMARKED	(word != MARK)	/* E: "finds no mark" */
#endif
#ifdef NO_WIPE
#define WIPE		skip		/* without F */
#else
#define WIPE		word = OTHER	/* F: "wipes it" */
#endif
#define HAND_OUT	WIPE; assert(owner == NONE); /* "The object has two owners." */ \
			owner = me; known[me] = true	/* "has the object" */
#define REFUSE		assert(faulty)	/* "A program without faults is refused an object." */

#ifdef AT_ONCE
#define ALONE		true
#else
#define ALONE		!between
#endif
#define SPEND								\
	if							/* E */	\
	:: atomic { ALONE && MARKED -> between = true };		\
		atomic { HAND_OUT; between = false }		/* F */	\
	:: atomic { ALONE && UNMARKED -> REFUSE }			\
	fi

#define PUT								\
	atomic {							\
		if						/* I */	\
		:: in_slab -> skip	/* "the bit is set: drops it" */ \
		:: !in_slab -> in_slab = true	/* "puts it into its slab" */ \
		fi							\
	}
#define PUSH								\
	if								\
	:: atomic { stack[0] < PLACES -> stack[0]++ }	/* "pushes it, CPU 0" */ \
	:: atomic { stack[1] < PLACES -> stack[1]++ }	/* "pushes it, CPU 1" */ \
	:: PUT								\
	fi
#define POP								\
	if								\
	:: atomic { stack[0] > 0 -> stack[0]-- }	/* "pops it, CPU 0" */ \
	:: atomic { stack[1] > 0 -> stack[1]-- }	/* "pops it, CPU 1" */ \
	fi

#define MAY_USE		(owner == me || faulty && known[me])

proctype thread(byte me)	/* "thread {me}" */
{
end:
	do
	:: MAY_USE ->						/* free */
#ifdef LATE_STORE
		skip;					/* without B: "not yet" */
		PUSH;
		GIVE						/* B too late */
#else
		GIVE;						/* B */
		PUSH						/* C */
#endif
	:: POP;							/* malloc, D */
		SPEND
	:: atomic { in_slab -> in_slab = false };	/* G: "gets it under the lock" */
#ifdef NO_SPENDING
		atomic { HAND_OUT }
#else
		SPEND
#endif
	:: POP;							/* H */
		PUT
	:: atomic { in_slab -> in_slab = false };	/* J: "refill: takes it" */
		PUSH
	:: atomic { MAY_USE -> word = OTHER }	/* "writes to it" */
#ifdef FORGED
	:: atomic { MAY_USE -> word = MARK }	/* "writes the mark to it" */
#endif
	od
}

init {
	atomic {
#ifdef NO_FIRST
		skip;						/* without A */
#endif
		if
		:: faulty = true	/* "the program is one with faults" */
		:: skip
		fi;
		run thread(0);
		run thread(1);
		run thread(2)
	}
}
