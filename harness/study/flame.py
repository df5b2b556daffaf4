# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A flame graph: stacks as boxes, as wide as their weight.

It hangs: callers above, callees below, so that what a thread was waiting for
stands at the bottom edge and long names of callers stay at the top.
"""
import charts
from charts import nanoseconds, short

ROW = 18
LEAST = 0.001           # a share that has a box


class Node:
    """A frame with everything that was called from it."""

    def __init__(self, name):
        self.name = name
        self.weight = 0.0
        self.below = {}
        self.path = ()

    def add(self, frames, weight):
        """Add a stack below this frame."""
        self.weight += weight
        if frames:
            head = frames[0]
            self.below.setdefault(head, Node(head)).add(frames[1:], weight)


def tree(folded, whole):
    """The tree of folded stacks; rare stacks stay, thin ones are not drawn."""
    root = Node(whole)
    for frames, weight in folded:
        root.add(frames, weight)
    return root


def kind_of(name):
    """Which colour a frame has."""
    if name.startswith("asleep"):
        return "asleep"
    if name.startswith("wants a CPU"):
        return "wanting"
    if name.endswith("_[k]"):
        return "kernel"
    if name.endswith("_[a]"):
        return "allocator"
    if name.startswith(("__lll", "__futex", "pthread_", "__GI_", "syscall",
                        "clone", "start_thread", "__libc", "sem_", "_start",
                        "__new_sem", "_IO_", "___pthread", "__pthread")):
        return "libc"
    return "program"


def plain(name):
    """A frame's name without its mark."""
    return name.removesuffix("_[k]").removesuffix("_[a]")


def weight_text(weight, unit):
    """A weight as one says it."""
    return nanoseconds(weight) if unit == "ns" else f"{short(weight)} samples"


KINDS = (("program", "program"), ("libc", "C library"),
         ("allocator", "allocator"), ("kernel", "kernel"),
         ("asleep", "asleep"), ("wanting", "wants a CPU"))
CHANGES = (("more", "more than before"), ("less", "less than before"),
           ("same", "as much"))

# What a box has room for, of the part that is shown.
ROOM = f"min({charts.WIDTH - 28}, scale('x', datum.x1)) - " \
    "max(0, scale('x', datum.x0)) - 8"


def draw(title, folded, unit, whole):
    """The picture, or a sentence when there is nothing."""
    root = tree(folded, whole)
    if not root.weight:
        return f"{title}: no stacks were recorded."

    def tip(node):
        return f"{plain(node.name)}: {weight_text(node.weight, unit)}, " \
            f"{100 * node.weight / root.weight:.1f} %"

    return _chart(title, root, KINDS, lambda n: kind_of(n.name), tip,
                  "Callers above, callees below; a box is as wide as its "
                  "share.")


def changed(share, before):
    """Which colour a frame has whose share of all was @before."""
    if abs(share - before) < 0.005:
        return "same"
    return "more" if share > before else "less"


def draw_difference(title, before, after, unit, whole):
    """Stacks of now, coloured by whether their share grew or shrank.

    What has vanished has no box of its own: the frame that it was called from
    shows it as less. Shares and not weights are compared, since two runs
    need not be of equal length.
    """
    root, old = tree(after, whole), tree(before, whole)
    if not root.weight or not old.weight:
        return f"{title}: stacks of both were not recorded."
    was = {}

    def walk(node, path):
        was[path] = node.weight / old.weight
        for child in node.below.values():
            walk(child, path + (child.name,))

    walk(old, ())

    def tip(node):
        then, now = was.get(node.path, 0.0), node.weight / root.weight
        return f"{plain(node.name)}: {100 * now:.1f} % of all " \
            f"({weight_text(node.weight, unit)}), before {100 * then:.1f} %"

    return _chart(title, root, CHANGES, lambda n: changed(
        n.weight / root.weight, was.get(n.path, 0.0)), tip,
        "Stacks of the later run, as wide as their share; colours tell "
        "whether that grew.")


def _boxes(node, x, depth, least, kind, tip, found):
    found.append({"x0": x, "x1": x + node.weight, "depth": depth,
                  "kind": kind(node) if depth else "",
                  "name": plain(node.name), "tip": tip(node)})
    for child in sorted(node.below.values(), key=lambda n: -n.weight):
        if child.weight >= least:
            child.path = node.path + (child.name,)
            _boxes(child, x, depth + 1, least, kind, tip, found)
        x += child.weight


def _chart(title, root, kinds, kind, tip, about):
    """The boxes; a click on one makes it as wide as the picture."""
    boxes = []
    _boxes(root, 0.0, 0, LEAST * root.weight, kind, tip, boxes)
    used = {b["kind"] for b in boxes}
    shown = [k for k in kinds if k[0] in used]
    wide = charts.WIDTH - 28
    whole = [0, root.weight]
    return charts.Chart(
        title, about, wide, ROW * (1 + max(b["depth"] for b in boxes)),
        (14, 14, 30, 8),
        signals=[{"name": "shown", "value": whole, "on": [
            {"events": "@frames:click", "update": "[datum.x0, datum.x1]"},
            {"events": "dblclick", "update": str(whole)}]}],
        data=[{"name": "boxes", "values": boxes}],
        scales=[
            {"name": "x", "type": "linear", "zero": False, "nice": False,
             "domain": {"signal": "shown"}, "range": [0, wide]},
            {"name": "kinds", "type": "ordinal",
             "domain": ["", *(k for k, _ in shown)],
             "range": ["$empty", *(f"${k}" for k, _ in shown)]},
            {"name": "names", "type": "ordinal",
             "domain": [label for _, label in shown],
             "range": [f"${k}" for k, _ in shown]}],
        legends=[{"fill": "names", "orient": "none", "legendX": 0,
                  "legendY": -26, "direction": "horizontal",
                  "columns": len(shown), "symbolType": "square",
                  "symbolSize": 160, "columnPadding": 16, "padding": 0,
                  "symbolStrokeWidth": 0}] if shown else [],
        marks=[{"type": "group", "clip": True, "encode": {"update": {
            "width": {"value": wide}, "height": {"signal": "height"}}},
            "marks": [
                {"type": "rect", "name": "frames", "from": {"data": "boxes"},
                 "encode": {"update": {
                     "x": {"scale": "x", "field": "x0"},
                     "x2": {"scale": "x", "field": "x1"},
                     "y": {"signal": f"datum.depth * {ROW}"},
                     "height": {"value": ROW - 1},
                     "fill": {"scale": "kinds", "field": "kind"},
                     "stroke": {"value": "$ground"},
                     "strokeWidth": {"value": 0.6},
                     "cursor": {"value": "pointer"},
                     "tooltip": {"field": "tip"}}}},
                {"type": "text", "name": "onbox", "interactive": False,
                 "from": {"data": "boxes"}, "encode": {"update": {
                     "x": {"signal":
                           "max(0, scale('x', datum.x0)) + 4"},
                     "y": {"signal": f"datum.depth * {ROW} + {ROW / 2}"},
                     "baseline": {"value": "middle"},
                     "fontSize": {"value": 10.5}, "limit": {"signal": ROOM},
                     "text": {"signal": f"({ROOM}) < 24 ? '' : datum.name"},
                 }}}]}])
