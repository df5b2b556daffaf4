# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The one owner of all that a run sets up: processes, uprobes, directories.

Whatever is set up is told to an Owner first, and the Owner takes it away, the
last one first, however the run ends:

    at its end, by an exception, by a closed pipe	close(), always called
    by SIGINT, SIGTERM, SIGHUP, SIGQUIT		Stopped is raised, then close()
    by any of these once more			close() goes on, but waits no
						longer for those that dawdle
    by SIGKILL, or a crash			the keeper does it

The keeper is a process that does nothing but read a pipe from us. What is set
up is written there as it is here, as words, so that both take it away by the
same functions (UNDO). When the pipe ends before the keeper was told to go, we
are gone, and it is the owner.

Where a set-up and its being known must not be separated by a signal, there is
a shield: a signal that comes meanwhile is kept, and raised at its end.
"""
import contextlib
import ctypes
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import common

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36

# What a process is asked to do, and how long it may take. A tracer writes
# what it knows at its end.
END_TRACER = ((signal.SIGINT, 20), (signal.SIGTERM, 2), (signal.SIGKILL, 5))
END_PROGRAM = ((signal.SIGTERM, 5), (signal.SIGKILL, 5))
END_AT_ONCE = ((signal.SIGKILL, 5),)
ENDS = {"tracer": END_TRACER, "program": END_PROGRAM, "group": END_AT_ONCE}

TRACEFS = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


class Stopped(KeyboardInterrupt):
    """Somebody wants us to end, by a signal."""

    def __init__(self, number):
        super().__init__()
        self.number = number
        self.status = 128 + number


# ---- processes --------------------------------------------------------------

def _stat(pid):
    """(state, parent, start time) of a process, or None."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            words = file.read().rpartition(b")")[2].split()
        return words[0], int(words[1]), int(words[19])
    except (OSError, IndexError, ValueError):
        return None


def runs(pid):
    """Whether there is a process, and it has not ended; a zombie has."""
    found = _stat(pid)
    return found is not None and found[0] not in b"ZX"


def descendants(root):
    """All processes below one, zombies included."""
    below = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = _stat(int(name))
            if found:
                below.setdefault(found[1], []).append(int(name))
    result, todo = [], [root]
    while todo:
        found = below.get(todo.pop(), [])
        result += found
        todo += found
    return result


def _send(pid, number, group=False):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def end(gone, send, steps, hurry=lambda: False):
    """End a process by one signal after the other; return whether it is gone."""
    for number, patience in steps:
        if gone():
            return True
        send(number)
        until = time.monotonic() + patience
        while not gone() and time.monotonic() < until:
            if hurry() and number != signal.SIGKILL:
                break
            time.sleep(0.005)
    return gone()


# ---- how each kind of thing is taken away -----------------------------------

def tracefs():
    """Where the kernel's tracing is, or None."""
    for path in TRACEFS:
        if os.path.exists(os.path.join(path, "README")):
            return path
    return None


def write_line(path, text):
    """Append a line to a file of tracefs, which knows no end to seek to."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, (text + "\n").encode())
    finally:
        os.close(file)


def remove_uprobes(group):
    """Take away all uprobe events of a group; a tracer that ends may take a
    moment to let go of them."""
    path = os.path.join(tracefs() or TRACEFS[0], "uprobe_events")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                names = [word.partition(":")[2] for word in
                         (line.split()[0] for line in file if line.strip())
                         if word.partition(":")[2].startswith(group + "/")]
        except OSError:
            return              # no tracing here, or not for us
        if not names:
            return
        for name in names:
            try:
                write_line(path, "-:" + name)
            except OSError:
                time.sleep(0.05)


def remove_directory(path):
    """Take away a scratch directory."""
    shutil.rmtree(path, ignore_errors=True)


def remove_process(kind, pid, start):
    """End a process that another started, and all below it."""
    def gone():
        found = _stat(pid)
        return found is None or found[0] in b"ZX" or found[2] != start

    if gone():
        return
    below = descendants(pid)
    end(gone, lambda n: _send(pid, n, kind == "group"), ENDS[kind])
    for each in below if kind == "group" else ():
        _send(each, signal.SIGKILL)


UNDO = {"uprobes": remove_uprobes, "directory": remove_directory,
        "process": remove_process}


# ---- the keeper -------------------------------------------------------------

def _keep(pipe):
    """In the keeper: read what there is, and own it when the pipe ends."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for file in (0, 1, 2):
        os.dup2(null, file)
    os.dup2(pipe, 3)
    os.closerange(4, 65536)
    LIBC.prctl(PR_SET_NAME, b"pmalloc-keeper", 0, 0, 0)
    things = {}
    with open(3, encoding="ascii") as lines:
        for line in lines:
            if not line.endswith("\n"):
                break           # they ended while they wrote
            word, number, *what = json.loads(line)
            if word == "own":
                things[number] = what
            else:
                things.pop(number, None)
    for kind, *words in reversed(list(things.values())):
        with contextlib.suppress(OSError):
            UNDO[kind](*words)


class Keeper:
    """The process that outlives us."""

    def __init__(self):
        pipe, self._pipe = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self._pipe)
                _keep(pipe)
            finally:
                os._exit(0)
        os.close(pipe)

    def tell(self, *words):
        """Own something, or let go of it."""
        with contextlib.suppress(OSError):
            os.write(self._pipe, (json.dumps(words) + "\n").encode())

    def dismiss(self):
        """Nothing is left for it to do."""
        _send(self.pid, signal.SIGKILL)
        os.close(self._pipe)
        os.waitpid(self.pid, 0)


