// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Figures, and the report in three formats.
 *
 * Nothing here allocates, and no lock is held while text is written: an
 * arena's figures are copied under its lock and printed after.
 */
#include "stats.h"
#include "large.h"
#include "options.h"
#include "heap.h"
#include "magazine.h"

/* ---- gathering --------------------------------------------------------- */

/**
 * pm_arena_figures() - copy the figures of an arena
 * @id: its number
 * @fig: where to put them
 *
 * Context: may sleep.
 * Return: false when there is no such arena.
 */
bool pm_arena_figures(unsigned int id, struct pm_arena_figures *fig)
{
	struct pm_arena *arena;
	unsigned int class;
	bool found = false;
	int idx;

	memset(fig, 0, sizeof(*fig));
	idx = srcu_read_lock(&pm_srcu);
	arena = pm_arena_at(id);
	if (!arena)
		goto out;
	mutex_lock(&arena->lock);
	found = !arena->retired;
	pm_arena_settle(arena);
	fig->id = id;
	fig->stats = arena->stats;
	fig->nr_heaps = arena->nr_heaps;
	fig->heap_bytes = arena->heap_bytes;
	fig->slab_bytes = arena->slab_bytes;
	for (class = 1; class < PM_NR_CLASSES; class++) {
		fig->out_objects += arena->nr_out[class];
		fig->out_bytes += arena->nr_out[class] *
				  (size_t)pm_classes[class].size;
		fig->depot_objects += arena->depot[class].nr;
		fig->depot_bytes += arena->depot[class].nr *
				    (size_t)pm_classes[class].size;
	}
	mutex_unlock(&arena->lock);
out:
	srcu_read_unlock(&pm_srcu, idx);
	return found;
}

/**
 * pm_class_figures() - sum up a class
 * @class: class number
 * @fig: where to put the figures
 *
 * Context: may sleep.
 */
void pm_class_figures(unsigned int class, struct pm_class_figures *fig)
{
	struct pm_arena *arena;
	int idx;

	memset(fig, 0, sizeof(*fig));
	idx = srcu_read_lock(&pm_srcu);
	if (idx >= 0)
		pm_for_each_arena(arena) {
			mutex_lock(&arena->lock);
			pm_arena_settle(arena);
			fig->taken += arena->nr_taken[class];
			fig->out += arena->nr_out[class];
			fig->depot += arena->depot[class].nr;
			mutex_unlock(&arena->lock);
		}
	srcu_read_unlock(&pm_srcu, idx);
	fig->magazine = min_t(u64, pm_mag_objects(class), fig->out);
}

void pm_get_totals(struct pm_totals *t)
{
	struct pm_arena_figures fig;
	struct pm_large_stats large;
	unsigned int id, class;
	size_t objects, free_objects = 0, idle;

	memset(t, 0, sizeof(*t));
	pm_large_get_stats(&large);
	for (id = 0; id < pm_nr_arena_slots; id++) {
		if (!pm_arena_figures(id, &fig))
			continue;
		t->arenas++;
		t->heaps += fig.nr_heaps;
		t->mapped += fig.heap_bytes;
		t->live += fig.out_bytes;
		t->live_objects += fig.out_objects;
		t->slab_free += fig.slab_bytes - fig.out_bytes;
		t->heap_free += fig.heap_bytes - fig.slab_bytes;
		t->depot += fig.depot_bytes;
		free_objects += fig.depot_objects;
	}
	for (class = 1; class < PM_NR_CLASSES; class++) {
		objects = pm_mag_objects(class);
		t->magazine += objects * pm_classes[class].size;
		free_objects += objects;
	}
	/* At the end: a depot may hold objects of arenas that come later. */
	t->live_objects -= min_t(size_t, free_objects, t->live_objects);
	idle = t->depot + t->magazine;
	t->live -= min_t(size_t, idle, t->live);
	t->large = large.live;
	t->large_objects = large.live_objects;
	t->live += large.live;
	t->live_objects += large.live_objects;
	t->large_cached = large.cached;
	t->mapped += large.live + large.cached;
	t->meta = pm_meta_bytes();
}
EXPORT_SYMBOL_GPL(pm_get_totals);

/* ---- writing ----------------------------------------------------------- */

struct pm_writer {
	char *buf;
	size_t size;
	size_t len;
};

