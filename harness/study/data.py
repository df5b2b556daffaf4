# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A study's directory: what is kept, how it is read, what its figures mean.

    plan.json	    the definition, machine, tools and settings, written first
    runs.jsonl	    a line for every run, appended as it ends
    stacks.json	    what was recorded with perf record
    study.json	    all of it in one file, for others to read
    kernel.json	    counts from the kernel module, when somebody put it there;
		    or in the directory "kernel" beside this one
    raw/	    perf.data, folded stacks, pmalloc's own reports
"""
import csv
import json
import os
import pathlib
import statistics

import matrix
import stacks
from common import Failure, about, reason, shown

FORMAT = 1
BUCKETS = 40


class Broken(Failure):
    """A file that is not what it should be; says where."""


# Bytes that are no text: the key of an object that stands for a string.
BYTES = "bytes in hexadecimal"


def as_text(content):
    """JSON of anything: a string with bytes in it that are no text becomes an
    object, from which as_bytes() makes the string again."""
    if isinstance(content, str):
        try:
            content.encode()
        except UnicodeEncodeError:
            return {BYTES: os.fsencode(content).hex()}
        return content
    if isinstance(content, dict):
        return {key: as_text(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [as_text(value) for value in content]
    return content


def as_bytes(content):
    """What as_text() was made of."""
    if isinstance(content, dict):
        if list(content) == [BYTES]:
            return os.fsdecode(bytes.fromhex(content[BYTES]))
        return {key: as_bytes(value) for key, value in content.items()}
    if isinstance(content, list):
        return [as_bytes(value) for value in content]
    return content


def write_json(path, content):
    """Write a file whole or not at all."""
    part = pathlib.Path(f"{path}.part")
    with about(path):
        part.write_text(json.dumps(as_text(content), indent=1) + "\n",
                        encoding="utf-8")
        os.replace(part, path)


def read_json(path):
    """Read a file; Broken names it."""
    try:
        return as_bytes(json.loads(pathlib.Path(path).read_bytes()))
    except OSError as err:
        raise Broken(reason(err, path)) from None
    except ValueError as err:
        raise Broken(f"{shown(str(path))}: {err}") from None


def read_runs(path):
    """The runs that are done. A line cut off by a crash does not count."""
    runs = []
    if not os.path.exists(path):
        return runs
    with open(path, "rb") as lines:
        for line in lines:
            try:
                runs.append(json.loads(line))
            except ValueError:
                continue
    return runs


# ---- schema -----------------------------------------------------------------

NUMBER = (int, float)

# Key, type, must it be there.
RUN = (
    ("key", str, True), ("variant", str, True), ("point", str, True),
    ("round", int, True), ("order", int, True), ("threads", int, False),
    ("others", NUMBER, False), ("ops", int, False), ("seconds", NUMBER, False),
    ("peak_rss", NUMBER, False), ("perf", dict, False),
    ("pmalloc", dict, False), ("peer_locks", dict, False),
    ("failed", str, False),
)
TOP = (
    ("format", int, True), ("title", str, True), ("study", dict, True),
    ("machine", dict, True), ("settings", dict, True),
    ("missing", list, True), ("events", list, True), ("runs", list, True),
    ("stacks", list, True), ("complete", bool, True), ("costs", dict, False),
)
ARENA = (
    ("arena", int, True), ("acquired", int, True), ("contended", int, True),
    ("waited", int, True), ("wait_ns", int, True),
    ("wait_max_ns", int, True), ("fallback_out", int, True),
    ("wait_hist", list, False),
)
KERNEL_RUN = (
    ("workload", str, True), ("policy", str, True), ("magazine", str, True),
    ("threads", int, True), ("ops", int, True), ("acquired", int, True),
    ("contended", int, True), ("events", dict, False),
)


def _check(where, thing, schema):
    if not isinstance(thing, dict):
        yield f"{where} is not an object"
        return
    for key, kind, must in schema:
        if thing.get(key) is None:
            if must:
                yield f"{where} has no {key}"
        elif not isinstance(thing[key], kind):
            yield f"{where}: {key} is {thing[key]!r}"


def _check_run(where, run, known):
    yield from _check(where, run, RUN)
    if run.get("variant") not in known:
        yield f"{where}: no variant {run.get('variant')!r}"
    if "failed" in run:
        return
    for key in ("ops", "seconds"):
        if not run.get(key, 0) > 0:
            yield f"{where}: {key} is {run.get(key)!r}"
    report = run.get("pmalloc")
    for arena in report["arenas"] if report else ():
        name = f"{where}, arena {arena.get('arena')}"
        yield from _check(name, arena, ARENA)
        hist = arena.get("wait_hist")
        if hist is not None and len(hist) != BUCKETS:
            yield f"{name}: wait_hist has {len(hist)} entries"
        if hist is not None and sum(hist) != arena.get("waited"):
            yield f"{name}: wait_hist counts {sum(hist)} waits of " \
                f"{arena.get('waited')}"


def problems(study):
    """What is wrong with the content of a study.json: sentences."""
    found = list(_check("study.json", study, TOP))
    if found:
        return found
    if study["format"] != FORMAT:
        found.append(f"format {study['format']} is not {FORMAT}")
    for name, cost in (study.get("costs") or {}).items():
        if not isinstance(cost, NUMBER) or not cost > 0:
            found.append(f"costs: {name} is {cost!r}")
    known = {v["id"] for v in study["study"]["variants"]}
    keys = [r.get("key") for r in study["runs"]]
    for key in {k for k in keys if keys.count(k) > 1}:
        found.append(f"run {key} is there twice")
    for run in study["runs"]:
        found += _check_run(f"run {run.get('key')}", run, known)
    return found


def kernel_problems(kernel):
    """The same of a kernel.json."""
    found = list(_check("kernel.json", kernel, (
        ("format", int, True), ("kernel", str, True), ("cpus", int, True),
        ("runs", list, True))))
    for i, run in enumerate(kernel.get("runs", [])):
        found += _check(f"kernel.json, run {i}", run, KERNEL_RUN)
    return found


# ---- figures ----------------------------------------------------------------

def _report(run, key):
    report = run.get("pmalloc")
    if not report:
        # A peer may tell of its locks, too.
        return run.get("peer_locks", {}).get(key)
    return sum(a.get(key, 0) for a in report["arenas"])


def waited_ns(run):
    """Nanoseconds that threads waited for locks, or None."""
    return _report(run, "wait_ns")


def _slept(run):
    """Waits for which the kernel put a thread to sleep."""
    report = run.get("pmalloc")
    if not report or not all("slept" in a for a in report["arenas"]):
        return None
    return _report(run, "slept")


def _perf(event, own=None, scale=1.0):
    """perf's count of an event, or else what the program knows of itself."""
    def get(run):
        count = run.get("perf", {}).get(event)
        if count is None and own and run.get(own[0]) is not None:
            count = scale * sum(run[key] for key in own)
        return count
    return get


