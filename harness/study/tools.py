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
HARDWARE = (
    ("instructions", "instructions"),
    ("cycles", "cycles"),
    ("cache-misses", "cache misses"),
)


class Missing:
    """A tool that is not there: its name, why, and what to do."""

    def __init__(self, what, why, remedy):
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self):
        return f"{self.what}: {self.why}; {self.remedy}"

    def as_json(self):
        """As it is kept in study.json."""
        return {"what": self.what, "why": self.why, "remedy": self.remedy}


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
            return "may count in user space only"
        return None
    if "<not supported>" in said:
        return "not supported"
    for line in said.splitlines():
        if re.search(r"permission|access", line, re.I):
            return "no permission"
        if "unknown tracepoint" in line or "File /sys" in line:
            return "no such tracepoint"
    return "perf cannot count it"


PERMISSION = "as root, or `sysctl kernel.perf_event_paranoid=-1` and " \
    "`mount -o remount,mode=755 /sys/kernel/tracing`"


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
                if why is None or why.startswith("may count"):
                    self.events.append(event)
                if why:
                    refused.setdefault((group, why), []).append(event)
        for (group, why), events in refused.items():
            self.missing.append(Missing("perf stat -e " + ",".join(events),
                                        why, self._remedy(group, why)))

    def _remedy(self, group, why):
        if group is HARDWARE and why == "not supported":
            return "this (virtual) machine shows no hardware counters"
        if "permission" in why or "user space" in why:
            return PERMISSION
        if not pathlib.Path("/sys/kernel/tracing/events").exists():
            return "`mount -t tracefs nodev /sys/kernel/tracing`"
        return "this kernel was built without it"

    def _try_record(self):
        """Call graphs of waiting need sched_switch, of running cpu-clock."""
        self.can_record = {
            "waiting": try_event(self.perf, "sched:sched_switch") is None,
            "running": try_event(self.perf, "cpu-clock") in
            (None, "may count in user space only"),
        }
        if not self.can_record["waiting"]:
            self.missing.append(Missing(
                "perf record -e sched:sched_switch", "not allowed here",
                PERMISSION + "; no flame graph of waiting without it"))


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
