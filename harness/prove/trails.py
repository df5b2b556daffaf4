# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What Spin finds when a step is left out of a protocol, statement by statement.

A model NAME.pml says in comments what its statements do, and that is what a run of it
is told in. Such a comment stands behind what it speaks of and has its text in quotes:

    byte lock = NONE;			a name for a variable
    lock = me				what a statement does
    retired = true			the same, with the letter of a step
    proctype give(byte me)		a name for a thread
    assert(owned)			what is wrong if that does not hold

    "the arena's lock"
    "locks {it} / waits for {it}"	behind the stroke: what is said if it has to wait
    E: "says that it is retired"
    "free {me}"
    "the lock is not held"

A lock that is taken and let go with nothing to tell in between is left out.

{it} is the variable that the statement sets or looks at, {} in the name of an array the
index, and any other {expression} its value at that moment; {expression?yes:no} is one of
two words. Where a variant leaves a step out "without E" stands in its place, and "E too early" or "E too late" is what a variant
has at another one. A statement with no such comment is not told.

The macros are expanded with these comments kept, and each statement is put on a line of
its own. So a line of the trail says which statement it was, however deep in macros.
"""

import collections
import concurrent.futures
import copy
import glob
import hashlib
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MODELS_BUILD", os.path.join(TOP, "build", "models"))
# No label marks progress in a model, so every cycle is one without any.
ENDS = "-DENDS"
# Breadth first: the shortest run that goes wrong. A cycle can only be looked for in depth.
# A fault is found early, so that optimising would take longer than it saves. States are
# remembered by a hash: one may be missed, but a run that is found is one of the model.
SHORTEST = ["-O0", "-w", "-DMEMLIM=3072", "-DSAFETY", "-DBFS", "-DHC4"]
CYCLE = ["-O0", "-w", "-DMEMLIM=3072", "-DNP"]
DEPTHS = 50, 75, 100, 150, 250, 100000


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def models():
    return sorted(glob.glob(os.path.join(TOP, "harness", "prove", "*.pml")))


def head_comment(body):
    """A model's first comment but for the licence."""
    return "\n".join(re.findall(r"/\*.*?\*/", body, re.S)[:2])


def variants(body):
    """{flag: (more flags, what it does)} of the variants that a model lists."""
    found = {}
    for flag, ends, what in re.findall(
            r"^ \*\s+-D([A-Z_]+)(?:\s+\((-DENDS)\))?\s+(.*)", head_comment(body), re.M):
        found[flag] = ([ends] if ends else [], what)
    return found


class Note:
    """A comment that says something of a line of the expanded model."""

    FORM = re.compile(r'(?:without (?P<without>[A-Z])|'
                      r'(?P<letter>[A-Z])(?P<moved> too (?:early|late))?)?'
                      r'(?:: )?(?:"(?P<text>[^"]*)")?')

    def __init__(self, comment):
        match = self.FORM.fullmatch(" ".join(comment.split()))
        self.good = bool(match) and bool(match.group())
        if self.good:
            self.without = match.group("without")
            self.letter = match.group("letter")
            self.moved = match.group("moved")
            told = (match.group("text") or "").split(" / ")
            self.text, self.waits = told[0], told[-1] if len(told) > 1 else ""


