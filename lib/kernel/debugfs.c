// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * /sys/kernel/debug/pmalloc: what the arenas do and hold.
 *
 *	arenas	the report, as pm_report() writes it
 *	json	the same for programs
 *	classes	one line per size class in use
 *	caches	one line per cache
 *	policy	which arena a task uses, and the other options
 *	limits	"SOFT HARD" in bytes, 0 for none, and what counts now; to be
 *		written, too
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/vmalloc.h>
#include "arena/policy.h"
#include "arena/registry.h"
#include "back/class.h"
#include "api/cache.h"
#include "host.h"
#include "base/options.h"
#include "pmalloc.h"
#include "api/stats.h"

static struct dentry *pm_debugfs_dir;

/* It may grow between the two calls: leave room, and ask until it fits. */
static int pm_show_report(struct seq_file *m, bool json)
{
	size_t size = pm_report(NULL, 0, json), len;
	char *text;

	for (;;) {
		size += PAGE_SIZE;
		text = vmalloc(size);
		if (!text)
			return -ENOMEM;
		len = pm_report(text, size, json);
		if (len < size)
			break;
		vfree(text);
		size = len;
	}
	seq_puts(m, text);
	vfree(text);
	return 0;
}

static int arenas_show(struct seq_file *m, void *unused)
{
	return pm_show_report(m, false);
}
DEFINE_SHOW_ATTRIBUTE(arenas);

static int json_show(struct seq_file *m, void *unused)
{
	return pm_show_report(m, true);
}
DEFINE_SHOW_ATTRIBUTE(json);

static int classes_show(struct seq_file *m, void *unused)
{
	struct pm_class_figures fig;
	unsigned int class;

	seq_puts(m, "class  size slab KiB objects      taken        out\n");
	for (class = 1; class < PM_NR_CLASSES; class++) {
		pm_class_figures(class, &fig);
		if (!fig.taken)
			continue;
		seq_printf(m, "%5u %5u %8lu %7u %10llu %10llu\n", class,
			   pm_classes[class].size,
			   pm_classes[class].units * PM_UNIT_SIZE >> 10,
			   pm_classes[class].capacity, fig.taken, fig.out);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(classes);

static int caches_show(struct seq_file *m, void *unused)
{
	struct pm_class_figures fig;
	struct pm_cache_id id;
	unsigned int class;

	seq_puts(m, "class  size slab KiB objects      taken       live   magazine      depot cache\n");
	for (class = PM_NR_CLASSES; class < pm_class_end(); class++) {
		if (!pm_cache_identify(class, &id))
			continue;
		pm_class_figures(class, &fig);
		seq_printf(m, "%5u %5zu %8lu %7u %10llu %10llu %10llu %10llu %s\n",
			   class, id.size,
			   pm_classes[class].units * PM_UNIT_SIZE >> 10,
			   pm_classes[class].capacity, fig.taken,
			   pm_class_live(&fig), fig.magazine, fig.depot,
			   id.name);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(caches);

static int policy_show(struct seq_file *m, void *unused)
{
	const struct pm_policy *policy;

	for (policy = pm_policies; policy->name; policy++)
		seq_printf(m, policy == pm_options.policy ? "[%s] " : "%s ",
			   policy->name);
	seq_printf(m, "\narenas %u\ndecay_ms %lu\nlarge_cache %lu\nkeep %lu\n",
		   pm_arena_table_size, pm_options.decay_ms,
		   pm_options.large_cache, pm_options.keep);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(policy);

static int limits_show(struct seq_file *m, void *unused)
{
	size_t soft, hard, used = pm_limit_get(&soft, &hard);

	seq_printf(m, "%zu %zu\nused %zu\n", soft, hard, used);
	return 0;
}

static int limits_open(struct inode *inode, struct file *file)
{
	return single_open(file, limits_show, inode->i_private);
}

static ssize_t limits_write(struct file *file, const char __user *user,
			    size_t n, loff_t *pos)
{
	unsigned long soft, hard;
	char text[64] = "";
	int err;

	if (n >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, n))
		return -EFAULT;
	if (sscanf(text, "%lu %lu", &soft, &hard) != 2)
		return -EINVAL;
	err = pm_limit_set(soft, hard);
	return err ? err : n;
}

static const struct file_operations limits_fops = {
	.owner = THIS_MODULE,
	.open = limits_open,
	.read = seq_read,
	.write = limits_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * pm_debugfs_init() - make the files
 *
 * The allocator works without them: no error is worth stopping for.
 */
void pm_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("pmalloc", NULL);

	debugfs_create_file("arenas", 0400, dir, NULL, &arenas_fops);
	debugfs_create_file("json", 0400, dir, NULL, &json_fops);
	debugfs_create_file("classes", 0400, dir, NULL, &classes_fops);
	debugfs_create_file("caches", 0400, dir, NULL, &caches_fops);
	debugfs_create_file("policy", 0400, dir, NULL, &policy_fops);
	debugfs_create_file("limits", 0600, dir, NULL, &limits_fops);
	pm_debugfs_dir = dir;
}

/**
 * pm_debugfs_exit() - remove them; waits for readers
 */
void pm_debugfs_exit(void)
{
	debugfs_remove_recursive(pm_debugfs_dir);
}
