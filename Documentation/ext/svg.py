# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What Graphviz draws, as a part of a page."""

import re


def fit(svg, name, alt):
    """An SVG as an element of a page, with names of its own."""
    svg = re.sub(r"<!--.*?-->\n?", "", svg[svg.index("<svg"):], flags=re.S)
    svg = re.sub(r'\bid="', 'id="%s-' % name, svg)
    # The whole picture needs no tooltip.
    svg = re.sub(r'(class="graph"[^>]*>\n)<title>.*?</title>\n', r"\1", svg)
    # Colours and letters are the page's.
    svg = re.sub(r' (?:fill|stroke)="black"| font-family="[^"]*"', "", svg)
    svg = re.sub(r'<svg width="(\d+)pt" height="\d+pt"',
                 lambda match: '<svg class="picture" id="%s" role="img" aria-label="%s" '
                 'style="width: %dpx"' % (name, alt, int(match.group(1)) * 4 // 3), svg)
    return svg
