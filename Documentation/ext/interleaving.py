# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The directive interleaving: what goes wrong without a step, as Spin found it.

    .. interleaving:: retire NO_RETIRED
       :closed:

       What the picture shows.

It spoils harness/prove/retire.pml with -DNO_RETIRED, has Spin look for the shortest run
that goes wrong, and draws that: a column for each thread, time downwards
(harness/prove/trails.py says where the words come from). With :closed: the reader opens
the picture.
"""

import html
import os
import sys

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from lanes import Drawing

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "harness", "prove"))

import trails                                           # noqa: E402

class Interleaving(Directive):
    """Draws the run in which a model goes wrong that is spoilt."""

    required_arguments = 2
    has_content = True
    option_spec = {"closed": directives.flag}

    def run(self):
        env = self.state.document.settings.env
        model, flag = self.arguments
        path = os.path.join(TOP, "harness", "prove", model + ".pml")
        for used in (path, trails.__file__, __file__):
            env.note_dependency(used)
        known = trails.variants(trails.text(path))
        if flag not in known:
            raise self.severe("%s.pml has no variant -D%s" % (model, flag))
        found = trails.find(path, flag)
        if not found.wrong or not found.rows:
            raise self.severe("%s.pml, -D%s: nothing to draw" % (model, flag))
        what = known[flag][1]
        svg = Drawing("%s-%s" % (model, flag), "%s: %s" % (model, what), found).draw()
        figure = nodes.container(classes=["interleaving"])
        figure += nodes.raw("", '<details%s><summary><code>%s</code> %s</summary>\n' % (
            "" if "closed" in self.options else " open", html.escape(model),
            html.escape(what)), format="html")
        self.state.nested_parse(self.content, self.content_offset, figure)
        figure += nodes.raw("", '<div class="drawn">%s</div>\n</details>' % svg,
                            format="html")
        return [figure]


def setup(app):
    app.add_directive("interleaving", Interleaving)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
