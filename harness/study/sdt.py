# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The USDT probes of a library: where they are and where their fields lie.

<sys/sdt.h> leaves a note in the ELF file for each probe: its address, the
address of its semaphore, and a description of its arguments in the assembler's
words, such as "4@%eax -8@16(%rsp)". The kernel's uprobe events want the same
in other words: offsets in the file, and "%ax:u32 +16(%sp):s64".
"""
import re
import struct

import common

FIELDS = ("cpu", "arena", "class", "ns", "count", "size")
SHT_NOTE = 7
PT_LOAD = 1
PT_INTERP = 3


class Probe:
    """One probe: offsets in the file, and its arguments."""

    def __init__(self, name, offset, semaphore, arguments):
        self.name = name
        self.offset = offset
        self.semaphore = semaphore
        self.arguments = arguments

    def uprobe(self, group, path):
        """The definition of a uprobe event, as tracefs takes it."""
        fields = []
        for field, argument in zip(FIELDS, self.arguments):
            fetch = fetch_argument(argument)
            if fetch:
                fields.append("%s=%s" % (field, fetch))
        where = "%s:0x%x" % (path, self.offset)
        if self.semaphore:
            where += "(0x%x)" % self.semaphore
        return " ".join(["p:%s/%s" % (group, self.name), where] + fields)


def register(name):
    """What the kernel calls a register, whatever part of it is meant."""
    name = re.sub(r"^(r\d+)[bwd]$", r"\1", name)
    match = re.match(r"^[re]?([a-d])([xlh])$", name)
    if match:
        return match.group(1) + "x"
    match = re.match(r"^[re]?(si|di|bp|sp)l?$", name)
    return match.group(1) if match else name


def fetch_argument(text):
    """An argument of a probe as a uprobe event fetches it; None if it cannot."""
    match = re.match(r"^(-?)(\d)@(.*)$", text)
    if not match:
        return None
    kind = ":%s%d" % ("s" if match.group(1) else "u", int(match.group(2)) * 8)
    operand = match.group(3)
    found = re.match(r"^%(\w+)$", operand)
    if found:
        return "%" + register(found.group(1)) + kind
    found = re.match(r"^(-?\d*)\(%(\w+)\)$", operand)
    if found and found.group(2) != "rip":
        return "%+d(%%%s)%s" % (int(found.group(1) or 0),
                                register(found.group(2)), kind)
    found = re.match(r"^\$(-?\d+)$", operand)
    if found:
        return "\\" + found.group(1) + kind
    return None


class Elf:
    """As much of a 64-bit little-endian ELF file as the notes need."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("%s is no 64-bit ELF file" % common.shown(path))
        phoff, shoff = struct.unpack_from("<QQ", self.data, 32)
        phsize, phnum, shsize, shnum, names = struct.unpack_from(
            "<HHHHH", self.data, 54)
        self.segments = [struct.unpack_from("<IIQQQQQQ", self.data,
                                            phoff + i * phsize)
                         for i in range(phnum)]
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.data,
                                            shoff + i * shsize)
                         for i in range(shnum)]
        self.names = self.sections[names][4] if shnum else 0

    def section(self, name):
        """(type, address, offset, size) of a section, or None."""
        for entry in self.sections:
            start = self.names + entry[0]
            if self.data[start:self.data.index(b"\0", start)] == name:
                return entry[1], entry[3], entry[4], entry[5]
        return None

    def file_offset(self, address):
        """Where in the file an address is loaded from."""
        for kind, _, offset, vaddr, _, filesz, _, _ in self.segments:
            if kind == PT_LOAD and vaddr <= address < vaddr + filesz:
                return address - vaddr + offset
        raise ValueError("no segment has the address 0x%x" % address)

    def interpreter(self):
        """The dynamic loader that it asks for, as bytes, or None."""
        for kind, _, offset, _, _, filesz, _, _ in self.segments:
            if kind == PT_INTERP:
                return self.data[offset:offset + filesz].rstrip(b"\0")
        return None

    def is_static(self):
        """Whether no dynamic loader is asked for."""
        return not self.interpreter()


def probes(path, provider="pmalloc"):
    """The probes of a provider in a file, by name; several may share one."""
    elf = Elf(path)
    notes = elf.section(b".note.stapsdt")
    if not notes:
        return {}
    base_section = elf.section(b".stapsdt.base")
    result = {}
    at, end = notes[2], notes[2] + notes[3]
    while at + 12 <= end:
        namesz, descsz, _ = struct.unpack_from("<III", elf.data, at)
        desc = at + 12 + (namesz + 3) // 4 * 4
        at = desc + (descsz + 3) // 4 * 4
        pc, base, semaphore = struct.unpack_from("<QQQ", elf.data, desc)
        owner, name, arguments = elf.data[
            desc + 24:desc + descsz].split(b"\0")[:3]
        if owner.decode() != provider:
            continue
        # A linker that moved the code moved the section as well.
        moved = base_section[1] - base if base_section else 0
        probe = Probe(name.decode(), elf.file_offset(pc + moved),
                      elf.file_offset(semaphore + moved) if semaphore else 0,
                      arguments.decode().split())
        result.setdefault(probe.name, []).append(probe)
    return result
