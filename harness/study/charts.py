# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Charts of a study: curves over the axis, waits by length, heat.

Every function returns an Svg, or a sentence when there is nothing to draw: an
empty frame would look like a finding.
"""
import math

import svg

WIDTH = 976
LEFT, RIGHT, GAP = 66, 14, 34
TOP, PLOT = 52, 250
HEAT_LEFT = 256


def short(value):
    """A number as one says it: 3 digits and a letter for its size."""
    if value == 0:
        return "0"
    size = abs(value)
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit * 0.9995:
            return _digits(value / limit) + " " + letter
    return _digits(value)


def _digits(value):
    size = abs(value)
    if size >= 99.95:
        return f"{value:.0f}"
    if size >= 9.995:
        return f"{value:.1f}".removesuffix(".0")
    if size >= 0.01:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.1g}"


def nanoseconds(ns):
    """A time as one says it."""
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= limit * 0.9995:
            return f"{_digits(ns / limit)} {unit}"
    return f"{_digits(ns)} ns"


class Scale:
    """Values to heights: logarithmic, if need be with a place for zero."""

    def __init__(self, values, kind, bottom, top):
        self.bottom, self.top = bottom, top
        positive = [v for v in values if v > 0]
        self.zero = kind == "zerolog" and any(v <= 0 for v in values)
        low, high = min(positive), max(positive)
        if kind == "zerolog":
            low = max(low, high / 1e6)
        self.low = math.log10(low)
        self.high = math.log10(high)
        if self.high - self.low < 0.5:
            middle = (self.high + self.low) / 2
            self.low, self.high = middle - 0.3, middle + 0.3
        room = (self.high - self.low) * 0.06
        self.low -= room
        self.high += room
        self.floor = bottom - (22 if self.zero else 0)

    def at(self, value):
        """Height of a value."""
        if value <= 0:
            return self.bottom
        share = (math.log10(value) - self.low) / (self.high - self.low)
        share = min(1.0, max(0.0, share))
        return self.floor - share * (self.floor - self.top)

    def ticks(self):
        """Values to label."""
        span = self.high - self.low
        steps = (1, 2, 5) if span < 2.2 else (1,)
        every = 1 if span < 7 else 2
        found = [0] if self.zero else []
        for decade in range(math.floor(self.low), math.ceil(self.high) + 1):
            if len(steps) == 1 and decade % every:
                continue
            for step in steps:
                value = step * 10.0 ** decade
                if self.low <= math.log10(value) <= self.high:
                    found.append(value)
        if len(found) < 3 and span < 1:
            found = [10 ** (self.low + span * k / 4) for k in range(5)]
            found = sorted({float(f"{v:.2g}") for v in found})
            found = [v for v in found
                     if self.low <= math.log10(v) <= self.high]
        return found


def panels_of(variants):
    """Names of the halves of a figure, in order."""
    names = []
    for variant in variants:
        if variant.panel and variant.panel not in names:
            names.append(variant.panel)
    return names or [""]


def legend_of(variants):
    """Series and labels, each once."""
    items = []
    for variant in variants:
        if (variant.series, variant.label) not in items:
            items.append((variant.series, variant.label))
    return items


def legend_height(items):
    """How high the legend will be."""
    rows, at = 1, 0
    for _, label in items:
        need = 44 + svg.width_of(label)
        if at and at + need > WIDTH - LEFT - RIGHT:
            rows, at = rows + 1, 0
        at += need
    return 20 * (rows - 1)


class Frame:
    """One or two plots side by side with the same vertical scale."""

    def __init__(self, title, description, items, panels, scale_of, points,
                 axis, unit, tick=short):
        self.top = TOP + legend_height(items) - (0 if any(panels) else 16)
        self.bottom = self.top + PLOT
        self.pic = svg.Svg(WIDTH, self.bottom + 46, title, description)
        self.pic.legend(LEFT, 14, items, wide=WIDTH - LEFT - RIGHT)
        self.scale = scale_of(self.bottom, self.top)
        count = len(panels)
        self.wide = (WIDTH - LEFT - RIGHT - GAP * (count - 1)) / count
        self.panels = panels
        self.points = points
        for k, name in enumerate(panels):
            self._panel(k, name, axis, tick)
        self.pic.text(15, (self.top + self.bottom) / 2, unit, "ts", "middle",
                      -90)

    def left(self, k):
        """Left edge of plot @k."""
        return LEFT + k * (self.wide + GAP)

    def x(self, k, position):
        """Place of a position between 0 and 1 in plot @k."""
        return self.left(k) + 22 + position * (self.wide - 44)

    def _panel(self, k, name, axis, tick):
        pic, left = self.pic, self.left(k)
        if name:
            pic.text(left + self.wide / 2, self.top - 12, name, "th",
                     "middle")
        for value in self.scale.ticks():
            y = self.scale.at(value)
            pic.line(left, y, left + self.wide, y, "gr")
            if k == 0:
                pic.text(left - 7, y + 4, tick(value), "t", "end")
        pic.line(left, self.bottom + 6, left + self.wide, self.bottom + 6,
                 "ax")
        every = self._every(k)
        for i, (position, label) in enumerate(self.points):
            x = self.x(k, position)
            pic.line(x, self.bottom + 6, x, self.bottom + 11, "ax")
            if i % every == 0:
                pic.text(x, self.bottom + 25, label, "t", "middle")
        pic.text(left + self.wide / 2, self.bottom + 42, axis, "ts",
                 "middle")

    def _every(self, k):
        """Label every first, second ... point, so that labels have room."""
        places = [(self.x(k, p), svg.width_of(text) / 2)
                  for p, text in self.points]
        for every in range(1, len(places)):
            kept = places[::every]
            if all(a + wide + 4 < b - other
                   for (a, wide), (b, other) in zip(kept, kept[1:])):
                return every
        return max(1, len(places))

    def vertical(self, k, position, label, row=0):
        """A vertical line with a remark, in rows below each other."""
        x = self.x(k, position)
        self.pic.line(x, self.top, x, self.bottom + 6, "mk")
        anchor = "start" if position < 0.7 else "end"
        self.pic.text(x + (4 if anchor == "start" else -4), self.top + 9 + 14 * row,
                      label, "ts", anchor)


def positions(points):
    """Points at equal distances, whatever their numbers."""
    if len(points) == 1:
        return [(0.5, points[0].label)]
    return [(i / (len(points) - 1), p.label) for i, p in enumerate(points)]


def place_of(points, x):
    """Where a number lies between the points, or None when outside."""
    for i, (a, b) in enumerate(zip(points, points[1:])):
        if a.x <= x <= b.x:
            if a.x > 0:
                share = math.log(x / a.x) / math.log(b.x / a.x)
            else:
                share = (x - a.x) / (b.x - a.x)
            return (i + share) / (len(points) - 1)
    return None


def marks_of(results):
    """Remarks on the axis: the number of CPUs, and the study's own."""
    marks = list(results.study.marks)
    if results.study.axis == "threads":
        cpus = results.machine["cpus"]
        marks.append((cpus, f"{cpus} CPUs"))
    return marks


