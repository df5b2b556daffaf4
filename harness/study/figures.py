# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Read pmalloc's figures out of a running process, from outside.

The process is neither stopped nor signalled: its memory is read through
/proc/PID/mem. The library publishes a block that describes itself under the
symbol pmalloc_figures (lib/user/publish.c); names, offsets and the expressions
by which figures are made of others all come from there.

    with figures.open_process(pid) as process:
        report = process.read()         # a dict as of the JSON report

As a program it prints that JSON: figures.py PID.
"""
import errno
import json
import mmap
import os
import pwd
import re
import statistics
import struct
import sys
import time

import common

SYMBOL = b"pmalloc_figures"
MAGIC = b"pmalloc\0"
VERSION = 2
BYTE_ORDER = 0x01020304

# struct pm_published, pm_place, pm_table, pm_field of version 2.
PUBLISHED = struct.Struct("<8sIIQQIIIII4x")
PLACE = struct.Struct("<QQIII4x")
TABLE = struct.Struct("<QQII")
FIELD = struct.Struct("<QQIIIII4x")

# enum pm_field_how
VALUE, SUM, BYTES, TEXT, LIST = range(5)

SIZES = {1: "B", 2: "H", 4: "I", 8: "Q"}
STRING_MAX = 256

# How often to look again before a copy is taken for as good as it gets.
ARENA_TRIES = 6
MOVE_TRIES = 50


class NotPmalloc(Exception):
    """The process does not run on pmalloc (any more)."""


class NotStarted(NotPmalloc):
    """The process has pmalloc, but has not used it (yet)."""


class Strange(NotPmalloc):
    """There is a block that this reader does not understand."""


class NotPermitted(Exception):
    """We may not read the process; the text says what would help."""


# ---- who may read whom --------------------------------------------------------

def _owner(pid):
    return os.stat("/proc/%d" % pid).st_uid


def _user(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return "the user with number %d" % uid


def _yama():
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _not_permitted(pid):
    """Why not, and what to do."""
    why = "the memory of process %d may not be read: " % pid
    try:
        uid = _owner(pid)
    except OSError:
        uid = None
    if uid is not None and os.geteuid() not in (0, uid):
        return NotPermitted(why + "it belongs to %s; run this as that user or as root"
                            % _user(uid))
    scope = _yama()
    if scope and os.geteuid() != 0:
        return NotPermitted(why + "kernel.yama.ptrace_scope is %d; run this as root, "
                            "or allow it with `sysctl kernel.yama.ptrace_scope=0`" % scope)
    return NotPermitted(why + "it changed its rights (setuid, capabilities), or a "
                        "container or security module forbids it; run this as root, "
                        "where the process runs")


# ---- what is mapped -------------------------------------------------------------

class Mapping:
    """A line of /proc/PID/maps, which is bytes."""

    def __init__(self, line):
        words = line.split(None, 5)
        start, end = words[0].split(b"-")
        self.range = words[0].decode()
        self.start, self.end = int(start, 16), int(end, 16)
        self.executable = b"x" in words[1]
        self.offset = int(words[2], 16)
        major, minor = (int(n, 16) for n in words[3].split(b":"))
        self.file = (os.makedev(major, minor), int(words[4]))
        # The kernel escapes a line's end in a name, and nothing else.
        self.path = os.fsdecode(words[5].rstrip(b"\n").replace(b"\\012", b"\n")) \
            if len(words) > 5 else ""


def exists(pid):
    """Whether there is such a process, seen or hidden."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _not_there(pid):
    """Why /proc does not show a process."""
    if exists(pid):
        return NotPermitted("process %d is hidden from you (/proc is mounted with "
                            "hidepid); run this as its user or as root" % pid)
    return NotPmalloc("there is no process %d" % pid)


def _mappings(pid):
    try:
        with open("/proc/%d/maps" % pid, "rb") as file:
            return [Mapping(line) for line in file]
    except FileNotFoundError:
        raise _not_there(pid) from None
    except PermissionError:
        raise _not_permitted(pid) from None
    except ProcessLookupError:
        raise NotPmalloc("process %d has ended" % pid) from None


