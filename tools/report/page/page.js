'use strict';
/* Draws the page: a summary, the comparison of several runs, and one run in detail. */

/* ---- Summary ---- */
function tile(name, value, unit, more) {
  return el('div', {class: 'tile'}, el('div', {class: 'name'}, name), el('div', {class: 'value'}, value, unit && ' ', unit && el('small', {}, unit)), more && el('div', {class: 'more'}, more));
}

/* Returns an element such as "limit 3 M met"; null without a limit. */
function verdict(limits, key) {
  const limit = limits.find((x) => x.key === key);
  if (!limit) return null;
  const word = limit.isHeld === null ? 'unknown' : limit.isHeld ? 'met' : 'exceeded';
  return el('span', {class: limit.isHeld === null ? null : limit.isHeld ? 'held' : 'broken'}, `${limit.isHeld === null ? '?' : limit.isHeld ? '\u2713' : '\u2717'} limit ${digits(limit.limit)} ${limit.unit} ${word}`);
}

function tilesOf(run) {
  const best = run.best, limits = limitsOf(run), out = [];
  out.push(tile('multiply-adds', digits(best.macs), 'M', verdict(limits, 'macs')), tile('parameters', digits(best.parameters), 'M', verdict(limits, 'parameters')));
  if (isNumber(best.memory)) out.push(tile('activation memory', digits(best.memory, 3), 'MB', verdict(limits, 'memory') || 'one image, FP32'));
  (run.deviceNames || []).forEach((name, d) => {
    const on = best.on[d], word = isMeasured(run, name) === false ? 'modelled' : 'predicted';
    if (!isNumber(on.ms)) return;
    const more = [verdict(limits, 'latency' + d), isNumber(on.filled) && on.filled > 0 && ` ${percent(on.filled / on.ms, 1)} of it filled in`, isNumber(on.energy) && on.energy > 0 && ` ${digits(on.energy)} mJ`].filter(Boolean);
    out.push(tile(`${word} on ${name}`, digits(on.ms), on.deviation > 0 ? `\u00b1 ${digits(on.deviation, 2)} ms` : 'ms', more.length ? more : null));
  });
  const random = run.search.random_mean_top1_acc;
  if (isNumber(random)) out.push(tile('random paths', percent(random), '', `the found one: ${signed(100 * (best.top1 - random), 2)} points`));
  out.push(tile('candidates', whole(run.candidates.length), isNumber(run.search.limit) ? `of ${whole(run.search.limit)}` : '', run.search.is_finished ? `${run.search.searcher || ''}, best in generation ${generationName(best)}` : 'search is unfinished'));
  return out;
}

const deviceOf = (run, name) => (run.devices || []).find((x) => x.name === name);

/* Returns whether the blocks of a device were measured; null: unknown. */
function isMeasured(run, name) {
  const device = deviceOf(run, name), reported = ((run.search && run.search.limits && run.search.limits.devices) || []).find((x) => x.device === name);
  return device ? device.measured : reported ? reported.measured : null;
}

/* Returns a text about the error of a device's predictions for whole networks that were measured on this device. */
function sureText(device) {
  const own = qualityOf((device.networks || []).map(([measured, , predicted]) => predicted / measured - 1));
  const q = own || qualityOf((device.checks || []).map(([measured, predicted]) => predicted / measured - 1));
  if (!q) return 'no whole network was measured on it, so the error is unknown';
  return `of ${whole(own ? device.network_count : q.count)} ${own ? '' : 'published '}whole networks measured on it, ${percent(q.inside, 1)} are within \u00b110 % of the prediction, mean error ${percent(q.mape, 2)}`;
}

/* Returns a text for each device: the latency of the found network, the origin of the latency, and the error of
 * predictions. */
function latencyTexts(run) {
  return (run.deviceNames || []).map((name, d) => {
    const device = deviceOf(run, name), isKnown = isMeasured(run, name), on = (run.best && run.best.on[d]) || {};
    const figure = isNumber(on.ms) ? `${digits(on.ms)}${on.deviation > 0 ? ` \u00b1 ${digits(on.deviation, 2)}` : ''} ms ` : 'latency ';
    return `${name}: ${figure}${isKnown === null ? 'predicted' : isKnown ? 'predicted from measured blocks' : 'modelled, not measured'}` +
      (device && device.filled ? `, ${device.filled} blocks without an entry filled in` : '') + (device && device.runtime ? ` (${device.runtime}${device.date ? ', ' + device.date : ''})` : '') + (device ? `; ${sureText(device)}` : '');
  });
}

