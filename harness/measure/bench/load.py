# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the bench has python3 do: objects, strings, containers, text.

Run with PYTHONMALLOC=malloc, so that Python's own allocator for small objects
stays out of the way. The argument is the amount of work.
"""
import json
import re
import sys


class Node:
    """A node of an unbalanced search tree."""

    def __init__(self, key):
        self.key = key
        self.left = None
        self.right = None
        self.words = []


def insert(root, key, word):
    """Put a word under a key."""
    node = root
    while node.key != key:
        side = "left" if key < node.key else "right"
        if getattr(node, side) is None:
            setattr(node, side, Node(key))
        node = getattr(node, side)
    node.words.append(word)


def tree(count):
    """A tree of count nodes, dropped at the end."""
    root = Node(count // 2)
    key = 1
    for i in range(count):
        key = (key * 48271) % 2147483647
        insert(root, key % count, f"word {i}")


def text(count):
    """Records to JSON, back, and through a regular expression."""
    records = [{"id": i, "name": f"name{i}", "tags": [str(i)] * 3,
                "value": i * 0.5} for i in range(count)]
    parsed = json.loads(json.dumps(records))
    words = re.findall(r"\w+", " ".join(r["name"] for r in parsed))
    counts = {}
    for word in words:
        counts[word[:5]] = counts.get(word[:5], 0) + 1
    return sorted(counts.items())


def main():
    work = int(sys.argv[1])
    for _ in range(work):
        tree(3000)
        text(3000)


main()
