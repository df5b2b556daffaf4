// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The report, in three formats.
 *
 * Nothing here allocates, and no lock is held while text is written.
 */
#include "api/cache.h"
#include "api/choices.h"
#include "api/start.h"
#include "api/stats.h"
#include "api/writer.h"
#include "arena/registry.h"
#include "base/options.h"
#include "front/magazine.h"

static void pm_write_head(struct pm_writer *w, enum pm_format format)
{
	const char *policy = pm_options.policy->name;
	char host[128];

	pm_host_describe(host, sizeof(host));
	if (format == PM_TEXT)
		pm_write(w, "pmalloc: arena=%s, %u arenas at most, %u CPUs possible; %s\n",
			 policy, pm_arena_table_size, pm_host_nr_cpus(), host);
	else if (format == PM_JSON)
		pm_write(w, "{\"policy\":\"%s\",\"arena_slots\":%u,\"cpus\":%u,\"host\":\"%s\",",
			 policy, pm_arena_table_size, pm_host_nr_cpus(), host);
	else
		pm_write(w, "<malloc version=\"1\" allocator=\"pmalloc\" policy=\"%s\">\n",
			 policy);
}

/* ---- text -------------------------------------------------------------- */

static void pm_text_arena(struct pm_writer *w,
			  const struct pm_arena_figures *f)
{
	pm_write(w, "%5llu %12llu %10llu %10llu %9llu %9llu %9llu %11llu %6llu",
		 PM_LLU(f->arena), PM_LLU(f->acquired), PM_LLU(f->contended),
		 PM_LLU(f->wait_ns / 1000), PM_LLU(f->wait_max_ns / 1000),
		 PM_LLU(f->fallback_out), PM_LLU(f->fallback_in),
		 PM_LLU(f->remote_in), PM_LLU(f->heaps));
	pm_write(w, " %9llu %9llu %9llu %9llu\n", PM_LLU(f->out_bytes >> 10),
		 PM_LLU(f->depot_bytes >> 10), PM_LLU(f->slab_free_bytes >> 10),
		 PM_LLU(f->heap_free_bytes >> 10));
}

static void pm_text_hist(struct pm_writer *w, const struct pm_arena_figures *f)
{
	const char *sep = "      waits of at least ";
	unsigned int n;

	for (n = 0; n < PM_WAIT_BUCKETS; n++) {
		if (!f->wait_hist[n])
			continue;
		pm_write(w, "%s", sep);
		pm_write_ns(w, n ? 1ULL << n : 0);
		pm_write(w, ": %llu", PM_LLU(f->wait_hist[n]));
		sep = ", ";
	}
	pm_write(w, "\n");
}

/* The class that threads waited for longest in total, and what it has. */
static void pm_text_hottest(struct pm_writer *w, unsigned int id)
{
	struct pm_arena_class_figures fig, hottest = { 0 };
	struct pm_cache_id cache;
	unsigned int class, which = 0;

	for (class = 0; class < pm_class_end(); class++) {
		if (!pm_arena_class_figures(id, class, &fig) ||
		    fig.wait_ns <= hottest.wait_ns)
			continue;
		hottest = fig;
		which = class;
	}
	if (!hottest.waited)
		return;
	if (which == PM_CLASS_NONE)
		pm_write(w, "      most of it for trims: ");
	else if (pm_cache_identify(which, &cache))
		pm_write(w, "      most of it for cache \"%s\", class %u: ",
			 cache.name, which);
	else
		pm_write(w, "      most of it for %u bytes, class %u: ",
			 pm_classes[which].size, which);
	pm_write(w, "acquired %llu, contended %llu, waited %llu, ",
		 PM_LLU(hottest.acquired), PM_LLU(hottest.contended),
		 PM_LLU(hottest.waited));
	pm_write_ns(w, hottest.wait_ns);
	pm_write(w, ", at most ");
	pm_write_ns(w, hottest.wait_max_ns);
	pm_write(w, "\n");
}

