'use strict';
/* Shows the candidates of a search: their order, trade-offs, the operators of each generation, and predictions against
 * measurements. */

/* Adds run.candidates and run.ranked. run.ranked starts with the best candidate, followed by the others in order of
 * accuracy. Random baseline paths, and candidates that were scored on fewer images than others, come last. */
function readCandidates(run) {
  const search = run.search;
  run.candidates = [];
  if (!search) return;
  const c = search.candidates, names = search.devices || [];
  const cell = (name, i) => c[name] ? c[name][i] : null;
  run.deviceNames = names.length ? names : isNumber(cell('latency', 0)) ? [(run.devices && run.devices[0] && run.devices[0].name) || 'device'] : [];
  for (let i = 0; i < c.arch.length; i++) {
    const predicted = c.predictions && c.predictions[i] || [];
    run.candidates.push({index: i, arch: Array.isArray(c.arch[i]) ? c.arch[i] : [], generation: cell('generation', i), images: cell('images', i), loss: cell('loss', i),
      top1: cell('top1', i), top5: cell('top5', i), macs: cell('macs', i), parameters: cell('parameters', i), memory: cell('memory', i),
      on: run.deviceNames.map((_, d) => predicted[d] ? {ms: predicted[d][0], deviation: predicted[d][1], filled: predicted[d][2], energy: predicted[d][3], area: predicted[d][4]} : {ms: d === 0 ? cell('latency', i) : null})});
  }
  const most = Math.max(...run.candidates.map((x) => x.images || 0));
  const weight = (x) => (x.generation !== null && x.generation < 0) || (x.images || 0) < most ? 1 : 0;
  run.ranked = run.candidates.slice().sort((a, b) => weight(a) - weight(b) || b.top1 - a.top1 || b.top5 - a.top5 || a.loss - b.loss || a.index - b.index);
  run.best = isNumber(search.best) ? run.candidates[search.best] : run.ranked[0];
  run.ranked = [run.best, ...run.ranked.filter((x) => x !== run.best)];
  run.ranked.forEach((x, i) => { x.rank = i + 1; });
  run.generations = Math.max(0, ...run.candidates.map((x) => x.generation || 0));
  run.pareto = new Set(search.pareto || []);
}

const tuple = (arch) => '(' + arch.join(', ') + ')';
const generationName = (x) => x.generation === null ? 'unknown' : x.generation < 0 ? 'random baseline' : String(x.generation);
const generationColour = (run, x) => x.generation === null || x.generation < 0 ? '#9aa3ad' : rampAt(darkest() + (1 - darkest()) * (run.generations ? x.generation / run.generations : 1));
const darkest = () => isDark() ? .22 : 0; /* start of the colour ramp, whose purple is invisible on a dark page */

/* Returns the quantities for the axes: {key, name, unit, value(candidate), isUp: larger is better}. */
function quantitiesOf(runs) {
  const run = runs[0], names = run.deviceNames || [];
  const all = [{key: 'macs', name: 'multiply-adds', unit: 'M', value: (x) => x.macs}, {key: 'parameters', name: 'parameters', unit: 'M', value: (x) => x.parameters},
    {key: 'memory', name: 'activation memory', unit: 'MB', value: (x) => x.memory}];
  names.forEach((name, d) => {
    all.push({key: 'latency' + d, name: `predicted latency, ${name}`, unit: 'ms', value: (x) => x.on[d] && x.on[d].ms});
    all.push({key: 'energy' + d, name: `predicted energy, ${name}`, unit: 'mJ', value: (x) => x.on[d] && x.on[d].energy});
  });
  all.push({key: 'top1', name: 'top-1', unit: '%', isUp: true, value: (x) => 100 * x.top1}, {key: 'top5', name: 'top-5', unit: '%', isUp: true, value: (x) => 100 * x.top5},
    {key: 'loss', name: 'loss', unit: '', value: (x) => x.loss});
  return all.filter((q) => runs.some((r) => r.candidates.some((x) => isNumber(q.value(x)))));
}

const quantity = (list, key) => list.find((q) => q.key === key);

