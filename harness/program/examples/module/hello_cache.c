// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A module with a cache of pmalloc.ko. Its objects can be had where nobody may
 * sleep, as far as they are at hand.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include "pmalloc.h"

struct request {
	spinlock_t lock;
	struct list_head node;
};

static DEFINE_SPINLOCK(requests_lock);
static struct pm_cache *requests;
static struct request *open[2];

static void request_init(void *obj)
{
	struct request *r = obj;

	spin_lock_init(&r->lock);
	INIT_LIST_HEAD(&r->node);
}

static int __init hello_cache_init(void)
{
	requests = pm_cache_create("requests", sizeof(struct request), 0,
				   PM_CACHE_HWALIGN, request_init);
	if (!requests)
		return -ENOMEM;
	open[0] = pm_cache_alloc(requests);
	spin_lock(&requests_lock);
	/* NULL when this CPU has moved on, or has none at hand. */
	open[1] = pm_cache_alloc_gfp(requests, GFP_ATOMIC);
	if (open[1])
		spin_lock_nested(&open[1]->lock, 1);
	if (open[1])
		spin_unlock(&open[1]->lock);
	spin_unlock(&requests_lock);
	pr_info("hello_cache: %s\n",
		open[0] && list_empty(&open[0]->node) ? "constructed" : "no request");
	return 0;
}

static void __exit hello_cache_exit(void)
{
	int err;

	pm_cache_free(requests, open[1]);
	err = pm_cache_destroy(requests);
	pm_cache_free(requests, open[0]);
	pr_info("hello_cache: destroyed: %d, then %d\n", err,
		pm_cache_destroy(requests));
}

module_init(hello_cache_init);
module_exit(hello_cache_exit);
MODULE_DESCRIPTION("Example of a user of pmalloc's caches");
MODULE_LICENSE("Dual MIT/GPL");
