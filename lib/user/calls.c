// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * syscall(): system calls of the program's that are our business.
 *
 *	SYS_rseq	a thread has one area; ours gives way (pm_rseq_call())
 *	SYS_vfork	a child in the thread's place (vfork.c)
 *	SYS_clone	likewise, when it shares memory and thread-local storage
 *	SYS_clone3	likewise
 *	SYS_seccomp	a filter comes (filter.c); so with prctl(PR_SET_SECCOMP)
 *
 * All others are made as the C library makes them, a few comparisons later.
 *
 * A child with the stack of its parent returns first and writes over the return
 * address, so that is kept in a register, as in vfork(); no register is left
 * that the kernel keeps and the caller does not, but for the sixth argument's,
 * which none of the three has. A child with a stack of its own returns to where
 * that says, as from the C library's syscall().
 */
#include <linux/sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include "user.h"

#ifndef __x86_64__
#error "pmalloc: no syscall() for this architecture yet"
#endif

/* Called below. */
long pm_call_rseq(long nr, struct rseq *area, u32 len, int flags, u32 sig);
long pm_call_failed(long err);
long pm_call_seccomp(long nr, unsigned int op, unsigned int flags, void *args);
bool pm_call_shares(long nr, const void *arg, size_t size);

long pm_call_failed(long err)
{
	errno = -err;
	return -1;
}

long pm_call_rseq(long nr __maybe_unused, struct rseq *area, u32 len, int flags,
		  u32 sig)
{
	long ret = pm_rseq_call(area, len, flags, sig);

	return ret < 0 ? pm_call_failed(ret) : ret;
}

long pm_call_seccomp(long nr, unsigned int op, unsigned int flags, void *args)
{
	long ret;

	pm_filter_comes();
	ret = pm_syscall(nr, op, flags, args);
	return ret < 0 ? pm_call_failed(ret) : ret;
}

PM_EXPORT int prctl(int op, ...)
{
	unsigned long arg[4];
	va_list more;
	long ret;
	int i;

	va_start(more, op);
	for (i = 0; i < ARRAY_SIZE(arg); i++)
		arg[i] = va_arg(more, unsigned long);
	va_end(more);
	if (op == PR_SET_SECCOMP)
		pm_filter_comes();
	ret = pm_syscall(SYS_prctl, op, arg[0], arg[1], arg[2], arg[3]);
	return ret < 0 ? pm_call_failed(ret) : ret;
}

/*
 * Whether there is something to read at @args: the kernel reads the signals
 * before it finds that it is to do nothing with them.
 */
static bool pm_can_read(const void *args)
{
	return pm_syscall(SYS_rt_sigprocmask, -1, args, NULL, 8) == -EINVAL;
}

static u64 pm_clone3_flags(const struct clone_args *args, size_t size)
{
	if (size < CLONE_ARGS_SIZE_VER0 || !pm_can_read(args) ||
	    !pm_can_read((const char *)args + CLONE_ARGS_SIZE_VER0 - 8))
		return 0;
	return args->flags;
}

/*
 * Whether the call makes a child in this thread's place; then it has begun.
 * When no wait is asked for and the call fails there is no child, and the
 * thread goes without magazines for nothing.
 */
bool pm_call_shares(long nr, const void *arg, size_t size)
{
	u64 flags = nr == SYS_clone ? (unsigned long)arg :
				      pm_clone3_flags(arg, size);

	if ((flags & (CLONE_VM | CLONE_SETTLS)) != CLONE_VM)
		return false;
	pm_vfork_begin();
	if (!(flags & CLONE_VFORK))
		pm_vfork_stays();
	return true;
}

PM_EXPORT long syscall(long nr, ...);

__asm__(".pushsection .text\n\t"
	".balign 64\n\t"
	".globl syscall\n\t"
	".type syscall, @function\n"
	"syscall:\n\t"
	".cfi_startproc\n\t"
	"endbr64\n\t"
	"cmpq $334, %rdi\n\t"		/* SYS_rseq */
	"je pm_call_rseq\n\t"
	"cmpq $317, %rdi\n\t"		/* SYS_seccomp */
	"je pm_call_seccomp\n\t"
	"cmpq $58, %rdi\n\t"		/* SYS_vfork */
	"je pm_vfork\n\t"
	"cmpq $56, %rdi\n\t"		/* SYS_clone */
	"je 3f\n\t"
	"cmpq $435, %rdi\n\t"		/* SYS_clone3 */
	"je 3f\n"
	"1:\n\t"
	"movq %rdi, %rax\n\t"
	"movq %rsi, %rdi\n\t"
	"movq %rdx, %rsi\n\t"
	"movq %rcx, %rdx\n\t"
	"movq %r8, %r10\n\t"
	"movq %r9, %r8\n\t"
	"movq 8(%rsp), %r9\n\t"
	"syscall\n\t"
	"cmpq $-4095, %rax\n\t"
	"jae 2f\n\t"
	"ret\n"
	"2:\n\t"
	"movq %rax, %rdi\n\t"
	"jmp pm_call_failed\n"
	"3:\n\t"			/* it may be a child in our place */
	"pushq %rdi\n\t"
	"pushq %rsi\n\t"
	"pushq %rdx\n\t"
	"pushq %rcx\n\t"
	"pushq %r8\n\t"
	"pushq %r9\n\t"
	"subq $8, %rsp\n\t"
	".cfi_adjust_cfa_offset 56\n\t"
	"call pm_call_shares\n\t"
	"addq $8, %rsp\n\t"
	"popq %r9\n\t"
	"popq %r8\n\t"
	"popq %rcx\n\t"
	"popq %rdx\n\t"
	"popq %rsi\n\t"
	"popq %rdi\n\t"
	".cfi_adjust_cfa_offset -56\n\t"
	"testb %al, %al\n\t"
	"jz 1b\n\t"
	"movq %rdi, %rax\n\t"
	"movq %rsi, %rdi\n\t"
	"movq %rdx, %rsi\n\t"
	"movq %rcx, %rdx\n\t"
	"movq %r8, %r10\n\t"
	"movq %r9, %r8\n\t"
	"popq %r9\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_register %rip, %r9\n\t"
	"cmpl $435, %eax\n\t"
	"je 4f\n\t"
	"syscall\n\t"			/* SYS_clone */
	"testq %rax, %rax\n\t"
	"jnz 6f\n\t"
	"testq %rsi, %rsi\n\t"
	"jz 5f\n\t"
	"ret\n"				/* a child with its own stack */
	"4:\n\t"
	"syscall\n\t"			/* SYS_clone3 */
	"testq %rax, %rax\n\t"
	"jnz 6f\n\t"
	"cmpq $0, 40(%rdi)\n\t"	/* its stack */
	"jz 5f\n\t"
	"ret\n"
	"5:\n\t"			/* a child with ours */
	"jmp *%r9\n"
	"6:\n\t"			/* the parent */
	"pushq %r9\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rip, 0\n\t"
	"movq %rax, %rdi\n\t"
	"jmp pm_vfork_end\n\t"
	".cfi_endproc\n\t"
	".size syscall, . - syscall\n\t"
	".popsection");
