'use strict';
/* Draws training curves over steps. For long logs, the curves are means with a band from minimum to maximum. */

/* Returns the points of one column of a log, shifted by `offset` steps. */
function pointsOf(log, column, offset = 0, scale = 1) {
  const out = [];
  if (log && log[column]) log.step.forEach((step, i) => { const y = log[column][i]; if (isNumber(y)) out.push({x: step + offset, y: y * scale}); });
  return out;
}

/* Returns the line of one quantity and, for a long log, the band between minimum and maximum. */
function lineSets(log, column, colour, {offset = 0, scale = 1, label = ''} = {}) {
  const style = {borderWidth: 1.6, pointRadius: (log && log.step.length < 40) ? 2 : 0, pointBackgroundColor: colour, pointHitRadius: 0, borderColor: colour, tension: 0, label};
  const sets = [{...style, data: pointsOf(log, column, offset, scale)}];
  if (log && log[column + '_low']) {
    const shade = () => colour().startsWith('#') ? colour() + '2e' : fade(colour(), .18);
    const edge = {borderWidth: 0, pointRadius: 0, pointHitRadius: 0, backgroundColor: shade, label: ''};
    sets.push({...edge, data: pointsOf(log, column + '_low', offset, scale), fill: '+1'}, {...edge, data: pointsOf(log, column + '_high', offset, scale)});
  }
  return sets;
}

/* Shows the values of all curves at the step under the pointer. */
function readOut(chart, title) {
  const canvas = chart.canvas;
  canvas.addEventListener('mousemove', (event) => {
    const area = chart.chartArea, box = canvas.getBoundingClientRect(), x = event.clientX - box.left;
    if (x < area.left || x > area.right) return hideTip();
    const step = chart.scales.x.getValueForPixel(x), lines = [];
    let nearest = null;
    for (const set of chart.data.datasets) {
      if (!set.label || !set.data.length) continue;
      const point = set.data.reduce((best, p) => Math.abs(p.x - step) < Math.abs(best.x - step) ? p : best);
      nearest = nearest ?? point.x;
      lines.push(`${set.label}: ${digits(point.y, 5)}`);
    }
    if (nearest !== null) showTip(`step ${whole(nearest)}\n${lines.join('\n')}`, event.clientX, event.clientY);
  });
  canvas.addEventListener('mouseleave', hideTip);
  canvas.setAttribute('aria-label', `${title}. Plus and minus zoom, arrows move, 0 shows all.`);
}

function trainingTable(run) {
  const log = run.training, clock = run.timing || {step: []}, at = new Map(clock.step.map((step, i) => [step, i]));
  const rows = log.step.map((step, i) => ({step, i, t: at.get(step)}));
  const column = (name, source, key, places, initial) => ({name, initial, value: (r) => source[key] && source[key][r[source === log ? 'i' : 't']], text: (r) => places(source[key] && source[key][r[source === log ? 'i' : 't']])});
  const columns = [{name: 'Step', value: (r) => r.step, text: (r) => whole(r.step)}, column('Loss', log, 'loss', (v) => fixed(v, 4)),
    column('Top-1', log, 'top1_acc', percent, 'descending'), column('Learning rate', log, 'lr', (v) => digits(v, 4))];
  if (run.timing) columns.push(column('Images/s', clock, 'images_per_second', whole, 'descending'), {name: 'Data-bound', value: (r) => boundOf(clock, r.t), text: (r) => percent(boundOf(clock, r.t), 1)});
  return table(columns, rows, {column: 0, isDown: true, limit: 12});
}
const boundOf = (clock, i) => i !== undefined && clock.seconds && clock.seconds[i] > 0 ? clock.wait_seconds[i] / clock.seconds[i] : null;

