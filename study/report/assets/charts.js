// Draws the charts of the page's JSON as SVG: lines and dots, heat maps, parallel coordinates, bars, intervals.
"use strict";
const COLOURS = JSON.parse(document.getElementById("colours").textContent);
const SHAPES = ["M-4,0a4,4 0 1,0 8,0a4,4 0 1,0-8,0", "M-3.5,-3.5h7v7h-7z", "M0,-5L5,0L0,5L-5,0z", "M0,-5L4.6,3.5h-9.2z",
  "M0,5L4.6,-3.5h-9.2z", "M-4,-1.3h2.7v-2.7h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7z", "M-4,-4L4,4M-4,4L4,-4"];
const W = 640, H = 400, M = { left: 64, right: 16, top: 14, bottom: 46 };
const tip = document.getElementById("tip");

function add(parent, tag, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}
function explain(mark, text) {
  mark.addEventListener("pointermove", (event) => {
    tip.textContent = text;
    tip.style.display = "block";
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 14}px`;
  });
  mark.addEventListener("pointerleave", () => { tip.style.display = "none"; });
}
const short = (value) => Number(value.toPrecision(4)).toString();

function scale(values, from, to, log = false) {
  let [low, high] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (low === high) [low, high] = log ? [low / 1.5, high * 1.5] : [low - 1, high + 1];
  const f = log ? Math.log10 : (v) => v;
  const place = (v) => from + (f(v) - f(low)) / (f(high) - f(low)) * (to - from);
  place.invert = (p) => { const t = f(low) + (p - from) / (to - from) * (f(high) - f(low)); return log ? 10 ** t : t; };
  place.ticks = log ? logTicks(low, high) : linearTicks(low, high);
  return place;
}
function linearTicks(low, high) {
  const raw = (high - low) / 5, size = 10 ** Math.floor(Math.log10(raw));
  const step = size * [1, 2, 5, 10].find((k) => k * size >= raw);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
  return ticks;
}
function logTicks(low, high) {
  const ticks = [];
  for (let k = Math.floor(Math.log10(low)); k <= Math.log10(high); k++)
    for (const m of [1, 2, 5]) if (m * 10 ** k >= low && m * 10 ** k <= high) ticks.push(m * 10 ** k);
  return ticks.length > 1 ? ticks : [low, high];
}
function canvas(figure, height = H) {
  return add(figure, "svg", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": figure.parentNode.dataset.title });
}
function axes(svg, x, y, xLabel, yLabel) {
  for (const v of y.ticks) {
    add(svg, "line", { x1: M.left, x2: W - M.right, y1: y(v), y2: y(v), class: "grid" });
    add(svg, "text", { x: M.left - 6, y: y(v) + 4, "text-anchor": "end" }, short(v));
  }
  bottom(svg, x, H, xLabel);
  add(svg, "text", { x: 14, y: H / 2, transform: `rotate(-90 14 ${H / 2})`, "text-anchor": "middle" }, yLabel);
}
function bottom(svg, x, height, label) {
  const y = height - M.bottom;
  add(svg, "line", { x1: M.left, x2: W - M.right, y1: y, y2: y, class: "axis" });
  for (const v of x.ticks) add(svg, "text", { x: x(v), y: y + 17, "text-anchor": "middle" }, short(v));
  add(svg, "text", { x: (M.left + W - M.right) / 2, y: height - 8, "text-anchor": "middle" }, label);
}
function legend(figure, names, toggle) {
  const columns = 2, height = 20 * Math.ceil(names.length / columns) + 4;
  const svg = add(figure, "svg", { viewBox: `0 0 ${W} ${height}` });
  names.forEach((name, k) => {
    const key = add(svg, "g", { class: "key", transform: `translate(${M.left + (k % columns) * 285},${12 + 20 * Math.floor(k / columns)})` });
    add(key, "path", { d: SHAPES[k % 7], fill: COLOURS[k % 7], stroke: COLOURS[k % 7] });
    add(key, "text", { x: 10, y: 4 }, name);
    key.addEventListener("click", () => toggle(k, !key.classList.toggle("off")));
  });
}

const draw = {
  xy(figure, chart) {
    const svg = canvas(figure), all = chart.series.flatMap((s) => s.points);
    const x = scale(all.map((p) => p[0]), M.left + 8, W - M.right - 8, chart.x.log);
    const y = scale(all.map((p) => p[1]), H - M.bottom - 8, M.top + 8);
    axes(svg, x, y, chart.x.label, chart.y.label);
    const groups = chart.groups.map(() => add(svg, "g"));
    for (const s of chart.series) {
      const colour = COLOURS[s.group % 7], into = groups[s.group];
      if (chart.lines) {
        const path = "M" + s.points.map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join("L");
        const line = add(into, "path", { d: path, class: "curve", fill: "none", stroke: colour,
          "stroke-width": s.thick ? 3.5 : 1.2, opacity: s.thick ? 1 : 0.65 });
        explain(line, s.name);
      }
      if (!chart.lines || s.points.length === 1) for (const p of s.points) {
        const dot = add(into, "path", { d: SHAPES[s.group % 7], class: "mark", fill: colour, stroke: colour,
          opacity: s.thick ? 1 : 0.75, transform: `translate(${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)})` });
        explain(dot, p[2] || s.name);
      }
    }
    if (chart.front) add(svg, "path", { fill: "none", stroke: "#000", "stroke-dasharray": "5 3",
      d: "M" + chart.front.map((p) => `${x(p[0])},${y(p[1])}`).join("L") });
    legend(figure, chart.groups, (k, on) => { groups[k].style.display = on ? "" : "none"; });
  },
  heat(figure, chart) {
    const svg = canvas(figure), values = chart.values.flat().filter((v) => v !== null);
    const low = Math.min(...values), span = Math.max(...values) - low || 1;
    const width = (W - 110 - M.right) / chart.columns.length, height = (H - M.top - M.bottom) / chart.rows.length;
    chart.rows.forEach((row, i) => {
      add(svg, "text", { x: 104, y: M.top + (i + .5) * height + 4, "text-anchor": "end" }, row);
      chart.columns.forEach((column, j) => {
        const v = chart.values[i][j], t = v === null ? 0 : (v - low) / span;
        const shade = v === null ? "#fff" : `rgb(${[230 - 230 * t, 240 - 126 * t, 248 - 70 * t].map(Math.round)})`;
        const cell = add(svg, "rect", { x: 110 + j * width, y: M.top + i * height, width: width - 2, height: height - 2,
          fill: shade, stroke: "#d0d4da", class: "mark" });
        explain(cell, `${row}, ${column}\n${v === null ? "no trial" : `${v.toFixed(2)} (n = ${chart.counts[i][j]})`}`);
        add(svg, "text", { x: 110 + (j + .5) * width, y: M.top + (i + .5) * height + 4, "text-anchor": "middle",
          style: `pointer-events:none;stroke:none;fill:${t > .6 ? "#fff" : "#1a1d21"}` }, v === null ? "—" : v.toFixed(1));
      });
    });
    chart.columns.forEach((column, j) =>
      add(svg, "text", { x: 110 + (j + .5) * width, y: H - M.bottom + 15, "text-anchor": "middle" }, column));
    add(svg, "text", { x: W / 2, y: H - 8, "text-anchor": "middle" }, chart.label);
  },
  parallel(figure, chart) {
    const svg = canvas(figure), count = chart.axes.length, at = (k) => 60 + k * (W - 120) / Math.max(count - 1, 1);
    const scales = chart.axes.map((axis, k) => axis.categories
      ? Object.assign((v) => H - 60 - (v + .5) / axis.categories.length * (H - 110), { ticks: axis.categories.map((_, i) => i) })
      : scale(chart.lines.map((l) => l[k]).filter((v) => v !== null), H - 60, 50, axis.log));
    const shade = scale(chart.lines.map((l) => l[count - 1]), 0, 1);
    const ranges = chart.axes.map(() => null);
    const lines = chart.lines.map((values) => {
      const t = shade(values[count - 1]);
      const path = "M" + values.map((v, k) => `${at(k)},${(v === null ? H - 40 : scales[k](v)).toFixed(1)}`).join("L");
      const line = add(svg, "path", { d: path, fill: "none", class: "curve", "stroke-width": 1 + 1.5 * t,
        stroke: `rgb(${[213 - 213 * t, 94 + 20 * t, 178 * t].map(Math.round)})`, opacity: .25 + .6 * t });
      explain(line, chart.axes.map((a, k) => `${a.label}: ${values[k] === null ? "—" : a.categories ? a.categories[values[k]] : short(values[k])}`).join("\n"));
      return [line, values];
    });
    const filter = () => lines.forEach(([line, values]) => line.classList.toggle("faded", !ranges.every((r, k) =>
      !r || (values[k] !== null && scales[k](values[k]) >= r[0] && scales[k](values[k]) <= r[1]))));
    chart.axes.forEach((axis, k) => {
      add(svg, "line", { x1: at(k), x2: at(k), y1: 46, y2: H - 56, class: "axis" });
      add(svg, "text", { x: at(k), y: 30, "text-anchor": "middle" }, axis.label);
      for (const v of scales[k].ticks) add(svg, "text", { x: at(k) + 4, y: scales[k](v) + 4 }, axis.categories ? axis.categories[v] : short(v));
      const brush = add(svg, "rect", { x: at(k) - 6, width: 12, y: 46, height: 0, fill: "#000", opacity: .2 });
      const hit = add(svg, "rect", { x: at(k) - 10, width: 20, y: 40, height: H - 90, fill: "transparent", style: "cursor:row-resize" });
      const y = (event) => (event.clientY - svg.getBoundingClientRect().top) / svg.getBoundingClientRect().height * H;
      let start = null;
      hit.addEventListener("pointerdown", (event) => { start = y(event); hit.setPointerCapture(event.pointerId); });
      hit.addEventListener("pointermove", (event) => {
        if (start === null) return;
        ranges[k] = [Math.min(start, y(event)), Math.max(start, y(event))];
        brush.setAttribute("y", ranges[k][0]); brush.setAttribute("height", ranges[k][1] - ranges[k][0]); filter();
      });
      hit.addEventListener("pointerup", (event) => {
        if (Math.abs(y(event) - start) < 4) { ranges[k] = null; brush.setAttribute("height", 0); filter(); }
        start = null;
      });
    });
  },
  bars(figure, chart) {
    const height = Math.max(120, 22 * chart.lanes + 60), svg = canvas(figure, height);
    const x = scale(chart.bars.flatMap((b) => [b.start, b.end]), M.left, W - M.right);
    bottom(svg, x, height, chart.label);
    const groups = chart.groups.map(() => add(svg, "g"));
    for (const b of chart.bars) explain(add(groups[b.group], "rect", { x: x(b.start), y: 10 + 22 * b.lane, height: 16, class: "mark",
      width: Math.max(1.5, x(b.end) - x(b.start) - .5), fill: COLOURS[b.group % 7], opacity: b.whole ? .95 : .45 }), b.tip);
    for (let lane = 0; lane < chart.lanes; lane++) add(svg, "text", { x: M.left - 8, y: 22 + 22 * lane, "text-anchor": "end" }, lane + 1);
    legend(figure, chart.groups, (k, on) => { groups[k].style.display = on ? "" : "none"; });
  },
  intervals(figure, chart) {
    const height = 26 * chart.rows.length + 70, svg = canvas(figure, height);
    const x = scale([0, ...chart.rows.flatMap((r) => [r.low ?? r.points, r.high ?? r.points])], 290, W - M.right - 10);
    add(svg, "line", { x1: x(0), x2: x(0), y1: 8, y2: height - M.bottom, class: "axis" });
    bottom(svg, x, height, chart.label);
    chart.rows.forEach((row, k) => {
      const y = 20 + 26 * k;
      add(svg, "text", { x: 280, y: y + 4, "text-anchor": "end" }, row.label);
      if (row.low !== null) add(svg, "line", { x1: x(row.low), x2: x(row.high), y1: y, y2: y, stroke: COLOURS[0], "stroke-width": 3 });
      explain(add(svg, "path", { d: SHAPES[0], transform: `translate(${x(row.points)},${y})`, fill: COLOURS[0], class: "mark" }), row.tip);
    });
  },
};
for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const chart = JSON.parse(document.getElementById(figure.dataset.chart).textContent);
  draw[chart.kind](figure.querySelector(".plot"), { ...chart });
  figure.dataset.drawn = figure.querySelectorAll("svg").length;
}
