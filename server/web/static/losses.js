// The loss of a training by step, as a line.

import { find } from "./elements.js";

const HEIGHT = 190;
// Room for the numbers beside and below.
const LEFT = 52;
const BOTTOM = 24;
const EDGE = 8;
const drawn = new WeakMap();

/** Draw {step, loss} points, in their order, into the figure; it is hidden while there is no line to draw. */
export function drawLosses(figure, points) {
  figure.hidden = points.length < 2;
  if (figure.hidden) return;
  const place = find(".curve", figure);
  if (!drawn.has(place)) new ResizeObserver(() => place.replaceChildren(curve(drawn.get(place), place.clientWidth))).observe(place);
  drawn.set(place, points);
  const [first, last] = [points[0], points.at(-1)];
  find("figcaption", figure).textContent =
    `From ${short(first.loss)} at step ${first.step.toLocaleString("en")} to ${short(last.loss)} at step ${last.step.toLocaleString("en")}.`;
  place.replaceChildren(curve(points, place.clientWidth));
}

function curve(points, width) {
  const losses = points.map(({ loss }) => loss);
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const [begin, end] = [points[0].step, points.at(-1).step];
  const x = (step) => LEFT + ((step - begin) / (end - begin || 1)) * (width - LEFT - EDGE);
  const y = (loss) => EDGE + ((high - loss) / (high - low || 1)) * (HEIGHT - BOTTOM - 2 * EDGE);
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" });
  new Set([high, (high + low) / 2, low]).forEach((loss) => {
    svg.append(element("line", { x1: LEFT, x2: width - EDGE, y1: y(loss), y2: y(loss), class: "grid" }));
    svg.append(element("text", { x: LEFT - 8, y: y(loss) + 4, "text-anchor": "end" }, short(loss)));
  });
  svg.append(element("text", { x: LEFT, y: HEIGHT - 4 }, begin.toLocaleString("en")));
  svg.append(element("text", { x: width - EDGE, y: HEIGHT - 4, "text-anchor": "end" }, end.toLocaleString("en")));
  const line = points.map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ");
  svg.append(element("polyline", { points: line, class: "line" }));
  return svg;
}

function short(loss) {
  return String(Number(loss.toPrecision(3)));
}

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = text;
  return made;
}
