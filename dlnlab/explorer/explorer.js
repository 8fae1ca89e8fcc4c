"use strict";
// The address says what is shown.  Moving a slider asks for the new comparison, one at a time and
// the newest next; letting go of it writes the address.

const sliders = [...document.querySelectorAll("#sliders input")];
const byId = id => document.getElementById(id);
const WIDTH = 440, HEIGHT = 280, LEFT = 58, RIGHT = 10, TOP = 24, BOTTOM = 34;
const SHADES = ["#440154", "#3b528b", "#21918c", "#5ec962", "#c8b020"];
let busy = false, waiting = null;

function numberOf({ value, max, dataset: { low, high } }) {  // a logarithmic one has low and high
  return Number(low ? (low * (high / low) ** (value / max)).toPrecision(2) : value);
}

function place({ max, dataset: { low, high } }, number) {
  return low ? max * Math.log(number / low) / Math.log(high / low) : number;
}

// Not read from the sliders: an address may have numbers between their steps.
const state = Object.fromEntries(sliders.map(slider => [slider.id, numberOf(slider)]));
const query = () => new URLSearchParams(state).toString();

async function show(wanted) {
  waiting = wanted;
  if (busy) return;
  busy = true;
  while (waiting !== null) {
    const asked = waiting;
    waiting = null;
    try {
      const reply = await fetch("shown?" + asked);
      const found = await reply.json();
      if (!reply.ok) throw new Error(found.error);
      draw(found);
    } catch (error) {
      byId("message").textContent = error instanceof TypeError
        ? "No answer: dlnlab explore is not running any more." : error.message;
    }
  }
  busy = false;
}

function draw(found) {
  byId("message").textContent = "";
  byId("outcome").innerHTML = found.outcome;  // escaped where it is written
  byId("code").textContent = found.code;
  if (waiting === null) {
    Object.assign(state, found.state);
    for (const slider of sliders) {
      const value = state[slider.id];
      if (numberOf(slider) !== value) slider.value = place(slider, value);
      slider.nextElementSibling.textContent = value;
    }
  }
  byId("charts").replaceChildren(singularValues(found), margin(found));
  document.body.dataset.shown = new URLSearchParams(found.state).toString();
}

// Charts: a frame with two scales, and curves of data in it.

function element(parent, name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  parent?.append(made);
  return made;
}

const linear = (low, high, from, to) => x => from + (x - low) / (high - low) * (to - from);

function nice(low, high) {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(m => m * power >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) ticks.push(k * step);
  return ticks;
}

function decades(low, high, most) {
  const first = Math.ceil(Math.log10(low)), last = Math.floor(Math.log10(high)), ticks = [];
  const step = Math.max(1, Math.ceil((last - first + 1) / most));
  for (let k = last; k >= first; k -= step) ticks.push(10 ** k);
  if (ticks.length > 1) return ticks;
  const between = [first - 1, first, first + 1].flatMap(k => [1, 2, 5].map(m => m * 10 ** k));
  return between.filter(value => value >= low && value <= high);
}

const finite = values => values.filter(value => typeof value === "number");
const told = x => x === 0 ? "0" : Math.abs(x) >= 1e4 || Math.abs(x) < 1e-2
  ? x.toExponential(0).replace("e+", "e").replace("-", "−") : String(Number(x.toPrecision(3)));

// Fitting times that are far apart would crowd at the left of a linear axis.
function timeAxis(found) {
  const { original, compressed } = found.fitting_times;
  const fitted = finite([...original, ...compressed]).filter(t => t > 0);
  const end = found.times.at(-1), first = Math.min(...fitted);
  if (fitted.length === 0 || Math.max(...fitted) <= 8 * first)
    return { at: linear(0, end, LEFT, WIDTH - RIGHT), ticks: nice(0, end), start: 0 };
  const low = Math.log(first / 3), scale = linear(low, Math.log(end), LEFT, WIDTH - RIGHT);
  return { at: t => scale(Math.log(t)), ticks: decades(first / 3, end, 5), start: first / 3 };
}

