# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Starting a program on pmalloc, and finding out whether it got there."""
import json
import os
import shutil
import signal
import stat
import tempfile
import time

import common
import sdt

# The library's options and what they want; pmalloc(7) tells more.
OPTIONS = (
    ("arena", "POLICY", "which arena a thread uses: cpu, single, thread, pool"),
    ("arenas", "N", "how many arenas there are at most"),
    ("magazine", "on|off", "per-CPU magazines in front of the arenas"),
    ("magazine_bytes", "BYTES", "what the magazine of a CPU may hold"),
    ("cpu_id", "cpu|mm_cid", "what numbers magazines"),
    ("decay_ms", "MS", "how long freed memory stays with the process"),
    ("large_cache", "BYTES", "how much of freed large objects is kept"),
    ("rseq", "auto|own|off", "whose restartable sequences magazines use"),
    ("populate", "on|off", "ask for pages before they are used"),
    ("thp", "on|off", "ask for transparent huge pages"),
    ("misuse", "MODE", "what follows a line that names bad input: abort, "
     "report, ignore"),
    ("delay", "arena:TIME", "lengthen each hold of an arena's lock, as "
     "arena:500ns"),
)


def arguments(parser):
    """Let a subcommand take a program, and options of the library for it."""
    group = parser.add_argument_group("options of the library, see pmalloc(7)")
    for name, value, text in OPTIONS:
        group.add_argument("--" + name.replace("_", "-"), metavar=value,
                           dest="option_" + name, help=text)
    parser.add_argument("--library", metavar="FILE",
                        help="the libpmalloc.so to use")
    common.add_program(parser)


def chosen(args):
    """The options of the library that the command line has."""
    return ["%s=%s" % (name, getattr(args, "option_" + name))
            for name, _, _ in OPTIONS
            if getattr(args, "option_" + name) is not None]


def environment(path, options):
    """Our environment with the library preloaded, and these options.

    What the caller preloads or chooses already is kept: ours comes first
    among preloads, and last among options, where later ones win.
    """
    env = dict(os.environ)
    old = [env["PMALLOC_OPTIONS"]] if env.get("PMALLOC_OPTIONS") else []
    env["PMALLOC_OPTIONS"] = ",".join(old + options)
    env["LD_PRELOAD"] = ":".join(
        [path] + ([env["LD_PRELOAD"]] if env.get("LD_PRELOAD") else []))
    return env


def library(args):
    """The library that the command line names, or ours."""
    path = os.path.abspath(args.library or common.library())
    if not os.path.exists(path):
        raise common.Failure("there is no library %s" % path)
    if " " in path or ":" in path:
        raise common.Failure("LD_PRELOAD cannot name %r: blanks and colons "
                             "separate names there" % path)
    return path


# ---- what keeps a program from loading the library --------------------------

def interpreter(path):
    """The program that runs a script, or the program itself."""
    for _ in range(4):
        with open(path, "rb") as file:
            line = file.readline(256)
        if not line.startswith(b"#!"):
            break
        words = line[2:].decode(errors="replace").split()
        if not words:
            break
        if os.path.basename(words[0]) == "env":
            words = [w for w in words[1:] if w[0] != "-" and "=" not in w]
        found = shutil.which(words[0]) if words else None
        if not found:
            break
        path = found
    return path


def gains_rights(path):
    """Whether running a file changes our rights."""
    info = os.stat(path)
    if info.st_mode & stat.S_ISUID and info.st_uid != os.geteuid():
        return True
    if info.st_mode & stat.S_ISGID and info.st_gid != os.getegid():
        return True
    try:
        return os.geteuid() != 0 and \
            bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False