function limitsOf(run) {
  const limits = (run.search && run.search.limits) || {}, out = [];
  const add = (key, name, unit, limit, value) => { if (isNumber(limit) && limit > 0) out.push({key, name, unit, limit, value}); };
  add('macs', 'multiply-adds', 'M', limits.macs_m, run.best && run.best.macs);
  add('parameters', 'parameters', 'M', limits.parameters_m, run.best && run.best.parameters);
  add('memory', 'activation memory', 'MB', limits.memory_mb, run.best && run.best.memory);
  for (const device of limits.devices || []) {
    const d = (run.deviceNames || []).indexOf(device.device), on = run.best && run.best.on[d] || {};
    const margin = device.margin || 0;
    add('latency' + d, `latency on ${device.device}` + (margin ? ` with ${digits(margin)} deviation${margin === 1 ? '' : 's'} added` : ''), 'ms', device.latency_ms, on.ms + margin * (on.deviation || 0));
    add('energy' + d, `energy on ${device.device}`, 'mJ', device.energy_mj, on.energy);
    add('area' + d, `area on ${device.device}`, 'mm\u00b2', device.area_mm2, on.area);
  }
  return out.map((x) => ({...x, isHeld: isNumber(x.value) ? x.value <= x.limit * (1 + 1e-9) : null}));
}

/* Returns the Pareto front of two quantities, in the order of x. */
function frontOf(list, x, y) {
  const sign = (q, c) => q.isUp ? -q.value(c) : q.value(c);
  const known = list.filter((c) => isNumber(x.value(c)) && isNumber(y.value(c))).sort((a, b) => sign(x, a) - sign(x, b) || sign(y, a) - sign(y, b));
  const out = [];
  for (const c of known) if (!out.length || sign(y, c) < sign(y, last(out))) out.push(c);
  return out;
}

function describe(run, x) {
  const costs = [`${percent(x.top1)} top-1`, isNumber(x.macs) && `${digits(x.macs)} M multiply-adds`, isNumber(x.parameters) && `${digits(x.parameters)} M parameters`,
    ...x.on.map((on, d) => isNumber(on.ms) && `${digits(on.ms)} ms on ${run.deviceNames[d]}`)].filter(Boolean);
  return `${tuple(x.arch)}\n${costs.join('\n')}\ngeneration: ${generationName(x)}${x === run.best ? '\nthe best' : ''}`;
}

