# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a guest wrote about its runs: read it, and hold counters against events.

study-guest says how it is written. The allocator counts in its arenas, the
tracepoints are counted by tracefs; both count the same things on their own, so
where they differ one of them is wrong.
"""
import json
import re

ENTRY = re.compile(r"^\{ arena: +(-?\d+), class: +(\d+), count: ~ 2\^(\d+) +\} "
                   r"hitcount: +(\d+) +ns: +(\d+) +count: +(\d+)$")
TOTAL = re.compile(r"^ +(Hits|Dropped): (\d+)$")

# Figures of a run that are sums over its arenas.
SUMS = ("acquired", "contended", "waited", "wait_ns", "fallback_out",
        "fallback_in", "free_busy", "owner_switches", "local_free", "remote_in",
        "inbox_in", "batches_in", "batches_out", "heap_maps")


class Broken(Exception):
    """The guest's text is not what study-guest writes."""


class Histogram:
    """One event, counted by arena, class, and power of two of its count."""

    def __init__(self):
        self.entries = []   # (arena, class, log2 of count, hits, ns, count)
        self.hits = None
        self.dropped = None

    def line(self, text):
        """Take in a line of tracefs' histogram."""
        entry = ENTRY.match(text)
        if entry:
            self.entries.append(tuple(int(n) for n in entry.groups()))
            return
        total = TOTAL.match(text)
        if total:
            setattr(self, total.group(1).lower(), int(total.group(2)))
        elif text.startswith("{"):
            raise Broken(f"histogram entry not understood: {text}")

    def sum(self, field, arena=None, cls=None, batch=None):
        """Sum of hits, ns or count: of an arena, of a class; of batches or of
        single objects."""
        column = {"hits": 3, "ns": 4, "count": 5}[field]
        return sum(entry[column] for entry in self.entries
                   if (arena is None or entry[0] == arena) and
                   (cls is None or entry[1] == cls) and
                   (batch is None or (entry[2] > 0) == batch))


class Run:
    """A run: what was done, the allocator's report, a histogram per event."""

    def __init__(self, words):
        workload, policy, magazine, threads, ops = words
        self.what = {"workload": workload, "policy": policy,
                     "magazine": magazine, "threads": int(threads),
                     "ops": int(ops)}
        self.report = None
        self.events = {}

    def name(self):
        """How messages call it."""
        return "{workload} {policy} magazine={magazine} {threads}".format(
            **self.what)

    def total(self, figure):
        """Sum of a figure over the arenas."""
        return sum(arena[figure] for arena in self.report["arenas"])

    def dropped(self):
        """Events that tracefs had no place for."""
        return sum(event.dropped for event in self.events.values())

    def record(self):
        """The run as kernel.json has it."""
        return {**self.what, **{key: self.total(key) for key in SUMS},
                "arenas": len(self.report["arenas"]),
                "waiters_max": max(arena["waiters_max"]
                                   for arena in self.report["arenas"]),
                "wait_hist": [sum(bucket) for bucket in zip(
                    *(arena["wait_hist"] for arena in self.report["arenas"]))],
                "events_lost": self.dropped(),
                "events": {name: event.hits
                           for name, event in sorted(self.events.items())},
                "remote_objects": self.events["remote_free"].sum("count")}


def read(lines):
    """All runs in a guest's text; Broken says what is wrong with it."""
    runs, run, event = [], None, None
    for text in lines:
        text = text.rstrip("\r\n")
        word, _, rest = text.partition(" ")
        if word == "run":
            run, event = Run(rest.split()), None
        elif run is None:
            raise Broken(f"text outside of a run: {text[:80]}")
        elif word == "json":
            try:
                run.report = json.loads(rest)
            except ValueError as err:
                raise Broken(f"{run.name()}: report: {err}") from None
        elif word == "event":
            event = run.events[rest] = Histogram()
        elif word == "end":
            _whole(run)
            runs.append(run)
            run = None
        elif event is not None:
            event.line(text)
    if run is not None:
        raise Broken(f"{run.name()}: the text ends in the middle")
    return runs


