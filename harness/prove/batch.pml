/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A batch's way: from the stack of spare batches, popped without a lock, to the
 * inbox of one of two arenas whose lock is held, and with the lock's next holder
 * back to the stack.
 *
 * Steps:
 *
 *	A  pm_batch_get() reads the head: an index and a count of changes
 *	B  it reads next of the batch at the head
 *	C  it makes that the head, if neither half of the head has changed
 *	D  pm_free_inbox() copies the objects into the batch
 *	E  it adds the batch to the inbox
 *	F  pm_arena_collect_inbox() takes the inbox
 *	G  it reads of a batch which is the next and what the objects are
 *	H  pm_batch_put() writes what the head is into next
 *	I  it makes the batch the head, if neither half has changed
 *
 * What stands for what:
 *
 *	GET		pm_batch_get()
 *	send		pm_free_inbox(), llist_add()
 *	collect		pm_arena_collect_inbox(), llist_del_all()
 *	PUT		pm_batch_put(), and pm_batch_provide(), which puts new ones
 *	head, changes	the two halves of pm_batch_head: one word, so they are
 *			read and exchanged in one step
 *	next		struct pm_batch's next, a word that a thread may read
 *			of a batch which another has taken in the meantime
 *	behind		struct pm_batch's node: its place in the inbox
 *
 * Each access to what is shared is a step of its own. Nobody needs the arena's
 * lock for F: each takes the whole, and has it alone. Memory is sequentially
 * consistent; the code relies on less: that the exchange of I, a full barrier,
 * publishes `next`, that of E the objects, and that a GET which read an old
 * `next` fails at C.
 *
 * No batch has two owners, and none is lost: at the end each is on the stack
 * once. All objects arrive. The count of changes is as large as the number of
 * changes that can happen here; in the source it has 32 bits, and what
 * SMALL_COUNT shows to go wrong with one bit takes 2^32 changes there while one
 * thread is between two instructions. Left out or done wrong on purpose:
 *
 *	-DNO_COUNT	the head is an index alone
 *	-DSMALL_COUNT	changes are counted modulo 2
 *	-DLATE_NEXT	H comes after I
 *	-DLATE_FILL	D comes after E
 *	-DLATE_READ	G comes after I
 */
#define THREADS	2
#define BATCHES	3
#define ARENAS	2
#define OPS	4

byte head = 1;
byte changes;
byte next[BATCHES + 1];
byte inbox[ARENAS];
byte behind[BATCHES + 1];
bool filled[BATCHES + 1];		/* it holds an object */
bool owned[BATCHES + 1];	/* neither on the stack nor in the inbox */
byte sent, arrived;
byte ended;

#ifdef SMALL_COUNT
#define CHANGED		changes = 1 - changes
#else
#define CHANGED		changes++
#endif
#ifdef NO_COUNT
#define SAME		(head == h)
#else
#define SAME		(head == h && changes == c)
#endif

#define READ_HEAD	atomic { h = head; c = changes } /* "reads the head: {h}, count {c}" */
#define FORGET		atomic { h = 0; c = 0; n = 0; b = 0; a = 0 }

#ifdef LATE_FILL
#define FILL_FIRST	skip			/* without D: "not yet" */
#define FILL_LATE	filled[b] = true	/* D too late: "fills batch {b}" */
#else
#define FILL_FIRST	filled[b] = true	/* D: "fills batch {b}" */
#define FILL_LATE	skip
#endif
#define READ_BATCH							\
	list = behind[b];						\
	atomic { assert(filled[b]); /* "There is nothing in batch {b} when it is read." */ \
		 filled[b] = false; arrived++ }	/* "reads batch {b}" */
#ifdef LATE_READ
#define READ_FIRST	skip
#define READ_LATE	READ_BATCH		/* G too late */
#else
#define READ_FIRST	READ_BATCH		/* G */
#define READ_LATE	skip
#endif

proctype thread()		/* "thread {n}" */
{
	byte op, h, c, n, b, list, a;

	do
	:: op == OPS -> break
	:: op < OPS -> op++;				/* send */
again_get:
		READ_HEAD;				/* A */
		if
		:: h == 0
		:: else ->
			n = next[h];	/* B: "reads next of batch {h}: {n}" */
			if
			:: atomic { SAME -> head = n; CHANGED;	/* C */
				    assert(!owned[h]);	/* "Batch {h} has two owners." */
				    owned[h] = true;
				    b = h }	/* C: "makes {n} the head, and has batch {b}" */
			:: atomic { !SAME -> n = 0 }; goto again_get
			fi;
			sent++;
			FILL_FIRST;
			if
			:: a = 0
			:: a = 1
			fi;
again_add:
			n = inbox[a];
			behind[b] = n;
			if
			:: atomic { inbox[a] == n ->
				    inbox[a] = b; owned[b] = false }
						/* E: "adds batch {b} to inbox {a}" */
			:: inbox[a] != n -> goto again_add
			fi;
			FILL_LATE
		fi;
		FORGET
	:: op < OPS && (inbox[0] || inbox[1]) -> op++;	/* collect */
		if
		:: atomic { inbox[0] -> list = inbox[0]; inbox[0] = 0 }	/* F: "takes inbox 0" */
		:: atomic { inbox[1] -> list = inbox[1]; inbox[1] = 0 }	/* F: "takes inbox 1" */
		:: else
		fi;
		do
		:: list == 0 -> break
		:: list != 0 ->
			atomic { b = list; assert(!owned[b]);	/* "Batch {b} has two owners." */
				 owned[b] = true };
			READ_FIRST;
again_put:
			READ_HEAD;
#ifndef LATE_NEXT
			next[b] = h;	/* H: "next of batch {b} = {h}" */
#endif
			if
			:: atomic { SAME -> head = b; CHANGED;
				    owned[b] = false }	/* I: "makes batch {b} the head" */
			:: atomic { !SAME -> c = 0 }; goto again_put
			fi;
#ifdef LATE_NEXT
			next[b] = h;	/* H too late: "next of batch {b} = {h}" */
#endif
			READ_LATE
		od;
		FORGET
	od;
	ended++
}

proctype judge()
{
	byte at[BATCHES + 1], i, n;

	atomic {
		ended == THREADS;
		i = head;
		do
		:: i != 0 -> at[i]++;
			assert(at[i] == 1);	/* "At the end batch {i} is on the stack twice." */
			i = next[i]
		:: else -> break
		od;
		do
		:: n < ARENAS ->
			i = inbox[n]; n++;
			do
			:: i != 0 ->
				at[i]++;
				assert(at[i] == 1);	/* "At the end batch {i} is in two places." */
				assert(filled[i]);	/* "At the end batch {i} in an inbox is empty." */
				arrived++; i = behind[i]
			:: else -> break
			od
		:: else -> break
		od;
		n = 1;
		do
		:: n <= BATCHES ->
			assert(at[n] == 1);	/* "At the end batch {n} is lost." */
			n++
		:: else -> break
		od;
		assert(arrived == sent)		/* "Not all that was sent has arrived." */
	}
}

init {
	atomic {
		next[1] = 2;
		next[2] = 3;	/* "the head is batch 1, behind it are 2 and 3" */
		run thread();
		run thread();
		run judge()
	}
}
