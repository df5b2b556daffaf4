# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Run a program on pmalloc, and print the report of its arenas at the end.

The program has its own standard input and output, and its exit status is that
of this command. The report goes to standard error. Options that are there
already, in PMALLOC_OPTIONS, and libraries, in LD_PRELOAD, are kept.

    pmalloc run --arena=single --magazine=off -- python3 script.py
"""
import json
import sys

import common
import launch
import view

HELP = "run a program on pmalloc and print the report at the end"


def arguments(parser):
    """Add the arguments of this subcommand."""
    parser.add_argument("--json", metavar="FILE",
                        help="write the report there, as JSON")
    parser.add_argument("--all", action="store_true",
                        help="the reports of its child processes, too")
    parser.add_argument("--quiet", action="store_true",
                        help="print no report")
    launch.arguments(parser)


def say(text):
    """A line on standard error."""
    print("pmalloc run: %s" % text, file=sys.stderr, flush=True)


def show(report, name):
    """Print a report, as the library would."""
    lines = view.summary(report)
    print("pmalloc: %s, %s" % (name, lines[0]), file=sys.stderr)
    print("\n".join(lines[1:]), file=sys.stderr, flush=True)


def deliver(args, child, reports, warned):
    """Print and write what the processes left."""
    report = reports.of(child.pid)
    if report is None and not warned:
        say("no report: " + launch.why_no_report(child))
    elif report and not args.quiet:
        show(report, child.program[0])
    if args.json and report:
        try:
            with open(args.json, "w") as file:
                json.dump(report, file, indent=1)
                file.write("\n")
        except OSError as err:
            raise common.Failure("%s: %s" % (args.json, err.strerror)) from err
    others = reports.others(child.pid)
    if args.all:
        for pid in others:
            other = reports.of(pid)
            if other:
                show(other, "process %d" % pid)
    elif others and not args.quiet:
        say("%d more processes ran on pmalloc; --all prints their reports" %
            len(others))


def main(args):
    """Run the program; return its exit status."""
    program = common.program(args)
    library = launch.library(args)
    why = launch.obstacle(program[0])
    if why:
        say("warning: %s" % why)
    reports = launch.Reports()
    try:
        env = launch.environment(library,
                                 launch.chosen(args) + reports.options())
        child = launch.Child(program, env)
        child.go()
        status = child.wait()
        if status not in (126, 127) or reports.of(child.pid):
            deliver(args, child, reports, why)
        return status
    finally:
        reports.remove()
