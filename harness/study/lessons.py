# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The lessons: what each asks, what it runs, and what it explains.

A lesson is a question with its answers, arms that run in turns, and what is
measured in each. An arm is a workload of the bench with options of the library.
Each has a chapter in Documentation/lessons/ and a recorded run in recorded/,
both by its name; the book draws its figures from the recorded run.
"""
import dataclasses
import json
import math
import pathlib

import data
from common import Failure

RECORDED = pathlib.Path(__file__).resolve().parent / "recorded"
FORMAT = 1


# ---- what is measured ---------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of a run; @of has None where there is none."""

    title: str
    unit: str
    of: object


def _sum(run, key):
    return sum(arena.get(key, 0) for arena in run["pmalloc"]["arenas"])


def _per_million(run, key):
    return 1e6 * _sum(run, key) / max(1, _sum(run, "acquired"))


BETWEEN = ("trim", "retire", "fork")


def _own_call(of, workloads=BETWEEN):
    """A figure of workloads that time calls between their operations."""
    def found(run):
        return of(run) if run["samples"] and run["workload"] in workloads \
            else None
    return found


def _restarted(run):
    """Sections that the kernel restarted, where perf can count them."""
    return run["perf"].get("rseq:rseq_ip_fixup")


METRICS = {
    "time": Metric("Time of an operation", "ns",
                   lambda run: 1e9 * run["seconds"] / run["ops"]),
    "locks": Metric("Locks taken", "per million operations",
                    lambda run: 1e6 * _sum(run, "acquired") / run["ops"]),
    "held": Metric("Found held", "per million locks taken",
                   lambda run: _per_million(run, "contended")),
    "waited": Metric("Waited for", "per million locks taken",
                     lambda run: _per_million(run, "waited")),
    "share": Metric("Of those who found it held, had to wait", "percent",
                    lambda run: 100 * _sum(run, "waited") /
                    _sum(run, "contended") if _sum(run, "contended")
                    else None),
    "away": Metric("Went to another arena", "per million locks taken",
                   lambda run: _per_million(run, "fallback_out")),
    "arenas": Metric("Arenas made", "arenas",
                     lambda run: len(run["pmalloc"]["arenas"])),
    "memory": Metric("Memory at its peak", "MiB",
                     lambda run: run["peak_rss"] / 2**20),
    "call": Metric("A single call", "µs",
                   _own_call(lambda run: run["p50"] / 1e3)),
    "worth": Metric("Operations in the time of one call", "operations",
                    _own_call(lambda run: run["p50"] * run["ops"] /
                              1e9 / (run["user"] + run["system"]))),
    "failed": Metric("Children that hung or failed", "percent",
                     _own_call(lambda run: 100 * run["wrong"] /
                               run["samples"], ("fork",))),
    "left": Metric("Objects left at the end", "objects",
                   lambda run: run["pmalloc"]["total"]["live_objects"]),
    "adopted": Metric("Heaps that found an heir", "heaps",
                      lambda run: _sum(run, "adopted_heaps")),
    "restarted": Metric("Sections restarted by the kernel",
                        "per million operations",
                        lambda run: None if _restarted(run) is None else
                        1e6 * _restarted(run) / run["ops"]),
}
# What perf has to count for them.
EVENTS = {"restarted": "rseq:rseq_ip_fixup"}


