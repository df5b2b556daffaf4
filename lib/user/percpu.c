// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The per-CPU section's slow half: where the rseq area is, who registers it,
 * and the fence.
 */
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include "front/magazine.h"
#include "base/options.h"
#include "user.h"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE	27
#endif

#define PM_MM_CID_OFFSET	24	/* of mm_cid in struct rseq */

struct pm_percpu pm_percpu ____cacheline_aligned = {
	.unregistered = { pm_percpu.null, pm_percpu.null },
};

static_assert(offsetof(struct pm_percpu, null) == 8, "a zero word is below");
static_assert(offsetof(struct pm_percpu, mag) ==
	      offsetof(struct pm_percpu, unregistered) +
	      PM_UNREGISTERED * sizeof(void *), "index -1 and -2 are null");
static_assert(offsetof(struct rseq, cpu_id) == 4, "as the sections assume");
static_assert(offsetof(struct rseq, rseq_cs) == 8, "as the sections assume");
static_assert(offsetof(struct rseq, flags) == 16, "mm_cid is at 24");

/*
 * The area of threads that have none yet. Sections write its rseq_cs, and
 * nobody reads that. As long as a whole one, whatever <sys/rseq.h> knows.
 */
static union {
	struct rseq rseq;
	s32 word[8];
} pm_no_area = { .word = { [1] = -1, [6] = -1 } };

__thread struct pm_tls pm_tls __attribute__((tls_model("initial-exec"))) = {
	.rseq = { .cpu_id = RSEQ_CPU_ID_UNINITIALIZED },
	.area = &pm_no_area.rseq,
	.index = &pm_no_area.word[1],
};

static_assert(sizeof(struct pm_tls) <= 64, "static TLS is scarce");

enum pm_percpu_state {
	PM_PERCPU_UNKNOWN,
	PM_PERCPU_LIBC,
	PM_PERCPU_OWN,
	PM_PERCPU_LEFT,
	PM_PERCPU_OFF,
	PM_PERCPU_NO_FENCE,
	PM_PERCPU_NO_RSEQ,
};

static enum pm_percpu_state pm_percpu_state;

/*
 * The table of magazines is part of the file, for the words before it are set before
 * anything of ours runs. Whoever reads one page of a file gets its neighbours
 * mapped, and the dynamic linker has read one: so every process had all of the table,
 * 64 KiB, of which it uses a few words. As long as nobody has written to it, it is as
 * in the file, and can go. A library that is loaded late may find threads, and leaves
 * it.
 */
static void pm_percpu_let_go(void)
{
	char *from = (char *)ALIGN((unsigned long)pm_percpu.mag, PAGE_SIZE);
	char *end = (char *)ALIGN_DOWN((unsigned long)&pm_percpu.mag[PM_MAX_CPUS],
				       PAGE_SIZE);
	static bool is_gone;

	if (is_gone || pm_has_threads())
		return;
	is_gone = true;
	pm_syscall(SYS_madvise, from, end - from, MADV_DONTNEED);
}

/* For a program that never calls malloc(), and before those that do. */
static void __attribute__((constructor)) pm_percpu_start(void)
{
	if (pm_percpu_state == PM_PERCPU_UNKNOWN)
		pm_percpu_let_go();
}

/* Missing in C libraries before 2.35. */
extern const ptrdiff_t pm_libc_rseq_offset __asm__("__rseq_offset")
	__attribute__((weak));
extern const unsigned int pm_libc_rseq_size __asm__("__rseq_size")
	__attribute__((weak));

static pthread_key_t pm_rseq_key;

static bool pm_has_libc_area(void)
{
	return &pm_libc_rseq_size && pm_libc_rseq_size;
}

/*
 * A C library that knows of rseq and has no area was told to leave it to the
 * program (GLIBC_TUNABLES=glibc.pthread.rseq=0).
 */
static bool pm_is_left_to_program(void)
{
	return &pm_libc_rseq_size && pm_options.rseq != PM_RSEQ_OWN;
}

/* Nothing can be registered with length 0, and a kernel without it says so. */
static bool pm_kernel_has_rseq(void)
{
	return pm_syscall(SYS_rseq, NULL, 0, 0, 0) == -EINVAL;
}

static long pm_sys_rseq(int flags)
{
	return pm_syscall(SYS_rseq, &pm_tls.rseq, sizeof(struct rseq), flags,
			  RSEQ_SIG);
}

/*
 * A signal handler may allocate in between: its sections must not find a real
 * magazine by an area that the kernel does not watch.
 */
