# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Waits as a profile that pprof reads: profile.proto, gzipped.

https://github.com/google/pprof/blob/main/proto/profile.proto says what the fields
are. Samples are as in Go's profile of mutexes: how many waits a stack had, and how
long they were; labels say whose lock it was. By hand, for protobuf's wire format is
the two functions that begin this file, while its compiler would have to run where
the command is installed.
"""
import gzip


def varint(number):
    """A number, seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7f:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out) + bytes((number,))


def field(number, value):
    """A field: a number as such, text and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


class Profile:
    """A message Profile as it grows."""

    def __init__(self):
        self.strings = {"": 0}
        self.functions = {}
        self.body = b"".join(field(1, self.value_type(*kind)) for kind in (
            ("contentions", "count"), ("delay", "nanoseconds")))

    def string(self, text):
        """A string's place in the table."""
        return self.strings.setdefault(text, len(self.strings))

    def value_type(self, kind, unit):
        """What a value of a sample is."""
        return field(1, self.string(kind)) + field(2, self.string(unit))

    def location(self, name):
        """A frame's number: each name is a function at a place of its own."""
        return self.functions.setdefault(name, len(self.functions) + 1)

    def sample(self, frames, values, labels):
        """A stack, innermost frame first; labels: name, number, unit."""
        body = field(1, b"".join(varint(self.location(f)) for f in frames))
        body += field(2, b"".join(map(varint, values)))
        for key, number, unit in labels:
            body += field(3, field(1, self.string(key)) + field(3, number) +
                          field(4, self.string(unit)))
        self.body += field(2, body)

    def finish(self, seconds):
        """The whole, compressed."""
        for name, number in self.functions.items():
            self.body += field(4, field(1, number) + field(3, number) +
                               field(4, field(1, number)))
            self.body += field(5, field(1, number) +
                               field(2, self.string(name)) +
                               field(3, self.string(name)))
        self.body += field(10, int(seconds * 1e9)) + \
            field(11, self.value_type("contentions", "count")) + field(12, 1) + \
            field(14, self.string("delay"))
        for text in self.strings:
            self.body += field(6, text.encode())
        return gzip.compress(self.body, mtime=0)


def of_waits(data):
    """A recording's waits; those without a stack are under their arena."""
    profile = Profile()
    for entry in data["waits"]:
        arena = "arena %d, %s bytes" % (entry["arena"], entry["size"])
        labels = (("arena", entry["arena"], ""),
                  ("size", entry["size"], "bytes"))
        stacks = entry["stacks"] or [{"frames": [], "waits": entry["waits"],
                                      "wait_ns": entry["wait_ns"]}]
        for stack in stacks:
            profile.sample([arena] + list(stack["frames"]),
                           (stack["waits"], stack["wait_ns"]), labels)
    return profile.finish(data.get("seconds", 0))
