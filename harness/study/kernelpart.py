# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The part of a page that tells what the module counted in a kernel.

An emulated machine's time is no time, so these are counts only.
"""
import charts
import matrix

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
    made = charts.Curves(
        f"{title} in the kernel: {workload}", "Counts, not times.",
        [(v.series, v.label) for v in variants], charts.panels_of(variants),
        [(i, str(t)) for i, t in enumerate(threads)], "threads",
        "per million operations")
    for variant in variants:
        for t, value in found[variant.policy, variant.magazine].items():
            made.add(variant.panel, variant.series, variant.id,
                     threads.index(t), value.median,
                     f"{charts.in_full(variant)}, {t} threads: "
                     f"{charts.short(value.median)}", value.low, value.high)
    return made.chart()


def add(page, kernel):
    """The section, or a line that says how to get it."""
    page.section("kernel", "In the kernel")
    if not kernel:
        page.note("There is no kernel.json beside this study. `make "
                  "study-kernel STUDY_DIR=` and this directory put one there, "
                  "from the module in an emulated machine with eight CPUs; "
                  "`pmalloc study --render` then makes the page again.")
        return
    page.text(f"Module pmalloc.ko in {kernel['kernel']}, {kernel['cpus']} "
              "emulated CPUs. Counts only: emulated time is no time.",
              soft=True)
    page.list(sentences(kernel))
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
    page.text("Tracepoints recorded in the guest: a wait for a lock and a "
              "fallback are counted by the module and told of by its "
              "tracepoints. " +
              (f"The two differ in {wrong} of {len(runs)} runs." if wrong else
               f"The two are the same in all {len(runs)} runs."))
    named = {event for _, event in TWICE}
    rows = [(run["workload"],
             f"{run['policy']}, magazines {run['magazine']}", run["threads"],
             *(n for figure, event in TWICE
               for n in (run.get(figure, ""), run["events"].get(event, ""))),
             ", ".join(f"{name} {n}" for name, n in
                       sorted(run["events"].items())
                       if n and name not in named))
            for run in runs]
    page.table(("workload", "variant", "threads", "waits", "by events",
                "fallbacks", "by events", "other events"), rows, range(2, 7),
               f"All {len(runs)} runs")
