# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Ask a question about allocators, run the experiment, and explain.

    pmalloc lesson              the lessons that there are
    pmalloc lesson 3            the third one: first predict, then it measures

A lesson runs one workload under several options of the one library, in turns,
for 10 to 20 seconds. On a terminal it asks for a prediction first; --yes, or no
terminal, goes on without. Documentation/lessons/ has a chapter for each.
"""
import argparse
import importlib
import json
import os
import pathlib
import random
import re
import sys
import textwrap

import charts
import common
import data
import lessons
import matrix
import measure
import tools
import vega

HELP = "lessons: predict, measure, and see why"

TURNS = 7
WIDTH = 78


def positive(text):
    """A whole number from 1 on."""
    number = int(text) if text.isdecimal() else 0
    if not 0 < number < 1000:
        raise argparse.ArgumentTypeError("wants a number from 1 on")
    return number


def share(text):
    """A share of the work."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number <= 100:
        raise argparse.ArgumentTypeError("wants a number such as 0.1")
    return number


def arguments(parser):
    """The command line."""
    parser.add_argument("lesson", nargs="?", metavar="N|NAME",
                        help="the lesson; without one they are listed")
    parser.add_argument("--yes", action="store_true",
                        help="do not wait for a prediction")
    parser.add_argument("--predict", metavar="LETTER",
                        help="the prediction, instead of being asked for it")
    parser.add_argument("--turns", type=positive, default=TURNS, metavar="N",
                        help="how often each arm runs (default %d)" % TURNS)
    parser.add_argument("--work", type=share, default=1.0, metavar="X",
                        help="so much of the work, as in 0.1 for a tenth")
    parser.add_argument("--seed", type=int, default=1, metavar="N",
                        help="seed of the order of runs")
    parser.add_argument("-o", "--output", type=pathlib.Path, metavar="DIR",
                        help="the picture goes there, as SVG and PNG files")
    parser.add_argument("--record", type=pathlib.Path, metavar="FILE",
                        help="write all figures there, as JSON")


def show(text, indent=""):
    """A paragraph."""
    print(textwrap.fill(text, WIDTH, initial_indent=indent,
                        subsequent_indent=indent), flush=True)


# ---- the question -------------------------------------------------------------

def ask(lesson, args):
    """Print the question; the prediction, or None when nobody is asked."""
    print("Lesson %d: %s\n" % (lesson.number, lesson.title))
    show(lesson.question)
    print()
    letters = []
    for place, (sentence, _) in enumerate(lesson.answers):
        letters.append(chr(ord("a") + place))
        print("  %s) %s" % (letters[-1], sentence))
    print(flush=True)
    if args.predict:
        if args.predict not in letters:
            raise common.Failure("the answers are %s" % ", ".join(letters), 2)
        return args.predict
    if args.yes or not (sys.stdin and sys.stdin.isatty() and
                        sys.stdout.isatty()):
        return None
    while True:
        print("What do you expect? [%s] " % "/".join(letters), end="",
              flush=True)
        said = sys.stdin.readline()
        if not said:
            print()
            return None
        if said.strip().lower() in letters:
            print()
            return said.strip().lower()


# ---- the experiment -----------------------------------------------------------

class Counted:
    """perf, and those of the events that a lesson wants which it can count."""

    def __init__(self, lesson):
        wanted = [lessons.EVENTS[m] for m in lesson.metrics
                  if m in lessons.EVENTS]
        self.perf = tools.shutil.which("perf")
        self.events = [event for event in wanted if self.perf and
                       tools.try_event(self.perf, event) is None]


def run_arm(runner, arm, args, turn):
    """Run an arm once; {metric: figure}, and whether others disturbed it."""
    words = arm.workload.split()
    ops = max(int(arm.ops * args.work), 64 * arm.threads)
    found = runner.once(
        matrix.Variant(arm.name, arm.label, arm.series, options=arm.options),
        matrix.Point(arm.threads, str(arm.threads), arm.threads,
                     tuple(words)), ops, args.seed + turn)
    if not found["pmalloc"]:
        raise common.Failure("the library left no report; build it anew")
    found["workload"] = words[0]
    return found, data.is_disturbed(found)


def machine(args, disturbed):
    """What was measured on, and how."""
    here = tools.machine()
    return {"cpu": here["cpu"], "cpus": here["cpus"], "kernel": re.match(
        r"\w+ \d+\.\d+", here["kernel"]).group(),
        "turns": args.turns, "work": args.work, "disturbed": disturbed,
        "real_time": os.sched_getscheduler(0) in (os.SCHED_RR,
                                                  os.SCHED_FIFO)}


def measured(lesson, args):
    """Run all arms in turns: a lessons.Found, and how many runs others
    disturbed."""
    study = matrix.Study(lesson.name, lesson.title, "", [], False, "threads",
                         [], [])
    runner = measure.Runner(args.own, study, Counted(lesson), ".")
    figures = {arm.name: {m: [] for m in lesson.metrics}
               for arm in lesson.arms}
    disturbed = 0
    for turn in range(args.turns):
        order = list(lesson.arms)
        random.Random(args.seed * 1000 + turn).shuffle(order)
        for arm in order:
            if sys.stderr.isatty():
                sys.stderr.write("\r\033[Kturn %d of %d: %s" % (
                    turn + 1, args.turns, arm.label))
                sys.stderr.flush()
            try:
                found, late = run_arm(runner, arm, args, turn)
            except measure.Failed as failed:
                raise common.Failure("%s: %s" % (arm.label, failed)) from None
            disturbed += late
            for metric in lesson.metrics:
                value = lessons.METRICS[metric].of(found)
                figures[arm.name][metric].append(
                    value if value is None else float("%.5g" % value))
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    return lessons.Found(lesson, figures, machine(args, disturbed))


