/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * System calls without the C library in between, for x86-64: no cancellation
 * point, errno is left alone, and nobody can stand in between.
 */
#ifndef PM_SYSCALL_X86_64_H
#define PM_SYSCALL_X86_64_H

static inline long pm_syscall6(long nr, long a, long b, long c, long d, long e,
			       long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ __volatile__("syscall"
			     : "=a" (ret)
			     : "0" (nr), "D" (a), "S" (b), "d" (c), "r" (r10),
			       "r" (r8), "r" (r9)
			     : "rcx", "r11", "memory");
	return ret;
}

/* Return: what the kernel returned, -errno for an error. */
#define pm_syscall(...)							\
	pm_syscall_args(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define pm_syscall_args(nr, a, b, c, d, e, f, ...)			\
	pm_syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d),	\
		    (long)(e), (long)(f))

#endif /* PM_SYSCALL_X86_64_H */
