# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Watch the arenas of a running process: rates, waits, bytes.

The process is neither stopped nor signalled. In a terminal the view follows
its size, and keys change it; h tells which. With --batch it is text, one view
after the other, for pipes and files.

    pmalloc top $(pidof redis-server)
    pmalloc top $(pidof redis-server) --batch -n 5 > top.txt
"""
import curses
import os
import sys
import textwrap
import time

import common
import view
import watch

HELP = "watch the arenas of a running process"

KEYS = (
    ("q", "quit"),
    ("h ?", "these keys, and what the columns mean"),
    ("c", "arenas, size classes, or caches where there are any"),
    ("< >", "sort by another column; the highlighted one"),
    ("r", "sort the other way round"),
    ("t", "rates, or figures since the start of the process"),
    ("space", "stop and go on"),
    ("+ -", "longer or shorter intervals"),
    ("arrows", "scroll, when there are more lines than room; columns that "
     "there is"),
    ("", "no room for are left out: make the window wider"),
)
MEANING = (
    ("acq", "times that a lock was taken to allocate or free"),
    ("cont", "times that who wanted to allocate found it held; cont%: of acq"),
    ("waits", "times that a thread waited for it"),
    ("waiting", "threads that waited, on average"),
    ("mean max", "duration of a wait; max since the start of the process"),
    ("fallb", "times that a thread took another arena instead"),
    ("remote", "objects that came home without the lock"),
    ("out free", "bytes of objects out of their slabs, and of free memory"),
    ("hottest", "what caused most of the waiting, and how much of it"),
    ("held by", "thread and CPU that had the lock at the last wait"),
    ("live", "objects of a cache that the program has; others are free"),
)
SHORTEST, LONGEST = 0.1, 60.0
ARENAS, CLASSES, CACHES = VIEWS = ("arenas", "classes", "caches")


def arguments(parser):
    """Add the arguments of this subcommand."""
    watch.pid_argument(parser)
    parser.add_argument("-d", "--delay", type=watch.seconds, default=1.0,
                        metavar="SECONDS", help="between two looks (1)")
    parser.add_argument("-n", "--count", type=watch.positive, metavar="N",
                        help="end after so many views")
    parser.add_argument("-b", "--batch", action="store_true",
                        help="as text, not as a screen")
    parser.add_argument("-c", "--classes", action="store_true",
                        help="begin with size classes instead of arenas")


class Screen:
    """What is shown: which table, in which order, from which line on."""

    def __init__(self, process, args):
        self.process = process
        self.delay = args.delay
        self.view = CLASSES if args.classes else ARENAS
        self.rates = True
        self.reverse = False
        self.sort = dict.fromkeys(VIEWS)
        self.first = 0
        self.paused = False
        self.help = False
        self.note = ""
        self.width = None

    def all_columns(self):
        """The columns of the table, whether there is room or not."""
        if self.view == CACHES:
            return view.cache_columns()
        make = view.class_columns if self.view == CLASSES else view.arena_columns
        return make(self.seconds() is not None)

    def shown(self):
        """Numbers of the columns that are shown."""
        columns = self.all_columns()
        fitting = view.fit(columns, self.width) if self.width else columns
        return [n for n, c in enumerate(columns) if c in fitting]

    def columns(self):
        """The columns that are shown."""
        columns = self.all_columns()
        return [columns[number] for number in self.shown()]

    def seconds(self):
        """The time that rates are over, None when there are none."""
        return self.process.seconds if self.rates else None

    def arenas(self):
        """The arenas, as rates or since the start."""
        before = self.process.before if self.seconds() else None
        return view.difference(self.process.report, before)

    def entries(self):
        """The lines of the table in their order."""
        # By arena or cache, but of classes what costs most on top.
        key = None
        if self.view == CACHES:
            entries = view.caches_of(self.process.report)
        elif self.view == CLASSES:
            entries = [e for e in view.sum_classes(self.arenas()) if e["acquired"]]
            key = view.heat
        else:
            entries = self.arenas()
        sort = self.sort[self.view]
        if sort is not None:
            key = self.all_columns()[sort].key
        if key:
            entries.sort(key=key, reverse=True)
        if self.reverse:
            entries.reverse()
        return entries

    def next_view(self):
        """Go to the next kind of table; caches are one where there are any."""
        views = VIEWS if view.caches_of(self.process.report) else VIEWS[:2]
        self.view = views[(VIEWS.index(self.view) + 1) % len(views)]
        self.first = 0

    def head(self):
        """The lines above the table."""
        process = self.process
        arenas = self.arenas()
        total = view.total_of(arenas, "all")
        per = "/s" if self.seconds() else ""
        over = self.seconds() or 1
        waiting = "waited %s" % view.duration(total["wait_ns"])
        if self.seconds():
            waiting = "waiting %.2f threads" % (total["wait_ns"] / 1e9 / over)
        what = "each %g s" % self.delay if self.rates else "since its start"
        if self.rates and not self.seconds():
            what = "since its start, rates follow"
        return [
            "pmalloc top - %s  %s, pid %d, %s%s%s" % (
                time.strftime("%H:%M:%S"), process.name, process.pid, what,
                ", stopped" if self.paused else "",
                "  " + self.note if self.note else ""),
            view.headline(process.report),
            "locks: acquired%s %s, contended%s %s (%s %%), waits%s %s, %s" % (
                per, view.scaled(total["acquired"] / over),
                per, view.scaled(total["contended"] / over),
                view.share(total["contended"], total["acquired"]),
                per, view.scaled(total["waited"] / over), waiting),
            view.memory(process.report),
            "",
        ]


def batch(screen, count):
    """Print one view after the other."""
    number = 0
    while True:
        screen.process.read()
        lines = screen.head() + view.table(screen.columns(), screen.entries(),
                                           screen.seconds())
        print("\n".join(lines) + "\n", flush=True)
        number += 1
        if number == count:
            return
        time.sleep(screen.delay)


# ---- in a terminal ----------------------------------------------------------

def put(window, row, column, text, style=0):
    """Write what there is room for."""
    height, width = window.getmaxyx()
    if row >= height or column >= width:
        return
    try:
        window.addnstr(row, column, text, width - column, style)
    except curses.error:
        # The lower right corner cannot be passed; what fits is there.
        pass


def draw_help(window):
    """The keys and the columns."""
    put(window, 0, 0, "pmalloc top: keys", curses.A_BOLD)
    row = 2
    for key, text in KEYS:
        put(window, row, 2, key, curses.A_BOLD)
        put(window, row, 12, text)
        row += 1
    put(window, row + 1, 0, "columns", curses.A_BOLD)
    row += 3
    for key, text in MEANING:
        put(window, row, 2, key, curses.A_BOLD)
        put(window, row, 12, text)
        row += 1
    put(window, row + 1, 0, "Any key goes back.")


def draw_heads(window, row, columns, sort):
    """The heads of the columns, the one that is sorted by highlighted."""
    width = window.getmaxyx()[1]
    put(window, row, 0, " " * width, curses.A_REVERSE)
    at = 0
    for number, column in enumerate(columns):
        style = curses.A_REVERSE
        if number == sort:
            style = curses.A_BOLD | curses.A_UNDERLINE
        put(window, row, at, column.title(), style)
        at += column.width + 1


def draw_table(window, row, screen):
    """The table from the line on that is scrolled to."""
    columns, entries = screen.columns(), screen.entries()
    sort, shown = screen.sort[screen.view], screen.shown()
    draw_heads(window, row, columns,
               shown.index(sort) if sort in shown else None)
    row += 1
    room = max(1, window.getmaxyx()[0] - row)
    screen.first = max(0, min(screen.first, len(entries) - room))
    hottest = max(entries, key=view.heat, default=None)
    for entry in entries[screen.first:screen.first + room]:
        style = 0
        if entry is hottest and entry.get("wait_ns"):
            style = curses.A_BOLD
        put(window, row, 0, view.table(columns, [entry], screen.seconds())[1],
            style)
        row += 1


def draw(window, screen):
    """The whole screen."""
    window.erase()
    if screen.help:
        draw_help(window)
    else:
        screen.width = window.getmaxyx()[1]
        lines = [part for line in screen.head()
                 for part in textwrap.wrap(line, screen.width,
                                           subsequent_indent="  ") or [""]]
        for row, line in enumerate(lines):
            put(window, row, 0, line, curses.A_BOLD if row == 0 else 0)
        draw_table(window, len(lines), screen)
    window.refresh()


def sort_by(screen, step):
    """Go to the next column that is shown, or to the one before."""
    shown = screen.shown()
    sort = screen.sort[screen.view]
    if sort in shown:
        place = shown.index(sort)
    else:
        place = -1 if step > 0 else 0
    screen.sort[screen.view] = shown[(place + step) % len(shown)]


def handle(screen, key):
    """Do what a key says; whether to go on."""
    character = chr(key) if 0 <= key < 256 else ""
    if screen.help:
        screen.help = False
        return character != "q"
    if character == "q":
        return False
    if character and character in "h?":
        screen.help = True
    elif character == "c":
        screen.next_view()
    elif character and character in "<>":
        sort_by(screen, 1 if character == ">" else -1)
    elif character == "r":
        screen.reverse = not screen.reverse
    elif character == "t":
        screen.rates = not screen.rates
    elif character == " ":
        screen.paused = not screen.paused
    elif character and character in "+-":
        factor = 2 if character == "+" else 0.5
        screen.delay = min(LONGEST, max(SHORTEST, screen.delay * factor))
    else:
        page = 10
        screen.first += {curses.KEY_DOWN: 1, curses.KEY_UP: -1,
                         curses.KEY_NPAGE: page,
                         curses.KEY_PPAGE: -page}.get(key, 0)
    return True


def wait_for_key(window, screen, until):
    """Handle keys until it is time to look again; whether to go on."""
    while True:
        left = until - time.monotonic()
        if left <= 0 and not screen.paused:
            return True
        window.timeout(max(10, int(1000 * left)) if not screen.paused else 500)
        key = window.getch()
        if key == -1:
            continue
        if key == curses.KEY_RESIZE:
            curses.update_lines_cols()
        elif not handle(screen, key):
            return False
        draw(window, screen)


def live(window, screen, count):
    """Show views until q is pressed, or the process ends."""
    try:
        curses.curs_set(0)
        curses.use_default_colors()
    except curses.error:
        pass            # a terminal that can do neither
    number = 0
    while True:
        screen.process.read()
        draw(window, screen)
        number += 1
        if number == count:
            return
        if not wait_for_key(window, screen, time.monotonic() + screen.delay):
            return


def terminal(screen, count):
    """The view on the whole terminal."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise common.Failure("this is no terminal; --batch prints text")
    try:
        curses.setupterm()
    except curses.error as err:
        raise common.Failure("the terminal %r is not known (%s); --batch "
                             "prints text" % (os.environ.get("TERM", ""),
                                              err)) from err
    os.environ.setdefault("ESCDELAY", "25")
    curses.wrapper(live, screen, count)


def main(args):
    """Watch; return the exit status."""
    process = watch.Process(args.pid)
    screen = Screen(process, args)
    try:
        if args.batch:
            batch(screen, args.count)
        else:
            terminal(screen, args.count)
    except watch.Ended:
        if process.report is None:
            raise common.Failure("process %d has just ended" %
                                 args.pid) from None
        print("process %d has ended" % args.pid)
    return 0
