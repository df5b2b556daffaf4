# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Record who waits for which arena's lock, on behalf of which size class.

The library's probes are listened to with perf, or with bpftrace where perf
cannot; without either the allocator's own counters are kept. What was
recorded goes into a directory, for `pmalloc report`.

    pmalloc record -- PROGRAM ARGS
    pmalloc record -p PID -d 10
    pmalloc report --call-graph
"""
import json
import os
import shutil
import signal
import sys
import time

import common
import launch
import recording
import tracers
import watch

HELP = "record waits for arenas with perf or bpftrace"


def arguments(parser):
    """Add the arguments of this subcommand."""
    parser.add_argument("-p", "--pid", type=watch.positive, metavar="PID",
                        help="a process that runs on pmalloc already")
    parser.add_argument("-d", "--duration", type=watch.seconds,
                        metavar="SECONDS", help="end after this time; else "
                        "with the process, or at Ctrl-C with -p")
    parser.add_argument("-o", "--output", metavar="DIR",
                        default=recording.DIRECTORY,
                        help="where to (%s); what is there is renamed to "
                        "DIR.old" % recording.DIRECTORY)
    parser.add_argument("-g", "--call-graph", action="store_true",
                        help="record callers, too")
    parser.add_argument("--holds", action="store_true",
                        help="record each hold of a lock, too, with perf: "
                        "many, where magazines are off")
    parser.add_argument("--min-wait", metavar="US", type=float, default=0,
                        help="record longer waits only")
    parser.add_argument("--tracer", choices=("perf", "bpftrace", "none"),
                        help="which to use, instead of the first that works; "
                        "none: counters only")
    launch.arguments(parser)


def say(text):
    """A line on standard error."""
    print("pmalloc record: %s" % text, file=sys.stderr, flush=True)


def choose(args, library, directory):
    """The tracers to try, and what is wrong with the others."""
    candidates, missing = [], []
    for tracer in tracers.TRACERS:
        if args.tracer and tracer.name != args.tracer:
            continue
        each = tracer(library, directory, args.call_graph,
                      int(args.min_wait * 1000))
        each.holds = args.holds
        why = each.why_not()
        if why:
            missing.append(why)
        else:
            candidates.append(each)
    return candidates, missing


def start(candidates, missing, pid):
    """Start the first tracer that can, or None."""
    for tracer in candidates:
        if tracer.start(pid):
            return tracer
        missing.append(tracer.why_not())
    return None


def announce(tracer, missing):
    """Say what is used, and what could not be."""
    for why in missing:
        say("cannot use: " + why)
    if tracer:
        say("recording with %s" % tracer.name)
    else:
        say("going on with the allocator's counters alone: no holders over "
            "time, no callers")


class Names:
    """The names of a process's threads, as far as they were ever seen."""

    def __init__(self, pid):
        self.pid = pid
        self.names = {}

    def look(self):
        """Note the names of the threads that there are now."""
        try:
            for tid in os.listdir("/proc/%d/task" % self.pid):
                with open("/proc/%d/task/%s/comm" % (self.pid, tid)) as file:
                    self.names[int(tid)] = file.read().strip()
        except OSError:
            pass


def library_of(pid):
    """The file whose probes a running process has."""
    try:
        found = launch.mapped_libraries(pid)
    except FileNotFoundError as err:
        raise common.Failure("there is no process %d" % pid) from err
    except PermissionError as err:
        raise common.Failure("process %d is another user's; run this as root"
                             % pid) from err
    if not found:
        exe = "/proc/%d/exe" % pid
        try:
            if launch.sdt.probes(exe):
                return os.path.realpath(exe)    # linked with libpmalloc.a
        except (OSError, ValueError):
            pass
        raise common.Failure(
            "process %d does not run on pmalloc; `pmalloc record -- PROGRAM` "
            "starts one that does" % pid)
    inside = "/proc/%d/root%s" % (pid, found[0])
    return found[0] if os.path.exists(found[0]) else inside


def record_pid(args, directory):
    """Record a process that runs already."""
    library = library_of(args.pid)
    process = watch.Process(args.pid)
    candidates, missing = choose(args, library, directory)
    tracer = start(candidates, missing, args.pid)
    announce(tracer, missing)
    names = Names(args.pid)
    process.read()
    begin = time.monotonic()
    say("until %s; Ctrl-C ends it" % (
        "%g s have gone" % args.duration if args.duration
        else "process %d ends" % args.pid))
    try:
        watch_process(process, names, args.duration)
    except KeyboardInterrupt:
        pass
    seconds = time.monotonic() - begin
    harvest = tracer.stop() if tracer else None
    return recording.Recording(
        program=[process.name], pid=args.pid, seconds=seconds,
        tracer=tracer.name if tracer else None, missing=missing,
        harvest=harvest, names=names.names, before=process.before,
        after=process.report, least_us=args.min_wait), 0


def watch_process(process, names, duration):
    """Wait for the end of the process or the time; keep its last figures."""
    first = process.report
    until = time.monotonic() + (duration or 1e9)
    try:
        while time.monotonic() < until:
            names.look()
            time.sleep(min(0.2, max(0.01, until - time.monotonic())))
            process.read()
    except watch.Ended:
        say("process %d has ended" % process.pid)
    process.before = first


def record_program(args, directory):
    """Start a program and record it."""
    program = common.program(args)
    library = launch.library(args)
    why = launch.obstacle(program[0])
    if why:
        say("warning: " + why)
    candidates, missing = choose(args, library, directory)
    reports = launch.Reports()
    try:
        child = launch.Child(program, launch.environment(
            library, launch.chosen(args) + reports.options()))
        names = Names(child.pid)
        tracer = start(candidates, missing, child.pid)
        announce(tracer, missing)
        child.go()
        status = child.wait(limit(child, names, args.duration))
        report = reports.of(child.pid)
        if report is None and not why:
            say("no counters: " + launch.why_no_report(child))
        return recording.Recording(
            program=program, pid=child.pid, seconds=child.seconds,
            tracer=tracer.name if tracer else None, missing=missing,
            harvest=tracer.stop() if tracer else None, names=names.names,
            before=None, after=report, least_us=args.min_wait), status
    finally:
        reports.remove()


def limit(child, names, duration):
    """What is done while the program runs: look, and end it in time."""
    def tick():
        names.look()
        if duration and time.monotonic() - child.begin > duration:
            os.kill(child.pid, signal.SIGTERM)
    return tick


def fresh(directory):
    """An empty directory; what was there of us is kept as DIR.old."""
    if os.path.exists(directory):
        if not os.path.exists(os.path.join(directory, recording.FILE)) and \
                os.listdir(directory):
            raise common.Failure("%s exists and is no recording; choose "
                                 "another with --output" % directory)
        shutil.rmtree(directory + ".old", ignore_errors=True)
        os.rename(directory, directory + ".old")
    try:
        os.makedirs(directory)
    except OSError as err:
        raise common.Failure("%s: %s" % (directory, err.strerror)) from err


def main(args):
    """Record; return the program's exit status."""
    if args.pid and args.program:
        raise common.Failure("either -p PID or a program, not both", 2)
    fresh(args.output)
    directory = os.path.abspath(args.output)
    with open(os.path.join(directory, recording.FILE), "w") as file:
        json.dump({"format": 0}, file)      # ours, though not complete yet
    work = record_pid if args.pid else record_program
    result, status = work(args, directory)
    result.save(directory)
    say("%s; `pmalloc report%s` shows them" % (
        result.in_short(), "" if args.output == recording.DIRECTORY
        else " " + args.output))
    return status
