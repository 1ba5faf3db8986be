'use strict';
/* The scripts of the page share these functions for elements, numbers, tables, colours and data. Scripts insert the
 * text of a run only as text, never as HTML. */
let report = JSON.parse(document.getElementById('data').textContent);

/* el('p', {class: 'lead'}, 'text', child) creates an element. An attribute whose value is a function becomes an event
 * listener. */
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === 'function') node.addEventListener(key, value);
    else if (key === 'style') Object.assign(node.style, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

/* ---- Numbers ---- */
const isNumber = (value) => typeof value === 'number' && isFinite(value);
const dash = '\u2013';

/* Formats a number with `count` significant digits; uses an exponent only for very small and very large numbers. */
function digits(value, count = 4) {
  if (!isNumber(value)) return dash;
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7)) return value.toExponential(count - 1);
  const before = value === 0 ? 1 : Math.floor(Math.log10(Math.abs(value))) + 1;
  return value.toLocaleString('en-US', {minimumFractionDigits: 0, maximumFractionDigits: Math.max(0, count - before)});
}
const percent = (value, places = 2) => isNumber(value) ? (100 * value).toFixed(places) + ' %' : dash;
const fixed = (value, places) => isNumber(value) ? value.toFixed(places) : dash;
const whole = (value) => isNumber(value) ? Math.round(value).toLocaleString('en-US') : dash;
const signed = (value, places = 1) => (value < 0 ? '\u2212' : '+') + Math.abs(value).toFixed(places);
const last = (list) => list && list.length ? list[list.length - 1] : undefined;

/* Rounds a range outwards to steps of 1, 2 or 5 times a power of ten. */
function niceRange(low, high) {
  const rough = ((high - low) || Math.abs(high) || 1) / 6, power = 10 ** Math.floor(Math.log10(rough)), step = power * [1, 2, 5, 10].find((k) => k * power >= rough * .999);
  return [Math.max(low >= 0 ? 0 : -Infinity, step * Math.floor(low / step - .1)), step * Math.ceil(high / step + .1)].map((v) => Number(v.toPrecision(10)));
}

/* ---- Colours ---- */
const ramp = [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]]; /* viridis */
const operatorColours = ['#56b4e9', '#e69f00', '#3fb68b', '#f0d838', '#7f9fe0', '#e8804d', '#d796bd', '#a9b4c0'];
const runColours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#7f7f7f'];

function rampAt(share) {
  const at = Math.max(0, Math.min(1, share)) * (ramp.length - 1), i = Math.min(ramp.length - 2, Math.floor(at));
  return 'rgb(' + ramp[i].map((value, k) => Math.round(value + (at - i) * (ramp[i + 1][k] - value))).join(',') + ')';
}
const operatorColour = (index) => index < operatorColours.length ? operatorColours[index]
  : `hsl(${(index * 137.508) % 360} 58% ${62 + 10 * (index % 3)}%)`;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* ---- Light and dark ---- */
const themeListeners = [];
const darkQuery = matchMedia('(prefers-color-scheme: dark)');
function setTheme(isDark) {
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  document.getElementById('theme').textContent = isDark ? 'Light' : 'Dark';
  themeListeners.forEach((listener) => listener());
}
const isDark = () => document.documentElement.dataset.theme === 'dark';
document.getElementById('theme').addEventListener('click', () => setTheme(!isDark()));
darkQuery.addEventListener('change', () => setTheme(darkQuery.matches));
setTheme(darkQuery.matches);
let wasDark = false;
addEventListener('beforeprint', () => { wasDark = isDark(); if (wasDark) setTheme(false); });
addEventListener('afterprint', () => { if (wasDark) setTheme(true); });

/* ---- A hint next to the pointer ---- */
const tip = document.getElementById('tip');
function showTip(text, x, y) {
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - box.width - 6)) + 'px';
  tip.style.top = (y + 18 + box.height > innerHeight ? Math.max(6, y - box.height - 12) : y + 18) + 'px';
}
const hideTip = () => showTip('');

/* ---- Tables ---- */

/* columns: {name, value(row), text(row), isText, isWide, initial: 'descending'}; rows: in their initial order. Returns
 * an element with refresh(). A long table shows the first 25 rows and a button that shows all rows. On narrow pages,
 * each row of a stacked table becomes a card. */
function table(columns, rows, options = {}) {
  const body = el('tbody'), state = {column: options.column ?? -1, isDown: options.isDown ?? false, limit: options.limit ?? 25};
  const more = el('button', {type: 'button', class: 'more-rows', click: () => { state.limit = Infinity; fill(); }});
  const heads = columns.map((column, i) => el('th', {scope: 'col', class: column.isText ? 'text' : null, title: column.hint},
    el('button', {type: 'button', click: () => sort(i)}, column.name)));
  function ordered() {
    if (state.column < 0) return rows;
    const of = columns[state.column].value, sign = state.isDown ? -1 : 1;
    const rank = (value) => value === null || value === undefined || Number.isNaN(value);
    return rows.map((row, i) => [of(row), i, row]).sort((a, b) => rank(a[0]) - rank(b[0]) ||
      sign * (typeof a[0] === 'string' ? a[0].localeCompare(b[0], 'en', {numeric: true}) : a[0] - b[0]) || a[1] - b[1]).map((item) => item[2]);
  }
  function fill() {
    const list = ordered(), shown = list.slice(0, state.limit);
    body.replaceChildren(...shown.map((row) => el('tr', {class: options.rowClass && options.rowClass(row)},
      columns.map((column) => el('td', {'data-name': options.isStacked ? column.name : null, class: [column.isText && 'text', column.isWide && 'wrap'].filter(Boolean).join(' ') || null},
        column.text ? column.text(row) : String(column.value(row) ?? dash))))));
    heads.forEach((head, i) => i === state.column ? head.setAttribute('aria-sort', state.isDown ? 'descending' : 'ascending') : head.removeAttribute('aria-sort'));
    more.hidden = shown.length === list.length;
    more.textContent = `All ${list.length} rows`;
  }
  function sort(i) {
    state.isDown = state.column === i ? !state.isDown : columns[i].initial === 'descending';
    state.column = i;
    fill();
  }
  const host = el('div', {}, el('div', {class: 'scroll'}, el('table', {class: options.isStacked ? 'stacked' : null}, options.caption && el('caption', {}, options.caption),
    el('thead', {}, el('tr', {}, heads)), body)), more);
  host.refresh = fill;
  fill();
  return host;
}

/* Returns the table of a chart in a details element, which is open if there are no charts. */
const hasCharts = typeof Chart === 'function';
function chartTable(label, content) {
  return el('details', {open: !hasCharts}, el('summary', {}, label), content);
}