static void pm_use_area(struct rseq *area)
{
	pm_tls.index = &pm_no_area.word[1];
	barrier();
	pm_tls.area = area;
	barrier();
	pm_tls.index = pm_options.mm_cid ?
		(s32 *)((char *)area + PM_MM_CID_OFFSET) :
		(s32 *)&area->cpu_id;
}

/*
 * A thread ends: the kernel must not write to its area any more. Frees by
 * other destructors go the locked way from here on.
 */
static void pm_rseq_unregister(void *unused __maybe_unused)
{
	pm_tls.no_rseq = 1;
	pm_use_area(&pm_no_area.rseq);
	pm_sys_rseq(RSEQ_FLAG_UNREGISTER);
}

static int pm_membarrier(int cmd, int flags, int cpu)
{
	return syscall(SYS_membarrier, cmd, flags, cpu);
}

/*
 * Register this thread's own area. Return: whether it is registered. It is not
 * where the program was first.
 */
static __cold bool pm_rseq_register(void)
{
	int saved = errno;

	if (pm_tls.no_rseq)
		return false;
	/* The key may allocate: the inner call goes the locked way. */
	pm_tls.no_rseq = 1;
	if (pm_sys_rseq(0))
		return false;
	if (pm_rseq_key)
		pthread_setspecific(pm_rseq_key, &pm_tls);
	pm_tls.no_rseq = 0;
	pm_use_area(&pm_tls.rseq);
	errno = saved;
	return true;
}

/* Which threads can have an area, as far as one can know at the start. */
static enum pm_percpu_state pm_percpu_find(void)
{
	if (pm_options.rseq == PM_RSEQ_OFF)
		return PM_PERCPU_OFF;
	if (pm_membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0))
		return PM_PERCPU_NO_FENCE;
	if (pm_has_libc_area())
		return PM_PERCPU_LIBC;
	if (!pm_kernel_has_rseq())
		return PM_PERCPU_NO_RSEQ;
	return pm_is_left_to_program() ? PM_PERCPU_LEFT : PM_PERCPU_OWN;
}

/**
 * pm_percpu_init() - find out whether sections can be used
 *
 * Context: once, at start.
 * Return: whether magazines make sense.
 */
bool pm_percpu_init(void)
{
	unsigned int index;
	int saved = errno;

	/* Other constructors may have come before ours. */
	pm_percpu_let_go();
	for (index = 0; index < pm_percpu_count(); index++)
		pm_percpu_publish(index, NULL);
	if (getauxval(AT_RSEQ_FEATURE_SIZE) < PM_MM_CID_OFFSET + 4)
		pm_options.mm_cid = false;
	pm_percpu_state = pm_percpu_find();
	if (pm_percpu_state == PM_PERCPU_OWN && pm_rseq_register() &&
	    pthread_key_create(&pm_rseq_key, pm_rseq_unregister))
		pm_rseq_key = 0;
	errno = saved;
	return pm_percpu_state <= PM_PERCPU_OWN;
}

/*
 * Whether this call has to do without sections, for one was aborted too often.
 * The next one has a single try, until there is a miss without an abort.
 */
static bool pm_gives_way(void)
{
	bool gives_way = pm_tls.aborts >= PM_RSEQ_TRIES;

	pm_tls.aborts = gives_way ? PM_RSEQ_TRIES - 1 : 0;
	return gives_way;
}

/*
 * An area that is not registered says so in cpu_id alone: its mm_cid is 0,
 * which is somebody's.
 */
bool pm_percpu_prepare(void)
{
	struct rseq *area;

	if (unlikely(pm_tls.aborts) && pm_gives_way())
		return false;
	if (likely(pm_tls.area != &pm_no_area.rseq))
		return (int)READ_ONCE(pm_tls.area->cpu_id) >= 0;
	if (unlikely(pm_tls.vforks))
		return false;
	switch (pm_percpu_state) {
	case PM_PERCPU_LIBC:
		area = (struct rseq *)((char *)__builtin_thread_pointer() +
				       pm_libc_rseq_offset);
		if ((int)READ_ONCE(area->cpu_id) < 0)
			return false;
		pm_use_area(area);
		return true;
	case PM_PERCPU_OWN:
		return pm_rseq_register();
	default:
		/* One that is not shared: sections write to it all the same. */
		pm_tls.area = &pm_tls.rseq;
		pm_tls.index = (s32 *)&pm_tls.rseq.cpu_id;
		return false;
	}
}