/* Only of arenas at whose lock somebody had to wait. */
static void pm_text_waits(struct pm_writer *w)
{
	struct pm_arena_figures f;
	bool first = true;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++) {
		if (!pm_arena_figures(id, &f) || !(f.waited | f.free_busy))
			continue;
		if (first)
			pm_write(w, "waits     waited   at once  free busy   switches  last held by, on CPU   max held by, on CPU\n");
		first = false;
		pm_write(w, "%5u %10llu %9llu %10llu %10llu %13llu %8llu %12llu %8llu\n",
			 id, PM_LLU(f.waited), PM_LLU(f.waiters_max),
			 PM_LLU(f.free_busy), PM_LLU(f.owner_switches),
			 PM_LLU(f.holder_tid), PM_LLU(f.holder_cpu),
			 PM_LLU(f.longest_holder_tid),
			 PM_LLU(f.longest_holder_cpu));
		if (!f.waited)
			continue;
		pm_text_hist(w, &f);
		pm_text_hottest(w, id);
	}
}

static void pm_text_totals(struct pm_writer *w, const struct pm_totals *t)
{
	pm_write(w, "total (KiB): mapped %zu, live %zu in %zu objects (large %zu), free in magazines %zu, in depots %zu, in slabs %zu, in heaps %zu, ",
		 t->mapped >> 10, t->live >> 10, t->live_objects,
		 t->large >> 10, t->magazine >> 10, t->depot >> 10,
		 t->slab_free >> 10, t->heap_free >> 10);
	pm_write(w, "in large extents %zu; descriptors %zu\n",
		 t->large_cached >> 10, t->meta >> 10);
}

/* A line of the table of parts; what the host cannot tell is no number. */
static void pm_text_bytes(struct pm_writer *w, const char *name, int cpu,
			  const struct pm_bytes *b, const char *how)
{
	if (cpu < 0)
		pm_write(w, "%-12s", name);
	else
		pm_write(w, "%-6s %5d", name, cpu);
	pm_write(w, " %12llu", PM_LLU(b->bytes >> 10));
	if (how)
		pm_write(w, " %12llu%s%s", PM_LLU(b->resident >> 10),
			 *how ? "  " : "", how);
	pm_write(w, "\n");
}

static void pm_text_magazines(struct pm_writer *w, const char *how)
{
	struct pm_bytes mag;
	unsigned int index;

	for (index = 0; index < pm_percpu_count(); index++)
		if (pm_magazine_bytes(index, &mag))
			pm_text_bytes(w, "  CPU", index, &mag, how);
}

static void pm_text_parts(struct pm_writer *w, const struct pm_totals *t)
{
	struct pm_parts parts;
	const char *how;
	unsigned int n;

	pm_get_parts(&parts, t);
	pm_write(w, "memory (KiB)       bytes%s\n",
		 parts.is_measured ? "     resident" : "");
	for (n = 0; n < PM_NR_PARTS; n++) {
		how = parts.is_measured ? pm_part_how(n) : NULL;
		pm_text_bytes(w, pm_part_name(n), -1, &parts.part[n], how);
		if (n == PM_PART_magazine)
			pm_text_magazines(w, how);
	}
	pm_text_bytes(w, "sum", -1, &parts.sum, parts.is_measured ? "" : NULL);
}

static void pm_text_caches(struct pm_writer *w)
{
	struct pm_class_figures fig;
	struct pm_cache_id cache;
	unsigned int class;
	bool first = true;

	for (class = PM_NR_CLASSES; class < pm_class_end(); class++) {
		if (!pm_cache_identify(class, &cache))
			continue;
		if (first)
			pm_write(w, "cache                             class   size  slot       taken        live in magazines in depots\n");
		first = false;
		pm_class_figures(class, &fig);
		pm_write(w, "%-32s %6u %6zu %5zu %11llu %11llu %12llu %9llu\n",
			 cache.name, class, cache.size, pm_class_bytes(class), PM_LLU(fig.taken),
			 PM_LLU(pm_class_live(&fig)), PM_LLU(fig.magazine),
			 PM_LLU(fig.depot));
	}
}

