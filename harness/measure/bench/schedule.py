# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The order in which everything is run, and how far it has come.

A round runs each row once with each allocator, one after the other, so that
what disturbs the machine for a while disturbs all of them. The order of the
allocators is rotated from row to row and from round to round.
"""
import json
import os
import resource
import sys
import time

import allocators
import programs
from programs import Failed

CLOCK_TICK = os.sysconf("SC_CLK_TCK")


def run_workload(row, allocator, ops, seed, timeout):
    """Run the C program once."""
    env = allocator.environment()
    if allocator.preload:
        env["LD_PRELOAD"] = allocator.preload
    done = programs.run(
        [allocators.PROGRAM, *row.arguments, "-t", str(row.threads),
         "-n", str(ops), "-s", str(seed)], env, timeout)
    result = json.loads(done.stdout)
    if os.path.realpath(result["malloc"]) != \
            os.path.realpath(allocator.library):
        raise Failed(f"ran with the malloc of {result['malloc']}")
    if result["wrong"] and allocator.kind != allocators.PEER:
        raise Failed(f"{result['wrong']} blocks not as asked for")
    return result


def run_once(row, allocator, factor, seed, timeout):
    """Run one row with one allocator; time is seconds per operation."""
    if row.program:
        work = max(1, round(row.ops * factor))
        result = programs.PROGRAMS[row.program](allocator, work, timeout)
    else:
        ops = max(row.threads, round(row.ops * factor))
        result = run_workload(row, allocator, ops, seed, timeout)
    result["time"] = result["seconds"] / result["ops"]
    return result


class Progress:
    """One line that says what is done and how much time is left."""

    def __init__(self, say, seconds_between=5.0):
        self.say = say
        self.tty = sys.stderr.isatty()
        self.between = 0.2 if self.tty else seconds_between
        self.last = time.monotonic()

    def show(self, done, total, left, what):
        """Show it when it is time to."""
        now = time.monotonic()
        if now - self.last < self.between:
            return
        self.last = now
        line = (f"{done}/{total} runs, about {left / 60:.0f} min left, {what}"
                if left >= 120 else
                f"{done}/{total} runs, about {left:.0f} s left, {what}")
        if self.tty:
            sys.stderr.write(f"\r\033[K{line}")
            sys.stderr.flush()
        else:
            self.say(line)

    def clear(self):
        """Take the line away."""
        if self.tty:
            sys.stderr.write("\r\033[K")


class Durations:
    """What a run is expected to take, learned from those before it."""

    def __init__(self, default):
        self.default = default
        self.known = {}

    def learn(self, row, allocator, seconds):
        """Remember the latest."""
        self.known[row.name, allocator.name] = seconds

    def expect(self, row, allocator):
        """This pair's, else the mean of all so far."""
        if (row.name, allocator.name) in self.known:
            return self.known[row.name, allocator.name]
        if self.known:
            return sum(self.known.values()) / len(self.known)
        return self.default


class Schedule:
    """All runs: rows times allocators times rounds."""

    def __init__(self, rows, columns, settings, say):
        self.rows = rows
        self.columns = columns
        self.settings = settings
        self.say = say
        self.durations = Durations(0.1 * settings.factor)
        self.runs = {row.name: {c.name: [] for c in self.columns_of(row)}
                     for row in rows}
        self.failures = {}
        self.rounds = 0

    def columns_of(self, row):
        """The allocators that a row is measured with."""
        wanted = []
        for column in self.columns:
            if column.kind == allocators.VARIANT and not row.study:
                continue
            # Threads that end leave all they have: that is no floor.
            if column.kind == allocators.FLOOR and (
                    row.name.startswith("churn") or
                    self.settings.limit_on_pair_only and
                    not row.name.startswith("pair")):
                continue
            wanted.append(column)
        return wanted

    def order(self, index, number):
        """The allocators of the row with this index, rotated."""
        columns = self.columns_of(self.rows[index])
        k = (index + number) % len(columns)
        return columns[k:] + columns[:k]

    def jobs(self, number):
        """All runs of a round."""
        return [(row, column) for i, row in enumerate(self.rows)
                for column in self.order(i, number)
                if (row.name, column.name) not in self.failures]

    def run_job(self, row, column, number):
        """One run; a failure is kept and not tried again."""
        begin = time.monotonic()
        try:
            result = run_once(row, column, self.settings.factor,
                              self.settings.seed + number,
                              self.settings.timeout)
        except (Failed, ValueError, OSError) as failure:
            result = None
            self.failures[row.name, column.name] = str(failure)
            self.say(f"{column.name} failed in {row.name}: {failure}")
        self.runs[row.name][column.name].append(result)
        self.durations.learn(row, column, time.monotonic() - begin)

    def time_left(self, jobs, number, spent):
        """What these jobs and all later rounds should take."""
        whole = sum(self.durations.expect(*job) for job in self.jobs(number))
        rest = sum(self.durations.expect(*job) for job in jobs)
        left = rest + (self.settings.rounds - number - 1) * whole
        left = min(left, self.settings.budget - spent)
        return max(left, 0 if number else rest)

    def run_round(self, number, begin, progress):
        """One round; False when the time was up before its end.

        A row is always finished, since its ratio needs all allocators, and so
        is the first round.
        """
        jobs = self.jobs(number)
        last = None
        for i, job in enumerate(jobs):
            spent = time.monotonic() - begin
            if number and job[0] != last and spent > self.settings.budget:
                self.say(f"time is up in round {number + 1} of "
                         f"{self.settings.rounds}, at {job[0].name}")
                return False
            last = job[0]
            self.run_job(*job, number)
            done = number * len(jobs) + i + 1
            progress.show(done, self.settings.rounds * len(jobs),
                          self.time_left(jobs[i + 1:], number, spent),
                          f"round {number + 1}: {job[0].name} with "
                          f"{job[1].name}")
        return True

    def run(self):
        """Rounds, as many as wanted and as fit into the time."""
        progress = Progress(self.say)
        begin = time.monotonic()
        for number in range(self.settings.rounds):
            if not self.run_round(number, begin, progress):
                break
            self.rounds = number + 1
        progress.clear()


def machine_ticks():
    """Busy and stolen time of all CPUs since boot, in seconds."""
    with open("/proc/stat", encoding="ascii") as stat:
        words = [int(w) for w in stat.readline().split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = words
    return ((user + nice + system + irq + softirq) / CLOCK_TICK,
            steal / CLOCK_TICK)


def own_seconds():
    """Time that this process and its children used."""
    total = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


class Quiet:
    """How much of the CPUs others used meanwhile."""

    def __init__(self):
        self.begin = time.monotonic()
        self.ticks = machine_ticks()
        self.own = own_seconds()

    def others(self):
        """Shares of all CPUs' time: other processes, the hypervisor."""
        seconds = (time.monotonic() - self.begin) * os.cpu_count()
        busy, steal = machine_ticks()
        busy -= self.ticks[0] + own_seconds() - self.own
        return max(0.0, busy / seconds), (steal - self.ticks[1]) / seconds
