/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Restartable sequences for x86-64.
 *
 * Each function below is one critical section, written first as
 * pseudo-code. Rules:
 *
 *   - The store that commits (magazine C) is the last instruction of the section.
 *     After it the section is over: a restart behind it would do it twice.
 *   - An abort jumps back to the start of the same asm statement (magazine D), so
 *     that a restart never leaves it. Inputs are therefore never changed, outputs
 *     are early-clobber.
 *   - Where a section finds that there is nothing to do it jumps out (asm
 *     goto). Nobody looks at its outputs there: gcc 12 loses them.
 *   - rseq_cs is not cleared at the end. The kernel does that when it looks
 *     at it and finds the thread elsewhere; the descriptors live as long as
 *     the library, which is never unloaded.
 *   - Progress: whoever is aborted again and again (by a debugger that steps,
 *     by signals that come faster than a section ends) must not begin again
 *     without end (magazine E). The abort handler counts, and from PM_RSEQ_TRIES on it says what
 *     the section says when there is nothing to be had: empty, or full. The
 *     way from there is the locked one. pm_percpu_prepare(), which every such
 *     way passes, sees the count, keeps this caller from other sections, and
 *     leaves one try to the next; a miss that was none of this clears it. So
 *     nothing is counted where nothing is aborted.
 *
 * PM_RSEQ_INJECT(n) marks the points between the instructions, where the
 * stress test of harness/program/rseq delays, migrates or signals a thread, and
 * PM_RSEQ_ABORT is what it does when a section starts again; both are empty in
 * other builds. Point 10 and on are in pop, 20 in push, 30 in pop_batch, 40 in
 * push_batch. Flags are in use at the last point of pop and push.
 */
#ifndef PM_RSEQ_X86_64_H
#define PM_RSEQ_X86_64_H

#ifndef PM_RSEQ_INJECT
#define PM_RSEQ_INJECT(n)
#define PM_RSEQ_INJECT_INPUT
#define PM_RSEQ_INJECT_CLOBBER
#define PM_RSEQ_ABORT
#endif

/* Aborts, since the last miss, after which a section gives way. */
#define PM_RSEQ_TRIES	32

/*
 * Labels: 1 begin, 2 first instruction inside, 3 end, 4 abort handler. The
 * handler is preceded by the signature that the area was registered with.
 */
#define PM_RSEQ_BEGIN(n)						\
	".pushsection __rseq_cs, \"aw\"\n\t"				\
	".balign 32\n"							\
	"5:\n\t"							\
	".long 0, 0\n\t"						\
	".quad 2f, 3f - 2f, 4f\n\t"					\
	".popsection\n"							\
	"1:\n\t"							\
	"leaq 5b(%%rip), %[t]\n\t"					\
	"movq %[t], 8(%[area])\n"					\
	"2:\n\t"							\
	PM_RSEQ_INJECT((n) + 1)						\
	"movslq (%[index]), %[mag]\n\t"				\
	PM_RSEQ_INJECT((n) + 2)						\
	"movq %c[table](%[base],%[mag],8), %[mag]\n\t"			\
	PM_RSEQ_INJECT((n) + 3)

#define PM_RSEQ_END(give_way)						\
	"3:\n\t"							\
	".pushsection __rseq_failure, \"ax\"\n\t"			\
	".byte 0x0f, 0xb9, 0x3d\n\t"					\
	".long 0x53053053\n"						\
	"4:\n\t"							\
	PM_RSEQ_ABORT							\
	"movq pm_tls@gottpoff(%%rip), %[t]\n\t"			\
	"cmpb %[tries], %%fs:%c[aborts](%[t])\n\t"			\
	give_way							\
	"incb %%fs:%c[aborts](%[t])\n\t"				\
	"jmp 1b\n\t"							\
	".popsection\n\t"

/* A batch gives way with length 0. */
#define PM_RSEQ_END_BATCH						\
	PM_RSEQ_END("jb 7f\n\t"					\
		    "xorl %k[len], %k[len]\n\t"			\
		    "jmp 3b\n"						\
		    "7:\n\t")

