// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Children that run in their parent's place, and in its memory: vfork(), and
 * clone() without thread-local storage of its own.
 *
 * The calling thread sleeps until the child is gone, and the child has the
 * thread's storage (of vfork() the stack, too). POSIX lets it do next to
 * nothing; many programs allocate in it all the same. Everything of ours bears
 * that, for the child looks like its parent's thread, but for one thing: the
 * kernel watches no restartable sequences of such a child, and does not say in
 * the rseq area where it runs. The area has what was true of the parent:
 *
 *	child, on CPU 1				thread of the parent, on CPU 0
 *	---------------				------------------------------
 *	loads the area's CPU: 0
 *	loads top of CPU 0's stack
 *						pops the topmost object
 *	pops the topmost object: nobody
 *	restarts the section
 *
 * So as long as there is a child the thread goes without magazines. That has to
 * be known before the child runs: nothing that a section looks at tells the
 * child from the thread. So the ways to such a child are taken over:
 *
 *	vfork()			here
 *	clone(), __clone()	here
 *	syscall()		calls.c: SYS_vfork, SYS_clone, SYS_clone3
 *	posix_spawn()		the C library's own; its child does not allocate
 *
 * Not a program's own system call instruction. A child whose parent does not
 * wait for it (CLONE_VM without CLONE_VFORK) leaves without a word, so its
 * thread goes without magazines from then on.
 *
 * vfork() itself is as in the C library: the return address is kept in a
 * register, because the child returns first and writes over it.
 */
#include <sched.h>
#include <stdarg.h>
#include "user.h"

#ifndef __x86_64__
#error "pmalloc: no vfork() for this architecture yet"
#endif

PM_EXPORT pid_t vfork(void);

__asm__(".pushsection .text\n\t"
	".globl vfork\n\t"
	".globl pm_vfork\n\t"
	".hidden pm_vfork\n\t"
	".type vfork, @function\n\t"
	".type pm_vfork, @function\n"
	"vfork:\n"
	"pm_vfork:\n\t"		/* for calls.c */
	".cfi_startproc\n\t"
	"endbr64\n\t"
	"subq $8, %rsp\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	"call pm_vfork_begin\n\t"
	"addq $8, %rsp\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	"popq %rdi\n\t"
	".cfi_adjust_cfa_offset -8\n\t"
	".cfi_register %rip, %rdi\n\t"
	"movl $58, %eax\n\t"		/* SYS_vfork */
	"syscall\n\t"
	"pushq %rdi\n\t"
	".cfi_adjust_cfa_offset 8\n\t"
	".cfi_rel_offset %rip, 0\n\t"
	"testq %rax, %rax\n\t"
	"jz 1f\n\t"
	"movq %rax, %rdi\n\t"
	"jmp pm_vfork_end\n"		/* the parent */
	"1:\n\t"
	"ret\n\t"			/* the child */
	".cfi_endproc\n\t"
	".size vfork, . - vfork\n\t"
	".popsection");

/*
 * int pm_clone_call(int (*fn)(void *), void *stack, int flags, void *arg,
 *		     pid_t *parent_tid, void *tls, pid_t *child_tid)
 *
 * What the kernel returned, to the parent. The child finds @fn and @arg on its
 * stack, and ends with what @fn returns.
 */
int pm_clone_call(int (*fn)(void *), void *stack, int flags, void *arg,
		  pid_t *parent_tid, void *tls, pid_t *child_tid);

__asm__(".pushsection .text\n\t"
	".globl pm_clone_call\n\t"
	".hidden pm_clone_call\n\t"
	".type pm_clone_call, @function\n"
	"pm_clone_call:\n\t"
	".cfi_startproc\n\t"
	"endbr64\n\t"
	"andq $-16, %rsi\n\t"
	"subq $16, %rsi\n\t"
	"movq %rdi, (%rsi)\n\t"
	"movq %rcx, 8(%rsi)\n\t"
	"movl %edx, %edi\n\t"
	"movq %r8, %rdx\n\t"
	"movq %r9, %r8\n\t"
	"movq 8(%rsp), %r10\n\t"
	"movl $56, %eax\n\t"		/* SYS_clone */
	"syscall\n\t"
	"testq %rax, %rax\n\t"
	"jz 1f\n\t"
	"ret\n"				/* the parent */
	"1:\n\t"
	".cfi_undefined %rip\n\t"	/* nobody called the child */
	"xorl %ebp, %ebp\n\t"
	"popq %rax\n\t"
	"popq %rdi\n\t"
	"call *%rax\n\t"
	"movl %eax, %edi\n\t"
	"movl $60, %eax\n\t"		/* SYS_exit */
	"syscall\n\t"
	"hlt\n\t"
	".cfi_endproc\n\t"
	".size pm_clone_call, . - pm_clone_call\n\t"
	".popsection");

/* <sched.h> has it, but not that it is another name of clone(). */
int __clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...);

PM_EXPORT int clone(int (*fn)(void *arg), void *stack, int flags, void *arg,
		    ...)
{
	pid_t *parent_tid, *child_tid;
	va_list more;
	bool shares;
	void *tls;
	int ret;

	if (!fn || !stack) {
		errno = EINVAL;
		return -1;
	}
	va_start(more, arg);
	parent_tid = va_arg(more, pid_t *);
	tls = va_arg(more, void *);
	child_tid = va_arg(more, pid_t *);
	va_end(more);
	shares = pm_call_shares(SYS_clone, (void *)(long)flags, 0);
	ret = pm_clone_call(fn, stack, flags, arg, parent_tid, tls, child_tid);
	if (shares)
		return pm_vfork_end(ret);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

extern __typeof__(clone) __clone
	__copy(clone) __attribute__((visibility("default"), alias("clone")));
