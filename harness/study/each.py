# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Every single wait of a recording: who waited when, for whom, how long.

record.json has sums. perf.data beside it has each wait, each hold if these
were recorded, and the scheduler's switches; all of that is read from there
when somebody asks for a matrix or a time line.
"""
import os
import re
import subprocess

WAIT, HOLD = "arena_lock_contended", "arena_lock_held"
MOST = 200000           # of each kind: a page of more helps nobody

# The tid, seconds, the event, its fields. A program's name can contain
# anything, so perf is not asked for it.
LINE = re.compile(r"^\s*(\d+)\s+(\d+)\.(\d+):\s+(.*)$")
EVENT = re.compile(r"^(?:\w+:)?(\w+?)(?:_\d+)?:\s*(.*)$")
FIELD = re.compile(r"(\w+)=(-?\w+)")
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \(([^()]*(?:\([^()]*\))?)\)\s*$")


class Each:
    """What happened, one by one; times are nanoseconds since the first."""

    def __init__(self):
        self.waits = []         # dicts: at, ns, waiter, holder, arena, size
        self.holds = []         # dicts: at, ns, holder, arena, size
        self.switches = []      # dicts: at, ns, thread, preempted
        self.left_out = 0
        self._out = {}
        self._frames = None

    def _keep(self, where, entry):
        if len(where) < MOST:
            where.append(entry)
        else:
            self.left_out += 1

    def line(self, text):
        """A line of perf script."""
        found = LINE.match(text)
        if found:
            tid, whole, part, rest = found.groups()
            now = int(whole) * 10**9 + int(part.ljust(9, "0")[:9])
            self._frames = None
            if rest.startswith("PERF_RECORD_SWITCH"):
                self._switch(int(tid), now, rest)
            elif event := EVENT.match(rest):
                self._event(int(tid), now, *event.groups())
        elif self._frames is not None and (frame := FRAME.match(text)):
            name = re.sub(r"\+0x[0-9a-f]+$", "", frame.group(1))
            if "libpmalloc" in frame.group(2):
                self._frames.clear()    # what was inlined into it, too
            else:
                self._frames.append(name)

    def _switch(self, tid, now, rest):
        if " OUT" in rest:
            self._out[tid] = (now, "preempt" in rest)
        elif tid in self._out:
            since, preempted = self._out.pop(tid)
            self._keep(self.switches, {
                "at": since, "ns": now - since, "thread": tid,
                "preempted": preempted})

    def _event(self, tid, now, name, fields):
        got = {k: int(v, 0) for k, v in FIELD.findall(fields)}
        if name not in (WAIT, HOLD) or "ns" not in got:
            return
        entry = {"at": now - got["ns"], "ns": got["ns"],
                 "arena": got["arena"], "size": got.get("size", 0)}
        if name == HOLD:
            self._keep(self.holds, {**entry, "holder": tid})
            return
        self._frames = []
        self._keep(self.waits, {**entry, "waiter": tid, "holder":
                                got.get("count", 0), "frames": self._frames})

    def finish(self):
        """All lines are read: callers, and times since the first event."""
        for wait in self.waits:
            outside = [f for f in wait.pop("frames")
                       if not f.lstrip("_").startswith("pm_")]
            wait["caller"] = outside[0] if outside else "unknown"
        everything = self.waits + self.holds + self.switches
        first = min((e["at"] for e in everything), default=0)
        for entry in everything:
            entry["at"] -= first
        return self

    def seconds(self):
        """How long all that took."""
        return max((e["at"] + e["ns"] for e in
                    self.waits + self.holds + self.switches),
                   default=0) / 1e9


def read(directory, perf="perf"):
    """The waits in a directory's perf.data, or None when there is none."""
    path = os.path.join(directory, "perf.data")
    if not os.path.exists(path):
        return None
    command = [perf, "script", "-i", path, "--ns", "--show-switch-events",
               "-F", "tid,time,event,trace,ip,sym,dso"]
    found = _run(command)
    if found is None:           # a recording without callers has no ip
        found = _run(command[:-1] + ["tid,time,event,trace"])
    return found


def _run(command):
    each = Each()
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        for line in process.stdout:
            each.line(line.decode("utf-8", "replace").rstrip("\n"))
    return None if process.returncode else each.finish()


# ---- by whatever is asked for --------------------------------------------------

SLICES = 10
KEYS = ("waiter", "holder", "name", "caller", "arena", "size", "time")


def label(key, wait, names, seconds):
    """What a wait has as one of the KEYS, in words."""
    if key in ("waiter", "holder"):
        tid = wait[key]
        if not tid:
            return "unknown"
        name = names.get(str(tid))
        return "%s/%d" % (name, tid) if name else str(tid)
    if key == "name":
        return names.get(str(wait["waiter"]), "unknown")
    if key == "arena":
        return "arena %d" % wait["arena"]
    if key == "size":
        return "%d bytes" % wait["size"]
    if key == "time":
        slice_ = min(SLICES - 1, int(wait["at"] / 1e9 / (seconds or 1) *
                                     SLICES))
        return "%.3g s on" % (slice_ * seconds / SLICES)
    return wait["caller"]


def pivot(each, rows, columns, names):
    """{(row, column): [waits, ns]}, rows and columns by time waited."""
    found, seconds = {}, each.seconds()
    for wait in each.waits:
        entry = found.setdefault((label(rows, wait, names, seconds),
                                  label(columns, wait, names, seconds)),
                                 [0, 0])
        entry[0] += 1
        entry[1] += wait["ns"]
    return found


def order(found, which, key):
    """Rows (0) or columns (1) of a pivot: by time waited, times in order."""
    total = {}
    for place, (_, ns) in found.items():
        total[place[which]] = total.get(place[which], 0) + ns
    if key == "time":
        return sorted(total, key=lambda t: float(t.split()[0]))
    return sorted(total, key=lambda k: -total[k])


def histogram(entries):
    """{bucket: how many}: bucket n has those of 2^n ns and more."""
    found = {}
    for entry in entries:
        n = max(0, entry["ns"].bit_length() - 1)
        found[n] = found.get(n, 0) + 1
    return found