def _long_waits(run):
    """Waits of a millisecond or more (2^20 ns)."""
    report = run.get("pmalloc")
    if not report or not all("wait_hist" in a for a in report["arenas"]):
        return None
    return sum(sum(a["wait_hist"][20:]) for a in report["arenas"])


def _longest(run):
    """The longest wait, milliseconds."""
    report = run.get("pmalloc")
    if not report:
        longest = run.get("peer_locks", {}).get("wait_max_ns")
        return None if longest is None else longest / 1e6
    return max((a["wait_max_ns"] for a in report["arenas"]),
               default=0) / 1e6


class Metric:
    """A figure of a run: how to get it, and how to say it."""

    def __init__(self, name, title, unit, get, per_ops=True, scale="zerolog",
                 needs="", better="lower", event=""):
        self.name = name
        self.title = title
        self.unit = unit
        self.get = get
        self.per_ops = per_ops
        self.scale = scale
        self.needs = needs
        self.better = better
        self.event = event

    def of(self, run, per):
        """Its value in a run, or None."""
        if "failed" in run:
            return None
        value = self.get(run)
        if value is None or not self.per_ops:
            return value
        return value * per / run["ops"]


def _rate(run):
    return run["ops"] / run["seconds"]


def metrics(program, per_thread=False):
    """All figures; programs have runs where workloads have operations."""
    per = "per run" if program else "per million operations"
    rate = "operations per second"
    if program:
        rate = "threads' runs per second" if per_thread else "runs per second"
    report = "pmalloc's report (stats=json)"
    return [
        Metric("rate", "Throughput", rate, _rate, per_ops=False, scale="log",
               better="higher"),
        Metric("contended", "Contended acquisitions", per,
               lambda r: _report(r, "contended"), needs=report),
        Metric("acquired", "Acquisitions of an arena's lock", per,
               lambda r: _report(r, "acquired"), needs=report),
        Metric("waited", "Waits for an arena's lock", per,
               lambda r: _report(r, "waited"), needs=report),
        Metric("slept", "Waits that slept", per, _slept, needs=report),
        Metric("wait_us", "Time waited for arenas' locks", "us " + per,
               lambda r: None if _report(r, "wait_ns") is None
               else _report(r, "wait_ns") / 1e3, needs=report),
        Metric("long_waits", "Waits of a millisecond or more", per,
               _long_waits, needs=report),
        Metric("longest", "Longest wait for an arena's lock", "ms", _longest,
               per_ops=False, needs=report),
        Metric("fallback", "Fallbacks to another arena", per,
               lambda r: _report(r, "fallback_out"), needs=report),
        Metric("free_busy", "Frees that found the arena's lock held", per,
               lambda r: _report(r, "free_busy"), needs=report),
        Metric("futex", "Futex calls", per,
               _perf("syscalls:sys_enter_futex"),
               event="syscalls:sys_enter_futex"),
        Metric("switches", "Context switches", per,
               _perf("context-switches", ["switches"]),
               event="context-switches"),
        Metric("migrations", "Migrations to another CPU", per,
               _perf("cpu-migrations"), event="cpu-migrations"),
        Metric("faults", "Page faults", per,
               _perf("page-faults", ["faults"]), event="page-faults"),
        Metric("kernel_locks", "Contended locks in the kernel", per,
               _perf("lock:contention_begin"), event="lock:contention_begin"),
        Metric("restarts", "rseq sections restarted", per,
               _perf("rseq:rseq_ip_fixup"), event="rseq:rseq_ip_fixup"),
        Metric("cpu_ms", "CPU time", "ms " + per,
               _perf("task-clock", ["user", "system"], 1e3),
               event="task-clock"),
        Metric("instructions", "Instructions", per, _perf("instructions"),
               event="instructions"),
        Metric("cache_misses", "Cache misses", per, _perf("cache-misses"),
               event="cache-misses"),
        Metric("memory", "Peak memory (RSS)", "MiB",
               lambda r: r["peak_rss"] / (1 << 20) if r.get("peak_rss")
               else None, per_ops=False, scale="log"),
    ]