# ---- what was found -----------------------------------------------------------

def ranged(value):
    """A figure with its range."""
    if value.low == value.high:
        return charts.short(value.median)
    return "%s (%s to %s)" % tuple(
        map(charts.short, (value.median, value.low, value.high)))


def picture(found):
    """The figures as bars."""
    lesson = found.lesson
    bars = importlib.import_module("terminal").bars
    for name in lesson.metrics:
        metric = lessons.METRICS[name]
        values = [(arm.label, found.value(arm.name, name))
                  for arm in lesson.arms]
        values = [(label, value) for label, value in values if value]
        if not values:
            why = "perf cannot count that here" if name in lessons.EVENTS \
                else "there was none"
            print("%s: not known; %s.\n" % (metric.title, why))
            continue
        print("%s, %s:" % (metric.title, metric.unit))
        for line in bars([(label, value.median, ranged(value))
                                   for label, value in values]):
            print(line)
        print(flush=True)


def pictures(found):
    """{name: charts.Chart} of the figures that are not all nothing."""
    made = {}
    for name in found.lesson.metrics:
        metric = lessons.METRICS[name]
        rows = []
        for arm in found.lesson.arms:
            value = found.value(arm.name, name)
            if value:
                rows.append((arm.label, arm.series, value, "%s: %s %s" % (
                    arm.label, ranged(value), metric.unit)))
        if rows and any(value.high > 0 for _, _, value, _ in rows):
            made["%s-%s" % (found.lesson.name, name)] = charts.rows(
                metric.title, metric.unit, rows)
    return made


def judge(found, predicted):
    """The answer, the prediction beside it, and how sure it is."""
    lesson = found.lesson
    value = found.answer()
    if not value:
        show("Nothing happened in these runs that would answer the question. "
             "More work might: without --work, or with --turns 20.")
        return
    letter = lesson.letter(value.median)
    show("Measured: " + lesson.says % charts.short(value.median) +
         ": %s." % letter)
    if predicted:
        show("You said %s, and so it was." % letter if predicted == letter
             else "You said %s." % predicted)
    ends = sorted({lesson.letter(value.low), lesson.letter(value.high)})
    if len(ends) > 1:
        show("Not every turn agreed: they reached from %s to %s, which would "
             "be %s and %s. The median counts." % (
                 charts.short(value.low), charts.short(value.high), *ends))
    if found.machine["disturbed"]:
        show("During %d of %d runs others used much of the CPUs. Counts bear "
             "that, times do not." % (
                 found.machine["disturbed"],
                 found.machine["turns"] * len(lesson.arms)))


def beside_recorded(found):
    """What the book's machine showed, and whether this one differs."""
    kept = lessons.recorded(found.lesson)
    if not kept or not kept.answer() or not found.answer():
        return
    lesson, value, before = found.lesson, found.answer(), kept.answer()
    here, there = lesson.letter(value.median), lesson.letter(before.median)
    words = "In the book's recorded run (%s, %d CPUs) it was %s" % (
        kept.machine["cpu"], kept.machine["cpus"], ranged(before))
    if here != there:
        show(words + ", which is %s. This machine gives another answer: "
             "believe it, and look for what differs." % there)
    elif not before.low <= value.median <= before.high:
        show(words + ". This machine's figure lies outside of that range; "
             "the answer is the same.")
    else:
        show(words + ", and this machine's lies within that.")


def explain(found, predicted):
    """The sentences behind the picture."""
    judge(found, predicted)
    beside_recorded(found)
    for paragraph in found.lesson.why:
        print()
        show(paragraph)
    print()
    show("To read: Documentation/lessons/%s" % found.lesson.after)


def keep(found, args):
    """Files, where they are asked for."""
    if args.record:
        with common.about(args.record):
            args.record.write_text(json.dumps(found.as_json(), indent=1,
                                              ensure_ascii=False) + "\n",
                                   encoding="utf-8")
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
        why = vega.PACKAGE + " is not installed" if vega.missing() else \
            vega.write(args.output, {name: (chart.title, chart.spec) for
                                     name, chart in pictures(found).items()},
                       tools.Files().converter)
        if why:
            common.say("lesson", why)


def main(args):
    """Give the lesson; return the exit status."""
    if not args.lesson:
        print("Lessons, as in `pmalloc lesson 1`:")
        print("\n".join(lessons.listing()))
        return 0
    lesson = lessons.find(args.lesson)
    # What is missing is better said now than at the end.
    importlib.import_module("terminal")
    if args.record:
        common.writable(args.record)
    predicted = ask(lesson, args)
    found = measured(lesson, args)
    picture(found)
    keep(found, args)
    explain(found, predicted)
    return 0
