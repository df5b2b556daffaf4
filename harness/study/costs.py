# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a page fault and going to sleep cost on this machine, in CPU time.

Both depend on the machine, and in a virtual one may be many times what they
are elsewhere, so a study measures them once, at its start, in a fraction of a
second. What is counted is CPU time, since that is what a study compares it
with, and what others do on the CPUs does not add to it.
"""
import mmap
import os
import resource
import statistics
import time

PAGES = 1024            # of a mapping that is touched
TRIPS = 500             # there and back
TIMES = 5               # each; the median counts


def _faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def fault_ns():
    """A page fault of fresh memory, nanoseconds.

    Per fault that there was: a kernel may map several pages at once. The pages
    are touched by a single copy with a stride, not by the interpreter's steps.
    """
    ones = b"\1" * PAGES
    with mmap.mmap(-1, PAGES * mmap.PAGESIZE,
                   mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        try:
            pages.madvise(mmap.MADV_NOHUGEPAGE)
        except OSError:
            pass                # a kernel without huge pages
        faults, begin = _faults(), time.thread_time_ns()
        pages[::mmap.PAGESIZE] = ones
        return (time.thread_time_ns() - begin) / max(1, _faults() - faults)


def _echo(from_us, to_us):
    """In the child: send back what comes, and then the CPU time it took."""
    begin = time.process_time_ns()
    while os.read(from_us, 1):
        os.write(to_us, b"x")
    took = time.process_time_ns() - begin
    os.write(to_us, took.to_bytes(8, "little"))


def sleep_ns():
    """To go to sleep and to be woken, nanoseconds: a system call for either
    and the change to another task.

    Two processes on one CPU send each other a byte, so that of the two always
    one sleeps.
    """
    from_us, ours = os.pipe()
    theirs, to_us = os.pipe()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        child = os.fork()
        if not child:
            try:
                os.close(ours)
                os.close(theirs)
                _echo(from_us, to_us)
            finally:
                os._exit(0)
        os.close(from_us)
        os.close(to_us)
        begin = time.process_time_ns()
        for _ in range(TRIPS):
            os.write(ours, b"x")
            os.read(theirs, 1)
        took = time.process_time_ns() - begin
        os.close(ours)
        took += int.from_bytes(os.read(theirs, 8), "little")
        os.close(theirs)
        os.waitpid(child, 0)
    finally:
        os.sched_setaffinity(0, allowed)
    return took / (2 * TRIPS)


def measure():
    """What things cost here, as it is kept in study.json."""
    return {name: max(1, round(statistics.median(cost()
                                                 for _ in range(TIMES))))
            for name, cost in (("fault_ns", fault_ns), ("sleep_ns", sleep_ns))}
