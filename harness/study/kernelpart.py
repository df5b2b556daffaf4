# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The part of a page that tells what the module counted in a kernel.

An emulated machine's time is no time, so these are counts only.
"""
from html import escape

import charts
import matrix
import svg

FIGURES = (
    ("acquired", "Acquisitions of an arena's lock"),
    ("contended", "Contended acquisitions"),
    ("fallback_out", "Fallbacks to another arena"),
    ("remote_in", "Objects that came home without the lock"),
)


class One:
    """A single count, in the shape of a median with its range."""

    def __init__(self, values):
        self.values = sorted(values)
        self.median = self.values[len(values) // 2]
        self.low, self.high = self.values[0], self.values[-1]


def cells(runs, key):
    """{(policy, magazine): {threads: count per million operations}}."""
    found = {}
    for run in runs:
        if run.get(key) is None or not run["ops"]:
            continue
        place = found.setdefault((run["policy"], run["magazine"]), {})
        place.setdefault(run["threads"], []).append(
            run[key] * 1e6 / run["ops"])
    return {k: {t: One(v) for t, v in sorted(by.items())}
            for k, by in found.items()}


def draw(kernel, workload, key, title):
    """One count over threads, or a sentence."""
    runs = [r for r in kernel["runs"] if r["workload"] == workload]
    found = cells(runs, key)
    values = [v for by in found.values() for v in by.values()]
    if not any(v.high > 0 for v in values):
        return f"{title} in the kernel, {workload}: none in any run."
    threads = sorted({t for by in found.values() for t in by})
    variants = [matrix.policy_variant(p, m) for m in ("on", "off")
                for p in matrix.POLICIES if (p, m) in found]
    numbers = [n for v in values for n in (v.low, v.median, v.high)]
    places = {t: i / max(1, len(threads) - 1) if len(threads) > 1 else 0.5
              for i, t in enumerate(threads)}
    frame = charts.Frame(
        f"{title} in the kernel: {workload}", "Counts, not times.",
        charts.legend_of(variants), charts.panels_of(variants),
        lambda b, t: charts.Scale(numbers, "zerolog", b, t),
        [(places[t], str(t)) for t in threads], "threads",
        "per million operations")
    for variant in variants:
        k = charts.panels_of(variants).index(variant.panel)
        line = [(frame.x(k, places[t]), frame.scale.at(v.median), v)
                for t, v in
                found[variant.policy, variant.magazine].items()]
        frame.pic.path([(x, y) for x, y, _ in line], f"l-{variant.series}")
        for x, y, value in line:
            frame.pic.mark(x, y, variant.series,
                           f"{variant.label}, {variant.panel}: "
                           f"{charts.short(value.median)}")
    return frame.pic


def add(page, kernel):
    """The section, or a line that says how to get it."""
    page.add('<h2 id="kernel">In the kernel</h2>')
    if not kernel:
        page.add('<p class="note">There is no kernel.json beside this study. '
                 "<code>make study-kernel STUDY_DIR=</code> and this "
                 "directory put one there, from the module in an emulated "
                 "machine with eight CPUs; <code>pmalloc study "
                 "--render</code> then makes the page again.</p>")
        return
    page.add(f'<p class="soft">Module pmalloc.ko in {escape(kernel["kernel"])}'
             f', {kernel["cpus"]} emulated CPUs. Counts only: emulated time '
             "is no time.</p>")
    page.add('<ul class="found">' + "".join(
        f"<li>{escape(text)}</li>" for text in sentences(kernel)) + "</ul>")
    for workload in dict.fromkeys(r["workload"] for r in kernel["runs"]):
        for key, title in FIGURES:
            name = f"kernel-{svg_name(workload)}-{key}"
            page.figure(name, draw(kernel, workload, key, title),
                        "From the module's own figures.")
    _events(page, kernel)


def svg_name(text):
    """A text as part of a name."""
    return "".join(c if c.isalnum() else "-" for c in text)


def _per_million(runs, key, policy, magazine):
    """A count at the most threads that these runs have, or None."""
    line = cells(runs, key).get((policy, magazine))
    return line[max(line)].median if line else None


def sentences(kernel):
    """What each workload's counts say of policies and magazines."""
    for workload in dict.fromkeys(r["workload"] for r in kernel["runs"]):
        runs = [r for r in kernel["runs"] if r["workload"] == workload]
        most = max(r["threads"] for r in runs)
        found = []
        held = [(p, n) for p in matrix.POLICIES if
                (n := _per_million(runs, "contended", p, "off")) is not None]
        if held:
            found.append("without magazines the lock is found held " + ", ".join(
                f"{charts.short(n)} times under {p}" for p, n in held))
        taken = [_per_million(runs, "acquired", "cpu", m) for m in ("on", "off")]
        if None not in taken:
            found.append("under cpu it is taken %s times with magazines, %s "
                         "without" % tuple(charts.short(n) for n in taken))
        if found:
            yield f"{workload}, {most} threads, per million operations: " + \
                "; ".join(found) + "."


# What is counted twice: the module's figure, its tracepoint.
TWICE = (("waited", "arena_lock_contended"), ("fallback_out", "arena_fallback"))


def differs(run):
    """Do figures and tracepoints of a run differ by more than was lost?"""
    return any(not run["events"][event] <= run[figure] <=
               run["events"][event] + run.get("events_lost", 0)
               for figure, event in TWICE
               if event in run["events"] and figure in run)


def _events(page, kernel):
    """What the tracepoints counted, beside what the figures say."""
    runs = [r for r in kernel["runs"] if r.get("events")]
    if not runs:
        return
    wrong = sum(map(differs, runs))
    page.add("<h3>Tracepoints recorded in the guest</h3><p>A wait for a lock and "
             "a fallback are counted by the module and told of by its "
             "tracepoints. " +
             (f"The two differ in {wrong} of {len(runs)} runs." if wrong else
              f"The two are the same in all {len(runs)} runs.") + "</p>")
    named = {event for _, event in TWICE}
    rows = [(run["workload"],
             f"{run['policy']}, magazines {run['magazine']}", run["threads"],
             *(n for figure, event in TWICE
               for n in (run.get(figure, ""), run["events"].get(event, ""))),
             ", ".join(f"{name} {n}" for name, n in
                       sorted(run["events"].items())
                       if n and name not in named))
            for run in runs]
    page.add(f"<details><summary>All {len(runs)} runs</summary>")
    page.table(("workload", "variant", "threads", "waits", "by events",
                "fallbacks", "by events", "other events"), rows, range(2, 7))
    page.add("</details>")
