# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""One run of one cell, under perf where there is perf.

perf counts what `env` starts; LD_PRELOAD and the options are set by env, so
neither perf nor the driver runs on the allocator that is measured.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import launch
import peerlocks
import places
from common import read_bytes, shown

# Settings of the caller's environment that would change an allocator.
TUNING = re.compile(r"^(LD_PRELOAD|MALLOC_.*|GLIBC_TUNABLES|MIMALLOC_.*|"
                    r"TCMALLOC_.*|PMALLOC_.*|PYTHONMALLOC)$")
TARGET = 0.25


class Failed(Exception):
    """A run that gave no figures; says why in one line."""


def last_words(*texts):
    """The last line that is not blank, in the first of these that has one."""
    for text in texts:
        lines = text.split(b"\n")
        lines = [line.strip() for line in lines if line.strip()]
        if lines:
            return "its last words: " + shown(lines[-1][-200:])
    return "it said nothing on standard error"


def how_ended(status):
    """An exit status in words; 128 and a signal may be a shell's or ours."""
    number = -status if status < 0 else status - 128
    try:
        return f"was ended by {signal.Signals(number).name}"
    except ValueError:
        return f"ended with status {status}"


class Group:
    """Programs that are run one after the other; nothing of them is left.

    Each has a process group of its own, so Ctrl-C reaches this program only.
    Output goes to files: what a program leaves in the background may hold a
    pipe open for ever.
    """

    def __init__(self, own):
        self.own = own
        self.left = 0           # processes that outlived their program
        own.adopt_orphans()

    def run(self, argv, env, timeout, scratch):
        """Run one to its end; return (output, error output), bytes."""
        names = [os.path.join(scratch, name) for name in ("out", "err")]
        with open(names[0], "wb") as out, open(names[1], "wb") as err:
            process, thing = self.own.start(
                argv, "group", env=env, stdin=subprocess.DEVNULL, stdout=out,
                stderr=err)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"took longer than {timeout:.0f} s; " + last_words(
                *map(read_bytes, reversed(names)))) from None
        finally:
            with self.own.shield():
                late = process.poll() is None
                thing.remove()
                ended = self.own.end_all_below()
                self.left += 0 if late else ended
        said = [read_bytes(name) for name in names]
        if process.returncode:
            raise Failed(f"{how_ended(process.returncode)}; " +
                         last_words(said[1], said[0]))
        return said


class Others:
    """What everybody else used of the CPUs since this was made.

    The kernel counts busy time in ticks, so a short run is judged by a
    handful of them: small shares mean nothing.
    """

    TICK = os.sysconf("SC_CLK_TCK")

    def __init__(self):
        self.busy = self._busy()
        self.own = self._own()
        self.began = time.monotonic()

    @staticmethod
    def _busy():
        fields = pathlib.Path("/proc/stat").read_text().split("\n")[0].split()
        user, nice, system, _, _, irq, soft, steal = map(int, fields[1:9])
        return user + nice + system + irq + soft + steal

    @staticmethod
    def _own():
        mine = os.times()
        return mine.user + mine.system + mine.children_user + \
            mine.children_system

    def share(self):
        """Share of all CPUs' time, 0 to 1."""
        ticks = self._busy() - self.busy
        seconds = ticks / self.TICK - (self._own() - self.own)
        room = (time.monotonic() - self.began) * os.cpu_count()
        if seconds * self.TICK < 3:
            return 0.0
        return max(0.0, min(1.0, seconds / room))


def counts_of(text):
    """The counts in what `perf stat -x ';'` wrote."""
    counts = {}
    for line in text.splitlines():
        field = line.split(";")
        if len(field) < 3 or line.startswith("#"):
            continue
        try:
            value = float(field[0].replace(",", "."))
        except ValueError:
            continue
        counts[field[2].removesuffix(":u")] = value
    return counts


def arena_sum(report, key):
    """A figure over all arenas of a report."""
    return sum(a.get(key, 0) for a in report["arenas"])