class Value:
    """A figure of a cell: its median over the rounds, and its spread."""

    def __init__(self, values):
        self.values = sorted(values)
        self.median = statistics.median(values)
        self.low = self.values[0]
        self.high = self.values[-1]

    def spread(self):
        """Half of the range, as a share of the median."""
        if not self.median:
            return 0.0
        return (self.high - self.low) / 2 / abs(self.median)


# A run during which others used more of the CPUs than this is disturbed.
DISTURBED = 0.2


def is_disturbed(run):
    """Did others use much of the CPUs during a run?"""
    return run.get("others", 0) >= DISTURBED


def undisturbed(runs):
    """The runs of a cell that count: those left alone, if there are two."""
    calm = [r for r in runs if not is_disturbed(r)]
    return calm if len(calm) >= 2 else runs


def write_csv(results, path):
    """A line for every run, a column for every figure."""
    names = list(results.metrics)
    with open(path, "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["variant", "options", "point", "threads", "round",
                        "disturbed", *names])
        variants = {v.id: v for v in results.study.variants}
        for run in results.runs:
            figures = (results.metrics[n].of(run, results.per)
                       for n in names)
            lines.writerow([
                run["variant"], variants[run["variant"]].options,
                run["point"], run["threads"], run["round"],
                int(is_disturbed(run)),
                *("" if f is None else f for f in figures)])


