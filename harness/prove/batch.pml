/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The stack of spare batches, which free() pops without a lock.
 *
 * What stands for what (lib/arena/depot.c):
 *
 *	GET		pm_batch_get()
 *	PUT		pm_batch_put(), and pm_batch_provide(), which puts new ones
 *	head, changes	the two halves of pm_batch_head: one word, so they are
 *			read and exchanged in one step
 *	next		struct pm_batch's next, a word that a thread may read
 *			of a batch which another has taken in the meantime
 *
 * Each access to what is shared is a step of its own. Memory is sequentially
 * consistent; the code relies on less: that the exchange in PUT, a full
 * barrier, publishes `next`, and that a GET which read an old `next` fails at
 * its exchange.
 *
 * No batch has two owners, and none is lost: at the end each is on the stack
 * once, or held. The count of changes is as large as the number of changes
 * that can happen here; in the source it has 32 bits, and what SMALL_COUNT
 * shows to go wrong with one bit takes 2^32 changes there while one thread is
 * between two instructions. Left out or done wrong on purpose:
 *
 *	-DNO_COUNT	the head is an index alone
 *	-DSMALL_COUNT	changes are counted modulo 2
 *	-DLATE_NEXT	a batch is on the stack before its `next` is written
 */
#define THREADS	2
#define BATCHES	3
#define OPS	4

byte head = 1;
byte changes;
byte next[BATCHES + 1];
bool held[BATCHES + 1];
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

#define READ_HEAD	atomic { h = head; c = changes }
#define FORGET		h = 0; c = 0; n = 0; b = 0

proctype thread()
{
	byte own[3];		/* batches that we hold, none behind a gap */
	byte op, h, c, n, b;

	do
	:: op == OPS -> break
	:: op < OPS && own[2] == 0 -> op++;			/* GET */
again_get:
		READ_HEAD;
		if
		:: h == 0
		:: else ->
			n = next[h];
			if
			:: atomic { SAME -> head = n; CHANGED;
				    assert(!held[h]); held[h] = true;
				    if
				    :: own[0] == 0 -> own[0] = h
				    :: own[0] != 0 && own[1] == 0 -> own[1] = h
				    :: else -> own[2] = h
				    fi }
			:: atomic { !SAME -> n = 0 }; goto again_get
			fi
		fi;
		FORGET
	:: op < OPS && own[0] != 0 -> op++;			/* PUT */
		if
		:: b = own[0]; own[0] = own[1]; own[1] = own[2]; own[2] = 0
		:: own[1] != 0 -> b = own[1]; own[1] = own[2]; own[2] = 0
		fi;
		held[b] = false;
again_put:
		READ_HEAD;
#ifndef LATE_NEXT
		next[b] = h;
#endif
		if
		:: atomic { SAME -> head = b; CHANGED }
		:: atomic { !SAME -> c = 0 }; goto again_put
		fi;
#ifdef LATE_NEXT
		next[b] = h;
#endif
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
		:: i != 0 -> at[i]++; assert(at[i] == 1); i = next[i]
		:: else -> break
		od;
		n = 1;
		do
		:: n <= BATCHES -> assert(at[n] + held[n] == 1); n++
		:: else -> break
		od
	}
}

init {
	atomic {
		next[1] = 2;
		next[2] = 3;
		run thread();
		run thread();
		run judge()
	}
}