class Expanded:
    """A model without its macros, one statement in a line."""

    def __init__(self, path, flags):
        done = subprocess.run(["gcc", "-E", "-P", "-CC", "-x", "c", *flags, path],
                              capture_output=True, text=True, check=True)
        body = done.stdout
        self.lines = [""]
        self.notes = {}         # by line
        self.names = {}         # of variables
        self.threads = {}       # name of a proctype's threads
        self.gone = set()       # lines where a thread ends that the child does not have
        self.parameters = {}
        self.split(body)
        self.text = "\n".join(self.lines) + "\n"

    def split(self, body):
        last = depth = 0
        before = thread = ""
        braces = []
        for token in re.findall(r"/\*.*?\*/|\"[^\"]*\"|->|::|[;{}()\[\]]|\w+|\s+|.", body, re.S):
            if token.startswith("/*"):
                note = Note(token[2:-2])
                if note.good and thread:
                    self.threads[thread] = note.text
                elif note.good:
                    self.note(last, note)
                continue
            if token.isspace():
                self.lines[-1] += " " if self.lines[-1] else ""
                continue
            opens = token in ("::", "fi", "od") or token == "}" and braces[-1]
            if opens and before not in (";", "->", "{", "::", "if", "do"):
                self.lines[-1] += ";"
            if opens or token in ("proctype", "inline", "init"):
                self.lines.append("")
            if before == "proctype":
                thread = token
            if before == "unless":
                self.gone.add(len(self.lines) + 1)
            if token == "{":
                if thread:
                    self.parameters[thread] = re.findall(
                        r"\b(?:byte|bool|short|int|mtype) (\w+)",
                        self.lines[-1].split("(", 1)[-1])
                braces.append(before != "=")
                thread = ""
            elif token == "}":
                braces.pop()
            depth += (token in "([") - (token in ")]")
            self.lines[-1] += token
            if not (opens or token in (";", "{", "->", "atomic")):
                last = len(self.lines)
            if not depth and token in (";", "->") or token == "{" and braces[-1]:
                self.lines.append("")
            before = token

    def note(self, line, note):
        found = re.match(r"\s*(?:byte|bool|mtype|short|int) (\w+)", self.lines[line - 1])
        if found and note.text:
            self.names[found.group(1)] = note.text
        self.notes.setdefault(line, []).append(note)


    def told(self, line):
        """What is to be told of a line: a letter and a text may be in two comments."""
        found, letter = [], None
        for note in self.notes.get(line, ()):
            if not note.text and not note.without:
                letter = note
                continue
            found.append(note)
        if letter and found and not found[-1].letter and not found[-1].without:
            found[-1] = copy.copy(found[-1])
            found[-1].letter, found[-1].moved = letter.letter, letter.moved
        return found


class Verdict:
    """What the verifier said."""

    def __init__(self, said):
        self.text = said
        match = re.search(r"errors: (\d+)", said)
        self.errors = int(match.group(1)) if match else None
        match = re.search(r"^ *(\S+) states, stored", said, re.M)
        self.states = match.group(1) if match else "?"
        match = re.search(r"^pan:1: (.*?) \(at depth", said, re.M)
        self.why = match.group(1) if match else ""
        self.complete = not re.search(
            r"max search depth too small|Search not completed|out of memory", said)


