# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Show what `pmalloc record` recorded, by arena and size class.

A line says which arena's lock was waited for, on behalf of which size, how
often and how long, and which threads had the lock when the waits began.
"""
import csv
import importlib
import json
import pathlib
import sys

import charts
import common
import each
import pprof
import recording
import view
import watch
from common import Failure

HELP = "show what record recorded, by arena and class"

ORDERS = {"total": "wait_ns", "waits": "waits", "longest": "wait_max_ns",
          "each": None}


def arguments(parser):
    """Add the arguments of this subcommand."""
    parser.add_argument("directory", nargs="?", metavar="DIR",
                        default=recording.DIRECTORY,
                        help="the recording (%s)" % recording.DIRECTORY)
    parser.add_argument("-g", "--call-graph", action="store_true",
                        help="callers, too, if they were recorded")
    parser.add_argument("-s", "--sort", choices=sorted(ORDERS),
                        default="total", help="by what (total)")
    parser.add_argument("-n", "--lines", type=watch.positive, default=20,
                        metavar="N", help="so many lines at most (20)")
    parser.add_argument("--holders", type=watch.positive, default=3,
                        metavar="N", help="name so many holders at most (3)")
    parser.add_argument("--folded", action="store_true",
                        help="callers in the form that flame graphs are made "
                        "of: frames;frames nanoseconds")
    parser.add_argument("--who", action="store_true",
                        help="a matrix of who waited for whom")
    parser.add_argument("--rows", choices=each.KEYS, default="waiter",
                        help="by what its rows are (waiter)")
    parser.add_argument("--columns", choices=each.KEYS, default="holder",
                        help="by what its columns are (holder)")
    parser.add_argument("--page", metavar="DIR",
                        help="make a page: matrices, lengths, a time line")
    parser.add_argument("--diff", metavar="EARLIER",
                        help="against an earlier recording; with --page, a "
                        "differential flame graph; with --folded, stacks with "
                        "both times for other programs")
    parser.add_argument("--pprof", metavar="FILE",
                        help="write a profile that pprof reads: waits and "
                        "their time by stack, arena and size")
    parser.add_argument("--csv", action="store_true",
                        help="a line for each wait, for other programs")
    parser.add_argument("--json", action="store_true",
                        help="the recording as JSON")


def order(entry, by):
    """What an entry is sorted by."""
    if ORDERS[by]:
        return entry[ORDERS[by]]
    return entry["wait_ns"] / entry["waits"]


def thread(data, tid):
    """How a thread is called."""
    if not tid:
        return "unknown"
    name = data["names"].get(str(tid))
    return "%s/%d" % (name, tid) if name else str(tid)


def holders(data, entry, most):
    """Who had the lock, and in how much of the time."""
    parts = []
    for holder in entry["holders"][:most]:
        text = thread(data, holder["tid"])
        if holder["wait_ns"]:
            text += " %s%%" % view.share(holder["wait_ns"], entry["wait_ns"])
        parts.append(text)
    more = len(entry["holders"]) - most
    if more > 0:
        parts.append("%d more" % more)
    return ", ".join(parts)


def arena_name(data, entry):
    """The arena, and its CPU where arenas are CPUs'."""
    policy = (data["counters"] or {}).get("policy")
    if policy == "cpu":
        return "%d (CPU %d)" % (entry["arena"], entry["arena"])
    return str(entry["arena"])


MOST_COLUMNS = 6        # of a matrix in a terminal
HEADS = ("arena", "size", "waits", "each", "in all", "%", "longest", "held by")


def row(data, entry, total, args, most):
    """A line of the table."""
    return (arena_name(data, entry), view.size(entry["size"]),
            str(entry["waits"]),
            view.duration(view.mean(entry["wait_ns"], entry["waits"])),
            hot(entry["wait_ns"], most), view.share(entry["wait_ns"], total),
            view.duration(entry["wait_max_ns"]),
            holders(data, entry, args.holders))


def hot(ns, most):
    """A time as a cell that stands out as much as it has of the most."""
    return terminal().heat(view.duration(ns), charts.heat_step(ns, most, 2)) \
        if ns else "-"


def terminal():
    """What makes tables, with the library that it wants."""
    return importlib.import_module("terminal")


