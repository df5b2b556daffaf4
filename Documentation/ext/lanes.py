# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A run of some threads as a picture: a column for each, time downwards."""

import html
import textwrap

# In pixels: of a column, of a line of text, of what is around it. A letter takes some.
COLUMNS = {1: 420, 2: 340, 3: 250, 4: 187, 5: 150}
LINE, PAD, GAP, BADGE, LETTER = 16, 6, 5, 22, 7.3


def wrap(words, width):
    return textwrap.wrap(words, max(int(width / LETTER), 12)) or [""]


def element(name, content="", **attributes):
    said = "".join(' %s="%s"' % (key.rstrip("_").replace("_", "-"), html.escape(str(value)))
                   for key, value in attributes.items())
    return "<%s%s>%s</%s>" % (name, said, content, name) if content else \
        "<%s%s/>" % (name, said)


def text(lines, x, y, **attributes):
    """Lines of text, the first one's middle at y + LINE / 2."""
    return "".join(element("text", html.escape(line), x=x, y=y + LINE * number + 12,
                           **attributes) for number, line in enumerate(lines))


class Drawing:
    """An SVG of a run."""

    def __init__(self, name, alt, run):
        self.name, self.alt, self.run = name, alt, run
        count = max(len(run.threads), 1)
        self.column = COLUMNS.get(count, 150)
        self.width = self.column * count
        self.left = {thread: number * self.column
                     for number, thread in enumerate(sorted(run.threads))}
        self.y = 0
        self.parts = []

    def bar(self, words, kind):
        """Something that is no thread's, over the whole width."""
        lines = wrap(words, self.width - 30)
        height = LINE * len(lines) + 2 * PAD
        self.parts.append(element("g", element(
            "rect", x=1, y=self.y, width=self.width - 2, height=height, rx=4) + text(
                lines, self.width / 2, self.y + PAD - 1, text_anchor="middle"), class_=kind))
        self.y += height + GAP

    def row(self, row):
        left = self.left[row.thread] + 5
        width = self.column - 10
        words = row.text
        if row.kind == "without":
            words = words or "left out"
        elif row.kind == "moved":
            words = "%s (%s)" % (words, row.moved.strip())
        lines = wrap(words, width - BADGE - 14)
        height = LINE * len(lines) + 2 * PAD
        part = element("rect", x=left, y=self.y, width=width, height=height, rx=4)
        if row.letter:
            part += element("rect", x=left, y=self.y, width=BADGE, height=height, rx=4,
                            class_="badge")
            part += element("text", row.letter, x=left + BADGE / 2,
                            y=self.y + height / 2 + 4, text_anchor="middle", class_="letter")
        if row.kind == "without":
            part += element("line", x1=left + 4, x2=left + BADGE - 4, y1=self.y + height - 6,
                            y2=self.y + 6)
        part += text(lines, left + BADGE + 7, self.y + PAD - 1)
        self.parts.append(element("g", part, class_=row.kind))
        self.y += height + GAP

    def draw(self):
        heads = {thread: wrap(name, self.column - 20)
                 for thread, name in self.run.threads.items()}
        height = LINE * max(map(len, heads.values()), default=1) + 2 * PAD
        for thread, lines in heads.items():
            middle = self.left[thread] + self.column / 2
            self.parts.append(element("g", text(
                lines, middle, PAD - 1, text_anchor="middle"), class_="head"))
        self.y = height
        lifelines = self.y
        if self.run.first:
            self.bar("At first " + ", ".join(self.run.first) + ".", "first")
        for row in self.run.rows:
            if row.thread is None:
                self.bar(row.text, "first")
            else:
                self.row(row)
        lines = "".join(element("line", x1=left + self.column / 2, y1=lifelines,
                                x2=left + self.column / 2, y2=self.y, class_="life")
                        for left in self.left.values())
        self.y += GAP
        self.bar("✗ " + self.run.wrong, "wrong")
        return element(
            "svg", "\n".join([lines] + self.parts), class_="picture interleaving",
            id="interleaving-" + self.name, role="img", aria_label=self.alt,
            style="width: %dpx; min-width: %dpx" % (self.width, self.width * 7 // 10),
            viewBox="0 0 %d %d" % (self.width, self.y))