class Object:
    """A file of ELF that is mapped: the program, or a library. One that is
    mapped twice is two."""

    def __init__(self, pid, first):
        self.pid = pid
        self.mappings = [first]

    @property
    def path(self):
        """What the process calls it, which need not lead there for us, or any
        more, or ever."""
        return self.mappings[0].path

    def executable(self):
        """The mapping with its code, or None."""
        return next((m for m in self.mappings if m.executable), None)

    def names(self):
        """Names that might lead to the file: the first two lead nowhere else."""
        for m in self.mappings:
            yield "/proc/%d/map_files/%s" % (self.pid, m.range)
        yield "/proc/%d/exe" % self.pid
        path = self.path.removesuffix(" (deleted)")
        for name in (path, self.path):
            yield "/proc/%d/root%s" % (self.pid, name)
            yield name

    def name(self):
        """A name that leads to the very file that is mapped, or None."""
        for name in self.names():
            try:
                info = os.stat(name)
            except (OSError, ValueError):
                continue
            if "/map_files/" in name or \
                    (info.st_dev, info.st_ino) == self.mappings[0].file:
                return name
        return None


def objects(pid):
    """The files of ELF that a process has mapped, in the order of addresses."""
    found, last = [], None
    for m in _mappings(pid):
        if not m.file[1]:
            continue            # no file: stack, heap, anonymous
        if last and m.file == last.mappings[0].file and \
                (m.offset or m.start == last.mappings[-1].end):
            last.mappings.append(m)
        else:
            last = Object(pid, m)
            found.append(last)
    return [o for o in found if o.executable()]


# ---- symbols ------------------------------------------------------------------

