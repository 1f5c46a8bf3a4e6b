// The page to play with: state, what the runs come to at it, and the charts that show it.
"use strict";

const NETWORKS = JSON.parse(document.getElementById("data").textContent);
const ACCURACY = "accuracy/validation", LOSS = "loss/train";
const FLAT = { sigmoid: [-2.944, 2.944], tanh: [-1.472, 1.472], relu: [0, Infinity] }; // inputs between which an activation is not flat
const IN_A_ROW = 2; // evaluations that have to be at a level, as in the results
const EVEN = 1.1; // times fewer steps, or less, are about as many
const $ = (id) => document.getElementById(id);
const state = { network: 0, sides: [], place: 0, own: false, step: 0, level: 0.5, seed: "" };

// What runs come to. The same definitions as in experiments/analysis: statistics.median, hitting_times, effects.

function median(values, isRatio = false) {
  const ordered = [...values].sort((a, b) => a - b), last = ordered.length - 1;
  if (last < 0) return NaN;
  const first = ordered[Math.floor(last / 2)], second = ordered[Math.ceil(last / 2)];
  if (first === second) return first;
  return isRatio ? Math.sqrt(first) * Math.sqrt(second) : (first + second) / 2;
}

function hittingTime(values, every, level) {
  const from = values.findIndex((_, i) => values.slice(i, i + IN_A_ROW).filter((v) => v >= level).length === IN_A_ROW);
  if (from <= 0) return from === 0 ? 0 : Infinity;
  const below = values[from - 1];
  return every * (from - 1 + (level - below) / (values[from] - below));
}

/** Of each seed of a cell the ends between which its steps to a level lie: open where it never came there. */
function stepsTo(cell, level) {
  const curve = cell.curves[ACCURACY], budget = NETWORKS[state.network].steps;
  return cell.seeds.map((_, i) => {
    const steps = !curve || cell.diverged[i] !== null ? Infinity : hittingTime(curve.values[i], curve.every, level);
    return steps === Infinity ? [budget, Infinity] : [steps, steps];
  });
}

/** Of each seed that both cells have the ends of how many times fewer steps the second takes. */
function gains(first, second, level) {
  const [from, to] = [first, second].map((cell) => stepsTo(cell, level));
  return first.seeds.flatMap((seed, i) => {
    const j = second.seeds.indexOf(seed);
    if (j < 0) return [];
    const [low, high] = [from[i][0] / to[j][1], from[i][1] / to[j][0]];
    return Number.isNaN(low) || Number.isNaN(high) ? [] : [{ seed, low, high }];
  });
}

/** What the gains come to together, and what is known of it: "=", at least "≥", at most "≤" or nothing "". */
function gainOf(found) {
  const of = found.filter(({ seed }) => state.seed === "" || seed === +state.seed);
  const low = median(of.map((g) => g.low), true), high = median(of.map((g) => g.high), true);
  if (low === high) return { value: low, sign: "=" };
  if (low > 0) return { value: low, sign: "≥" };
  return Number.isFinite(high) ? { value: high, sign: "≤" } : { value: NaN, sign: "" };
}

/** A metric of a cell at every evaluation: of the seed chosen, or the median; a run that has diverged is the worst. */
function summary(cell, metric) {
  const curve = cell.curves[metric];
  if (!curve) return [];
  const worst = metric === ACCURACY ? -Infinity : metric === LOSS ? Infinity : null;
  const chosen = cell.seeds.map((seed, i) => i).filter((i) => state.seed === "" || cell.seeds[i] === +state.seed);
  const length = Math.max(...curve.values.map((values) => values.length));
  return Array.from({ length }, (_, at) => {
    const values = chosen.map((i) => curve.values[i][at] ?? (cell.diverged[i] !== null && at ? worst : null));
    const found = median(values.filter((value) => value !== null));
    return Number.isFinite(found) ? found : null;
  });
}

/** The last evaluation of a metric up to the step of the slider: its step, and its value, null without any. */
function at(cell, metric) {
  const every = cell.curves[metric]?.every ?? 1, place = Math.floor(state.step / every);
  return { step: place * every, value: summary(cell, metric)[place] ?? null };
}

