// Labels over time as SVG; the maths is pure, `draw` alone touches the page.

const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 44, right: 12, top: 12, bottom: 26 };

/** Round numbers from 0 to the first one that is not below `most`; whole ones. */
export function ticks(most, about = 4) {
  const rough = Math.max(1, most / about);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough));
  const last = Math.max(1, Math.ceil(most / step));
  return Array.from({ length: last + 1 }, (_, number) => number * step);
}

/** A curve [[seconds, count]] as a staircase in pixels, from nothing at `from` to the last count at `to`. */
export function staircase(curve, x, y, from, to) {
  let path = `M${x(from)},${y(0)}`;
  let before = 0;
  for (const [at, count] of curve) {
    path += `L${x(at)},${y(before)}L${x(at)},${y(count)}`;
    before = count;
  }
  return `${path}L${x(to)},${y(before)}`;
}

/**
 * Draws the curve of all up to `now`, one of each labeler where they are several, and the number wanted as a dashed
 * line once it is near. A curve is [[seconds since 1970, labels]], a labeler's [name, curve].
 */
export function draw(into, all, labelers, now, wanted, width, height) {
  const from = all[0][0];
  const to = Math.max(now, from + 60);
  const count = all.at(-1)[1];
  const showWanted = wanted && wanted < 3 * count;
  const marks = ticks(showWanted ? Math.max(wanted, count) : count);
  const x = (at) => rounded(EDGE.left + ((at - from) / (to - from)) * (width - EDGE.left - EDGE.right));
  const y = (number) => rounded(height - EDGE.bottom - (number / marks.at(-1)) * (height - EDGE.top - EDGE.bottom));
  const each = labelers.map(([name, curve]) => `${name} ${curve.at(-1)[1]}`).join(", ");
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${count} labels, the first at ${time(from)}, now ${time(now)}: ${each}` });
  for (const mark of marks) {
    svg.append(element("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(mark), y2: y(mark) }));
    svg.append(text(mark.toLocaleString("en"), { x: EDGE.left - 10, y: y(mark) + 4, "text-anchor": "end" }));
  }
  const number = width < 500 ? 3 : 5;
  for (let mark = 0; mark < number; mark++) {
    const at = from + ((to - from) * mark) / (number - 1);
    const anchor = mark === 0 ? "start" : mark === number - 1 ? "end" : "middle";
    svg.append(text(time(at, to - from), { x: x(at), y: height - 6, "text-anchor": anchor }));
  }
  const path = staircase(all, x, y, from, to);
  svg.append(element("path", { class: "under", d: `${path}V${y(0)}Z` }));
  if (showWanted) {
    svg.append(element("line", { class: "wanted", x1: EDGE.left, x2: width - EDGE.right, y1: y(wanted), y2: y(wanted) }));
  }
  svg.append(element("path", { class: "line", d: path }));
  if (labelers.length > 1) {
    labelers.forEach(([, curve], who) => svg.append(element("path", { class: `line who-${who}`, d: staircase(curve, x, y, from, to) })));
  }
  svg.append(element("circle", { class: "last", cx: x(to), cy: y(count), r: 4 }));
  into.replaceChildren(svg);
}

/** Says whose each line is: [name, class of the line, labels]. */
export function explain(into, lines) {
  into.replaceChildren(...lines.map(([name, kind, count]) => {
    const [item, line] = [document.createElement("li"), element("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" })];
    line.append(element("path", { class: kind, d: "M0,5H28" }));
    item.append(line, `${name} ${count.toLocaleString("en")}`);
    return item;
  }));
}

function time(at, span = 0) {
  const day = span > 86400 ? { month: "short", day: "numeric" } : {};
  return new Date(1000 * at).toLocaleString("en-GB", { ...day, hour: "2-digit", minute: "2-digit" });
}

function rounded(number) {
  return Math.round(10 * number) / 10;
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function text(words, attributes) {
  const made = element("text", attributes);
  made.textContent = words;
  return made;
}