class Loaded:
    """A file of ELF as it lies in a process's memory: enough of it to find a
    symbol that it shows to others. No file is needed for that."""

    DYN, LOAD, DYNAMIC = 3, 1, 2
    STRTAB, SYMTAB, GNU_HASH = 5, 6, 0x6ffffef5

    def __init__(self, memory, start):
        self.memory = memory
        head = memory.read(start, 64)
        if head[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not 64-bit little-endian ELF")
        kind, phoff, phsize, phnum = struct.unpack("<16xH14xQ14xHH6x", head)
        raw = memory.read(start + phoff, phsize * phnum)
        segments = [struct.unpack_from("<IIQQQQQQ", raw, i * phsize) for i in range(phnum)]
        lowest = min(s[3] & ~4095 for s in segments if s[0] == self.LOAD)
        self.bias = start - lowest if kind == self.DYN else 0
        self.tags = {}
        for segment in segments:
            if segment[0] == self.DYNAMIC:
                raw = memory.read(self.bias + segment[3], segment[6] & ~15)
                self.tags = dict(struct.iter_unpack("<QQ", raw))

    def _at(self, tag):
        """Where a table is; some loaders have put the address there."""
        value = self.tags[tag]
        return value if value >= self.bias else value + self.bias

    def symbol(self, name):
        """The address of a symbol in the process, or None."""
        if self.GNU_HASH not in self.tags:
            return None
        table = self._at(self.GNU_HASH)
        buckets, first, bloom, _ = struct.unpack("<4I", self.memory.read(table, 16))
        value = 5381
        for byte in name:
            value = value * 33 + byte & 0xffffffff
        start = table + 16 + 8 * bloom
        number = self.memory.number(start + 4 * (value % buckets), 4)
        while number >= first:
            link = self.memory.number(start + 4 * buckets + 4 * (number - first), 4)
            if (link ^ value) < 2 and self._is(number, name):
                return self._value(number)
            if link & 1:
                break
            number += 1
        return None

    def _is(self, number, name):
        at = self.memory.number(self._at(self.SYMTAB) + 24 * number, 4)
        at += self._at(self.STRTAB)
        return self.memory.read(at, len(name) + 1) == name + b"\0"

    def _value(self, number):
        section, value = struct.unpack(
            "<6xHQ", self.memory.read(self._at(self.SYMTAB) + 24 * number, 16))
        return value + self.bias if section else None


class Elf:
    """The symbol tables of a file of 64-bit little-endian ELF."""

    SYMTAB, DYNSYM = 2, 11

    def __init__(self, data):
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not 64-bit little-endian ELF")
        self.data = data
        self.shoff, self.shsize, self.shnum = struct.unpack_from("<40xQ10xHH", data)

    def _section(self, i):
        return struct.unpack_from("<4xI16xQQI12xQ", self.data,
                                  self.shoff + i * self.shsize)

    def symbol(self, name):
        """The address of a symbol in the file, or None."""
        for i in range(self.shnum):
            kind, offset, size, link, entry = self._section(i)
            if kind not in (self.SYMTAB, self.DYNSYM) or not entry:
                continue
            strings = self._section(link)[1]
            for at in range(offset, offset + size, entry):
                string, section, value = struct.unpack_from("<I2xHQ", self.data, at)
                begin = strings + string
                if section and self.data[begin:begin + len(name) + 1] == name + b"\0":
                    return value
        return None


def _symbol_in(path):
    """The symbol's address in a file, or None when it has none."""
    with open(path, "rb") as file, \
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        if data.find(SYMBOL + b"\0") < 0:
            return None
        return Elf(data).symbol(SYMBOL)


class Copy:
    """A pmalloc in a process: where its block is, and whether it is in use."""

    def __init__(self, memory, where, address):
        self.object = where
        self.address = address
        self.places = _places(memory, address)
        self.alive = bool(self._number(memory, "alive" if "alive" in self.places
                                       else "cpus"))
        self.arenas = self._number(memory, "arena_slots") if self.alive else 0

    def _number(self, memory, name):
        place = self.places[name]
        return memory.number(place.at, place.size)


class Search:
    """Looks for every pmalloc in a process."""

    def __init__(self, pid, memory):
        self.memory = memory
        self.objects = objects(pid)
        if not self.objects:
            raise NotPmalloc("process %d has no program (a thread of the kernel, or "
                             "it has ended)" % pid)
        self.unread = []
        self.strange = []       # why a block was not understood
        self.found = []
        for each in self.objects:
            self._try(each, self._in_memory)
        # Linked in statically it need not be shown to others.
        if not any(copy.alive for copy in self.found):
            known = [copy.object for copy in self.found]
            for each in self.objects:
                if each not in known:
                    self._try(each, self._in_file)

    def _try(self, where, look):
        try:
            address = look(where)
            if address is not None:
                self.found.append(Copy(self.memory, where, address))
        except Strange as err:
            self.strange.append(err)
        except (NotPmalloc, ValueError, KeyError, OverflowError, struct.error, OSError):
            pass                # no ELF, or another one than it seems

    def _in_memory(self, where):
        return Loaded(self.memory, where.mappings[0].start).symbol(SYMBOL)

    def _in_file(self, where):
        name = where.name()
        if not name:
            self.unread.append(where.path)
            return None
        value = _symbol_in(name)
        if value is None:
            return None
        return value + Loaded(self.memory, where.mappings[0].start).bias


def copies(pid):
    """Every pmalloc that a process has mapped, whatever its file is called."""
    memory = Memory(pid)
    try:
        return Search(pid, memory).found
    finally:
        memory.close()


def _find(pid, memory):
    """The pmalloc that a process uses."""
    search = Search(pid, memory)
    alive = [copy for copy in search.found if copy.alive]
    if alive:
        return max(alive, key=lambda copy: copy.arenas)
    if search.found:
        raise NotStarted("process %d has loaded pmalloc (%s), but has not allocated "
                         "memory with it" % (
                             pid, common.shown(search.found[0].object.path)))
    if search.strange:
        raise search.strange[0]
    text = "process %d does not run on pmalloc; start it with `pmalloc run -- ...`, " \
        "or with LD_PRELOAD=libpmalloc.so.0" % pid
    if search.unread:
        text += " (these of its files could not be read: %s)" % \
            ", ".join(common.shown(path) for path in search.unread)
    else:
        text += " (a program that has it linked in statically must not be stripped)"
    raise NotPmalloc(text)


# ---- memory -------------------------------------------------------------------

class Memory:
    """The memory of a process."""

    def __init__(self, pid):
        self.pid = pid
        try:
            self.fd = os.open("/proc/%d/mem" % pid, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise _not_there(pid) from None
        except PermissionError:
            raise _not_permitted(pid) from None

    def close(self):
        os.close(self.fd)

    def read(self, at, size):
        try:
            data = os.pread(self.fd, size, at)
        except OSError as err:
            if err.errno in (errno.EPERM, errno.EACCES):
                raise _not_permitted(self.pid) from None
            data = b""
        if len(data) < size:
            raise NotPmalloc("process %d has ended, or runs another program now"
                             % self.pid)
        return data

    def number(self, at, size):
        return int.from_bytes(self.read(at, size), "little")

    def string(self, at):
        """A string that ends in a NUL; it may lie at the end of what is mapped."""
        data = b""
        while at and len(data) < STRING_MAX and b"\0" not in data:
            data += self.read(at + len(data), min(64, 4096 - (at + len(data)) % 4096))
        return data.split(b"\0")[0].decode("utf-8", "replace")


# ---- the block ----------------------------------------------------------------

class Field:
    """Where a figure is in an object, struct pm_field."""

    def __init__(self, memory, raw):
        (name, text, self.how, self.at, self.size, self.stride,
         self.count) = FIELD.unpack_from(raw)
        self.name = memory.string(name)
        self.terms = _terms(memory.string(text)) if self.how == TEXT else []

    def values(self, data):
        """All its values in a copy of the object."""
        code = SIZES[self.size]
        if self.count == 1:
            return struct.unpack_from("<" + code, data, self.at)
        gap = self.stride - self.size
        layout = ("%s%dx" % (code, gap) if gap else code) * (self.count - 1) + code
        return struct.unpack_from("<" + layout, data, self.at)

    def value(self, data, class_size):
        """The figure, of an object that is not an expression."""
        values = self.values(data)
        if self.how == VALUE:
            return values[0]
        if self.how == SUM:
            return sum(values) & (1 << 64) - 1
        if self.how == BYTES:
            return sum(n * size for n, size in zip(_signed(values), class_size))
        return list(values)


class Place:
    """Something that there is once, struct pm_place."""

    def __init__(self, memory, raw):
        name, self.at, self.size, self.stride, self.count = PLACE.unpack_from(raw)
        self.name = memory.string(name)


class Table:
    """What objects of one kind have, struct pm_table."""

    def __init__(self, memory, raw, field_bytes):
        name, fields, number, self.bytes = TABLE.unpack_from(raw)
        self.name = memory.string(name)
        raw = memory.read(fields, number * field_bytes)
        self.fields = [Field(memory, raw[i * field_bytes:]) for i in range(number)]
        self.by_name = {field.name: field for field in self.fields}


def _block(memory, address):
    """What the block says of itself, as struct pm_published has it."""
    pid = memory.pid
    words = PUBLISHED.unpack(memory.read(address, PUBLISHED.size))
    if words[0] != MAGIC or words[1] != BYTE_ORDER:
        raise Strange("process %d: its libpmalloc.so was replaced while it runs, so "
                      "that its figures cannot be found; start it again" % pid)
    if words[2] != VERSION:
        raise Strange("process %d runs on a pmalloc whose figures have version %d; "
                      "this reader knows %d: take the reader that came with that "
                      "library" % (pid, words[2], VERSION))
    return words[3:]


def _places(memory, address):
    """The places of a block, by name."""
    where, _, count, _, size, _, _ = _block(memory, address)
    raw = memory.read(where, count * size)
    return {p.name: p for p in (Place(memory, raw[i * size:]) for i in range(count))}


def _signed(values):
    return [n - (1 << 64) if n >> 63 else n for n in values]


def _terms(text):
    """An expression: [(sign, what, name), ...] of "A(x) - F(y) ..."."""
    term = re.compile(r"\s*([+-]?)\s*([A-Z])\((\w+)\)")
    terms, at = [], 0
    while at < len(text.rstrip()):
        match = term.match(text, at)
        if not match:
            raise NotPmalloc("pmalloc's figures are made by an expression that this "
                             "reader does not know: %s; take the reader of the same "
                             "version" % text)
        terms.append((-1 if match.group(1) == "-" else 1,) + match.groups()[1:])
        at = match.end()
    return terms


def _sum_of(terms, names):
    """The value of an expression, never below 0."""
    return max(0, sum(sign * names[what][name] for sign, what, name in terms))


def _middle(copies):
    """Word by word the middle one of three copies of an object.

    Of three copies made one after the other, the middle value of a word that
    only grows lies between two others; of one that was read while it was
    written, and therefore wrong in one copy, a right one is in the middle.
    """
    count = len(copies[0]) // 8
    words = zip(*(struct.unpack_from("<%dQ" % count, copy) for copy in copies))
    return struct.pack("<%dQ" % count, *(a if a == b == c else statistics.median_low((a, b, c))
                                         for a, b, c in words))


class Process:
    """A process that runs on pmalloc. Use open_process()."""

    def __init__(self, pid):
        self.pid = pid
        self.memory = Memory(pid)
        try:
            copy = _find(pid, self.memory)
            self.address = copy.address
            self.places = copy.places
            self.object = copy.object
            self._learn()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.memory.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _learn(self):
        """Read what the block says of itself."""
        _, tables, _, nr_tables, _, table_bytes, field_bytes = _block(self.memory,
                                                                      self.address)
        raw = self.memory.read(tables, nr_tables * table_bytes)
        self.tables = {t.name: t for t in (Table(self.memory, raw[i * table_bytes:],
                                                 field_bytes)
                                           for i in range(nr_tables))}
        self._learn_classes()
        self.arena = self.tables["arena"]
        self.seq = self.tables["arena_state"].by_name["seq"]
        self.retired = self.tables["arena_state"].by_name["retired"]

    def _learn_classes(self):
        """The classes; those of caches come and go."""
        self.class_size = self._list("class_size")
        if "cache_name" not in self.places:
            self.caches = {}
            return
        size = self.places["cache_name"].size
        names = [name.to_bytes(size, "little").split(b"\0")[0].decode("ascii", "replace")
                 for name in self._list("cache_name")]
        self.caches = {number: {"cache": name, "object_size": length}
                       for number, name, length in zip(self._list("cache_class"), names,
                                                       self._list("cache_size")) if name}

    def _class(self, number):
        """What a class is."""
        return dict({"class": number, "size": self.class_size[number]},
                    **self.caches.get(number, {}))

    # -- places

    def _number(self, name):
        place = self.places[name]
        return self.memory.number(place.at, place.size)

    def _list(self, name, count=None):
        place = self.places[name]
        count = place.count or count
        if not count:
            return []
        stride = place.stride or place.size
        data = self.memory.read(place.at, (count - 1) * stride + place.size)
        return [int.from_bytes(data[i * stride:i * stride + place.size], "little")
                for i in range(count)]

    def _text(self, name):
        return bytes(self._list(name)).split(b"\0")[0].decode("utf-8", "replace")

    # -- arenas

    def _copy_arena(self, at):
        """A copy of an arena: of one moment if its lock is ever free."""
        copies = []
        for _ in range(ARENA_TRIES):
            before = self.memory.number(at + self.seq.at, self.seq.size)
            copies.append(self.memory.read(at, self.arena.bytes))
            if not before & 1 and before == self.memory.number(at + self.seq.at,
                                                               self.seq.size):
                return copies[-1]
        return _middle(copies[-3:])

    def _copy_arenas(self):
        table, slots = self._number("arena_table"), self._number("arena_slots")
        if not table or not slots:
            return []
        pointers = struct.unpack("<%dQ" % slots, self.memory.read(table, 8 * slots))
        copies = [self._copy_arena(at) for at in pointers if at]
        return [c for c in copies if not self.retired.values(c)[0]]

    def _still_arenas(self):
        """Copies of all arenas, while none is being retired."""
        for _ in range(MOVE_TRIES):
            before = self._number("arenas_seq")
            copies = self._copy_arenas()
            if not before & 1 and before == self._number("arenas_seq"):
                break
            time.sleep(0.001)
        return copies

    def _arena_figures(self, copy):
        figures = {}
        for field in self.arena.fields:
            if field.how == TEXT:
                figures[field.name] = _sum_of(field.terms, {"F": figures})
            else:
                figures[field.name] = field.value(copy, self.class_size)
        figures["classes"] = list(self._arena_classes(copy))
        return figures

    def _rows(self, table, copy):
        """Per class what a table has in a copy of an arena."""
        names = [field.name for field in table.fields]
        for values in zip(*(field.values(copy) for field in table.fields)):
            yield dict(zip(names, values))

    def _arena_classes(self, copy):
        for number, row in enumerate(self._rows(self.tables["arena_class"], copy)):
            if row["acquired"] or row["contended"] or row["free_busy"]:
                yield dict(self._class(number), **row)

    # -- magazines, classes, totals

    def _magazines(self):
        """Per CPU that has a magazine, its number and the objects per class."""
        table = self.tables["magazine"]
        null = self.places["magazine_null"].at
        base = self._list("magazine_base")
        for cpu, at in enumerate(self._list("magazine_table",
                                            self._number("magazine_indexes"))):
            if at in (0, null):
                continue
            copy = self.memory.read(at, table.bytes)
            tops = table.by_name["top"].values(copy)
            yield cpu, [max(0, top - first) // 8 if number else 0
                        for number, (top, first) in enumerate(zip(tops, base))]

    def _object_bytes(self, objects):
        return sum(n * size for n, size in zip(objects, self.class_size))

    def _classes(self, copies, magazine):
        fields = self.tables["class"].fields
        sums = [{field.name: 0 for field in fields} for _ in self.class_size]
        for copy in copies:
            for field in fields:
                for total, value in zip(sums, field.values(copy)):
                    total[field.name] += value
        # Classes of spans are in no slab.
        spans = sums[self._number("span_first"):]
        for total, taken, out in zip(spans, self._list("span_taken"), self._list("span_out")):
            total.update(taken=taken, out=out)
        for number, row in enumerate(sums):
            if number and (row["taken"] or number in self.caches):
                yield dict(self._class(number), **row,
                           magazine=min(magazine[number], row["out"]))

    def _totals(self, arenas, magazine):
        summed = {field.name: sum(a[field.name] for a in arenas)
                  for field in self.arena.fields if field.how != LIST}
        others = {name: self._number(name) for name in self.places
                  if self.places[name].count == 1}
        others.update(arenas=len(arenas), magazine_objects=sum(magazine),
                      magazine_bytes=self._object_bytes(magazine))
        return {field.name: _sum_of(field.terms, {"A": summed, "G": others})
                for field in self.tables["total"].fields}

    def _memory(self, total, magazines):
        """The parts of the memory. What has pages only the process can tell."""
        if "memory" not in self.tables:
            return {}
        parts = [{"part": field.name, "bytes": _sum_of(field.terms, {"T": total}),
                  "resident": None} for field in self.tables["memory"].fields]
        for part in parts:
            if part["part"] == "magazine":
                part["cpus"] = [{"cpu": cpu, "bytes": self._object_bytes(objects),
                                 "resident": None} for cpu, objects in magazines]
        return {"memory": parts, "memory_sum": {
            "bytes": sum(part["bytes"] for part in parts), "resident": None}}

    def resident(self):
        """Resident bytes of the whole process, None where that is not told."""
        try:
            with open("/proc/%d/smaps_rollup" % self.pid, encoding="ascii") as file:
                return int(re.search(r"^Rss: *(\d+) kB", file.read(), re.M)[1]) * 1024
        except (OSError, TypeError):
            return None

    def _policy(self):
        place = self.places["policy"]
        policy = self.memory.number(place.at, place.size)
        name = self.tables["policy"].by_name["name"]
        return self.memory.string(self.memory.number(policy + name.at, name.size))

    def read(self):
        """The figures now: what json.load() makes of the JSON report."""
        if self.memory.read(self.address, len(MAGIC)) != MAGIC:
            raise NotPmalloc("process %d runs another program now" % self.pid)
        self._learn_classes()
        copies = self._still_arenas()
        magazines = list(self._magazines())
        magazine = [sum(n) for n in zip([0] * len(self.class_size),
                                        *(objects for _, objects in magazines))]
        arenas = [self._arena_figures(copy) for copy in copies]
        total = self._totals(arenas, magazine)
        return {"policy": self._policy(), "arena_slots": self._number("arena_slots"),
                "cpus": self._number("cpus"), "host": self._text("host"),
                "arenas": arenas, "classes": list(self._classes(copies, magazine)),
                **self._memory(total, magazines), "total": total}


def open_process(pid):
    """Get ready to read the figures of a process, again and again.

    Raises NotPmalloc or NotPermitted, with a sentence that says what to do.
    """
    return Process(pid)


def main(args):
    """Print the figures of a process as JSON. Return the exit status."""
    if len(args) != 1 or not args[0].isdigit():
        print("usage: figures.py PID", file=sys.stderr)
        return 2
    try:
        with open_process(int(args[0])) as process:
            json.dump(process.read(), sys.stdout)
            print()
    except (NotPmalloc, NotPermitted) as err:
        print("figures: %s" % err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
