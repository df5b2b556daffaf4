# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The studies that there are: of a workload, of a program, and ready-made.

A ready-made study asks one question whose answer is known in the literature,
and has a chapter in Documentation/studies/. It fixes the workload, the
variants and the axis; what the command line says of threads, rounds and
peers still holds.
"""
import os
import re
import shlex
import subprocess

import matrix
import places
from common import shown

EVEN = ("channel", "xmalloc")


def workloads():
    """{name: what it does} of the bench program's workloads."""
    said = subprocess.run([places.bench_program(), "list"], capture_output=True, text=True,
                          check=True).stdout
    found = {}
    for line in said.splitlines():
        if line and not line.startswith(" "):
            name, _, what = line.partition(" ")
            found[name] = what.strip()
    return found


def installed_peers(args):
    """Names of the peers to run as reference."""
    return [] if args.no_peers else [a.name for a in places.peers()]


def threads_of(args, counts=None):
    """Numbers of threads: the user's, else these; in a hurry the first and as
    many as there are CPUs, so that there is time for rounds that tell."""
    if args.threads:
        return args.threads
    counts = counts or matrix.default_threads()
    if args.quick:
        counts = sorted({counts[0], cpus()})
    return counts


def variants_of(args):
    """The matrix that the user asked for, and the peers."""
    ours = matrix.all_policies(args.policies, args.magazine)
    return ours + matrix.peer_variants(installed_peers(args))


def of_workload(args, name):
    """Policy x magazine x threads on a workload of the bench."""
    what = workloads()[name]
    return matrix.Study(
        name=name, title=f"Contention study of the workload {name}",
        about=f"Workload {name}: {what}.",
        command=[name, *shlex.split(args.args)], program=False,
        axis="threads", variants=variants_of(args),
        points=matrix.thread_points(threads_of(args), name in EVEN))


def of_program(args, words):
    """Policy x magazine on a program."""
    line = shown(shlex.join(words))
    counted = any("{threads}" in w for w in words)
    points = matrix.thread_points(threads_of(args)) if counted else \
        [matrix.Point(x=1, label="1", threads=1)]
    return matrix.Study(
        name=words[0].rsplit("/", 1)[-1], title=f"Contention study of {line}",
        about=f"Program {line}; an operation is " + (
            "what one of its threads does." if args.per_thread else
            "a whole run of it."), per_thread=args.per_thread,
        command=list(words), program=True,
        axis="threads" if counted else "program", variants=variants_of(args),
        points=points)


# ---- ready-made -------------------------------------------------------------

def chosen(args, *names):
    """Those of these peers that are installed and wanted."""
    return matrix.peer_variants(
        [n for n in names if n in installed_peers(args)])