function trainingSection(run) {
  const log = run.training;
  if (!log || !log.step.length) return null;
  const clock = run.timing, places = el('div', {class: 'charts'}), zoom = zoomOf([0, last(log.step)]);
  const bound = clock && {step: clock.step, share: clock.step.map((_, i) => boundOf(clock, i))};
  const list = [['Loss', 'loss, training batches', lineSets(log, 'loss', accent, {label: 'loss'}), false],
    ['Top-1 accuracy', 'top-1 of drawn paths, %', lineSets(log, 'top1_acc', () => '#009e73', {scale: 100, label: 'top-1, %'}), true],
    ['Learning rate', 'learning rate', lineSets(log, 'lr', () => '#cc79a7', {label: 'learning rate'}), true]];
  if (clock && clock.step.length)
    list.push(['Speed', 'images/s', [...lineSets(clock, 'images_per_second', () => '#d98b00', {label: 'images/s'}),
      ...lineSets(bound, 'share', () => isDark() ? '#b8c1cc' : '#5b6675', {scale: 100, label: 'data-bound, %'}).map((set) => ({...set, yAxisID: 'right', borderDash: [4, 3]}))], true]);
  const section = el('section', {id: 'training'}, el('h2', {}, 'Training'),
    el('p', {class: 'lead'}, `${whole(last(log.step))} steps, ${whole(log.lines)} log lines` +
      (log.per > 1 ? `; each point is the mean of ${log.per}, the band spans their least and greatest` : '') + '. Loss and accuracy are those of the paths drawn, so they lie below a trained network\u2019s.'),
    hasCharts && el('div', {class: 'tools'}, el('span', {}, 'Drag across a curve to zoom; double-click for all.'), zoom.buttons), places,
    chartTable('Training as a table', trainingTable(run)));
  const make = () => list.forEach(([title, y, sets, isZero]) => {
    const host = el('div', {class: 'chart'});
    const names = sets.filter((set) => set.label), isMixed = names.length > 1;
    places.append(el('div', {}, el('h3', {}, title, isMixed && el('span', {class: 'legend', style: {display: 'inline-flex', margin: '0 0 0 14px', fontWeight: 400}}, names.map((set) => el('span', {}, el('i', {style: {background: set.borderColor()}}), set.label)))), host));
    const scales = {x: axis('step', {ticks: {callback: (v) => whole(v)}, axis: {min: 0, max: zoom.range[1]}}), y: axis(y, {axis: {beginAtZero: isZero}})};
    if (sets.some((set) => set.yAxisID)) scales.right = {...axis('data-bound, %', {axis: {min: 0, suggestedMax: 10, max: undefined}}), position: 'right', grid: {display: false}};
    const chart = draw(host, title, {type: 'line', data: {datasets: sets}, options: {scales}});
    zoom.add(chart);
    if (chart) readOut(chart, title);
  });
  if (hasCharts) section.whenShown = make;
  return section;
}

/* ---- Several runs in one chart ---- */
function lossOverlay(runs) {
  const with_log = runs.filter((run) => run.training && run.training.step.length);
  if (with_log.length < 2) return null;
  const offsets = new Map();
  let group = null, sum = 0;
  for (const run of runs) {
    if (!run.group || run.group !== group) sum = 0;
    group = run.group;
    offsets.set(run, run.group ? sum : 0);
    sum += run.training ? last(run.training.step) || 0 : 0;
  }
  const host = el('div', {class: 'chart', style: {height: '300px'}});
  const end = Math.max(...with_log.map((run) => offsets.get(run) + last(run.training.step))), zoom = zoomOf([0, end]);
  const box = el('div', {}, el('div', {class: 'tools'}, el('h3', {}, 'Loss while training'), hasCharts && zoom.buttons), host, runLegend(with_log));
  box.whenShown = () => {
    const sets = with_log.flatMap((run) => lineSets(run.training, 'loss', () => run.colour, {offset: offsets.get(run), label: run.name}));
    const chart = draw(host, 'Loss of all runs', {type: 'line', data: {datasets: sets}, options: {scales: {x: axis(runs.some((r) => r.group) ? 'step, stages one after another' : 'step', {ticks: {callback: (v) => whole(v)}, axis: {min: 0, max: end}}), y: axis('loss')}}});
    zoom.add(chart);
    if (chart) readOut(chart, 'Loss of all runs');
  };
  return box;
}
const runLegend = (runs) => el('p', {class: 'legend'}, runs.map((run) => el('span', {}, el('i', {style: {background: run.colour}}), run.name)));