class Results:
    """A study that has been run, as pages and findings read it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        kept = read_json(self.directory / "study.json")
        wrong = problems(kept)
        if wrong:
            raise Broken(f"{self.directory}/study.json: {wrong[0]}")
        self.kept = kept
        self.study = matrix.Study.from_json(kept["study"])
        self.machine = kept["machine"]
        self.settings = kept["settings"]
        self.costs = kept.get("costs") or {}
        self.runs = [r for r in kept["runs"] if "failed" not in r]
        self.failures = [r for r in kept["runs"] if "failed" in r]
        self.stacks = kept["stacks"]
        self.metrics = {m.name: m for m in metrics(
            self.study.program, self.study.per_thread)}
        self.per = 1 if self.study.program else 1e6
        self.kernel = self._kernel()
        self._cells = {}
        for run in self.runs:
            self._cells.setdefault((run["variant"], run["point"]),
                                   []).append(run)
        self._cells = {k: undisturbed(v) for k, v in self._cells.items()}

    def _kernel(self):
        # Its own, or else the one that `make study-kernel` made last.
        path = self.directory / "kernel.json"
        if not path.exists():
            path = self.directory.parent / "kernel" / "kernel.json"
        if not path.exists():
            return None
        kernel = read_json(path)
        wrong = kernel_problems(kernel)
        if wrong:
            raise Broken(f"{path}: {wrong[0]}")
        return kernel

    def folded(self, stack):
        """The stacks that were recorded: [(frames, weight)]."""
        path = self.directory / stack["folded"]
        return stacks.parse_folded(path.read_text(encoding="utf-8")) \
            if path.exists() else []

    def disturbed(self):
        """The runs that were."""
        return [r for r in self.runs if is_disturbed(r)]

    def cell(self, variant, point):
        """All runs of a cell that count."""
        return self._cells.get((variant.id, point.label), [])

    def value(self, name, variant, point):
        """A figure of a cell, or None."""
        metric = self.metrics[name]
        values = [metric.of(r, self.per) for r in self.cell(variant, point)]
        values = [v for v in values if v is not None]
        return Value(values) if values else None

    def has(self, name):
        """Is that figure known anywhere?"""
        return any(self.value(name, v, p) for v in self.study.variants
                   for p in self.study.points)

    def why_not(self, metric):
        """Why a figure is not known, and what to do about that."""
        for missing in self.kept["missing"]:
            if metric.event and (missing["what"] == "perf" or
                                 metric.event in missing.get("events", ())):
                return f"{missing['what']}: {missing['why']}; " \
                    f"{missing['remedy']}"
        return f"{metric.needs or 'perf stat'} was missing"

    def histogram(self, variant, point):
        """Waits by length over all rounds and arenas, or None."""
        total = None
        for run in self.cell(variant, point):
            report = run.get("pmalloc")
            for arena in report["arenas"] if report else ():
                if "wait_hist" in arena:
                    total = total or [0] * BUCKETS
                    total = [a + b for a, b in zip(total,
                                                   arena["wait_hist"])]
        return total

    def by_arena(self, variant, point):
        """{arena: waits by length} over all rounds."""
        found = {}
        for run in self.cell(variant, point):
            report = run.get("pmalloc")
            for arena in report["arenas"] if report else ():
                if "wait_hist" in arena:
                    have = found.setdefault(arena["arena"], [0] * BUCKETS)
                    found[arena["arena"]] = [
                        a + b for a, b in zip(have, arena["wait_hist"])]
        return dict(sorted(found.items()))

    def classes(self, variant, point):
        """Contention of each class over all rounds."""
        merged = {}
        for run in self.cell(variant, point):
            report = run.get("pmalloc")
            for entry in report.get("classes", ()) if report else ():
                have = merged.setdefault(entry["class"], {
                    "class": entry["class"], "size": entry["size"],
                    "acquired": 0, "contended": 0, "waited": 0, "wait_ns": 0,
                    "wait_max_ns": 0})
                for key in ("acquired", "contended", "waited", "wait_ns"):
                    have[key] += entry.get(key, 0)
                have["wait_max_ns"] = max(have["wait_max_ns"],
                                          entry.get("wait_max_ns", 0))
        return sorted(merged.values(), key=lambda c: -c["wait_ns"])

    def ops(self, variant, point):
        """Operations over all rounds."""
        return sum(r["ops"] for r in self.cell(variant, point))

    def predicted(self, variant, point):
        """Throughput that the study's model expects there, or None.

        With longer holds an operation takes longer by its acquisitions
        times the delay; arenas that are held at the same time share that.
        """
        if self.study.predicts != "delay" or variant.peer:
            return None
        start = self.study.points[0]
        rate = self.value("rate", variant, start)
        acquired = self.value("acquired", variant, start)
        if not rate or not acquired or start.x:
            return None
        at_once = 1 if variant.policy == "single" else \
            min(point.threads, self.machine["cpus"])
        per_op = acquired.median / self.per * point.x * 1e-9 / at_once
        return 1 / (1 / rate.median + per_op)

    def ours(self):
        """The variants that are pmalloc."""
        return [v for v in self.study.variants if not v.peer]

    def rounds(self):
        """Rounds of which there is a run."""
        return 1 + max((r["round"] for r in self.runs), default=-1)
