// Turns the charts of the page's JSON into ECharts options: lines and dots, heat maps, parallel coordinates, bars,
// intervals. Text is on the screen before the library is read; then charts are drawn as they come near, the others one
// by one after that, and before a print; again where light or dark changes.
"use strict";
const COLOURS = JSON.parse(document.getElementById("colours").textContent);
const SHAPES = ["circle", "rect", "diamond", "triangle", "pin", "roundRect", "arrow"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = (value) => Number(value.toPrecision(4)).toString();
const escaped = (text) => text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]).replaceAll("\n", "<br>");
const colour = (group) => (group % 7 === 6 ? css("--ink") : COLOURS[group % 7]);

function axis(name, more = {}) {
  const line = { lineStyle: { color: css("--soft") } };
  return {
    name, nameLocation: "middle", nameTextStyle: { color: css("--ink") }, type: "value", scale: true, axisLine: line,
    axisLabel: { color: css("--ink"), hideOverlap: true }, splitLine: { lineStyle: { color: css("--line") } }, ...more,
  };
}
const below = (name, more) => axis(name, { nameGap: 28, splitLine: { show: false }, ...more });
const beside = (name, more) => axis(name, { nameGap: 44, ...more });
const zoom = ["xAxisIndex", "yAxisIndex"].map((which) => ({
  type: "inside", [which]: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false,
}));
const said = (of) => ({ formatter: (mark) => { const text = of(mark); return text ? escaped(text) : ""; } });
const named = (groups) => ({ data: [...groups], type: "scroll", bottom: 0, textStyle: { color: css("--ink") }, pageTextStyle: { color: css("--ink") } });

const options = {
  xy(chart) {
    const series = chart.series.map((s) => ({
      name: chart.groups[s.group], type: chart.lines ? "line" : "scatter", data: s.points, text: s.name,
      symbol: SHAPES[s.group % 7], symbolSize: chart.lines ? 7 : s.thick ? 13 : 8, showAllSymbol: true,
      itemStyle: { color: colour(s.group), opacity: chart.lines && s.points.length > 1 ? 0 : s.thick ? 1 : 0.7 },
      lineStyle: { color: colour(s.group), width: s.thick ? 3.5 : 1.2, opacity: s.thick ? 1 : 0.6 },
      emphasis: { focus: "series", itemStyle: { opacity: 1 }, lineStyle: { width: 3.5, opacity: 1 } }, z: s.thick ? 3 : 2,
    }));
    if (chart.front) series.push({ type: "line", data: chart.front, symbol: "none", silent: true, lineStyle: { color: css("--ink"), type: "dashed", width: 1.5 } });
    return {
      series, dataZoom: zoom, legend: named(chart.groups), grid: { left: 64, right: 20, top: 40, bottom: 78 },
      xAxis: below(chart.x.label, chart.x.log ? { type: "log" } : {}), yAxis: beside(chart.y.label),
      tooltip: said(({ seriesIndex, data }) => {
        const s = chart.series[seriesIndex];
        return s && (data[2] || `${s.name}\n${chart.x.label} ${short(data[0])}: ${short(data[1])}`);
      }),
      toolbox: { feature: { dataZoom: { filterMode: "none", title: { zoom: "zoom in", back: "zoom out" } } } },
    };
  },
  heat(chart) {
    const cells = chart.values.flatMap((row, i) => row.flatMap((value, j) => (value === null ? [] : [[j, i, value]])));
    const values = cells.map((cell) => cell[2]);
    return {
      grid: { left: 120, right: 20, top: 40, bottom: 88 },
      xAxis: below(chart.label, { type: "category", data: chart.columns }),
      yAxis: axis("", { type: "category", data: chart.rows, inverse: true, splitLine: { show: false } }),
      visualMap: { min: Math.min(...values), max: Math.max(...values), calculable: true, orient: "horizontal", left: "center", bottom: 0,
        precision: 1, itemHeight: 160, textStyle: { color: css("--ink") }, inRange: { color: ["#e6f0f8", "#56b4e9", "#0072b2", "#00304d"] } },
      series: [{ type: "heatmap", data: cells, itemStyle: { borderColor: css("--paper"), borderWidth: 2 },
        label: { show: true, formatter: ({ data }) => data[2].toFixed(1) }, emphasis: { itemStyle: { borderColor: css("--ink") } } }],
      tooltip: said(({ data: [j, i, value] }) => `${chart.rows[i]}, ${chart.columns[j]}\n${value.toFixed(2)} (n = ${chart.counts[i][j]})`),
    };
  },
  parallel(chart) {
    const last = chart.axes.length - 1, results = chart.lines.map((line) => line[last]);
    return {
      parallel: { left: 50, right: 60, top: 70, bottom: 30 },
      parallelAxis: chart.axes.map((a, dim) => ({
        ...axis(a.label, { nameLocation: "end" }), dim, ...(a.categories ? { type: "category", data: a.categories } : { type: a.log ? "log" : "value" }),
        areaSelectStyle: { width: 24, color: css("--soft"), opacity: 0.25 },
      })),
      visualMap: { show: false, dimension: last, min: Math.min(...results), max: Math.max(...results), inRange: { color: ["#d55e00", "#b0b0b0", "#0072b2"] } },
      series: [{ type: "parallel", data: chart.lines, lineStyle: { width: 1.5, opacity: 0.6 }, inactiveOpacity: 0.04, progressive: 200 }],
      tooltip: said(({ data }) => data && chart.axes.map((a, k) => `${a.label}: ${data[k] === null ? "—" : a.categories ? a.categories[data[k]] : short(data[k])}`).join("\n")),
    };
  },
  bars(chart) {
    const draw = (params, api) => {
      const [from, to] = [api.coord([api.value(1), api.value(0)]), api.coord([api.value(2), api.value(0)])];
      const height = Math.min(18, api.size([0, 1])[1] * 0.8);
      const area = params.coordSys, left = Math.max(from[0], area.x), right = Math.min(to[0], area.x + area.width);
      if (right < left) return null;
      return { type: "rect", shape: { x: left, y: from[1] - height / 2, width: Math.max(1.5, right - left - 0.5), height },
        style: { fill: colour(params.seriesIndex), opacity: api.value(3) ? 0.95 : 0.45 } };
    };
    return {
      grid: { left: 44, right: 20, top: 40, bottom: 78 }, legend: named(chart.groups), dataZoom: zoom.slice(0, 1),
      xAxis: below(chart.label), yAxis: axis("", { type: "category", inverse: true, data: Array.from({ length: chart.lanes }, (_, lane) => `${lane + 1}`) }),
      series: chart.groups.map((name, group) => ({ name, type: "custom", renderItem: draw, encode: { x: [1, 2], y: 0 }, itemStyle: { color: colour(group) },
        data: chart.bars.filter((b) => b.group === group).map((b) => ({ value: [b.lane, b.start, b.end, b.whole ? 1 : 0], tip: b.tip })) })),
      tooltip: said(({ data }) => data.tip),
    };
  },
  intervals(chart) {
    const line = (params, api) => {
      const [from, to] = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(2)])];
      return { type: "line", shape: { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }, style: { stroke: COLOURS[0], lineWidth: 3 } };
    };
    const spans = chart.rows.flatMap((row, k) => (row.low === null ? [] : [[row.low, row.high, k]]));
    const zero = { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: css("--ink"), type: "solid" }, data: [{ xAxis: 0 }] };
    return {
      grid: { left: 40, right: 24, top: 40, bottom: 44, containLabel: true }, xAxis: below(chart.label, { splitLine: { show: true, lineStyle: { color: css("--line") } } }),
      yAxis: axis("", { type: "category", inverse: true, data: chart.rows.map((row) => row.label), splitLine: { show: false } }),
      series: [{ type: "custom", renderItem: line, data: spans, encode: { x: [0, 1], y: 2 }, silent: true, z: 2 },
        { type: "scatter", data: chart.rows.map((row, k) => [row.points, k]), symbolSize: 11, itemStyle: { color: COLOURS[0] }, markLine: zero, z: 3 }],
      tooltip: said(({ seriesType, dataIndex }) => seriesType === "scatter" && chart.rows[dataIndex].tip),
    };
  },
};
const heights = { bars: (c) => Math.max(180, 22 * c.lanes + 130), intervals: (c) => 28 * c.rows.length + 100 };

