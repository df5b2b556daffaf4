# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What this machine lets a study see, and how to get what is missing.

Nothing is concluded from settings: every event is tried with `perf stat` on a
program that does nothing. What fails is said in one line, with the remedy,
and the study goes on without it.
"""
import os
import pathlib
import re
import shutil
import subprocess

# Event, what it is in a figure's words.
SOFTWARE = (
    ("context-switches", "context switches"),
    ("cpu-migrations", "migrations to another CPU"),
    ("page-faults", "page faults"),
    ("task-clock", "CPU time"),
)
TRACEPOINTS = (
    ("syscalls:sys_enter_futex", "futex calls"),
    ("lock:contention_begin", "contended locks in the kernel"),
    ("rseq:rseq_update", "rseq updates"),
    ("rseq:rseq_ip_fixup", "rseq sections restarted"),
)
# These happen in the kernel: who may count in user space only counts none.
KERNEL_SIDE = ("context-switches", "cpu-migrations")
USER_ONLY = "may count in user space only"
HARDWARE = (
    ("instructions", "instructions"),
    ("cycles", "cycles"),
    ("cache-misses", "cache misses"),
)


class Missing:
    """A tool that is not there: its name, why, and what to do.

    @events are those whose figures are not known for it.
    """

    def __init__(self, what, why, remedy, events=()):
        self.what = what
        self.why = why
        self.remedy = remedy
        self.events = list(events)

    def __str__(self):
        return f"{self.what}: {self.why}; {self.remedy}"

    def as_json(self):
        """As it is kept in study.json."""
        return {"what": self.what, "why": self.why, "remedy": self.remedy,
                "events": self.events}


def paranoia():
    """The kernel's perf_event_paranoid, or None."""
    try:
        return int(pathlib.Path(
            "/proc/sys/kernel/perf_event_paranoid").read_text())
    except (OSError, ValueError):
        return None


def try_event(perf, event):
    """None when perf can count it, else what it said."""
    done = subprocess.run(
        [perf, "stat", "-x", ";", "-e", event, "true"],
        capture_output=True, text=True, check=False,
        env=dict(os.environ, LC_ALL="C"))
    said = done.stderr
    if done.returncode == 0 and "<not supported>" not in said and \
            "<not counted>" not in said:
        # Without permission perf drops to counting user space only.
        if re.search(rf";{re.escape(event)}:u;", said):
            return "no permission" if event in KERNEL_SIDE else USER_ONLY
        return None
    if "<not supported>" in said:
        return "not supported"
    for line in said.splitlines():
        if re.search(r"permission|access", line, re.I):
            return "no permission"
        if "unknown tracepoint" in line or "File /sys" in line:
            return "no such tracepoint"
    return "perf cannot count it"


# To be able to enter the directory is not enough: the files in it are for
# their group, root's, as well.
PERMISSION = "as root, or after `sysctl kernel.perf_event_paranoid=-1` and " \
    f"`mount -o remount,mode=750,gid={os.getgid()} /sys/kernel/tracing`"


class Files:
    """What makes PNG files of pictures."""

    def __init__(self):
        self.converter = shutil.which("rsvg-convert")


class Tools:
    """perf and its events on this machine."""

    def __init__(self, perf="perf"):
        self.perf = shutil.which(perf)
        self.events = []
        self.missing = []
        self.can_record = None
        self.converter = shutil.which("rsvg-convert")
        if not self.perf:
            self.missing.append(Missing(
                "perf", f"`{perf}` is not installed",
                "`apt-get install linux-perf`; no counts of the kernel and "
                "no call graphs without it"))
        else:
            self._try_events()
            self._try_record()
        if not self.converter:
            self.missing.append(Missing(
                "rsvg-convert", "not installed",
                "`apt-get install librsvg2-bin`; no PNG files without it"))

    def _try_events(self):
        refused = {}
        for group in (SOFTWARE, TRACEPOINTS, HARDWARE):
            for event, _ in group:
                why = try_event(self.perf, event)
                if why in (None, USER_ONLY):
                    self.events.append(event)
                # Of the clock and of faults the kernel's part is small.
                if why and (why != USER_ONLY or group is HARDWARE):
                    refused.setdefault((group, why), []).append(event)
        for (group, why), events in refused.items():
            what = "perf stat -e " + ",".join(events)
            if why == USER_ONLY:
                what, events = f"the kernel's part of {what}", []
            self.missing.append(Missing(what, why, self._remedy(group, why),
                                        events))

    def _remedy(self, group, why):
        if group is HARDWARE and why == "not supported":
            return "this (virtual) machine shows no hardware counters"
        if "permission" in why or why == USER_ONLY:
            return PERMISSION
        if not pathlib.Path("/sys/kernel/tracing/events").exists():
            return "`mount -t tracefs nodev /sys/kernel/tracing`"
        return "this kernel was built without it"

    def _try_record(self):
        """Call graphs of waiting need sched_switch, of running cpu-clock."""
        self.can_record = {
            "waiting": try_event(self.perf, "sched:sched_switch") is None,
            "running": try_event(self.perf, "cpu-clock") in
            (None, USER_ONLY),
        }
        if not self.can_record["waiting"]:
            self.missing.append(Missing(
                "perf record -e sched:sched_switch", "not allowed here",
                PERMISSION + "; no flame graph of waiting without it",
                ["sched:sched_switch"]))


def cpu_model():
    """Name of the processor."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine


def machine():
    """What was measured on."""
    name = os.uname()
    return {
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PHYS_PAGES") *
        os.sysconf("SC_PAGE_SIZE") >> 20,
        "kernel": f"{name.sysname} {name.release}",
        "arch": name.machine,
        "load_before": os.getloadavg()[0],
        "perf_event_paranoid": paranoia(),
    }
