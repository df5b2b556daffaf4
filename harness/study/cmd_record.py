# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Record who waits for which arena's lock, on behalf of which size class.

The library's probes are listened to with perf, or with bpftrace where perf
cannot; without either the allocator's own counters are kept. What was
recorded goes into a directory, for `pmalloc report`.

    pmalloc record -- PROGRAM ARGS
    pmalloc record -p PID -d 10
    pmalloc report --call-graph
"""
import os
import shutil
import signal
import time

import common
import figures
import launch
import owner
import recording
import tracers
import view
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
    common.say("record", text)


def choose(args, library, directory):
    """The tracers to try, and what is wrong with the others.

    They are told of the library by a link in a directory of ours: the
    languages of uprobes and of bpftrace cannot say every name.
    """
    link = os.path.join(args.own.directory(launch.reports_base()), "library")
    os.symlink(library, link)
    candidates, missing = [], []
    for tracer in tracers.TRACERS:
        if args.tracer and tracer.name != args.tracer:
            continue
        each = tracer(args.own, link, directory, args.call_graph,
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
    """The names of the threads of a process and of those below it, as far as
    they were ever seen, by the numbers that they have where they live: the
    allocator knows no others, and a container has a count of its own."""

    def __init__(self, pid):
        self.pid = pid
        self.names = {}
        self._inner = {}        # thread -> its number where it lives
        self._next = 0

    def look(self):
        """Note the names of the threads that there are now; less often where
        there are thousands."""
        begin = time.monotonic()
        if begin < self._next:
            return
        for pid in [self.pid] + owner.descendants(self.pid):
            self._process(pid)
        self._next = begin + 10 * (time.monotonic() - begin)

    def _process(self, pid):
        try:
            for tid in os.listdir("/proc/%d/task" % pid):
                task = "/proc/%d/task/%s" % (pid, tid)
                if tid not in self._inner:
                    self._inner[tid] = self._number(task, int(tid))
                self.names[self._inner[tid]] = common.comm(task + "/comm")
        except OSError:
            pass                # it has just ended

    @staticmethod
    def _number(task, tid):
        """What a thread's number is to itself."""
        for line in common.read_bytes(task + "/status").splitlines():
            if line.startswith(b"NSpid:"):
                return int(line.split()[-1])
        return tid


def library_of(process):
    """The very file whose probes a running process has."""
    name = process.source.object.name()
    if not name:
        raise common.Failure(
            "the file of %s that process %d has mapped cannot be reached; run "
            "this as root" % (common.shown(process.source.object.path),
                              process.pid))
    return name


def harvest_of(tracer):
    """(what a tracer saw, what is wrong with that)."""
    if not tracer:
        return None, []
    try:
        harvest = tracer.stop()
    except owner.Stopped:
        return None, ["stopped while reading what %s has recorded; these are "
                      "the allocator's counters" % tracer.name]
    why = tracer.trouble()
    return harvest, [why] if why else []


def finish(args, tracer, **known):
    """A Recording of all that is known."""
    harvest, trouble = harvest_of(tracer)
    for why in trouble:
        say(why)
    return recording.Recording(
        tracer=tracer.name if harvest else None, harvest=harvest,
        trouble=trouble, least_us=args.min_wait, **known)


def record_pid(args, directory):
    """Record a process that runs already."""
    process = watch.Process(args.pid)
    candidates, missing = choose(args, library_of(process), directory)
    tracer = start(candidates, missing, args.pid)
    announce(tracer, missing)
    names = Names(args.pid)
    begin = time.monotonic()
    say("until %s; Ctrl-C ends it" % (
        "%g s have gone" % args.duration if args.duration
        else "process %d ends" % args.pid))
    try:
        watch_process(process, names, args.duration)
    except (KeyboardInterrupt, watch.Ended):
        pass
    seconds = time.monotonic() - begin
    return finish(
        args, tracer, program=[process.name], pid=args.pid, seconds=seconds,
        missing=missing, names=names.names, before=process.before,
        after=process.report, children=0), 0


