// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Options: "name=value,name=value" from PMALLOC_OPTIONS or from module
 * parameters, the same table for both.
 */
#include "base/options.h"

#define PM_PATH_MAX		4096
#define PM_ARENAS_PER_CPU	64	/* more help nobody */

struct pm_options pm_options __read_mostly = {
	.magazine = true,
	.magazine_bytes = 4UL << 20,
	.cache_bytes = 32UL << 20,
	.decay_ms = 1000,
	.large_cache = 256UL << 20,
	.keep = 32UL << 20,
	.populate = true,
	.thp = PM_THP_AUTO,
};

/* Those that can be chosen, up to one without a name. */
static const struct pm_policy *pm_option_policies;

static bool pm_set_policy(const char *value)
{
	const struct pm_policy *policy = pm_option_policies;

	while (policy->name && strcmp(policy->name, value))
		policy++;
	if (!policy->name)
		return false;
	pm_options.policy = policy;
	return true;
}

static bool pm_set_number(const char *value, unsigned long *number)
{
	return !kstrtoul(value, 10, number);
}

static bool pm_set_choice(const char *value, const char *yes, const char *no,
			  bool *choice)
{
	bool is_yes = !strcmp(value, yes);

	if (!is_yes && strcmp(value, no))
		return false;
	*choice = is_yes;
	return true;
}

static bool pm_set_arenas(const char *value)
{
	unsigned long n;

	if (!pm_set_number(value, &n) || n > PM_ARENAS_PER_CPU * pm_host_nr_cpus())
		return false;
	pm_options.arenas = n;
	return true;
}

static bool pm_set_magazine(const char *value)
{
	return pm_set_choice(value, "on", "off", &pm_options.magazine);
}

static bool pm_set_magazine_bytes(const char *value)
{
	return pm_set_number(value, &pm_options.magazine_bytes);
}

static bool pm_set_cache_bytes(const char *value)
{
	return pm_set_number(value, &pm_options.cache_bytes);
}

static bool pm_set_cpu_id(const char *value)
{
	return pm_set_choice(value, "mm_cid", "cpu", &pm_options.mm_cid);
}

/* One of some names, by its number. Return: whether it is one. */
static bool pm_set_name(const char *value, const char *const *names,
			unsigned int n, unsigned int *choice)
{
	while (n--)
		if (!strcmp(value, names[n])) {
			*choice = n;
			return true;
		}
	return false;
}

static bool pm_set_rseq(const char *value)
{
	static const char *const names[] = {
		[PM_RSEQ_AUTO] = "auto",
		[PM_RSEQ_OWN] = "own",
		[PM_RSEQ_OFF] = "off",
	};

	return pm_set_name(value, names, ARRAY_SIZE(names), &pm_options.rseq);
}

static bool pm_set_decay(const char *value)
{
	return pm_set_number(value, &pm_options.decay_ms);
}

static bool pm_set_large_cache(const char *value)
{
	return pm_set_number(value, &pm_options.large_cache);
}

static bool pm_set_keep(const char *value)
{
	return pm_set_number(value, &pm_options.keep);
}

static bool pm_set_reclaim(const char *value)
{
	return pm_set_choice(value, "thread", "off", &pm_options.reclaim);
}

static bool pm_set_soft_limit(const char *value)
{
	return pm_set_number(value, &pm_options.soft_limit);
}

static bool pm_set_hard_limit(const char *value)
{
	return pm_set_number(value, &pm_options.hard_limit);
}

static bool pm_set_populate(const char *value)
{
	return pm_set_choice(value, "on", "off", &pm_options.populate);
}

static bool pm_set_thp(const char *value)
{
	static const char *const names[] = {
		[PM_THP_OFF] = "off",
		[PM_THP_ON] = "on",
		[PM_THP_AUTO] = "auto",
	};

	return pm_set_name(value, names, ARRAY_SIZE(names), &pm_options.thp);
}

static bool pm_set_stats(const char *value)
{
	bool json = !strcmp(value, "json"), off = !strcmp(value, "off");

	if (!json && !off && strcmp(value, "exit"))
		return false;
	pm_options.stats_exit = !off;
	pm_options.stats_json = json;
	return true;
}

static bool pm_set_stats_file(const char *value)
{
	static char path[PM_PATH_MAX];
	size_t n = strlen(value);

	if (!n || n >= sizeof(path))
		return false;
	memcpy(path, value, n + 1);
	pm_options.stats_file = path;
	return true;
}