/* ---- Scatter of all candidates ---- */
function scatter(host, runs, x, y, {choose, pinned, walk}) {
  const several = runs.length > 1, sets = [];
  const point = (run) => (c) => ({x: x.value(c), y: y.value(c), run, c});
  const known = (c) => isNumber(x.value(c)) && isNumber(y.value(c));
  if (pinned && known(pinned.c)) sets.push({type: 'scatter', data: [point(pinned.run)(pinned.c)], pointStyle: 'circle', radius: 11, hoverRadius: 11, borderWidth: 2.5, borderColor: ink, backgroundColor: 'transparent'});
  for (const run of runs) {
    if (run.best && known(run.best)) sets.push({type: 'scatter', data: [point(run)(run.best)], pointStyle: 'star', radius: 9, hoverRadius: 11, borderWidth: 3, borderColor: several ? run.colour : () => css('--bad')});
    const front = frontOf(run.candidates, x, y);
    sets.push({type: 'line', data: front.map(point(run)), stepped: x.isUp === y.isUp ? 'after' : 'before', borderColor: several ? run.colour : soft, borderWidth: 1.3, borderDash: [3, 3], pointRadius: 0, pointHitRadius: 0, fill: false});
  }
  for (const run of runs) {
    const order = run.candidates.filter(known).sort((a, b) => (b.generation ?? -1) - (a.generation ?? -1));
    const colour = (context) => { const c = context.raw && context.raw.c; return c ? several ? run.colour + 'b0' : generationColour(run, c) : 'transparent'; };
    sets.push({type: 'scatter', data: order.map(point(run)), backgroundColor: (context) => context.raw && context.raw.c.generation < 0 ? 'transparent' : colour(context), borderColor: colour, borderWidth: order.map((c) => c.generation < 0 ? 1.4 : .6),
      radius: run.candidates.length > 400 ? 3.4 : 4.6, hoverRadius: 7});
  }
  const limits = several ? [] : limitsOf(runs[0]);
  const lines = [['x', x], ['y', y]].flatMap(([name, q]) => limits.filter((limit) => limit.key === q.key).map((limit) => ({axis: name, value: limit.limit, label: `limit ${digits(limit.limit)} ${limit.unit}`})));
  const title = (q) => q.name + (q.unit ? `, ${q.unit}` : '');
  /* The range of all values with a margin, extended to limits that are close to the values. The range starts below 0
   * only if a value is negative. */
  const reach = (name, q) => {
    const values = runs.flatMap((run) => run.candidates.filter(known).map((c) => q.value(c))), low = Math.min(...values), high = Math.max(...values), room = (high - low) || Math.abs(high) || 1;
    const near = lines.filter((line) => line.axis === name && line.value > low - .8 * room && line.value < high + .8 * room).map((line) => line.value);
    return {suggestedMin: Math.max(low >= 0 ? 0 : -Infinity, Math.min(low - .03 * room, ...near)), suggestedMax: Math.max(high + .03 * room, ...near.map((v) => v + .02 * room))};
  };
  const chart = draw(host, `${title(y)} against ${title(x)} of all candidates. Left and right walk through them, Enter pins one.`, {type: 'scatter', data: {datasets: sets},
    options: {scales: {x: axis(title(x), {axis: reach('x', x), ticks: {callback: (v) => digits(v)}}), y: axis(title(y), {axis: reach('y', y), ticks: {callback: (v) => digits(v)}})}, plugins: {marks: {lines}}}});
  if (!chart) return null;
  pick(chart, {of: (item) => item.element.$context && item.element.$context.raw && item.element.$context.raw.c ? item.element.$context.raw : sets[item.datasetIndex].data[item.index],
    text: (p) => (several ? p.run.name + '\n' : '') + describe(p.run, p.c), walk, choose: choose && ((p) => choose(p.run, p.c)),
    order: () => sets.filter((s) => s.type === 'scatter').slice(-runs.length).flatMap((s) => s.data).sort((a, b) => a.x - b.x),
    position: (p) => [chart.scales.x.getPixelForValue(p.x), chart.scales.y.getPixelForValue(p.y)]});
  return chart;
}

/* Returns a scatter plot whose axes the user can choose. choose(run, candidate) is called for a clicked point. */
function scatterBox(runs, {choose, className = 'chart tall'} = {}) {
  const all = quantitiesOf(runs);
  const state = {x: quantity(all, 'latency0') || quantity(all, 'macs') || all[0], y: quantity(all, 'top1') || all[0], pinned: null, walk: {at: -1}};
  const host = el('div', {class: className});
  let chart = null;
  const select = (name) => el('select', {'aria-label': `Quantity on the ${name} axis`, change: (event) => { state[name] = quantity(all, event.target.value); again(); }},
    all.map((q) => el('option', {value: q.key, selected: q === state[name]}, q.name)));
  const again = () => {
    const isWalked = chart && document.activeElement === chart.canvas; /* keeps the keyboard focus */
    if (chart) { removeChart(chart); host.replaceChildren(); }
    chart = scatter(host, runs, state.x, state.y, {choose, pinned: state.pinned, walk: state.walk});
    if (isWalked) chart.canvas.focus({preventScroll: true});
  };
  const box = el('div', {}, hasCharts && el('div', {class: 'tools'}, el('label', {}, 'across', select('x')), el('label', {}, 'up', select('y'))), host);
  box.whenShown = again;
  box.pin = (run, c) => { state.pinned = c && {run, c}; again(); };
  return box;
}