#define PM_RSEQ_INPUTS							\
	[base] "r" (&pm_percpu),					\
	[area] "r" (pm_tls.area),					\
	[index] "r" (pm_tls.index),					\
	[class] "r" ((unsigned long)class),				\
	[table] "i" (offsetof(struct pm_percpu, mag)),			\
	[aborts] "i" (offsetof(struct pm_tls, aborts)),			\
	[tries] "i" (PM_RSEQ_TRIES)					\
	PM_RSEQ_INJECT_INPUT

/*
 * A stack's top is stored by every section and loaded by the next: that chain
 * is what a pair of malloc and free takes. Its address is computed into a
 * register first, although the load could do it itself: processors that
 * forward a store to a load ahead of time (Golden Cove and later) do so for
 * plain addresses only.
 */

/*
 * mag = table[index]				magazine A
 * st = &mag->stack[class]
 * top = st->top				magazine B
 * obj = *(mag + top - 8)
 * if (obj)
 *	st->top = top - 8			commits
 */
static __always_inline void *pm_percpu_pop(unsigned long class)
{
	unsigned long t, mag, st;
	void *obj;

	__asm__ __volatile__ goto(
		PM_RSEQ_BEGIN(10)
		"leaq (%[mag],%[class],8), %[st]\n\t"
		"movl (%[st]), %k[t]\n\t"
		PM_RSEQ_INJECT(14)
		"movq -8(%[mag],%[t]), %[obj]\n\t"
		"testq %[obj], %[obj]\n\t"
		"jz %l[empty]\n\t"
		"subl $8, %k[t]\n\t"
		PM_RSEQ_INJECT(15)
		"movl %k[t], (%[st])\n"
		PM_RSEQ_END("jae %l[empty]\n\t")
		: [obj] "=&r" (obj), [t] "=&r" (t),
		  [mag] "=&r" (mag), [st] "=&r" (st)
		: PM_RSEQ_INPUTS
		: "memory", "cc" PM_RSEQ_INJECT_CLOBBER
		: empty);
	/* What the flag says of the pointer the compiler cannot know. */
	if (!obj)
		__builtin_unreachable();
	return obj;
empty: __cold_label;
	/*
	 * A zero of its own: gcc 12 else takes what is in the output for NULL, at
	 * -O1 and in the debug build. There may be an object that was loaded (B) and
	 * not popped, when the section gave way.
	 */
	obj = NULL;
	__asm__("" : "+r" (obj));
	return obj;
}

/*
 * mag = table[index]
 * st = &mag->stack[class]
 * top = st->top
 * if (top < st->limit && *(mag + top - 8) != obj) {
 *	*(mag + top) = obj			above top: not seen yet
 *	st->top = top + 8			commits
 * }
 */
static __always_inline bool pm_percpu_push(unsigned long class, void *obj)
{
	unsigned long t, mag, st;

	__asm__ __volatile__ goto(
		PM_RSEQ_BEGIN(20)
		"leaq (%[mag],%[class],8), %[st]\n\t"
		"movl (%[st]), %k[t]\n\t"
		PM_RSEQ_INJECT(24)
		"cmpl 4(%[st]), %k[t]\n\t"
		"jae %l[full]\n\t"
		"cmpq %[obj], -8(%[mag],%[t])\n\t"
		"je %l[full]\n\t"
		"movq %[obj], (%[mag],%[t])\n\t"
		"leal 8(%[t]), %k[t]\n\t"
		PM_RSEQ_INJECT(25)
		"movl %k[t], (%[st])\n"
		PM_RSEQ_END("jae %l[full]\n\t")
		: [t] "=&r" (t), [mag] "=&r" (mag), [st] "=&r" (st)
		: PM_RSEQ_INPUTS, [obj] "r" (obj)
		: "memory", "cc" PM_RSEQ_INJECT_CLOBBER
		: full);
	return true;
full: __cold_label;
	return false;
}