# ---- lessons ------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to run: name, label, colour and mark; the library's options, and
    the workload with its arguments, threads and operations."""

    name: str
    label: str
    series: str
    options: str
    workload: str
    threads: int
    ops: int


@dataclasses.dataclass(frozen=True)
class Lesson:
    """@answer is (metric, arm, base): the arm's figure, divided by that of
    @base in the same turn if there is one. An answer holds from the one before
    it up to its bound."""

    name: str
    title: str
    question: str
    answers: tuple              # (sentence, bound)
    answer: tuple
    says: str                   # the answer's figure, with one %s
    metrics: tuple
    arms: tuple
    why: tuple                  # paragraphs
    after: str                  # what to read

    @property
    def number(self):
        """Its place in the row, from 1."""
        return LESSONS.index(self) + 1

    def arm(self, name):
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    def letter(self, value):
        """Which answer a figure is: a, b, c..."""
        place = next(i for i, (_, bound) in enumerate(self.answers)
                     if value < bound)
        return chr(ord("a") + place)


REPLACE = "replace -a 64 -b 64 -w 4096"
NEVER_MORE = math.inf

LESSONS = (
    Lesson(
        "one-lock", "One lock",
        "One thread frees and allocates objects of 64 bytes under one lock, "
        "a million times. Now two threads, on two CPUs, share the same "
        "million, half each. They share nothing but the lock. How long does "
        "it take?",
        (("About half as long: there are two of them", 0.75),
         ("About as long: one waits while the other works", 1.15),
         ("Clearly longer than with one thread", NEVER_MORE)),
        ("time", "two", "one"), "%s times as long as with one thread",
        ("time", "held", "waited"),
        (Arm("one", "1 thread", "single", "arena=single,magazine=off",
             REPLACE + " -p", 1, 1000000),
         Arm("two", "2 threads", "single", "arena=single,magazine=off",
             REPLACE + " -p", 2, 1000000),
         Arm("eight", "8 threads", "single", "arena=single,magazine=off",
             REPLACE + " -p", 8, 1000000)),
        ("Only one thread can be inside, so the work of two is done one after "
         "the other. It is even slower than one thread's: the cache line of "
         "the lock, and those of the memory behind it, travel to the other "
         "CPU and back, and who finds the lock held may have to be put to "
         "sleep and woken.",
         "The lock is found held less often than one would think. The thread "
         "that has just had it has its line in the cache and is the first to "
         "take it again, so threads work in bursts."),
        "one-lock.rst, and then `pmalloc lesson 2`"),
    Lesson(
        "arenas", "Several arenas, by thread",
        "64 threads share out 51200 objects. With one arena they meet at its "
        "lock all the time. Give each thread an arena of its own, up to eight "
        "for each CPU, as glibc does: hardly anybody meets. What does that "
        "cost in memory, at its peak, against one arena?",
        (("Next to nothing: the objects are the same", 1.1),
         ("A tenth to a half more", 1.5),
         ("More than half as much again", NEVER_MORE)),
        ("memory", "thread", "single"), "%s times the memory of one arena",
        ("held", "arenas", "memory"),
        tuple(Arm(name, label, name, "arena=%s,magazine=off" % name,
                  "replace -w 51200", 64, 400000)
              for name, label in (("single", "one arena"),
                                  ("pool", "a pool: one per CPU"),
                                  ("thread", "an arena per thread"))),
        ("A lock that only one thread uses is never found held. But each arena "
         "has memory of its own: slabs of every size, partly filled, and what "
         "one thread has freed serves no other. What is not shared is there "
         "several times.",
         "So the number of arenas is a trade: too few and threads meet, too "
         "many and memory lies about. Threads come by the hundred; what can "
         "run at the same time does not."),
        "arenas.rst, and then `pmalloc lesson 3`"),
    Lesson(
        "per-cpu", "An arena per CPU",
        "Every thread takes the arena of the CPU that it runs on. No two "
        "threads run on one CPU at the same time. Eight threads, two CPUs: is "
        "a lock ever found held? (Each hold is made a microsecond longer here, "
        "so that there is something to be seen.)",
        (("Never", 0.5),
         ("Yes, but fewer than half of the locks", 500000),
         ("Half of the locks or more", NEVER_MORE)),
        ("held", "eight", None), "%s of a million locks were found held",
        ("held", "away", "waited"),
        (Arm("pinned", "2 threads, each kept on a CPU", "cpu",
             "arena=cpu,magazine=off,delay=arena:1us", REPLACE + " -p", 2,
             120000),
         Arm("two", "2 threads, free to move", "cpu",
             "arena=cpu,magazine=off,delay=arena:1us", REPLACE, 2, 120000),
         Arm("eight", "8 threads, free to move", "cpu",
             "arena=cpu,magazine=off,delay=arena:1us", REPLACE, 8, 120000)),
        ("The number of a CPU is about the past. Between the question where it "
         "runs and the lock, and while it holds the lock, a thread can be "
         "preempted, and be moved to another CPU. Whoever runs on its old CPU "
         "next finds the lock held.",
         "Two threads that each stay on a CPU never meet, and there the lock "
         "was never found held. So the number is a hint where the lock is "
         "likely to be free, and the lock is taken in any case."),
        "per-cpu.rst, and then `pmalloc lesson 4`"),
    Lesson(
        "fallback", "Fallback and the RCU list",
        "Eight threads on two CPUs; now and then one is preempted with a lock "
        "held. With one arena all who come by must wait. With an arena for "
        "each CPU there is another one to go to. Of a hundred threads that "
        "find the lock of their CPU's arena held, how many have to wait?",
        (("Fewer than 25: the other one is mostly free", 25),
         ("25 to 75", 75),
         ("More than 75", NEVER_MORE)),
        ("share", "cpu", None), "%s of a hundred had to wait",
        ("held", "waited", "share"),
        (Arm("one", "one arena", "single",
             "arena=cpu,arenas=1,magazine=off,delay=arena:1us", REPLACE, 8,
             80000),
         Arm("cpu", "an arena per CPU", "cpu",
             "arena=cpu,magazine=off,delay=arena:1us", REPLACE, 8, 80000),
         Arm("pool", "a pool, which remembers", "pool",
             "arena=pool,magazine=off,delay=arena:1us", REPLACE, 8, 80000)),
        ("Who finds a lock held walks the list of arenas, takes the first whose "
         "lock is free, and waits only if there is none. A wait for a thread "
         "that has lost its CPU lasts as long as the scheduler lets others "
         "run; a walk lasts nanoseconds.",
         "With `cpu` a thread asks for its CPU's arena again the next time, "
         "and finds it held again until the holder runs: many are found held "
         "and few are waited for. With `pool` it remembers where it was "
         "served, so it meets less often, and when it does the other arena is "
         "more often taken as well."),
        "fallback.rst, and then `pmalloc lesson 5`"),
    Lesson(
        "magazines", "Magazines",
        "One thread alone: nobody else wants its lock, so it is never found "
        "held. A magazine lets it take and give objects without a lock. How "
        "long does an operation take then, against one with the lock?",
        (("Less than a third", 1 / 3),
         ("A third to three quarters", 0.75),
         ("About as long: a free lock costs next to nothing", NEVER_MORE)),
        ("time", "on", "off"), "%s times as long as with the lock",
        ("time", "locks"),
        (Arm("off", "without magazines", "c", "magazine=off", REPLACE, 1,
             2000000),
         Arm("on", "with magazines", "a", "magazine=on", REPLACE, 1, 2000000),
         Arm("norseq", "on, but without sequences", "b",
             "magazine=on,rseq=off", REPLACE, 1, 2000000)),
        ("A lock that is free still costs two atomic operations, and under it "
         "lies work on slabs and bitmaps. A magazine is a stack: a load, a "
         "store, and a store that commits. They run on one CPU with nobody in "
         "between, or not at all: that is a restartable sequence.",
         "Where there are no restartable sequences there are no magazines "
         "either, whatever the option says, and the third line is as the "
         "first."),
        "magazines.rst, and then `pmalloc lesson 6`"),
    Lesson(
        "depots", "Depots and batches",
        "A thread allocates 65536 objects of 64 bytes and frees them, again "
        "and again. Its magazine holds 512. So nearly every object has to "
        "come through the lock of the arena. How many locks are taken for a "
        "million objects that are made and freed?",
        (("Fewer than a hundred thousand", 100000),
         ("A hundred thousand to a million", 1000000),
         ("About two million: one for each way", NEVER_MORE)),
        ("locks", "long", None), "%s locks for a million objects",
        ("locks", "time"),
        (Arm("short", "runs of 256", "a", "magazine=on",
             "lifo -a 64 -b 64 -k 1000000000 -w 256", 1, 2000000),
         Arm("middle", "runs of 1024", "a", "magazine=on",
             "lifo -a 64 -b 64 -k 1000000000 -w 1024", 1, 2000000),
         Arm("long", "runs of 65536", "a", "magazine=on",
             "lifo -a 64 -b 64 -k 1000000000 -w 65536", 1, 2000000),
         Arm("small", "the same, magazine of 8 KiB", "b",
             "magazine=on,magazine_bytes=8192",
             "lifo -a 64 -b 64 -k 1000000000 -w 65536", 1, 2000000),
         Arm("off", "the same, no magazine", "c", "magazine=off",
             "lifo -a 64 -b 64 -k 1000000000 -w 65536", 1, 500000)),
        ("What a magazine lacks or has too much of moves in batches: one lock "
         "for up to 128 objects. The depot of the arena takes them as "
         "pointers; only what overflows it is sorted into slabs.",
         "A run that fits into the magazine takes no lock at all. One that "
         "fits into magazine and depot together moves pointers. A longer one "
         "pays for slabs as well, but not for a lock each."),
        "depots.rst, and then `pmalloc lesson 7`"),
    Lesson(
        "draining", "Draining is RCU",
        "malloc() and free() use a magazine without a lock, an atomic "
        "operation or a barrier. Yet malloc_trim() in another thread empties "
        "that magazine. Somebody has to pay for that: how many mallocs and "
        "frees could be done in the time of one such call?",
        (("Fewer than 20", 20),
         ("20 to 20000", 20000),
         ("More than 20000", NEVER_MORE)),
        ("worth", "often", None), "%s operations in the time of one call",
        ("call", "worth", "locks", "restarted"),
        (Arm("never", "never", "c", "magazine=on",
             "trim -p -k 1000000000", 2, 2000000),
         Arm("seldom", "each 10000 operations", "a", "magazine=on",
             "trim -p -k 10000", 2, 2000000),
         Arm("often", "each 1000 operations", "b", "magazine=on",
             "trim -p -k 1000", 2, 2000000)),
        ("Who drains publishes an empty magazine, waits until no section that "
         "began before can still be running, and then has the old one for "
         "itself. The wait is one system call, membarrier(), which interrupts "
         "the CPU: expensive, and seldom. The fast path pays nothing for it, "
         "which is the bargain of RCU.",
         "What the others lose is not the fence but the stock: they refill "
         "from the arena, a lock for each batch."),
        "draining.rst, and then `pmalloc lesson 8`"),
    Lesson(
        "retirement", "Retirement and fork",
        "Eight threads allocate, and somebody holds a lock nearly all the "
        "time. One thread calls fork(). The child has that one thread and a copy of "
        "all locks, those that the others held included. It allocates a "
        "thousand objects. How many children hang?",
        (("None", 0.001),
         ("A few", 20),
         ("Most of them", NEVER_MORE)),
        ("failed", "cpu", None), "%s percent of the children hung or failed",
        ("failed", "call", "left", "adopted"),
        (Arm("single", "fork, one arena", "single",
             "arena=single,magazine=off,delay=arena:1us",
             "fork -p -k 100", 8, 16000),
         Arm("cpu", "fork, an arena per CPU", "cpu",
             "arena=cpu,magazine=off,delay=arena:1us",
             "fork -p -k 100", 8, 16000),
         Arm("thread", "fork, an arena per thread", "thread",
             "arena=thread,magazine=off,delay=arena:1us",
             "fork -p -k 100", 8, 16000),
         Arm("retire", "retire, an arena per CPU", "a",
             "arena=cpu,magazine=off", "retire -p -k 1000", 2, 1000000)),
        ("fork() takes every lock first, in one order, and the child begins "
         "with new ones. So at the moment of the copy nobody is in the middle "
         "of anything that a lock guards.",
         "Retirement is the other way in which an arena ends: its heaps find "
         "an heir while others go on allocating from it and freeing to it. "
         "Of the objects a handful is left at the end, which the C library "
         "keeps for itself: none was lost on the way."),
        "retirement.rst, and then `pmalloc lesson 9`"),
    Lesson(
        "cost", "What it costs, and how to know",
        "Two threads, two CPUs, two locks for each operation. Each hold of a "
        "lock is made two microseconds longer, in the same code under two "
        "policies. How much longer does an operation take with one lock than "
        "with an arena for each CPU?",
        (("No longer: the section is as long in both", 1.25),
         ("Up to half as much again", 1.5),
         ("About twice as long, or more", NEVER_MORE)),
        ("time", "single2", "cpu2"),
        "%s times as long with one lock",
        ("time", "held", "waited"),
        (Arm("single0", "one lock", "single", "arena=single,magazine=off",
             REPLACE + " -p", 2, 60000),
         Arm("cpu0", "an arena per CPU", "cpu", "arena=cpu,magazine=off",
             REPLACE + " -p", 2, 60000),
         Arm("single2", "one lock, 2 µs longer", "single",
             "arena=single,magazine=off,delay=arena:2us", REPLACE + " -p", 2,
             60000),
         Arm("cpu2", "per CPU, 2 µs longer", "cpu",
             "arena=cpu,magazine=off,delay=arena:2us", REPLACE + " -p", 2,
             60000)),
        ("What matters is not how long a critical section is, but its length "
         "times how often it is entered, divided by how many can be inside at "
         "once. With one lock one can, with an arena for each of two CPUs two "
         "can.",
         "That is a prediction one can compute before measuring: T + a d / k. "
         "Where a measurement is above it, something has joined that the model "
         "leaves out, such as going to sleep and being woken."),
        "cost.rst, and Documentation/studies/"),
)


def find(word):
    """The lesson of that number or name; a failure says which there are."""
    for lesson in LESSONS:
        if word in (str(lesson.number), lesson.name):
            return lesson
    raise Failure("there is no lesson %s; there are:\n%s" %
                  (word, "\n".join(listing())), 2)


def listing():
    """A line for each lesson."""
    return ["  %d  %-11s %s" % (lesson.number, lesson.name, lesson.title)
            for lesson in LESSONS]


# ---- what was found -----------------------------------------------------------

class Found:
    """Figures of a run of a lesson: just made, or recorded."""

    def __init__(self, lesson, figures, machine):
        self.lesson = lesson
        self.figures = figures          # {arm: {metric: [a figure a turn]}}
        self.machine = machine

    def value(self, arm, metric):
        """A data.Value, or None where nothing was measured."""
        found = [f for f in self.figures[arm].get(metric, ())
                 if f is not None]
        return data.Value(found) if found else None

    def answer(self):
        """The figure that the question asks for, as a data.Value; None where
        nothing was measured that tells it."""
        metric, arm, base = self.lesson.answer
        values = self.figures[arm][metric]
        if base:
            values = [one / other for one, other in
                      zip(values, self.figures[base][metric]) if other]
        values = [value for value in values if value is not None]
        return data.Value(values) if values else None

    def as_json(self):
        """What --record writes: with what was run, so that others see."""
        return {"format": FORMAT, "lesson": self.lesson.name,
                "machine": self.machine,
                "arms": {arm.name: {
                    "options": arm.options, "workload": arm.workload,
                    "threads": arm.threads, "ops": arm.ops}
                    for arm in self.lesson.arms},
                "figures": self.figures}


def recorded(lesson):
    """The recorded run of a lesson, or None."""
    path = RECORDED / ("%s.json" % lesson.name)
    if not path.exists():
        return None
    kept = data.read_json(path)
    return Found(lesson, kept["figures"], kept["machine"])