/* "500ns", "20us", "1ms": up to a second. */
static bool pm_set_duration(const char *value, unsigned long *ns)
{
	static const struct {
		const char *name;
		unsigned long ns;
	} units[] = { { "ns", 1 }, { "us", 1000 }, { "ms", 1000000 } };
	size_t digits = strspn(value, "0123456789");
	unsigned long number;
	unsigned int i;
	char text[12];

	if (digits >= sizeof(text))
		return false;
	memcpy(text, value, digits);
	text[digits] = 0;
	if (!pm_set_number(text, &number))
		return false;
	for (i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(value + digits, units[i].name))
			continue;
		if (number > 1000000000 / units[i].ns)
			return false;
		*ns = number * units[i].ns;
		return true;
	}
	return false;
}

static bool pm_set_misuse(const char *value)
{
	static const char *const names[] = {
		[PM_MISUSE_ABORT] = "abort",
		[PM_MISUSE_REPORT] = "report",
		[PM_MISUSE_IGNORE] = "ignore",
	};

	return pm_set_name(value, names, ARRAY_SIZE(names), &pm_options.misuse);
}

static bool pm_set_delay(const char *value)
{
	static const char where[] = "arena:";
	size_t n = sizeof(where) - 1;

	return !strncmp(value, where, n) &&
	       pm_set_duration(value + n, &pm_options.delay_ns);
}

static const struct pm_option {
	const char *name;
	bool (*set)(const char *value);
	const char *values;
} pm_option_table[] = {
	{ "arena", pm_set_policy, "single, thread, pool or cpu" },
	{ "arenas", pm_set_arenas, "a number of arenas, 64 per CPU at most, 0 for the policy's" },
	{ "magazine", pm_set_magazine, "on or off" },
	{ "magazine_bytes", pm_set_magazine_bytes, "bytes per CPU" },
	{ "cache_bytes", pm_set_cache_bytes, "bytes" },
	{ "cpu_id", pm_set_cpu_id, "cpu or mm_cid" },
	{ "rseq", pm_set_rseq, "auto, own or off" },
	{ "decay_ms", pm_set_decay, "milliseconds" },
	{ "large_cache", pm_set_large_cache, "bytes" },
	{ "keep", pm_set_keep, "bytes" },
	{ "reclaim", pm_set_reclaim, "thread or off" },
	{ "soft_limit", pm_set_soft_limit, "bytes, 0 for none" },
	{ "hard_limit", pm_set_hard_limit, "bytes, 0 for none" },
	{ "populate", pm_set_populate, "on or off" },
	{ "thp", pm_set_thp, "auto, on or off" },
	{ "stats", pm_set_stats, "exit, json or off" },
	{ "stats_file", pm_set_stats_file, "a path of less than 4096 bytes" },
	{ "misuse", pm_set_misuse, "abort, report or ignore" },
	{ "delay", pm_set_delay, "arena:N with ns, us or ms, a second at most" },
};

static void pm_option_parse(char *text)
{
	const struct pm_option *opt = pm_option_table;
	const struct pm_option *end = opt + ARRAY_SIZE(pm_option_table);
	char *value = strchr(text, '=');
	char line[300];

	for (; opt < end; opt++) {
		size_t n = strlen(opt->name);

		if (strncmp(text, opt->name, n) || (text[n] && text + n != value))
			continue;
		if (value && opt->set(value + 1))
			return;
		scnprintf(line, sizeof(line),
			  "pmalloc: option \"%.40s\" wants %s; the default stays",
			  text, opt->values);
		pm_host_say(line);
		return;
	}
	scnprintf(line, sizeof(line),
		  "pmalloc: unknown option \"%.40s\", ignored; there are arena, arenas, magazine, magazine_bytes, cache_bytes, cpu_id, rseq, decay_ms, large_cache, keep, reclaim, soft_limit, hard_limit, populate, thp, stats, stats_file, misuse, delay",
		  text);
	pm_host_say(line);
}

/**
 * pm_options_parse() - take over options
 * @text: "name=value" separated by commas, or NULL
 * @policies: those that can be chosen, up to one without a name; the first is
 *	the default
 *
 * An option that is unknown or has a bad value costs one line and leaves
 * the default.
 *
 * Context: pm_registry held, before the first arena exists. Allocates nothing.
 */
void pm_options_parse(const char *text, const struct pm_policy *policies)
{
	static char option[PM_PATH_MAX + 64];	/* too long for a stack */
	size_t n;

	pm_option_policies = policies;
	pm_options.policy = policies;
	while (text && *text) {
		n = strcspn(text, ",");
		if (n) {
			scnprintf(option, sizeof(option), "%.*s",
				  (int)min_t(size_t, n, sizeof(option) - 1),
				  text);
			pm_option_parse(option);
		}
		text += n;
		text += *text == ',';
	}
}