/*
 * mag = table[index]
 * top = mag->stack[class].top
 * len = min(top - base, 8 * n), 0 when top <= base
 * for (i = len; i; i -= 8)
 *	*(objs + i - 8) = *(mag + top - len + i - 8)
 * mag->stack[class].top = top - len		commits
 */
static inline unsigned int pm_percpu_pop_batch(unsigned int class, void **objs,
					       unsigned int n)
{
	unsigned long t, mag, len, i, x;

	__asm__ __volatile__(
		PM_RSEQ_BEGIN(30)
		"movl (%[mag],%[class],8), %k[t]\n\t"
		PM_RSEQ_INJECT(34)
		"xorl %k[len], %k[len]\n\t"
		"movl %k[t], %k[i]\n\t"
		"subl %k[bottom], %k[i]\n\t"
		"jbe 3f\n\t"
		"cmpl %k[bytes], %k[i]\n\t"
		"cmoval %k[bytes], %k[i]\n\t"
		"movl %k[i], %k[len]\n\t"
		"subl %k[i], %k[t]\n\t"
		"addq %[t], %[mag]\n"
		"6:\n\t"
		"movq -8(%[mag],%[i]), %[x]\n\t"
		"movq %[x], -8(%[objs],%[i])\n\t"
		PM_RSEQ_INJECT(35)
		"subq $8, %[i]\n\t"
		"jnz 6b\n\t"
		"subq %[t], %[mag]\n\t"
		PM_RSEQ_INJECT(36)
		"movl %k[t], (%[mag],%[class],8)\n"
		PM_RSEQ_END_BATCH
		: [len] "=&r" (len), [t] "=&r" (t), [mag] "=&r" (mag),
		  [i] "=&r" (i), [x] "=&r" (x)
		: PM_RSEQ_INPUTS, [objs] "r" (objs),
		  [bytes] "r" ((unsigned long)n * 8),
		  [bottom] "r" ((unsigned long)pm_mag_base[class])
		: "memory", "cc" PM_RSEQ_INJECT_CLOBBER);
	return len / 8;
}

/*
 * mag = table[index]
 * top = mag->stack[class].top
 * len = min(limit - top, 8 * n), 0 when limit <= top
 * for (i = len; i; i -= 8)
 *	*(mag + top + i - 8) = *(objs + i - 8)	above top: not seen yet
 * mag->stack[class].top = top + len		commits
 */
static inline unsigned int pm_percpu_push_batch(unsigned int class,
						void **objs, unsigned int n)
{
	unsigned long t, mag, len, i, x;

	__asm__ __volatile__(
		PM_RSEQ_BEGIN(40)
		"movl (%[mag],%[class],8), %k[t]\n\t"
		PM_RSEQ_INJECT(44)
		"xorl %k[len], %k[len]\n\t"
		"movl 4(%[mag],%[class],8), %k[i]\n\t"
		"subl %k[t], %k[i]\n\t"
		"jbe 3f\n\t"
		"cmpl %k[bytes], %k[i]\n\t"
		"cmoval %k[bytes], %k[i]\n\t"
		"movl %k[i], %k[len]\n\t"
		"addq %[t], %[mag]\n"
		"6:\n\t"
		"movq -8(%[objs],%[i]), %[x]\n\t"
		"movq %[x], -8(%[mag],%[i])\n\t"
		PM_RSEQ_INJECT(45)
		"subq $8, %[i]\n\t"
		"jnz 6b\n\t"
		"subq %[t], %[mag]\n\t"
		"addl %k[len], %k[t]\n\t"
		PM_RSEQ_INJECT(46)
		"movl %k[t], (%[mag],%[class],8)\n"
		PM_RSEQ_END_BATCH
		: [len] "=&r" (len), [t] "=&r" (t), [mag] "=&r" (mag),
		  [i] "=&r" (i), [x] "=&r" (x)
		: PM_RSEQ_INPUTS, [objs] "r" (objs),
		  [bytes] "r" ((unsigned long)n * 8)
		: "memory", "cc" PM_RSEQ_INJECT_CLOBBER);
	return len / 8;
}

#endif /* PM_RSEQ_X86_64_H */