def commands(place, lines):
    """Run commands in a place until one fails; what the last one said."""
    for command in lines:
        done = subprocess.run(command, cwd=place, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode and command[0] != "./pan":
            break
    return done.stdout


def search(path, flag, more=(), again=True):
    """Spoil a model with -D@flag, and look for the shortest run that goes wrong: the
    verdict, and where model and trail are. Unless @again, what was found for the very same
    text serves."""
    flags = ["-D" + flag, *more]
    name = os.path.splitext(os.path.basename(path))[0]
    place = os.path.join(BUILD, name + "".join(flags))
    os.makedirs(place, exist_ok=True)
    expanded = Expanded(path, flags)
    options = CYCLE if ENDS in flags else SHORTEST
    key = hashlib.sha256(repr((expanded.text, options)).encode()).hexdigest()
    said, run = os.path.join(place, "said"), os.path.join(place, "run")
    if not again and os.path.exists(said) and os.path.exists(run):
        stored, _, verdict = text(said).partition("\n")
        if stored == key:
            return Verdict(verdict), expanded, place
    for old in glob.glob(os.path.join(place, "*.trail")) + glob.glob(said):
        os.remove(old)
    with open(os.path.join(place, "model.pml"), "w", encoding="utf-8") as file:
        file.write(expanded.text)
    verdict = commands(place, (["spin", "-a", "model.pml"],
                               ["gcc", *options, "-o", "pan", "pan.c"]))
    for depth in DEPTHS if ENDS in flags else DEPTHS[-1:]:
        verdict = commands(place, (["./pan", "-m%d" % depth] +
                                   (["-l"] if ENDS in flags else []),)) or verdict
        if Verdict(verdict).errors:
            break
    with open(run, "w", encoding="utf-8") as file:
        file.write(commands(place, (["spin", "-t", "-p", "-l", "-g", "model.pml"],)))
    with open(said, "w", encoding="utf-8") as file:
        file.write(key + "\n" + verdict)
    return Verdict(verdict), expanded, place


class Row:
    """A line of the drawing: what thread, what kind, which letter, what text."""

    def __init__(self, thread, kind, letter, words, moved=None):
        self.thread, self.kind, self.letter, self.text = thread, kind, letter, words
        self.moved = moved


class Run:
    """A run that went wrong: threads, each with a name, and rows."""

    STEP = re.compile(r"\s*\d+:\s+proc +(\d+) \((\S+?)(?::\d+)?\) \S+?:(\d+) \(state -?\d+\)"
                      r"(?:\s+\[(.*)\])?(.*)")
    VALUE = re.compile(r"\s+(?:\w+\((\d+)\):)?(\w+)(?:\[(\d+)\])? = (\w+)")

    def __init__(self, verdict, expanded, place):
        self.expanded = expanded
        self.rows = []
        self.first = []         # how things are before any thread runs
        self.threads = {}       # number: name
        self.types = {}
        self.values = {}        # of variables: {None or thread: {name: value}}
        self.counts = {}
        self.wrong = ""
        self.replay(text(os.path.join(place, "run")))
        if "assertion" not in verdict.why:
            self.wrong = "Nobody can go on." if "end state" in verdict.why else \
                "And so on, without end."
        waits = {row.thread for row in self.rows if row.kind == "wait"}
        for thread in self.threads:
            self.collapse(thread)
            rows = [row for row in self.rows if row.thread == thread]
            # Who is at its end is in no circle.
            if waits and thread not in waits and rows and rows[-1].kind != "gone":
                self.rows = [row for row in self.rows if row.thread != thread]
        seen = {row.thread for row in self.rows}
        self.threads = {n: name for n, name in self.threads.items() if n in seen}

    def collapse(self, thread):
        """Drop where a thread takes a lock and lets it go, and nothing is told between."""
        before = None
        for row in [row for row in self.rows if row.thread == thread]:
            if before and not before.letter and not row.letter and \
                    "step" == before.kind == row.kind and before.text.startswith("locks ") and \
                    row.text == "un" + before.text:
                self.rows = [one for one in self.rows if one not in (before, row)]
                self.collapse(thread)
                return
            before = row

    def replay(self, said):
        pending = None
        lines = said.splitlines()
        failed = any(line.startswith("spin:") and "assertion" in line for line in lines)
        over = False
        around = "START OF CYCLE" in said
        for line in lines:
            step = self.STEP.match(line)
            value = self.VALUE.match(line)
            if line.startswith("spin:") or line.startswith("#processes"):
                over = over or "assertion" in line or line.startswith("#processes")
                continue
            if "START OF CYCLE" in line:
                self.tell(pending)
                pending = None
                self.rows.append(Row(None, "cycle", "", "From here on it goes round:"))
            elif value and not step:
                self.set(*value.groups())
            elif step:
                self.tell(pending)
                pending = None
                if over:
                    if not (failed or around):
                        self.wait(int(step.group(1)), int(step.group(3)), step.group(5))
                    continue
                pending = self.step(step, line)
        if failed:
            self.fail(lines)

    def set(self, thread, name, index, value):
        scope = self.values.setdefault(int(thread) if thread else None, {})
        value = int(value) if value.isdigit() else value
        if index is None:
            scope[name] = value
        else:
            array = scope.setdefault(name, collections.defaultdict(int))
            if isinstance(array, dict):
                array[int(index)] = value

    def step(self, step, line):
        number, statement = int(step.group(1)), step.group(4) or ""
        started = re.match(r"\(?run (\w+)\(([^()]*)\)", statement)
        if started:
            self.start(started.group(1), started.group(2))
        return number, int(step.group(3))

    def start(self, name, arguments):
        number = max(self.types, default=0) + 1
        self.types[number] = name
        self.counts[name] = self.counts.get(name, 0) + 1
        values = self.values.setdefault(number, {"n": self.counts[name]})
        for parameter, argument in zip(self.expanded.parameters.get(name, ()),
                                       arguments.split(",")):
            values[parameter] = self.value(argument, None)
        if name in self.expanded.threads:
            self.threads[number] = self.fill(self.expanded.threads[name], number, "")

    def value(self, expression, thread):
        scope = {**self.values.get(None, {}), **self.values.get(thread, {})}
        # A variable that was not set yet is 0, as in Promela.
        for name, index in re.findall(r"\b([a-z_]\w*)(\[?)", expression):
            scope.setdefault(name, collections.defaultdict(int) if index else 0)
        return eval(expression, {"__builtins__": {}}, scope)    # of our own models

    def fill(self, words, thread, given):
        """A text with its {expressions} replaced."""
        def replace(match):
            if match.group(1) != "it":
                what, _, words = match.group(1).partition("?")
                value = self.value(what, thread)
                return words.split(":")[not value] if words else str(value)
            statement = re.sub(r"^.*assert\(!?", "", given)
            found = re.search(r"(\w+)(?:\[([^]]*)\])?\s*(?:=|\+\+|--)", statement) or \
                re.search(r"(\w+)(?:\[([^]]*)\])?", statement)
            name = self.expanded.names.get(found.group(1), found.group(1))
            if found.group(2) is None:
                return name
            return name.replace("{}", str(self.value(found.group(2), thread)))
        return re.sub(r"\{([^}]+)\}", replace, words)

    def marked(self, what):
        """Whether the step that a variant leaves out, or has elsewhere, can be seen."""
        moved = re.match("([A-Z]) (is left out|comes (before|after) ([A-Z]))", what)
        return not moved or what in self.first or any(row.kind != "step" and row.letter in moved.group(1, 4)
                                for row in self.rows)

    def tell(self, pending):
        """A row for each note of a statement that was run."""
        if not pending:
            return
        thread, line = pending
        statement = self.expanded.lines[line - 1]
        if not thread:
            self.first += [self.fill(note.text, thread, statement) if note.text else
                           note.without + " is left out"
                           for note in self.expanded.told(line)]
        if thread not in self.threads or re.match(r"\s*assert\b", statement):
            return
        if line in self.expanded.gone:
            if any(row.thread == thread for row in self.rows):
                self.rows.append(Row(thread, "gone", "", "is not there in the child"))
            return
        for note in self.expanded.told(line):
            kind = "without" if note.without else "moved" if note.moved else "step"
            self.rows.append(Row(thread, kind, note.without or note.letter,
                                 self.fill(note.text, thread, statement), note.moved))

    def wait(self, thread, line, more):
        """Somebody who cannot go on."""
        if thread not in self.threads or "valid end state" in more:
            return
        for number in range(line, min(line + 12, len(self.expanded.lines))):
            for note in self.expanded.told(number):
                if note.waits:
                    self.rows.append(Row(thread, "wait", note.letter, self.fill(
                        note.waits, thread, self.expanded.lines[number - 1])))
                    return
        self.rows.append(Row(thread, "wait", "", "waits"))

    def fail(self, lines):
        """What the assertion's note says."""
        for line in lines:
            found = re.match(r"spin: \S+?:(\d+), Error: assertion violated", line)
            if found:
                number = int(found.group(1))
                notes = self.expanded.notes.get(number, ())
                thread = self.failing(lines, number)
                statement = self.expanded.lines[number - 1]
                wrong = next((self.fill(note.text, thread, statement)
                              for note in notes if note.text), "")
                self.wrong = wrong[:1].upper() + wrong[1:]

    def failing(self, lines, number):
        for line in lines:
            step = self.STEP.match(line)
            if step and int(step.group(3)) == number:
                last = int(step.group(1))
        return last if lines else 0


def find(path, flag):
    """The run in which a model that is spoilt with -D@flag goes wrong."""
    more, _ = variants(text(path))[flag]
    return Run(*search(path, flag, more, again=False))


def find_all():
    """Look for all runs, several at a time."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(search, path, flag, more, False) for path in models()
                     for flag, (more, _) in variants(text(path)).items()]:
            done.result()


if __name__ == "__main__":
    find_all()