def obstacle(word):
    """Why the program cannot load a preloaded library, or None."""
    path = shutil.which(word)
    if not path:
        return None
    try:
        path = interpreter(path)
        if gains_rights(path):
            return "%s runs with other rights than yours, so the loader " \
                "ignores LD_PRELOAD; run it as the user that it becomes" % path
        if sdt.Elf(path).is_static():
            return "%s is linked statically, so nothing can be preloaded; " \
                "link it with libpmalloc.a" % path
    except ValueError:
        return "%s is no 64-bit ELF program" % path
    except OSError:
        return None             # cannot be read; it can run all the same
    return None


def mapped_libraries(pid):
    """The files named libpmalloc that a process has mapped."""
    found = []
    with open("/proc/%d/maps" % pid) as file:
        for line in file:
            name = line.rstrip("\n").partition("/")
            path = name[1] + name[2]
            if "libpmalloc" in os.path.basename(path) and path not in found:
                found.append(path)
    return found


# ---- the program ------------------------------------------------------------

class Child:
    """A program that has been started but waits for go()."""

    def __init__(self, program, env):
        self.program = program
        self.loaded = False
        self.begin = time.monotonic()
        self.seconds = None
        self._status = None
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        gate, self._gate = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._exec(gate, env)
        os.close(gate)
        # A Ctrl-C reaches the program as well; we stay and see it end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._pass_on)

    def _exec(self, gate, env):
        """In the child: wait, then become the program."""
        os.close(self._gate)
        if not os.read(gate, 1):
            os._exit(125)       # who started us is gone
        os.close(gate)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.execvpe(self.program[0], self.program, env)
        except FileNotFoundError:
            self._say("there is no program %s" % self.program[0])
            os._exit(127)
        except OSError as err:
            self._say("%s: %s" % (self.program[0], err.strerror))
            os._exit(126)

    @staticmethod
    def _say(text):
        os.write(2, ("pmalloc: %s\n" % text).encode())

    def _pass_on(self, number, _):
        if self._status is None:
            os.kill(self.pid, number)

    def go(self):
        """Let the program begin."""
        self.begin = time.monotonic()
        os.write(self._gate, b"g")
        os.close(self._gate)

    def wait(self, tick=lambda: None, each=0.2):
        """Wait for the end, calling tick() now and then.

        Return: the exit status, 128 and the signal when it was killed.
        """
        pause = 0.002
        while self._status is None:
            signal.sigtimedwait([signal.SIGCHLD], pause)
            self._look()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
                self.seconds = time.monotonic() - self.begin
                break
            pause = min(each, 2 * pause)
            tick()
        return self._status if self._status >= 0 else 128 - self._status

    def _look(self):
        """Find out whether the library is there."""
        if not self.loaded:
            try:
                self.loaded = bool(mapped_libraries(self.pid))
            except OSError:
                pass            # another user's now, or gone

    def killed_by(self):
        """The name of the signal that ended it, or None."""
        if self._status is None or self._status >= 0:
            return None
        return signal.Signals(-self._status).name


class Reports:
    """A directory in which the processes leave their reports at exit."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="pmalloc-")

    def options(self):
        """What makes the library write there."""
        return ["stats=json", "stats_file=%s/%%p" % self.directory]

    def of(self, pid):
        """The report of a process, or None."""
        try:
            with open(os.path.join(self.directory, str(pid))) as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def others(self, pid):
        """The processes that left a report, but for one."""
        return sorted(int(name) for name in os.listdir(self.directory)
                      if name.isdigit() and int(name) != pid)

    def remove(self):
        """Take the directory away."""
        shutil.rmtree(self.directory, ignore_errors=True)


def why_no_report(child):
    """A sentence for the user whose program left no report."""
    name = child.program[0]
    why = obstacle(name)
    if why:
        return why
    if child.killed_by():
        return "%s was ended by %s, and so could not write a report; " \
            "`pmalloc stat` reads a running process" % (
                name, child.killed_by())
    if child.loaded:
        return "%s ran on pmalloc, but ended without exit(), and so wrote " \
            "no report; `pmalloc stat` reads a running process" % name
    return "%s did not load the library, or ended at once without exit()" % name