function candidateTable(run, choose) {
  const q = quantitiesOf([run]);
  const rows = run.ranked;
  const columns = [{name: 'Rank', value: (x) => x.rank}, {name: 'Path', isText: true, isWide: true, value: (x) => tuple(x.arch), text: (x) => el('span', {class: 'path'}, tuple(x.arch))},
    ...[quantity(q, 'top1'), quantity(q, 'top5'), quantity(q, 'loss'), ...q.filter((c) => !['top1', 'top5', 'loss'].includes(c.key))].filter(Boolean).map((c) => ({
      name: c.name.replace('predicted latency, ', '').replace('predicted energy, ', 'energy, ') + (c.unit ? `, ${c.unit}` : ''), value: c.value, initial: c.isUp ? 'descending' : 'ascending', text: (x) => c.isUp ? fixed(c.value(x), 2) : digits(c.value(x), 5)})),
    {name: 'Generation', value: (x) => x.generation, text: generationName}];
  if (run.candidates.some((x) => isNumber(x.images))) columns.push({name: 'Images', value: (x) => x.images, text: (x) => whole(x.images)});
  if (run.pareto.size) columns.push({name: 'Front', value: (x) => run.pareto.has(x.index) ? 0 : 1, text: (x) => run.pareto.has(x.index) ? 'yes' : ''});
  columns.push({name: 'Network', value: (x) => x.rank, text: (x) => el('button', {type: 'button', 'aria-label': `Draw the candidate of rank ${x.rank}`, click: () => choose(run, x)}, 'draw')});
  return table(columns, rows, {column: 0, rowClass: (x) => x === run.best ? 'best' : null});
}

function candidatesSection(run) {
  if (!run.candidates.length) return null;
  const drawn = el('div', {id: 'pinned', 'aria-live': 'polite'});
  const choose = (_, c) => {
    split.classList.remove('alone');
    box.pin(run, c);
    drawn.replaceChildren(el('div', {class: 'tools'}, el('h3', {}, c === run.best ? 'The best candidate' : `Candidate of rank ${c.rank}`), el('span', {class: 'group'}, el('button', {type: 'button', click: unpin}, 'Unpin'))),
      el('p', {class: 'path'}, tuple(c.arch)), el('p', {class: 'lead'}, describe(run, c).split('\n').slice(1).join(' \u00b7 ')), networkTable(run, c.arch, c === run.best ? null : run.best.arch));
  };
  const unpin = () => { split.classList.add('alone'); box.pin(run, null); drawn.replaceChildren(hint()); };
  const hint = () => el('p', {class: 'lead'}, hasCharts ? 'Click a point, or a row\u2019s button below, to pin a candidate and draw its network here.' : 'A row\u2019s button draws its network here.');
  const box = scatterBox([run], {choose});
  drawn.append(hint());
  const legend = hasCharts && el('p', {class: 'legend'}, el('span', {}, 'generation 0', el('span', {class: 'ramp'}), run.generations), el('span', {}, el('i', {style: {boxShadow: 'inset 0 0 0 1.5px #9aa3ad'}}), 'random baseline'),
    el('span', {}, '\u2733 best'), el('span', {}, '\u2508 Pareto front'));
  const split = el('div', {class: 'split alone'}, el('div', {}, box, legend), drawn);
  const section = el('section', {id: 'candidates', class: 'long'}, el('h2', {}, 'Candidates'),
    el('p', {class: 'lead'}, `${whole(run.candidates.length)} paths scored by ${run.search.searcher || 'the search'}` + (isNumber(run.search.hypervolume) && run.search.objectives ? `; Pareto front of ${run.pareto.size} in ${run.search.objectives.join(', ')}, hypervolume ${digits(run.search.hypervolume, 5)}` : '') + '.'),
    split, chartTable(`All candidates as a table (${run.candidates.length})`, candidateTable(run, (r, c) => { choose(r, c); drawn.scrollIntoView({block: 'nearest'}); })));
  section.whenShown = hasCharts ? box.whenShown : null;
  return section;
}