/* Returns each limit of the search as text. For an unfinished search, returns [], because its limits are unknown. */
function limitTexts(run) {
  if (!run.search || !run.search.limits) return [];
  const all = limitsOf(run).map((x) => `${x.name} at most ${digits(x.limit)} ${x.unit}: ` + (x.isHeld === null ? 'unknown whether it is met' : `${digits(x.value)}, ${x.isHeld ? 'met' : 'exceeded'}`));
  return all.length ? all : ['none'];
}

function summarySection(run) {
  const best = run.best, settings = run.settings;
  const lines = (list) => list.length > 0 && list.map((text) => el('div', {}, text));
  const facts = [[best ? 'Found network' : 'Path', (best || run.single) && el('span', {class: 'path'}, tuple(best ? best.arch : run.single))],
    ['Limits', lines(limitTexts(run))], ['Latency', lines(latencyTexts(run)) || (run.search && run.search.is_finished && 'no device was given')], ['Space', run.network ? run.network.name : (run.search && run.search.space) || settings.space],
    ['Training', run.step > 0 && `${whole(run.step)} of ${settings['train.steps'] ? whole(Number(settings['train.steps'])) : '?'} steps` + (settings['train.batch'] ? `, batch ${settings['train.batch']}` : '') + (settings['train.sampler'] ? `, ${settings['train.sampler']} sampler` : '') + (settings.seed ? `, seed ${settings.seed}` : '')],
    ['Images', settings['data.train']], ['Folder', run.folder]].filter((fact) => fact[1]);
  const images = best && isNumber(best.images) ? `on ${whole(best.images)} held-out images` : 'on held-out images';
  const section = el('section', {id: 'summary'},
    best ? el('div', {class: 'found'}, el('div', {}, el('div', {class: 'big'}, (100 * best.top1).toFixed(2), el('small', {}, ' % top-1')), el('p', {class: 'lead', style: {margin: '6px 0 0'}}, `${images}; ${percent(best.top5)} top-5, loss ${fixed(best.loss, 4)}`)), el('div', {class: 'tiles'}, tilesOf(run)))
      : el('h2', {}, run.single ? 'One path, trained alone' : 'Nothing has been searched yet'),
    el('dl', {class: 'facts'}, facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    run.commands && run.commands.length > 0 && el('details', {open: run.commands.length <= 4}, el('summary', {}, run.commands.length === 1 ? 'The command that produced it' : 'The commands that produced it'), el('pre', {}, run.commands.join('\n'))));
  return section;
}

function notesBox(notes) {
  return notes.length ? el('div', {class: 'notes', role: 'note'}, el('ul', {}, notes.map((note) => el('li', {}, note)))) : null;
}

/* ---- Bad images, events, settings ---- */
function badSection(run) {
  const events = (run.events || []).filter((event) => event.event !== 'start'), bad = run.bad || [];
  const start = (run.events || []).find((event) => event.event === 'start');
  if (!bad.length && !events.length) return el('section', {}, el('h2', {}, 'Bad images and events'), el('p', {class: 'lead', style: {margin: 0}}, 'All images could be decoded' + (start ? '; the log has no event except the start.' : '.')));
  return el('section', {class: 'long'}, el('h2', {}, 'Bad images and events'),
    bad.length ? el('p', {class: 'lead'}, `${whole(run.bad_count)} images could not be decoded and were replaced` + (run.bad_count > bad.length ? `; the first ${bad.length}:` : ':')) : null,
    bad.length ? table([{name: 'Image and reason', isText: true, isWide: true, value: (line) => line}], bad, {limit: 15}) : null,
    events.length ? el('div', {}, el('h3', {}, 'Events'), table([{name: 'Step', value: (e) => e.step}, {name: 'Event', isText: true, value: (e) => String(e.event)}, {name: 'Details', isText: true, isWide: true, value: (e) => JSON.stringify(e)}], events, {limit: 25})) : null);
}

function settingsSection(run) {
  const rows = Object.entries(run.search_settings || run.settings);
  if (!rows.length) return null;
  return el('section', {class: 'long'}, el('h2', {}, 'Configuration'), el('details', {style: {marginTop: '4px'}}, el('summary', {}, `${rows.length} keys, as resolved`),
    table([{name: 'Key', isText: true, value: (r) => r[0]}, {name: 'Value', isText: true, isWide: true, value: (r) => r[1]}], rows, {limit: Infinity})));
}

/* Returns one word about all limits of a run: none, exceeded, met or unknown. */
function limitsText(run) {
  const all = limitsOf(run);
  if (!all.length) return 'none';
  if (all.some((x) => x.isHeld === false)) return el('span', {class: 'broken'}, 'exceeded');
  return all.every((x) => x.isHeld) ? el('span', {class: 'held'}, 'met') : 'unknown';
}

/* ---- Several runs ---- */
function comparisonTable(runs) {
  const devices = [...new Set(runs.flatMap((run) => run.deviceNames || []))];
  const on = (run, name) => { const d = (run.deviceNames || []).indexOf(name); return run.best && d >= 0 ? run.best.on[d].ms : null; };
  const column = (name, value, text, initial) => ({name, value, text: (run) => text(value(run)), initial});
  const steps = (run) => run.step > 0 ? run.step : null;
  return table([{name: 'Run', isText: true, value: (run) => run.name, text: (run) => el('span', {class: 'legend', style: {margin: 0}}, el('span', {}, el('i', {style: {background: run.colour}}), run.name))},
    column('Top-1', (run) => run.best && run.best.top1, percent, 'descending'), column('Multiply-adds, M', (run) => run.best && run.best.macs, digits), column('Parameters, M', (run) => run.best && run.best.parameters, digits),
    ...devices.map((name) => column(`${name}${runs.some((run) => isMeasured(run, name) === false) ? ' (modelled)' : ''}, ms`, (run) => on(run, name), digits)), column('Steps', steps, whole), column('Candidates', (run) => run.candidates.length, whole), column('Random paths', (run) => run.search && run.search.random_mean_top1_acc, percent),
    {name: 'Limits', value: (run) => limitsOf(run).some((x) => x.isHeld === false) ? 1 : 0, text: limitsText},
    {name: 'Path', isText: true, isWide: true, value: (run) => run.best ? tuple(run.best.arch) : dash, text: (run) => el('span', {class: 'path'}, run.best ? tuple(run.best.arch) : dash)}], runs, {limit: Infinity, isStacked: true});
}

/* Returns a table of the latency of each found network on each device that any run of the same space has. */
function deviceMatrix(runs) {
  const known = new Map();
  runs.forEach((run) => (run.devices || []).forEach((device, d) => { if (!known.has(device.name)) known.set(device.name, {run, d, device}); }));
  const found = runs.filter((run) => run.best && run.network);
  if (known.size < 2 || found.length < 1) return null;
  const cell = (run, item) => item.run.network.name === run.network.name && item.run.network.classes === run.network.classes ? latencyOf(item.run, item.d, run.best.arch) : null;
  return el('div', {style: {marginTop: '18px'}}, el('h3', {}, 'Found networks on each device, ms'), table([{name: 'Found by', isText: true, value: (run) => run.name},
    ...[...known.values()].map((item) => ({name: item.device.name + (item.device.measured ? '' : ' (modelled)'), value: (run) => cell(run, item), text: (run) => digits(cell(run, item))}))], found, {limit: Infinity, isStacked: true}));
}

function stagesText(stage) {
  const s = stage.summary;
  if (!s) return el('p', {}, `${stage.folder}: ${stage.count} stages so far.`);
  const change = s.steps_of_one_group > 0 ? 100 * (s.steps / s.steps_of_one_group - 1) : null;
  return el('p', {}, `${stage.folder}: ${s.stages.map((x, i) => `stage ${i + 1} searches layers ${x.first} to ${x.last} after ${whole(x.steps)} steps`).join('; ')}. ${whole(s.steps)} steps in total` +
    (change === null ? '.' : `, a single group needs ${whole(s.steps_of_one_group)}: ${signed(change)} %.`), ' Found: ', el('span', {class: 'path'}, s.tuple));
}

function comparisonSection(runs) {
  if (runs.length < 2) return null;
  const searched = runs.filter((run) => run.candidates.length), loss = lossOverlay(runs);
  const box = searched.length && hasCharts ? scatterBox(searched, {className: 'chart', choose: (run) => show(runs.indexOf(run))}) : null;
  const section = el('section', {id: 'comparison', class: 'long'}, el('h2', {}, report.stages.length ? 'Comparison of stages and runs' : 'Comparison of runs'), report.stages.map(stagesText), comparisonTable(runs),
    el('div', {class: 'charts', style: {marginTop: '20px'}}, loss && hasCharts && loss, box && el('div', {}, box, runLegend(searched))), deviceMatrix(runs));
  section.whenShown = () => { if (loss && hasCharts) loss.whenShown(); if (box) { box.firstChild.nextSibling.style.height = '300px'; box.whenShown(); } };
  return section;
}

/* ---- The page ---- */
const main = document.getElementById('main'), detail = el('div', {id: 'run', role: report.runs.length > 1 ? 'tabpanel' : null});
let tabs = [];

function addSections(host, sections) {
  const list = sections.filter(Boolean);
  host.append(...list);
  for (const section of list) if (section.whenShown) section.whenShown();
}

function show(index) {
  const run = report.runs[index];
  [...charts].filter((chart) => detail.contains(chart.canvas)).forEach(removeChart);
  detail.replaceChildren();
  tabs.forEach((tab, i) => { tab.setAttribute('aria-selected', i === index); tab.tabIndex = i === index ? 0 : -1; });
  addSections(detail, [notesBox(run.notes), summarySection(run), trainingSection(run), candidatesSection(run), networkSection(run), useSection(run), ...(run.devices || []).map((device) => measuredSection(run, device)), badSection(run), settingsSection(run)]);
}

/* Draws the whole page again. index: the run that is shown in detail. */
function start(index) {
  const runs = report.runs;
  [...charts].forEach(removeChart);
  main.replaceChildren();
  hideTip();
  runs.forEach((run, i) => {
    run.colour = runColours[i % runColours.length];
    run.notes = run.notes || [];
    run.settings = run.settings || {};
    readCandidates(run);
  });
  document.getElementById('title').textContent = runs.map((run) => run.name).slice(0, 4).join(' \u00b7 ') + (runs.length > 4 ? ` and ${runs.length - 4} more` : '');
  const space = [...new Set(runs.map((run) => run.network && run.network.name).filter(Boolean))].join(', ');
  document.getElementById('subtitle').textContent = (runs.length > 1 ? `${runs.length} runs` : 'Supernet training and search') + (space ? ` in the space ${space}` : '');
  document.getElementById('made').textContent = `Made by squall ${report.version}.` + (hasCharts ? ` Charts by Chart.js ${Chart.version} (MIT licence).` : ' Built without libjs-chart.js: tables only.');
  const stageNotes = report.stages.flatMap((stage) => stage.notes.map((note) => `${stage.folder}: ${note}`));
  addSections(main, [notesBox(stageNotes), comparisonSection(runs)]);
  if (runs.length > 1) {
    tabs = runs.map((run, i) => el('button', {type: 'button', role: 'tab', click: () => show(i), keydown: (event) => {
      const next = event.key === 'ArrowRight' ? i + 1 : event.key === 'ArrowLeft' ? i - 1 : i;
      if (next !== i && tabs[next]) { show(next); tabs[next].focus(); }
    }}, run.name));
    main.append(el('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Runs'}, tabs));
  }
  main.append(detail);
  show(Math.min(index, runs.length - 1));
}
start(0);

