# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a study measures, as it was when it began.

A study goes on after an interruption only with what it began with: runs of
another program, library or kernel would be mixed with the first ones, and no
page could tell.
"""
import hashlib
import os
import platform
import shutil

from common import shown


def digest(path):
    """What is in a file, in short; None when it cannot be read."""
    total = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while part := file.read(1 << 20):
                total.update(part)
    except OSError:
        return None
    return total.hexdigest()[:16]


SCRIPTS = (".py", ".pl", ".rb", ".js", ".lua", ".sh", ".tcl", ".php", ".jar",
           ".R", ".scm", ".sql", ".awk")


def _is_code(word):
    """Whether an argument names what is executed; other files may be what the
    program writes."""
    if not os.path.isfile(word):
        return False
    return word.endswith(SCRIPTS) or os.access(word, os.X_OK)


def _files(study, library, bench, peers):
    """(what it is, path) of all files that a study runs or reads."""
    yield "libpmalloc.so", str(library)
    yield "the bench", str(bench)
    for peer in peers:
        if peer.preload:
            yield peer.name, str(peer.preload)
    if not study.program:
        return
    program = shutil.which(study.command[0])
    if program:
        yield "the program", program
    for word in study.command[1:]:
        if _is_code(word):
            yield "the script", word


def of(study, library, bench, peers):
    """Everything that may not change, by what it is."""
    found = {f"{what} {shown(path)}": digest(path)
             for what, path in _files(study, library, bench, peers)}
    found["the kernel"] = f"{platform.release()} {platform.version()}"
    return found


def changes(before, now):
    """What is not as it was, in a few words each."""
    return sorted(name for name in set(before) | set(now)
                  if before.get(name) != now.get(name))
