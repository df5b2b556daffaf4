# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The rows of the bench: workloads with their parameters and thread counts.

The operations are chosen for about 70 ms on a current machine with two CPUs;
a full run multiplies them by FULL. They are constants, so that two runs of
the bench do the same work.
"""
import dataclasses

FULL = 4


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the tables.

    quick: part of a quick run; study: variants of pmalloc are measured too.
    """

    name: str
    arguments: tuple = ()
    threads: int = 1
    ops: int = 1
    quick: bool = False
    study: bool = False
    program: str = ""


# Name, arguments of the C program, then per number of threads: operations in
# thousands (or as they are when below 100), and marks: q = quick, s = study.
WORKLOADS = (
    ("pair", "pair -a 64 -b 64",
     {1: (8000, "q"), 2: (8000, "qs"), 8: (8000, "qs"), 32: (8000, "")}),
    ("pair-mix", "pair -a 16 -b 1024",
     {1: (6000, "q"), 2: (6000, "")}),
    ("replace-1k", "replace -w 1000",
     {1: (3000, ""), 2: (5000, "q"), 8: (5000, ""), 32: (5000, "")}),
    ("replace-10k", "replace -w 10000",
     {1: (3000, "q"), 2: (4000, "s")}),
    ("replace-100k", "replace -w 100000",
     {1: (800, ""), 2: (1000, "q"), 8: (1000, "")}),
    ("replace-1m", "replace -w 1000000",
     {1: (1100, "q"), 2: (1100, ""), 32: (1100, "")}),
    ("new", "new",
     {1: (4000, ""), 2: (6000, "q"), 8: (6000, "")}),
    ("larson", "larson",
     {2: (2500, ""), 8: (2500, "qs"), 32: (2500, "q")}),
    ("channel", "channel",
     {2: (600, "qs"), 8: (1500, ""), 32: (1500, "")}),
    ("xmalloc", "xmalloc",
     {2: (2000, ""), 8: (1500, "qs"), 32: (1500, "")}),
    ("swap", "swap",
     {2: (3000, "qs"), 8: (3000, ""), 32: (3000, "")}),
    ("scratch", "scratch",
     {2: (300, "q"), 8: (300, "")}),
    ("thrash", "thrash",
     {2: (500, "qs"), 8: (500, "")}),
    ("churn", "churn",
     {2: (1.5, ""), 8: (1.5, "qs"), 32: (1.5, "")}),
    ("phases", "phases",
     {1: (1500, ""), 2: (3000, "qs"), 8: (3000, ""), 32: (3000, "")}),
    ("vector", "vector",
     {1: (1500, ""), 2: (2500, "qs"), 8: (2500, "")}),
    ("buffer", "buffer",
     {1: (2, "q"), 2: (3, "s")}),
    ("large", "large",
     {1: (2, ""), 2: (3, "qs"), 8: (3, "")}),
    ("aligned", "aligned",
     {1: (1500, "q"), 2: (3000, "")}),
    ("calloc", "calloc",
     {1: (500, "qs"), 2: (800, "")}),
    ("lifo", "lifo",
     {1: (2000, "q"), 2: (3500, "s"), 8: (3500, "")}),
    ("fifo", "fifo",
     {1: (2000, ""), 2: (3500, "q"), 8: (3500, "")}),
    ("shuffled", "shuffled",
     {1: (1500, ""), 2: (2000, "")}),
)

# Name and amount of work in a quick run; a full run does FULL times as much.
PROGRAMS = (("redis", 1), ("sqlite3", 1), ("python3", 1), ("gcc", 1))


def catalogue():
    """All rows in the order of the tables."""
    rows = []
    for name, arguments, threads in WORKLOADS:
        for count, (thousands, marks) in threads.items():
            rows.append(Row(f"{name}/{count}", tuple(arguments.split()), count,
                            int(thousands * 1000), "q" in marks,
                            "s" in marks))
    for name, work in PROGRAMS:
        rows.append(Row(name, ops=work, quick=True, study=True, program=name))
    return rows
