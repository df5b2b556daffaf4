# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Reading the figures of a process again and again."""
import os
import time

import figures

import common


class Ended(Exception):
    """The process has ended: there is nothing more to read."""


class Process:
    """A process on pmalloc, its last figures and what changed since."""

    def __init__(self, pid):
        self.pid = pid
        if not os.path.exists("/proc/%d" % pid):
            raise common.Failure("there is no process %d" % pid)
        try:
            self.source = figures.open_process(pid)
        except (figures.NotPmalloc, figures.NotPermitted) as err:
            raise common.Failure(str(err)) from err
        self.name = self.comm()
        self.report = None
        self.before = None
        self.at = None
        self.seconds = None

    def comm(self):
        """The name of the process."""
        try:
            with open("/proc/%d/comm" % self.pid) as file:
                return file.read().strip()
        except OSError:
            return "?"

    def alive(self):
        """Whether it still runs; a zombie does not."""
        try:
            with open("/proc/%d/stat" % self.pid) as file:
                return file.read().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def read(self):
        """Take figures; the ones of before are kept for differences."""
        try:
            report = self.source.read()
        except (figures.NotPmalloc, figures.NotPermitted, OSError) as err:
            if not self.alive():
                raise Ended from err
            raise common.Failure(str(err)) from err
        now = time.monotonic()
        self.before, self.report = self.report, report
        self.seconds = now - self.at if self.at else None
        self.at = now
        return report


def pid_argument(parser):
    """Let a subcommand take a process."""
    parser.add_argument("pid", type=positive, metavar="PID",
                        help="a process that runs on pmalloc")


def positive(text):
    """A whole number above 0, for argparse."""
    number = int(text)
    if number <= 0:
        raise ValueError
    return number


def seconds(text):
    """A time above 0, for argparse."""
    number = float(text)
    if not 0 < number < 1e6:
        raise ValueError
    return number
