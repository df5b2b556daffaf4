# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The directive lesson and the role recorded: what a recorded run showed.

    .. lesson:: one-lock

The figures of the lesson's recorded run, drawn by what draws a study's charts,
and below them how to run it. Each colour is a variable that charts.css has for
light and for dark.

    :recorded:`one-lock two time`           a median, as in 352
    :recorded:`one-lock two time range`     ... from the lowest to the highest
    :recorded:`one-lock two/one time`       the median of the turns' ratios
    :recorded:`one-lock machine`            on what it was recorded

So a sentence of the book cannot say another figure than the run has.
"""

import os
import re
import statistics
import sys

from docutils import nodes
from docutils.parsers.rst import Directive

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STUDY = os.path.join(TOP, "harness", "study")
for place in (STUDY, os.path.join(TOP, "harness", "measure", "bench")):
    if place not in sys.path:
        sys.path.append(place)

import charts  # noqa: E402 - needs the path
import cmd_lesson  # noqa: E402
import colours  # noqa: E402
import common  # noqa: E402
import lessons  # noqa: E402
import vega  # noqa: E402


def palette():
    """{name of a colour: what a page of ours calls it}."""
    return {name: "var(--chart-%s)" % name for name in colours.theme("light")}


def css():
    """The variables, light and dark."""
    rules = []
    for name in ("light", "dark"):
        lines = "".join("\t--chart-%s: %s;\n" % pair
                        for pair in sorted(colours.theme(name).items()))
        rules.append(":root {\n%s}\n" % lines)
    return "%s\n@media (prefers-color-scheme: dark) {\n%s}\n" % tuple(rules)


def styled(tag):
    """A tag whose colours are style: that knows variables, to all readers."""
    colour = r' (fill|stroke)="(var\([^"]*\))"'
    rules = ["%s:%s" % pair for pair in re.findall(colour, tag.group())]
    if not rules:
        return tag.group()
    rest = re.sub(colour, "", tag.group())
    kept = re.search(r' style="([^"]*)"', rest)
    if kept:
        rules.append(kept.group(1))
        rest = rest.replace(kept.group(), "")
    return re.sub(r"^<(\w+)", r'<\1 style="%s"' % ";".join(rules), rest)


def fit(svg, name, alt):
    """An SVG of Vega as an element of a page, with names of its own."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r'(id="|url\(#)(\w*clip\w*)', r"\1%s-\2" % name, svg)
    # What the parts are is said once, by the whole.
    svg = re.sub(r' aria-\w+="[^"]*"| role="[^"]*"', "", svg)
    svg = re.sub(r"<[^>]*>", styled, svg)
    return svg.replace('<svg', '<svg role="img" id="%s" aria-label="%s"' % (name, alt),
                       1).replace('class="marks"', 'class="chart"', 1)


def recorded(name):
    """The recorded run of a lesson."""
    lesson = lessons.find(name)
    found = lessons.recorded(lesson)
    if not found:
        raise common.Failure("lesson %s has no recorded run: `scripts/pmalloc lesson "
                             "%s --record harness/study/recorded/%s.json`" %
                             (name, name, name))
    return found


def machine(found):
    """On what, how often, how undisturbed."""
    told = found.machine
    text = "%s, %d CPUs, %s; %d turns" % (told["cpu"], told["cpus"], told["kernel"],
                                          told["turns"])
    if told["real_time"]:
        text += " under ``chrt -r 1``"
    if told["disturbed"]:
        text += "; during %d of %d runs others used much of the CPUs" % (
            told["disturbed"], told["turns"] * len(found.lesson.arms))
    return text


def drawn(found):
    """The figures of a run, as SVG elements."""
    made = cmd_lesson.pictures(found)
    svgs, why = vega.draw([vega.titled(chart.spec, chart.title, palette())
                           for chart in made.values()])
    if why:
        raise common.Failure(why)
    return [fit(svg, "lesson-" + name, chart.title)
            for (name, chart), svg in zip(made.items(), svgs)]


def nothing(found):
    """Titles of what is not drawn, for it never happened."""
    made = cmd_lesson.pictures(found)
    return [lessons.METRICS[name].title for name in found.lesson.metrics
            if "%s-%s" % (found.lesson.name, name) not in made]


class Drawn(Directive):
    """The figures of a lesson's recorded run."""

    required_arguments = 1

    def run(self):
        env = self.state.document.settings.env
        name = self.arguments[0]
        for path in ("recorded/%s.json" % name, "lessons.py", "charts.py", "vega.py",
                     "colours.py"):
            env.note_dependency(os.path.join(STUDY, path))
        try:
            found = recorded(name)
            parts = drawn(found)
        except common.Failure as failure:
            raise self.severe(str(failure))
        figure = nodes.figure(classes=["pictures", "charts"])
        figure += nodes.raw("", "\n".join(parts), format="html")
        words = "``scripts/pmalloc lesson %d``: medians, with the range of all turns. " \
            "Recorded on %s." % (found.lesson.number, machine(found))
        none = nothing(found)
        if none:
            words += " Not drawn, for it was 0 in every run: %s." % ", ".join(none)
        caption = nodes.caption()
        inline, _ = self.state.inline_text(words, self.lineno)
        caption += inline
        figure += caption
        return [figure]


def figure_of(found, arm, metric):
    """The values of an arm; of one arm by another, turn by turn."""
    if "/" not in arm:
        return found.value(arm, metric).values
    one, other = (found.figures[name][metric] for name in arm.split("/"))
    return [a / b for a, b in zip(one, other)]


def said(text):
    """What the role says."""
    words = text.split()
    found = recorded(words[0])
    if words[1:] == ["machine"]:
        return machine(found)
    values = figure_of(found, words[1], words[2])
    if words[3:] == ["range"]:
        return "%s to %s" % (charts.short(min(values)), charts.short(max(values)))
    if words[3:]:
        raise ValueError("no %s" % words[3])
    return charts.short(statistics.median(values))


def recorded_role(_name, rawtext, text, lineno, inliner, _options=None, _content=()):
    """A figure of a recorded run."""
    try:
        return [nodes.Text(said(text).replace(" ", "\xa0"))], []
    except (common.Failure, KeyError, IndexError, ValueError, AttributeError) as err:
        message = inliner.reporter.error("recorded: %s: %s" % (text, err), line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def write_css(app, error):
    """The colours, beside the others."""
    if not error:
        with open(os.path.join(app.outdir, "_static", "charts.css"), "w",
                  encoding="utf-8") as file:
            file.write("/* Colours of charts; made by ext/lesson.py. */\n" + css())


def setup(app):
    app.add_directive("lesson", Drawn)
    app.add_role("recorded", recorded_role)
    app.add_css_file("charts.css")
    app.connect("build-finished", write_css)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
