# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""perf and bpftrace on the probes of a process.

Both are used the same way: why_not() says what is missing, start() returns
when every probe listens, stop() returns what was seen, a Harvest; trouble()
says in what way that is not all. What they set up belongs to the Owner.
"""
import json
import os
import re
import select
import shutil
import subprocess
import time

import common
import owner
import sdt
from owner import tracefs, write_line

WAIT = "arena_lock_contended"
EVENTS = (WAIT, "arena_fallback")
HOLD = "arena_lock_held"
READY_SECONDS = 30


class Harvest:
    """Waits by arena, size, holder and stack; and counts of events."""

    def __init__(self):
        self.waits = {}         # (arena, size, holder) -> [n, ns, longest]
        self.stacks = {}        # (arena, size, frames) -> [n, ns]
        self.events = {}
        self.lost = 0

    def add_wait(self, arena, size, holder, count, ns, longest):
        """So many waits that have these in common."""
        entry = self.waits.setdefault((arena, size, holder), [0, 0, 0])
        entry[0] += count
        entry[1] += ns
        entry[2] = max(entry[2], longest)

    def add_stack(self, arena, size, frames, count, ns):
        """So many waits of these callers, the innermost first."""
        entry = self.stacks.setdefault((arena, size, frames), [0, 0])
        entry[0] += count
        entry[1] += ns

    def add_event(self, name, count):
        """So many events of a kind."""
        self.events[name] = self.events.get(name, 0) + count


def frames_of(names):
    """Callers from the allocator's own functions on, without offsets."""
    names = [re.sub(r"\+(0x[0-9a-f]+|\d+)$", "", name) for name in names]
    first = 0
    for number, name in enumerate(names):
        if name.lstrip("_").startswith("pm_"):
            first = number + 1
    return tuple(common.from_the_start(names[first:] or names))


def provide_tracefs():
    """Mount it where nobody has yet, as perf does on its own account; return
    what is missing, in one sentence with the remedy, or None."""
    if not tracefs() and not os.geteuid():
        subprocess.run(["mount", "-t", "tracefs", "nodev", owner.TRACEFS[0]],
                       stderr=subprocess.DEVNULL, check=False)
    if tracefs():
        return None
    return "no tracefs; as root, `mount -t tracefs nodev %s`" % owner.TRACEFS[0]


class Listener:
    """A tracer's process. What it says goes to a file, for nobody reads a
    pipe while it runs, and a file can be read twice."""

    def __init__(self, own, argv, **more):
        self.path = os.path.join(own.directory(), "said")
        with open(self.path, "wb") as said:
            self.process, self._thing = own.start(
                argv, "tracer", stdin=subprocess.DEVNULL, stderr=said, **more)

    def ended(self):
        """Whether it has ended by itself."""
        return self.process.poll() is not None

    def end(self):
        """Have it finish."""
        self._thing.remove()

    def said(self):
        """What it complained about, by lines."""
        text = common.read_bytes(self.path)
        lines = (common.shown(line.strip()) for line in text.splitlines())
        return [line for line in lines
                if line and "RLIMIT_MEMLOCK" not in line]

    def complaint(self):
        """Why it could not: the first line that tells, once it has ended."""
        self.end()
        lines = self.said()
        if any("paranoid" in line or "permission" in line for line in lines):
            return "no permission; as root, or " \
                "`sysctl kernel.perf_event_paranoid=-1`"
        telling = [line for line in lines if re.search(
            r"(?i)error|fail|cannot|can't|unable|no space|too many", line)]
        return (telling or lines or ["it said nothing, and ended with status "
                                     "%s" % self.process.poll()])[0]

    def trouble(self):
        """What went wrong while it listened, or None."""
        full = [line for line in self.said()
                if "No space left" in line or "failed to write" in line]
        if full:
            return "there was no room for all that it saw: " + full[0]
        status = self.process.poll()
        if status not in (None, 0, -2, 130):
            return "it ended with status %d: %s" % (
                status, (self.said() or ["it said nothing"])[0])
        return None


