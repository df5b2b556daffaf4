/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The per-CPU section in the kernel: a few instructions with preemption off
 * and a flag that says so to interrupts.
 *
 *	preempt_disable()
 *	if (busy) nothing was there
 *	busy = true
 *		pop or push
 *	busy = false
 *	preempt_enable()
 *
 * Tasks of the same CPU are kept out by preemption being off. An interrupt
 * may come at any instruction, even an NMI. Where it finds the flag set it
 * takes the magazine for empty (a pop) or full (a push) and goes another way.
 * Where it finds the flag clear it runs a whole section of its own before the
 * interrupted code goes on: the flag is clear again, and nothing that depends
 * on the magazine was loaded yet. So the flag needs no atomic operation, and
 * interrupts stay on, whose switching costs more than a section does.
 *
 * The flag makes the fence cheap, too: an interrupt that is sent to the CPU
 * looks at it.
 */
#ifndef PM_PERCPU_H
#define PM_PERCPU_H

#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/string.h>
#include "platform.h"

/**
 * struct pm_percpu - what a CPU has
 * @mag: its magazine, or the null magazine; never NULL
 * @busy: a section is under way on this CPU [this CPU only]
 */
struct pm_percpu {
	struct pm_magazine *mag;
	bool busy;
};

/**
 * struct pm_null_magazine - what a CPU has before it has a magazine
 * @before: the word below the stacks, 0: a pop finds NULL
 * @stack: all 0: a push finds no room
 */
struct pm_null_magazine {
	u64 before;
	struct pm_stack stack[PM_CLASS_END];
};

DECLARE_PER_CPU(struct pm_percpu, pm_percpu);
extern const struct pm_null_magazine pm_null_magazine;

#define PM_NULL_MAGAZINE	((struct pm_magazine *)pm_null_magazine.stack)

bool pm_percpu_init(void);
bool pm_percpu_fence(unsigned int index);

/* Words of this CPU are used by name: that is one instruction on x86-64. */
static __always_inline bool pm_section_begin(void)
{
	preempt_disable();
	if (unlikely(this_cpu_read(pm_percpu.busy))) {
		preempt_enable();
		return false;
	}
	this_cpu_write(pm_percpu.busy, true);
	/* Against the compiler: interrupts see this CPU's stores in order. */
	barrier();
	return true;
}

static __always_inline void pm_section_end(void)
{
	barrier();
	this_cpu_write(pm_percpu.busy, false);
	preempt_enable();
}

static __always_inline void *pm_percpu_pop(unsigned int class)
{
	struct pm_magazine *mag;
	void *obj;
	u32 top;

	if (unlikely(!pm_section_begin()))
		return NULL;
	/* Address dependency: pairs with the release of publishing. */
	mag = this_cpu_read(pm_percpu.mag);
	top = mag->stack[class].top;
	obj = *(void **)((char *)mag + top - sizeof(void *));
	if (unlikely(!obj)) {
		pm_section_end();
		return NULL;
	}
	WRITE_ONCE(mag->stack[class].top, top - sizeof(void *));
	pm_section_end();
	return obj;
}

static __always_inline bool pm_percpu_push(unsigned int class, void *obj)
{
	struct pm_magazine *mag;
	u32 top;

	if (unlikely(!pm_section_begin()))
		return false;
	mag = this_cpu_read(pm_percpu.mag);
	top = mag->stack[class].top;
	if (unlikely(top >= READ_ONCE(mag->stack[class].limit)) ||
	    unlikely(*(void **)((char *)mag + top - sizeof(void *)) == obj)) {
		pm_section_end();
		return false;
	}
	*(void **)((char *)mag + top) = obj;
	WRITE_ONCE(mag->stack[class].top, top + sizeof(void *));
	pm_section_end();
	return true;
}

static inline unsigned int pm_percpu_pop_batch(unsigned int class, void **objs,
					       unsigned int n)
{
	u32 base = pm_mag_base[class], len = 0, top;
	struct pm_magazine *mag;

	if (unlikely(!pm_section_begin()))
		return 0;
	mag = this_cpu_read(pm_percpu.mag);
	top = mag->stack[class].top;
	if (top > base) {
		len = min_t(u32, top - base, n * sizeof(void *));
		memcpy(objs, (char *)mag + top - len, len);
		WRITE_ONCE(mag->stack[class].top, top - len);
	}
	pm_section_end();
	return len / sizeof(void *);
}

static inline unsigned int pm_percpu_push_batch(unsigned int class,
						void **objs, unsigned int n)
{
	struct pm_magazine *mag;
	u32 len = 0, top, limit;

	if (unlikely(!pm_section_begin()))
		return 0;
	mag = this_cpu_read(pm_percpu.mag);
	top = mag->stack[class].top;
	limit = READ_ONCE(mag->stack[class].limit);
	if (top < limit) {
		len = min_t(u32, limit - top, n * sizeof(void *));
		memcpy((char *)mag + top, objs, len);
		WRITE_ONCE(mag->stack[class].top, top + len);
	}
	pm_section_end();
	return len / sizeof(void *);
}

static inline bool pm_percpu_prepare(void)
{
	return true;
}

static inline unsigned int pm_percpu_count(void)
{
	return nr_cpu_ids;
}

static inline unsigned int pm_percpu_index(void)
{
	return raw_smp_processor_id();
}

/* Numbers may have holes, and what is not possible has no area. */
static inline struct pm_magazine *pm_percpu_get(unsigned int index)
{
	struct pm_magazine *mag;

	if (!cpu_possible(index))
		return NULL;
	/* Pairs with pm_percpu_publish(): the slow path looks into it. */
	mag = smp_load_acquire(&per_cpu(pm_percpu, index).mag);
	return mag == PM_NULL_MAGAZINE ? NULL : mag;
}

static inline void pm_percpu_publish(unsigned int index,
				     struct pm_magazine *mag)
{
	/* The magazine is complete before a section or pm_percpu_get() finds it. */
	smp_store_release(&per_cpu(pm_percpu, index).mag,
			  mag ? mag : PM_NULL_MAGAZINE);
}

#endif /* PM_PERCPU_H */
