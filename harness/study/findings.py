# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a study found, in words, computed from its figures.

Counts are told as they are. What compares throughput or memory is a claim: it
is made only when judge.py finds the difference real, and none is made at all
while there are doubts about the whole study.
"""
import re

import data
import judge
from charts import nanoseconds, short


def name_of(variant):
    """A variant in words."""
    return f"{variant.label}, {variant.panel}" if variant.panel \
        else variant.label


def factor(ratio):
    """A ratio in words."""
    if 0.995 <= ratio < 10:
        return f"{ratio:.2f} times"
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def times(verdict):
    """How many times as much it is, and how sure that is, in words."""
    if verdict.low == verdict.high:
        return factor(verdict.ratio)
    low, high = (f"{x:.3g}" for x in (verdict.low, verdict.high))
    return f"{factor(verdict.ratio)} ({low} to {high})"


def chance(p):
    """A probability in words."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


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
        self.judge = judge.Judge(results)
        self.doubts = judge.doubts(results)

    # ---- what may be claimed ---------------------------------------------

    def claims(self):
        """May this page compare at all?"""
        return not self.doubts

    def versus(self, a, b, name="rate"):
        """The verdict on two variants at the last point."""
        return self.judge.of(name, (a, self.last), (b, self.last))

    def compare(self, a, b):
        """Throughput of variant @a against @b in words, or None."""
        x, y = (self.r.value("rate", v, self.last) for v in (a, b))
        verdict = self.versus(a, b)
        if not x or not y or not verdict.judged:
            return None
        figures = f"{short(x.median)} against {short(y.median)}"
        if not verdict.differs:
            return "no difference that this study could see " \
                f"({figures}, {chance(verdict.adjusted)})"
        return f"{times(verdict)} the throughput, {figures}"

    def faster(self, variant, others):
        """Those of @others that are really faster, the fastest first."""
        found = [(v.ratio, other) for other in others
                 if (v := self.versus(other, variant)).differs and
                 v.ratio > 1]
        return [other for _, other in sorted(found, key=lambda f: -f[0])]

    # ---- figures of a cell ----------------------------------------------

    def median(self, name, variant, point):
        """A median, or None."""
        value = self.r.value(name, variant, point)
        return value.median if value else None

    def waiting_share(self, variant, point):
        """Share of the threads' time that they waited for arenas' locks."""
        shares = []
        for run in self.r.cell(variant, point):
            waited = data.waited_ns(run)
            if waited is not None:
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
        beyond = f" on {self.cpus} CPUs" if self.beyond(point) else ""
        return f"{point.label} {axis}{beyond}"

    def beyond(self, point):
        """Are there more threads than CPUs, so that they take turns?"""
        return self.r.study.axis == "threads" and point.threads > self.cpus

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
            if best and value.median < 0.8 * best[1].median and \
                    self.judge.of("rate", (variant, point),
                                  (variant, best[0])).differs:
                return point
            if not best or value.median > best[1].median:
                best = point, value
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
        if self.median("waited", variant, point) is None:
            # Who does not tell of its locks is known by its system calls: one
            # that goes to sleep, one that wakes.
            waited = slept = count("futex") / 2
        held = count("contended") + count("free_busy") - waited
        share = self.waiting_share(variant, point) or 0
        return {
            "waiting": share if self.idles(share, point) else 0,
            "meeting": (slept * self.ns["sleep_ns"] +
                        (waited - slept) * WAIT_NS +
                        max(0, held) * HELD_NS) / cpu,
            "locks": count("acquired") * lock / cpu,
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

        One rule for all: what costs most, if that is a twentieth; else the
        CPUs, if throughput stops growing where they are all busy. With more
        threads than CPUs a thread that waits leaves its CPU to another; its
        waiting is then a cost only if none is left to run, and meeting at
        the lock is one by the CPU time that it takes.
        """
        cost = self.costs(variant, self.last)
        what = max(cost, key=cost.get, default=None)
        if what is None or cost[what] < MATTERS:
            return self._not_the_allocator(variant)
        words = {
            "waiting": "waiting for arenas' locks: "
                       f"{100 * cost['waiting']:.0f} % of the threads' time; ",
            "meeting": "meeting at locks: ",
            "locks": "taking locks at all: ",
            "faults": "page faults: "}[what]
        if what == "locks":
            acquired = self.median("acquired", variant, self.last)
            contended = self.contended_share(variant, self.last) or 0
            return words + f"{self._each(acquired)}, " \
                f"{100 * contended:.1f} % of them contended"
        if what == "faults":
            faults = self.median("faults", variant, self.last)
            return words + f"{short(faults)} {self.per_text()}"
        return words + self._held_text(variant)

    def _each(self, acquired):
        if self.r.study.program:
            return f"{short(acquired)} acquisitions per run"
        return f"{acquired / self.r.per:.2f} acquisitions per operation"

    def _held_text(self, variant):
        said = []
        contended = self.contended_share(variant, self.last)
        if contended is not None:
            said.append(f"{100 * contended:.1f} % of acquisitions find the "
                        "lock held")
        futex = self.median("futex", variant, self.last)
        if futex:
            said.append(f"{short(futex)} futex calls {self.per_text()}")
        return ", ".join(said)

    def _not_the_allocator(self, variant):
        """What a variant says whose locks and faults cost next to nothing."""
        acquired = self.median("acquired", variant, self.last)
        locks = "" if acquired is None else \
            f" ({short(acquired)} acquisitions {self.per_text()})"
        if self.r.study.axis == "threads" and len(self.points) > 1 and \
                self.claims() and not self.growth():
            turn = self.turn(variant)
            if turn and turn.threads >= self.cpus:
                return "the CPUs: no more than " \
                    f"{self.cpus} threads run at a time" + \
                    self._waiting_text(variant)
            if turn:
                return f"nothing that was counted{locks}: the workload " \
                    f"itself stops growing at {self.at(turn)}"
            return "none up to " + self.at(self.last) + \
                ": throughput still grows"
        if acquired is None and variant.peer:
            return "nothing that was counted; this peer does not tell of " \
                "its locks"
        return f"nothing that was counted{locks}"

    def _waiting_text(self, variant):
        share = self.waiting_share(variant, self.last) or 0
        return "" if share < 0.05 else \
            f"; one that waits for a lock ({100 * share:.0f}" \
            " % of the time) leaves its CPU to others"

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
        if not self.r.value("rate", variant, self.last):
            return "not measured"
        if not self.claims():
            return "not claimed"
        found = self.faster(variant, self.r.ours())
        if not found:
            return "none of those measured"
        verdict = self.versus(found[0], variant)
        return f"{name_of(found[0])}: {times(verdict)} the throughput"

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
        values = [(p, v) for p in self.points
                  if (v := self.r.value("rate", variant, p))]
        if len(values) < 2:
            return ""
        if not self.claims() or self.growth():
            return "not claimed"
        if self.r.study.axis != "threads":
            turn = self.turn(variant)
            return f"falls at {turn.label}" if turn else "does not turn"
        first = values[0][0]
        top = max(values, key=lambda pv: pv[1].median)[0]
        verdict = self.judge.of("rate", (variant, top), (variant, first))
        if not verdict.differs or verdict.ratio < 1.1:
            return f"not above that of {first.label}"
        return f"×{verdict.ratio:.1f} from {first.label} to {self.at(top)}"

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

    def rated(self, peers=None):
        """(variant, throughput at the end), the highest first."""
        found = [(v, value) for v in self.r.study.variants
                 if (value := self.r.value("rate", v, self.last)) and
                 peers in (None, bool(v.peer))]
        return sorted(found, key=lambda x: -x[1].median)

    def best_sentences(self):
        """Who is fastest at the end."""
        ours, peers = self.rated(False), self.rated(True)
        if not ours or not self.claims():
            return
        best, value = ours[0]
        equal = [v for v, _ in ours[1:] if not self.versus(best, v).differs]
        words = f"{short(value.median)} {self.r.metrics['rate'].unit} " \
            f"(range {short(value.low)} to {short(value.high)})"
        if len(equal) == len(ours) - 1 and equal:
            yield f"{self._where()} no variant of pmalloc is certainly " \
                f"faster than another; {name_of(best)} has {words}."
        elif equal:
            yield f"{self._where()} the fastest variants of pmalloc are " \
                f"{' and '.join(name_of(v) for v in (best, *equal))}, " \
                "which cannot be told apart; the first has " + words + "."
        else:
            yield f"{self._where()} the fastest variant of pmalloc is " \
                f"{name_of(best)} with {words}."
        said = self.compare(best, peers[0][0]) if peers else None
        if said:
            yield f"Against the fastest peer there, {peers[0][0].label}: " \
                f"{said}."

    def policy_sentences(self):
        """One lock against arenas, magazines against none."""
        single = self.pair("single", "off")
        for other in ("thread", "pool", "cpu"):
            variant = self.pair(other, "off")
            said = self.claims() and single and variant and \
                self.compare(variant, single)
            if said:
                yield f"Without magazines, policy {other} against one " \
                    f"lock: {said}."
        for policy in ("single", "cpu"):
            on, off = self.pair(policy, "on"), self.pair(policy, "off")
            if not on or not off:
                continue
            said = [self.claims() and self.compare(on, off),
                    self._acquired_text(on, off)]
            if any(said):
                yield f"Policy {policy}, magazines on against off: " + \
                    "; ".join(s for s in said if s) + "."

    def _acquired_text(self, on, off):
        x = self.median("acquired", on, self.last)
        y = self.median("acquired", off, self.last)
        if x is None or not y:
            return ""
        return f"acquisitions of locks {self.per_text()}: {short(x)} and " \
            f"{short(y)}"

    def memory_sentences(self):
        """Who needs how much memory at the end."""
        rated = sorted(
            ((value.median, v) for v in self.r.study.variants
             if (value := self.r.value("memory", v, self.last))),
            key=lambda x: x[0])
        if len(rated) < 2 or not self.claims():
            return
        least, most = rated[0], rated[-1]
        if not self.versus(most[1], least[1], "memory").differs:
            yield f"{self._where()} no variant certainly needs more memory " \
                f"at its peak than another ({short(least[0])} to " \
                f"{short(most[0])} MiB)."
            return
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
        for variant in self.r.ours() if self.claims() else ():
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
        disturbed = self.r.disturbed()
        if disturbed:
            yield f"Others used more than {100 * data.DISTURBED:.0f} % " \
                f"of the CPUs during {len(disturbed)} of " \
                f"{len(self.r.runs)} runs, also when these were " \
                "repeated; they do not count in cells that have two " \
                "runs without."

    def growth(self):
        """(times as much work, times as many threads) if a program's work
        grows with its threads although a run of it counts as one; or None.

        Work is counted by acquisitions where no magazine saves them, since
        waiting adds none; CPU time, where there is no such variant.
        """
        study = self.r.study
        if not study.program or study.per_thread or study.axis != "threads":
            return None
        first = self.points[0]
        more = self.last.threads / first.threads
        for name, variants in (
                ("acquired", [v for v in self.r.ours()
                              if v.magazine == "off"]),
                ("cpu_ms", study.variants)):
            ratios = [y / x for v in variants
                      if (x := self.median(name, v, first)) and
                      (y := self.median(name, v, self.last))]
            if ratios:
                least = min(ratios)
                return (least, more) if more >= 2 and least > 0.6 * more \
                    else None
        return None

    def warnings(self):
        """What has to be known before anything else, whatever the rest."""
        grown = self.growth()
        if grown:
            yield "The program's work grows with its threads: " \
                f"{grown[0]:.1f} times at {grown[1]:.3g} times the threads. " \
                "So a run of it is no measure over threads; if each thread " \
                "does the whole work, `--per-thread` says so."
        if self.beyond(self.last):
            yield f"There are {self.cpus} CPUs: beyond {self.cpus} threads " \
                "these take turns, and what is told of that is how they " \
                "share CPUs, not how a policy scales."

    # ---- the three sentences on top --------------------------------------

    def answer(self):
        """The answer: is the default right, and what would be better?"""
        if not self.claims():
            return "No answer yet: this study claims nothing about which " \
                "variant is faster."
        ours = [v for v, _ in self.rated(False)]
        if not ours:
            return "No run of pmalloc succeeded."
        default = next(v for v in self.r.ours() if v in ours)
        better = self.faster(default, ours)
        if better:
            return f"{self._where()} {name_of(better[0])} has " \
                f"{times(self.versus(better[0], default))} the throughput " \
                f"of {name_of(default)}{self._peer_text(better[0])}."
        worse = [v for v in reversed(ours) if default in
                 self.faster(v, [default])]
        if worse:
            return f"{self._where()} no policy that was measured is faster " \
                f"than {name_of(default)}, which has " \
                f"{times(self.versus(default, worse[0]))} the throughput " \
                f"of {name_of(worse[0])}{self._peer_text(default)}."
        return f"{self._where()} it makes no difference that could be seen " \
            "which arena policy is used" + self._peer_text(default) + "."

    def _peer_text(self, ours):
        peers = [v for v, _ in self.rated(True)]
        better = self.faster(ours, peers)
        if better:
            return f"; of the peers {better[0].label} has " \
                f"{times(self.versus(better[0], ours))} that"
        if peers and self.versus(ours, peers[0]).judged:
            return "; no peer is certainly faster"
        return ""

    def certainty(self):
        """How sure that is."""
        if self.doubts:
            return "How sure: not at all, for the reasons above."
        count = len(self.r.disturbed())
        calm = f"{count} of {len(self.r.runs)} runs disturbed" if count \
            else "no run disturbed"
        return f"How sure: {self.r.rounds()} rounds in shuffled order, " \
            f"{calm}; a difference counts when {judge.TEST} over the " \
            f"{self.judge.family} comparisons that this page can make, " \
            f"leaves less than {100 * judge.ERROR:.0f} % for an error in " \
            "any of them."

    def reason(self):
        """Why: the first limits of the default and of who waits most."""
        ours = [v for v in self.r.ours() if self.r.cell(v, self.last)]
        if not ours:
            return "Why: no figures."
        default = ours[0]
        other = max(ours, key=lambda v: (
            sum(self.costs(v, self.last).get(k, 0) for k in
                ("waiting", "meeting", "locks")), v is not default))
        text = f"Why: the first limit of {name_of(default)} is " \
            f"{self.limit(default)}"
        if other is not default:
            text += f"; that of {name_of(other)} is {self.limit(other)}"
        return text + "."

    def top(self):
        """The three sentences."""
        return [self.answer(), self.certainty(), self.reason()]

    def comparisons(self):
        """Rows: a, b, figure, ratio, corrected p, what that means."""
        for (name, a, b), v in self.judge.verdicts.items():
            if a[1] == b[1] and a[0] != b[0]:
                yield a[0], b[0], self.r.metrics[name].title, v

    def sentences(self):
        """All of them."""
        found = []
        for part in (self.best_sentences, self.policy_sentences,
                     self.prediction_sentences, self.memory_sentences,
                     self.long_wait_sentences, self.stack_sentences,
                     self.noise_sentences):
            found += list(part())
        return found