def callers(entry, most=5):
    """The callers that waited longest, as indented lines."""
    lines = []
    for stack in entry["stacks"][:most]:
        lines.append("    %s%%, %d waits:" % (
            view.share(stack["wait_ns"], entry["wait_ns"]), stack["waits"]))
        lines += ["        %s" % frame for frame in stack["frames"]]
    return lines


def head(data):
    """The lines above the table."""
    lines = ["%s (pid %d), %.1f s, %s" % (
        " ".join(data["program"]), data["pid"], data["seconds"],
        "recorded with %s" % data["tracer"] if data["tracer"]
        else "the allocator's counters")]
    if data["counters"]:
        lines.append("arena=%s; %s" % (data["counters"]["policy"],
                                       data["counters"]["host"]))
    if not data["tracer"]:
        lines += ["not used: %s" % why for why in data["missing"]]
    lines += ["not all: %s" % why for why in data.get("trouble", ())]
    if data["least_us"] and data["tracer"]:
        lines.append("waits of %g us and more" % data["least_us"])
    return lines + [""]


def foot(data, waits):
    """The lines below: sums, and what the allocator itself has counted."""
    lines = ["", "recorded: " + recording.in_short(data)]
    if not data["tracer"]:
        lines = lines[:1] + [recording.in_short(data)]
    elif data["counters"]:
        arenas = data["counters"]["arenas"]
        lines.append("counted by the allocator: %d waits, %s in all" % (
            sum(a["waited"] for a in arenas),
            view.duration(sum(a["wait_ns"] for a in arenas))))
    if data.get("children"):
        lines.append("%d child processes ran on pmalloc, too; they are among "
                     "what was recorded, not among what was counted" %
                     data["children"])
    if data["events"].get("arena_fallback"):
        lines.append("%d times another arena was taken instead" %
                     data["events"]["arena_fallback"])
    if not waits:
        lines.insert(0, "no thread waited for an arena")
    return lines


def show(data, args):
    """Print the table."""
    waits = data["waits"] if data["tracer"] else \
        recording.waits_of_counters(data)
    total = sum(w["wait_ns"] for w in waits)
    waits = sorted(waits, key=lambda w: -order(w, args.sort))
    most = max((w["wait_ns"] for w in waits), default=0)
    lines = head(data)
    table = terminal().lines(HEADS, [row(data, e, total, args, most)
                                     for e in waits[:args.lines]], (7,)) \
        if waits else [""]
    lines += table[:1]
    for entry, text in zip(waits, table[1:]):
        lines.append(text)
        if args.call_graph:
            lines += callers(entry)
    if len(waits) > args.lines:
        lines.append("%d more lines; --lines shows them" %
                     (len(waits) - args.lines))
    lines += foot(data, waits)
    if args.call_graph and not any(w["stacks"] for w in waits):
        lines.append("no callers were recorded; `pmalloc record -g` does")
    print("\n".join(lines))


def stacks_of(data):
    """{frames, outermost first, with the arena as the last one: ns}."""
    found = {}
    for entry in data["waits"]:
        for stack in entry["stacks"]:
            frames = [f.replace(";", ":") for f in reversed(stack["frames"])]
            frames.append("arena %d, %s bytes" % (entry["arena"],
                                                  entry["size"]))
            key = tuple(frames)
            found[key] = found.get(key, 0) + stack["wait_ns"]
    return found


def folded(data, before=None):
    """Print stacks; with those of before, both times."""
    now, then = stacks_of(data), stacks_of(before) if before else {}
    for frames in {**then, **now}:
        times = [now.get(frames, 0)]
        if before:
            times.insert(0, then.get(frames, 0))
        print(";".join(frames), *times)


# ---- one by one --------------------------------------------------------------

def singly(args):
    """Every wait of a recording; a Failure says why there is none."""
    data = recording.load(args.directory)
    found = each.read(args.directory)
    if not found:
        raise Failure(
            "%s has sums only, no single waits: they are in perf.data, which "
            "`pmalloc record --tracer perf` writes" %
            common.shown(args.directory))
    return data, found