def gather(results, name):
    """[(variant, [(index, point, Value)])] of a figure."""
    found = []
    for variant in results.study.variants:
        values = [(i, p, results.value(name, variant, p))
                  for i, p in enumerate(results.study.points)]
        values = [v for v in values if v[2] is not None]
        if values:
            found.append((variant, values))
    return found


def told(metric, variant, point, axis, value):
    """What is shown when one points at a mark."""
    where = f"{variant.label}, {variant.panel}" if variant.panel else \
        variant.label
    return f"{where}, {point.label} {axis}: {short(value.median)} " \
        f"{metric.unit} ({short(value.low)} to {short(value.high)} in " \
        f"{len(value.values)} runs)"


def curves(results, name):
    """A figure over the axis, one curve for each variant."""
    metric = results.metrics[name]
    found = gather(results, name)
    everything = [v for _, values in found for _, _, v in values]
    if not everything:
        return f"{metric.title}: not known; {results.why_not(metric)}."
    if not any(v.high > 0 for v in everything):
        return f"{metric.title}: none in any run."
    numbers = [n for v in everything for n in (v.median, v.low, v.high)]
    panels = panels_of(results.study.variants)
    points = results.study.points
    model = predictions(results) if name == "rate" else []
    numbers += [n for _, line in model for _, n in line]
    items = legend_of([variant for variant, _ in found])
    if model:
        items.append(("predicted", "predicted"))
    if len(points) == 1:
        return dots(results, metric, found, numbers)
    frame = Frame(
        f"{metric.title} over {results.study.axis}",
        "Medians, with the range of all rounds.", items, panels, lambda b, t: Scale(numbers, metric.scale, b, t),
        positions(points), results.study.axis, metric.unit)
    for k, panel in enumerate(panels):
        marks = [(place, label) for x, label in marks_of(results)
                 if (place := place_of(points, x)) is not None]
        for n, (place, label) in enumerate(marks):
            frame.vertical(k, place, label, n)
        drawn = [(v, values) for v, values in found
                 if v.panel in ("", panel)]
        for _, line in model:
            where = dict(enumerate(p for p, _ in frame.points))
            frame.pic.path([(frame.x(k, where[i]), frame.scale.at(n))
                            for i, n in line], "l-predicted")
        # Peers first, so that pmalloc lies above them.
        drawn.sort(key=lambda d: not d[0].peer)
        for n, (variant, values) in enumerate(drawn):
            _curve(frame, k, metric, variant, values,
                   (n - (len(drawn) - 1) / 2) * 1.6, results.study.axis)
    return frame.pic


