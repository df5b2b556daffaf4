# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Show what `pmalloc record` recorded, by arena and size class.

A line says which arena's lock was waited for, on behalf of which size, how
often and how long, and which threads had the lock when the waits began.
"""
import json

import recording
import view
import watch

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


def columns(data, total, most):
    """The columns of the table."""
    column = view.Column
    return [
        column("arena", 12, lambda e, s: arena_name(data, e), None),
        column("size", 6, lambda e, s: view.size(e["size"]), None),
        column("waits", 9, lambda e, s: str(e["waits"]), None),
        column("each", 8, lambda e, s: view.duration(
            view.mean(e["wait_ns"], e["waits"])), None),
        column("in all", 8, lambda e, s: view.duration(e["wait_ns"]), None),
        column("%", 5, lambda e, s: view.share(e["wait_ns"], total), None),
        column("longest", 8, lambda e, s: view.duration(e["wait_max_ns"]),
               None),
        column(" held by", 8, lambda e, s: " " + holders(data, e, most), None,
               True),
    ]


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
    table = columns(data, total, args.holders)
    lines = head(data)
    if waits:
        lines += view.table(table, [])
    for entry in waits[:args.lines]:
        lines += view.table(table, [entry])[1:]
        if args.call_graph:
            lines += callers(entry)
    if len(waits) > args.lines:
        lines.append("%d more lines; --lines shows them" %
                     (len(waits) - args.lines))
    lines += foot(data, waits)
    if args.call_graph and not any(w["stacks"] for w in waits):
        lines.append("no callers were recorded; `pmalloc record -g` does")
    print("\n".join(lines))


def folded(data):
    """Print stacks, outermost first, with the arena as the last frame."""
    for entry in data["waits"]:
        for stack in entry["stacks"]:
            frames = [f.replace(";", ":") for f in reversed(stack["frames"])]
            frames.append("arena %d, %s bytes" % (entry["arena"],
                                                  entry["size"]))
            print("%s %d" % (";".join(frames), stack["wait_ns"]))


def main(args):
    """Show; return the exit status."""
    data = recording.load(args.directory)
    if args.json:
        print(json.dumps(data, indent=1))
    elif args.folded:
        folded(data)
    else:
        show(data, args)
    return 0
