# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Pictures as SVG: a writer, and the colours of light and dark.

Nothing carries a colour of its own; everything has a class. A page gives the
classes their colours, once for light and once for dark; a file for a paper
carries those for light in itself. The hues are Okabe and Ito's, which can be
told apart without seeing red or green, and each series has its own mark too.
"""
from html import escape

FONT = "'DejaVu Sans', 'Liberation Sans', Arial, sans-serif"

# Series: colour in light, in dark, mark, dashes of its line.
SERIES = {
    "cpu": ("#0072b2", "#56b4e9", "circle", ""),
    "single": ("#d55e00", "#ff8f40", "square", ""),
    "thread": ("#009e73", "#3fd1a5", "triangle", ""),
    "pool": ("#b0508a", "#e89ac7", "diamond", ""),
    "glibc": ("#777777", "#a8a8a8", "cross", "6 3"),
    "jemalloc": ("#777777", "#a8a8a8", "ring", "2 3"),
    "mimalloc": ("#777777", "#a8a8a8", "plus", "8 3 2 3"),
    "tcmalloc": ("#777777", "#a8a8a8", "wedge", "4 2 1 2"),
    "a": ("#0072b2", "#56b4e9", "circle", ""),
    "b": ("#d55e00", "#ff8f40", "square", ""),
    "c": ("#009e73", "#3fd1a5", "triangle", ""),
    "d": ("#b0508a", "#e89ac7", "diamond", ""),
    "predicted": ("#444444", "#dddddd", "none", "5 4"),
}

# Kinds of frames in a flame graph.
FRAMES = {
    "program": ("#d9d9d9", "#4a5058"),
    "libc": ("#bcd9ea", "#2f5a70"),
    "allocator": ("#f2b07c", "#a05a1c"),
    "kernel": ("#d6bcd8", "#6a4a70"),
    "asleep": ("#8fc9b5", "#1f6f58"),
    "wanting": ("#f0d878", "#7d6a1a"),
}

THEMES = {
    "light": {"ground": "#ffffff", "text": "#1f2328", "soft": "#59636e",
              "axis": "#8c959f", "grid": "#e4e8ec", "empty": "#f3f5f7"},
    "dark": {"ground": "#15191e", "text": "#e6edf3", "soft": "#a3adb8",
             "axis": "#6e7681", "grid": "#2b323a", "empty": "#1d2228"},
}

# A ramp for heat, light to dark in light, dark to light in dark.
HEAT = {
    "light": ("#fff3cc", "#fdd083", "#f6a04d", "#df6a2b", "#b53a1d",
              "#7a1a1a"),
    "dark": ("#3a2a20", "#66381c", "#95491a", "#c7641f", "#ef9440",
             "#ffd79a"),
}


def css(theme, prefix=""):
    """The rules that give the classes their colours."""
    c = THEMES[theme]
    k = 0 if theme == "light" else 1
    p = prefix
    rules = [
        f"{p}.t{{fill:{c['text']};font-family:{FONT};font-size:12px}}",
        f"{p}.ts{{fill:{c['soft']};font-family:{FONT};font-size:11px}}",
        f"{p}.th{{fill:{c['text']};font-family:{FONT};font-size:13px;"
        "font-weight:bold}",
        f"{p}.tt{{fill:{c['text']};font-family:{FONT};font-size:16px;"
        "font-weight:bold}",
        f"{p}.tf{{fill:{c['text']};font-family:{FONT};font-size:10.5px}}",
        f"{p}.ax{{stroke:{c['axis']};fill:none;stroke-width:1}}",
        f"{p}.gr{{stroke:{c['grid']};fill:none;stroke-width:1}}",
        f"{p}.mk{{stroke:{c['soft']};fill:none;stroke-width:1;"
        "stroke-dasharray:2 3}",
        f"{p}.bg{{fill:{c['ground']}}}",
        f"{p}.em{{fill:{c['empty']}}}",
        f"{p}.fr{{stroke:{c['ground']};stroke-width:.6}}",
    ]
    for name, colours in SERIES.items():
        rules.append(f"{p}.l-{name}{{stroke:{colours[k]};fill:none;"
                     "stroke-width:2;stroke-linejoin:round"
                     + (f";stroke-dasharray:{colours[3]};stroke-width:1.4"
                        if colours[3] else "") + "}")
        rules.append(f"{p}.w-{name}{{stroke:{colours[k]};fill:none;"
                     "stroke-width:1.2;stroke-opacity:.75}")
        rules.append(f"{p}.m-{name}{{fill:{colours[k]};stroke:{c['ground']};"
                     "stroke-width:.8}")
        rules.append(f"{p}.o-{name}{{fill:{c['ground']};stroke:{colours[k]};"
                     "stroke-width:1.6}")
    for name, colours in FRAMES.items():
        rules.append(f"{p}.k-{name}{{fill:{colours[k]}}}")
    for i, colour in enumerate(HEAT[theme]):
        rules.append(f"{p}.h{i}{{fill:{colour}}}")
    # Text on heat: dark steps want light text.
    inks = (("#1f2328",) * 3 + ("#ffffff",) * 3, ("#ffffff",) * 4 +
            ("#1f2328",) * 2)[k]
    for i, ink in enumerate(inks):
        rules.append(f"{p}.hi{i}{{fill:{ink};font-family:{FONT};"
                     "font-size:10px}")
    return "\n".join(rules)


def width_of(text, size=12):
    """About how wide a text is, a little too wide rather than too narrow."""
    wide = sum(1 for c in text if c in "mwMW%@")
    thin = sum(1 for c in text if c in "iljtf.,:;'|()[] ")
    return size * (0.62 * len(text) + 0.3 * wide - 0.2 * thin)


def num(value):
    """A coordinate: short, and never anything but a number."""
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("a coordinate that is no number")
    return f"{value:.1f}".rstrip("0").rstrip(".")


class Svg:
    """A picture that grows element by element."""

    def __init__(self, width, height, title, description=""):
        self.width = width
        self.height = height
        self.title = title
        self.description = description
        self.parts = []

    def line(self, x1, y1, x2, y2, cls):
        """A line."""
        self.parts.append(f'<line x1="{num(x1)}" y1="{num(y1)}" '
                          f'x2="{num(x2)}" y2="{num(y2)}" class="{cls}"/>')

    def path(self, points, cls):
        """A line through points."""
        d = "M" + "L".join(f"{num(x)} {num(y)}" for x, y in points)
        self.parts.append(f'<path d="{d}" class="{cls}"/>')

    def rect(self, x, y, w, h, cls, tip=""):
        """A rectangle, with what is shown when one points at it."""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<rect x="{num(x)}" y="{num(y)}" width="{num(w)}" '
            f'height="{num(h)}" class="{cls}">{inside}</rect>')

    def text(self, x, y, text, cls="t", anchor="start", turn=None):
        """A text; @turn is an angle round its place."""
        more = f' transform="rotate({turn} {num(x)} {num(y)})"' \
            if turn is not None else ""
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.parts.append(f'<text x="{num(x)}" y="{num(y)}" class="{cls}"'
                          f'{where}{more}>{escape(str(text))}</text>')

    def mark(self, x, y, series, tip=""):
        """The mark of a series."""
        kind = SERIES[series][2]
        full, open_ = f"m-{series}", f"o-{series}"
        shape = {
            "circle": f'<circle cx="{num(x)}" cy="{num(y)}" r="4.2" '
                      f'class="{full}"/>',
            "ring": f'<circle cx="{num(x)}" cy="{num(y)}" r="3.4" '
                    f'class="{open_}"/>',
            "square": f'<rect x="{num(x - 3.8)}" y="{num(y - 3.8)}" '
                      f'width="7.6" height="7.6" class="{full}"/>',
            "triangle": self._polygon(
                x, y, ((0, -5), (4.8, 3.8), (-4.8, 3.8)), full),
            "diamond": self._polygon(
                x, y, ((0, -5.4), (5, 0), (0, 5.4), (-5, 0)), full),
            "wedge": self._polygon(
                x, y, ((0, 4.4), (4.2, -3.4), (-4.2, -3.4)), open_),
            "cross": self._strokes(x, y, "M-3-3L3 3M-3 3L3-3", series),
            "plus": self._strokes(x, y, "M-4 0L4 0M0-4L0 4", series),
            "none": "",
        }[kind]
        tip = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(f'<g class="pt">{tip}{shape}</g>')

    @staticmethod
    def _polygon(x, y, corners, cls):
        points = " ".join(f"{num(x + a)},{num(y + b)}" for a, b in corners)
        return f'<polygon points="{points}" class="{cls}"/>'

    @staticmethod
    def _strokes(x, y, d, series):
        return f'<path d="{d}" transform="translate({num(x)} {num(y)})" ' \
            f'class="w-{series}" style="stroke-width:1.8"/>'

    def legend(self, x, y, items, line=True, wide=900):
        """Marks and names, in rows of at most @wide."""
        at = x
        for series, label in items:
            need = 44 + width_of(label)
            if at > x and at + need > x + wide:
                at, y = x, y + 20
            if line:
                self.line(at, y - 4, at + 24, y - 4, f"l-{series}")
            self.mark(at + 12, y - 4, series)
            self.text(at + 30, y, label)
            at += need
        return y

    def _open(self, top=0):
        return f'viewBox="0 {-top} {num(self.width)} ' \
            f'{num(self.height + top)}"'

    def inline(self, name):
        """For a page; @name must be unique in it."""
        text = f'<title id="{name}-t">{escape(self.title)}</title>'
        if self.description:
            text += f'<desc>{escape(self.description)}</desc>'
        return f'<svg {self._open()} role="img" id="{name}" ' \
            f'aria-labelledby="{name}-t" style="max-width:{self.width}px">' \
            f'{text}{"".join(self.parts)}</svg>'

    def standalone(self):
        """A file of its own, with its title above it, in light colours."""
        top = 34
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" {self._open(top)} '
            f'width="{num(self.width)}" height="{num(self.height + top)}">\n'
            f'<style>{css("light")}</style>\n'
            f'<rect x="0" y="{-top}" width="100%" '
            f'height="{num(self.height + top)}" class="bg"/>\n'
            f'<text x="14" y="-10" class="tt">{escape(self.title)}</text>\n'
            + "\n".join(self.parts) + "\n</svg>\n")
