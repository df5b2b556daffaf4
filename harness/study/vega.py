# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Vega, the library that draws our charts: in a page, and as SVG and PNG.

A chart is a Vega specification, a dict. A page has the library and the
specifications in it and draws them itself, so that one can point and zoom;
node draws the same ones into files. Debian's package libjs-vega has the
library in parts, each of which asks for others by name; bundle() puts those
together that our charts use.
"""
import json
import pathlib
import shutil
import subprocess

import colours

PLACE = pathlib.Path("/usr/share/javascript/vega")
PACKAGE = "libjs-vega"
PARTS = ("vega-util", "vega-time", "vega-format", "vega-loader",
         "vega-dataflow", "vega-statistics", "vega-transforms",
         "vega-canvas", "vega-scale", "vega-scenegraph",
         "vega-view-transforms", "vega-encode", "vega-expression",
         "vega-event-selector", "vega-selections", "vega-functions",
         "vega-runtime", "vega-view", "vega-parser")
# The part that other parts call by another name than its file has.
FILES = {"vega-selections": "vega-selection"}

LOADER = """
const made = {};
function need(name) {
  if (!made[name]) {
    made[name] = {exports: {}};
    parts[name](made[name].exports, made[name], need);
  }
  return made[name].exports;
}
for (const name of ["vega-transforms", "vega-view-transforms", "vega-encode"])
  Object.assign(need("vega-dataflow").transforms, need(name));
return {View: need("vega-view").View, parse: need("vega-parser").parse};
"""

# Of each specification a line: its SVG file's text as JSON.
EXPORT = """
(async () => {
  for (const spec of specs) {
    const view = new vega.View(vega.parse(spec), {renderer: "none"});
    process.stdout.write(JSON.stringify(await view.toSVG()) + "\\n");
    view.finalize();
  }
})().catch(error => { console.error(error.message); process.exitCode = 1; });
"""


def missing():
    """The parts that are not there."""
    return [name for name in PARTS if not _file(name).exists()]


def _file(name):
    return PLACE / f"{FILES.get(name, name)}.min.js"


def bundle():
    """The library as a script that defines the global vega."""
    parts = []
    for name in PARTS:
        text = _file(name).read_text(encoding="utf-8")
        lines = [ln for ln in text.splitlines()
                 if not ln.startswith("//# sourceMappingURL")]
        parts.append(f'"{name}": function(exports, module, require) {{\n' +
                     "\n".join(lines) + "\n}")
    text = "/* Vega, https://vega.github.io: Copyright University of " \
        "Washington Interactive Data Lab; BSD-3-Clause. */\n" \
        "const vega = (() => {\nconst parts = {" + ",\n".join(parts) + \
        "};" + LOADER + "})();\n"
    return text.replace("</script", "<\\/script")


def themed(spec, palette):
    """A specification with colours instead of their names."""
    text = json.dumps(spec)
    for name, colour in palette.items():
        text = text.replace(f'"${name}"', f'"{colour}"')
    return json.loads(text)


def config():
    """What all charts have in common."""
    text = {"font": colours.FONT, "fill": "$text", "fontSize": 12}
    return {
        "axis": {"domainColor": "$axis", "tickColor": "$axis",
                 "gridColor": "$grid", "labelColor": "$text",
                 "titleColor": "$soft", "labelFont": colours.FONT,
                 "titleFont": colours.FONT, "labelFontSize": 12,
                 "titleFontSize": 11, "titleFontWeight": "normal",
                 "labelFlush": False, "labelOverlap": True},
        "legend": {"labelColor": "$text", "labelFont": colours.FONT,
                   "labelFontSize": 12, "titleFont": colours.FONT,
                   "titleColor": "$soft", "titleFontSize": 11,
                   "titleFontWeight": "normal", "labelLimit": 240},
        "text": text,
    }


def paper(spec, title):
    """A chart with its title above it, in light colours."""
    made = titled(spec, title, colours.theme("light"))
    made["background"] = colours.THEMES["light"]["ground"]
    return made


def titled(spec, title, palette):
    """A chart with its title above it, in these colours."""
    top = 34
    padding = dict(spec["padding"])
    padding["top"] += top
    return themed({
        **spec, "config": config(), "padding": padding,
        "marks": [*spec["marks"], {"type": "text", "encode": {"update": {
            "text": {"value": title}, "x": {"value": 14 - padding["left"]},
            "y": {"value": 24 - padding["top"]}, "fontSize": {"value": 16},
            "fontWeight": {"value": "bold"}}}}]}, palette)


def draw(specs):
    """(SVG of each specification, None), or (None, why there is none)."""
    if missing():
        return None, f"{PACKAGE} is not installed; `apt-get install {PACKAGE}`"
    node = shutil.which("node") or shutil.which("nodejs")
    if not node:
        return None, "node is not installed; `apt-get install nodejs`"
    done = subprocess.run(
        [node, "-"], input=f"{bundle()}const specs = {json.dumps(specs)};\n"
        f"{EXPORT}".encode(), capture_output=True, check=False)
    if done.returncode:
        return None, f"node said: {_last(done.stderr)}"
    return [json.loads(line) for line in done.stdout.splitlines()], None


def write(directory, charts, converter):
    """SVG files of {name: (title, spec)}, and PNG files where something can
    make them; what could not be written, in a sentence, or None.

    Neither tool is told a file's name: names are bytes, and to both of them
    they are text.
    """
    directory.mkdir(exist_ok=True)
    drawn, why = draw([paper(spec, title) for title, spec in charts.values()])
    if why:
        return f"no pictures for papers: {why}"
    for name, svg in zip(charts, drawn):
        (directory / f"{name}.svg").write_text(svg, encoding="utf-8")
        if not converter:
            continue
        made = subprocess.run([converter, "--zoom", "2"], input=svg.encode(),
                              capture_output=True, check=False)
        if made.returncode:
            return "pictures are not all there: rsvg-convert said: " + \
                _last(made.stderr)
        (directory / f"{name}.png").write_bytes(made.stdout)
    return None


def _last(said):
    """The last line of what a tool said."""
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
