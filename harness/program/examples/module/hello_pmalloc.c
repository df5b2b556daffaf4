// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A module that allocates from pmalloc.ko.
 */
#include <linux/module.h>
#include "pmalloc.h"

static char *text;

static int __init hello_init(void)
{
	text = pm_malloc_gfp(100, GFP_KERNEL | __GFP_ZERO);
	if (!text)
		return -ENOMEM;
	pr_info("hello_pmalloc: 100 bytes asked for, %zu to use\n",
		pm_usable_size(text));
	return 0;
}

static void __exit hello_exit(void)
{
	pm_free(text);
}

module_init(hello_init);
module_exit(hello_exit);
MODULE_DESCRIPTION("Example of a user of pmalloc");
MODULE_LICENSE("Dual MIT/GPL");
