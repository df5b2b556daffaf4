#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Read running processes from outside and hold what is read against what they
report of themselves. Reports TAP.

    check.py BUILD LIBRARY      BUILD has load, load-static and load-static-pie
"""

import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STUDY = os.path.join(HERE, "../../study")
sys.path.insert(0, STUDY)
import figures  # noqa: E402 pylint: disable=wrong-import-position

READS = 1000

# What only ever grows, in an arena, in a class of it, and over all.
ARENA = ("acquired contended waited wait_ns wait_max_ns fallback_out fallback_in "
         "free_busy owner_switches waiters_max local_free remote_in heap_maps "
         "heap_unmaps purged_bytes batches_in batches_out inbox_in").split()
ARENA_CLASS = ("acquired contended waited wait_ns wait_max_ns fallback_out "
               "free_busy").split()

count = 0
failed = 0


def result(good, name, *why):
    """One line of TAP."""
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name))
    for line in why if not good else ():
        print("# %s" % line)
    sys.stdout.flush()
    return good


def skip(name, why):
    """A line of TAP for what cannot be tried here."""
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, why))


class Load:
    """The program that is looked at."""

    def __init__(self, program, threads=4, preload=None, options=""):
        env = dict(os.environ, PMALLOC_OPTIONS=options)
        env.pop("LD_PRELOAD", None)
        if preload:
            env["LD_PRELOAD"] = preload
        self.child = subprocess.Popen([program, str(threads)], env=env,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.child.pid

    def ask(self, what):
        """Have it do something; return what it answers."""
        self.child.stdin.write(what.encode() + b"\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().decode()

    def tell(self, what):
        """Have it do something that it does not answer."""
        self.child.stdin.write(what.encode() + b"\n")
        self.child.stdin.flush()

    def open(self):
        """A reader, as soon as there is something to be read."""
        for _ in range(200):
            try:
                return figures.open_process(self.pid)
            except figures.NotPmalloc:
                time.sleep(0.01)        # not yet executing the program
        return figures.open_process(self.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def counters(report):
    """What only grows, by name."""
    for arena in report["arenas"]:
        number = arena["arena"]
        for name in ARENA:
            yield (number, name), arena[name]
        for i, n in enumerate(arena["wait_hist"]):
            yield (number, "wait_hist", i), n
        for row in arena["classes"]:
            for name in ARENA_CLASS:
                yield (number, row["class"], name), row[name]
    for row in report["classes"]:
        yield ("all", row["class"], "taken"), row["taken"]


def difference(a, b, path="report"):
    """Where two reports differ, one line each."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(set(a) | set(b)):
            if key not in a or key not in b:
                yield "%s.%s is in one of them only" % (path, key)
            else:
                yield from difference(a[key], b[key], "%s.%s" % (path, key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b)):
            yield from difference(x, y, "%s[%d]" % (path, i))
    elif a != b:
        yield "%s is %s outside, %s inside" % (path, a, b)


def as_from_outside(report):
    """A report without what only the process itself tells: what is resident, and what it
    chose by itself."""
    report = dict(report, memory=[dict(part, resident=None) for part in report["memory"]],
                  memory_sum=dict(report["memory_sum"], resident=None))
    for part in report["memory"]:
        if "cpus" in part:
            part["cpus"] = [dict(cpu, resident=None) for cpu in part["cpus"]]
    del report["thp"]
    return report


def sums_agree(report):
    """Whether classes and histograms add up to their arena's; at rest only."""
    for arena in report["arenas"]:
        for name in ("acquired", "contended", "waited", "wait_ns", "fallback_out",
                     "free_busy"):
            if sum(row[name] for row in arena["classes"]) != arena[name]:
                yield "arena %d: %s is not the sum of its classes'" % (arena["arena"], name)
        if sum(arena["wait_hist"]) != arena["waited"]:
            yield "arena %d: the histogram has not every wait once" % arena["arena"]


