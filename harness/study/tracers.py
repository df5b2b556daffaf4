# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""perf and bpftrace on the probes of a process.

Both are used the same way: why_not() says what is missing, start() returns
when every probe listens, stop() returns what was seen, a Harvest.
"""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

import sdt

WAIT = "arena_lock_contended"
EVENTS = (WAIT, "arena_fallback")
HOLD = "arena_lock_held"
TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
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
        if name.startswith("pm_"):
            first = number + 1
    return tuple(names[first:] or names)


def tracefs():
    """Where the kernel's tracing is, or None."""
    for path in TRACEFS:
        if os.path.exists(os.path.join(path, "README")):
            return path
    return None


def provide_tracefs():
    """Mount it where nobody has yet, as perf does on its own account; return
    what is missing, in one sentence with the remedy, or None."""
    if not tracefs() and not os.geteuid():
        subprocess.run(["mount", "-t", "tracefs", "nodev", TRACEFS[0]],
                       stderr=subprocess.DEVNULL, check=False)
    if tracefs():
        return None
    return "no tracefs; as root, `mount -t tracefs nodev %s`" % TRACEFS[0]


def write_line(path, text):
    """Append a line to a file of tracefs, which knows no end to seek to."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, (text + "\n").encode())
    finally:
        os.close(file)


def own_signals():
    """In a tracer, before it starts: the signals as they are by default."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def stop_process(process):
    """Ask a tracer to finish."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)


# ---- perf -------------------------------------------------------------------

class Perf:
    """perf record on uprobe events of our own, taken away at the end."""

    name = "perf"
    holds = False           # are they recorded, too?

    def __init__(self, library, directory, stacks, least_ns):
        self.library = library
        self.data = os.path.join(directory, "perf.data")
        self.stacks = stacks
        self.least_ns = least_ns
        self.group = "pmalloc_%d" % os.getpid()
        self.defined = []
        self.process = None
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
        path = os.path.join(tracefs(), "uprobe_events")
        for event in EVENTS + ((HOLD,) if self.holds else ()):
            for number, probe in enumerate(probes.get(event, ())):
                if number:
                    probe.name += "_%d" % number
                write_line(path, probe.uprobe(self.group, self.library))
                self.defined.append(probe.name)
        if not self.defined:
            raise OSError("%s has no probes" % self.library)

    def _undefine(self):
        path = os.path.join(tracefs(), "uprobe_events")
        while self.defined:
            name = self.defined.pop()
            for _ in range(20):
                try:
                    write_line(path, "-:%s/%s" % (self.group, name))
                    break
                except OSError:
                    time.sleep(0.1)     # perf has not quite let go

    def _command(self, pid, control):
        command = ["perf", "record", "-q", "-o", self.data, "-p", str(pid),
                   "-m", "1024", "-D", "-1", "--switch-events", "--control",
                   "fd:%d,%d" % control]
        for name in self.defined:
            command += ["-e", "%s:%s" % (self.group, name)]
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
        except OSError as err:
            self.fault = "perf: %s" % (err.strerror or err)
        if self.fault:
            self.stop_listening()
            self._undefine()
        return not self.fault

    def _listen(self, pid):
        """Start perf, and wait until it says that the events are enabled."""
        their_control, our_control = os.pipe()
        our_ack, their_ack = os.pipe()
        self.process = subprocess.Popen(
            self._command(pid, (their_control, their_ack)),
            pass_fds=(their_control, their_ack), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=own_signals)
        os.close(their_control)
        os.close(their_ack)
        # Kept open: perf gives up when its controller is gone.
        self.pipes = [our_control, our_ack]
        try:
            os.write(our_control, b"enable\n")
            ready, _, _ = select.select([our_ack], [], [], READY_SECONDS)
            if not ready or b"ack" not in os.read(our_ack, 16):
                self.fault = "perf could not record: " + self._said()
        except BrokenPipeError:
            self.fault = "perf could not record: " + self._said()

    def _said(self):
        """The sentence of what perf complains about that says most."""
        stop_process(self.process)
        text = self.process.communicate()[1]
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if any("paranoid" in line or "permission" in line for line in lines):
            return "no permission; as root, or " \
                "`sysctl kernel.perf_event_paranoid=-1`"
        return lines[0] if lines else "it said nothing"

    def stop_listening(self):
        """End perf record."""
        if self.process:
            stop_process(self.process)
            self.process.communicate()
        while self.pipes:
            os.close(self.pipes.pop())

    def stop(self):
        """End, and read what was recorded."""
        self.stop_listening()
        self._undefine()
        return perf_harvest(self.data, self.stacks)


HEAD = re.compile(r"^\s*(.*?)\s+(\d+)\s+\d+\.\d+:\s+(?:\w+:)?(\w+):\s*(.*)$")
LOST = re.compile(r"PERF_RECORD_LOST\w* lost (\d+)")
FRAME = re.compile(r"^\s+[0-9a-f]+\s+(.*?)\s+\(\S+\)$")


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
        frame = FRAME.match(text)
        if frame:
            self.frames.append(frame.group(1))
            return
        head = HEAD.match(text)
        if head:
            self.finish()
            self.event(re.sub(r"_\d+$", "", head.group(3)), head.group(4))

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
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, errors="replace",
                          start_new_session=True) as process:
        for line in process.stdout:
            samples.line(line.rstrip("\n"))
    samples.finish()
    return samples.harvest


# ---- bpftrace ---------------------------------------------------------------

SCRIPT = """
usdt:%(lib)s:pmalloc:arena_lock_contended /pid == %(pid)d && arg3 >= %(least)d/
{
	@n[(int64)(int32)arg1, arg5, arg4] = count();
	@ns[(int64)(int32)arg1, arg5, arg4] = sum(arg3);
	@max[(int64)(int32)arg1, arg5, arg4] = max(arg3);
	%(stacks)s
}
usdt:%(lib)s:pmalloc:arena_fallback /pid == %(pid)d/ { @fallback = count(); }
interval:ms:100 /!@ready/ { @ready = 1; printf("ready"); }
END { clear(@ready); }
"""
STACKS = """@sn[(int64)(int32)arg1, arg5, ustack(perf, 32)] = count();
	@sns[(int64)(int32)arg1, arg5, ustack(perf, 32)] = sum(arg3);"""


class Bpftrace:
    """bpftrace on the probes; it adds up in the kernel."""

    name = "bpftrace"

    def __init__(self, library, directory, stacks, least_ns):
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
        return self.fault

    def start(self, pid):
        """Listen to a process; return whether that works."""
        self.run = BpftraceRun(SCRIPT % {
            "lib": self.library, "pid": pid, "least": self.least_ns,
            "stacks": STACKS if self.stacks else ""}, self.output)
        self.fault = self.run.start()
        return not self.fault

    def stop(self):
        """End, and read what was added up."""
        return bpftrace_harvest(self.run.stop())


class BpftraceRun:
    """bpftrace with a script that prints "ready" when it listens."""

    def __init__(self, script, output):
        self.script = script
        self.output = output
        self.process = None

    def start(self):
        """Start it; return what is wrong, or None when it listens."""
        env = dict(os.environ, BPFTRACE_MAP_KEYS_MAX="65536")
        with open(self.output, "w") as out:
            self.process = subprocess.Popen(
                ["bpftrace", "-f", "json", "-e", self.script], env=env,
                stdout=out, stderr=subprocess.PIPE, text=True,
                start_new_session=True, preexec_fn=own_signals)
        if self._ready():
            return None
        return "bpftrace could not listen: " + self._said()

    def _ready(self):
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            with open(self.output) as file:
                if "ready" in file.read():
                    return True
            time.sleep(0.05)
        return False

    def _said(self):
        stop_process(self.process)
        lines = [line for line in self.process.communicate()[1].splitlines()
                 if line.strip() and "RLIMIT_MEMLOCK" not in line]
        return lines[0] if lines else "it said nothing"

    def stop(self):
        """End it; return its maps."""
        stop_process(self.process)
        self.process.communicate()
        maps = {}
        with open(self.output) as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if entry.get("type") == "map":
                    maps.update(entry["data"])
        return maps


def bpftrace_harvest(maps):
    """What bpftrace printed at its end."""
    harvest = Harvest()
    for key, count in maps.get("@n", {}).items():
        arena, size, holder = (int(part) for part in key.split(","))
        harvest.add_wait(arena, size, holder, count, maps["@ns"][key],
                         maps["@max"][key])
        harvest.add_event(WAIT, count)
    for key, count in maps.get("@sn", {}).items():
        arena, size, stack = key.split(",", 2)
        names = re.findall(r"^\s*[0-9a-f]+\s+(.*?)\s+\(.*\)$", stack, re.M)
        harvest.add_stack(int(arena), int(size), frames_of(names), count,
                          maps["@sns"][key])
    if "@fallback" in maps:
        harvest.add_event("arena_fallback", maps["@fallback"])
    return harvest


TRACERS = (Perf, Bpftrace)
