# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The colours of pictures, light and dark, and the marks of series.

A chart names its colours, "$cpu"; what a name stands for is told when it is
drawn, so that a page can follow the reader's light or dark, and a file for a
paper is light. The hues are Okabe and Ito's, which can be told apart without
seeing red or green, and each series has its own mark too.
"""

FONT = "'DejaVu Sans', 'Liberation Sans', Arial, sans-serif"

# Marks as paths in a square from -1 to 1; those that are lines are not filled.
MARKS = {
    "circle": "M.75,0A.75,.75,0,1,1,-.75,0A.75,.75,0,1,1,.75,0Z",
    "square": "M-.68,-.68H.68V.68H-.68Z",
    "triangle": "M0,-.9L.86,.68H-.86Z",
    "diamond": "M0,-.96L.9,0L0,.96L-.9,0Z",
    "wedge": "M0,.8L.76,-.62H-.76Z",
    "ring": "M.62,0A.62,.62,0,1,1,-.62,0A.62,.62,0,1,1,.62,0Z",
    "cross": "M-.6,-.6L.6,.6M-.6,.6L.6,-.6",
    "plus": "M-.8,0L.8,0M0,-.8L0,.8",
}
OPEN = ("wedge", "ring", "cross", "plus")

# Series: colour in light, in dark, mark, dashes of its line.
SERIES = {
    "cpu": ("#0072b2", "#56b4e9", "circle", []),
    "single": ("#d55e00", "#ff8f40", "square", []),
    "thread": ("#009e73", "#3fd1a5", "triangle", []),
    "pool": ("#b0508a", "#e89ac7", "diamond", []),
    "glibc": ("#777777", "#a8a8a8", "cross", [6, 3]),
    "jemalloc": ("#777777", "#a8a8a8", "ring", [2, 3]),
    "mimalloc": ("#777777", "#a8a8a8", "plus", [8, 3, 2, 3]),
    "tcmalloc": ("#777777", "#a8a8a8", "wedge", [4, 2, 1, 2]),
    "predicted": ("#444444", "#dddddd", "", [5, 4]),
}

# Series without a name of their own look like those of the policies.
SERIES.update(zip("abcd", map(SERIES.get, ("cpu", "single", "thread", "pool"))))

# Kinds of frames in a flame graph, and of what a thread does over time.
KINDS = {
    "program": ("#d9d9d9", "#4a5058"),
    "libc": ("#bcd9ea", "#2f5a70"),
    "allocator": ("#f2b07c", "#a05a1c"),
    "kernel": ("#d6bcd8", "#6a4a70"),
    "asleep": ("#8fc9b5", "#1f6f58"),
    "wanting": ("#f0d878", "#7d6a1a"),
    "more": ("#e8936b", "#a8502a"),
    "less": ("#8fbfdc", "#2a6a94"),
    "same": ("#e3e3e3", "#3f454c"),
    "wait": ("#d55e00", "#ff8f40"),
    "hold": ("#0072b2", "#56b4e9"),
    "off": ("#c9cfd6", "#4a5058"),
}

THEMES = {
    "light": {"ground": "#ffffff", "text": "#1f2328", "soft": "#59636e",
              "axis": "#8c959f", "grid": "#e4e8ec", "empty": "#f3f5f7",
              "line": "#d1d9e0", "box": "#f6f8fa", "accent": "#0072b2",
              "warn": "#b35900"},
    "dark": {"ground": "#15191e", "text": "#e6edf3", "soft": "#a3adb8",
             "axis": "#6e7681", "grid": "#2b323a", "empty": "#1d2228",
             "line": "#333b44", "box": "#1d2228", "accent": "#56b4e9",
             "warn": "#f0a040"},
}

# A ramp for heat, light to dark in light, dark to light in dark; and the ink
# that can be read on each of its steps.
HEAT = {
    "light": ("#fff3cc", "#fdd083", "#f6a04d", "#df6a2b", "#b53a1d",
              "#7a1a1a"),
    "dark": ("#3a2a20", "#66381c", "#95491a", "#c7641f", "#ef9440",
             "#ffd79a"),
}
INKS = {
    "light": ("#1f2328",) * 3 + ("#ffffff",) * 3,
    "dark": ("#ffffff",) * 4 + ("#1f2328",) * 2,
}
STEPS = len(HEAT["light"])


def theme(name):
    """{name of a colour: colour} of light or dark."""
    k = 0 if name == "light" else 1
    found = dict(THEMES[name])
    for table in (SERIES, KINDS):
        found.update((key, row[k]) for key, row in table.items())
    for i in range(STEPS):
        found[f"heat{i}"] = HEAT[name][i]
        found[f"ink{i}"] = INKS[name][i]
    return found


def css(name):
    """The colours of a theme as CSS variables."""
    return "".join(f"--{key}:{colour};" for key, colour in
                   theme(name).items())


def key(series):
    """(path, is it filled) of the mark of a series."""
    mark = SERIES[series][2]
    return MARKS.get(mark, ""), mark not in OPEN