def watch(name, load, reads):
    """Read while it runs: nothing goes back; then it agrees with the report."""
    with load, load.open() as process:
        back, last, moved, looks = [], {}, 0, 0
        # On a busy machine the program may have no CPU for many looks.
        while looks < reads or (moved <= reads // 10 and looks < 50 * reads):
            looks += 1
            now = dict(counters(process.read()))
            back += ["%s: %d after %d" % (key, now.get(key, 0), n)
                     for key, n in last.items() if now.get(key, 0) < n]
            moved += now != last
            if now == last:
                os.sched_yield()
            last = now
        result(moved > reads // 10, "%s: read %d times while it runs" % (name, reads),
               "only %d reads saw something new" % moved)
        result(not back, "%s: no figure goes back" % name, *back[:5])
        inside = json.loads(load.ask("report"))
        result(all(part["resident"] is not None for part in inside["memory"]),
               "%s: says of itself what is resident" % name)
        inside = as_from_outside(inside)
        outside = process.read()
        result(outside == inside, "%s: agrees with its own report" % name,
               *list(difference(outside, inside))[:10])
        late = ["%s: %d, was %d" % (key, dict(counters(inside)).get(key, 0), n)
                for key, n in last.items() if dict(counters(inside)).get(key, 0) < n]
        result(not late, "%s: which has no less than was read before" % name, *late[:5])
        wrong = list(sums_agree(outside))
        result(not wrong, "%s: sums agree" % name, *wrong[:5])
        held = [a for a in outside["arenas"] if a["waited"]]
        result(all(a["waiters_max"] and a["wait_ns"] for a in held),
               "%s: who waited took time" % name)
        return outside


def refuses(name, pid, error, text, command=None):
    """The reader says no, with a sentence that has the text."""
    if command:
        done = subprocess.run(command + [sys.executable,
                                         os.path.join(STUDY, "figures.py"), str(pid)],
                              capture_output=True, text=True, check=False)
        said = done.stderr
        good = done.returncode == 1 and said.startswith("figures: ")
    else:
        try:
            figures.open_process(pid).close()
            said, good = "nothing", False
        except (figures.NotPmalloc, figures.NotPermitted) as err:
            said, good = str(err), isinstance(err, error)
    result(good and text in said, name, "it said: %s" % said)


def other_lives(load, library):
    """fork, exec, the end."""
    with Load(load, preload=library, options="magazine=off") as parent:
        with parent.open():
            pass
        pid = int(parent.ask("fork"))
        with figures.open_process(pid) as child:
            report = child.read()
            result("pid %d," % pid in report["host"], "a forked child says its own number",
                   report["host"])
            result(report["total"]["live_objects"] > 0 and
                   not any(a["waiters"] for a in report["arenas"]),
                   "a forked child has its parent's objects, and nobody waits")
            parent.tell("exec")
            gone = ""
            for _ in range(500):
                try:
                    child.read()
                except figures.NotPmalloc as err:
                    gone = str(err)
                    break
                time.sleep(0.01)
            result("another program" in gone, "a reader notices exec()", gone)
        os.kill(pid, signal.SIGKILL)
    with Load(load, preload=library) as ended:
        process = ended.open()
        ended.child.kill()
        ended.child.wait()
        try:
            process.read()
            said = "nothing"
        except figures.NotPmalloc as err:
            said = str(err)
        result("has ended" in said, "a reader notices the end", said)
        process.close()


def refusals(load, library):
    """What cannot be read is said in a sentence."""
    with subprocess.Popen(["sleep", "1000"]) as plain:
        time.sleep(0.2)
        refuses("another malloc: says how to start it on pmalloc", plain.pid,
                figures.NotPmalloc, "pmalloc run")
        plain.kill()
    refuses("no such process: says so", 2 ** 22 + 1, figures.NotPmalloc, "no process")
    with Load(load, preload=library) as other:
        with other.open():
            pass
        if os.geteuid() == 0:
            refuses("another user's process: says whose it is", other.pid,
                    figures.NotPermitted, "belongs to root",
                    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
        else:
            skip("another user's process", "only root can be another user")


def main(args):
    """Return the exit status."""
    build, library = args[0], os.path.abspath(args[1])
    load = os.path.join(build, "load")
    print("TAP version 13")

    watch("preloaded", Load(load, preload=library), READS)
    with_locks = watch("magazine=off", Load(load, 8, library, "magazine=off,arena=single"),
                       READS // 5)
    arena = with_locks["arenas"][0]
    result(arena["contended"] >= arena["waited"] + arena["fallback_out"] > 0,
           "magazine=off: threads met at the lock (%d waited, %d at once)"
           % (arena["waited"], arena["waiters_max"]))
    watch("arena=thread", Load(load, 8, library, "magazine=off,arena=thread"), READS // 5)
    watch("held for long", Load(load, 4, library,
                                "magazine=off,arena=single,delay=arena:20us"), READS // 5)
    watch("static", Load(os.path.join(build, "load-static")), READS // 5)
    watch("static PIE", Load(os.path.join(build, "load-static-pie")), READS // 5)
    other_lives(load, library)
    refusals(load, library)
    print("1..%d" % count)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
