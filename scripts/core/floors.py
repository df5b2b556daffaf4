# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The floors of the core, read from compiled objects.

lib/Kbuild lists the core's objects from the ground up. An object uses symbols of
those that are listed before it and of its host, and none of an object that is
listed after it. What an object defines and uses is what nm says, so a call by
whatever macro or inline function counts.
"""

import os
import re
import shutil
import subprocess
import tempfile


def objects(lib):
    """The core's objects in the order of lib/Kbuild, without suffix."""
    with open(os.path.join(lib, "Kbuild"), encoding="utf-8") as file:
        text = re.sub(r"#.*", "", file.read()).replace("\\\n", " ")
    match = re.search(r"^pmalloc-core\s*:?=(.*)$", text, re.MULTILINE)
    return [word[:-2] for word in match.group(1).split()] if match else []


def symbols(path):
    """What an object file defines for others, and what it wants of them."""
    done = subprocess.run(["nm", "-P", path], capture_output=True, text=True, check=True)
    defined, used = set(), set()
    for line in done.stdout.splitlines():
        name, kind = line.split()[:2]
        if kind in "Uvw":
            used.add(name)
        elif kind.isupper() or kind == "u":
            defined.add(name)
    return defined, used


class Floors:
    """The core's objects as one build compiled them, below a directory."""

    def __init__(self, lib, build):
        self.lib = lib
        self.build = build
        self.order = objects(lib)
        self.faults = []
        self.defines = {}       # symbol -> object
        self.wants = {}         # object -> symbols
        for name in self.order:
            self.read(name)

    def fault(self, text):
        self.faults.append("%s: %s" % (self.build, text))

    def read(self, name):
        path = os.path.join(self.build, name + ".o")
        try:
            defined, self.wants[name] = symbols(path)
        except (OSError, subprocess.CalledProcessError) as err:
            self.fault("%s.o: %s" % (name, getattr(err, "stderr", "") or err))
            return
        if not defined and not self.wants[name]:
            self.fault("%s.o has no symbols" % name)
        for symbol in defined:
            if symbol in self.defines:
                self.fault("%s is in %s.o and in %s.o" %
                           (symbol, self.defines[symbol], name))
            self.defines[symbol] = name

    def uses(self):
        """(object, object, symbols): the first uses these symbols of the second."""
        for name in self.order:
            others = {}
            for symbol in self.wants.get(name, ()):
                other = self.defines.get(symbol)
                if other not in (None, name):
                    others.setdefault(other, []).append(symbol)
            for other in sorted(others, key=self.order.index):
                yield name, other, sorted(others[other])

    def check(self):
        """Return what is wrong, one line each."""
        if len(self.order) < 2:
            self.fault("lib/Kbuild lists no objects")
        for name, other, used in self.uses():
            if self.order.index(other) > self.order.index(name):
                self.fault("%s.o uses %s of %s.o, which lib/Kbuild lists after it" %
                           (name, ", ".join(used), other))
        return self.faults


def planted(lib, build, where, name, text):
    """A copy of a build's objects; the code @text is also in the object @name."""
    copy = os.path.join(where, "build")
    for each in objects(lib):
        path = os.path.join(copy, each + ".o")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.join(build, each + ".o"), path)
    source = os.path.join(where, "planted.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    path = os.path.join(copy, name + ".o")
    more = os.path.join(where, "planted.o")
    both = os.path.join(where, "both.o")
    subprocess.run([os.environ.get("CC", "gcc"), "-c", "-o", more, source], check=True)
    subprocess.run(["ld", "-r", "-o", both, path, more], check=True)
    shutil.move(both, path)
    return copy


# An object, what is planted in it, and what is to be said of that.
TRIALS = (
    ("back/slab", "void pm_trim_all(void); void pm_x(void) { pm_trim_all(); }",
     "back/slab.o uses pm_trim_all of upkeep/trim.o"),
    ("arena/depot", "extern char pm_registry[]; char *pm_x(void) { return pm_registry; }",
     "arena/depot.o uses pm_registry of arena/registry.o"),
    ("base/options", "void pm_is_free(void); void (*pm_x)(void) = pm_is_free;",
     "base/options.o uses pm_is_free of upkeep/verify.o"),
    ("back/slab", "void pm_trim_all(void) __attribute__((weak));\n"
     "void pm_x(void) { if (pm_trim_all) pm_trim_all(); }",
     "back/slab.o uses pm_trim_all of upkeep/trim.o"),
    ("upkeep/trim", "void pm_slab_put(void); void pm_x(void) { pm_slab_put(); }", None),
    ("back/slab", "void pm_host_say(void); void pm_x(void) { pm_host_say(); }", None),
    ("back/slab", "static void pm_trim_all(void) { }\n"
     "void pm_x(void) { pm_trim_all(); }", None),
)


def selftest(lib, build):
    """(right, sentence) for each trial."""
    for name, text, wanted in TRIALS:
        with tempfile.TemporaryDirectory() as where:
            faults = Floors(lib, planted(lib, build, where, name, text)).check()
        right = len(faults) == (wanted is not None) and \
            all(wanted in fault for fault in faults)
        yield right, "%s in %s.o: %s" % ("found" if wanted else "allowed", name,
                                         text.split("\n", 1)[0])
    with tempfile.TemporaryDirectory() as where:
        copy = planted(lib, build, where, "back/slab", "")
        os.unlink(os.path.join(copy, "back/heap.o"))
        faults = Floors(lib, copy).check()
    yield any("back/heap.o" in fault for fault in faults), "found: an object is missing"
