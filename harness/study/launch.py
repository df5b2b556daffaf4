# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Starting a program on pmalloc, and finding out whether it got there."""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time

import common
import figures
import sdt

# The library's options and what they want; pmalloc(7) tells more.
OPTIONS = (
    ("arena", "POLICY", "which arena a thread uses: cpu, single, thread, pool"),
    ("arenas", "N", "how many arenas there are at most"),
    ("magazine", "on|off", "per-CPU magazines in front of the arenas"),
    ("magazine_bytes", "BYTES", "what the magazine of a CPU may hold"),
    ("cache_bytes", "BYTES", "what all magazines and depots may hold"),
    ("cpu_id", "cpu|mm_cid", "what numbers magazines"),
    ("decay_ms", "MS", "how long freed memory stays with the process"),
    ("large_cache", "BYTES", "how much of freed large objects is kept"),
    ("keep", "BYTES", "how much free memory stays for the decay time"),
    ("reclaim", "off|thread", "what gives back besides those who allocate and free"),
    ("soft_limit", "BYTES", "what is free goes back beyond so much"),
    ("hard_limit", "BYTES", "requests fail beyond so much"),
    ("rseq", "auto|own|off", "whose restartable sequences magazines use"),
    ("populate", "on|off", "ask for pages before they are used"),
    ("thp", "auto|on|off", "ask for transparent huge pages"),
    ("misuse", "abort|report|ignore", "what follows a line that names bad "
     "input"),
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


def environment_of_old():
    """The names of the variables that we were started with."""
    try:
        words = common.read_bytes("/proc/self/environ").split(b"\0")
    except OSError:
        return ["LC_CTYPE"]
    return [os.fsdecode(word.partition(b"=")[0]) for word in words]


def environment(path, options):
    """Our environment with the library preloaded, and these options.

    What the caller preloads or chooses already is kept: ours comes first
    among preloads, and last among options, where later ones win.
    """
    env = dict(os.environ)
    if "LC_CTYPE" not in environment_of_old():
        env.pop("LC_CTYPE", None)       # the interpreter's own choice
    old = [env["PMALLOC_OPTIONS"]] if env.get("PMALLOC_OPTIONS") else []
    env["PMALLOC_OPTIONS"] = ",".join(old + options)
    env["LD_PRELOAD"] = ":".join(
        [path] + ([env["LD_PRELOAD"]] if env.get("LD_PRELOAD") else []))
    return env


def library(args):
    """The library that the command line names, or ours."""
    path = os.path.abspath(args.library or common.library())
    if not os.path.exists(path):
        raise common.Failure("there is no library %s" % common.shown(path))
    if os.path.isdir(path):
        raise common.Failure("%s is a directory, and no library" %
                             common.shown(path))
    if re.search(r"[\s:]", path):
        raise common.Failure("LD_PRELOAD cannot name %r: blanks and colons "
                             "separate names there" % common.shown(path))
    return path


# ---- what keeps a program from loading the library --------------------------

def interpreter(path):
    """The program that runs a script, or the program itself."""
    for _ in range(4):
        with open(path, "rb") as file:
            line = file.readline(256)
        if not line.startswith(b"#!"):
            break
        words = os.fsdecode(line[2:]).split()
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
                "ignores LD_PRELOAD; run it as the user that it becomes" % \
                common.shown(path)
        if sdt.Elf(path).is_static():
            return "%s is linked statically, so nothing can be preloaded; " \
                "link it with libpmalloc.a" % common.shown(path)
    except ValueError:
        return "%s is no 64-bit ELF program" % common.shown(path)
    except OSError:
        return None             # cannot be read; it can run all the same
    return None


# ---- the program ------------------------------------------------------------

class Child:
    """A program that has been started but waits for go()."""

    def __init__(self, own, program, env):
        self.own = own
        self.program = program
        self.loaded = False
        self.alive = False      # the allocator has been used
        self.exe = None         # what it was when last looked at
        self.begin = time.monotonic()
        self.seconds = None
        self._status = None
        with own.shield():
            gate, self._gate = os.pipe()
            self.pid = os.fork()
            if self.pid == 0:
                self._exec(gate, env)
            os.close(gate)
            self._thing = own.adopt(self.pid, "program", self._gone)

    def _exec(self, gate, env):
        """In the child: wait, then become the program."""
        try:
            self.own.signals_of_old()
            os.close(self._gate)
            if not os.read(gate, 1):
                os._exit(125)   # who started us is gone
            os.close(gate)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(self.program[0], self.program, env)
        except FileNotFoundError:
            self._say("there is no program %s" % self.program[0])
            os._exit(127)
        except OSError as err:
            self._say("%s: %s" % (self.program[0], err.strerror))
            os._exit(126)
        finally:
            os._exit(125)

    @staticmethod
    def _say(text):
        os.write(2, ("pmalloc: %s\n" % common.shown(text)).encode())

    def _gone(self):
        """Whether it has ended; its status is kept."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
                self.seconds = time.monotonic() - self.begin
                self.own.forget(self._thing)
        return self._status is not None

    def send(self, number):
        """Send it a signal, if it can still have one."""
        if not self._gone():
            try:
                os.kill(self.pid, number)
            except (ProcessLookupError, PermissionError):
                pass            # another user's now

    def _pass_on(self, info):
        """A signal for us is one for the program. What the terminal sends,
        for Ctrl-C, reaches all of its foreground by itself."""
        if self._gone():
            return
        if info.si_code <= 0 or os.getpgid(self.pid) != os.getpgrp():
            self.send(info.si_signo)

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
        with self.own.signals_by_hand() as numbers:
            while not self._gone():
                info = signal.sigtimedwait(numbers, pause)
                if info and info.si_signo != signal.SIGCHLD:
                    self._pass_on(info)
                self._look()
                if self._gone():
                    break
                pause = min(each, 2 * pause)
                tick()
        return self.status()

    def status(self):
        """The exit status as a shell has it."""
        return self._status if self._status >= 0 else 128 - self._status

    def _look(self):
        """Find out whether the library is there, and in use."""
        try:
            exe = os.readlink("/proc/%d/exe" % self.pid)
            if exe != self.exe:
                self.exe, self.loaded, self.alive = exe, False, False
            if not self.alive:
                copies = figures.copies(self.pid)
                self.loaded = self.loaded or bool(copies)
                self.alive = any(copy.alive for copy in copies)
        except (OSError, figures.NotPmalloc, figures.NotPermitted):
            pass                # another user's now, or gone

    def killed_by(self):
        """The name of the signal that ended it, or None."""
        if self._status is None or self._status >= 0:
            return None
        try:
            return signal.Signals(-self._status).name
        except ValueError:
            return "signal %d" % -self._status


# ---- its report -------------------------------------------------------------

def reports_base():
    """Where a directory can be whose name goes through other languages: the
    library's options, which know commas and %p, and those of tracers."""
    for path in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if re.fullmatch(r"[\w./+-]{1,1000}", path, re.ASCII) and \
                os.access(path, os.W_OK | os.X_OK):
            return os.path.abspath(path)
    raise common.Failure("no directory for the reports can be written: neither "
                         "TMPDIR nor /tmp, /var/tmp, /dev/shm")


def open_directory(above, path):
    """Make a directory for reports.

    A program of root may have become somebody else by its end, who can write
    there all the same. No third one knows its name, for the directory above
    cannot be listed, so nobody lays links there.
    """
    os.mkdir(path, 0o700)
    if os.geteuid() == 0:
        os.chmod(above, 0o711)
        os.chmod(path, 0o1733)


def option(options, name):
    """The last value that an option has in PMALLOC_OPTIONS, or None."""
    value = None
    for word in options.split(","):
        key, equals, rest = word.partition("=")
        if equals and key == name:
            value = rest
    return value


class Reports:
    """A directory in which the processes leave their reports at exit.

    Whoever chose a stats_file of his own gets a copy of the reports there.
    """

    def __init__(self, own):
        self.outer = own.directory(reports_base())
        self.directory = os.path.join(self.outer, os.urandom(8).hex())
        open_directory(self.outer, self.directory)
        chosen_before = os.environ.get("PMALLOC_OPTIONS", "")
        self.users_file = option(chosen_before, "stats_file")
        self.users_json = option(chosen_before, "stats") == "json"

    def options(self):
        """What makes the library write there."""
        return ["stats=json", "stats_file=%s/%%p" % self.directory]

    def path(self, pid):
        """Where the report of a process is, if it left one."""
        return os.path.join(self.directory, str(pid))

    def of(self, pid):
        """The report of a process, or None."""
        try:
            return json.loads(common.read_bytes(self.path(pid)))
        except (OSError, ValueError):
            return None

    def cut_off(self, pid):
        """Whether it began to write a report and could not finish."""
        return os.path.exists(self.path(pid)) and self.of(pid) is None

    def others(self, pid):
        """The processes that left a report, but for one."""
        return sorted(int(name) for name in os.listdir(self.directory)
                      if name.isdigit() and int(name) != pid)

    def copy_to_user(self, text_of):
        """Put the reports where the user's own stats_file says; return what
        went wrong, in a sentence, or None. @text_of makes text of one."""
        if not self.users_file:
            return None
        for pid in self.others(0):
            report = self.of(pid)
            if report is None:
                continue
            path = self.users_file.replace("%p", str(pid))
            text = common.read_bytes(self.path(pid)).decode() \
                if self.users_json else text_of(report)
            try:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
            except OSError as err:
                return "cannot write the report to stats_file=" + \
                    common.reason(err, path)
        return None


# ---- why there is none ------------------------------------------------------

def loader_says(child, env):
    """Ask the C library's loader whether it would load the library into the
    program: True, or the sentence in which it refuses, or None when there is
    no knowing."""
    path = shutil.which(child.program[0])
    try:
        loader = sdt.Elf(interpreter(path)).interpreter() if path else None
    except (OSError, ValueError):
        return None
    if not loader or not os.path.basename(loader).startswith(b"ld-linux"):
        return None             # others might run the program instead
    try:
        done = subprocess.run([loader, "--list", interpreter(path)], env=env,
                              capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    for line in done.stderr.splitlines():
        if b"LD_PRELOAD" in line:
            return common.shown(line.partition(b"ld.so: ")[2] or line)
    preload = os.fsencode(env["LD_PRELOAD"].split(":")[0])
    return True if preload in done.stdout else None


def why_no_report(child, reports, env):
    """A sentence for the user whose program left no report."""
    name = common.shown(child.program[0])
    why = obstacle(child.program[0])
    if why:
        return why
    if reports.cut_off(child.pid):
        return "%s could not write its report whole: is there room in %s?" % (
            name, os.path.dirname(reports.outer))
    if child.killed_by():
        return "%s was ended by %s, and so could not write a report; " \
            "`pmalloc stat` reads a running process" % (
                name, child.killed_by())
    if child.alive:
        return "%s ran on pmalloc, but left no report: it ended by _exit(), " \
            "or executed a program without pmalloc, or could not reach the " \
            "report's directory any more; `pmalloc stat` reads a running " \
            "process" % name
    said = True if child.loaded else loader_says(child, env)
    if said is True:
        return "%s loaded the library, but did not allocate memory as far as " \
            "was seen, or ended by _exit()" % name
    if said:
        return "%s did not load the library; the loader says: %s" % (name, said)
    return "%s was not seen to load the library before it ended" % name
