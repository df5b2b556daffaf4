# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The page of a recording: who waits for whom, how long, and when."""
import charts
import cmd_report
import each as single
import flame
import page
import view

ROWS = 24               # of a matrix or a time line; the rest is added up
BARS = 4000             # of a time line, the longest
REST = "others"


def shorten(found, rows, columns):
    """A pivot with at most ROWS rows and columns; the rest is one."""
    keep = [set(rows[:ROWS]), set(columns[:ROWS])]
    result = {}
    for place, (count, ns) in found.items():
        place = tuple(p if p in k else REST for p, k in zip(place, keep))
        entry = result.setdefault(place, [0, 0])
        entry[0] += count
        entry[1] += ns
    return result


def matrix(each, rows, columns, names):
    """Rows wait, columns are waited for; or as else it is grouped."""
    title = f"Time waited, {rows} by {columns}"
    found = single.pivot(each, rows, columns, names)
    if not found:
        return f"{title}: nobody waited for an arena's lock."
    down, across = (single.order(found, i, key)
                    for i, key in enumerate((rows, columns)))
    found = shorten(found, down, across)
    down, across = ([*keys[:ROWS], *([REST] if len(keys) > ROWS else [])]
                    for keys in (down, across))
    made = charts.Grid(title, "Darker is more time.", down, across, columns,
                       "time waited", 200, turn=True, ratio=2)
    for (row, column), (count, ns) in found.items():
        if ns:
            made.add(row, column, ns, charts.nanoseconds(ns),
                     f"{row}, {column}: {count} waits, "
                     f"{charts.nanoseconds(ns)} in all")
    return made.chart() if made.boxes else f"{title}: no wait took any time."


def lengths(each):
    """How long waits and holds are, as two curves of counts."""
    kinds = [("waits", "single", each.waits), ("holds", "cpu", each.holds)]
    kinds = [(name, series, single.histogram(entries))
             for name, series, entries in kinds if entries]
    if not kinds:
        return "Lengths of waits and holds: there were none."
    used = [n for _, _, found in kinds for n in found]
    first, last = min(used), max(max(used), min(used) + 2)
    made = charts.Curves(
        "Waits and holds by length", "A point is a power of two.",
        [(series, name) for name, series, _ in kinds], [""],
        [(i, charts.tick_time(charts.edge(i)))
         for i in range(first, last + 1)], "length, from", "how many")
    for name, series, found in kinds:
        for i in range(first, last + 1):
            made.add("", series, name, i, found.get(i, 0),
                     f"{charts.short(found.get(i, 0))} {name} of "
                     f"{charts.nanoseconds(charts.edge(i))} to "
                     f"{charts.nanoseconds(charts.edge(i + 1))}")
    return made.chart()


def timeline(each, names):
    """What each thread did when: waited, held a lock, was off its CPU."""
    bars = [("wait", "waiter", e) for e in each.waits] + \
        [("hold", "holder", e) for e in each.holds] + \
        [("off", "thread", e) for e in each.switches]
    if not bars:
        return "Time line: nothing was recorded one by one."
    busy = {}
    for kind, who, entry in bars:
        if kind != "off":
            busy[entry[who]] = busy.get(entry[who], 0) + entry["ns"]
    threads = sorted(busy, key=lambda t: -busy[t])[:ROWS]
    bars = [b for b in bars if b[2][b[1]] in threads]
    bars = sorted(bars, key=lambda b: -b[2]["ns"])[:BARS]

    def name(tid):
        known = names.get(str(tid))
        return f"{known}/{tid}" if known else str(tid)

    def told(kind, who, entry):
        took = charts.nanoseconds(entry["ns"])
        if kind == "off":
            return f"{name(entry[who])}: off its CPU for {took}, " + (
                "preempted" if entry["preempted"] else "asleep")
        where = f"arena {entry['arena']}, {entry['size']} bytes"
        if kind == "hold":
            return f"{name(entry[who])}: held {where} for {took}"
        return f"{name(entry[who])}: waited {took} for {where}, held by " \
            f"{name(entry['holder'])}"

    rows = [{"thread": name(e[who]), "kind": kind, "from": e["at"] / 1e9,
             "to": (e["at"] + e["ns"]) / 1e9, "tip": told(kind, who, e)}
            for kind, who, e in bars]
    kinds = [k for k in ("wait", "hold", "off")
             if any(r["kind"] == k for r in rows)]
    words = {"wait": "waits for an arena", "hold": "holds an arena",
             "off": "off its CPU"}
    left, row = 170, 22
    wide, high = charts.WIDTH - left - 24, row * len(threads)
    whole = [0, max(r["to"] for r in rows)]
    place = {"off": (0.72, 0.18), "hold": (0.4, 0.3), "wait": (0.08, 0.3)}
    return charts.Chart(
        "Who waits, holds and sleeps when",
        "Shift and the wheel zoom, dragging moves.", wide, high,
        (left, 24, 34, 44),
        data=[{"name": "bars", "values": rows}],
        signals=charts.zoom("x", whole, wide, "x()"),
        scales=[
            {"name": "x", "type": "linear", "zero": False, "nice": False,
             "domain": {"signal": "xshown"}, "range": [0, wide]},
            {"name": "row", "type": "band", "range": [0, high],
             "domain": [name(t) for t in threads]},
            {"name": "kinds", "type": "ordinal", "domain": kinds,
             "range": [f"${k}" for k in kinds]},
            {"name": "names", "type": "ordinal",
             "domain": [words[k] for k in kinds],
             "range": [f"${k}" for k in kinds]},
            {"name": "top", "type": "ordinal", "domain": kinds,
             "range": [place[k][0] * row for k in kinds]},
            {"name": "tall", "type": "ordinal", "domain": kinds,
             "range": [place[k][1] * row for k in kinds]}],
        legends=[{"fill": "names", "orient": "none", "legendX": 0,
                  "legendY": -28, "direction": "horizontal", "padding": 0,
                  "symbolType": "square", "symbolSize": 160,
                  "columns": 3, "columnPadding": 16,
                  "symbolStrokeWidth": 0}],
        axes=[{"scale": "x", "orient": "bottom", "title": "seconds",
               "tickCount": 8, "grid": True, "format": "~g"},
              {"scale": "row", "orient": "left", "ticks": False,
               "domain": False, "labelOverlap": False,
               "labelLimit": left - 12}],
        marks=[{"type": "group", "clip": True, "encode": {"update": {
            "width": {"value": wide}, "height": {"value": high}}},
            "marks": [{"type": "rect", "from": {"data": "bars"}, "encode": {
                "update": {
                    "x": {"scale": "x", "field": "from"},
                    "width": {"signal": "max(1, scale('x', datum.to) - "
                              "scale('x', datum.from))"},
                    "y": {"signal": "scale('row', datum.thread) + "
                          "scale('top', datum.kind)"},
                    "height": {"scale": "tall", "field": "kind"},
                    "fill": {"scale": "kinds", "field": "kind"},
                    "tooltip": {"field": "tip"}}}}]}])