static void pm_text(struct pm_writer *w)
{
	struct pm_arena_figures fig;
	struct pm_totals totals;
	unsigned int id;

	pm_write(w, "arena     acquired  contended    wait us    max us  fallback  fallback  remote in  heaps       out  in depot slab free heap free\n%56s%10s\n",
		 "out", "in");
	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_figures(id, &fig))
			pm_text_arena(w, &fig);
	pm_text_waits(w);
	pm_text_caches(w);
	pm_get_totals(&totals);
	pm_text_parts(w, &totals);
	pm_text_totals(w, &totals);
	pm_write_choices(w, PM_TEXT);
}

/* ---- JSON -------------------------------------------------------------- */

/* Members of an object, as the table names them and @value has them. */
static void pm_json_members(struct pm_writer *w, const struct pm_field *field,
			    unsigned int nr, const u64 *value, bool first)
{
	const struct pm_field *end = field + nr;

	for (; field < end; field++)
		pm_write(w, "%s\"%s\":%llu", pm_comma(&first), field->name,
			 PM_LLU(*value++));
}

/* What a class is: members of an object that has others. */
static void pm_json_class(struct pm_writer *w, unsigned int class)
{
	struct pm_cache_id cache;

	pm_write(w, "\"class\":%u,\"size\":%zu", class, pm_class_bytes(class));
	if (pm_cache_identify(class, &cache))
		pm_write(w, ",\"cache\":\"%s\",\"object_size\":%zu", cache.name,
			 cache.size);
}

static void pm_json_arena_classes(struct pm_writer *w, unsigned int id)
{
	struct pm_arena_class_figures fig;
	unsigned int class;
	bool first = true;

	pm_write(w, ",\"classes\":[");
	for (class = 0; class < pm_class_end(); class++) {
		if (!pm_arena_class_figures(id, class, &fig))
			continue;
		pm_write(w, "%s{", pm_comma(&first));
		pm_json_class(w, class);
		pm_json_members(w, pm_arena_class_fields,
				PM_NR_ARENA_CLASS_FIELDS, (u64 *)&fig, false);
		pm_write(w, "}");
	}
	pm_write(w, "]");
}

static void pm_json_arena(struct pm_writer *w,
			  const struct pm_arena_figures *f)
{
	bool first = true;
	unsigned int n;

	/* The list comes last in the table. */
	pm_json_members(w, pm_arena_fields, PM_NR_ARENA_FIELDS - 1,
			(const u64 *)f, true);
	pm_write(w, ",\"wait_hist\":[");
	for (n = 0; n < PM_WAIT_BUCKETS; n++)
		pm_write(w, "%s%llu", pm_comma(&first),
			 PM_LLU(f->wait_hist[n]));
	pm_write(w, "]");
	pm_json_arena_classes(w, f->arena);
}

static void pm_json_classes(struct pm_writer *w)
{
	struct pm_cache_id cache;
	struct pm_class_figures fig;
	unsigned int class;
	bool first = true;

	pm_write(w, "\"classes\":[");
	pm_for_each_class(class) {
		pm_class_figures(class, &fig);
		/* A cache's name is worth a line, if it was not used, too. */
		if (!fig.taken && !pm_cache_identify(class, &cache))
			continue;
		pm_write(w, "%s{", pm_comma(&first));
		pm_json_class(w, class);
		pm_json_members(w, pm_class_fields, PM_NR_CLASS_FIELDS,
				(u64 *)&fig, false);
		pm_write(w, ",\"magazine\":%llu}", PM_LLU(fig.magazine));
	}
	pm_write(w, "],");
}

