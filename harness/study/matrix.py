# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a study compares: variants by points, in a shuffled order.

A variant is a way to allocate: pmalloc with certain options, or a peer. A
point is a place on the horizontal axis: normally a number of threads, in some
studies the length of a run or a delay. A cell is one variant at one point; a
round runs every cell once, in an order of its own, so that whatever disturbs
the machine for a while does not always meet the same cell.
"""
import dataclasses
import os
import random

POLICIES = ("cpu", "single", "thread", "pool")
ON, OFF = "magazines on", "magazines off"


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to allocate.

    `panel` says in which half of a figure its curve is (empty: in each),
    `series` which colour and mark it has.
    """

    id: str
    label: str
    series: str
    panel: str = ""
    options: str = ""
    peer: str = ""
    policy: str = ""
    magazine: str = ""


@dataclasses.dataclass(frozen=True)
class Point:
    """A place on the horizontal axis."""

    x: float
    label: str
    threads: int
    arguments: tuple = ()
    options: str = ""
    weight: float = 1.0


@dataclasses.dataclass
class Study:
    """Everything that has to be known before the first run."""

    name: str
    title: str
    about: str
    command: list
    program: bool
    axis: str
    variants: list
    points: list
    marks: list = dataclasses.field(default_factory=list)
    expects: str = ""
    predicts: str = ""
    per_thread: bool = False    # does each thread do the whole work?

    def as_json(self):
        """The definition as it is kept in study.json."""
        return dataclasses.asdict(self)

    @staticmethod
    def from_json(kept):
        """The definition that as_json() made."""
        kept = dict(kept)
        kept["variants"] = [Variant(**v) for v in kept["variants"]]
        kept["points"] = [Point(**{**p, "arguments": tuple(p["arguments"])})
                          for p in kept["points"]]
        return Study(**kept)


def policy_variant(policy, magazine):
    """pmalloc with one policy, magazines on or off."""
    return Variant(
        id=f"{policy}-{magazine}", label=policy, series=policy,
        panel=ON if magazine == "on" else OFF,
        options=f"arena={policy},magazine={magazine}",
        policy=policy, magazine=magazine)


def all_policies(policies=POLICIES, magazines=("on", "off")):
    """The matrix policy x magazine."""
    return [policy_variant(p, m) for m in magazines for p in policies]


def peer_variants(names):
    """Peers as reference; their curves are in both halves."""
    return [Variant(id=n, label=n, series=n, peer=n) for n in names]


def thread_points(counts, even=False):
    """A point for every number of threads that the workload can have."""
    if even:
        counts = sorted({max(2, n + n % 2) for n in counts})
    return [Point(x=n, label=str(n), threads=n) for n in counts]


def default_threads(cpus=None):
    """Powers of two, up to four threads for every CPU."""
    cpus = cpus or len(os.sched_getaffinity(0))
    counts, n = [], 1
    while n <= 4 * cpus:
        counts.append(n)
        n *= 2
    return counts


@dataclasses.dataclass(frozen=True)
class Job:
    """One run that is to be done."""

    round: int
    order: int
    variant: Variant
    point: Point

    @property
    def key(self):
        """What makes it this run and no other; a resumed study skips it."""
        return f"{self.round}/{self.variant.id}/{self.point.label}"


def cells(study):
    """Every variant at every point."""
    return [(v, p) for v in study.variants for p in study.points]


def jobs(study, rounds, seed):
    """All runs, round after round, each round shuffled by its own seed."""
    planned = []
    for number in range(rounds):
        order = cells(study)
        random.Random(seed * 1000 + number).shuffle(order)
        planned += [Job(number, i, v, p) for i, (v, p) in enumerate(order)]
    return planned
