# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the subcommands of pmalloc share: where things are, and failures."""
import argparse
import os
import re

HERE = os.path.dirname(os.path.realpath(__file__))
INSTALLED = os.path.join(HERE, "installed")


class Failure(Exception):
    """A subcommand cannot go on; the text says why and what to do next."""

    def __init__(self, text, status=1):
        super().__init__(text)
        self.status = status


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
