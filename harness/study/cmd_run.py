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
    common.say("run", text)


def show(report, name):
    """Print a report, as the library would."""
    lines = view.summary(report)
    print("pmalloc: %s, %s" % (name, lines[0]), file=sys.stderr)
    print("\n".join(lines[1:]), file=sys.stderr, flush=True)


def deliver(args, child, reports, env):
    """Print and write what the processes left."""
    report = reports.of(child.pid)
    if report is None and child.status() not in (126, 127) and not child.why:
        say("no report: " + launch.why_no_report(child, reports, env))
    elif report and not args.quiet:
        show(report, common.shown(child.program[0]))
    if args.json and report:
        with common.about(args.json), \
                open(args.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
            file.write("\n")
    others = reports.others(child.pid)
    if args.all:
        for pid in others:
            other = reports.of(pid)
            if other:
                show(other, "process %d" % pid)
    elif others and not args.quiet:
        say("%d more processes ran on pmalloc; --all prints their reports" %
            len(others))
    fault = reports.copy_to_user(view.as_text)
    if fault:
        say(fault)


def main(args):
    """Run the program; return its exit status."""
    program = common.program(args)
    library = launch.library(args)
    if args.json:
        common.writable(args.json)
    why = launch.obstacle(program[0])
    if why:
        say("warning: %s" % why)
    reports = launch.Reports(args.own)
    env = launch.environment(library, launch.chosen(args) + reports.options())
    child = launch.Child(args.own, program, env)
    child.why = why
    child.go()
    status = child.wait()
    deliver(args, child, reports, env)
    return status