def who(args):
    """Print a matrix."""
    data, found = singly(args)
    cells = each.pivot(found, args.rows, args.columns, data["names"])
    rows = each.order(cells, 0, args.rows)[:args.lines]
    columns = each.order(cells, 1, args.columns)
    # At the left is a name, at the right two sums; of the names above, the end
    # tells them apart.
    room = terminal().width() - 36
    shown = columns[:max(1, min(MOST_COLUMNS, room // 9))]
    wide = max(8, min(14, room // max(1, len(shown)) - 1))
    total = sum(ns for _, ns in cells.values())
    most = max((ns for _, ns in cells.values()), default=0)
    table = []
    for key in rows:
        sums = [cells.get((key, c), (0, 0))[1] for c in columns]
        table.append([key, *(hot(ns, most) for ns in sums[:len(shown)]),
                      view.duration(sum(sums)), view.share(sum(sums), total)])
    print("time waited: %s down, %s across" % (args.rows, args.columns))
    print("\n".join(terminal().lines(
        ["", *(c[-wide:] for c in shown), "in all", "%"], table, (0,))))
    if len(columns) > len(shown):
        print("%d more columns; --page or --csv have them" %
              (len(columns) - len(shown)))
    for title, entries in (("waits", found.waits), ("holds", found.holds)):
        if entries:
            hist = each.histogram(entries)
            print()
            print("\n".join(view.bars(
                "%s by duration:" % title,
                [hist.get(i, 0) for i in range(max(hist) + 1)])))


def waits_csv(args):
    """Print a line for each wait."""
    data, found = singly(args)
    lines = csv.writer(sys.stdout)
    lines.writerow(["at_ns", "waited_ns", "waiter", "waiter_name", "holder",
                    "holder_name", "arena", "size", "caller"])
    for w in found.waits:
        lines.writerow([
            w["at"], w["ns"], w["waiter"],
            data["names"].get(str(w["waiter"]), ""), w["holder"],
            data["names"].get(str(w["holder"]), ""), w["arena"], w["size"],
            w["caller"]])


def make_page(args):
    """A page of a recording."""
    import cmd_study
    import tools
    data, found = singly(args)
    page = cmd_study.pages()
    module = importlib.import_module("recordpage")
    made = module.Recorded(data, found, args.rows, args.columns,
                           list(stacks_of(data).items()))
    if args.diff:
        before = recording.load(args.diff)
        made.changed(before, changes(data, before),
                     list(stacks_of(before).items()))
    place = pathlib.Path(args.page)
    place.mkdir(parents=True, exist_ok=True)
    page.write_parts(place, made.title, [made], tools.Files(), say)
    print("the page is %s/index.html" % common.shown(str(place)))


def say(text):
    """A line on standard error."""
    print("pmalloc report: %s" % text, file=sys.stderr, flush=True)


# ---- two recordings ------------------------------------------------------------

def by_place(data):
    """{(arena, size): entry}."""
    waits = data["waits"] if data["tracer"] else \
        recording.waits_of_counters(data)
    return {(w["arena"], w["size"]): w for w in waits}


SURE = "One recording each, so nobody can tell a difference from chance: " \
    "record both again, or use `pmalloc study --compare`."


def changes(data, before):
    """[((arena, size), waits a second before and after, time waited a second
    before and after)], what changed most first."""
    now, then = by_place(data), by_place(before)
    none = {"waits": 0, "wait_ns": 0}
    rows = []
    for key in {**then, **now}:
        a, b = then.get(key, none), now.get(key, none)
        rows.append((key, *(e[k] / d["seconds"] for k in ("waits", "wait_ns")
                            for e, d in ((a, before), (b, data)))))
    return sorted(rows, key=lambda r: -abs(r[4] - r[3]))


def difference(data, before):
    """Print what changed by arena and size, per second of recording."""
    rows = changes(data, before)
    print("per second, before and after\n" + SURE + "\n")
    most = max((max(r[3:]) for r in rows), default=0)
    print("\n".join(terminal().lines(
        ("arena", "size", "waits", "then", "waiting", "then"),
        [(str(arena), view.size(size), view.scaled(w0), view.scaled(w1),
          hot(ns0, most), hot(ns1, most))
         for (arena, size), w0, w1, ns0, ns1 in rows])))
    if not rows:
        print("no thread waited for an arena in either")


def main(args):
    """Show; return the exit status."""
    if args.who:
        who(args)
        return 0
    if args.page:
        make_page(args)
        return 0
    if args.csv:
        waits_csv(args)
        return 0
    data = recording.load(args.directory)
    before = recording.load(args.diff) if args.diff else None
    if args.pprof:
        pathlib.Path(args.pprof).write_bytes(pprof.of_waits(data))
    elif args.json:
        print(json.dumps(data, indent=1))
    elif args.folded:
        folded(data, before)
    elif before:
        difference(data, before)
    else:
        show(data, args)
    return 0
