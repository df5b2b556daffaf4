# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The allocators that are compared: what to preload, and which version it is.

An allocator is pmalloc, a peer, a variant of pmalloc, or the limit. Only
pmalloc and the peers enter the ratios; the other two explain them.
"""
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
OUT = BUILD / "bench"
PROGRAM = OUT / "bench"
LIBRARY = BUILD / "libpmalloc.so"
LIMIT = OUT / "liblimit.so"

SUBJECT, PEER, VARIANT, FLOOR = "subject", "peer", "variant", "limit"

# Name, library as the linker's cache knows it, Debian package.
PEERS = (
    ("glibc", "libc.so.6", "libc6"),
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("mimalloc", "libmimalloc.so.2", "libmimalloc2.0"),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
)

# Packages beyond the peers: the programs that are run, and the picture.
# redis-tools contains the server too, without starting one.
TOOLS = ("redis-tools", "sqlite3", "python3", "gcc", "gnuplot-nox")

# What each step of the design buys: first the lock alone, shared in four
# ways, then each policy with what pmalloc puts in front of the arenas.
VARIANTS = (
    "arena=single,magazine=off",
    "arena=thread,magazine=off",
    "arena=pool,magazine=off",
    "magazine=off",
    "arena=single",
    "arena=thread",
    "arena=pool",
    "arena=cpu",
)

# The same library built without something: directory below build/, name.
BUILDS = (("nomark", "no marks"), ("noprobes", "no probes"))

# Settings of the caller's environment that would change an allocator.
TUNING = re.compile(r"^(LD_PRELOAD|MALLOC_.*|GLIBC_TUNABLES|MIMALLOC_.*|"
                    r"TCMALLOC_.*|PMALLOC_.*|PYTHONMALLOC)$")


@dataclasses.dataclass(frozen=True)
class Allocator:
    """One column of the tables."""

    name: str
    kind: str
    library: str
    version: str
    settings: tuple = ()

    @property
    def preload(self):
        """What a program needs that has glibc's malloc by itself."""
        return "" if self.name == "glibc" else self.library

    def environment(self):
        """The caller's environment without tuning, with our settings."""
        env = {k: v for k, v in os.environ.items() if not TUNING.match(k)}
        env["LC_ALL"] = "C"
        env.update(self.settings)
        return env


def command_output(*argv):
    """Standard output of a command, empty when it fails or is not there."""
    try:
        return subprocess.run(argv, capture_output=True, text=True,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def library_path(soname):
    """Where the dynamic linker finds a library, or None."""
    for ldconfig in ("ldconfig", "/sbin/ldconfig"):
        for line in command_output(ldconfig, "-p").splitlines():
            words = line.split()
            if words and words[0] == soname and "x86-64" in line:
                return words[-1]
            if words and words[0] == soname and os.uname().machine != "x86_64":
                return words[-1]
    return None


def package_version(package):
    """Version of an installed Debian package, or empty."""
    state = command_output("dpkg-query", "-W", "-f",
                           "${db:Status-Status} ${Version}", package)
    return state.removeprefix("installed ") if state.startswith(
        "installed ") else ""


def source_version():
    """What git calls the checked-out source, or empty."""
    return command_output("git", "-C", str(ROOT), "describe", "--always",
                          "--dirty", "--tags").strip()


def subject(library=LIBRARY):
    """pmalloc, or None when it is not built."""
    if not pathlib.Path(library).exists():
        return None
    return Allocator("pmalloc", SUBJECT, str(library), source_version())


def peers():
    """The peers that are installed."""
    found = []
    for name, soname, package in PEERS:
        path = library_path(soname)
        if path:
            found.append(Allocator(name, PEER, path,
                                   package_version(package)))
    return found


def refused(library, options):
    """True when the library does not know all of these options."""
    env = Allocator("", VARIANT, "", "", (("PMALLOC_OPTIONS", options),
                                          ("LD_PRELOAD", library)))
    said = subprocess.run([PROGRAM, "pair", "-n", "1"], text=True,
                          env=env.environment(), capture_output=True,
                          check=False)
    return said.returncode != 0 or "option" in said.stderr


def variants(library=LIBRARY):
    """Variants of this pmalloc, and the names of those it has not."""
    known, unknown = [], []
    for options in VARIANTS:
        if refused(str(library), options):
            unknown.append(options)
        else:
            known.append(Allocator(options, VARIANT, str(library), "",
                                   (("PMALLOC_OPTIONS", options),)))
    for directory, name in BUILDS:
        other = pathlib.Path(library).parent / directory / "libpmalloc.so"
        if other.exists():
            known.append(Allocator(name, VARIANT, str(other), ""))
        else:
            unknown.append(name)
    return known, unknown


def limit():
    """The floor, or None when it is not built."""
    if not LIMIT.exists():
        return None
    return Allocator("limit", FLOOR, str(LIMIT), "")


def missing_packages():
    """Debian packages that the bench wants and that are not installed."""
    wanted = [package for _, _, package in PEERS] + list(TOOLS)
    return [p for p in wanted if not package_version(p)]


def install(say):
    """Install what is missing by name, when this user may."""
    missing = missing_packages()
    if not missing:
        return
    if not shutil.which("apt-get"):
        say("not a Debian system; goes without: " + " ".join(missing))
        return
    root = []
    if os.geteuid():
        root = ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
        if not command_output("sudo", "-n", "echo", "may"):
            say("neither root nor sudo; goes without: " + " ".join(missing))
            return
    say("installing " + " ".join(missing))
    apt = root + ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600"]
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in ([*apt, "install", "-y", "--no-install-recommends",
                     *missing], [*apt, "update"]) * 2:
        done = subprocess.run(command, env=env, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)
        if not missing_packages():
            return
    say("apt-get could not install " + " ".join(missing_packages()) + ": " +
        done.stderr.decode(errors="replace").strip()[-200:])
