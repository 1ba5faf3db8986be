'use strict';
/* Draws one network with one row per layer: a block whose width grows with the layer's channels, and the layer's shares
 * of latency and multiply-adds. */

/* Returns kernel, expansion and squeeze-and-excitation of an operator as text; '' for a property that operators of its
 * kind do not have. */
function operatorFacts(operator) {
  return {kernel: operator.kernel > 0 ? `${operator.kernel}\u00d7${operator.kernel}` : '',
    expansion: operator.expansion !== null ? digits(operator.expansion) : '', se: operator.se ? 'SE' : ''};
}

/* Returns the layers of a path as [{layer, operator, isSearched, macs, parameters, ms: [of each device]}]; null if the
 * path does not fit the space. */
function layersOf(run, arch) {
  const net = run.network;
  if (!net || net.layers.filter((layer) => layer.searched >= 0).length !== arch.length) return null;
  const rows = net.layers.map((layer, l) => {
    const choice = layer.searched >= 0 ? arch[layer.searched] : 0;
    if (!(choice < layer.choices.length)) return null;
    return {layer, l, choice, index: layer.choices[choice], operator: net.operators[layer.choices[choice]], isSearched: layer.searched >= 0, macs: layer.macs[choice], parameters: layer.parameters[choice],
      ms: (run.devices || []).map((device) => device.ms[l][choice])};
  });
  return rows.includes(null) ? null : rows;
}

/* Returns the latency of the whole network `arch` on device d of the run; null: unknown. */
function latencyOf(run, d, arch) {
  const rows = layersOf(run, arch);
  return rows && run.devices && run.devices[d] ? run.devices[d].base_ms + rows.reduce((sum, row) => sum + row.ms[d], 0) : null;
}

function bar(value, total, largest, className) {
  const share = total > 0 ? value / total : 0;
  return el('div', {class: 'bar ' + className, title: percent(share, 2)}, el('i', {style: {width: largest > 0 ? Math.max(0, 100 * value / largest) + '%' : '0'}}), el('span', {}, percent(share, 1)));
}

/* Returns a table of the layers of the path `arch`. Layers that differ from the path `other` are marked, unless other
 * is null. d: the device of the latency bars. */
function networkTable(run, arch, other, d = 0) {
  const rows = layersOf(run, arch);
  if (!rows) return el('p', {class: 'lead'}, 'The space file of this run is missing, so its layers cannot be drawn.');
  const device = run.devices && run.devices[d], macs = rows.reduce((sum, row) => sum + row.macs, 0), ms = device ? latencyOf(run, d, arch) : 0;
  const largest = (of) => Math.max(...rows.map(of)), mostMacs = largest((r) => r.macs), mostMs = device ? largest((r) => r.ms[d]) : 0, widest = Math.sqrt(largest((r) => r.layer.c_out));
  const body = rows.map((row, i) => {
    const facts = operatorFacts(row.operator), isReduced = i > 0 && rows[i - 1].layer.h !== row.layer.h;
    const shape = el('div', {class: 'shape' + (row.isSearched ? '' : ' fixed'), style: {background: operatorColour(row.index), width: 42 + 58 * Math.sqrt(row.layer.c_out) / widest + '%'}}, el('span', {}, row.operator.name));
    const classes = [isReduced && 'reduce', other && row.isSearched && other[row.layer.searched] !== row.choice && 'differs'].filter(Boolean).join(' ');
    return el('tr', {class: classes || null}, el('td', {}, row.isSearched ? row.layer.searched + 1 : ''), el('td', {class: 'block'}, shape), el('td', {class: 'secondary'}, facts.kernel), el('td', {class: 'secondary'}, facts.expansion), el('td', {class: 'secondary'}, facts.se),
      el('td', {class: 'secondary'}, row.layer.c_out), el('td', {class: 'secondary'}, `${row.layer.h}\u00d7${row.layer.w}`), device && el('td', {}, bar(row.ms[d], ms, mostMs, 'latency')), el('td', {}, bar(row.macs, macs, mostMacs, 'macs')));
  });
  const head = (text, className, hint) => el('th', {scope: 'col', class: className, title: hint}, text);
  return el('div', {class: 'scroll'}, el('table', {class: 'net'}, el('thead', {}, el('tr', {}, head('#', null, 'searched layer'), head('Operator', 'text block'), head('Kernel', 'secondary'), head('Exp.', 'secondary', 'expansion'), head('SE', 'secondary', 'squeeze-and-excitation'), head('Width', 'secondary', 'channels of the output'),
    head('Output', 'secondary', 'pixels of the output'), device && head('Latency', null, `share of ${digits(ms)} ms on ${device.name}`), head('Multiply-adds', null, `share of ${digits(macs)} M`))), el('tbody', {}, body),
    el('tfoot', {}, el('tr', {}, el('td', {}), el('td', {class: 'text'}, device && device.base_ms > .001 * ms ? `beside the layers: ${digits(device.base_ms, 3)} ms, ${percent(device.base_ms / ms, 1)}` : ''), el('td', {class: 'secondary'}), el('td', {class: 'secondary'}), el('td', {class: 'secondary'}), el('td', {class: 'secondary'}), el('td', {class: 'secondary'}),
      device && el('td', {}, `${digits(ms)} ms`), el('td', {}, `${digits(macs)} M`)))));
}

function networkSection(run) {
  const arch = run.best ? run.best.arch : run.single;
  if (!arch || !run.network) return null;
  const host = el('div'), devices = run.devices || [];
  const show = (d) => host.replaceChildren(networkTable(run, arch, null, d));
  show(0);
  const select = devices.length > 1 && el('label', {}, 'latency on', el('select', {change: (event) => show(Number(event.target.value))}, devices.map((device, d) => el('option', {value: d}, device.name))));
  return el('section', {id: 'network', class: 'long'}, el('h2', {}, run.best ? 'The found network' : 'The trained network'),
    el('p', {class: 'lead'}, `One row per layer of ${run.network.name}, from ${run.network.resolution} \u00d7 ${run.network.resolution} pixels to ${run.network.classes} classes. The width of a block grows with its channels; grey layers had no choice. ` +
      (devices[0] ? `Latency on ${devices.map((x) => x.name + (x.measured ? '' : ' (modelled)')).join(', ')}.` : '')), select && el('div', {class: 'tools'}, select), host,
    el('p', {class: 'lead', style: {margin: '12px 0 0'}}, 'SVG picture: ', el('code', {}, `squall draw ${quote(run.folder + (run.best ? '/search/arch.json' : '/arch.json'))} --space ${quote(run.settings.space || 'SPACE')} -o net.svg`)));
}
const quote = (word) => /^[\w./-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'";
