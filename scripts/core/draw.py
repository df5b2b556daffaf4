# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Draw the floors of the core from compiled objects, for Graphviz.

    PYTHONPATH=scripts python3 -m core.draw BUILD DIRECTORY

BUILD has the objects of lib/Kbuild. The pictures go into DIRECTORY: floors.dot has a
box for each folder, and an edge where a folder uses symbols of another one;
room-FOLDER.dot has a box for each object of the folder, and an edge where an object
uses symbols of another one of them. So each use of one object by another is in one
picture. An edge knows how many symbols it stands for, and names them where a pointer
rests on it.
"""

import os
import sys

from core import floors

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What each floor is for, in a line.
IDEAS = {
    "base": "options, misuse, tests",
    "back": "size classes, slabs, heaps, extents",
    "arena": "a lock, and the memory behind it",
    "front": "magazines, used without a lock",
    "upkeep": "all arenas and all magazines at once",
    "api": "what callers see, and what is told of it",
}
WIDTH = 44      # characters of a line of files


def folder(name):
    """The folder of an object."""
    return name.split("/")[0]


def between(house):
    """{(folder, folder): symbols}, the first uses these of the second."""
    found = {}
    for user, used, symbols in house.uses():
        if folder(user) != folder(used):
            found.setdefault((folder(user), folder(used)), set()).update(symbols)
    return found


def within(house, name):
    """{(object, object): symbols}, likewise, of two objects in the folder @name."""
    return {(user, used): set(symbols) for user, used, symbols in house.uses()
            if folder(user) == folder(used) == name}


def folders(house):
    """Folders from the ground up, each with its objects."""
    found = {}
    for name in house.order:
        found.setdefault(folder(name), []).append(name)
    return found


def lines(words):
    """Words as lines of at most WIDTH characters."""
    text = [""]
    for word in words:
        if text[-1] and len(text[-1]) + 2 + len(word) > WIDTH:
            text.append("")
        text[-1] += ("  " if text[-1] else "") + word
    return text


def statement(user, used, symbols, label):
    """An edge as DOT."""
    count = len(symbols)
    tip = "%s uses %d symbol%s of %s:\\n%s" % (
        user, count, "s" * (count > 1), used, "\\n".join(sorted(symbols)))
    return '\t"%s" -> "%s" [%stooltip="%s", labeltooltip="%s"];' % (
        user, used, 'label=" %d", ' % count if label else "", tip, tip)


HEAD = """\
\tgraph [fontname="DejaVu Sans", fontsize=12, bgcolor=transparent%s];
\tnode [shape=box, style=rounded, fontname="DejaVu Sans", fontsize=11];
\tedge [fontname="DejaVu Sans", fontsize=9, arrowsize=0.7];"""


def draw_floors(house):
    """DOT of the folders: a box each, the upper ones use the lower ones."""
    yield "digraph floors {"
    yield HEAD % ", ranksep=0.4, nodesep=0.25"
    for name, objects in reversed(folders(house).items()):
        files = "".join('<br/>%s' % line for line in
                        lines(path.split("/")[1] for path in objects))
        idea = ": " + IDEAS[name] if name in IDEAS else ""
        yield '\t"%s" [class="floor", tooltip="lib/%s", label=<<b>%s</b>%s' \
              '<font point-size="10">%s</font>>];' % (name, name, name, idea, files)
    # One above the other, whatever uses what.
    order = list(reversed(folders(house)))
    yield "\tedge [style=invis, weight=100];"
    yield "\t" + " -> ".join('"%s"' % name for name in order) + ' [class="order"];'
    yield '\tedge [style=solid, weight=1];'
    for (user, used), symbols in between(house).items():
        yield statement(user, used, symbols, True)
    yield "}"


def draw_room(house, name):
    """DOT of the objects of a folder."""
    yield 'digraph "room-%s" {' % name
    yield HEAD % ", ranksep=0.3, nodesep=0.2"
    yield '\tnode [margin="0.09,0.03", height=0.3];'
    yield '\tsubgraph "cluster_%s" {' % name
    yield '\t\tlabel=<<b>%s</b>>; labeljust=l; style=rounded; class="floor";' % name
    yield '\t\ttooltip="lib/%s";' % name
    for path in folders(house)[name]:
        yield '\t\t"%s" [label="%s", tooltip="lib/%s.c"];' % (path, path.split("/")[1], path)
    yield "\t}"
    for (user, used), symbols in within(house, name).items():
        yield statement(user, used, symbols, False)
    yield "}"


def pictures(house):
    """{name: DOT} of all pictures."""
    found = {"floors": draw_floors(house)}
    for name in folders(house):
        found["room-" + name] = draw_room(house, name)
    return {name: "\n".join(text) + "\n" for name, text in found.items()}


def main(args):
    """Return the exit status."""
    if len(args) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    house = floors.Floors(os.path.join(TOP, "lib"), args[0])
    for fault in house.faults:
        print("draw: " + fault, file=sys.stderr)
    if house.faults:
        return 1
    os.makedirs(args[1], exist_ok=True)
    for name, dot in pictures(house).items():
        with open(os.path.join(args[1], name + ".dot"), "w", encoding="utf-8") as file:
            file.write(dot)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