/* ---- Live: fetches the data again and redraws the page after a change, except while the user points at a chart or has zoomed ---- */
if (report.live) {
  const state = el('button', {type: 'button', class: 'quiet', 'aria-pressed': 'false', click: () => { isPaused = !isPaused; showState(); }}, 'Live');
  let isPaused = false, isLost = false, before = JSON.stringify(report.runs);
  const showState = () => { state.textContent = isLost ? 'Disconnected' : isPaused ? 'Paused' : 'Live'; state.setAttribute('aria-pressed', String(!isPaused && !isLost)); };
  const isBusy = () => !tip.hidden || document.querySelector('#pinned table') || charts.some((chart) => chart.isZoomed && chart.isZoomed());
  document.getElementById('theme').before(state);
  showState();
  setInterval(async () => {
    if (isPaused || document.hidden) return;
    try {
      const next = await (await fetch('data', {cache: 'no-store'})).json(), now = JSON.stringify(next.runs);
      isLost = false;
      if (now !== before && !isBusy()) {
        const y = scrollY, index = Math.max(0, tabs.findIndex((tab) => tab.getAttribute('aria-selected') === 'true'));
        before = now;
        report = next;
        start(index);
        scrollTo({top: y, behavior: 'instant'});
      }
    } catch (_) { isLost = true; }
    showState();
  }, 2000);
}
