# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""One picture of a run: time and memory of each row, best peer = 1."""
import shutil
import subprocess

import report

# Colours that can be told apart without seeing red or green.
COLOURS = ("#d55e00", "#999999", "#0072b2", "#009e73", "#cc79a7", "#e69f00",
           "#56b4e9")
SHAPES = (7, 4, 8, 10, 12, 6, 14)

LINE = 17
HEAD = """
set terminal svg size 1100,{height} font "sans-serif,12" background "#ffffff"
set output "{path}"
set multiplot title "{title}" font ",15"
set border 3 lc rgb "#888888"
set logscale x 2
set xtics nomirror out textcolor rgb "#222222" ("¼" .25, "½" .5, "1" 1, "2" 2, "4" 4, "8" 8, "16" 16, \
  "32" 32, "64" 64, "128" 128)
set grid xtics ytics lc rgb "#eeeeee" lt 1
set yrange [{rows}:-1]
set tmargin 5
set bmargin 6
"""


def points(results, name, key):
    """x and row number of each row that the allocator was measured in."""
    found = []
    for number, row in enumerate(results.runs):
        best = results.best_peer(row, key)
        if best is None or results.median(row, name, key) is None:
            continue
        found.append((results.ratio(row, key, name, best), number))
    return found


def panel(results, names, key, title, where):
    """Commands for one half of the picture."""
    commands, plots = [], []
    largest = 1.0
    for number, name in enumerate(names):
        data = points(results, name, key)
        if not data:
            continue
        largest = max(largest, *(x for x, _ in data))
        commands.append(f"${key}{number} << EOD")
        commands += [f"{x:.4f} {y}" for x, y in data]
        commands.append("EOD")
        size = 1.0 if number == 0 else 0.9
        plots.append(f"${key}{number} using 1:2 with points pt "
                     f"{SHAPES[number % 7]} ps {size} lw 1.5 lc rgb "
                     f"'{COLOURS[number % 7]}' title '{name}'")
    # The first is drawn last, so that nothing hides it.
    plots = plots[1:] + plots[:1]
    high = largest * 1.15
    commands += [where, f'set title "{title}"',
                 f"set xrange [0.22:{high:.2f}]", "plot " + ", ".join(plots)]
    return commands


def script(results, names, title, path):
    """The whole gnuplot script."""
    rows = len(results.runs)
    head = HEAD.format(height=190 + LINE * rows, rows=rows, path=path,
                       title=title)
    labels = ", ".join(f'"{row}" {number}'
                       for number, row in enumerate(results.runs))
    unlabelled = ", ".join(f'"" {number}' for number in range(rows))
    line = "set arrow 1 from 1, graph 0 to 1, graph 1 nohead lc rgb " \
           '"#444444" lw 1.5 back'
    left = f"set ytics ({labels}) nomirror out textcolor rgb '#222222'\n" \
           "set lmargin at screen 0.13\nset rmargin at screen 0.56\n" \
           "unset key"
    right = f"set ytics ({unlabelled}) nomirror out\n" \
            "set lmargin at screen 0.58\nset rmargin at screen 0.98\n" \
            "set key at screen 0.55,0.01 center bottom " \
            "horizontal maxrows 1"
    return "\n".join(
        [head, line,
         *panel(results, names, report.TIME,
                "time, best peer = 1 (left is faster)", left),
         *panel(results, names, report.PEAK,
                "peak memory, best peer = 1 (left is smaller)", right),
         "unset multiplot"]) + "\n"


def draw(results, names, title, path):
    """Draw with gnuplot; returns what went wrong, or None."""
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed"
    done = subprocess.run(["gnuplot", "-"], text=True, capture_output=True,
                          input=script(results, names, title, path),
                          check=False)
    return done.stderr.strip()[-300:] if done.returncode else None