const charts = new Map([...document.querySelectorAll("figure[data-chart]")].map((figure) =>
  [figure, JSON.parse(document.getElementById(figure.dataset.chart).textContent)]));

function show(figure) {
  const chart = charts.get(figure), plot = figure.querySelector(".plot");
  const made = echarts.getInstanceByDom(plot) ?? echarts.init(plot);
  const { toolbox, tooltip, ...more } = options[chart.kind](chart);
  made.setOption({
    animation: false, color: COLOURS, textStyle: { color: css("--ink"), fontFamily: "system-ui, sans-serif" },
    aria: { enabled: true, label: { description: `${chart.title}. ${chart.caption ?? ""}` } },
    tooltip: { confine: true, backgroundColor: css("--paper"), borderColor: css("--soft"), textStyle: { color: css("--ink"), fontSize: 13 }, ...tooltip },
    toolbox: { right: 4, top: 0, iconStyle: { borderColor: css("--soft") }, feature: { ...toolbox?.feature, restore: { title: "as it was" },
      saveAsImage: { name: chart.title, title: "save as PNG", pixelRatio: 2, backgroundColor: css("--paper") } } },
    ...more,
  }, true);
  figure.dataset.drawn = "yes";
  return made;
}
function read() {
  const script = document.createElement("script");
  script.textContent = document.getElementById("echarts").textContent;
  document.head.append(script);
}
const left = new Set(charts.keys());
function draw(figure) {
  if (!left.delete(figure)) return;
  const made = show(figure);
  new ResizeObserver(() => made.resize()).observe(figure);
  if (!left.size) document.body.dataset.charts = "drawn";
}
const rest = () => setTimeout(() => {
  const [first] = left;
  if (!first) return;
  draw(first);
  rest();
}, 20);
const near = new IntersectionObserver((seen) => {
  seen.filter((one) => one.isIntersecting).forEach((one) => { near.unobserve(one.target); draw(one.target); });
  document.body.dataset.charts ??= "in view";
}, { rootMargin: "200px" });
let begun = false;
function begin() {
  if (begun) return;
  begun = true;
  read();
  left.forEach((figure) => near.observe(figure));
  rest();
  addEventListener("beforeprint", () => left.forEach(draw));
  dark.addEventListener("change", () => charts.forEach((_, figure) => left.has(figure) || show(figure)));
}
charts.forEach((chart, figure) => {
  figure.querySelector(".plot").style.height = `${heights[chart.kind]?.(chart) ?? 420}px`;
});
requestAnimationFrame(() => setTimeout(begin));
setTimeout(begin, 500); // a page that nobody sees yet has no frames
