# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Two studies of the same question against each other: what changed.

The cells that both have are compared, the later study's with the earlier's,
by the test of judge.py; all of them are one family.
"""
import charts
import common
import findings
import flame
import judge
import page
from common import Failure

COUNTS = ("acquired", "waited", "wait_us", "contended", "faults", "switches")


class Pair:
    """Two studies and the cells that both have."""

    def __init__(self, before, after):
        self.a, self.b = before, after
        for one in (before, after):
            if one.study.program != before.study.program or \
                    one.study.axis != before.study.axis:
                raise Failure("the two studies ask different questions: one "
                              f"is over {before.study.axis}, the other over "
                              f"{after.study.axis}")
        ours = {p.label: p for p in after.study.points}
        there = {v.id for v in after.study.variants}
        self.points = [p for p in before.study.points if p.label in ours]
        self.variants = [v for v in before.study.variants if v.id in there]
        if not self.points or not self.variants:
            raise Failure("the two studies have no cell in common")
        self.verdicts = self._judge()

    def cells(self):
        """Every variant at every point."""
        return [(v, p) for v in self.variants for p in self.points]

    def _judge(self):
        """{(variant, point): verdict on throughput, later over earlier}."""
        pairs = {}
        for v, p in self.cells():
            x, y = (r.value("rate", v, p) for r in (self.b, self.a))
            if x and y and min(len(x.values), len(y.values)) >= judge.ROUNDS:
                pairs[v.id, p.label] = (x.values, y.values)
        if not judge.stats:
            return {}
        found = {k: judge.welch(x, y, len(pairs))
                 for k, (x, y) in pairs.items()}
        for verdict, chance in zip(found.values(), judge.holm(
                [v.p for v in found.values()])):
            verdict.adjusted = chance
        return found

    def of(self, variant, point):
        """The verdict on a cell."""
        return self.verdicts.get((variant.id, point.label), judge.Verdict())

    def doubts(self):
        """Why nothing is claimed."""
        found = []
        for name, one in (("earlier", self.a), ("later", self.b)):
            found += [f"The {name} study: {text}"
                      for text in judge.doubts(one)]
        return found

    def warnings(self):
        """What else may have changed."""
        for key, what in (("cpu", "another processor"),
                          ("cpus", "another number of CPUs"),
                          ("kernel", "another kernel")):
            x, y = self.a.machine[key], self.b.machine[key]
            if x != y:
                yield f"The later study ran on {what}: {y}, before {x}."
        if self.a.study.command != self.b.study.command:
            yield "The two ran different commands: " \
                f"{' '.join(self.a.study.command)}, and " \
                f"{' '.join(self.b.study.command)}."

    def changed(self):
        """[(ratio, variant, point, verdict)] of what differs, the largest
        first."""
        found = [(v, p, self.of(v, p)) for v, p in self.cells()]
        return sorted(((d.ratio, v, p, d) for v, p, d in found if d.differs),
                      key=lambda c: -max(c[0], 1 / c[0]))


class Comparison(page.Part):
    """The page of two studies."""

    def __init__(self, before, after):
        super().__init__(f"{after.study.title}: two studies against each "
                         "other")
        self.pair = Pair(before, after)
        self.last = self.pair.points[-1]
        self.doubts = self.pair.doubts()
        self.banner = list(self.doubts)
        if self.banner:
            self.banner.insert(0, "This comparison claims nothing: figures "
                               "are what was measured, no difference between "
                               "them is called one.")
        self.banner += self.pair.warnings()
        self.about = [f"Earlier: {common.shown(str(before.directory))}. Later: "
                      f"{common.shown(str(after.directory))}."]
        self.top = [self.answer(), self.certainty(), self.reason()]
        self.cells()
        self.figures()
        self.flames()

    def where(self, variant, point):
        """A cell in words."""
        return f"{findings.name_of(variant)} at {point.label} " \
            f"{self.pair.a.study.axis}"

    def answer(self):
        """What changed."""
        if self.doubts:
            return "No answer yet: it cannot be told whether anything changed."
        changed = self.pair.changed()
        if not changed:
            return "Nothing changed that could be seen, in " \
                f"{len(self.pair.verdicts)} cells."
        faster = sum(1 for c in changed if c[0] > 1)
        _, variant, point, verdict = changed[0]
        return f"Of {len(self.pair.verdicts)} cells {faster} are faster in " \
            f"the later study and {len(changed) - faster} slower; most " \
            f"changed {self.where(variant, point)}: {findings.times(verdict)}" \
            " the throughput."

    def certainty(self):
        """How sure that is."""
        if self.doubts:
            return "How sure: not at all, for the reasons above."
        return f"How sure: {judge.TEST} over {len(self.pair.verdicts)} " \
            f"cells leaves less than {100 * judge.ERROR:.0f} % for an error " \
            "in any of them; but the two were not interleaved, so whatever " \
            "else changed on the machine between them is among it."

    def reason(self):
        """Which counts changed with it."""
        changed = self.pair.changed()
        variant, point = changed[0][1:3] if changed else \
            (self.pair.variants[0], self.last)
        found = []
        for name in COUNTS:
            x, y = (r.value(name, variant, point)
                    for r in (self.pair.a, self.pair.b))
            if x and y and (x.low > y.high or y.low > x.high):
                found.append(f"{self.pair.a.metrics[name].title.lower()} "
                             f"{charts.short(x.median)} before, "
                             f"{charts.short(y.median)} after")
        return f"Why: with {self.where(variant, point)}, " + (
            "; ".join(found) if found else
            "no count left its range") + "."

    def cells(self):
        """All cells."""
        self.section("changed", "What changed")
        rows = []
        for variant, point in self.pair.cells():
            x, y = (r.value("rate", variant, point)
                    for r in (self.pair.a, self.pair.b))
            verdict = self.pair.of(variant, point)
            if not x or not y:
                continue
            rows.append((
                variant, point.label, charts.short(x.median),
                charts.short(y.median), findings.times(verdict)
                if verdict.judged else "", findings.chance(verdict.adjusted)
                if verdict.judged else "not judged",
                "not claimed" if self.doubts else
                "yes" if verdict.differs else "no"))
        self.table(("variant", self.pair.a.study.axis, "before", "after",
                    "ratio", "corrected chance", "differs"), rows, (2, 3))

    def figures(self):
        """Throughput of both, side by side."""
        self.section("figures", "Figures")
        panels = charts.panels_of(self.pair.variants)
        for name in ("rate", "wait_us", "memory"):
            for k, panel in enumerate(panels):
                self.figure(f"both-{name}-{k}", self._both(name, panel),
                            "Left the earlier study, right the later one; "
                            "medians and ranges.")

    def _both(self, name, panel):
        shown = [v for v in self.pair.variants if v.panel in ("", panel)]
        metric = self.pair.a.metrics[name]
        halves = ("before", "after")
        made = charts.Curves(
            f"{metric.title}, before and after" +
            (f": {panel}" if panel else ""), "Medians and ranges.",
            [(v.series, v.label) for v in shown], halves,
            [(i, p.label) for i, p in enumerate(self.pair.points)],
            self.pair.a.study.axis, metric.unit)
        for half, one in zip(halves, (self.pair.a, self.pair.b)):
            for i, point in enumerate(self.pair.points):
                for v in shown:
                    value = one.value(name, v, point)
                    if value:
                        made.add(half, v.series, v.id, i, value.median,
                                 charts.told(metric, v, point, half, value),
                                 value.low, value.high)
        if not any(row["high"] > 0 for row in made.rows):
            return f"{metric.title}: none in any run."
        return made.chart()

    def flames(self):
        """Differential flame graphs of the stacks that both recorded."""
        self.section("where", "Where threads wait and run, before and after")
        then = {(s["kind"], s["variant"]): s for s in self.pair.a.stacks}
        both = [(s, then[s["kind"], s["variant"]])
                for s in self.pair.b.stacks
                if (s["kind"], s["variant"]) in then]
        if not both:
            self.note("No variant has call graphs in both studies.")
        for new, old in both:
            title = f"Change: {new['kind']}, {new['variant']}, " \
                f"{new['point']} {self.pair.b.study.axis}"
            self.figure(
                f"flame-diff-{new['kind']}-{new['variant']}",
                flame.draw_difference(
                    title, self.pair.a.folded(old), self.pair.b.folded(new),
                    new["unit"], "all"),
                "As wide as in the later run; the colour says whether a "
                "frame's share of all grew. One run each: small changes are "
                "no findings.")
