/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the injection points of lib/user/rseq-ARCH.h do in the stress test.
 * Given with -include, so that it comes before everything else.
 *
 * At point n a thread burns pm_inject_burn[n] turns of a loop. While it does,
 * pm_inject_at says where it is; so when it is aborted there, the abort is
 * counted for that point, and the next time it goes through at once.
 *
 * Where pm_inject_trap[n] is set the thread runs into a trap instead. The signal
 * that follows aborts the section, every time.
 *
 * The loop changes neither flags nor stack nor any register but the counter's:
 * in some places the section needs its flags behind the point, and an abort
 * leaves no time to put a stack right. The variables are reached without a
 * register, which takes a program: the library's objects are linked into it.
 */
#ifndef HARNESS_RSEQ_INJECT_H
#define HARNESS_RSEQ_INJECT_H

#define PM_INJECT_POINTS	50	/* one more than the largest number */

extern __thread unsigned long pm_inject_burn[PM_INJECT_POINTS];
extern __thread unsigned long pm_inject_trap[PM_INJECT_POINTS];
extern __thread unsigned long pm_inject_aborts[PM_INJECT_POINTS];
extern __thread unsigned long pm_inject_at;

#ifdef __x86_64__
#define PM_RSEQ_INJECT(n)						\
	"movq %%fs:pm_inject_trap@tpoff + 8 * (" #n "), %%rcx\n\t"	\
	"jrcxz 0f\n\t"							\
	"movq $(" #n "), %%fs:pm_inject_at@tpoff\n\t"			\
	"int3\n"							\
	"0:\n\t"							\
	"movq %%fs:pm_inject_burn@tpoff + 8 * (" #n "), %%rcx\n\t"	\
	"jrcxz 9f\n\t"							\
	"movq $(" #n "), %%fs:pm_inject_at@tpoff\n"			\
	"7:\n\t"							\
	"leaq -1(%%rcx), %%rcx\n\t"					\
	"jrcxz 8f\n\t"							\
	"jmp 7b\n"							\
	"8:\n\t"							\
	"movq $0, %%fs:pm_inject_at@tpoff\n"				\
	"9:\n\t"
#define PM_RSEQ_INJECT_INPUT
#define PM_RSEQ_INJECT_CLOBBER	, "rcx"
/* pm_inject_at is 0 where an abort was nobody's doing. */
#define PM_RSEQ_ABORT							\
	"movq %%fs:pm_inject_at@tpoff, %%rcx\n\t"			\
	"incq %%fs:pm_inject_aborts@tpoff(,%%rcx,8)\n\t"		\
	"movq $0, %%fs:pm_inject_burn@tpoff(,%%rcx,8)\n\t"		\
	"movq $0, %%fs:pm_inject_at@tpoff\n\t"
#endif

#endif /* HARNESS_RSEQ_INJECT_H */