/* Members of an object that has others; null is what the host cannot tell. */
static void pm_json_bytes(struct pm_writer *w, const struct pm_bytes *b,
			  bool is_measured)
{
	pm_write(w, "\"bytes\":%llu,\"resident\":", PM_LLU(b->bytes));
	if (is_measured)
		pm_write(w, "%llu", PM_LLU(b->resident));
	else
		pm_write(w, "null");
}

static void pm_json_magazines(struct pm_writer *w, bool is_measured)
{
	struct pm_bytes mag;
	unsigned int index;
	bool first = true;

	pm_write(w, ",\"cpus\":[");
	for (index = 0; index < pm_percpu_count(); index++) {
		if (!pm_magazine_bytes(index, &mag))
			continue;
		pm_write(w, "%s{\"cpu\":%u,", pm_comma(&first), index);
		pm_json_bytes(w, &mag, is_measured);
		pm_write(w, "}");
	}
	pm_write(w, "]");
}

static void pm_json_parts(struct pm_writer *w, const struct pm_totals *t)
{
	struct pm_parts parts;
	bool first = true;
	unsigned int n;

	pm_get_parts(&parts, t);
	pm_write(w, "\"memory\":[");
	for (n = 0; n < PM_NR_PARTS; n++) {
		pm_write(w, "%s{\"part\":\"%s\",", pm_comma(&first),
			 pm_part_name(n));
		pm_json_bytes(w, &parts.part[n], parts.is_measured);
		if (n == PM_PART_magazine)
			pm_json_magazines(w, parts.is_measured);
		pm_write(w, "}");
	}
	pm_write(w, "],\"memory_sum\":{");
	pm_json_bytes(w, &parts.sum, parts.is_measured);
	pm_write(w, "},");
}

