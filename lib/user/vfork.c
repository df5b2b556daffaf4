// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * vfork(): a child that runs in its parent's place, and in its memory.
 *
 * The calling thread sleeps until the child is gone, and the child has the
 * thread's stack and thread-local storage. POSIX lets it do next to nothing;
 * many programs allocate in it all the same. Everything of ours bears that,
 * for the child looks like its parent's thread, but for one thing: the kernel
 * watches no restartable sequences of such a child, and does not say in the
 * rseq area where it runs. The area has what was true of the parent:
 *
 *	child, on CPU 1				thread of the parent, on CPU 0
 *	---------------				------------------------------
 *	loads the area's CPU: 0
 *	loads top of CPU 0's stack
 *						pops the topmost object
 *	pops the topmost object: nobody
 *	restarts the section
 *
 * So as long as there is a child the thread goes without magazines. The call
 * itself is as in the C library: the return address is kept in a register,
 * because the child returns first and writes over it.
 *
 * A child of clone() with CLONE_VM and without thread-local storage of its own
 * has the same trouble, and we do not learn of it. The C library's
 * posix_spawn() makes such a one, which does not allocate.
 */
#include "user.h"

#ifndef __x86_64__
#error "pmalloc: no vfork() for this architecture yet"
#endif

PM_EXPORT pid_t vfork(void);

__asm__(".pushsection .text\n\t"
	".globl vfork\n\t"
	".type vfork, @function\n"
	"vfork:\n\t"
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
