# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Reports of the allocator as tables: since the start, and as rates.

A report is what the library's JSON report is, as a dict. Counters of two
reports of one process give rates; bytes are always those of the later one.
"""

COUNTERS = ("acquired", "contended", "waited", "wait_ns", "slept", "slept_ns",
            "fallback_out", "fallback_in", "owner_switches", "local_free",
            "remote_in")
CLASS_COUNTERS = ("acquired", "contended", "waited", "wait_ns", "fallback_out")


def scaled(number):
    """A count in at most five characters: 999, 12.3k, 4.56M."""
    if number < 0:
        return "-" + scaled(-number)
    for unit, size in (("", 1), ("k", 1e3), ("M", 1e6), ("G", 1e9),
                       ("T", 1e12)):
        value = number / size
        if value < 999.5 or unit == "T":
            break
    if unit == "" and (value == int(value) or value >= 99.95):
        return "%d" % round(value)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return "%.*f%s" % (digits, value, unit)


def size(number):
    """Bytes in at most five characters: 96, 12.0K, 1.50M."""
    for unit in ("", "K", "M", "G", "T"):
        if number < 1000 or unit == "T":
            break
        number /= 1024
    if unit == "":
        return "%d" % number
    return "%.*f%s" % (2 if number < 9.995 else 1 if number < 99.95 else 0,
                       number, unit)


def duration(nanoseconds):
    """A time with its unit, in at most six characters: 41 us."""
    value = nanoseconds
    for unit in ("ns", "us", "ms", "s"):
        if value < 999.5 or unit == "s":
            break
        value /= 1000
    digits = 0 if unit == "ns" or value >= 99.95 else 1
    return "%.*f %s" % (digits, value, unit)


def mean(total, number):
    """total / number, 0 for none."""
    return total / number if number else 0


def share(part, whole):
    """A percentage, or - of nothing."""
    return "%.1f" % (100 * part / whole) if whole else "-"


def by_key(entries, key):
    """A list of dicts as a dict by one of their values."""
    return {entry[key]: entry for entry in entries}


def _difference(now, before, keys):
    result = dict(now)
    for key in keys:
        if key in now:
            # A retired arena's counters go to its heir: never below zero.
            result[key] = max(0, now[key] - before.get(key, 0))
    return result


def difference(now, before):
    """The arenas of @now, their counters reduced by those of @before."""
    old = by_key(before["arenas"], "arena") if before else {}
    result = []
    for arena in now["arenas"]:
        was = old.get(arena["arena"], {})
        entry = _difference(arena, was, COUNTERS)
        was_classes = by_key(was.get("classes", []), "class")
        entry["classes"] = [
            _difference(c, was_classes.get(c["class"], {}), CLASS_COUNTERS)
            for c in arena.get("classes", [])]
        if "wait_hist" in arena:
            was_hist = was.get("wait_hist", [0] * len(arena["wait_hist"]))
            entry["wait_hist"] = [max(0, a - b) for a, b in
                                  zip(arena["wait_hist"], was_hist)]
        result.append(entry)
    return result


def sum_classes(arenas):
    """The classes of all arenas, added up."""
    result = {}
    hottest = {}
    for arena in arenas:
        for entry in arena.get("classes", []):
            into = result.setdefault(entry["class"], {
                "class": entry["class"], "size": entry["size"],
                "cache": entry.get("cache", ""), "wait_max_ns": 0, "arena": None})
            for key in CLASS_COUNTERS:
                into[key] = into.get(key, 0) + entry.get(key, 0)
            into["wait_max_ns"] = max(into["wait_max_ns"],
                                      entry.get("wait_max_ns", 0))
            if heat(entry) >= hottest.get(entry["class"], (0,)):
                hottest[entry["class"]] = heat(entry)
                into["arena"] = arena["arena"]
    return [result[number] for number in sorted(result)]


def heat(entry):
    """What orders arenas or classes by how much they cost: time waited for
    them, then how often they were found locked, then how often taken."""
    return (entry.get("wait_ns", 0), entry.get("contended", 0),
            entry.get("acquired", 0))


def hottest_class(arena):
    """The class that costs an arena most, and its share, or ""."""
    classes = arena.get("classes", [])
    if not classes:
        return ""
    for key in ("wait_ns", "contended", "acquired"):
        whole = sum(c.get(key, 0) for c in classes)
        if whole:
            top = max(classes, key=lambda c: c.get(key, 0))
            return "%s %.0f%%" % ((top.get("cache") or size(top["size"]))[:8],
                                  100 * top.get(key, 0) / whole)
    return ""


def holder(arena):
    """The thread that had the lock when somebody last waited for it."""
    if not arena.get("holder_tid"):
        return ""
    return "%d on %s" % (arena["holder_tid"], arena.get("holder_cpu", "?"))


def free_bytes(arena):
    """Memory of an arena that no object is in."""
    return (arena.get("depot_bytes", 0) + arena.get("slab_free_bytes", 0) +
            arena.get("heap_free_bytes", 0))


class Column:
    """A column of a table: its head, its width, and what is in it.

    Where there is no room, the columns with the highest @spare go first;
    those of 0 stay.
    """

    def __init__(self, head, width, text, key, left=False, spare=0):
        self.spare = spare
        self.head = head
        self.width = width
        self.text = text
        self.key = key
        self.left = left

    def cell(self, entry, seconds):
        """What an entry has in this column."""
        text = self.text(entry, seconds)
        return text.ljust(self.width) if self.left else text.rjust(self.width)

    def title(self):
        """The head of the column."""
        return (self.head.ljust(self.width) if self.left
                else self.head.rjust(self.width))


def fit(columns, width):
    """The columns that @width has room for."""
    columns = list(columns)
    while sum(c.width + 1 for c in columns) - 1 > width:
        last = max(columns, key=lambda c: c.spare)
        if not last.spare:
            break
        columns.remove(last)
    return columns


def _rate(head, key, width=7, spare=0):
    """Events a second, or all of them when there is no time."""
    return Column(head, width, lambda e, s: scaled(e.get(key, 0) / (s or 1)),
                  lambda e: e.get(key, 0), spare=spare)


def _common(per):
    """The columns that arenas and classes have both; @per is "/s" or ""."""
    return [
        _rate("acq" + per, "acquired"),
        _rate("cont" + per, "contended", spare=1),
        Column("cont%", 6, lambda e, s: share(e["contended"], e["acquired"]),
               lambda e: mean(e["contended"], e["acquired"])),
        _rate("waits" + per, "waited", 8),
        Column("waiting" if per else "waited", 8,
               lambda e, s: "%.2f" % (e["wait_ns"] / 1e9 / s) if s
               else duration(e["wait_ns"]), lambda e: e["wait_ns"]),
        Column("mean", 8,
               lambda e, s: duration(mean(e["wait_ns"], e["waited"])),
               lambda e: mean(e["wait_ns"], e["waited"]), spare=2),
        Column("max", 8, lambda e, s: duration(e.get("wait_max_ns", 0)),
               lambda e: e.get("wait_max_ns", 0)),
        _rate("fallb" + per, "fallback_out", 8, 3),
    ]


def arena_columns(rates):
    """The columns of a table of arenas."""
    per = "/s" if rates else ""
    return [
        Column("arena", 5, lambda e, s: str(e["arena"]), lambda e: -e["arena"]),
    ] + _common(per) + [
        _rate("remote" + per, "remote_in", 9, 6),
        Column("out", 6, lambda e, s: size(e.get("out_bytes", 0)),
               lambda e: e.get("out_bytes", 0), spare=4),
        Column("free", 6, lambda e, s: size(free_bytes(e)), free_bytes,
               spare=5),
        Column(" hottest class", 14, lambda e, s: " " + hottest_class(e),
               heat, True),
        Column("held by", 12, lambda e, s: holder(e), heat, True),
    ]


def class_columns(rates):
    """The columns of a table of classes."""
    per = "/s" if rates else ""
    return [
        Column("class", 5, lambda e, s: str(e["class"]), lambda e: -e["class"]),
        Column("size", 6, lambda e, s: size(e["size"]), lambda e: e["size"]),
    ] + _common(per) + [
        Column(" hottest arena", 14, lambda e, s: " %s" % e["arena"], heat,
               True),
        Column("cache", 10, lambda e, s: e.get("cache", ""), heat, True, spare=4),
    ]


def cache_columns():
    """The columns of a table of caches."""
    return [
        Column("cache", 16, lambda e, s: e["cache"], lambda e: e["cache"], True),
        Column("class", 5, lambda e, s: str(e["class"]), lambda e: -e["class"]),
        Column("size", 6, lambda e, s: size(e["object_size"]),
               lambda e: e["object_size"]),
        Column("live", 7, lambda e, s: scaled(live(e)), live),
        Column("live bytes", 10, lambda e, s: size(live(e) * e["size"]),
               lambda e: live(e) * e["size"]),
        _rate("magazines", "magazine", 9),
        _rate("depots", "depot", 7),
        _rate("taken", "taken", 7),
    ]


def live(entry):
    """Objects of a class that callers have."""
    return max(0, entry["out"] - entry["depot"] - entry["magazine"])


def caches_of(report):
    """The classes that are caches."""
    return [c for c in report.get("classes", []) if "cache" in c]


def caches(report):
    """The caches as lines of text; nothing when there are none."""
    entries = caches_of(report)
    return table(cache_columns(), entries) if entries else []


def total_of(entries, name):
    """One entry that adds entries up; @name stands in its first column."""
    total = {"arena": name, "class": name, "size": 0, "wait_max_ns": 0}
    for entry in entries:
        for key in COUNTERS + ("out_bytes", "depot_bytes", "slab_free_bytes",
                               "heap_free_bytes"):
            total[key] = total.get(key, 0) + entry.get(key, 0)
        total["wait_max_ns"] = max(total["wait_max_ns"],
                                   entry.get("wait_max_ns", 0))
    return total


def table(columns, entries, seconds=None):
    """A head line and a line per entry."""
    lines = [" ".join(c.title() for c in columns).rstrip()]
    lines += [" ".join(c.cell(e, seconds) for c in columns).rstrip()
              for e in entries]
    return lines


def headline(report):
    """The policy and where the allocator runs."""
    return "arena=%s, %d arenas at most, %d CPUs possible; %s" % (
        report["policy"], report["arena_slots"], report["cpus"],
        report["host"])


def memory(report):
    """Where the bytes are, in one line."""
    total = report["total"]
    parts = ["live %s in %s objects (large %s)" % (
        size(total["live"]), scaled(total["live_objects"]), size(total["large"]))]
    parts += ["%s %s" % (part["part"], size(part["bytes"]))
              for part in report.get("memory", []) if part["part"] != "live"]
    return "memory: %s; mapped %s" % (", ".join(parts), size(total["mapped"]))


def parts_columns(measured):
    """The columns of the table of memory by what it is used for."""
    columns = [
        Column("memory", 14, lambda e, s: e["part"], lambda e: e["part"], True),
        Column("bytes", 7, lambda e, s: size(e["bytes"]), lambda e: e["bytes"]),
    ]
    if measured:
        columns.append(Column("resident", 8, lambda e, s: size(e["resident"]),
                              lambda e: e["resident"]))
    return columns


def parts(report):
    """Memory by what it is used for, as lines of text."""
    if "memory" not in report:
        return []
    entries = []
    for part in report["memory"]:
        entries.append(part)
        entries += [dict(cpu, part="  CPU %d" % cpu["cpu"])
                    for cpu in part.get("cpus", [])]
    entries.append(dict(report["memory_sum"], part="sum"))
    measured = report["memory_sum"]["resident"] is not None
    return [""] + table(parts_columns(measured), entries)


HISTOGRAM_MARKS = 40


def bars(title, counts):
    """Counts by power of two of nanoseconds as bars."""
    if not any(counts):
        return []
    first = next(i for i, n in enumerate(counts) if n)
    last = max(i for i, n in enumerate(counts) if n)
    most = max(counts)
    lines = [title]
    for i in range(first, last + 1):
        lines.append("  %7s .. %-7s %7s %s" % (
            duration(2 ** i if i else 0), duration(2 ** (i + 1)),
            scaled(counts[i]),
            "#" * -(-counts[i] * HISTOGRAM_MARKS // most)))
    return lines


def histogram(arenas):
    """Waits by duration as bars, or nothing when there were none."""
    return bars("waits by duration:", [sum(column) for column in zip(
        *(a["wait_hist"] for a in arenas if "wait_hist" in a))])


def hottest_classes(arenas, most=10):
    """The classes that cost most, by number."""
    hottest = sorted((c for c in sum_classes(arenas) if c["acquired"]),
                     key=heat, reverse=True)[:most]
    return sorted(hottest, key=lambda c: c["class"])


def summary(report, classes=False):
    """The report as lines of text; with @classes those without contention
    are named as well."""
    arenas = difference(report, None)
    lines = [headline(report)]
    shown = arenas + ([total_of(arenas, "all")] if len(arenas) > 1 else [])
    lines += table(arena_columns(False), shown)
    hottest = hottest_classes(arenas)
    if not classes:
        hottest = [c for c in hottest if c["contended"]]
    if hottest:
        lines += [""] + table(class_columns(False), hottest)
        lines += histogram(arenas)
    lines += caches(report)
    lines += parts(report)
    lines.append(memory(report))
    return lines


def as_text(report):
    """The report as text, for a file."""
    lines = summary(report)
    return "\n".join(["pmalloc: " + lines[0]] + lines[1:]) + "\n"