static void pm_json_totals(struct pm_writer *w)
{
	bool first = true;
	struct pm_totals t;

	pm_get_totals(&t);
	pm_json_parts(w, &t);
	pm_write(w, "\"total\":{");
#define PM_JSON_TOTAL(name, expression)					\
	pm_write(w, "%s\"" #name "\":%zu", pm_comma(&first), t.name);
	PM_TOTALS(PM_JSON_TOTAL)
#undef PM_JSON_TOTAL
	pm_write(w, "}}\n");
}

static void pm_json(struct pm_writer *w)
{
	struct pm_arena_figures fig;
	bool first = true;
	unsigned int id;

	pm_write(w, "\"arenas\":[");
	for (id = 0; id < pm_arena_table_size; id++) {
		if (!pm_arena_figures(id, &fig))
			continue;
		pm_write(w, "%s{", pm_comma(&first));
		pm_json_arena(w, &fig);
		pm_write(w, "}");
	}
	pm_write(w, "],");
	pm_json_classes(w);
	pm_write_choices(w, PM_JSON);
	pm_json_totals(w);
}

/* ---- XML --------------------------------------------------------------- */

static void pm_xml_waits(struct pm_writer *w, const struct pm_arena_figures *f)
{
	struct pm_arena_class_figures fig;
	struct pm_cache_id cache;
	unsigned int n;

	for (n = 0; n < PM_WAIT_BUCKETS; n++)
		if (f->wait_hist[n])
			pm_write(w, "<waits from_ns=\"%llu\" count=\"%llu\"/>\n",
				 n ? 1ULL << n : 0, PM_LLU(f->wait_hist[n]));
	for (n = 0; n < pm_class_end(); n++) {
		if (!pm_arena_class_figures(f->arena, n, &fig) ||
		    !(fig.contended | fig.free_busy))
			continue;
		pm_write(w, "<class nr=\"%u\" size=\"%zu\"", n,
			 pm_class_bytes(n));
		if (pm_cache_identify(n, &cache))
			pm_write(w, " cache=\"%s\"", cache.name);
		pm_write(w, " acquired=\"%llu\" contended=\"%llu\" waited=\"%llu\" wait_ns=\"%llu\" ",
			 PM_LLU(fig.acquired),
			 PM_LLU(fig.contended), PM_LLU(fig.waited),
			 PM_LLU(fig.wait_ns));
		pm_write(w, "wait_max_ns=\"%llu\" fallback_out=\"%llu\" free_busy=\"%llu\"/>\n",
			 PM_LLU(fig.wait_max_ns), PM_LLU(fig.fallback_out),
			 PM_LLU(fig.free_busy));
	}
}

static void pm_xml_arena(struct pm_writer *w, const struct pm_arena_figures *f)
{
	pm_write(w, "<heap nr=\"%llu\">\n<lock acquired=\"%llu\" contended=\"%llu\" waited=\"%llu\" wait_ns=\"%llu\" wait_max_ns=\"%llu\" ",
		 PM_LLU(f->arena), PM_LLU(f->acquired), PM_LLU(f->contended),
		 PM_LLU(f->waited), PM_LLU(f->wait_ns),
		 PM_LLU(f->wait_max_ns));
	pm_write(w, "waiters_max=\"%llu\" fallback_out=\"%llu\" fallback_in=\"%llu\" free_busy=\"%llu\" owner_switches=\"%llu\" ",
		 PM_LLU(f->waiters_max), PM_LLU(f->fallback_out),
		 PM_LLU(f->fallback_in), PM_LLU(f->free_busy),
		 PM_LLU(f->owner_switches));
	pm_write(w, "holder_tid=\"%llu\" holder_cpu=\"%llu\"/>\n",
		 PM_LLU(f->holder_tid), PM_LLU(f->holder_cpu));
	pm_xml_waits(w, f);
	pm_write(w, "<total type=\"out\" count=\"%llu\" size=\"%llu\"/>\n<total type=\"rest\" count=\"%llu\" size=\"%llu\"/>\n",
		 PM_LLU(f->out_objects), PM_LLU(f->out_bytes), PM_LLU(f->heaps),
		 PM_LLU(f->heap_bytes - f->out_bytes));
	pm_write(w, "<system type=\"current\" size=\"%llu\"/>\n</heap>\n",
		 PM_LLU(f->heap_bytes));
}

static void pm_xml(struct pm_writer *w)
{
	struct pm_arena_figures fig;
	struct pm_totals t;
	unsigned int id;

	for (id = 0; id < pm_arena_table_size; id++)
		if (pm_arena_figures(id, &fig))
			pm_xml_arena(w, &fig);
	pm_get_totals(&t);
	pm_write(w, "<total type=\"live\" count=\"%zu\" size=\"%zu\"/>\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n",
		 t.live_objects, t.live, t.heaps, t.mapped - t.live);
	pm_write(w, "<total type=\"mmap\" count=\"1\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n</malloc>\n",
		 t.large, t.mapped + t.meta);
}

/**
 * pm_report_as() - write the report
 * @buf: where to put it, may be NULL when @size is 0
 * @size: bytes of @buf
 * @format: how
 *
 * Context: may sleep.
 * Return: bytes that the whole report has without its final NUL.
 */
size_t pm_report_as(char *buf, size_t size, enum pm_format format)
{
	struct pm_writer w = { .buf = buf, .size = size };

	/* There are no options before that. */
	if (!pm_start(GFP_KERNEL)) {
		if (size)
			*buf = 0;
		return 0;
	}
	pm_write_head(&w, format);
	if (format == PM_TEXT)
		pm_text(&w);
	else if (format == PM_JSON)
		pm_json(&w);
	else
		pm_xml(&w);
	return w.len;
}

size_t pm_report(char *buf, size_t size, bool json)
{
	return pm_report_as(buf, size, json ? PM_JSON : PM_TEXT);
}
EXPORT_SYMBOL_GPL(pm_report);