def predictions(results):
    """[(variant, [(index of the point, throughput)])] of the model."""
    found = []
    for variant in results.ours():
        line = [(i, n) for i, p in enumerate(results.study.points)
                if (n := results.predicted(variant, p))]
        if line:
            found.append((variant, line))
    return found


def _curve(frame, k, metric, variant, values, shift, axis):
    where = dict(enumerate(p for p, _ in frame.points))
    line = [(frame.x(k, where[i]) + shift, frame.scale.at(v.median))
            for i, _, v in values]
    frame.pic.path(line, f"l-{variant.series}")
    for (x, y), (_, point, value) in zip(line, values):
        low, high = frame.scale.at(value.low), frame.scale.at(value.high)
        if low - high > 1:
            frame.pic.line(x, low, x, high, f"w-{variant.series}")
        if variant.series != "predicted":
            frame.pic.mark(x, y, variant.series,
                           told(metric, variant, point, axis, value))


def dots(results, metric, found, numbers):
    """A figure at a single point: a row for each variant."""
    row, left = 24, 190
    scale = Scale(numbers, metric.scale, 0, 1)
    height = 30 + row * len(found) + 40
    pic = svg.Svg(WIDTH, height, metric.title,
                  "Medians, with the range of all rounds.")
    wide = WIDTH - left - 90

    def across(value):
        return left + (0 if value <= 0 else 20 + scale_share(value) *
                       (wide - 20))

    def scale_share(value):
        share = (math.log10(value) - scale.low) / (scale.high - scale.low)
        return min(1.0, max(0.0, share))

    for value in scale.ticks():
        x = across(value)
        pic.line(x, 14, x, height - 40, "gr")
        pic.text(x, height - 24, short(value), "t", "middle")
    pic.text(left + wide / 2, height - 6, metric.unit, "ts", "middle")
    point = results.study.points[0]
    for n, (variant, values) in enumerate(found):
        y = 30 + n * row
        value = values[0][2]
        name = f"{variant.label}, {variant.panel}" if variant.panel else \
            variant.label
        pic.text(left - 12, y + 4, name, "t", "end")
        pic.line(across(value.low), y, across(value.high), y,
                 f"l-{variant.series}")
        pic.mark(across(value.median), y, variant.series,
                 told(metric, variant, point, results.study.axis, value))
        pic.text(WIDTH - 8, y + 4, short(value.median), "t", "end")
    return pic


# ---- waits ------------------------------------------------------------------

def tick_time(ns):
    """A time with two digits: the powers of two are no round numbers."""
    return nanoseconds(float(f"{ns:.1e}"))


def edge(i):
    """Least length of a wait that bucket @i counts, nanoseconds."""
    return 2.0 ** i if i else 0.0


def used(histograms):
    """First and last bucket that anything is in."""
    filled = [i for h in histograms for i, n in enumerate(h) if n]
    return min(filled), max(filled)


def waits(results, point):
    """How many waits are longer than a time, for each variant."""
    found = []
    known = False
    for variant in results.ours():
        hist = results.histogram(variant, point)
        known = known or hist is not None
        if hist and sum(hist):
            found.append((variant, hist, results.ops(variant, point)))
    if not known:
        return "Lengths of waits: not known; " \
            "pmalloc's report (stats=json) was missing."
    if not found:
        return f"Lengths of waits: nobody waited for an arena's lock at " \
            f"{point.label} {results.study.axis}, in any variant."
    first, last = used([h for _, h, _ in found])
    last = max(last, first + 3)
    per = results.per
    tails = []
    for variant, hist, ops in found:
        tails.append((variant, [sum(hist[i:]) * per / ops
                                for i in range(first, last + 2)]))
    numbers = [n for _, t in tails for n in t if n > 0]
    panels = [p for p in panels_of(results.study.variants)
              if any(v.panel in ("", p) for v, _, _ in found)]
    count = last + 1 - first
    ticks = [(i / count, tick_time(edge(first + i)))
             for i in range(count + 1)]
    unit = "waits longer, " + ("per run" if results.study.program
                               else "per million operations")
    frame = Frame(
        f"Waits for an arena's lock that are longer than a time "
        f"({point.label} {results.study.axis})",
        "Each curve falls from all waits to the longest.",
        legend_of([v for v in results.ours()
                   if v.label in {f.label for f, _, _ in found}]), panels,
        lambda b, t: Scale(numbers, "log", b, t), ticks, "length of the wait",
        unit)
    for k, panel in enumerate(panels):
        for variant, tail in tails:
            if variant.panel not in ("", panel):
                continue
            line = [(frame.x(k, i / count), frame.scale.at(n))
                    for i, n in enumerate(tail) if n > 0]
            if len(line) > 1:
                frame.pic.path(line, f"l-{variant.series}")
            for (x, y), n, i in zip(line, tail, range(count + 1)):
                frame.pic.mark(
                    x, y, variant.series,
                    f"{variant.label}, {variant.panel}: {short(n)} waits of "
                    f"{nanoseconds(edge(first + i))} or more, {unit[14:]}")
    return frame.pic