def merge_classes(arenas):
    """The per-class figures of all arenas as one list."""
    merged = {}
    for arena in arenas:
        for entry in arena.get("classes", []):
            into = merged.setdefault(entry["class"], {
                "class": entry["class"], "size": entry["size"]})
            for key, value in entry.items():
                if key in ("class", "size"):
                    continue
                if key.endswith("_max_ns"):
                    into[key] = max(into.get(key, 0), value)
                elif isinstance(value, (int, float)):
                    into[key] = into.get(key, 0) + value
    return sorted(merged.values(), key=lambda c: c["class"])


ARENA_KEYS = ("arena", "acquired", "contended", "waited", "slept", "wait_ns",
              "wait_max_ns", "waiters_max", "fallback_out", "fallback_in",
              "free_busy", "owner_switches", "remote_in", "adopted_heaps",
              "wait_hist")


def slim(report):
    """What a page needs of pmalloc's report."""
    return {
        "policy": report.get("policy", ""),
        "host": report.get("host", ""),
        "arenas": [{k: a[k] for k in ARENA_KEYS if k in a}
                   for a in report["arenas"]],
        "classes": merge_classes(report["arenas"]),
        "total": report.get("total", {}),
    }


class Runner:
    """Runs cells of a study with the tools that there are."""

    def __init__(self, own, study, tools, raw, timeout=60.0):
        self.own = own
        self.group = Group(own)
        self.study = study
        self.tools = tools
        self.raw = pathlib.Path(raw)
        self.timeout = timeout
        self.peers = {a.name: a for a in places.peers()}
        self.library = places.library()
        self.program = places.bench_program()
        self.reports = self._library_writes_json()

    def _library_writes_json(self):
        """Does this library know stats=json and stats_file?"""
        env = self._clean()
        env["LD_PRELOAD"] = str(self.library)
        env["PMALLOC_OPTIONS"] = "stats=json,stats_file=/dev/null"
        done = subprocess.run([self.program, "pair", "-n", "1"], env=env,
                              capture_output=True, check=False)
        return done.returncode == 0 and b"option" not in done.stderr

    @staticmethod
    def _clean():
        env = {k: v for k, v in os.environ.items() if not TUNING.match(k)}
        env["LC_ALL"] = "C"
        return env

    def options_of(self, variant, point, reports):
        """PMALLOC_OPTIONS of a run."""
        options = [variant.options, point.options]
        if reports and self.reports:
            options.append(f"stats=json,stats_file={reports}/%p.json")
        return ",".join(o for o in options if o)

    def command(self, variant, point, ops, seed, reports, bare=False):
        """What is run, from env on; @bare without a look at its memory."""
        argv = ["env"]
        library = self.library
        if variant.peer:
            library = self.peers[variant.peer].preload
            if variant.peer in peerlocks.ASK and not bare:
                argv.append(peerlocks.ASK[variant.peer])
        else:
            argv.append("PMALLOC_OPTIONS=" +
                        self.options_of(variant, point, reports))
        if self.study.program:
            words = [w.replace("{threads}", str(point.threads))
                     for w in self.study.command]
            if bare:
                return argv + ([f"LD_PRELOAD={library}"] if library else []) \
                    + words
            preload = ["-p", str(library)] if library else []
            return argv + [str(self.program), "exec", *preload, "--", *words]
        if library:
            argv.append(f"LD_PRELOAD={library}")
        return argv + [str(self.program), *self.study.command,
                       *point.arguments, "-t", str(point.threads),
                       "-n", str(ops), "-s", str(seed)]

    def _result(self, out, err, variant):
        """What the program said of itself."""
        lines = [ln for ln in out.splitlines() if ln.startswith(b"{")]
        if not lines:
            raise Failed("printed no figures; " + last_words(err, out))
        result = json.loads(lines[-1])
        if result.get("status"):
            raise Failed(f"the program {how_ended(result['status'])}; " +
                         last_words(err))
        if "malloc" in result and not variant.peer and \
                os.path.realpath(result["malloc"]) != \
                os.path.realpath(self.library):
            raise Failed(f"ran with the malloc of {result['malloc']}")
        return result

    def _pmalloc(self, reports, keep):
        """pmalloc's own report: of the process that locked most."""
        found = []
        for path in sorted(pathlib.Path(reports).glob("*.json")):
            try:
                report = json.loads(path.read_text())
                found.append((arena_sum(report, "acquired"), path, report))
            except (ValueError, KeyError):
                continue
        if not found:
            return None
        _, path, report = max(found, key=lambda f: f[0])
        if keep:
            shutil.copy(path, self.raw / f"{keep}.pmalloc.json")
        small = slim(report)
        small["processes"] = len(found)
        return small

    @contextlib.contextmanager
    def _scratch(self):
        """A directory for the time of a run; its name is one that the
        library's options can have."""
        path = self.own.directory(launch.reports_base(), "pmalloc-study-")
        try:
            yield path
        finally:
            self.own.take_away(path)

    def once(self, variant, point, ops, seed, keep=""):
        """Run a cell once; returns what was found."""
        with self._scratch() as scratch:
            counts = os.path.join(scratch, "perf")
            reports = os.path.join(scratch, os.urandom(8).hex())
            launch.open_directory(scratch, reports)
            argv = self.command(variant, point, ops, seed, reports)
            if self.tools.events:
                argv = [self.tools.perf, "stat", "-x", ";", "-o", counts,
                        "-e", ",".join(self.tools.events), "--", *argv]
            others = Others()
            out, err = self.group.run(argv, self._clean(), self.timeout,
                                      scratch)
            share = others.share()
            result = self._result(out, err, variant)
            found = {
                "others": round(share, 3),
                "threads": point.threads,
                "ops": result["ops"] * (point.threads
                                        if self.study.per_thread else 1),
                "seconds": result["seconds"],
                "peak_rss": result.get("peak_rss", 0),
                "user": result.get("user", 0),
                "system": result.get("system", 0),
                "perf": {},
            }
            for key in ("p50", "p99", "p999", "max", "final_rss", "switches",
                        "faults", "samples", "wrong"):
                if key in result:
                    found[key] = result[key]
            if self.tools.events:
                found["perf"] = counts_of(pathlib.Path(counts).read_text())
            locks = peerlocks.told(variant.peer,
                                   err.decode("utf-8", "replace"))
            if locks:
                found["peer_locks"] = locks
            if not variant.peer and self.reports:
                found["pmalloc"] = self._pmalloc(reports, keep)
            return found

    def record(self, variant, point, ops, seed, kind, path):
        """Record call graphs of a cell into a perf.data file.

        perf 6.1 remembers after an exec where libraries were before it, and
        unwinds by the lowest address that it has seen of each. Without
        random addresses those of `env`, which has the fewest libraries, are
        the highest; so perf itself is started without them, and nothing but
        env stands between it and the program.
        """
        event = ["-e", "sched:sched_switch", "--switch-events"] \
            if kind == "waiting" else ["-e", "cpu-clock", "-F", "1997"]
        argv = ["setarch", "-R", self.tools.perf, "record", "-q", "-o", str(path), *event,
                "--call-graph", "dwarf,8192", "--max-size", "120M", "--",
                *self.command(variant, point, ops, seed, None, True)]
        with self._scratch() as scratch:
            self.group.run(argv, self._clean(), self.timeout, scratch)

    def calibrate(self, point, target=TARGET):
        """Operations for a run of about @target seconds with pmalloc.

        All variants do the same work at a point. It is chosen from the
        first and the last variant of pmalloc, which are normally the
        fastest and the slowest, so that neither takes ages.
        """
        if self.study.program:
            return 1
        ours = [v for v in self.study.variants if not v.peer] or \
            self.study.variants
        ops = []
        for variant, share in ((ours[0], 1.0), (ours[-1], 3.0)):
            probe = max(20000, 64 * point.threads)
            for _ in range(4):
                found = self.once(variant, point, probe, 1)
                if found["seconds"] > target / 12:
                    break
                probe = int(probe * min(20, target / 6 /
                                        max(found["seconds"], 1e-5)))
            ops.append(share * target * found["ops"] / found["seconds"])
        chosen = max(int(min(ops)), 64 * point.threads)
        return round(chosen, 1 - len(str(chosen)) + 1)
