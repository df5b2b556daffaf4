/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Stubbed: words that have no meaning in a process.
 */
#ifndef PM_WORDS_STUBS_H
#define PM_WORDS_STUBS_H

#include <stdbool.h>

typedef unsigned int gfp_t;
#define GFP_KERNEL	0x1u
#define GFP_NOWAIT	0x0u
#define __GFP_ZERO	0x2u
/* No process is charged on behalf of another. */
#define __GFP_ACCOUNT	0x0u
#define __init
#define __exit
#define __read_mostly		__attribute__((section(".data.read_mostly")))
#define EXPORT_SYMBOL_GPL(x)

/*
 * A thread may always wait for a mutex: malloc is not for signal handlers.
 */
#define gfpflags_allow_blocking(gfp)	(((gfp) & GFP_KERNEL) != 0)

/* init_on_alloc and init_on_free are the kernel's; a program says calloc(). */
#define want_init_on_alloc(gfp)	(((gfp) & __GFP_ZERO) != 0)
#define want_init_on_free()	false
/* The one context in the kernel that may not even try a mutex. */
#define pm_context_may_lock()	true

#endif /* PM_WORDS_STUBS_H */