/* ---- Operators over generations ---- */
let paintUse = () => {}; /* paints the maps of the page in the colours of the theme */
themeListeners.push(() => paintUse());
function useSection(run) {
  const net = run.network, list = run.candidates.filter((x) => x.generation !== null && x.generation >= 0);
  if (!net || !list.length) return null;
  const layers = net.layers.map((layer, l) => ({layer, l})).filter((item) => item.layer.searched >= 0 && item.layer.choices.length > 1);
  if (!layers.length || list[0].arch.length !== layers.length) return null;
  const count = run.generations + 1, rows = [], maps = el('div', {class: 'layers'});
  const totals = Array(count).fill(0);
  list.forEach((x) => { totals[x.generation]++; });
  const paints = [];
  for (const {layer, l} of layers) {
    const use = layer.choices.map(() => Array(count).fill(0));
    list.forEach((x) => { const row = use[x.arch[layer.searched]]; if (row) row[x.generation]++; });
    const share = (c, g) => totals[g] ? use[c][g] / totals[g] : null, name = (c) => net.operators[layer.choices[c]].name;
    layer.choices.forEach((_, c) => rows.push({layer: layer.searched + 1, name: name(c), first: share(c, 0), last: share(c, count - 1), all: use[c].reduce((a, b) => a + b, 0) / list.length, best: run.best && run.best.arch[layer.searched] === c}));
    const canvas = el('canvas', {width: count, height: use.length, style: {height: Math.max(44, use.length * (use.length > 12 ? 7 : 15)) + 'px'}, role: 'img', 'aria-label': `Layer ${layer.searched + 1}: share of each operator in each generation`});
    canvas.addEventListener('mousemove', (event) => {
      const box = canvas.getBoundingClientRect(), g = Math.min(count - 1, Math.floor((event.clientX - box.left) / box.width * count)), c = Math.min(use.length - 1, Math.floor((event.clientY - box.top) / box.height * use.length));
      if (g >= 0 && c >= 0) showTip(`layer ${layer.searched + 1}, generation ${g}\n${name(c)}: ${percent(share(c, g), 0)} of ${totals[g]}`, event.clientX, event.clientY);
    });
    canvas.addEventListener('mouseleave', hideTip);
    paints.push(() => {
      const g = canvas.getContext('2d'), rgb = css('--heat');
      g.clearRect(0, 0, count, use.length);
      use.forEach((row, c) => row.forEach((_, n) => { const s = share(c, n); if (s !== null) { g.fillStyle = `rgba(${rgb}, ${.04 + .96 * s})`; g.fillRect(n, c, 1, 1); } }));
    });
    const names = use.length <= 12 && el('div', {class: 'names'}, use.map((_, c) => el('span', {class: run.best && run.best.arch[layer.searched] === c ? 'winner' : null, title: name(c)}, shortName(name(c)))));
    maps.append(el('div', {class: 'layer'}, el('h3', {}, `Layer ${layer.searched + 1}` + (names || !run.best || !net.operators[layer.choices[run.best.arch[layer.searched]]] ? '' : `: ${name(run.best.arch[layer.searched])}`)), el('div', {class: 'map', style: {gridTemplateColumns: names ? 'auto 1fr' : '1fr'}}, names, canvas)));
  }
  paintUse = () => paints.forEach((p) => p());
  paintUse();
  const shares = (name, key) => ({name, initial: 'descending', value: (r) => r[key], text: (r) => percent(r[key], 1)});
  return el('section', {id: 'operators', class: 'long'}, el('h2', {}, 'Operators over generations'),
    el('p', {class: 'lead'}, 'Share of each generation\u2019s candidates that have an operator in a layer. Generations go from left to right; the best candidate\u2019s operator is in bold' + (layers.some((item) => item.layer.choices.length > 12) ? ', or next to the layer.' : '.')), maps,
    el('p', {class: 'legend'}, el('span', {}, '0 %', el('span', {class: 'ramp heat'}), '100 %')),
    chartTable('Operators as a table', table([{name: 'Layer', value: (r) => r.layer}, {name: 'Operator', isText: true, value: (r) => r.name}, shares('First generation', 'first'), shares('Last generation', 'last'), shares('All', 'all'),
      {name: 'In the best', value: (r) => r.best ? 0 : 1, text: (r) => r.best ? 'yes' : ''}], rows, {limit: 40})));
}
const shortName = (name) => name.replace(/^shuffle_/, '').replace(/^xception.*/, 'xcep').replace(/_/g, ' ');

/* ---- Predicted against measured ---- */