static __printf(2, 3) void pm_write(struct pm_writer *w, const char *fmt, ...)
{
	char piece[320];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(piece, sizeof(piece), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	n = min_t(int, n, sizeof(piece) - 1);
	if (w->len < w->size) {
		size_t room = w->size - w->len - 1;
		size_t copy = min_t(size_t, n, room);

		memcpy(w->buf + w->len, piece, copy);
		w->buf[w->len + copy] = 0;
	}
	w->len += n;
}

static void pm_write_head(struct pm_writer *w, enum pm_format format)
{
	const char *policy = pm_options.policy->name;
	char host[128];

	pm_host_describe(host, sizeof(host));
	if (format == PM_TEXT)
		pm_write(w, "pmalloc: arena=%s, %u arenas at most, %u CPUs possible; %s\n",
			 policy, pm_nr_arena_slots, pm_host_nr_cpus(), host);
	else if (format == PM_JSON)
		pm_write(w, "{\"policy\":\"%s\",\"arena_slots\":%u,\"cpus\":%u,\"host\":\"%s\",",
			 policy, pm_nr_arena_slots, pm_host_nr_cpus(), host);
	else
		pm_write(w, "<malloc version=\"1\" allocator=\"pmalloc\" policy=\"%s\">\n",
			 policy);
}

static void pm_write_arena(struct pm_writer *w, enum pm_format format,
			   const struct pm_arena_figures *f, bool first)
{
	const struct pm_arena_stats *s = &f->stats;
	unsigned long contended = atomic_long_read(&s->contended);
	unsigned long out = atomic_long_read(&s->fallback_out);

	if (format == PM_TEXT) {
		pm_write(w, "%5u %12llu %10lu %10llu %9llu %9lu %9llu %11llu %6u",
			 f->id, (unsigned long long)s->acquired, contended,
			 (unsigned long long)s->wait_ns / 1000,
			 (unsigned long long)s->wait_max_ns / 1000, out,
			 (unsigned long long)s->fallback_in,
			 (unsigned long long)s->remote_in, f->nr_heaps);
		pm_write(w, " %9zu %9zu %9zu %9zu\n", f->out_bytes >> 10,
			 f->depot_bytes >> 10,
			 (f->slab_bytes - f->out_bytes) >> 10,
			 (f->heap_bytes - f->slab_bytes) >> 10);
	} else if (format == PM_JSON) {
		pm_write(w, "%s{\"arena\":%u,\"acquired\":%llu,\"contended\":%lu,\"waited\":%llu,\"wait_ns\":%llu,\"wait_max_ns\":%llu,",
			 first ? "" : ",", f->id,
			 (unsigned long long)s->acquired, contended,
			 (unsigned long long)s->waited,
			 (unsigned long long)s->wait_ns,
			 (unsigned long long)s->wait_max_ns);
		pm_write(w, "\"fallback_out\":%lu,\"fallback_in\":%llu,\"owner_switches\":%llu,\"local_free\":%llu,\"remote_in\":%llu,",
			 out, (unsigned long long)s->fallback_in,
			 (unsigned long long)s->switches,
			 (unsigned long long)s->local_free,
			 (unsigned long long)s->remote_in);
		pm_write(w, "\"heaps\":%u,\"heap_maps\":%llu,\"heap_unmaps\":%llu,\"purged_bytes\":%llu,\"adopted_heaps\":%llu,",
			 f->nr_heaps, (unsigned long long)s->heap_maps,
			 (unsigned long long)s->heap_unmaps,
			 (unsigned long long)s->purged,
			 (unsigned long long)s->adopted);
		pm_write(w, "\"batches_in\":%llu,\"batches_out\":%llu,\"inbox_in\":%llu,",
			 (unsigned long long)s->batches_in,
			 (unsigned long long)s->batches_out,
			 (unsigned long long)s->inbox_in);
		pm_write(w, "\"out_bytes\":%zu,\"depot_bytes\":%zu,\"slab_free_bytes\":%zu,\"heap_free_bytes\":%zu}",
			 f->out_bytes, f->depot_bytes,
			 f->slab_bytes - f->out_bytes,
			 f->heap_bytes - f->slab_bytes);
	} else {
		pm_write(w, "<heap nr=\"%u\">\n<lock acquired=\"%llu\" contended=\"%lu\" wait_ns=\"%llu\" wait_max_ns=\"%llu\"/>\n",
			 f->id, (unsigned long long)s->acquired, contended,
			 (unsigned long long)s->wait_ns,
			 (unsigned long long)s->wait_max_ns);
		pm_write(w, "<total type=\"out\" count=\"%zu\" size=\"%zu\"/>\n<total type=\"rest\" count=\"%u\" size=\"%zu\"/>\n",
			 f->out_objects, f->out_bytes, f->nr_heaps,
			 f->heap_bytes - f->out_bytes);
		pm_write(w, "<system type=\"current\" size=\"%zu\"/>\n</heap>\n",
			 f->heap_bytes);
	}
}

static void pm_write_classes(struct pm_writer *w)
{
	struct pm_class_figures fig;
	unsigned int class;
	bool first = true;

	pm_write(w, "\"classes\":[");
	for (class = 1; class < PM_NR_CLASSES; class++) {
		pm_class_figures(class, &fig);
		if (!fig.taken)
			continue;
		pm_write(w, "%s{\"class\":%u,\"size\":%u,\"taken\":%llu,\"out\":%llu,\"depot\":%llu,\"magazine\":%llu}",
			 first ? "" : ",", class, pm_classes[class].size,
			 (unsigned long long)fig.taken,
			 (unsigned long long)fig.out,
			 (unsigned long long)fig.depot,
			 (unsigned long long)fig.magazine);
		first = false;
	}
	pm_write(w, "],");
}

static void pm_write_totals(struct pm_writer *w, enum pm_format format)
{
	struct pm_totals t;

	pm_get_totals(&t);
	if (format == PM_TEXT) {
		pm_write(w, "total (KiB): mapped %zu, live %zu in %zu objects (large %zu), free in magazines %zu, in depots %zu, in slabs %zu, in heaps %zu, ",
			 t.mapped >> 10, t.live >> 10, t.live_objects,
			 t.large >> 10, t.magazine >> 10, t.depot >> 10,
			 t.slab_free >> 10, t.heap_free >> 10);
		pm_write(w, "in large extents %zu; descriptors %zu\n",
			 t.large_cached >> 10, t.meta >> 10);
	} else if (format == PM_JSON) {
		pm_write(w, "\"total\":{\"mapped\":%zu,\"live\":%zu,\"live_objects\":%zu,\"large\":%zu,\"magazine\":%zu,\"depot\":%zu,",
			 t.mapped, t.live, t.live_objects, t.large, t.magazine,
			 t.depot);
		pm_write(w, "\"slab_free\":%zu,\"heap_free\":%zu,\"large_cached\":%zu,\"meta\":%zu,\"arenas\":%zu,\"heaps\":%zu}}\n",
			 t.slab_free, t.heap_free, t.large_cached, t.meta,
			 t.arenas, t.heaps);
	} else {
		pm_write(w, "<total type=\"live\" count=\"%zu\" size=\"%zu\"/>\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n",
			 t.live_objects, t.live, t.heaps, t.mapped - t.live);
		pm_write(w, "<total type=\"mmap\" count=\"1\" size=\"%zu\"/>\n<system type=\"current\" size=\"%zu\"/>\n</malloc>\n",
			 t.large, t.mapped + t.meta);
	}
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
	struct pm_arena_figures fig;
	bool first = true;
	unsigned int id;

	pm_write_head(&w, format);
	if (format == PM_TEXT)
		pm_write(&w, "arena     acquired  contended    wait us    max us  fallback  fallback  remote in  heaps       out  in depot slab free heap free\n%56s%10s\n",
			 "out", "in");
	else if (format == PM_JSON)
		pm_write(&w, "\"arenas\":[");
	for (id = 0; id < pm_nr_arena_slots; id++) {
		if (!pm_arena_figures(id, &fig))
			continue;
		pm_write_arena(&w, format, &fig, first);
		first = false;
	}
	if (format == PM_JSON) {
		pm_write(&w, "],");
		pm_write_classes(&w);
	}
	pm_write_totals(&w, format);
	return w.len;
}

size_t pm_report(char *buf, size_t size, bool json)
{
	return pm_report_as(buf, size, json ? PM_JSON : PM_TEXT);
}
EXPORT_SYMBOL_GPL(pm_report);
