# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Only a file touches its structure's fields.

What a file touches is what libclang says that it refers to: s->field, s.field,
offsetof() and with it container_of() and the list macros, also within macros. A
field counts for the file in which its name is written: a macro of a header may
name the fields that the header owns, wherever it is used. sizeof touches nothing. The kernel's
host is not read, for want of its headers.

Every structure that a core header defines is on one of the lists below. What a
source file defines for itself nobody else can touch.
"""

import fnmatch
import glob
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Debian's python3-clang-14, for whichever python3 comes first in the path.
sys.path.append("/usr/lib/python3/dist-packages")
from clang import cindex                                    # noqa: E402
from clang.cindex import CursorKind                         # noqa: E402

# Structures that somebody owns: the files that touch their fields.
OWNERS = {
    "pm_slab": ("back/slab.[ch]",),
    "pm_heap": ("back/heap.[ch]",),
    "pm_extent": ("back/extent*.[ch]", "back/pool.[ch]"),
    "pm_extent_counts": ("back/extent.[ch]", "back/pool.[ch]", "user/publish.c"),
    "pm_pool": ("back/extent*.[ch]", "back/pool.[ch]"),
    "pm_span_counts": ("back/span.[ch]", "user/publish.c"),
    "pm_large_counts": ("back/large.[ch]", "user/publish.c"),
    "pm_region": ("back/pagemap.[ch]",),
    "pm_place_heaps": ("back/pagemap.[ch]",),
    "pm_leaf": ("back/pagemap.[ch]",),
    "pm_branch": ("back/pagemap.[ch]",),
    "pm_first_leaf": ("back/pagemap.[ch]",),
    "pm_lockstat": ("arena/lockstat.[ch]",),
    "pm_lockwait": ("arena/lockstat.[ch]",),
    "pm_class_wait": ("arena/lockstat.[ch]",),
    "pm_batch": ("arena/batch.[ch]",),
    "pm_depot": ("arena/depot.[ch]",),
    "pm_arena": ("arena/*.[ch]",),
    "pm_arena_stats": ("arena/*.[ch]",),
    "pm_magazine": ("front/*.[ch]", "user/rseq-*.h", "kernel/pm_percpu.h"),
    "pm_stack": ("front/*.[ch]", "user/rseq-*.h", "kernel/pm_percpu.h"),
    "pm_misuse_note": ("base/misuse.[ch]",),
    "pm_writer": ("api/writer.[ch]", "api/report.c"),
    "pm_cache": ("api/cache*.[ch]", "user/publish.c"),
}

# A link belongs to whoever has the list: the arena for its slabs, heaps and batches.
LINKS = {
    ("pm_slab", "node"): ("arena/*.c",),
    ("pm_slab", "remote_node"): ("arena/*.c",),
    ("pm_heap", "node"): ("arena/*.c",),
    ("pm_batch", "node"): ("arena/*.c",),
}

# Values: filled in, handed on and read, with nothing in them to be kept true.
VALUES = {
    "pm_class", "pm_class_starts", "pm_starts", "pm_options", "pm_policy", "pm_inject",
    "pm_holder", "pm_wait", "pm_left", "pm_cache_id", "pm_huge_cost",
    "pm_large_stats", "pm_span_stats", "pm_totals", "pm_bytes", "pm_pages",
    "pm_parts", "pm_resident", "pm_field", "pm_arena_figures",
    "pm_arena_class_figures", "pm_class_figures",
}

# Validators look into everything; tables name offsets of what is shown.
VALIDATORS = ("arena/check.c",)
TABLES = ("api/figures.c", "api/stats.h", "user/publish.c")


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def source(path, cache={}):                     # pylint: disable=dangerous-default-value
    """The text of a file, read once."""
    if path not in cache:
        with open(path, encoding="utf-8") as file:
            cache[path] = file.read()
    return cache[path]


def arguments_of_macro(text, offset):
    """A macro's name at an offset and the text of its arguments."""
    name = re.compile(r"\w+").match(text, offset)
    if not name:
        return "", ""
    depth, at = 0, name.end()
    for at in range(name.end(), len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            break
    return name.group(0), text[name.end():at]


def named(field):
    """The named structure that a field is in, through those without a name."""
    kinds = (CursorKind.STRUCT_DECL, CursorKind.UNION_DECL)
    parent = field.semantic_parent
    while parent.kind in kinds and (not parent.spelling or parent.is_anonymous() or
                                    "(" in parent.spelling):
        if parent.semantic_parent.kind not in kinds:
            break
        parent = parent.semantic_parent
    return parent


def arguments(lib, flags):
    """Those of the library's debug build, for a tree that may be a copy of lib/."""
    own = subprocess.run(["gcc", "-print-file-name=include"], capture_output=True,
                         text=True, check=True).stdout.strip()
    moved = [re.sub(r"^-Ilib\b", "-I" + lib, flag) for flag in flags.split()]
    return ["-std=gnu11", "-DPM_DEBUG_BUILD", "-I" + own] + moved


def macros(lib):
    """The file in which each macro of the core and its hosts is defined."""
    found = {}
    for path in glob.glob(os.path.join(lib, "**", "*.[ch]"), recursive=True):
        for name in re.findall(r"^\s*#\s*define\s+(\w+)\(", source(path), re.M):
            found[name] = os.path.relpath(path, lib)
    return found


class Unit:
    """One source file, and what it and the headers that it includes touch."""

    def __init__(self, lib, path, flags):
        self.lib = os.path.realpath(lib)
        self.found = set()      # (structure, where defined, field, file, line, table)
        self.broken = []
        self.macros = macros(self.lib)
        unit = cindex.Index.create().parse(os.path.join(self.lib, path),
                                           args=arguments(self.lib, flags))
        for problem in unit.diagnostics:
            if problem.severity >= cindex.Diagnostic.Error:
                self.broken.append("%s: libclang: %s" % (path, problem.spelling))
        for cursor in unit.cursor.get_children():
            if cursor.location.file and self.ours(cursor.location.file.name):
                self.walk(cursor, cursor.location)

    def ours(self, path):
        """A path relative to lib/, or None."""
        name = os.path.relpath(os.path.realpath(path), self.lib)
        return None if name.startswith("..") else name

    def walk(self, cursor, location):
        for child in cursor.get_children():
            if child.kind == CursorKind.CXX_UNARY_EXPR:         # sizeof
                continue
            where = child.location if child.location.file else location
            if child.kind in (CursorKind.MEMBER_REF_EXPR, CursorKind.MEMBER_REF):
                self.touch(child, where)
            self.walk(child, where)

    def touch(self, cursor, location):
        field = cursor.referenced
        if field is None or field.kind != CursorKind.FIELD_DECL or not field.spelling:
            return
        parent = named(field)
        home = parent.location.file and self.ours(parent.location.file.name)
        path = self.ours(location.file.name)
        if not home or not path:
            return
        # Is the name written here, or in the macro that is used here?
        name, given = arguments_of_macro(source(location.file.name), location.offset)
        if name in self.macros and not re.search(r"\b%s\b" % field.spelling, given):
            path = self.macros[name]
        self.found.add((parent.spelling, home, field.spelling, path, location.line,
                        cursor.kind == CursorKind.MEMBER_REF))


def allowed(structure, field, path, table):
    if matches(path, OWNERS[structure]) or path in VALIDATORS or \
            matches(path, LINKS.get((structure, field), ())):
        return True
    return table and path in TABLES


def is_core_header(path):
    return path.endswith(".h") and path.split("/")[0] not in ("user", "kernel")


def look(job):
    """One source file, for a process of a pool."""
    unit = Unit(*job)
    return unit.found, unit.broken


def check(lib, flags, paths):
    """What is wrong in source files below lib, and how many accesses were seen."""
    found, faults = set(), []
    with multiprocessing.Pool() as pool:
        for more, broken in pool.imap(look, [(lib, path, flags) for path in paths]):
            found |= more
            faults += broken
    unknown = {}
    for structure, home, field, path, line, table in sorted(found):
        if not is_core_header(home) or structure in VALUES:
            continue
        if structure not in OWNERS:
            unknown[structure] = home
        elif not allowed(structure, field, path, table):
            faults.append("%s:%d: touches %s of struct %s, which is of %s" %
                          (path, line, field, structure, ", ".join(OWNERS[structure])))
    for structure, home in sorted(unknown.items()):
        faults.append("%s: struct %s is on no list of scripts/core/fields.py" %
                      (home, structure))
    return faults, len(found)


# A file, what is planted in it, and what is to be said of that.
TRIALS = (
    ("upkeep/trim.c", "long pm_x(struct pm_arena *a) { return a->nr_heaps; }",
     "touches nr_heaps of struct pm_arena"),
    ("arena/giveback.c", "void pm_x(struct pm_depot *d) { d->low = 0; }",
     "touches low of struct pm_depot"),
    ("arena/giveback.c", "void pm_x(struct pm_arena *a) { (&a->depot[1])->nr++; }",
     "touches nr of struct pm_depot"),
    ("back/large.c", '#include "back/slab.h"\n'
     "void *pm_x(unsigned int *n)\n"
     "{ return container_of(n, struct pm_slab, nr_free); }",
     "touches nr_free of struct pm_slab"),
    ("arena/batch.c", "#define PM_Y(b) ((b)->nr)\n"
     "int pm_x(struct pm_batch *b) { return PM_Y(b); }", None),
    ("arena/enter.c", "#define PM_Y(b) ((b)->nr)\n"
     "int pm_x(struct pm_batch *b) { return PM_Y(b); }",
     "touches nr of struct pm_batch"),
    ("upkeep/trim.c", "void pm_x(void)\n"
     "{ struct pm_arena *a; pm_for_each_arena(a) pm_arena_unlock(a); }", None),
    ("upkeep/trim.c", "unsigned long pm_x(struct pm_arena *a)\n"
     "{ return sizeof(a->heaps); }", None),
    ("arena/arena.h", "struct pm_y { int z; };\n"
     "static inline int pm_x(struct pm_y *y) { return y->z; }",
     "struct pm_y is on no list"),
    ("arena/policy.c", "struct pm_y { int z; };\n"
     "int pm_x(struct pm_y *y) { return y->z; }", None),
    ("arena/policy.c", "int pm_x(struct pm_y *y) { return y->z; }", "libclang: "),
)


def plant(path, text):
    """Put text at the end of a file: of a header, before its include guard ends."""
    with open(path, encoding="utf-8") as file:
        lines = file.read()
    end = lines.rindex("#endif") if path.endswith(".h") else len(lines)
    with open(path, "w", encoding="utf-8") as file:
        file.write(lines[:end] + "\n" + text + "\n" + lines[end:])


def selftest(lib, flags):
    """(right, sentence) for each trial."""
    for path, text, wanted in TRIALS:
        with tempfile.TemporaryDirectory() as where:
            copy = os.path.join(where, "lib")
            shutil.copytree(lib, copy)
            plant(os.path.join(copy, path), text)
            one = path if path.endswith(".c") else path[:-2] + ".c"
            known = set(check(lib, flags, [one])[0])
            faults = [fault for fault in check(copy, flags, [one])[0] if fault not in known]
        right = bool(faults) == bool(wanted) and all(wanted in f for f in faults)
        yield right, "%s in %s: %s" % ("found" if wanted else "allowed", path,
                                       text.replace("\n", " "))
