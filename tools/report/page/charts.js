'use strict';
/* Draws charts with Chart.js and adds zoom by dragging or keys, selection of points by arrow keys, lines at limits, and
 * bands. */
const charts = [];

/* Colours of charts are functions, which Chart.js calls again when the theme changes. */
const ink = () => css('--ink'), soft = () => css('--soft'), lineColour = () => css('--line'), accent = () => css('--accent');
const fade = (colour, share) => colour.replace('rgb(', 'rgba(').replace(')', `, ${share})`);

function axis(title, options = {}) {
  return {
    type: 'linear', title: {display: true, text: title, color: soft, font: {size: 12}},
    grid: {color: lineColour, tickLength: 4, drawBorder: false}, border: {display: false},
    ticks: {color: soft, font: {size: 11}, maxRotation: 0, autoSkipPadding: 14, maxTicksLimit: 8, ...(options.ticks || {})}, ...options.axis,
  };
}

/* This plugin of Chart.js draws dashed lines: options.plugins.marks.lines = [{axis: 'x', value, label}]. */
const marks = {
  id: 'marks',
  afterDatasetsDraw(chart, _, options) {
    const g = chart.ctx, area = chart.chartArea;
    g.save();
    for (const mark of options.lines || []) {
      const scale = chart.scales[mark.axis], at = scale.getPixelForValue(mark.value);
      if (at < scale.left - 1 && mark.axis === 'x' || at > scale.right + 1 && mark.axis === 'x') continue;
      g.setLineDash([5, 4]);
      g.strokeStyle = g.fillStyle = css('--bad');
      g.beginPath();
      if (mark.axis === 'x') g.moveTo(at, area.top), g.lineTo(at, area.bottom);
      else g.moveTo(area.left, at), g.lineTo(area.right, at);
      g.stroke();
      g.font = '11px system-ui, sans-serif';
      const isLeft = mark.axis === 'x' && at + g.measureText(mark.label).width + 8 > area.right;
      g.textAlign = isLeft ? 'right' : 'left';
      if (mark.axis === 'x') g.fillText(mark.label, at + (isLeft ? -5 : 5), area.bottom - 7);
      else g.fillText(mark.label, area.left + 5, at - 5);
    }
    g.restore();
  },
};

/* host: the parent element; label: the text for screen readers. Returns the Chart, or null without Chart.js. */
function draw(host, label, config) {
  if (!hasCharts) {
    host.hidden = true;
    return null;
  }
  const canvas = el('canvas', {role: 'img', tabindex: 0, 'aria-label': label});
  host.append(canvas);
  const own = config.options || {};
  config.options = {
    animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true, ...own,
    plugins: {legend: {display: false}, tooltip: {enabled: false}, ...own.plugins},
  };
  config.plugins = [marks];
  const chart = new Chart(canvas, config);
  charts.push(chart);
  return chart;
}
if (hasCharts) {
  Chart.defaults.font.family = 'system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", "Liberation Sans", sans-serif';
  themeListeners.push(() => charts.forEach((chart) => chart.update('none')));
  addEventListener('beforeprint', () => charts.forEach((chart) => chart.resize()));
}
const removeChart = (chart) => { charts.splice(charts.indexOf(chart), 1); chart.destroy(); };

/* ---- Zoom along x, shared by several charts ---- */

