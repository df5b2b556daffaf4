# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The directive kernel-doc: comments of the source, as pages.

    .. kernel-doc:: lib/include/pmalloc.h
       :identifiers: pm_malloc pm_calloc

Without :identifiers: everything that the file documents. The work is done by
the kernel's own scripts/kernel-doc, which Debian packages as linux-kbuild.
What it warns of are warnings of the book.
"""

import glob
import os
import re
import subprocess

import sphinx
from docutils import nodes, statemachine
from docutils.parsers.rst import Directive, directives
from sphinx.util import logging
from sphinx.util.nodes import nested_parse_with_titles

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOG = logging.getLogger(__name__)


def script():
    """The path of kernel-doc: what KERNELDOC names, else Debian's oldest."""
    found = sorted(glob.glob("/usr/lib/linux-kbuild-*/scripts/kernel-doc"))
    return os.environ.get("KERNELDOC") or (found[0] if found else None)


def tags():
    """Names of all structs and enums of the core."""
    found = set()
    for path in glob.glob(os.path.join(TOP, "lib", "**", "*.h"), recursive=True):
        with open(path) as header:
            found.update(re.findall(r"^(?:struct|enum) (\w+) {", header.read(), re.M))
    return found


class KernelDoc(Directive):
    """Runs kernel-doc on one file, and parses what it says."""

    required_arguments = 1
    option_spec = {"identifiers": directives.unchanged_required}

    def run(self):
        env = self.state.document.settings.env
        name = self.arguments[0]
        path = os.path.join(TOP, name)
        env.note_dependency(path)
        command = [script() or "kernel-doc", "-rst",
                   "-sphinx-version", sphinx.__version__]
        wanted = self.options.get("identifiers", "").split()
        for word in wanted:
            command += ["-function", word]
        try:
            done = subprocess.run(command + [path], capture_output=True, text=True,
                                  check=False)
        except OSError as err:
            raise self.severe("kernel-doc: %s (Debian: linux-kbuild-6.1)" % err)
        for line in done.stderr.splitlines():
            LOG.warning(line, location=(env.docname, self.lineno))
        if done.returncode:
            raise self.severe("kernel-doc failed on " + name)
        for word in wanted:
            if not any(word in line for line in done.stdout.splitlines()
                       if line.startswith(".. c:")):
                LOG.warning("%s documents no %s" % (name, word),
                            location=(env.docname, self.lineno))
        return self.parse(done.stdout, name)

    def parse(self, text, name):
        lines = statemachine.StringList()
        known = tags()
        for number, line in enumerate(text.expandtabs(8).splitlines()):
            if line.startswith(".. c:"):
                # C has a name space for structs and one for functions, Sphinx
                # one for both: let functions with a struct's name have their own.
                match = re.match(r"\.\. c:function:: .*?(\w+) \(", line)
                own = match and match.group(1) in known
                lines.append(".. c:namespace:: " + ("function" if own else "NULL"),
                             name, number)
                lines.append("", name, number)
            lines.append(line, name, number)
        lines.append("", name, 0)
        lines.append(".. c:namespace:: NULL", name, 0)
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, lines, node)
        return node.children


def setup(app):
    app.add_directive("kernel-doc", KernelDoc)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