# ---- perf -------------------------------------------------------------------

class Perf:
    """perf record on uprobe events of our own, taken away at the end."""

    name = "perf"
    holds = False           # are they recorded, too?

    def __init__(self, own, library, directory, stacks, least_ns):
        self.own = own
        self.library = library
        self.data = os.path.join(directory, "perf.data")
        self.stacks = stacks
        self.least_ns = least_ns
        self.group = "pmalloc_%d_%s" % (os.getpid(), os.urandom(3).hex())
        self.defined = []
        self.uprobes = None
        self.listener = None
        self.pipes = []
        self.fault = None

    def why_not(self):
        """What is missing, in one sentence with the remedy; None if nothing."""
        if not shutil.which("perf"):
            return "perf is not installed; `apt-get install linux-perf`"
        root = tracefs()
        if not root:
            if os.geteuid():
                return "the kernel's tracing cannot be seen; run this as root"
            return "no tracefs; `mount -t tracefs nodev /sys/kernel/tracing`"
        events = os.path.join(root, "uprobe_events")
        if not os.path.exists(events):
            return "this kernel has no uprobe events (CONFIG_UPROBE_EVENTS)"
        if not os.access(events, os.W_OK):
            return "probes may be set by root only; run this as root"
        return self.fault

    def _define(self):
        """Make the uprobe events."""
        probes = sdt.probes(self.library)
        self.uprobes = self.own.uprobes(self.group)
        path = os.path.join(tracefs(), "uprobe_events")
        for event in EVENTS + ((HOLD,) if self.holds else ()):
            for number, probe in enumerate(probes.get(event, ())):
                if number:
                    probe.name += "_%d" % number
                write_line(path, probe.uprobe(self.group, self.library))
                self.defined.append(probe.name)
        if not self.defined:
            raise OSError("%s has no probes" % self.library)

    def _command(self, pid, control):
        command = ["perf", "record", "-q", "-o", self.data, "-p", str(pid),
                   "-m", "1024", "-D", "-1", "--switch-events", "--control",
                   "fd:%d,%d" % control]
        for name in self.defined:
            # Stacks are of waits: holds and fallbacks are too many for that.
            plain = self.stacks and not name.startswith(WAIT)
            command += ["-e", "%s:%s%s" % (self.group, name,
                                           "/call-graph=no/" if plain else "")]
            if self.least_ns and name.startswith(WAIT):
                command += ["--filter", "ns >= %d" % self.least_ns]
        if self.stacks:
            command += ["--call-graph", "dwarf,16384"]
        return command

    def start(self, pid):
        """Listen to a process; return whether that works."""
        try:
            self._define()
            self._listen(pid)
        except (OSError, ValueError) as err:
            self.fault = "perf: %s" % (getattr(err, "strerror", None) or err)
        if self.fault:
            self._undo()
        return not self.fault

    def _listen(self, pid):
        """Start perf, and wait until it says that the events are enabled."""
        their_control, our_control = os.pipe()
        our_ack, their_ack = os.pipe()
        # Kept open: perf gives up when its controller is gone.
        self.pipes = [our_control, our_ack]
        try:
            self.listener = Listener(
                self.own, self._command(pid, (their_control, their_ack)),
                pass_fds=(their_control, their_ack), stdout=subprocess.DEVNULL)
        finally:
            os.close(their_control)
            os.close(their_ack)
        try:
            os.write(our_control, b"enable\n")
            ready, _, _ = select.select([our_ack], [], [], READY_SECONDS)
            good = ready and b"ack" in os.read(our_ack, 16)
        except BrokenPipeError:
            good = False
        if not good:
            self.fault = "perf could not record: " + self.listener.complaint()

    def _undo(self):
        """End perf record, and take the events away."""
        if self.listener:
            self.listener.end()
        while self.pipes:
            os.close(self.pipes.pop())
        if self.uprobes:
            self.uprobes.remove()

    def stop(self):
        """End, and read what was recorded."""
        self._undo()
        return perf_harvest(self.data, self.stacks)

    def trouble(self):
        """In what way the harvest is not all, or None."""
        why = self.listener.trouble()
        return why and "perf: " + why