class Recorded(page.Part):
    """A recording."""

    def __init__(self, recorded, each, rows, columns, callers):
        super().__init__("Waits for arenas' locks of " +
                         " ".join(recorded["program"]))
        self.callers = callers
        names = recorded["names"]
        total = sum(w["ns"] for w in each.waits)
        self.about = [f"Process {recorded['pid']}, {recorded['seconds']:.1f} "
                      f"s, recorded with {recorded['tracer']}."]
        self.top = [self._answer(each, names, total)]
        if recorded["lost"]:
            self.banner = [f"{recorded['lost']} events were lost: what is "
                           "here is a part of what happened."]
        if each.left_out:
            self.banner.append(f"{each.left_out} events beyond the first "
                               f"{single.MOST} of a kind are left out.")
        self.section("who", "Who waits for whom")
        self.figure("matrix", matrix(each, rows, columns, names),
                    f"Rows are what waited, by {rows}; columns, by "
                    f"{columns}. `pmalloc report --rows --columns` groups by "
                    "others.")
        for a, b in (("waiter", "arena"), ("size", "arena"),
                     ("caller", "holder"), ("time", "arena")):
            if (a, b) != (rows, columns) and (a != "caller" or callers):
                self.figure(f"matrix-{a}-{b}", matrix(each, a, b, names),
                            f"The same, {a} by {b}.")
        self.section("lengths", "How long")
        self.figure("lengths", lengths(each), "Waits, and holds if they "
                    "were recorded (`pmalloc record --holds`): a hold is "
                    "from taking an arena's lock to letting it go.")
        self.section("when", "When")
        self.figure("timeline", timeline(each, names), "The threads that "
                    "waited or held most, at most "
                    f"{ROWS}, and their {BARS} longest spans; shift and the "
                    "wheel zoom.")
        if callers:
            self.section("where", "Where they wait")
            self.figure("callers", flame.draw(
                "Callers that waited for arenas' locks", callers, "ns",
                f"all: {charts.nanoseconds(total)}"),
                "Time waited by the call that led there.")

    def changed(self, before, rows, then):
        """Against an earlier recording, whose stacks are @then."""
        self.section("changed", "What changed")
        self.text("Earlier: %s, process %d, %.1f s. %s" % (
            " ".join(before["program"]), before["pid"], before["seconds"],
            cmd_report.SURE))
        self.table(("arena", "size", "waits a second before", "after",
                    "waiting a second before", "after"),
                   [(arena, view.size(size), view.scaled(w0), view.scaled(w1),
                     charts.nanoseconds(ns0), charts.nanoseconds(ns1))
                    for (arena, size), w0, w1, ns0, ns1 in rows[:ROWS]],
                   (0, 1, 2, 3, 4, 5))
        if self.callers and then:
            self.figure("flame-diff", flame.draw_difference(
                "Callers, before and after", then, self.callers, "ns",
                "all"), "As wide as in the later recording; the colour says "
                "whether a caller's share of the time waited grew.")
        else:
            self.note("No differential flame graph: `pmalloc record -g` "
                      "records callers, and both need them.")

    @staticmethod
    def _answer(each, names, total):
        if not each.waits:
            return "No thread waited for an arena's lock."
        found = single.pivot(each, "waiter", "holder", names)
        (waiter, holder), (count, ns) = max(found.items(),
                                            key=lambda f: f[1][1])
        return f"{len(each.waits)} waits, {charts.nanoseconds(total)} in " \
            f"all; most, {view.share(ns, total)} % of the time, {waiter} " \
            f"for {holder}: {count} waits, {charts.nanoseconds(ns)}."
