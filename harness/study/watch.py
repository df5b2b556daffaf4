# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Reading the figures of a process again and again."""
import time

import common
import figures
import owner


class Ended(Exception):
    """The process has ended: there is nothing more to read."""


class Replaced(common.Failure):
    """The process executes another program now."""


class Process:
    """A process on pmalloc, its last figures and what changed since."""

    def __init__(self, pid):
        self.pid = pid
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
            return common.comm("/proc/%d/comm" % self.pid)
        except OSError:
            return "?"

    def alive(self):
        """Whether it still runs; a zombie does not."""
        return owner.runs(self.pid)

    def read(self):
        """Take figures; the ones of before are kept for differences."""
        try:
            report = self.source.read()
        except (figures.NotPmalloc, figures.NotPermitted, OSError) as err:
            if not self.alive():
                raise Ended from err
            kind = Replaced if isinstance(err, figures.NotPmalloc) \
                else common.Failure
            raise kind(str(err)) from err
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
    if not 0 < number < 1 << 31:
        raise ValueError
    return number


def seconds(text):
    """A time above 0, for argparse."""
    number = float(text)
    if not 0 < number < 1e6:
        raise ValueError
    return number
