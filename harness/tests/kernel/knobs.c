// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /sys/kernel/debug/pmalloc_test/hold: a user of the allocator that guests order about.
 *
 *	echo take SIZE MIB >hold	allocate objects of SIZE bytes, MIB MiB in all
 *	echo charge SIZE MIB >hold	the same with __GFP_ACCOUNT
 *	echo free >hold			free all of them
 *	cat hold			how many bytes they have
 *
 * Whoever writes is the caller: it is its cgroup that is charged.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include "pm_test.h"
#include "knobs.h"

/* An object that is held: the first words of each. */
struct held {
	struct held *next;
};

static DEFINE_MUTEX(hold_lock);
static struct held *hold_first;
static size_t hold_bytes;
static struct dentry *hold_dir;

static int hold_take(size_t size, size_t bytes, gfp_t gfp)
{
	struct held *obj;
	size_t got;

	if (size < sizeof(*obj))
		return -EINVAL;
	for (got = 0; got < bytes; got += size) {
		obj = pm_malloc_gfp(size, gfp);
		if (!obj)
			return -ENOMEM;
		memset(obj, 0xa5, size);
		obj->next = hold_first;
		hold_first = obj;
		hold_bytes += size;
		cond_resched();
	}
	return 0;
}

static void hold_free(void)
{
	struct held *obj;

	while ((obj = hold_first)) {
		hold_first = obj->next;
		pm_free(obj);
		cond_resched();
	}
	hold_bytes = 0;
}

static int hold_order(const char *text)
{
	size_t size, mib;
	char word[8];

	if (sysfs_streq(text, "free")) {
		hold_free();
		return 0;
	}
	if (sscanf(text, "%7s %zu %zu", word, &size, &mib) != 3)
		return -EINVAL;
	if (!strcmp(word, "take"))
		return hold_take(size, mib << 20, GFP_KERNEL);
	if (!strcmp(word, "charge"))
		return hold_take(size, mib << 20, GFP_KERNEL_ACCOUNT);
	return -EINVAL;
}

static ssize_t hold_write(struct file *file, const char __user *user, size_t n,
			  loff_t *pos)
{
	char text[64] = "";
	int err;

	if (n >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, n))
		return -EFAULT;
	mutex_lock(&hold_lock);
	err = hold_order(text);
	mutex_unlock(&hold_lock);
	return err ? err : n;
}

static ssize_t hold_read(struct file *file, char __user *user, size_t n,
			 loff_t *pos)
{
	char text[32];
	int len = scnprintf(text, sizeof(text), "%zu\n", READ_ONCE(hold_bytes));

	return simple_read_from_buffer(user, n, pos, text, len);
}

static const struct file_operations hold_fops = {
	.owner = THIS_MODULE,
	.read = hold_read,
	.write = hold_write,
};

void knobs_init(void)
{
	hold_dir = debugfs_create_dir("pmalloc_test", NULL);
	debugfs_create_file("hold", 0600, hold_dir, NULL, &hold_fops);
}

void knobs_exit(void)
{
	debugfs_remove_recursive(hold_dir);
	hold_free();
}