# A thread's name may be anything, a line of this form as well; but it has 15
# characters, and so cannot contain an event's name.
HEAD = re.compile(r"\s\d+\s+\d+\.\d+:\s+(?:\w+:)?(%s)(?:_\d+)?:\s*(.*)$" %
                  "|".join(EVENTS))
LOST = re.compile(r"PERF_RECORD_LOST\w* lost (\d+)")
FRAME = re.compile(r"^\s+[0-9a-f]+\s+(.*?)\s+\(.*\)$")


class Samples:
    """Sorts the lines of perf script into a Harvest."""

    def __init__(self):
        self.harvest = Harvest()
        self.wait = None
        self.frames = []

    def line(self, text):
        """One line."""
        lost = LOST.search(text)
        if lost:
            self.harvest.lost += int(lost.group(1))
            return
        head = HEAD.search(text)
        if head:
            self.finish()
            self.event(head.group(1), head.group(2))
            return
        frame = FRAME.match(text)
        if frame:
            self.frames.append(common.shown(frame.group(1)))

    def event(self, name, fields):
        """The head line of an event."""
        self.harvest.add_event(name, 1)
        if name != WAIT:
            return
        value = dict(re.findall(r"(\w+)=(-?\w+)", fields))
        get = {k: int(v, 0) for k, v in value.items()}
        self.wait = (get["arena"], get.get("size", 0), get.get("count", 0),
                     get["ns"])

    def finish(self):
        """The event is complete."""
        if self.wait:
            arena, size, holder, ns = self.wait
            self.harvest.add_wait(arena, size, holder, 1, ns, ns)
            if self.frames:
                self.harvest.add_stack(arena, size, frames_of(self.frames), 1,
                                       ns)
        self.wait = None
        self.frames = []


def perf_harvest(data, stacks):
    """What perf recorded."""
    samples = Samples()
    fields = "comm,tid,time,event,trace" + (",ip,sym,dso" if stacks else "")
    command = ["perf", "script", "-i", data, "--show-lost-events", "-F",
               fields]
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        for line in process.stdout:
            samples.line(line.rstrip(b"\n").decode("utf-8",
                                                   "surrogateescape"))
    samples.finish()
    return samples.harvest


# ---- bpftrace ---------------------------------------------------------------

SCRIPT = """
BEGIN { @of[%(pid)d] = 1; }
usdt:%(lib)s:pmalloc:arena_lock_contended /@of[pid] && arg3 >= %(least)d/
{
	@n[(int64)(int32)arg1, arg5, arg4] = count();
	@ns[(int64)(int32)arg1, arg5, arg4] = sum(arg3);
	@max[(int64)(int32)arg1, arg5, arg4] = max(arg3);
	%(stacks)s
}
usdt:%(lib)s:pmalloc:arena_fallback /@of[pid]/ { @fallback = count(); }
interval:ms:100 /!@ready/ { @ready = 1; printf("ready"); }
END { clear(@ready); clear(@of); }
"""
# perf hands its events on to children; so do we. Threads have their process's.
CHILDREN = """
tracepoint:task:task_newtask /@of[pid] && !(args->clone_flags & 0x10000)/
{
	@of[args->pid] = 1;
}
tracepoint:sched:sched_process_exit /pid == tid && pid != %(pid)d && @of[pid]/
{
	delete(@of[pid]);
}
"""
STACKS = """@sn[(int64)(int32)arg1, arg5, ustack(perf, 32)] = count();
	@sns[(int64)(int32)arg1, arg5, ustack(perf, 32)] = sum(arg3);"""


# The number that the kernel's first pid namespace always has.
FIRST_PIDS = "pid:[4026531836]"


