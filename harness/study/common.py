# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the subcommands of pmalloc share: where things are, and failures.

Names of programs, files and threads are bytes, which need not be text in any
encoding. Inside they are what Python makes of them (surrogateescape), so that
they stay the same bytes; whatever is shown or kept for others is shown() first.
"""
import argparse
import contextlib
import errno
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
INSTALLED = os.path.join(HERE, "installed")


class Failure(Exception):
    """A subcommand cannot go on; the text says why and what to do next."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


def shown(text):
    """A name as it may be shown, and put into JSON or HTML: all that is no
    character, or moves a terminal's cursor, as \\xNN or \\uNNNN."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(char):
    """A character that cannot be shown."""
    code = ord(char)
    if 0xdc80 <= code <= 0xdcff:        # a byte that is no UTF-8
        code -= 0xdc00
    return "\\x%02x" % code if code < 0x100 else "\\u%04x" % code


def from_the_start(frames):
    """Callers, innermost first, without what begins a thread: unwinding gets
    to there at times, at others to one frame less, and two stacks would
    differ in that alone."""
    while len(frames) > 1 and re.match(r"(__)?clone\d?$", frames[-1]):
        frames = frames[:-1]
    return frames


def read_bytes(path):
    """A small file's content, such as one of /proc."""
    with open(path, "rb") as file:
        return file.read()


def comm(path):
    """The name in a comm file of /proc, fit to be shown."""
    return shown(read_bytes(path).rstrip(b"\n"))


# Debian's packages of the Python modules that we want beyond Python's own.
DEBIAN = "/usr/bin/python3"
PACKAGES = {"elftools": "python3-pyelftools"}


def no_module(err):
    """A sentence about an ImportError: what is missing, and what to do."""
    name = err.name.partition(".")[0]
    package = PACKAGES.get(name, "python3-" + name)
    if os.path.realpath(sys.executable) != os.path.realpath(DEBIAN):
        return "%s has no module %s; Debian's package %s is for %s: call " \
            "this with that" % (shown(sys.executable), name, package, DEBIAN)
    return "the Python module %s is not installed; `apt-get install %s`, or " \
        "`scripts/deps study` for all that a study needs" % (name, package)


def say(who, text):
    """A line on standard error. A run does not end because nobody listens."""
    try:
        if sys.stderr:
            print("pmalloc %s: %s" % (who, text), file=sys.stderr, flush=True)
    except OSError:
        pass


def reason(err, path=None):
    """A sentence about an OSError: what, and why."""
    name = path or err.filename
    why = err.strerror or str(err)
    if err.errno == errno.ENOSPC:
        why = "there is no room left"
    elif err.errno == errno.EROFS:
        why = "that is a place that cannot be written to"
    elif err.errno == errno.ENOTDIR:
        why = "there is a file where a directory should be"
    elif err.errno == errno.EEXIST:
        why = "there is a file, or something else, of that name"
    elif err.errno == errno.EISDIR:
        why = "there is a directory where a file should be"
    return "%s: %s" % (shown(os.fsdecode(name)), why) if name else why


@contextlib.contextmanager
def about(path):
    """Whatever fails inside is about this file: a write() does not say so."""
    try:
        yield
    except OSError as err:
        if err.filename is None:
            err.filename = path
        raise


def writable(path):
    """Fail now, not at the end, when a file cannot be written there."""
    directory = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise Failure("%s is a directory" % shown(path))
    if not os.path.isdir(directory):
        raise Failure("there is no directory %s" % shown(directory))
    if not os.access(path if os.path.exists(path) else directory, os.W_OK):
        raise Failure("%s cannot be written" % shown(path))


def _installed():
    """What `make install` wrote down, or {} in the source tree."""
    if not os.path.exists(INSTALLED):
        return {}
    with open(INSTALLED) as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def source_tree():
    """The top of the source tree, or None when installed."""
    top = os.path.normpath(os.path.join(HERE, "../.."))
    return top if os.path.exists(os.path.join(top, "lib/Kbuild")) else None


def version():
    """The version, such as "0.1.0"."""
    if not source_tree():
        return _installed().get("version", "unknown")
    with open(os.path.join(source_tree(), "Makefile")) as file:
        return re.search(r"^VERSION\s*:=\s*(\S+)", file.read(), re.M).group(1)


def library():
    """The path of libpmalloc.so."""
    if source_tree():
        path = os.path.join(source_tree(), "build/libpmalloc.so")
        hint = "build it with `make`"
    else:
        # Relative to us, so that a staged tree can be used and moved.
        libdir = _installed().get("libdir", "../../lib")
        path = os.path.normpath(os.path.join(HERE, libdir, "libpmalloc.so.0"))
        hint = "install it with `make install`"
    if not os.path.exists(path):
        raise Failure("there is no library %s; %s, or name one with --library"
                      % (path, hint))
    return path


def add_program(parser):
    """Let a subcommand take a program and its arguments, after -- or not."""
    parser.add_argument("program", nargs=argparse.REMAINDER,
                        metavar="[--] PROGRAM [ARGS...]",
                        help="what to run, and its arguments")


def program(args):
    """The program that the command line names, and its arguments."""
    words = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not words:
        raise Failure("which program? as in: pmalloc %s -- ls -l"
                      % args.subcommand, 2)
    return words
