// What do the runs come to at the place of the sliders? The numbers of explorer.html, and their words.
"use strict";

const NETWORKS = JSON.parse(document.getElementById("data").textContent);
const ACCURACY = "accuracy/validation",
  LOSS = "loss/train";
const FLAT = { sigmoid: [-2.944, 2.944], tanh: [-1.472, 1.472], relu: [0, Infinity] }; // inputs between which an activation is not flat
const IN_A_ROW = 2; // evaluations that have to be at a level, as in the results
const EVEN = 1.1; // times fewer steps, or less, are about as many
const $ = (id) => document.getElementById(id);
const state = { network: 0, sides: [], place: 0, own: false, step: 0, level: 0.5, seed: "" };

// What runs come to. The same definitions as in experiments/analysis: statistics.median, hitting_times, effects.

function median(values, isRatio = false) {
  const ordered = [...values].sort((a, b) => a - b),
    last = ordered.length - 1;
  if (last < 0) return NaN;
  const first = ordered[Math.floor(last / 2)],
    second = ordered[Math.ceil(last / 2)];
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
  const curve = cell.curves[ACCURACY],
    budget = NETWORKS[state.network].steps;
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
  const low = median(
      of.map((g) => g.low),
      true,
    ),
    high = median(
      of.map((g) => g.high),
      true,
    );
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
  const every = cell.curves[metric]?.every ?? 1,
    place = Math.floor(state.step / every);
  return { step: place * every, value: summary(cell, metric)[place] ?? null };
}

// What is shown now.

const network = () => NETWORKS[state.network];
const arms = () => state.sides.map((side) => network().arms[side]);
const bestCell = (arm) => arm.at_best ?? (arm.best === null ? null : arm.cells[arm.best]);
const cells = () => arms().map((arm) => (state.own && bestCell(arm)) || arm.cells[state.place]);
const places = () => arms().map((arm) => (state.own && arm.best !== null ? arm.best : state.place));
const everyOf = (shown) =>
  Math.min(...shown.arms.flatMap((arm) => arm.cells.flatMap((cell) => Object.values(cell.curves).map((c) => c.every))));
const metricsOf = (shown, pattern) =>
  [
    ...new Set(
      shown.arms.flatMap((arm) =>
        [...arm.cells, ...(arm.at_best ? [arm.at_best] : [])].flatMap((cell) => Object.keys(cell.curves)),
      ),
    ),
  ].filter((name) => pattern.test(name));

// Numbers in words.

const percent = (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`);
const minus = (text) => text.replaceAll("-", "−").replace("e+", "e");
const plain = (value) =>
  value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e5)
    ? minus(value.toExponential(1))
    : minus(String(+value.toPrecision(3)));
const digits = (value) =>
  value === null
    ? "–"
    : Math.abs(value) >= 0.001 && Math.abs(value) < 1000
      ? minus(value.toPrecision(3))
      : plain(value);
const oneDecimal = (value) => minus(value.toFixed(1).replace(/^-0\.0$/, "0.0"));
const times = (value) =>
  `${value >= 9.95 ? value.toFixed(0) : value >= 0.995 && value < 1.995 ? value.toFixed(2) : value.toPrecision(2)}`;
const withArm = (arm) => (/^with/.test(arm.label) ? arm.label : `with ${arm.label}`);
const where = () =>
  state.own
    ? "each at its best " + network().axis
    : network().axis && `${network().axis} ${network().values[state.place]}`;

const orDiverged = (cell, words) =>
  words === "–" && state.step && cell.diverged.some((step) => step !== null) ? "diverged" : words;

function stepsWords(cell) {
  const found = stepsTo(cell, state.level).filter((_, i) => state.seed === "" || cell.seeds[i] === +state.seed);
  const low = median(found.map((ends) => ends[0])),
    high = median(found.map((ends) => ends[1]));
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
  const [first, second] = cells(),
    [one, two] = arms().map(withArm);
  const goal = `${percent(state.level)} validation accuracy`,
    at = where();
  if (!second) return `${stepsWords(first)} steps to ${goal}${at ? ` (${at})` : ""}.`;
  if (!first.seeds.length || !second.seeds.length) return "No runs here.";
  const [from, to] = [first, second].map(stepsWords),
    gain = gainOf(gains(first, second, state.level));
  const steps = `${from === "not reached" ? "not reached" : `${from} steps`} ${one}, ${to === "not reached" ? "not reached" : `${to} steps`} ${two}`;
  const start = `To ${goal}${at ? `, ${at}` : ""}: ${steps}`;
  const who = state.seed === "" ? "median over seeds" : `seed ${state.seed}`;
  if (from === "not reached" && to === "not reached")
    return `${start}, in ${network().steps.toLocaleString("en")} steps.`;
  if (gain.sign === "=" && Math.abs(Math.log(gain.value)) < Math.log(EVEN))
    return `${start}: about as many (${times(gain.value)} times fewer, ${who}).`;
  if (gain.sign === "=" && gain.value < 1) return `${start}: ${times(1 / gain.value)} times as many (${who}).`;
  if (gain.sign === "") return `${start}.`;
  return `${start}: ${{ "=": "", "≥": "at least ", "≤": "at most " }[gain.sign]}${times(gain.value)} times fewer (${who}).`;
}