def _whole(run):
    if run.report is None or not run.events:
        raise Broken(f"{run.name()}: no report or no events")
    for name, event in run.events.items():
        if event.hits is None or event.dropped is None:
            raise Broken(f"{run.name()}: histogram of {name} has no totals")
        if event.hits != event.sum("hits"):
            raise Broken(f"{run.name()}: entries of {name} do not add up")


def _pairs(run, where, figures, **place):
    """What is counted twice at one place: where, figure, counter, event, events."""
    waits, gone = run.events["arena_lock_contended"], run.events["arena_fallback"]
    yield where, "waited", figures["waited"], waits, waits.sum("hits", **place)
    yield where, "fallback_out", figures["fallback_out"], gone, gone.sum("hits", **place)
    if not waits.dropped:
        yield where, "wait_ns", figures["wait_ns"], waits, waits.sum("ns", **place)


def _arena_pairs(run, arena):
    number = arena["arena"]
    where = f"arena {number}"
    maps, remote = run.events["heap_map"], run.events["remote_free"]
    yield from _pairs(run, where, arena, arena=number)
    yield where, "heap_maps", arena["heap_maps"], maps, maps.sum("hits", number)
    yield (where, "inbox_in", arena["inbox_in"], remote,
           remote.sum("hits", number, batch=True))
    for cls in arena["classes"]:
        yield from _pairs(run, f"{where}, class {cls['class']}", cls, arena=number,
                          cls=cls["class"])


def _run_pairs(run):
    """What is counted twice about a run: name, counter, event."""
    yield "waited", run.total("waited"), run.events["arena_lock_contended"]
    yield "fallback_out", run.total("fallback_out"), run.events["arena_fallback"]
    yield "heap_maps", run.total("heap_maps"), run.events["heap_map"]
    yield "batches_out", run.total("batches_out"), run.events["magazine_refill"]
    yield "arenas", len(run.report["arenas"]), run.events["arena_create"]


def _books(arena):
    """What must add up among an arena's own figures; what does not, in words."""
    for figure in ("contended", "waited", "fallback_out", "free_busy"):
        total = sum(cls[figure] for cls in arena["classes"])
        if total != arena[figure]:
            yield f"{figure} is {arena[figure]}, over its classes {total}"
    if sum(arena["wait_hist"]) != arena["waited"]:
        yield f"{arena['waited']} waits, {sum(arena['wait_hist'])} in the histogram"
    if arena["contended"] < arena["waited"] + arena["fallback_out"]:
        yield (f"{arena['contended']} contended, but {arena['waited']} waited and "
               f"{arena['fallback_out']} went elsewhere")


def disagreements(run):
    """Where counters and events of a run differ, in words; nothing when they agree.

    Two CPUs that come to a new key of a histogram at the same time may lose an
    event; tracefs counts those. In all there must be as many events as counted,
    or counted and lost; at one place no more than the counter says, and no fewer
    than without all that were lost.

    Who finds a lock held and then, on the second try, free is contended and has
    no event. A free that finds it held leaves its object in the slab for the
    owner; without magazines there are no others that do.
    """
    found = []
    for arena in run.report["arenas"]:
        found += [f"arena {arena['arena']}: {text}" for text in _books(arena)]
        for where, figure, counter, event, events in _arena_pairs(run, arena):
            if not events <= counter <= events + event.dropped:
                found.append(f"{where}: {figure} is {counter}, by events {events}; "
                             f"{event.dropped} of all lost")
    for name, counter, event in _run_pairs(run):
        if counter != event.hits + event.dropped:
            found.append(f"{name}: {counter} in all, by events {event.hits} and "
                         f"{event.dropped} lost")
    home, busy = run.total("remote_in"), run.total("free_busy")
    remote = run.events["remote_free"]
    told = remote.sum("hits", batch=False)
    if not told <= home <= told + remote.dropped:
        found.append(f"remote_in is {home}, by events {told}; {remote.dropped} lost")
    if run.what["magazine"] == "off" and home != busy:
        found.append(f"{busy} frees found a lock held, {home} objects came home")
    return found