def heat(results, point):
    """Arena by length of wait: where the time goes that is waited."""
    blocks = []
    for variant in results.ours():
        arenas = results.by_arena(variant, point)
        arenas = {a: h for a, h in arenas.items() if sum(h)}
        if arenas:
            blocks.append((variant, arenas))
    if not blocks:
        known = any(results.histogram(v, point) for v in results.ours())
        return "Arena by length of wait: " + (
            "nobody waited." if known else
            "not known; pmalloc's report (stats=json) was missing.")
    first, last = used([h for _, arenas in blocks for h in arenas.values()])
    last = max(last, first + 5)
    cell = min(60.0, (WIDTH - HEAT_LEFT - 34) / (last + 1 - first))
    rows = sum(min(len(a), 16) for _, a in blocks)
    height = 34 + rows * 19 + len(blocks) * 12 + 78
    pic = svg.Svg(WIDTH, height,
                  f"Time waited, by arena and length of the wait "
                  f"({point.label} {results.study.axis})",
                  "Darker is more time in total; time per million operations.")
    shares = _heat_shares(results, point, blocks)
    most = max(n for _, rows in shares for h in rows.values() for n in h)
    y = 20
    for (variant, rows_of) in shares:
        y = _heat_block(pic, variant, rows_of, (first, last), cell, y, most,
                        results)
    for i in range(first, last + 2):
        if cell >= 44 or (i - first) % 2 == 0:
            pic.text(HEAT_LEFT + (i - first) * cell, y + 12,
                     tick_time(edge(i)), "t", "middle")
    pic.text(HEAT_LEFT + (last + 1 - first) * cell / 2, y + 30,
             "length of the wait", "ts", "middle")
    _heat_legend(pic, most, y + 40, results.study.program)
    return pic


def _heat_shares(results, point, blocks):
    """Microseconds waited per unit of work; the middle of a bucket counts."""
    found = []
    for variant, arenas in blocks:
        ops = results.ops(variant, point)
        most = sorted(arenas, key=lambda a: -sum(arenas[a]))[:16]
        found.append((variant, {
            a: [n * edge(i) * 1.5 / 1e3 * results.per / ops
                for i, n in enumerate(arenas[a])] for a in sorted(most)}))
    return found


def heat_step(value, most):
    """Which of the six steps a value has: two for each factor of ten."""
    step = 5 + math.floor(2 * math.log10(value / most) + 0.999)
    return max(0, min(5, step))


def _heat_block(pic, variant, rows, span, cell, y, most, results):
    first, last = span
    name = f"{variant.label}, {variant.panel}" if variant.panel else \
        variant.label
    pic.text(14, y + 13, name, "th")
    for arena, values in rows.items():
        pic.text(HEAT_LEFT - 10, y + 13, f"arena {arena}", "t", "end")
        for i in range(first, last + 1):
            x = HEAT_LEFT + (i - first) * cell
            if not values[i]:
                pic.rect(x, y, cell - 1.5, 17, "em")
                continue
            step = heat_step(values[i], most)
            unit = "run" if results.study.program else "million operations"
            pic.rect(x, y, cell - 1.5, 17, f"h{step}",
                     f"{name}, arena {arena}: waits of "
                     f"{nanoseconds(edge(i))} to {nanoseconds(edge(i + 1))} "
                     f"add up to about {nanoseconds(values[i] * 1e3)} per "
                     f"{unit}")
            if cell >= 44:
                pic.text(x + cell / 2, y + 12.5,
                         nanoseconds(values[i] * 1e3), f"hi{step}", "middle")
        y += 19
    return y + 12


def _heat_legend(pic, most, y, program):
    pic.text(14, y + 12, "time waited " + ("per run" if program else
                                           "per million operations"), "ts")
    x = HEAT_LEFT
    for step in range(6):
        pic.rect(x, y, 44, 14, f"h{step}")
        low = most * 10 ** ((step - 5.999) / 2)
        pic.text(x, y + 28, nanoseconds(low * 1e3) if step else "less",
                 "ts")
        x += 62
    pic.rect(x + 20, y, 44, 14, "em")
    pic.text(x + 70, y + 12, "none", "ts")
