# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A flame graph: stacks as boxes, as wide as their weight.

It hangs: callers above, callees below, so that what a thread was waiting for
stands at the bottom edge and long names of callers stay at the top.
"""
import svg
from charts import nanoseconds, short

WIDTH = 976
ROW = 18
LEAST = 0.003


class Node:
    """A frame with everything that was called from it."""

    def __init__(self, name):
        self.name = name
        self.weight = 0.0
        self.below = {}

    def add(self, frames, weight):
        """Add a stack below this frame."""
        self.weight += weight
        if frames:
            head = frames[0]
            self.below.setdefault(head, Node(head)).add(frames[1:], weight)

    def depth(self, least):
        """Rows below this one, of what is wide enough."""
        return 1 + max((n.depth(least) for n in self.below.values()
                        if n.weight >= least), default=0)


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


def cut(text, room):
    """As much of a text as fits."""
    if svg.width_of(text, 10.5) <= room:
        return text
    while len(text) > 3 and svg.width_of(text + "..", 10.5) > room:
        text = text[:-1]
    return text + ".." if len(text) > 3 else ""


def weight_text(weight, unit):
    """A weight as one says it."""
    return nanoseconds(weight) if unit == "ns" else f"{short(weight)} samples"


KINDS = (("program", "program"), ("libc", "C library"),
         ("allocator", "allocator"), ("kernel", "kernel"),
         ("asleep", "asleep"), ("wanting", "wants a CPU"))


def draw(title, folded, unit, whole):
    """The picture, or a sentence when there is nothing."""
    root = tree(folded, whole)
    if not root.weight:
        return f"{title}: no stacks were recorded."
    least = LEAST * root.weight
    height = 30 + ROW * root.depth(least) + 8
    pic = svg.Svg(WIDTH, height, title,
                  "Callers above, callees below; a box is as wide as its "
                  "share.")
    at = 14
    used = {kind_of(f) for frames, _ in folded for f in frames}
    for kind, label in KINDS:
        if kind not in used:
            continue
        pic.rect(at, 3, 14, 12, f"k-{kind}")
        pic.text(at + 20, 13, label, "ts")
        at += 40 + svg.width_of(label, 11)
    _boxes(pic, root, 14, 26, WIDTH - 28, root.weight, unit, least)
    return pic


def _boxes(pic, node, x, y, wide, total, unit, least):
    share = node.weight / total
    name = plain(node.name)
    # pic.rect would do; a group keeps the tip for the text as well.
    tip = f"{name}: {weight_text(node.weight, unit)}, {100 * share:.1f} %"
    pic.rect(x, y, max(wide - 0.4, 0.3), ROW - 1,
             f"fr k-{kind_of(node.name)}", tip)
    label = cut(name, wide - 6)
    if label:
        pic.text(x + 3, y + 12.5, label, "tf")
    for child in sorted(node.below.values(), key=lambda n: -n.weight):
        width = wide * child.weight / node.weight
        if child.weight >= least:
            _boxes(pic, child, x, y + ROW, width, total, unit, least)
        x += width
