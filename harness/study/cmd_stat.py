# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Print what the arenas of a running process did and hold.

The process is neither stopped nor signalled. Without SECONDS the figures are
those since its start. With SECONDS they are printed again each time so many
seconds have gone, then as what happened in between; COUNT of them, or until
the process ends.

    pmalloc stat $(pidof redis-server)
    pmalloc stat $(pidof redis-server) 1 10
"""
import json
import time

import view
import watch

HELP = "print the figures of a running process"


def arguments(parser):
    """Add the arguments of this subcommand."""
    watch.pid_argument(parser)
    parser.add_argument("seconds", type=watch.seconds, nargs="?",
                        metavar="SECONDS", help="print again each SECONDS")
    parser.add_argument("count", type=watch.positive, nargs="?",
                        metavar="COUNT", help="so many times")
    parser.add_argument("--classes", action="store_true",
                        help="by size class too, and how long waits were")
    parser.add_argument("--json", action="store_true",
                        help="the figures as one JSON object per line; they "
                        "are always those since the start")


def rates(process, classes):
    """What happened since the last look, as lines."""
    arenas = view.difference(process.report, process.before)
    shown = arenas + ([view.total_of(arenas, "all")] if len(arenas) > 1 else [])
    lines = view.table(view.arena_columns(True), shown, process.seconds)
    if classes:
        lines += [""] + view.table(view.class_columns(True),
                                   view.hottest_classes(arenas),
                                   process.seconds)
        lines += view.histogram(arenas)
    return lines


def show(process, args, first):
    """Print the last figures."""
    if args.json:
        print(json.dumps(process.report), flush=True)
        return
    if first:
        print("pmalloc: %s, pid %d" % (process.name, process.pid))
        lines = view.summary(process.report, args.classes)
        resident = process.source.resident()
        if resident:
            lines.append("resident: %s, the whole process" % view.size(resident))
    else:
        lines = ["", time.strftime("%H:%M:%S")] + rates(process, args.classes)
    print("\n".join(lines), flush=True)


def main(args):
    """Print the figures; return the exit status."""
    process = watch.Process(args.pid)
    number = 0
    try:
        while True:
            process.read()
            show(process, args, number == 0)
            number += 1
            if not args.seconds or number == args.count:
                return 0
            time.sleep(args.seconds)
    except watch.Ended:
        if number == 0:
            raise watch.common.Failure("process %d has just ended" %
                                       args.pid) from None
        print("process %d has ended" % args.pid, flush=True)
        return 0
