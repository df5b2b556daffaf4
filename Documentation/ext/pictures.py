# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The directive picture: DOT files as one figure, in the page's own colours.

    .. picture:: Documentation/pictures/object-life.dot
       :alt: an object's life

       The caption.

Graphviz draws them, and the SVG becomes part of the page: its words can be searched,
its colours are those of static/custom.css, light or dark. What Graphviz has to say is
a warning of the book.
"""

import os
import subprocess

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.util import logging
from svg import fit

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOG = logging.getLogger(__name__)


def draw(path):
    """What dot makes of a file: its SVG, and what it complains of."""
    done = subprocess.run(["dot", "-Tsvg", path], capture_output=True, text=True,
                          check=False)
    return done.stdout if done.returncode == 0 else "", done.stderr


class Picture(Directive):
    """Runs dot on some files."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"alt": directives.unchanged_required}

    def run(self):
        env = self.state.document.settings.env
        drawn = []
        for name in self.arguments[0].split():
            path = os.path.join(TOP, name)
            env.note_dependency(path)
            try:
                svg, said = draw(path)
            except OSError as err:
                raise self.severe("dot: %s (Debian: graphviz)" % err)
            for line in said.splitlines():
                LOG.warning("%s: %s" % (name, line), location=(env.docname, self.lineno))
            if not svg:
                raise self.severe("dot failed on " + name)
            base = os.path.splitext(os.path.basename(name))[0]
            drawn.append(fit(svg, base, self.options.get("alt", base)))
        figure = nodes.figure(classes=["pictures"])
        figure += nodes.raw("", "\n".join(drawn), format="html")
        if self.content:
            caption = nodes.caption()
            text = nodes.Element()
            self.state.nested_parse(self.content, self.content_offset, text)
            for paragraph in text.children:
                caption += paragraph.children
            figure += caption
        return [figure]


def setup(app):
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