class Bpftrace:
    """bpftrace on the probes; it adds up in the kernel."""

    name = "bpftrace"

    def __init__(self, own, library, directory, stacks, least_ns):
        self.own = own
        self.library = library
        self.output = os.path.join(directory, "bpftrace.json")
        self.stacks = stacks
        self.least_ns = least_ns
        self.run = None
        self.fault = None

    def why_not(self):
        """What is missing, in one sentence with the remedy; None if nothing."""
        if not shutil.which("bpftrace"):
            return "bpftrace is not installed; `apt-get install bpftrace`"
        if os.geteuid():
            return "bpftrace wants to be run by root"
        if os.readlink("/proc/self/ns/pid") != FIRST_PIDS:
            return "bpftrace knows processes by their numbers outside of this " \
                "pid namespace; run this outside"
        return self.fault

    def start(self, pid):
        """Listen to a process; return whether that works."""
        script = SCRIPT + (CHILDREN if tracefs() else "")
        self.run = BpftraceRun(self.own, script % {
            "lib": self.library, "pid": pid, "least": self.least_ns,
            "stacks": STACKS if self.stacks else ""}, self.output)
        self.fault = self.run.start()
        return not self.fault

    def stop(self):
        """End, and read what was added up."""
        return bpftrace_harvest(self.run.stop())

    def trouble(self):
        """In what way the harvest is not all, or None."""
        why = self.run.listener.trouble()
        if why:
            return "bpftrace: " + why
        if not self.run.complete:
            return "bpftrace: it did not print all that it had added up"
        if not tracefs():
            return "bpftrace: without tracefs it does not follow child processes"
        return None


class BpftraceRun:
    """bpftrace with a script that prints "ready" when it listens."""

    def __init__(self, own, script, output):
        self.own = own
        self.script = script
        self.output = output
        self.listener = None
        self.complete = False

    def start(self):
        """Start it; return what is wrong, or None when it listens."""
        env = dict(os.environ, BPFTRACE_MAP_KEYS_MAX="65536")
        try:
            with open(self.output, "wb") as out:
                self.listener = Listener(
                    self.own, ["bpftrace", "-f", "json", "-e", self.script],
                    env=env, stdout=out)
            if self._ready():
                return None
        except OSError as err:
            return "bpftrace: " + common.reason(err)
        return "bpftrace could not listen: " + self.listener.complaint()

    def _ready(self):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and not self.listener.ended():
            if b"ready" in common.read_bytes(self.output):
                return True
            time.sleep(0.05)
        return False

    def stop(self):
        """End it; return its maps."""
        self.listener.end()
        maps, self.complete = {}, True
        with open(self.output, "rb") as file:
            for line in file:
                try:
                    entry = json.loads(line.decode("utf-8", "surrogateescape"))
                except ValueError:
                    self.complete = self.complete and not line.strip()
                    continue
                if entry.get("type") == "map":
                    maps.update(entry["data"])
        return maps


def bpftrace_harvest(maps):
    """What bpftrace printed at its end."""
    harvest = Harvest()
    for key, count in maps.get("@n", {}).items():
        arena, size, holder = (int(part) for part in key.split(","))
        harvest.add_wait(arena, size, holder, count,
                         maps.get("@ns", {}).get(key, 0),
                         maps.get("@max", {}).get(key, 0))
        harvest.add_event(WAIT, count)
    for key, count in maps.get("@sn", {}).items():
        arena, size, stack = key.split(",", 2)
        names = re.findall(r"^\s*[0-9a-f]+\s+(.*?)\s+\(.*\)$", stack, re.M)
        harvest.add_stack(int(arena), int(size),
                          frames_of([common.shown(n) for n in names]), count,
                          maps.get("@sns", {}).get(key, 0))
    if "@fallback" in maps:
        harvest.add_event("arena_fallback", maps["@fallback"])
    return harvest


TRACERS = (Perf, Bpftrace)
