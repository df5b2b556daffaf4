/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Magazines: per CPU, for each class a small stack of object pointers that
 * is used without a lock and without an atomic operation.
 *
 *	pop	top = stack.top; obj = slot below top; stack.top = top - 1
 *	push	top = stack.top; slot at top = obj;    stack.top = top + 1
 *
 * Each is one per-CPU section of the host: it runs on one CPU without
 * another user of the magazine in between, or not at all, and has one store
 * that commits, its last instruction. In userspace that is a restartable
 * sequence, in the kernel a few instructions with preemption off and a flag
 * that turns interrupts away.
 *
 * A magazine in memory:
 *
 *	+-------------------+ 0
 *	| stack[class]      |  top and limit, in bytes from here
 *	+-------------------+
 *	| bookkeeping       |
 *	+-------------------+ pm_mag_base[1]
 *	| NULL | o | o |    |  slots of class 1: a NULL below the first, so
 *	+-------------------+  that a pop from an empty stack finds NULL
 *	| NULL | o |        |  slots of class 2 ...
 *
 * The null magazine is all zeroes, with a zero word before it: popping finds
 * NULL (top 0, the slot below it is that word), pushing finds it full (top
 * and limit are equal). It is what every CPU has before anything is set up
 * and while its own magazine is being drained; so the fast path needs no
 * test whether there is one.
 *
 * Draining a foreign CPU's magazine is RCU: publish, fence, own.
 *
 * Steps, as in magazine.pml:
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
 * What is lost without each:
 *
 *   - With C before the slots of B are written a drain could take what is not
 *     there yet.
 *   - Without D a thread would store a top of the past (C), and bring back objects
 *     that others have popped meanwhile.
 *   - Without E a thread that is interrupted after each of its steps would never
 *     come to an end.
 *   - Without H, or with I before G, a section that had loaded the address (A) could
 *     pop an object that I has taken, or push one into a stack that I has emptied.
 *   - Were J or K plain C, the thread could be preempted between the load of top and
 *     the store: others push and pop meanwhile, and the store brings back a top of
 *     the past, with objects above it that somebody holds.
 */
#ifndef PM_MAGAZINE_H
#define PM_MAGAZINE_H

#include "platform.h"
#include "back/class.h"
#include "back/mark.h"
#include "back/pagemap.h"

#define PM_MAG_FIRST_SLOTS	4	/* of every class of slabs, in no budget */
#define PM_MAG_MAX_SLOTS	512
#define PM_MAG_MAX_BYTES	(512UL << 10)	/* of one class of slabs */
#define PM_MAG_MAX_SPAN_BYTES	(4UL << 20)	/* and of one of spans */

/**
 * struct pm_stack - a stack of one class
 * @top: bytes from the magazine's start to the first slot that is not used
 * @limit: bytes to where @top may grow
 */
struct pm_stack {
	u32 top;
	u32 limit;
};

/**
 * struct pm_magazine - what precedes the slots
 * @stack: per class [per-CPU section; @limit also slow paths of the CPU]
 * @busy: per class, whether it missed since the last tick or
 *	of a class that wanted room
 * @last: per class, whether a pop or a push missed last
 * @tops: sum of all tops at that look
 * @tops_then: sum of all tops when another CPU needed memory
 * @hand: class that was looked at last, of slabs or any, and of spans
 * @span_misses: misses of all classes of spans, cut off
 * @span_missed: per class of spans, which of these was its last
 * @has_excess: a class of spans may have more objects than its limit allows
 * @cpu: number of the magazine's CPU, or of the one that had it last [pm_mag_lock;
 *	read by slow paths]
 * @capacity: bytes of objects that all limits together allow, beyond the first
 *	few of each class of slabs
 * @span_capacity: of these, bytes of spans
 * @node: place among the spare ones [pm_mag_lock]
 *
 * Once made it never becomes anything but a magazine again.
 */
struct pm_magazine {
	struct pm_stack stack[PM_CLASS_END];
	u8 busy[PM_CLASS_END];
	u8 last[PM_CLASS_END];
	u8 hand[2];
	u8 span_misses;
	u8 span_missed[PM_NR_SPAN_CLASSES];
	bool has_excess;
	u32 cpu;
	u64 tops;
	u64 tops_then;
	long capacity;
	long span_capacity;
	struct list_head node;
};

/* Bytes from a magazine's start to the first slot of a class. */
extern u32 pm_mag_base[PM_CLASS_END];

#include "pm_percpu.h"

/* ---- the per-CPU section, answered by the host's pm_percpu.h ------------ */

/*
 * static inline void *pm_percpu_pop(unsigned long class);
 *	The object on top of this CPU's stack, or NULL.
 * static inline bool pm_percpu_push(unsigned long class, void *obj);
 *	Put an object on top; false when there is no room, or when it is on top
 *	already.
 * unsigned int pm_percpu_pop_batch(unsigned int class, void **objs, n);
 *	Up to n objects from the top, n at least 1, the topmost last; one commit.
 * unsigned int pm_percpu_push_batch(unsigned int class, void **objs, n);
 *	The first of n objects, n at least 1, as many as there is room for; one
 *	commit.
 * bool pm_percpu_init(void);
 *	Called once, before any other: whether there can be sections.
 * unsigned int pm_percpu_count(void);
 *	Magazines that can be published: their numbers are below.
 * bool pm_percpu_prepare(void);
 *	Whether this thread can use sections; registers it when need be.
 * unsigned int pm_percpu_index(void);
 *	Number of the magazine that a section would use now: a hint.
 * struct pm_magazine *pm_percpu_get(unsigned int index);
 *	The magazine published there, NULL for the null magazine.
 * void pm_percpu_publish(unsigned int index, struct pm_magazine *mag);
 *	Name another (NULL: the null magazine) from now on.
 * bool pm_percpu_fence(unsigned int index);
 *	Wait until no section runs that may have loaded what was published
 *	before. False when the host cannot say.
 */

void pm_mag_init(gfp_t gfp);
void pm_mag_exit(void);
void *pm_mag_refill(unsigned int class, gfp_t gfp);
bool pm_mag_is_on_top(unsigned int class, const void *obj);
bool pm_mag_flush(unsigned int class, void *obj);
bool pm_mag_drain(unsigned int index);
bool pm_mag_drain_all(void);
bool pm_mag_drain_all_locked(void);
bool pm_mag_drain_class_all_locked(unsigned int class);
size_t pm_mag_objects(unsigned int class);
bool pm_mag_held(unsigned int index, size_t *bytes, size_t *resident);
void pm_mag_get_counts(u64 *hits, u64 *misses);
void pm_mag_lock_all(void);
void pm_mag_unlock_all(void);
void pm_mag_halt(void);
void pm_mag_resume(bool child);

#if PM_DEBUG
void pm_mag_count_hit(void);
#else
static __always_inline void pm_mag_count_hit(void)
{
}
#endif

#endif /* PM_MAGAZINE_H */