// What is shown now.

const network = () => NETWORKS[state.network];
const arms = () => state.sides.map((side) => network().arms[side]);
const bestCell = (arm) => arm.at_best ?? (arm.best === null ? null : arm.cells[arm.best]);
const cells = () => arms().map((arm) => (state.own && bestCell(arm)) || arm.cells[state.place]);
const places = () => arms().map((arm) => (state.own && arm.best !== null ? arm.best : state.place));
const everyOf = (shown) => Math.min(...shown.arms.flatMap((arm) => arm.cells.flatMap((cell) => Object.values(cell.curves).map((c) => c.every))));
const metricsOf = (shown, pattern) => [...new Set(shown.arms.flatMap((arm) => [...arm.cells, ...(arm.at_best ? [arm.at_best] : [])].flatMap((cell) => Object.keys(cell.curves))))].filter((name) => pattern.test(name));

// Numbers in words.

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
const minus = (text) => text.replaceAll("-", "−").replace("e+", "e");
const plain = (value) => (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e5) ? minus(value.toExponential(1)) : minus(String(+value.toPrecision(3))));
const digits = (value) => (value === null ? "–" : Math.abs(value) >= 0.001 && Math.abs(value) < 1000 ? minus(value.toPrecision(3)) : plain(value));
const oneDecimal = (value) => minus(value.toFixed(1).replace(/^-0\.0$/, "0.0"));
const times = (value) => `${value >= 9.95 ? value.toFixed(0) : value >= 0.995 && value < 1.995 ? value.toFixed(2) : value.toPrecision(2)}`;
const where = () => (state.own ? "each at its best " + network().axis : network().axis && `${network().axis} ${network().values[state.place]}`);

const orDiverged = (cell, words) => (words === "–" && state.step && cell.diverged.some((step) => step !== null) ? "diverged" : words);

function stepsWords(cell) {
  const found = stepsTo(cell, state.level).filter((_, i) => state.seed === "" || cell.seeds[i] === +state.seed);
  const low = median(found.map((ends) => ends[0])), high = median(found.map((ends) => ends[1]));
  if (!found.length) return "–";
  return low === high ? low.toFixed(low < 10 ? 1 : 0) : "not reached";
}

function seedsWords(cell) {
  if (!cell.seeds.length) return "no run";
  const [first, last] = [Math.min(...cell.seeds), Math.max(...cell.seeds)];
  const seeds = `${cell.seeds.every((seed) => network().tuning.includes(seed)) ? "tuning " : ""}seed`;
  return first === last ? `1 ${seeds}, ${first}` : `${cell.seeds.length} ${seeds}s, ${first}–${last}`;
}

function finding() {
  const [first, second] = cells(), [one, two] = arms().map((arm) => arm.label);
  const goal = `${percent(state.level)} validation accuracy`, at = where();
  if (!second) return `${stepsWords(first)} steps to ${goal}${at ? ` (${at})` : ""}.`;
  if (!first.seeds.length || !second.seeds.length) return "No runs here.";
  const [from, to] = [first, second].map(stepsWords), gain = gainOf(gains(first, second, state.level));
  const steps = `${from === "not reached" ? "not reached" : `${from} steps`} ${one}, ${to === "not reached" ? "not reached" : `${to} steps`} ${two}`;
  const start = `To ${goal}${at ? `, ${at}` : ""}: ${steps}`;
  const who = state.seed === "" ? "median over seeds" : `seed ${state.seed}`;
  if (from === "not reached" && to === "not reached") return `${start}, in ${network().steps.toLocaleString("en")} steps.`;
  if (gain.sign === "=" && Math.abs(Math.log(gain.value)) < Math.log(EVEN)) return `${start}: about as many (${times(gain.value)} times fewer, ${who}).`;
  if (gain.sign === "=" && gain.value < 1) return `${start}: ${times(1 / gain.value)} times as many (${who}).`;
  if (gain.sign === "") return `${start}.`;
  return `${start}: ${{ "=": "", "≥": "at least ", "≤": "at most " }[gain.sign]}${times(gain.value)} times fewer (${who}).`;
}