/* full: [minimum, maximum] of the axis without zoom. Returns {buttons, range, add(chart)}. */
function zoomOf(full) {
  const members = [];
  let now = full.slice();
  function set(from, to) {
    const width = Math.min(full[1] - full[0], Math.max((full[1] - full[0]) / 500, to - from));
    const start = Math.max(full[0], Math.min(full[1] - width, from));
    now = [start, start + width];
    for (const chart of members) {
      chart.options.scales.x.min = now[0];
      chart.options.scales.x.max = now[1];
      chart.update('none');
    }
  }
  const scale = (factor, at = (now[0] + now[1]) / 2) => set(at - (at - now[0]) * factor, at + (now[1] - at) * factor);
  const move = (share) => set(now[0] + share * (now[1] - now[0]), now[1] + share * (now[1] - now[0]));
  const reset = () => set(full[0], full[1]);
  const keys = {'+': () => scale(.6), '=': () => scale(.6), '-': () => scale(1 / .6), ArrowLeft: () => move(-.2), ArrowRight: () => move(.2), 0: reset, Home: reset};
  const button = (text, label, action) => el('button', {type: 'button', 'aria-label': label, title: label, click: action}, text);
  const buttons = el('span', {class: 'group', role: 'group', 'aria-label': 'Zoom'},
    button('\u2190', 'Earlier', keys.ArrowLeft), button('+', 'Zoom in', keys['+']), button('\u2212', 'Zoom out', keys['-']),
    button('\u2192', 'Later', keys.ArrowRight), button('All', 'Whole training', reset));
  return {buttons, get range() { return now; }, add(chart) {
    if (!chart) return;
    members.push(chart);
    chart.isZoomed = () => now[0] > full[0] || now[1] < full[1];
    listen(chart, keys, set, scale, reset);
  }};
}

function listen(chart, keys, set, scale, reset) {
  const canvas = chart.canvas;
  let from = null, box = null;
  const at = (event) => {
    const area = chart.chartArea, x = event.clientX - canvas.getBoundingClientRect().left;
    return Math.max(area.left, Math.min(area.right, x));
  };
  canvas.addEventListener('keydown', (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.pointerType === 'touch') return;
    from = at(event);
    box = el('div', {class: 'selection'});
    canvas.parentNode.append(box);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', (event) => {
    if (from === null) return;
    const area = chart.chartArea, to = at(event);
    Object.assign(box.style, {left: Math.min(from, to) + 'px', width: Math.abs(to - from) + 'px', top: area.top + 'px', height: area.bottom - area.top + 'px'});
  });
  const end = (event) => {
    if (from === null) return;
    const to = at(event), pixels = Math.abs(to - from);
    const values = [from, to].map((x) => chart.scales.x.getValueForPixel(x)).sort((a, b) => a - b);
    box.remove();
    from = box = null;
    if (pixels > 6 && event.type === 'pointerup') set(values[0], values[1]);
  };
  canvas.addEventListener('pointerup', end);
  canvas.addEventListener('pointercancel', end);
  canvas.addEventListener('dblclick', reset);
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    scale(event.deltaY > 0 ? 1.25 : .8, chart.scales.x.getValueForPixel(at(event)));
  }, {passive: false});
}

/* ---- Selecting points by pointer, click and keys ---- */

/* of(item) returns the point of a chart element, or null. order() returns all points in the order of the arrow keys.
 * walk.at is the index of the current point. */
function pick(chart, {of, text, choose, order, position, walk = {at: -1}}) {
  const canvas = chart.canvas;
  const under = (event) => {
    const found = chart.getElementsAtEventForMode(event, 'nearest', {intersect: true}, false);
    for (const item of found) {
      const value = of(item);
      if (value !== null && value !== undefined) return value;
    }
    return null;
  };
  canvas.addEventListener('mousemove', (event) => {
    const value = under(event);
    canvas.style.cursor = value === null ? 'default' : 'pointer';
    showTip(value === null ? '' : text(value), event.clientX, event.clientY);
  });
  canvas.addEventListener('mouseleave', hideTip);
  canvas.addEventListener('blur', hideTip);
  if (choose) canvas.addEventListener('click', (event) => { const value = under(event); if (value !== null) choose(value); });
  canvas.addEventListener('keydown', (event) => {
    const list = order();
    if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') {
      walk.at = Math.max(0, Math.min(list.length - 1, walk.at + (event.key === 'ArrowRight' ? 1 : -1)));
      const here = list[walk.at], [x, y] = position(here), box = canvas.getBoundingClientRect();
      showTip(text(here), box.left + x, box.top + y);
    } else if (event.key === 'Enter' && list[walk.at] && choose) choose(list[walk.at]);
    else if (event.key === 'Escape') hideTip();
    else return;
    event.preventDefault();
  });
}
