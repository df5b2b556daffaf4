# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Charts of a study: curves over the axis, waits by length, heat.

Every function returns a Chart, or a sentence when there is nothing to draw:
an empty frame would look like a finding. Vega draws; here stands what is drawn
and what one reads when one points at it.
"""
import math

import colours

WIDTH = 976
LEFT, RIGHT, GAP = 70, 14, 30
PLOT = 250
HEAT_LEFT = 256
LABEL = 130             # room for the name of a column


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


class Chart:
    """A title and what Vega draws."""

    def __init__(self, title, description, width, height, padding, **parts):
        self.title = title
        left, right, top, bottom = padding
        self.spec = {
            "description": f"{title}. {description}", "autosize": "none",
            "width": width, "height": height,
            "padding": {"left": left, "right": right, "top": top,
                        "bottom": bottom}, **parts}


def text(words, x, y, size=12, colour="text", align="left", bold=False):
    """A text mark at a place."""
    return {"type": "text", "interactive": False,
            "encode": {"update": {
                "text": {"value": words}, "x": {"value": x},
                "y": {"value": y}, "fontSize": {"value": size},
                "fill": {"value": "$" + colour},
                "font": {"value": colours.FONT},
                "fontWeight": {"value": "bold" if bold else "normal"},
                "align": {"value": align}, "baseline": {"value": "middle"}}}}


# ---- zooming ----------------------------------------------------------------

def zoom(axis, domain, size, place, kind="linear"):
    """Signals: what part of an axis is shown.

    Shift or Ctrl and the wheel zoom round the place that is pointed at,
    dragging moves, a double click shows all again.
    """
    scale = {"linear": "Linear", "log": "Log"}[kind]
    part = f"({place}) / ({size})" if axis == "x" else \
        f"1 - ({place}) / ({size})"
    shown, at = f"{axis}shown", f"{axis}down"
    inside = {
        "linear": f"{shown}[0] + ({part}) * span({shown})",
        "log": f"pow(10, log({shown}[0]) / LN10 + ({part}) * "
               f"(log({shown}[1]) - log({shown}[0])) / LN10)"}[kind]
    wheel = {"type": "wheel", "consume": True,
             "filter": "event.shiftKey || event.ctrlKey"}
    moved = f"(x() - {at}[2]) / ({size})" if axis == "x" else \
        f"({at}[2] - y()) / ({size})"
    drag = {"source": "window", "type": "mousemove", "consume": True,
            "between": [{"type": "mousedown"},
                        {"source": "window", "type": "mouseup"}]}
    return [
        {"name": at, "value": None, "on": [
            {"events": "mousedown",
             "update": f"[{shown}[0], {shown}[1], {axis}()]"}]},
        {"name": shown, "value": list(domain), "on": [
            {"events": wheel, "update":
             f"zoom{scale}({shown}, {inside}, pow(1.002, "
             "clamp(event.deltaY + event.deltaX, -250, 250)))"},
            {"events": drag, "update":
             f"{at} ? pan{scale}([{at}[0], {at}[1]], {moved}) : {shown}"},
            {"events": "dblclick", "update": str(list(domain))}]},
    ]


# ---- curves -----------------------------------------------------------------

def panels_of(variants):
    """Names of the halves of a figure, in order."""
    names = []
    for variant in variants:
        if variant.panel and variant.panel not in names:
            names.append(variant.panel)
    return names or [""]


class Range:
    """The values of a logarithmic axis, with a place for zero below."""

    def __init__(self, numbers):
        positive = [n for n in numbers if n > 0]
        low, high = min(positive), max(positive)
        low = max(low, high / 1e6)
        self.zero = any(n <= 0 for n in numbers)
        if high < 3 * low:
            middle = math.sqrt(high * low)
            low, high = min(low, middle / 1.9), max(high, middle * 1.9)
        self.least = low / 1.12
        self.low, self.high = self.least, high * 1.12
        if self.zero:
            self.low /= (self.high / self.low) ** 0.1

    def place(self, number):
        """A value, or what stands for zero."""
        return max(number, self.low * 1.0001) if number > 0 or self.zero \
            else self.low

    def domain(self):
        """Lowest and highest."""
        return [self.low, self.high]


def legend(items, above=18, columns=6):
    """The legend of series, (series, label) each, so far above the plot; and
    how high it is."""
    items = list(dict(items).items())
    longest = max((len(label) for _, label in items), default=1)
    columns = max(1, min(len(items), columns, int(112 / (longest + 5))))
    rows = -(-len(items) // columns)
    names = [s for s, _ in items]
    scales = [
        {"name": "fills", "type": "ordinal", "domain": names,
         "range": [f"${s}" if colours.key(s)[1] and colours.key(s)[0]
                   else "transparent" for s in names]},
        {"name": "strokes", "type": "ordinal", "domain": names,
         "range": [f"${s}" for s in names]},
        {"name": "marks", "type": "ordinal", "domain": names,
         "range": [colours.key(s)[0] or "M-1,0L1,0" for s in names]},
        {"name": "labels", "type": "ordinal", "domain": names,
         "range": [label for _, label in items]},
    ]
    # The legend shows what a mark looks like: filled, or drawn with a line.
    made = {"fill": "fills", "stroke": "strokes", "shape": "marks",
            "orient": "none", "legendX": 0, "direction": "horizontal",
            "columns": columns, "columnPadding": 18, "rowPadding": 4,
            "symbolSize": 90, "symbolStrokeWidth": 1.8, "padding": 0,
            "legendY": -(20 * rows + above),
            "encode": {"labels": {"update": {
                "text": {"scale": "labels", "field": "value"}}}}}
    return scales, made, 20 * rows + above + 12


# The text of a tick of a logarithmic axis: of many decades each has one, of few
# 1, 2 and 5; a part of one that somebody has zoomed into has all.
TICK = """datum.value < %g || indexof(
log(yshown[1] / yshown[0]) < 0.9 * LN10 ?
[round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))] :
log(yshown[1] / yshown[0]) < 2.4 * LN10 ? [1, 2, 5] : [1],
round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))) < 0 ? '' :
datum.value < 1 ? format(datum.value, '.1~g') :
replace(format(datum.value, '~s'), /([a-zA-Zµ])$/, ' $1')"""


class Curves:
    """One or two plots side by side with the same vertical axis.

    Rows are points of curves: panel, series, curve (which line a point
    belongs to), x, y, and if they are known low, high and tip.
    """

    def __init__(self, title, about, items, panels, ticks, axis, unit):
        self.title, self.about, self.unit = title, about, unit
        self.items, self.panels, self.axis = items, panels, axis
        self.ticks = ticks              # [(place, label)]
        self.rows = []
        self.notes = []                 # (panel, place, words, line)

    def add(self, panel, series, curve, x, y, tip="", low=None, high=None):
        """A point."""
        self.rows.append({
            "panel": panel, "series": series, "curve": curve, "x": x, "y": y,
            "low": y if low is None else low,
            "high": y if high is None else high, "tip": tip})

    def chart(self):
        """The picture."""
        span = Range([r[k] for r in self.rows for k in ("y", "low", "high")])
        for row in self.rows:
            for key in ("y", "low", "high"):
                row[key] = span.place(row[key])
        scales, key, high = legend(self.items, 32 if any(self.panels) else 18)
        count = len(self.panels)
        wide = (WIDTH - LEFT - RIGHT - GAP * (count - 1)) / count
        places = [x for x, _ in self.ticks]
        room = max((places[-1] - places[0]) * 0.04, 0.12)
        across = [places[0] - room, places[-1] + room]
        labels = {str(x): label for x, label in self.ticks}
        step = wide + GAP
        place = f"(x() >= {step}) ? (x() - {step}) : x()" if count > 1 \
            else "x()"
        return Chart(
            self.title, self.about, WIDTH - LEFT - RIGHT, PLOT,
            (LEFT, RIGHT, high, 46),
            signals=[*zoom("x", across, wide, place),
                     *zoom("y", span.domain(), PLOT, "y()", "log"),
                     {"name": "names", "value": labels}],
            data=[{"name": "points", "values": self.rows}],
            scales=scales + [
                {"name": "x", "type": "linear", "zero": False, "nice": False,
                 "domain": {"signal": "xshown"}, "range": [0, wide]},
                {"name": "y", "type": "log", "domain": {"signal": "yshown"},
                 "nice": False, "range": [PLOT, 0]}],
            legends=[key],
            marks=[self._panel(k, name, wide, span)
                   for k, name in enumerate(self.panels)])

    def _axes(self, k, span):
        words = TICK % span.least
        left = {"scale": "y", "orient": "left", "grid": True, "ticks": False,
                "domain": False, "tickCount": 6, "labelPadding": 6,
                "labelOverlap": "greedy",
                "labels": k == 0, "encode": {"labels": {"update": {
                    "text": {"signal": words}}}}}
        if k == 0:
            left.update(title=self.unit, titleX=-54)
        axes = [left, {
            "scale": "x", "orient": "bottom", "title": self.axis,
            "values": [x for x, _ in self.ticks], "tickSize": 5,
            "titlePadding": 6, "labelOverlap": "parity",
            "labelSeparation": 6, "encode": {"labels": {"update": {
                "text": {"signal": "names[toString(datum.value)]"}}}}}]
        if span.zero and k == 0:
            axes.append({"scale": "y", "orient": "left", "domain": False,
                         "ticks": False, "values": [span.low * 1.0001],
                         "labelPadding": 6, "encode": {"labels": {"update": {
                             "text": {"value": "0"}}}}})
        return axes

    def _panel(self, k, name, wide, span):
        shown = [r for r in self.notes if r[0] in ("", name)]
        marks = [self._inside(wide, name, shown)]
        if name:
            marks.append(text(name, wide / 2, -14, 13, align="center",
                              bold=True))
        return {"type": "group", "encode": {"update": {
            "x": {"value": k * (wide + GAP)}, "y": {"value": 0},
            "width": {"value": wide}, "height": {"value": PLOT},
            "fill": {"value": "transparent"}}},
            # How long the lines of the grid are.
            "signals": [{"name": "width", "update": str(wide)}],
            "axes": self._axes(k, span), "marks": marks}

    def _inside(self, wide, name, notes):
        """What is cut off at the edges of the plot."""
        point = {"x": {"scale": "x", "field": "x"},
                 "y": {"scale": "y", "field": "y"}}
        dashes = {s: list(row[3]) for s, row in colours.SERIES.items()}
        marks = []
        for _, x, words, line in notes:
            end = x > 0.7 * self.ticks[-1][0]
            marks.append({"type": "rule", "encode": {
                "update": {"x": {"scale": "x", "value": x},
                           "y": {"value": 0}, "y2": {"value": PLOT},
                           "stroke": {"value": "$soft"},
                           "strokeDash": {"value": [2, 3]}}}})
            note = text(words, 0, 10 + 15 * line, 11, "soft",
                        "right" if end else "left")
            note["encode"]["update"]["x"] = {
                "scale": "x", "value": x, "offset": -4 if end else 4}
            marks.append(note)
        marks += [
            {"type": "group", "interactive": False, "from": {"facet": {
                "name": "curve", "data": "half", "groupby": "curve"}},
             "marks": [{"type": "line", "from": {"data": "curve"},
                        "encode": {"update": {
                            **point, "stroke": {"scale": "strokes",
                                                "field": "series"},
                            "strokeWidth": {"value": 2},
                            "strokeJoin": {"value": "round"},
                            "strokeDash": {
                                "signal": "dashes[datum.series]"}}}}]},
            {"type": "rule", "from": {"data": "half"}, "encode": {"update": {
                "x": point["x"], "y": {"scale": "y", "field": "low"},
                "y2": {"scale": "y", "field": "high"},
                "stroke": {"scale": "strokes", "field": "series"},
                "strokeWidth": {"value": 1.2},
                "strokeOpacity": {"value": 0.75}}}},
            {"type": "symbol", "from": {"data": "half"}, "encode": {
                "update": {
                    **point, "shape": {"scale": "marks", "field": "series"},
                    "fill": {"scale": "fills", "field": "series"},
                    "stroke": {"scale": "strokes", "field": "series"},
                    "strokeWidth": {"value": 1.6}, "size": {"value": 90},
                    "opacity": {"signal": "datum.tip ? 1 : 0"},
                    "tooltip": {"field": "tip"}}}}]
        return {"type": "group", "clip": True, "encode": {"update": {
            "width": {"value": wide}, "height": {"value": PLOT + 1}}},
            "signals": [{"name": "dashes", "value": dashes}],
            "data": [{"name": "half", "source": "points", "transform": [
                {"type": "filter",
                 "expr": f"datum.panel == '' || datum.panel == '{name}'"}]}],
            "marks": marks}


def place_of(points, x):
    """Where a number lies between the points, or None when outside."""
    for i, (a, b) in enumerate(zip(points, points[1:])):
        if a.x <= x <= b.x:
            if a.x > 0:
                return i + math.log(x / a.x) / math.log(b.x / a.x)
            return i + (x - a.x) / (b.x - a.x)
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


def in_full(variant):
    """A variant in words."""
    return f"{variant.label}, {variant.panel}" if variant.panel \
        else variant.label


def told(metric, variant, point, axis, value):
    """What is shown when one points at a mark."""
    return f"{in_full(variant)}, {point.label} {axis}: " \
        f"{short(value.median)} {metric.unit} ({short(value.low)} to " \
        f"{short(value.high)} in {len(value.values)} runs)"


def curves(results, name):
    """A figure over the axis, one curve for each variant."""
    metric = results.metrics[name]
    found = gather(results, name)
    everything = [v for _, values in found for _, _, v in values]
    if not everything:
        return f"{metric.title}: not known; {results.why_not(metric)}."
    if not any(v.high > 0 for v in everything):
        return f"{metric.title}: none in any run."
    points, axis = results.study.points, results.study.axis
    if len(points) == 1:
        return dots(results, metric, found)
    model = predictions(results) if name == "rate" else []
    items = [(v.series, v.label) for v, _ in found]
    if model:
        items.append(("predicted", "predicted"))
    made = Curves(f"{metric.title} over {axis}",
                  "Medians, with the range of all rounds.", items,
                  panels_of(results.study.variants),
                  [(i, p.label) for i, p in enumerate(points)], axis,
                  metric.unit)
    marks = [(place, words) for x, words in marks_of(results)
             if (place := place_of(points, x)) is not None]
    made.notes = [("", place, words, n)
                  for n, (place, words) in enumerate(marks)]
    for variant, line in model:
        for i, n in line:
            made.add("", "predicted", f"model of {variant.id}", i, n)
    # Peers first, so that pmalloc lies above them; each a little aside.
    found.sort(key=lambda f: not f[0].peer)
    for n, (variant, values) in enumerate(found):
        shift = (n % 8 - 3.5) * 0.008
        for i, point, value in values:
            made.add(variant.panel, variant.series, variant.id, i + shift,
                     value.median, told(metric, variant, point, axis, value),
                     value.low, value.high)
    return made.chart()


def predictions(results):
    """[(variant, [(index of the point, throughput)])] of the model."""
    found = []
    for variant in results.ours():
        line = [(i, n) for i, p in enumerate(results.study.points)
                if (n := results.predicted(variant, p))]
        if line:
            found.append((variant, line))
    return found


def dots(results, metric, found):
    """A figure at a single point: a row for each variant."""
    point = results.study.points[0]
    return rows(metric.title, metric.unit, [
        (in_full(variant), variant.series, values[0][2],
         told(metric, variant, point, results.study.axis, values[0][2]))
        for variant, values in found])


def rows(title, unit, found):
    """A figure with a row for each (name, series, value, tip)."""
    made = []
    for name, series, value, tip in found:
        made.append({"name": name, "series": series, "low": value.low,
                     "y": value.median, "high": value.high,
                     "text": short(value.median), "tip": tip})
    span = Range([r[k] for r in made for k in ("low", "y", "high")])
    for row in made:
        for key in ("low", "y", "high"):
            row[key] = span.place(row[key])
    scales, _, _ = legend([(r["series"], r["series"]) for r in made])
    left, wide, high = 220, WIDTH - 220 - 90, 24 * len(made)
    across = {"y": {"scale": "row", "field": "name", "band": 0.5}}
    return Chart(
        title, "Medians, with the range of all rounds.", wide, high,
        (left, 90, 10, 44),
        data=[{"name": "points", "values": made}],
        signals=zoom("x", span.domain(), wide, "x()", "log"),
        scales=scales + [
            {"name": "row", "type": "band", "range": [0, high],
             "domain": [r["name"] for r in made]},
            {"name": "x", "type": "log", "nice": False, "range": [0, wide],
             "domain": {"signal": "xshown"}}],
        axes=[{"scale": "x", "orient": "bottom", "grid": True,
               "tickCount": 6, "title": unit, "encode": {"labels": {
                   "update": {"text": {"signal":
                       TICK.replace("yshown", "xshown") % span.least}}}}},
              {"scale": "row", "orient": "left", "ticks": False,
               "domain": False, "labelPadding": 10, "labelLimit": 0}],
        marks=[
            {"type": "rule", "clip": True, "from": {"data": "points"},
             "encode": {"update": {
                 **across, "x": {"scale": "x", "field": "low"},
                 "x2": {"scale": "x", "field": "high"},
                 "stroke": {"scale": "strokes", "field": "series"},
                 "strokeWidth": {"value": 2}}}},
            {"type": "symbol", "clip": True, "from": {"data": "points"},
             "encode": {"update": {
                 **across, "x": {"scale": "x", "field": "y"},
                 "shape": {"scale": "marks", "field": "series"},
                 "fill": {"scale": "fills", "field": "series"},
                 "stroke": {"scale": "strokes", "field": "series"},
                 "strokeWidth": {"value": 1.6}, "size": {"value": 90},
                 "tooltip": {"field": "tip"}}}},
            {"type": "text", "from": {"data": "points"}, "encode": {
                "update": {**across, "x": {"value": wide + 82},
                           "align": {"value": "right"},
                           "baseline": {"value": "middle"},
                           "text": {"field": "text"}}}}])


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
    # All are longer than those below the first: where a curve begins.
    first, last = max(0, first - 1), max(last, first + 3)
    per = "per run" if results.study.program else "per million operations"
    made = Curves(
        f"Waits for an arena's lock that are longer than a time "
        f"({point.label} {results.study.axis})",
        "Each curve falls from all waits to the longest.",
        [(v.series, v.label) for v, _, _ in found],
        [p for p in panels_of(results.study.variants)
         if any(v.panel in ("", p) for v, _, _ in found)],
        [(i, tick_time(edge(i))) for i in range(first, last + 2)],
        "length of the wait", f"waits longer, {per}")
    for variant, hist, ops in found:
        for i in range(first, last + 2):
            n = sum(hist[i:]) * results.per / ops
            if n > 0:
                made.add(variant.panel, variant.series, variant.id, i, n,
                         f"{in_full(variant)}: {short(n)} waits of "
                         f"{nanoseconds(edge(i))} or more, {per}")
    return made.chart()


# ---- heat -------------------------------------------------------------------

def heat_step(value, most, ratio):
    """Which of the six steps a value has: one for each @ratio."""
    step = 5 + math.floor(math.log(value / most, ratio) + 0.999)
    return max(0, min(5, step))


class Grid:
    """Rows and columns of boxes, darker where there is more: by a step for
    each @ratio. With @turn columns have names, which want room."""

    def __init__(self, title, about, rows, columns, across, what,
                 left=HEAT_LEFT, turn=False, ratio=math.sqrt(10)):
        self.title, self.about, self.what = title, about, what
        self.rows, self.columns, self.across = rows, columns, across
        self.left = left
        self.turn = turn
        self.ratio = ratio
        self.boxes = []

    def add(self, row, column, value, words, tip):
        """A box; @value says how dark it is."""
        self.boxes.append({"row": row, "column": column, "value": value,
                           "text": words, "tip": tip})

    def chart(self):
        """The picture."""
        most = max(b["value"] for b in self.boxes)
        for box in self.boxes:
            box["step"] = heat_step(box["value"], most, self.ratio)
        steps = [nanoseconds(most * self.ratio ** (s - colours.STEPS + .001))
                 if s else "less" for s in range(colours.STEPS)]
        name = min(LABEL, 8 + 7.4 * max(map(len, self.columns))) \
            if self.turn else 0
        cell = min(max(64.0, name),
                   (WIDTH - self.left - 60) / len(self.columns))
        wide, high = cell * len(self.columns), 19 * len(self.rows)
        down = 40 if name <= cell else 38 + name
        bottom = {"scale": "column", "orient": "bottom", "ticks": False,
                  "domain": False, "title": self.across, "labelLimit": LABEL,
                  "labelOverlap": not self.turn}
        if name > cell:
            bottom.update(labelAngle=-90, labelAlign="right",
                          labelBaseline="middle")
        elif self.turn:
            pass
        elif cell < 44:
            bottom["values"] = self.columns[::2]
        return Chart(
            self.title, self.about, wide, high,
            (self.left, WIDTH - self.left - wide, 36, down),
            data=[{"name": "boxes", "values": self.boxes}],
            scales=[
                {"name": "row", "type": "band", "domain": self.rows,
                 "range": [0, high], "padding": 0.08},
                {"name": "column", "type": "band", "domain": self.columns,
                 "range": [0, wide], "padding": 0.02},
                {"name": "heat", "type": "ordinal",
                 "domain": list(range(colours.STEPS)),
                 "range": [f"$heat{i}" for i in range(colours.STEPS)]},
                {"name": "ink", "type": "ordinal",
                 "domain": list(range(colours.STEPS)),
                 "range": [f"$ink{i}" for i in range(colours.STEPS)]},
                {"name": "steps", "type": "ordinal", "domain": steps,
                 "range": [f"$heat{i}" for i in range(colours.STEPS)]}],
            legends=[{"fill": "steps", "orient": "none", "legendX": 0,
                      "legendY": -34, "direction": "horizontal",
                      "symbolType": "square", "symbolSize": 180,
                      "title": self.what, "titleOrient": "left",
                      "titleLimit": 400, "padding": 0,
                      "symbolStrokeWidth": 0, "columnPadding": 12,
                      "columns": 6}],
            axes=[bottom, {"scale": "row", "orient": "left", "ticks": False,
                           "domain": False, "labelLimit": self.left - 14,
                           "labelOverlap": False}],
            marks=[
                {"type": "rect", "encode": {"update": {
                    "x": {"value": 0}, "y": {"value": 0},
                    "width": {"value": wide}, "height": {"value": high},
                    "fill": {"value": "$empty"}}}},
                {"type": "rect", "from": {"data": "boxes"}, "encode": {
                    "update": {
                        "x": {"scale": "column", "field": "column"},
                        "y": {"scale": "row", "field": "row"},
                        "width": {"scale": "column", "band": 1},
                        "height": {"scale": "row", "band": 1},
                        "fill": {"scale": "heat", "field": "step"},
                        "tooltip": {"field": "tip"}}}},
                {"type": "text", "name": "onbox", "interactive": False,
                 "from": {"data": "boxes"}, "encode": {"update": {
                     "x": {"scale": "column", "field": "column",
                           "band": 0.5},
                     "y": {"scale": "row", "field": "row", "band": 0.5},
                     "fill": {"scale": "ink", "field": "step"},
                     "fontSize": {"value": 10}, "align": {"value": "center"},
                     "baseline": {"value": "middle"},
                     "text": {"field": "text"} if cell >= 44
                     else {"value": ""}}}}])


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
    unit = "run" if results.study.program else "million operations"
    found = []
    for variant, arenas in blocks:
        most = sorted(arenas, key=lambda a: -sum(arenas[a]))[:16]
        found += [(variant, a, arenas[a]) for a in sorted(most)]
    made = Grid(
        f"Time waited, by arena and length of the wait ({point.label} "
        f"{results.study.axis})",
        "Darker is more time in total; time per million operations.",
        [f"{in_full(v)}: arena {a}" for v, a, _ in found],
        [tick_time(edge(i)) for i in range(first, last + 1)],
        "length of the wait, from", f"time waited per {unit}")
    for variant, arena, hist in found:
        ops = results.ops(variant, point)
        for i in range(first, last + 1):
            # The middle of a bucket counts.
            ns = hist[i] * edge(i) * 1.5 * results.per / ops
            if ns:
                name = f"{in_full(variant)}: arena {arena}"
                made.add(name, tick_time(edge(i)), ns, nanoseconds(ns),
                         f"{name}: waits of {nanoseconds(edge(i))} to "
                         f"{nanoseconds(edge(i + 1))} add up to about "
                         f"{nanoseconds(ns)} per {unit}")
    return made.chart()