def cpus():
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def fewer(args, points):
    """In a hurry, the first, the last and one between."""
    if args.quick and len(points) > 3:
        return [points[0], points[len(points) // 2], points[-1]]
    return points


def locks(args):
    """One lock against several arenas, with private objects."""
    return matrix.Study(
        name="locks", title="One lock against arenas",
        about="Workload replace: every thread frees and allocates objects "
        "of 64 bytes in a set of its own. Nothing is shared but the "
        "allocator.",
        expects="With magazines off every operation takes an arena's lock "
        "twice. One lock can only be held by one thread, so adding threads "
        "adds waiting; an arena for every CPU is held by whoever runs there.",
        command=["replace", "-a", "64", "-b", "64", "-w", "4096"],
        program=False, axis="threads",
        variants=matrix.all_policies(args.policies, args.magazine) +
        chosen(args, "glibc", "tcmalloc"),
        points=matrix.thread_points(threads_of(args)))


def limits():
    """Objects of a small class that a magazine and a depot may hold."""
    found = []
    for name, word in (("front/magazine.h", "PM_MAG_MAX_SLOTS"),
                       ("arena/depot.h", "PM_DEPOT_MAX_OBJECTS")):
        path = places.ROOT / "lib" / name
        text = path.read_text() if path.exists() else ""
        match = re.search(rf"#define {word}\s+(\d+)", text)
        found.append(int(match.group(1)) if match else 0)
    return found


def runs(args):
    """Length of runs against the size of magazines and depots."""
    lengths = (1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384,
               65536)
    threads = args.threads[0] if args.threads else cpus()
    points = fewer(args, [
        matrix.Point(x=n, label=str(n), threads=threads,
                     arguments=("-w", str(n * threads))) for n in lengths])
    magazine, depot = limits()
    marks = [(magazine, f"magazine: {magazine}"),
             (magazine + depot, f"and depot: {magazine + depot}")]
    variants = [
        matrix.Variant("full", "magazines and depots", "a",
                       options="arena=cpu", policy="cpu", magazine="on"),
        matrix.Variant("small", "small magazines (8 KiB)", "b",
                       options="arena=cpu,magazine_bytes=8192", policy="cpu",
                       magazine="on"),
        matrix.Variant("none", "no magazines", "c",
                       options="arena=cpu,magazine=off", policy="cpu",
                       magazine="off")]
    return matrix.Study(
        name="runs", title="Run length against magazine size",
        about="Workload lifo: every thread allocates a run of objects of 64 "
        f"bytes and frees them newest first, again and again; {threads} "
        "threads.",
        expects="A run that fits into the magazine never leaves it. A longer "
        "one moves through the depot, a batch for each lock; one that is "
        "longer than magazine and depot together is paid for object by "
        "object in slabs.",
        command=["lifo", "-a", "64", "-b", "64", "-k", "1000000000"],
        program=False, axis="objects in a run",
        variants=variants + chosen(args, "glibc", "tcmalloc"), points=points,
        marks=marks if magazine and depot else [])


def threads(args):
    """An arena for each thread against one for each CPU, to 256 threads."""
    counts = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    return matrix.Study(
        name="threads", title="Per-thread against per-CPU arenas",
        about="Workload replace: 51200 objects of 16 to 1024 bytes, shared "
        "out among the threads, so that what is live is the same however "
        "many threads there are.",
        expects="Arenas and caches of threads grow with the threads, those "
        "of CPUs do not. Policy thread has at most eight arenas for each "
        "CPU; what it costs more is memory rather than time.",
        command=["replace", "-w", "51200"], program=False, axis="threads",
        variants=matrix.all_policies(
            [p for p in ("cpu", "thread") if p in args.policies],
            args.magazine) +
        matrix.peer_variants(installed_peers(args)),
        points=fewer(args, matrix.thread_points(args.threads or counts)))


def preemption(args):
    """Holders of locks that lose their CPU, with more threads than CPUs."""
    counts = sorted({1, 2, 3, 4, 6, 8, 16, 32, 64} | {cpus(), 2 * cpus()})
    return matrix.Study(
        name="preemption", title="Lock-holder preemption",
        about="Workload replace without magazines, so that every operation "
        "takes a lock twice; objects of 64 bytes, a set for each thread.",
        expects="A thread that is preempted while it holds a lock keeps it "
        "until it runs again, which takes as long as the scheduler lets "
        "others run: milliseconds. With one lock everybody waits for that; "
        "with several, they pass it by.",
        command=["replace", "-a", "64", "-b", "64", "-w", "4096"],
        program=False, axis="threads",
        variants=[
            matrix.Variant(f"{p}-off", p, p,
                           options=f"arena={p},magazine=off", policy=p,
                           magazine="off") for p in args.policies] +
        chosen(args, "glibc"),
        points=fewer(args, matrix.thread_points(args.threads or counts)))


def sharing(args):
    """False sharing: objects of one cache line on two CPUs."""
    sizes = (8, 16, 32, 64, 128)
    threads_used = args.threads[0] if args.threads else cpus()
    points = fewer(args, [
        matrix.Point(x=n, label=str(n), threads=threads_used,
                     arguments=("-a", str(n), "-b", str(n),
                                "-k", str(max(1, 1600 // n))))
        for n in sizes])
    variants = [
        matrix.Variant("on", "magazines on", "a", options="magazine=on",
                       policy="cpu", magazine="on"),
        matrix.Variant("off", "magazines off", "c",
                       options="magazine=off", policy="cpu",
                       magazine="off"),
        matrix.Variant("single", "one lock, magazines off", "b",
                       options="arena=single,magazine=off", policy="single",
                       magazine="off")]
    return matrix.Study(
        name="sharing", title="False sharing",
        about="Workload scratch: the main thread allocates an object for "
        f"each of {threads_used} threads, side by side; each thread frees "
        "it, then allocates an object, writes 1600 bytes into it in all, "
        "and frees it, again and again. An operation is an object.",
        expects="Two objects in one cache line that two CPUs write to make "
        "that line travel at every write. An allocator that hands a thread "
        "the object that it just freed keeps such a pair for ever; objects "
        "of 64 bytes and more have lines of their own and cannot share.",
        command=["scratch"], program=False, axis="bytes",
        variants=variants + matrix.peer_variants(installed_peers(args)),
        points=points, marks=[(64, "a cache line")])


def delay(args):
    """Longer holds of the locks: the shift predicted, and measured."""
    lengths = (0, 100, 200, 500, 1000, 2000, 5000)
    threads_used = args.threads[0] if args.threads else cpus()
    points = fewer(args, [
        matrix.Point(x=n, label=str(n), threads=threads_used,
                     options=f"delay=arena:{n}ns" if n else "",
                     weight=1 + n / 500) for n in lengths])
    return matrix.Study(
        name="delay", title="Longer holds: predicted and measured",
        about="Workload replace without magazines; objects of 64 bytes, "
        f"{threads_used} threads, a set for each. Every hold of an arena's "
        "lock is made longer by the option delay=arena:N.",
        expects="What a nanosecond inside the lock costs can be computed: "
        "acquisitions per operation times the delay, divided by the number "
        "of arenas that are held at the same time. One lock: all of it. An "
        "arena for every CPU: a share.",
        command=["replace", "-a", "64", "-b", "64", "-w", "4096"],
        program=False, axis="ns of delay",
        variants=[
            matrix.Variant(f"{p}-off", p, p,
                           options=f"arena={p},magazine=off", policy=p,
                           magazine="off")
            for p in ("cpu", "single") if p in args.policies],
        points=points, predicts="delay")


STUDIES = {"locks": locks, "runs": runs, "threads": threads,
           "preemption": preemption, "sharing": sharing, "delay": delay}


def listing():
    """What there is to study."""
    lines = ["Ready-made studies:"]
    lines += [f"  {name:12} {make.__doc__}"
              for name, make in STUDIES.items()]
    lines.append("Workloads:")
    lines += [f"  {name:12} {what}" for name, what in workloads().items()]
    return "\n".join(lines)