def watch_process(process, names, duration):
    """Wait for the end of the process or the time; keep its last figures."""
    first, last = None, None
    until = time.monotonic() + (duration or 1e9)
    try:
        while True:
            try:
                process.read()
                first, last = first or process.report, process.report
            except watch.Replaced:
                if not go_on(process):
                    break
                first = None
            if time.monotonic() >= until:
                break
            names.look()
            time.sleep(min(0.2, max(0.01, until - time.monotonic())))
    except watch.Ended:
        say("process %d has ended" % process.pid)
    finally:
        process.before, process.report = first, last


def go_on(process):
    """The process executes another program. Return whether that uses the same
    library; its counters begin at nothing."""
    old = process.source.object.mappings[0].file
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            source = figures.open_process(process.pid)
        except figures.NotPermitted:
            break
        except figures.NotPmalloc:
            if not process.alive():
                raise watch.Ended from None
            time.sleep(0.01)
            continue
        if source.object.mappings[0].file != old:
            source.close()
            break
        process.source.close()
        process.source = source
        say("process %d executes another program (%s); the counters are since "
            "then" % (process.pid, process.comm()))
        return True
    say("process %d executes another program (%s), which does not use the same "
        "library: the recording ends" % (process.pid, process.comm()))
    return False


def record_program(args, directory):
    """Start a program and record it."""
    program = common.program(args)
    library = launch.library(args)
    why = launch.obstacle(program[0])
    if why:
        say("warning: " + why)
    candidates, missing = choose(args, library, directory)
    reports = launch.Reports(args.own)
    env = launch.environment(library, launch.chosen(args) + reports.options())
    child = launch.Child(args.own, program, env)
    names = Names(child.pid)
    tracer = start(candidates, missing, child.pid)
    announce(tracer, missing)
    child.go()
    status = child.wait(limit(child, names, args.duration))
    report = reports.of(child.pid)
    if report is None and not why and status not in (126, 127):
        say("no counters: " + launch.why_no_report(child, reports, env))
    fault = reports.copy_to_user(view.as_text)
    if fault:
        say(fault)
    return finish(
        args, tracer, program=[common.shown(word) for word in program],
        pid=child.pid, seconds=child.seconds, missing=missing,
        names=names.names, before=None, after=report,
        children=len(reports.others(child.pid))), status


def limit(child, names, duration):
    """What is done while the program runs: look, and end it in time."""
    steps = [(0, signal.SIGTERM), (5, signal.SIGKILL)] if duration else []

    def tick():
        names.look()
        after = time.monotonic() - child.begin
        if steps and after > duration + steps[0][0]:
            child.send(steps.pop(0)[1])
    return tick


def check_place(output):
    """Fail now when a recording could not be put there."""
    name = common.shown(output)
    if os.path.lexists(output):
        if not os.path.isdir(output):
            raise common.Failure("%s is a file, not a directory; choose another "
                                 "with --output" % name)
        if not os.path.exists(os.path.join(output, recording.FILE)) and \
                os.listdir(output):
            raise common.Failure("%s exists and is no recording; choose another "
                                 "with --output" % name)
    if os.path.lexists(output + ".old") and not os.path.isdir(output + ".old"):
        raise common.Failure("%s.old is a file, not a directory" % name)


def put_in_place(directory, output):
    """The recording becomes the one of that name; what was there is kept."""
    if os.path.exists(output):
        shutil.rmtree(output + ".old", ignore_errors=True)
        os.rename(output, output + ".old")
    os.chmod(directory, 0o777 & ~recording.umask())
    os.rename(directory, output)


def main(args):
    """Record; return the program's exit status."""
    if args.pid and args.program:
        raise common.Failure("either -p PID or a program, not both", 2)
    output = os.path.abspath(args.output)
    check_place(output)
    # Beside its place, until it is complete: what is there is not lost.
    os.makedirs(os.path.dirname(output), exist_ok=True)
    directory = args.own.directory(os.path.dirname(output),
                                   os.path.basename(output) + ".")
    work = record_pid if args.pid else record_program
    try:
        result, status = work(args, directory)
    except owner.Stopped:
        say("stopped; nothing was recorded")
        raise
    try:
        result.save(directory)
        with args.own.shield():
            put_in_place(directory, output)
    except OSError as err:
        raise common.Failure("the recording (%s) is lost: %s" % (
            result.in_short(), common.reason(err, output))) from err
    say("%s; `pmalloc report%s` shows them" % (
        result.in_short(), "" if args.output == recording.DIRECTORY
        else " " + common.shown(args.output)))
    return status
