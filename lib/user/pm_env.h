/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The kernel's words in userspace.
 *
 * The core is written in the kernel's language. This header gives it that
 * language in a process, with a file below words/ for each theme. The words are
 * of three kinds, and a file's first line says which it has:
 *
 *   customised	words whose meaning is kept but whose making differs
 *		(mutex, SRCU, atomics, lockdep)
 *   duplicated	words that are plain C and mean the same everywhere
 *   stubbed	words that have no meaning in a process (GFP flags, __init)
 *
 * No word here promises less than the kernel's word of the same name.
 */
#ifndef PM_ENV_H
#define PM_ENV_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "words/config.h"
#include "words/compiler.h"
#include "words/types.h"
#include "words/text.h"
#include "words/list.h"
#include "words/atomic.h"
#include "words/bitops.h"
#include "words/llist.h"
#include "words/thread.h"
#include "words/mutex.h"
#include "words/lockdep.h"
#include "words/srcu.h"
#include "words/stubs.h"

#endif /* PM_ENV_H */
