# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Look at a page as a browser does: headless Chromium, light or dark.

The page is given a script that opens all its sections, waits until the charts
are drawn, measures them and writes that into the document; --dump-dom brings
it back.
"""
import html
import json
import pathlib
import re
import shutil
import subprocess
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars",
         "--window-size=1100,1400")

# Boxes are measured on the screen and taken back to the picture's own units.
MEASURE = r"""
var out = {dark: matchMedia('(prefers-color-scheme: dark)').matches,
  ground: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  wide: 0, error: null,
  figures: [], absent: [], outside: [], overlaps: [], faint: []};
function light(c) {
  const [r, g, b] = c.match(/[\d.]+/g).map(v => {
    v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;});
  return .2126 * r + .7152 * g + .0722 * b;
}
function contrast(a, b) {
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + .05) / (y + .05);
}
function shown(e) {
  for (; e && e.getAttribute; e = e.parentNode)
    if (e.getAttribute('opacity') === '0' ||
        e.getAttribute('display') === 'none') return false;
  return true;
}
function measure() {
out.requests = performance.getEntriesByType('resource').map(r => r.name);
out.wide = document.documentElement.scrollWidth - innerWidth;
for (const f of document.querySelectorAll('figure')) {
  const s = f.querySelector('svg');
  if (!s) { out.absent.push([f.id, f.textContent]); continue; }
  const box = s.getBoundingClientRect();
  const shapes = [...s.querySelectorAll('.role-mark path, .role-mark line')]
    .filter(e => !/\b(background|foreground)\b/
                  .test(e.getAttribute('class') || ''))
    .filter(e => {const b = e.getBoundingClientRect();
                  return b.width + b.height > 0;});
  const texts = [...s.querySelectorAll('text')]
    .filter(t => t.textContent && shown(t));
  const ticks = [...s.querySelectorAll('.role-axis')].map(a =>
    [...a.querySelectorAll('.role-axis-label text')]
      .filter(t => t.textContent && shown(t)).length);
  out.figures.push({id: f.id, shapes: shapes.length, texts: texts.length,
                    width: box.width, height: box.height, ticks});
  const boxes = texts.map(t => [t, t.getBoundingClientRect()]);
  for (const [t, b] of boxes) {
    if (b.left < box.left - 1 || b.right > box.right + 1 ||
        b.top < box.top - 1 || b.bottom > box.bottom + 1)
      out.outside.push([f.id, t.textContent]);
    const ink = getComputedStyle(t).fill;
    if (!t.closest('.onbox') && contrast(ink, out.ground) < 4.5)
      out.faint.push([f.id, t.textContent, ink]);
  }
  for (let i = 0; i < boxes.length; i++)
    for (let k = i + 1; k < boxes.length; k++) {
      const [a, b] = [boxes[i][1], boxes[k][1]];
      const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (w > 2 && h > 4)
        out.overlaps.push([f.id, boxes[i][0].textContent,
                           boxes[k][0].textContent]);
    }
}
const p = document.createElement('pre');
p.id = 'measured'; p.textContent = JSON.stringify(out);
document.body.appendChild(p);
}
/* A page without charts has nothing to open. */
(typeof openAll === 'function' ? openAll() : Promise.resolve())
  .then(DO).then(measure)
  .catch(e => { document.title = 'failed: ' + e; out.error = String(e);
                measure(); });
"""


class NoBrowser(Exception):
    """There is none; says which package has it."""


def browser():
    """The path of a browser."""
    for name in BROWSERS:
        if shutil.which(name):
            return shutil.which(name)
    raise NoBrowser("no Chromium here (package chromium)")


def run(path, dark, *more):
    """Show a file; returns what is written to standard output."""
    with tempfile.TemporaryDirectory(prefix="pmalloc-browser-") as profile:
        scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
        done = subprocess.run(
            [browser(), *FLAGS, f"--user-data-dir={profile}", *scheme, *more,
             f"file://{pathlib.Path(path).resolve()}"],
            capture_output=True, text=True, check=False, timeout=60)
    return done.stdout


def measure(path, dark=False, do="() => null"):
    """(document, what was measured in it).

    @do is a function of the page's, run before, that may return a promise;
    what it leaves in `out.did` is among what was measured.
    """
    page = pathlib.Path(path)
    probe = page.with_name("probe.html")
    text = page.read_text()
    probe.write_text(text.replace("</body>",
                                  "<script>" + MEASURE.replace(
                                      "DO", do) + "</script></body>"))
    try:
        dom = run(probe, dark, "--dump-dom")
    finally:
        probe.unlink()
    found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.S)
    if not found:
        raise RuntimeError(f"the browser did not show {path}")
    return dom, json.loads(html.unescape(found.group(1)))


def picture(path, out, dark=False, height=1400):
    """A screenshot as a PNG file."""
    run(path, dark, f"--screenshot={pathlib.Path(out).resolve()}",
        f"--window-size=1100,{height}")
