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
    for workload in dict.fromkeys(r["workload"] for r in kernel["runs"]):
        for key, title in FIGURES:
            name = f"kernel-{svg_name(workload)}-{key}"
            page.figure(name, draw(kernel, workload, key, title),
                        "From the module's own figures.")
    _events(page, kernel)


def svg_name(text):
    """A text as part of a name."""
    return "".join(c if c.isalnum() else "-" for c in text)


def _events(page, kernel):
    """What the tracepoints counted, beside what the figures say."""
    rows = []
    for run in kernel["runs"]:
        events = run.get("events")
        if not events:
            continue
        rows.append((run["workload"], f"{run['policy']}, magazines "
                     f"{run['magazine']}", run["threads"],
                     run["contended"],
                     events.get("arena_lock_contended", ""),
                     ", ".join(f"{k} {v}" for k, v in sorted(events.items())
                               if k != "arena_lock_contended")))
    if rows:
        page.add("<h3>Tracepoints recorded in the guest</h3>")
        page.table(("workload", "variant", "threads", "contended (figures)",
                    "arena_lock_contended (events)", "other events"), rows,
                   (2, 3, 4))