function chart(title, x, y, ticks) {
  const svg = element(null, "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  const line = (x1, y1, x2, y2) => element(svg, "line", { x1, y1, x2, y2, stroke: "#ccc" });
  element(svg, "text", { x: LEFT, y: 14, "font-size": 13 }, title);
  for (const t of x.ticks) {
    line(x.at(t), TOP, x.at(t), HEIGHT - BOTTOM);
    element(svg, "text", { x: x.at(t), y: HEIGHT - 18, "text-anchor": "middle" }, told(t));
  }
  for (const value of ticks) {
    line(LEFT, y(value), WIDTH - RIGHT, y(value));
    element(svg, "text", { x: LEFT - 5, y: y(value) + 4, "text-anchor": "end" }, told(value));
  }
  element(svg, "text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "time t");
  return svg;
}

function points(found, x, y, values) {
  const kept = found.times.map((t, k) => [t, values[k]])
    .filter(([t, value]) => t >= x.start && value !== null);
  return kept.map(([t, value]) => `${x.at(t).toFixed(1)},${y(value).toFixed(1)}`);
}

function curve(svg, found, x, y, values, look) {
  const drawn = { points: points(found, x, y, values).join(" "), fill: "none", "stroke-width": 1.6 };
  return element(svg, "polyline", { ...drawn, ...look });
}

function singularValues(found) {
  const x = timeAxis(found), rank = found.targets.length;
  const top = Math.max(...found.original.flat(), ...found.compressed.flat());
  const y = linear(0, 1.05 * top, HEIGHT - BOTTOM, TOP);
  const svg = chart("Singular values, targets, fitting times", x, y, nice(0, 1.05 * top));
  found.original.forEach((values, i) =>
    curve(svg, found, x, y, values, { stroke: i < rank ? SHADES[i] : "#888", class: "original" }));
  found.compressed.slice(0, rank).forEach((values, i) => curve(svg, found, x, y, values,
    { stroke: SHADES[i], "stroke-dasharray": "5 3", class: "compressed" }));
  found.targets.forEach((target, i) => {
    const at = y(target);
    element(svg, "line", { x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at,
      stroke: SHADES[i], "stroke-dasharray": "1 3" });
    for (const [name, half] of [["original", 9], ["compressed", 5]]) {
      const t = found.fitting_times[name][i];
      if (typeof t === "number" && t >= x.start) element(svg, "line", { class: "fitted",
        x1: x.at(t), x2: x.at(t), y1: at - half, y2: at + half, stroke: SHADES[i] });
    }
  });
  return svg;
}

function margin(found) {
  const x = timeAxis(found), seen = [found.margin, found.margin_error, found.bound].map(finite);
  const unit = Math.max(...seen[1], 1e-300);  // what numerical error hides stays near zero
  const squeezed = value => Math.sign(value) * Math.log10(1 + Math.abs(value) / unit);
  const high = Math.max(...seen[0], unit), low = Math.min(...seen[0], ...seen[2], -unit);
  const scale = linear(squeezed(low) - 0.3, squeezed(high) + 0.3, HEIGHT - BOTTOM, TOP);
  const y = value => scale(squeezed(value));
  const above = decades(10 * unit, Math.max(high, 10 * unit), 4);
  const below = decades(10 * unit, Math.max(-low, 10 * unit), 3).map(value => -value);
  const kept = [0, ...above.filter(v => v <= high), ...below.filter(v => v >= low)];
  const svg = chart("Theorem 2's margin", x, y, kept.length > 1 ? kept : [-unit, 0, unit]);
  const error = found.margin_error.map(value => value === null ? 0 : value);
  const band = [...points(found, x, y, error),
    ...points(found, x, y, error.map(value => -value)).reverse()];
  element(svg, "polygon", { points: band.join(" "), fill: "#ddd" });
  if (Math.min(...seen[2]) < 0)
    curve(svg, found, x, y, found.bound, { stroke: "#009e73", "stroke-dasharray": "5 2 1 2" });
  curve(svg, found, x, y, found.margin, { stroke: "#0072b2", class: "margin" });
  return svg;
}

for (const slider of sliders) {
  slider.addEventListener("input", () => {
    state[slider.id] = numberOf(slider);
    slider.nextElementSibling.textContent = state[slider.id];
    show(query());
  });
  slider.addEventListener("change", () => history.replaceState(null, "", "?" + query()));
}
byId("button").addEventListener("click", () => {
  const hidden = byId("code").toggleAttribute("hidden");
  byId("button").setAttribute("aria-expanded", String(!hidden));
});
byId("sliders").addEventListener("submit", event => event.preventDefault());
show(location.search.slice(1));