// Charts.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const strong = (side, label, more = {}) => ({ label, stroke: colour(`side-${side}`), width: 2.5, points: { show: false }, ...more });
const faint = (side) => ({ stroke: colour(`side-${side}`) + "50", width: 1, points: { show: false } });
const finite = (values) => values.filter((value) => value !== null && Number.isFinite(value));
const logarithm = (value) => (value > 0 ? Math.log10(value) : null);

/** Ticks of a logarithmic axis whose values are logarithms: 1, 2, 5 a decade, or powers of ten over many. */
function logTicks(low, high) {
  const ticks = [];
  for (let e = Math.floor(low); e <= Math.ceil(high); e++) for (const m of high - low > 2.5 ? [1] : [1, 2, 5]) ticks.push(Math.log10(m) + e);
  const inside = ticks.filter((tick) => tick >= low && tick <= high), every = Math.ceil(inside.length / 7);
  return inside.filter((_, i) => i % every === 0);
}

const LOG = { splits: (_, __, low, high) => logTicks(low, high), values: (_, ticks) => ticks.map((tick) => plain(10 ** tick)) };

/** A chart in its host, drawn anew only where `key` says that it shows something else. */
function chart(host, key, build) {
  if (host.key === key) return host.plot.redraw(false);
  const { data, series, x, y, range, draw = [], aim, bands, words } = build();
  const axis = { stroke: colour("soft"), grid: { stroke: colour("rule"), width: 0.5 }, ticks: { stroke: colour("rule") }, font: "12px system-ui", labelFont: "12px system-ui", labelSize: 18, labelGap: 0 };
  host.plot?.destroy();
  host.key = key;
  host.replaceChildren();
  host.setAttribute("aria-label", words);
  host.plot = new uPlot({
    width: host.clientWidth, height: host.clientHeight, legend: { show: false }, padding: [8, 12, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: { x: { time: false, ...(x.range ? { range: x.range } : {}) }, y: range ? { range } : {} },
    axes: [{ ...axis, size: 32, ...x }, { ...axis, size: 52, ...y }],
    series: [{}, ...series], bands,
    hooks: { drawClear: draw.filter((d) => d.under), draw: draw.filter((d) => !d.under) },
  }, data, host);
  if (aim) host.plot.over.addEventListener("click", (event) => aim(host.plot.posToVal(event.offsetX, "x")));
}

/** An upright line at `value()`, or a level one at `level()`, in the text's colour. */
function rule(value, upright = true) {
  return (u) => {
    const where = u.valToPos(value(), upright ? "x" : "y", true), { left, top, width, height } = u.bbox;
    if (!Number.isFinite(where)) return;
    u.ctx.save();
    u.ctx.strokeStyle = colour(upright ? "ink" : "soft");
    u.ctx.setLineDash(upright ? [] : [6, 5]);
    u.ctx.lineWidth = 1.5;
    u.ctx.beginPath();
    u.ctx.moveTo(upright ? where : left, upright ? top : where);
    u.ctx.lineTo(upright ? where : left + width, upright ? top + height : where);
    u.ctx.stroke();
    u.ctx.restore();
  };
}

/** Shade where an activation is flat, outside of `ends`. */
function shade([low, high]) {
  const draw = (u) => {
    const { left, top, width, height } = u.bbox, clamp = (y) => Math.min(Math.max(y, top), top + height);
    const [bottom, upper] = [low, high].map((v) => clamp(Number.isFinite(v) ? u.valToPos(v, "y", true) : top));
    u.ctx.fillStyle = colour("flat");
    u.ctx.fillRect(left, bottom, width, top + height - bottom);
    u.ctx.fillRect(left, top, width, upper - top);
  };
  return Object.assign(draw, { under: true });
}

const STEPS = { label: "training step", values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")) };
const aimAtStep = (step) => set({ step: Math.min(Math.max(Math.round(step / +$("step").step) * +$("step").step, 0), network().steps) });
const shownKey = (...more) => [state.network, state.sides, places(), state.own, state.seed, matchMedia("(prefers-color-scheme: dark)").matches, ...more].join();

/** Hosts of charts by title, made where the titles have changed. */
function hosts(id, titles) {
  const parent = $(id), key = titles.map(([title]) => title).join("|");
  if (parent.key !== key) {
    for (const { plot } of parent.querySelectorAll(".plot")) plot?.destroy();
    parent.key = key;
    parent.replaceChildren(...titles.map(([title, side]) => {
      const [host, heading, reading, plot] = ["div", "h3", "p", "div"].map((tag) => document.createElement(tag));
      host.className = "chart";
      heading.textContent = title;
      if (side !== undefined) heading.className = `side side-${side}`;
      reading.className = "reading";
      plot.className = "plot";
      plot.setAttribute("role", "img");
      host.append(heading, reading, plot);
      return host;
    }));
  }
  return [...parent.querySelectorAll(".plot")];
}

function curveChart(host, metric, title, scale, y, draw) {
  chart(host, shownKey(), () => {
    const found = cells().map((cell) => cell.curves[metric]).map((curve) => curve ?? { every: 1, values: [] });
    const every = Math.min(...found.map((curve) => curve.every)), length = network().steps / every + 1;
    const spread = (values, own) => Array.from({ length }, (_, i) => { const v = values[(i * every) / own]; return v === undefined || v === null ? null : scale(v); });
    const lines = found.map((curve) => curve.values.map((values) => spread(values, curve.every)));
    const thick = cells().map((cell, side) => spread(summary(cell, metric), found[side].every));
    return {
      data: [Array.from({ length }, (_, i) => i * every), ...lines.flat(), ...thick],
      series: [...lines.flatMap((of, side) => of.map(() => faint(side))), ...thick.map((_, side) => strong(side, arms()[side].label, { spanGaps: true }))],
      x: STEPS, y, draw: [rule(() => state.step), ...draw], aim: aimAtStep, range: y.range,
      words: `${title} against training steps, ${where()}: ${arms().map((arm) => arm.label).join(" and ")}`,
    };
  });
}

function drawBands() {
  const layers = [...new Set(metricsOf(network(), /^pre_activation\//).map((name) => name.replace(/\/p\d+$/, "")))].sort();
  const title = (layer) => layer.replace("pre_activation/", "layer ").replace(/\/unit_0*(\d+)$/, (_, unit) => `, unit ${+unit + 1} alone`);
  const measured = layers.filter((layer) => cells().some((cell) => cell.curves[`${layer}/p50`]));
  const flat = FLAT[network().activation];
  $("bands-section").hidden = !layers.length;
  const rates = network().values.filter((_, i) => arms().some((arm) => Object.keys(arm.cells[i].curves).some((name) => name.startsWith("pre_activation"))));
  const missing = `Measured at ${network().axis} ${rates.join(", ")} alone: choose one of these to see it.`;
  $("bands-note").textContent = measured.length
    ? `Line: median of what goes into a unit's activation; band: from its 15th to its 85th percentile over a batch, mean over the layer's units where no unit is named; of several seeds the median.${flat ? ` Grey: where the ${network().activation} is flat${network().activation === "relu" ? "" : ", its output in the outer 5 % of its range"}.` : ""}`
    : missing;
  const all = hosts("bands", measured.flatMap((layer) => arms().map((arm, side) => [`${title(layer)}, ${arm.label}`, side])));
  measured.forEach((layer, row) => {
    const names = ["p85", "p50", "p15"].map((p) => `${layer}/${p}`);
    const found = cells().map((cell) => names.map((name) => summary(cell, name)));
    const ends = finite(found.flat(2).concat((flat ?? []).map((end) => end * 1.2)));
    const [low, high] = [Math.min(...ends), Math.max(...ends)], room = 0.06 * (high - low) || 1;
    cells().forEach((cell, side) => {
      const now = names.map((name) => at(cell, name)).reverse(), reading = all[row * found.length + side].previousSibling;
      reading.textContent = now[0].value === null ? "" : `15, 50, 85 % at step ${now[0].step}: ${now.map(({ value }) => oneDecimal(value)).join(", ")}`;
    });
    found.forEach((curves, side) => chart(all[row * found.length + side], shownKey(layer), () => {
      const every = cells()[side].curves[names[1]]?.every ?? 1, stroke = colour(`side-${side}`);
      return {
        data: [curves[1].map((_, i) => i * every), ...curves],
        series: [strong(side, "85 %", { width: 1 }), strong(side, "median"), strong(side, "15 %", { width: 1 })],
        bands: [{ series: [1, 3], fill: stroke + "40" }],
        x: { ...STEPS, range: () => [0, network().steps] }, y: { label: "into the activation" },
        range: () => [low - room, high + room], draw: [...(flat ? [shade(flat)] : []), rule(() => state.step)], aim: aimAtStep,
        words: `Percentiles of what goes into the activations of ${title(layer)}, ${arms()[side].label}, against training steps`,
      };
    }));
  });
}

function drawLayers() {
  const kinds = [
    ["gradient_norm", "Gradient norm of each layer's weights", logarithm, { label: "‖gradient‖, log scale", ...LOG }],
    ["saturation", "Units in the flat ends of their activation", (v) => 100 * v, { label: "share of outputs (%)" }],
  ].map(([kind, ...rest]) => [metricsOf(network(), new RegExp(`^${kind}/\\d+$`)).sort((a, b) => a.split("/")[1] - b.split("/")[1]), ...rest]);
  const known = kinds.filter(([names]) => names.length);
  const shown = known.filter(([names]) => cells().some((cell) => cell.curves[names[0]]));
  $("layers-section").hidden = !known.length;
  $("layers-note").textContent = shown.length ? "Layers from the input on; of gradients the output layer is the last." : `Not measured at this ${network().axis}.`;
  const all = hosts("layers", shown.map(([, title]) => [title]));
  shown.forEach(([names, title, scale, y], i) => chart(all[i], shownKey(state.step), () => {
    const place = (curve) => Math.floor(state.step / curve.every), put = (v) => (v === null || v === undefined ? null : scale(v));
    const lines = cells().map((cell) => cell.seeds.map((_, s) => names.map((name) => cell.curves[name] && put(cell.curves[name].values[s][place(cell.curves[name])]))));
    const thick = cells().map((cell) => names.map((name) => put(at(cell, name).value)));
    const everything = finite(cells().flatMap((cell) => names.flatMap((name) => (cell.curves[name]?.values ?? []).flat().map(put))));
    return {
      data: [names.map((_, layer) => layer + 1), ...lines.flat(), ...thick],
      series: [...lines.flatMap((of, side) => of.map(() => faint(side))), ...thick.map((_, side) => strong(side, arms()[side].label, { points: { show: true, size: 8, fill: colour(`side-${side}`) } }))],
      x: { label: "layer", splits: () => names.map((_, layer) => layer + 1), range: () => [0.7, names.length + 0.3] }, y,
      range: () => { const [low, high] = [Math.min(...everything), Math.max(...everything)], room = 0.05 * (high - low) || 0.5; return [low - room, high + room]; },
      words: `${title}, layer by layer, at step ${state.step}`,
    };
  }));
}

/** Gains along x: single seeds, their median, and ▲ or ▼ where only a bound is known. */
function gainChart(host, key, x, found, title) {
  chart(host, key, () => {
    const seeds = [...new Set(found.flatMap((of) => of.map((gain) => gain.seed)))];
    const of = found.map(gainOf), exact = (gain) => (gain && gain.low === gain.high ? logarithm(gain.low) : null);
    const singles = seeds.map((seed) => found.map((gain) => exact(gain.find((g) => g.seed === seed))));
    const known = of.map((gain) => (gain.sign === "=" ? logarithm(gain.value) : null));
    const bounds = of.map((gain) => (gain.sign === "≥" || gain.sign === "≤" ? logarithm(gain.value) : null));
    const marks = (u) => bounds.forEach((bound, i) => {
      if (bound === null || (x.dense && i % 2)) return;
      u.ctx.fillStyle = colour("ink");
      u.ctx.font = `${(x.dense ? 9 : 14) * devicePixelRatio}px system-ui`;
      u.ctx.textAlign = "center";
      u.ctx.textBaseline = "middle";
      u.ctx.fillText(of[i].sign === "≥" ? "▲" : "▼", u.valToPos(x.at[i], "x", true), u.valToPos(bound, "y", true));
    });
    const everything = finite([...singles.flat(), ...known, ...bounds, logarithm(0.5), logarithm(2)]);
    const points = (size, fill) => ({ show: !x.dense, size, fill, width: 0 }), soft = colour("soft") + "70";
    const single = { stroke: soft, width: x.dense ? 1 : 0, points: points(4, soft) };
    return {
      data: [x.at, ...singles, known, bounds],
      series: [...singles.map(() => single), { stroke: colour("ink"), width: 2.5, points: points(8, colour("ink")) }, { width: 0, points: { show: false } }],
      x: x.axis, y: { label: "times fewer steps", ...LOG, values: (_, ticks) => ticks.map((tick) => `${plain(10 ** tick)}×`) },
      range: () => [Math.min(...everything) - 0.08, Math.max(...everything) + 0.08],
      draw: [rule(() => 0, false), ...(x.now ? [rule(x.now)] : []), marks], aim: x.aim, words: title,
    };
  });
}

function drawGains() {
  const two = arms().length === 2, values = network().values, many = values.length > 1;
  $("gains-section").hidden = !two;
  if (!two) return;
  const [first, second] = arms(), levels = Array.from({ length: 80 }, (_, i) => 0.2 + i / 100), at = where();
  const titles = [...(many ? [[`by ${network().axis}, to ${percent(state.level)}`]] : []), [`by the accuracy asked for${at ? `, ${at}` : ""}`]];
  const parent = $("gains"), all = hosts("gains", titles.map((_, i) => [`${i}`]));
  parent.querySelectorAll("h3").forEach((heading, i) => { heading.textContent = titles[i][0]; });
  if (many) {
    const axis = { label: network().axis, splits: () => values.map((_, i) => i), values: (u, ticks) => ticks.map((i) => (i % Math.ceil((values.length * 42) / (u.width - 64)) ? "" : values[i])), range: () => [-0.5, values.length - 0.5] };
    const x = { at: values.map((_, i) => i), axis, now: state.own ? null : () => state.place, aim: (i) => set({ place: Math.min(Math.max(Math.round(i), 0), values.length - 1), own: false }) };
    gainChart(all[0], shownKey(state.level), x, values.map((_, i) => gains(first.cells[i], second.cells[i], state.level)), `Times fewer steps ${titles[0][0]}`);
  }
  const axis = { label: "validation accuracy asked for (%)", values: (_, ticks) => ticks.map((tick) => Math.round(100 * tick)), range: () => [0.19, 1] };
  const x = { at: levels, axis, dense: true, now: () => state.level, aim: (level) => set({ level: Math.min(Math.max(Math.round(level * 200) / 200, 0.2), 0.99) }) };
  gainChart(all[all.length - 1], shownKey(), x, levels.map((level) => gains(...cells(), level)), `Times fewer steps ${titles[titles.length - 1][0]}`);
}

// Controls.

function showNumbers() {
  const shown = cells();
  document.querySelectorAll("[data-side]").forEach((head) => { head.hidden = +head.dataset.side >= shown.length; head.textContent = arms()[+head.dataset.side]?.label ?? ""; });
  $("numbers-of").textContent = state.seed === "" ? "Median over seeds" : `Seed ${state.seed}`;
  const rows = [
    ["accuracy", `Validation accuracy at step ${state.step}`, (cell) => orDiverged(cell, percent(at(cell, ACCURACY).value))],
    ["loss", `Training loss at step ${state.step}`, (cell) => orDiverged(cell, digits(at(cell, LOSS).value))],
    ["steps", `Steps to ${percent(state.level)}`, stepsWords],
    ...(network().axis ? [["rate", network().axis[0].toUpperCase() + network().axis.slice(1), (_, side) => network().values[places()[side]]]] : []),
    ["runs", "Runs", (cell) => { const lost = cell.diverged.filter((d) => d !== null).length; return seedsWords(cell) + (lost ? `; ${lost} diverged` : ""); }],
  ];
  $("numbers").replaceChildren(...rows.map(([name, words, value]) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = words;
    row.append(head, ...shown.map((cell, side) => Object.assign(document.createElement("td"), { id: `${name}-${side}`, textContent: value(cell, side) })));
    return row;
  }));
}

function showControls() {
  const shown = network(), seeds = [...new Set(cells().flatMap((cell) => cell.seeds))];
  const fill = (select, options, value) => {
    const key = JSON.stringify(options);
    if (select.key !== key) select.replaceChildren(...options.map(([of, text]) => new Option(text, of)));
    select.key = key;
    select.value = value;
  };
  if (state.seed !== "" && !seeds.includes(+state.seed)) state.seed = "";
  fill($("network"), NETWORKS.map((n, i) => [i, n.name]), state.network);
  fill($("seed"), [["", "all, and their median"], ...seeds.map((seed) => [seed, seed])], state.seed);
  for (const [i, id] of ["left", "right"].entries()) {
    $(`${id}-choice`).hidden = shown.arms.length < 3;
    fill($(id), shown.arms.map((arm, j) => [j, arm.label]), state.sides[i]);
  }
  $("rates").hidden = shown.values.length < 2 || arms().some((arm) => arm.best === null);
  $("rates-of").textContent = shown.axis;
  $(state.own ? "own" : "same").checked = true;
  $("rate-slider").hidden = shown.values.length < 2;
  $("rate-label").textContent = shown.axis && shown.axis[0].toUpperCase() + shown.axis.slice(1);
  const sliders = [
    ["rate", { max: shown.values.length - 1, value: state.place, disabled: state.own }, state.own ? "own best" : shown.values[state.place]],
    ["step", { max: shown.steps, step: everyOf(shown), value: state.step }, state.step.toLocaleString("en")],
    ["level", { value: state.level }, percent(state.level)],
  ];
  for (const [id, properties, words] of sliders) {
    Object.assign($(id), properties);
    $(id).setAttribute("aria-valuetext", words);
    $(`${id}-shown`).textContent = words;
  }
  const unseen = metricsOf(shown, /\/\d+/).length ? "" : " Inside of its layers nothing was measured.";
  $("about").textContent = `Trained on ${shown.about}.${unseen}`;
  $("sources").textContent = shown.sources.join(", ");
}

function render() {
  showControls();
  $("finding").textContent = finding();
  showNumbers();
  const [accuracy, loss] = hosts("curves", [["Validation accuracy"], ["Training loss"]]);
  curveChart(accuracy, ACCURACY, "Validation accuracy", (v) => 100 * v, { label: "accuracy (%)", range: () => [0, 100] }, [rule(() => 100 * state.level, false)]);
  curveChart(loss, LOSS, "Training loss", logarithm, { label: "loss, log scale", ...LOG }, []);
  drawBands();
  drawLayers();
  drawGains();
}

function set(change) {
  Object.assign(state, change);
  render();
}

/** Show a network, at the value of the slider that is nearest to the present one, from its own level on. */
function choose(index, change = {}) {
  const value = network().values[state.place], shown = NETWORKS[index];
  const near = shown.values.map((other) => Math.abs(Math.log(other / value))), least = Math.min(...near);
  const level = Math.min(Math.max(Math.round(200 * (shown.level ?? 0.5)) / 200, 0.2), 0.99);
  const step = Math.min(Math.round(state.step / everyOf(shown)) * everyOf(shown), shown.steps);
  set({ network: index, sides: shown.pair, place: Math.max(near.indexOf(least), 0), step, level, own: false, seed: "", ...change });
}

/** Places worth a look, by what the runs come to: where the gain is largest and where there is none, for example. */
function looks() {
  const found = NETWORKS.flatMap((shown, index) => shown.pair.length < 2 ? [] : shown.values.map((_, place) => {
    Object.assign(state, { network: index, seed: "" });
    const [first, second] = shown.pair.map((side) => shown.arms[side].cells[place]), level = shown.level ?? 0.5;
    const to = [first, second].map((cell) => median(stepsTo(cell, level).map((ends) => ends[1])));
    const layers = "gradient_norm/1" in first.curves && "gradient_norm/1" in second.curves;
    const trains = [first, second].map((cell) => (summary(cell, ACCURACY).at(-1) ?? 0) > level / 2);
    return { index, place, to, layers, trains, seeds: Math.min(first.seeds.length, second.seeds.length), gain: gainOf(gains(first, second, level)) };
  }));
  const most = Math.max(...found.map((look) => look.seeds)), all = found.filter((look) => look.seeds === most);
  const known = all.filter(({ gain, to }) => gain.sign === "=" && gain.value > 0 && Number.isFinite(to[0]));
  const [one, two] = NETWORKS[0].pair.map((side) => NETWORKS[0].arms[side].label);
  const best = (of, score) => of.reduce((a, b) => (a && score(a) >= score(b) ? a : b), null);
  const offered = [
    [`Most steps saved ${two}`, best(known.filter((f) => f.gain.value > EVEN), (f) => f.gain.value)],
    ["About as many steps", best(known.filter((f) => Math.abs(Math.log(f.gain.value)) < Math.log(EVEN)), (f) => -Math.abs(Math.log(f.gain.value)))],
    [`More steps ${two}`, best(known.filter((f) => f.gain.value < 1 / EVEN), (f) => -f.gain.value)],
    [`Trains only ${two}`, best(all.filter((f) => !f.trains[0] && Number.isFinite(f.to[1])), (f) => -f.to[1])],
    [`Trains only ${one}`, best(all.filter((f) => !f.trains[1] && Number.isFinite(f.to[0])), (f) => -f.to[0])],
    ["Gradients, layer by layer", best(found.filter((f) => f.layers && f.gain.sign === "="), (f) => f.gain.value)],
  ].filter(([, look]) => look);
  $("looks").replaceChildren(...offered.map(([words, look]) => {
    const button = document.createElement("button"), every = everyOf(NETWORKS[look.index]);
    const reached = Math.min(...look.to);
    button.type = "button";
    button.textContent = words;
    button.look = () => choose(look.index, { place: look.place, step: Math.min(Math.ceil(reached / every) * every, NETWORKS[look.index].steps) });
    button.addEventListener("click", button.look);
    return button;
  }));
}

function play() {
  clearInterval(play.timer);
  const stop = play.timer && $("play").textContent !== "▶";
  $("play").textContent = stop ? "▶" : "❚❚";
  $("play").setAttribute("aria-label", stop ? "Play the training" : "Stop");
  if (stop) return;
  if (state.step >= network().steps) set({ step: 0 });
  play.timer = setInterval(() => {
    if (state.step >= network().steps) return play();
    set({ step: Math.min(state.step + +$("step").step, network().steps) });
  }, 120);
}

$("network").addEventListener("change", (event) => choose(+event.target.value));
for (const [i, id] of ["left", "right"].entries()) $(id).addEventListener("change", (event) => set({ sides: state.sides.map((side, j) => (i === j ? +event.target.value : side)) }));
$("seed").addEventListener("change", (event) => set({ seed: event.target.value }));
for (const id of ["same", "own"]) $(id).addEventListener("change", () => set({ own: $("own").checked }));
$("rate").addEventListener("input", (event) => set({ place: +event.target.value }));
$("step").addEventListener("input", (event) => set({ step: +event.target.value }));
$("level").addEventListener("input", (event) => set({ level: +event.target.value }));
$("play").addEventListener("click", play);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
addEventListener("resize", () => document.querySelectorAll(".plot").forEach((host) => host.plot?.setSize({ width: host.clientWidth, height: host.clientHeight })));

looks();
const opening = $("looks").querySelector("button");
state.network = 0;
if (opening) opening.look();
else choose(0);
