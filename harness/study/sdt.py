# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The USDT probes of a library: where they are and where their fields lie.

<sys/sdt.h> leaves a note in the ELF file for each probe: its address, the
address of its semaphore, and a description of its arguments in the assembler's
words, such as "4@%eax -8@16(%rsp)". The kernel's uprobe events want the same
in other words: offsets in the file, and "%ax:u32 +16(%sp):s64".
"""
import importlib
import io
import re
import struct

import common

FIELDS = ("cpu", "arena", "class", "ns", "count", "size")


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
    """An ELF file, as pyelftools reads it."""

    def __init__(self, path):
        try:
            elffile = importlib.import_module("elftools.elf.elffile")
        except ImportError as err:
            raise OSError(common.no_module(err)) from None
        with open(path, "rb") as file:
            data = io.BytesIO(file.read())
        try:
            self.file = elffile.ELFFile(data)
            self.loads = [s.header for s in self.file.iter_segments()
                          if s.header.p_type == "PT_LOAD"]
        except Exception as err:        # whatever a broken file leads to
            raise ValueError("%s is no ELF file: %s" % (
                common.shown(path), err)) from err

    def section(self, name):
        """A section, or None."""
        return self.file.get_section_by_name(name)

    def file_offset(self, address):
        """Where in the file an address is loaded from."""
        for load in self.loads:
            if load.p_vaddr <= address < load.p_vaddr + load.p_filesz:
                return address - load.p_vaddr + load.p_offset
        raise ValueError("no segment has the address 0x%x" % address)

    def interpreter(self):
        """The dynamic loader that it asks for, as bytes, or None."""
        for segment in self.file.iter_segments():
            if segment.header.p_type == "PT_INTERP":
                return segment.data().rstrip(b"\0")
        return None

    def is_static(self):
        """Whether no dynamic loader is asked for."""
        return not self.interpreter()


def probes(path, provider="pmalloc"):
    """The probes of a provider in a file, by name; several may share one."""
    elf = Elf(path)
    notes = elf.section(".note.stapsdt")
    base = elf.section(".stapsdt.base")
    result = {}
    for note in notes.iter_notes() if notes else ():
        # pyelftools takes this owner's notes for GNU's of the same number.
        desc = note["n_descdata"]
        pc, was, semaphore = struct.unpack_from("<QQQ", desc)
        owner, name, arguments = desc[24:].split(b"\0")[:3]
        if owner.decode() != provider:
            continue
        # A linker that moved the code moved the section as well.
        moved = base["sh_addr"] - was if base else 0
        probe = Probe(name.decode(), elf.file_offset(pc + moved),
                      elf.file_offset(semaphore + moved) if semaphore else 0,
                      arguments.decode().split())
        result.setdefault(probe.name, []).append(probe)
    return result
