# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""How Sphinx makes the book. `make docs` calls it."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(HERE, "ext"))

with open(os.path.join(TOP, "Makefile")) as makefile:
    release = re.search(r"^VERSION\s*:=\s*(\S+)", makefile.read(), re.M).group(1)

project = "pmalloc"
author = "the pmalloc developers"
copyright = author
version = release
extensions = ["sphinx.ext.autosectionlabel", "kerneldoc", "pictures",
              "lesson", "interleaving"]
autosectionlabel_prefix_document = True
primary_domain = "c"
highlight_language = "none"
exclude_patterns = ["ext", "man", "pictures", "static"]
smartquotes = False

# Words of the kernel that stand before a type or a function.
c_id_attributes = ["noinline", "__always_inline", "__cold", "__init", "__exit",
                   "____cacheline_aligned_in_smp", "__printf"]

html_theme = "alabaster"
html_title = "pmalloc " + release
html_show_sphinx = False
html_copy_source = False
html_static_path = ["static"]
html_theme_options = {
    "description": "per-CPU arenas in userspace and in the kernel",
    "page_width": "1100px",
    "fixed_sidebar": True,
    # The colours are those of static/custom.css, light and dark.
    **{name: "var(--%s)" % colour for colour, names in {
        "ground": "base_bg body_bg footnote_bg xref_bg xref_border",
        "text": "base_text body_text code_text sidebar_header sidebar_link",
        "soft": "footer_text sidebar_text sidebar_list anchor gray_1",
        "line": "hr_border table_border gray_2 gray_3 sidebar_hr admonition_border "
                "sidebar_link_underscore",
        "block": "pre_bg code_bg code_hover highlight_bg admonition_bg topic_bg "
                 "narrow_sidebar_bg anchor_hover_bg",
        "link": "link link_hover narrow_sidebar_link",
        "mark": "viewcode_target_bg code_highlight",
    }.items() for name in names.split()},
}