/* Returns the number of relative errors, the share within 10 %, and the mean absolute error; null if the list is
 * empty. */
const qualityOf = (errors) => errors.length ? {count: errors.length, inside: errors.filter((e) => Math.abs(e) <= .1).length / errors.length, mape: errors.reduce((sum, e) => sum + Math.abs(e), 0) / errors.length} : null;

function measuredSection(run, device) {
  const all = (device.networks || []).map(([measured, deviation, predicted, path], i) => ({measured, deviation, predicted, path, i, error: predicted / measured - 1}));
  if (!all.length) return null;
  const inside = all.filter((n) => Math.abs(n.error) <= .1), quality = qualityOf(all.map((n) => n.error));
  const host = el('div', {class: 'chart'}), values = all.flatMap((n) => [n.measured, n.predicted]);
  const [low, high] = niceRange(Math.min(...values), Math.max(...values));
  const section = el('section', {}, el('h2', {}, `Predicted and measured latency on ${device.name}`),
    el('p', {class: 'lead'}, `${whole(device.network_count)} measured networks: ${percent(quality.inside, 1)} within \u00b110 % of the measurement, mean error ${percent(quality.mape, 2)}.`),
    el('div', {class: 'square'}, host, hasCharts && el('p', {class: 'legend'}, el('span', {}, el('i', {style: {background: '#0072b2'}}), 'within \u00b110 %'), el('span', {}, el('i', {style: {background: '#d55e00'}}), 'outside'), el('span', {}, '\u2508 equal'))),
    chartTable('Networks as a table', table([{name: 'Path', isText: true, isWide: true, value: (n) => n.path, text: (n) => el('span', {class: 'path'}, n.path)}, {name: 'Measured, ms', value: (n) => n.measured, text: (n) => digits(n.measured, 5)},
      {name: 'Deviation, ms', value: (n) => n.deviation, text: (n) => digits(n.deviation, 3)}, {name: 'Predicted, ms', value: (n) => n.predicted, text: (n) => digits(n.predicted, 5)},
      {name: 'Error', value: (n) => Math.abs(n.error), initial: 'descending', text: (n) => signed(100 * n.error, 2) + ' %'}], all, {column: 4, isDown: true, limit: 15})));
  section.whenShown = hasCharts ? () => {
    const line = (k) => [{x: low, y: k * low}, {x: high, y: k * high}], plain = {type: 'line', pointRadius: 0, pointHitRadius: 0, borderWidth: 0};
    const dots = (list, colour, style) => ({type: 'scatter', data: list.map((n) => ({x: n.measured, y: n.predicted, n})), backgroundColor: colour + (all.length > 200 ? '80' : 'c0'), borderColor: colour, borderWidth: .5, radius: all.length > 400 ? 3 : 4.5, pointStyle: style, hoverRadius: 7});
    const sets = [dots(all.filter((n) => Math.abs(n.error) > .1), '#d55e00', 'triangle'), dots(inside, '#0072b2', 'circle'),
      {...plain, data: line(1), borderColor: soft, borderWidth: 1.2, borderDash: [5, 4]}, {...plain, data: line(.9), fill: '+1', backgroundColor: () => `rgba(${css('--heat')}, .11)`}, {...plain, data: line(1.1)}];
    const chart = draw(host, `Predicted against measured latency on ${device.name}`, {type: 'scatter', data: {datasets: sets}, options: {clip: true, scales: {x: axis('measured, ms', {axis: {min: low, max: high}, ticks: {callback: (v) => digits(v, 4)}}), y: axis('predicted, ms', {axis: {min: low, max: high}, ticks: {callback: (v) => digits(v, 4)}})}}});
    pick(chart, {of: (item) => sets[item.datasetIndex].data[item.index].n || null, text: (n) => `${n.path}\nmeasured ${digits(n.measured)} ms\npredicted ${digits(n.predicted)} ms (${signed(100 * n.error)} %)`,
      order: () => all.slice().sort((a, b) => a.measured - b.measured), position: (n) => [chart.scales.x.getPixelForValue(n.measured), chart.scales.y.getPixelForValue(n.predicted)]});
  } : null;
  return section;
}
