// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Draws the charts of a page: those of a section when it is opened, all again
// when the reader goes from light to dark.
"use strict";
const read = id => document.getElementById(id).textContent;
const specs = JSON.parse(read("charts"));
const config = read("config");
const themes = JSON.parse(read("themes"));
const dark = matchMedia("(prefers-color-scheme: dark)");
const tip = document.getElementById("tip");
const drawn = new Map();

function themed(text) {
  const theme = themes[dark.matches ? "dark" : "light"];
  return JSON.parse(text.replace(/"\$(\w+)"/g,
    (all, name) => name in theme ? JSON.stringify(theme[name]) : all));
}

function tell(handler, event, item, value) {
  tip.hidden = value === null || value === undefined || value === "";
  if (tip.hidden)
    return;
  tip.textContent = value;
  const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = Math.max(0, Math.min(event.pageX + 14, room)) + "px";
  tip.style.top = event.pageY + 16 + "px";
}

function draw(place) {
  if (drawn.has(place))
    drawn.get(place).finalize();
  const spec = themed(JSON.stringify(specs[place.dataset.chart]));
  const view = new vega.View(vega.parse(spec, themed(config)),
    {renderer: "svg", container: place, hover: false, tooltip: tell});
  drawn.set(place, view);
  return view.runAsync();
}

function drawIn(part) {
  return Promise.all([...part.querySelectorAll(".chart")]
    .filter(place => !drawn.has(place)).map(draw));
}

function openAll() {
  for (const section of document.querySelectorAll("details"))
    section.open = true;
  return drawIn(document);
}

for (const section of document.querySelectorAll("details.section"))
  section.addEventListener("toggle", () => section.open && drawIn(section));
dark.addEventListener("change", () => [...drawn.keys()].forEach(draw));
addEventListener("beforeprint", openAll);
addEventListener("hashchange", () => {
  const there = document.getElementById(location.hash.slice(1));
  const section = there && there.closest("details.section");
  if (section)
    section.open = true;
});