/**
 * pm_rseq_call() - the program asks for rseq itself, in this thread
 * @area: what it wants to register, or not to have registered any longer
 * @len: its length
 * @flags: 0, or RSEQ_FLAG_UNREGISTER
 * @sig: signature before abort handlers
 *
 * A thread has one area, and ours is the one to give way. From then on the
 * thread goes without magazines, for the program can take its area away without
 * a word. Where the area is the C library's the kernel says no, as it would
 * without us.
 *
 * Return: what the kernel returned.
 */
long pm_rseq_call(struct rseq *area, u32 len, int flags, u32 sig)
{
	bool ours = pm_tls.area == &pm_tls.rseq &&
		    (int)READ_ONCE(pm_tls.rseq.cpu_id) >= 0;
	long ret;

	if (flags || area == &pm_tls.rseq)
		return pm_syscall(SYS_rseq, area, len, flags, sig);
	if (ours)
		pm_rseq_unregister(NULL);
	ret = pm_syscall(SYS_rseq, area, len, flags, sig);
	if (!ret) {
		pm_tls.no_rseq = 1;
	} else if (ours) {
		pm_tls.no_rseq = 0;
		pm_rseq_register();
	}
	return ret;
}

/*
 * In pm_tls.vforks: a child in this thread's place was started, and nobody will
 * say when it has left.
 */
#define PM_VFORK_FOREVER	0x80

/**
 * pm_vfork_begin() - a child is going to run in this thread's place
 */
void pm_vfork_begin(void)
{
	pm_tls.vforks++;
	pm_use_area(&pm_no_area.rseq);
}

/**
 * pm_vfork_stays() - and it does not have this thread wait until it leaves
 */
void pm_vfork_stays(void)
{
	pm_tls.vforks |= PM_VFORK_FOREVER;
}

/**
 * pm_vfork_end() - it has left
 * @pid: what the system call returned to the parent
 *
 * Return: what vfork() is to return.
 */
long pm_vfork_end(long pid)
{
	pm_tls.vforks--;
	/* The C library's area is found again on the next slow path. */
	if (!pm_tls.vforks && !pm_tls.no_rseq &&
	    (int)READ_ONCE(pm_tls.rseq.cpu_id) >= 0)
		pm_use_area(&pm_tls.rseq);
	if (pid >= 0)
		return pid;
	errno = -pid;
	return -1;
}

unsigned int pm_percpu_index(void)
{
	return READ_ONCE(*pm_tls.index);
}

/*
 * The kernel interrupts every thread of the process that runs on the CPU and
 * restarts its section; a thread that does not run restarts when it does.
 * Compact ids say nothing about the CPU, so all are interrupted.
 *
 * It worked at the start, but a program may have shut itself into a sandbox
 * since, where the call is refused.
 */
bool pm_percpu_fence(unsigned int index)
{
	int saved = errno, err;

	if (pm_options.mm_cid)
		err = pm_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0,
				    0);
	else
		err = pm_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ,
				    MEMBARRIER_CMD_FLAG_CPU, index);
	errno = saved;
	return !err;
}

/*
 * liburcu's readers issue no barriers where membarrier() was there at its
 * start; a thread that waits for them has the kernel do it, and aborts when that
 * is refused. A sandbox cannot be left, so what worked now works in a moment,
 * unless another thread locks us in just then.
 */
bool pm_host_can_synchronize(void)
{
	int saved = errno, err;

	if (!pm_urcu_works())
		return false;
	if (!urcu_bp_has_sys_membarrier)
		return true;
	err = pm_membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	errno = saved;
	return !err;
}

const char *pm_percpu_mode(void)
{
	switch (pm_percpu_state) {
	case PM_PERCPU_LIBC:
		return pm_options.mm_cid ?
			"magazines on, by mm_cid (rseq area of the C library)" :
			"magazines on, by CPU (rseq area of the C library)";
	case PM_PERCPU_OWN:
		return pm_options.mm_cid ?
			"magazines on, by mm_cid (own rseq area)" :
			"magazines on, by CPU (own rseq area)";
	case PM_PERCPU_LEFT:
		return "magazines off: rseq is left to the program (rseq=own takes it)";
	case PM_PERCPU_NO_FENCE:
		return "magazines off: membarrier has no rseq fence here";
	case PM_PERCPU_NO_RSEQ:
		return "magazines off: the kernel offers no rseq";
	case PM_PERCPU_OFF:
	default:
		return "magazines off, as chosen";
	}
}