# ---- the owner --------------------------------------------------------------

class Thing:
    """Something that was set up; remove() takes it away."""

    def __init__(self, own, words, undo):
        self.own = own
        self.words = words
        self._undo = undo
        self.number = own.number = own.number + 1

    def remove(self):
        """Take it away now, if it is there still."""
        if self in self.own.things:
            with self.own.shield():
                self._undo()
                self.own.forget(self)


class Owner:
    """Owns what is set up between its beginning and its end."""

    def __init__(self):
        self.things = []
        self.number = 0
        self._keeper = None
        self._shields = 0
        self._kept = None
        self._closing = False
        self._again = False
        self._orphans = False
        self._old = {}

    def __enter__(self):
        for number in SIGNALS:
            # What whoever started us ignores is ignored by us as well.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._old[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(self, *_):
        self.close()

    # -- signals

    def _arrived(self, number, _):
        if self._closing:
            self._again = True
        elif self._shields:
            self._again = self._kept is not None
            self._kept = self._kept or number
        else:
            raise Stopped(number)

    @contextlib.contextmanager
    def shield(self):
        """Keep signals until what is done here is done."""
        self._shields += 1
        try:
            yield
        finally:
            self._shields -= 1
            if not self._shields and self._kept and not self._closing:
                number, self._kept = self._kept, None
                raise Stopped(number)

    @contextlib.contextmanager
    def signals_by_hand(self):
        """Inside, signals are for sigtimedwait(), which tells who sent them."""
        numbers = set(self._old) | {signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        try:
            yield numbers
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def signals_of_old(self):
        """In a process that was just forked: signals as they were before us."""
        for number in self._old:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    # -- things

    def _own(self, words, undo):
        """Know a thing, before it is made."""
        if not self._keeper:
            self._keeper = Keeper()
        thing = Thing(self, words, undo)
        self._keeper.tell("own", thing.number, *words)
        self.things.append(thing)
        return thing

    def forget(self, thing):
        """It is not there any more, or nobody's business now."""
        if thing in self.things:
            self.things.remove(thing)
            self._keeper.tell("forget", thing.number)

    def directory(self, base=None, prefix="pmalloc-"):
        """A scratch directory; its path."""
        for _ in range(100):
            path = os.path.join(base or tempfile.gettempdir(),
                                prefix + os.urandom(6).hex())
            with self.shield():
                thing = self._own(("directory", path),
                                  functools.partial(remove_directory, path))
                try:
                    os.mkdir(path, 0o700)
                    return path
                except FileExistsError:
                    self.forget(thing)
                except OSError:
                    self.forget(thing)
                    raise
        raise common.Failure("no name for a directory in %s" % base)

    def take_away(self, path):
        """A scratch directory is not needed any longer."""
        for thing in list(self.things):
            if thing.words == ("directory", path):
                thing.remove()

    def uprobes(self, group):
        """Uprobe events of this group, which are defined next."""
        with self.shield():
            return self._own(("uprobes", group),
                             functools.partial(remove_uprobes, group))

    def adopt(self, pid, kind, gone):
        """A child that was just forked; @gone says whether it has ended."""
        found = _stat(pid)
        return self._own(
            ("process", kind, pid, found[2] if found else 0),
            lambda: end(gone, lambda n: _send(pid, n, kind == "group"),
                        ENDS[kind], lambda: self._again))

    def start(self, argv, kind, **more):
        """Start a program; return the process and the thing that it is."""
        def prepare():
            self.signals_of_old()
            # Until the keeper knows of it.
            LIBC.prctl(PR_SET_PDEATHSIG, ENDS[kind][0][0], 0, 0, 0)
            if kind == "group":
                os.setpgid(0, 0)
            else:
                os.setsid()     # Ctrl-C is for us; we end it

        with self.shield():
            process = subprocess.Popen(argv, preexec_fn=prepare, **more)
            thing = self.adopt(process.pid, kind,
                               lambda: process.poll() is not None)
        return process, thing

    # -- what programs leave running

    def adopt_orphans(self):
        """From now on, processes whose parent ends come to us."""
        self._orphans = True
        LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def end_all_below(self, patience=5):
        """End whatever runs below us; return how many there were."""
        keeper = self._keeper.pid if self._keeper else 0
        ended = set()
        until = time.monotonic() + patience
        with self.shield():
            while time.monotonic() < until:
                found = [pid for pid in descendants(os.getpid())
                         if pid != keeper]
                for pid in found:
                    if pid not in ended and runs(pid):
                        ended.add(pid)
                    _send(pid, signal.SIGKILL)
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                if not found:
                    break
                time.sleep(0.005)
        return len(ended)

    # -- the end

    def close(self):
        """Take everything away, the last thing first."""
        if self._closing:
            return
        self._closing = True
        self._again = self._again or self._kept is not None
        for thing in reversed(list(self.things)):
            with contextlib.suppress(OSError):
                thing.remove()
        if self._orphans:
            self.end_all_below()
        if self._keeper:
            self._keeper.dismiss()
        for number, old in self._old.items():
            signal.signal(number, old)
