# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a study found, in words, computed from its figures.

Two cells differ when their ranges over all rounds do not overlap; otherwise
the study says that it saw no difference, however far apart the medians are.
"""
import re

import data
from charts import nanoseconds, short


def name_of(variant):
    """A variant in words."""
    return f"{variant.label}, {variant.panel}" if variant.panel \
        else variant.label


def apart(a, b):
    """Do two values differ by more than their spread?"""
    return a.low > b.high or b.low > a.high


def times(a, b):
    """How many times @b @a is, in words."""
    ratio = a.median / b.median
    return f"{ratio:.2f} times" if ratio < 10 else f"{ratio:.0f} times"


def compare(a, b):
    """Throughput @a against @b in words."""
    if not apart(a, b):
        return "no difference that this study could see " \
            f"({short(a.median)} and {short(b.median)}, ranges overlap)"
    return f"{times(a, b)} the throughput, {short(a.median)} against " \
        f"{short(b.median)}"


# What things cost in CPU time, nanoseconds, roughly: enough to tell a count
# that limits a program from one that it would not notice.
LOCK_NS = 25            # a lock that is free: two atomic operations, the list
HELD_NS = 100           # one that is held: its line travels; the next arena
WAIT_NS = 2000          # a wait: often two system calls
# What a study measures (costs.py); for one of the time before it did:
MEASURED = {
    "sleep_ns": WAIT_NS,    # to go to sleep, to be woken, another thread
    "fault_ns": 700,        # a page fault, and clearing the page
}
MATTERS = 0.05          # the share of the CPU time from which on it matters


class Findings:
    """Sentences and a table about one study."""

    def __init__(self, results):
        self.r = results
        self.points = results.study.points
        self.last = self.points[-1]
        self.cpus = results.machine["cpus"]
        self.ns = {**MEASURED, **results.costs}
        self.unit = "runs" if results.study.program else "operations"

    # ---- figures of a cell ----------------------------------------------

    def median(self, name, variant, point):
        """A median, or None."""
        value = self.r.value(name, variant, point)
        return value.median if value else None

    def waiting_share(self, variant, point):
        """Share of the threads' time that they waited for arenas' locks."""
        shares = []
        for run in self.r.cell(variant, point):
            report = run.get("pmalloc")
            if report:
                waited = sum(a["wait_ns"] for a in report["arenas"])
                shares.append(waited / 1e9 / run["seconds"] /
                              run["threads"])
        return sorted(shares)[len(shares) // 2] if shares else None

    def contended_share(self, variant, point):
        """Share of acquisitions that found the lock held."""
        contended = self.median("contended", variant, point)
        acquired = self.median("acquired", variant, point)
        if contended is None or not acquired:
            return None
        return contended / (acquired + contended)

    def at(self, point):
        """A point in words."""
        axis = self.r.study.axis
        if axis == "threads" and point.label == "1":
            axis = "thread"
        return f"{point.label} {axis}"

    # ---- the first limit ------------------------------------------------

    def turn(self, variant):
        """The point from which on throughput no longer grows, or None.

        Over threads: the first point that no later one exceeds by a tenth.
        Over anything else: the first that is a fifth below the best so far.
        """
        values = [(p, v) for p in self.points
                  if (v := self.r.value("rate", variant, p))]
        if self.r.study.axis == "threads":
            for i, (point, value) in enumerate(values[:-1]):
                if all(v.median < 1.1 * value.median
                       for _, v in values[i + 1:]):
                    return point
            return None
        best = None
        for point, value in values:
            if best and value.median < 0.8 * best.median and \
                    apart(value, best):
                return point
            if not best or value.median > best.median:
                best = value
        return None

    def cpu_ns(self, variant, point):
        """CPU time of all threads for a unit of work, or None."""
        spent = [(r.get("user", 0) + r.get("system", 0)) * 1e9 *
                 self.r.per / r["ops"] for r in self.r.cell(variant, point)]
        spent = sorted(n for n in spent if n > 0)
        return spent[len(spent) // 2] if spent else None

    def costs(self, variant, point):
        """{what: share of the CPU time that it costs, roughly}."""
        cpu = self.cpu_ns(variant, point)

        # A hold that was made longer costs that, too.
        longer = re.search(r"delay=arena:(\d+)ns", point.options)
        lock = LOCK_NS + (int(longer.group(1)) if longer else 0)

        def count(name):
            return self.median(name, variant, point) or 0

        if not cpu:
            return {}
        waited = count("waited")
        slept = min(waited, count("slept"))
        held = count("contended") + count("free_busy") - waited
        return {
            "locks": count("acquired") * lock / cpu,
            "meeting": (slept * self.ns["sleep_ns"] +
                        (waited - slept) * WAIT_NS +
                        max(0, held) * HELD_NS) / cpu,
            "faults": count("faults") * self.ns["fault_ns"] / cpu,
        }

    def costs_text(self):
        """What one of each is taken to cost, in words."""
        when = "as measured on this machine when the study began" \
            if self.r.costs else "not measured when this study was made"
        return f"roughly {LOCK_NS} ns for an acquisition, {HELD_NS} ns for " \
            f"a lock that is held and {WAIT_NS} ns for a wait that does " \
            f"not sleep; and, {when}, " \
            f"{self.ns['sleep_ns']} ns for a wait that sleeps and " \
            f"{self.ns['fault_ns']} ns for a page fault"

    def idles(self, share, point):
        """Do so many threads wait that CPUs have nothing to do?"""
        return point.threads * (1 - share) < min(self.cpus, point.threads)

    def limit(self, variant):
        """What limits a variant first, in words, with the evidence.

        With more threads than CPUs a thread that waits leaves its CPU to
        another; its waiting is then a limit only if none is left to run, or
        if meeting at the lock costs CPU time.
        """
        point = self.last
        cost = self.costs(variant, point)
        share = self.waiting_share(variant, point) or 0
        meeting = cost.get("meeting", 0) >= MATTERS
        if share >= 0.05 and (meeting or self.idles(share, point)):
            return f"waiting for arenas' locks: {100 * share:.0f} % of the " \
                "threads' time; " + self._held_text(variant)
        if meeting:
            return "meeting at arenas' locks: " + self._held_text(variant)
        if cost.get("locks", 0) >= MATTERS:
            acquired = self.median("acquired", variant, point)
            contended = self.contended_share(variant, point) or 0
            return f"taking locks at all: {self._each(acquired)}, " \
                f"{100 * contended:.1f} % of them contended"
        if cost.get("faults", 0) >= MATTERS:
            faults = self.median("faults", variant, point)
            return f"page faults: {short(faults)} {self.per_text()}"
        return self._not_the_allocator(variant, share)

    def _each(self, acquired):
        if self.r.study.program:
            return f"{short(acquired)} acquisitions per run"
        return f"{acquired / self.r.per:.2f} acquisitions per operation"

    def _held_text(self, variant):
        contended = self.contended_share(variant, self.last) or 0
        text = f"{100 * contended:.1f} % of acquisitions find the lock held"
        futex = self.median("futex", variant, self.last)
        if futex:
            text += f", {short(futex)} futex calls {self.per_text()}"
        return text

    def _not_the_allocator(self, variant, share):
        """What a variant says whose locks and faults cost next to nothing."""
        acquired = self.median("acquired", variant, self.last)
        locks = "" if acquired is None else \
            f"{short(acquired)} acquisitions {self.per_text()}"
        if self.r.study.axis == "threads" and len(self.points) > 1:
            turn = self.turn(variant)
            if turn and turn.threads >= self.cpus:
                text = f"the CPUs: no more than {self.cpus} threads run at " \
                    "a time"
                if share >= 0.05:
                    text += f"; one that waits for a lock ({100 * share:.0f}" \
                        " % of the time) leaves its CPU to others"
                return text
            if turn and locks:
                return f"not the arenas' locks ({locks}): the workload " \
                    f"itself stops growing at {self.at(turn)}"
            if not turn:
                return "none up to " + self.at(self.last) + \
                    ": throughput still grows"
        if variant.peer:
            return "not known: a peer does not report its locks"
        if locks:
            return f"not the arenas' locks ({locks})"
        return "none of what was counted"

    def per_text(self):
        """What figures are relative to."""
        return "per run" if self.r.study.program else \
            "per million operations"

    def hot_class(self, variant):
        """The class that waits most, in words, or a dash."""
        classes = self.r.classes(variant, self.last)
        total = sum(c["wait_ns"] for c in classes)
        what = "the waiting"
        if total:
            top = classes[0]
            part = top["wait_ns"] / total
        else:
            classes = sorted(classes, key=lambda c: -c["contended"])
            total = sum(c["contended"] for c in classes)
            if not total:
                return "none"
            top = classes[0]
            part = top["contended"] / total
            what = "the contended acquisitions"
        return f"{top['size']} bytes (class {top['class']}): " \
            f"{100 * part:.0f} % of {what}"

    def helps(self, variant):
        """Which other variant of pmalloc is really faster at the end."""
        own = self.r.value("rate", variant, self.last)
        best = None
        for other in self.r.ours():
            value = self.r.value("rate", other, self.last)
            if value and own and value.median > own.median and \
                    apart(value, own) and \
                    (best is None or value.median > best[1].median):
                best = (other, value)
        if not own:
            return "not measured"
        if not best:
            return "none of those measured"
        return f"{name_of(best[0])}: {times(best[1], own)} the throughput"

    def table(self):
        """Rows: variant, throughput, first limit, class, what would help."""
        rows = []
        for variant in self.r.study.variants:
            value = self.r.value("rate", variant, self.last)
            if not value:
                continue
            ours = not variant.peer
            rows.append((
                variant, f"{short(value.median)} "
                f"({short(value.low)} to {short(value.high)})",
                self.scaling(variant), self.limit(variant),
                self.hot_class(variant) if ours else "",
                self.helps(variant) if ours else ""))
        return rows

    def scaling(self, variant):
        """How far throughput grows, in words."""
        turn = self.turn(variant)
        values = [(p, v) for p in self.points
                  if (v := self.r.value("rate", variant, p))]
        if len(values) < 2:
            return ""
        if self.r.study.axis != "threads":
            return f"falls at {turn.label}" if turn else "does not turn"
        top = max(values, key=lambda pv: pv[1].median)
        gain = top[1].median / values[0][1].median
        if gain < 1.1:
            return f"highest at {values[0][0].label}"
        return f"×{gain:.1f} from {values[0][0].label} to {top[0].label}"

    # ---- sentences ------------------------------------------------------

    def pair(self, policy, magazine):
        """The variant of that policy, or None."""
        for variant in self.r.ours():
            if (variant.policy, variant.magazine) == (policy, magazine):
                return variant
        return None

    def _where(self):
        return f"At {self.at(self.last)}" \
            if self.r.study.axis != "program" else "In this program"

    def best_sentence(self):
        """Who is fastest at the end."""
        rated = [(v, value) for v in self.r.study.variants
                 if (value := self.r.value("rate", v, self.last))]
        ours = [x for x in rated if not x[0].peer]
        peers = [x for x in rated if x[0].peer]
        if not ours:
            return
        best = max(ours, key=lambda x: x[1].median)
        yield f"{self._where()} the fastest variant of pmalloc is " \
            f"{name_of(best[0])} with {short(best[1].median)} " \
            f"{self.r.metrics['rate'].unit} (range {short(best[1].low)} " \
            f"to {short(best[1].high)})."
        if peers:
            peer = max(peers, key=lambda x: x[1].median)
            yield f"Against the fastest peer there, {peer[0].label}: " \
                f"{compare(best[1], peer[1])}."

    def policy_sentences(self):
        """One lock against arenas, magazines against none."""
        single = self.pair("single", "off")
        for other in ("thread", "pool", "cpu"):
            variant = self.pair(other, "off")
            if single and variant:
                a = self.r.value("rate", variant, self.last)
                b = self.r.value("rate", single, self.last)
                if a and b:
                    yield f"Without magazines, policy {other} against one " \
                        f"lock: {compare(a, b)}."
        for policy in ("single", "cpu"):
            on, off = self.pair(policy, "on"), self.pair(policy, "off")
            if not on or not off:
                continue
            a = self.r.value("rate", on, self.last)
            b = self.r.value("rate", off, self.last)
            if a and b:
                text = f"Policy {policy}, magazines on against off: " \
                    f"{compare(a, b)}"
                x = self.median("acquired", on, self.last)
                y = self.median("acquired", off, self.last)
                if x is not None and y:
                    text += "; acquisitions of locks " \
                        f"{self.per_text()}: {short(x)} and {short(y)}"
                yield text + "."

    def memory_sentence(self):
        """Who needs how much memory at the end."""
        rated = sorted(
            ((value.median, v) for v in self.r.study.variants
             if (value := self.r.value("memory", v, self.last))),
            key=lambda x: x[0])
        if len(rated) < 2:
            return
        least, most = rated[0], rated[-1]
        default = [m for m, v in rated if v == self.r.study.variants[0]]
        text = f"{self._where()} peak memory is least with " \
            f"{name_of(least[1])} ({short(least[0])} MiB) and most with " \
            f"{name_of(most[1])} ({short(most[0])} MiB)"
        if default and self.r.study.variants[0] not in (least[1], most[1]):
            text += f"; {name_of(self.r.study.variants[0])}: " \
                f"{short(default[0])} MiB"
        yield text + "."

    def long_wait_sentences(self):
        """How much of the waiting is for holders that lost their CPU."""
        for variant in self.r.ours():
            hist = self.r.histogram(variant, self.last)
            if not hist or sum(hist) < 20:
                continue
            weight = [n * 2.0 ** i for i, n in enumerate(hist)]
            share = sum(weight[20:]) / sum(weight)
            count = sum(hist[20:]) / sum(hist)
            if share >= 0.5:
                yield f"With {name_of(variant)}, {100 * share:.0f} % of the " \
                    f"time waited is in {short(100 * count)} % of the waits, those " \
                    "of a millisecond or more: the holder had lost its CPU."

    def prediction_sentences(self):
        """The model against what was measured."""
        for variant in self.r.ours():
            off = []
            for point in self.points:
                expected = self.r.predicted(variant, point)
                value = self.r.value("rate", variant, point)
                if expected and value and point.x:
                    off.append((value.median / expected - 1, point, value,
                                expected))
            if not off:
                continue
            worst = max(off, key=lambda o: abs(o[0]))
            _, point, value, expected = off[-1]
            yield f"{name_of(variant)}: at {point.label} " \
                f"{self.r.study.axis} {short(expected)} were predicted and " \
                f"{short(value.median)} measured (range " \
                f"{short(value.low)} to {short(value.high)}); the largest " \
                f"difference is {100 * worst[0]:+.0f} %, at " \
                f"{worst[1].label}."

    def stack_sentences(self):
        """Where threads wait, from the call graphs."""
        for stack in self.r.stacks:
            if stack["kind"] != "waiting" or not stack["total"]:
                continue
            variant = next(v for v in self.r.study.variants
                           if v.id == stack["variant"])
            share = stack["allocator"] / stack["total"]
            ends = stack["allocator_by_end"]
            wanting = sum(n for end, n in ends.items()
                          if end.startswith("wants"))
            text = f"Of the time that threads were off a CPU with " \
                f"{name_of(variant)}, {100 * share:.0f} % was inside the " \
                f"allocator ({nanoseconds(stack['allocator'])} of " \
                f"{nanoseconds(stack['total'])})"
            if stack["allocator"]:
                text += f"; {100 * wanting / stack['allocator']:.0f} % of " \
                    "that they were not asleep but preempted"
            yield text + "."

    def noise_sentences(self):
        """Which cells to distrust, and which failed."""
        wide = []
        for variant in self.r.study.variants:
            for point in self.points:
                value = self.r.value("rate", variant, point)
                if value and value.spread() > 0.25:
                    wide.append((value.spread(), variant, point))
        if wide:
            spread, variant, point = max(wide, key=lambda w: w[0])
            count = len(self.r.study.variants) * len(self.points)
            yield f"{len(wide)} of {count} cells spread by more than a " \
                f"quarter to either side, {name_of(variant)} at " \
                f"{self.at(point)} most " \
                f"({100 * spread:.0f} %): do not read small differences " \
                "there. A machine that does nothing else, or more rounds, " \
                "narrows them."
        cells = {(f["variant"], f["point"]): f["failed"]
                 for f in self.r.failures}
        for (variant, point), why in cells.items():
            yield f"Failed: {variant} at {point}: {why}."
        disturbed = [r for r in self.r.runs
                     if r.get("others", 0) >= data.DISTURBED]
        if disturbed:
            yield f"Others used more than {100 * data.DISTURBED:.0f} % " \
                f"of the CPUs during {len(disturbed)} of " \
                f"{len(self.r.runs)} runs, also when these were " \
                "repeated; they do not count in cells that have two " \
                "runs without."
        if self.r.rounds() < 3:
            yield f"Only {self.r.rounds()} round(s): ranges mean little."

    def sentences(self):
        """All of them."""
        found = []
        for part in (self.best_sentence, self.policy_sentences,
                     self.prediction_sentences, self.memory_sentence,
                     self.long_wait_sentences, self.stack_sentences, self.noise_sentences):
            found += list(part())
        return found
