# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Tables in a terminal, by rich: no wider than that is, and in colours where it
has some. For pipes and files they are text, as wide as it wants."""
import sys

import colours
import common

try:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError as err:
    raise common.Failure(common.no_module(err)) from None

LEAST = 8               # of a name, however little room there is
WIDE = 10000            # where nothing is a terminal, nothing is cut off


def _console(where):
    how = {"file": where, "highlight": False, "markup": False, "emoji": False}
    made = Console(**how)
    return made if made.is_terminal else Console(width=WIDE, **how)


def width():
    """How many characters a line of standard output has."""
    return _console(sys.stdout).width


class Heat(str):
    """A cell with a step of colour, as on a page: the more, the brighter."""

    step = 0


def heat(text, step):
    """Such a cell."""
    made = Heat(text)
    made.step = step
    return made


def _cell(content):
    if not isinstance(content, Heat):
        return Text(content)
    theme = colours.theme("dark")
    return Text(content, "%s on %s" % (theme["ink%d" % content.step],
                                       theme["heat%d" % content.step]))


def lines(heads, rows, left=(), where=None):
    """The lines of a table, the heads' first; columns @left begin at the left.
    They are for standard output, or for @where.

    Each row is one line, so that others can be put between them. Where there
    is no room, names are cut off, and figures are not.
    """
    console = _console(where or sys.stdout)
    wide = [max(map(cell_len, column)) for column in zip(heads, *rows)]
    room = console.width - len(heads) + 1 - sum(
        w for number, w in enumerate(wide) if number not in left)
    for number in left:
        wide[number] = min(wide[number], max(LEAST, room // len(left)))
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0),
                  header_style="bold")
    for number, head in enumerate(heads):
        table.add_column(Text(head), no_wrap=True, overflow="ellipsis",
                         width=wide[number], justify="left" if number in left
                         else "right")
    for row in rows:
        table.add_row(*map(_cell, row))
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


BAR = 32                # characters of the longest bar, where there is room
INDENT = 2


def bars(rows):
    """The lines of a picture on standard output: a row is (name, value, text), its
    bar is as long as the value is large. What is little has a stroke, and nothing
    has none."""
    most = max(value for _, value, _ in rows) or 1
    wide = [max(cell_len(row[n]) for row in rows) for n in (0, 2)]
    room = max(LEAST, min(BAR, width() - sum(wide) - 2 - INDENT))
    made = []
    for name, value, words in rows:
        bar = "\u2588" * int(room * value / most + 0.5) or "|" * (value > 0)
        made.append(" " * INDENT + " ".join((
            name + " " * (wide[0] - cell_len(name)),
            " " * (wide[1] - cell_len(words)) + words, bar)))
    return [line.rstrip() for line in made]
