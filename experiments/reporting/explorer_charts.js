// How are runs drawn? The charts of explorer.html, by uPlot.
"use strict";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const strong = (side, label, more = {}) => ({
  label,
  stroke: colour(`side-${side}`),
  width: 2.5,
  points: { show: false },
  ...more,
});
const faint = (side) => ({ stroke: colour(`side-${side}`) + "50", width: 1, points: { show: false } });
const finite = (values) => values.filter((value) => value !== null && Number.isFinite(value));
const logarithm = (value) => (value > 0 ? Math.log10(value) : null);

/** Ticks of a logarithmic axis whose values are logarithms: 1, 2, 5 a decade, or powers of ten over many. */
function logTicks(low, high) {
  const ticks = [];
  for (let e = Math.floor(low); e <= Math.ceil(high); e++)
    for (const m of high - low > 2.5 ? [1] : [1, 2, 5]) ticks.push(Math.log10(m) + e);
  const inside = ticks.filter((tick) => tick >= low && tick <= high),
    every = Math.ceil(inside.length / 7);
  return inside.filter((_, i) => i % every === 0);
}

const LOG = {
  splits: (_, __, low, high) => logTicks(low, high),
  values: (_, ticks) => ticks.map((tick) => plain(10 ** tick)),
};

/** A chart in its host, drawn anew only where `key` says that it shows something else. */
function chart(host, key, build) {
  if (host.key === key) return host.plot.redraw(false);
  const { data, series, x, y, range, draw = [], aim, bands, words } = build();
  const axis = {
    stroke: colour("soft"),
    grid: { stroke: colour("rule"), width: 0.5 },
    ticks: { stroke: colour("rule") },
    font: "12px system-ui",
    labelFont: "12px system-ui",
    labelSize: 18,
    labelGap: 0,
  };
  host.plot?.destroy();
  host.key = key;
  host.replaceChildren();
  host.setAttribute("aria-label", words);
  host.plot = new uPlot(
    {
      width: host.clientWidth,
      height: host.clientHeight,
      legend: { show: false },
      padding: [8, 20, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      scales: { x: { time: false, ...(x.range ? { range: x.range } : {}) }, y: range ? { range } : {} },
      axes: [
        { ...axis, size: 32, ...x },
        { ...axis, size: 52, ...y },
      ],
      series: [{}, ...series],
      bands,
      hooks: { drawClear: draw.filter((d) => d.under), draw: draw.filter((d) => !d.under) },
    },
    data,
    host,
  );
  if (aim) host.plot.over.addEventListener("click", (event) => aim(host.plot.posToVal(event.offsetX, "x")));
}

/** An upright line at `value()`, or a level one at `level()`, in the text's colour. */
function rule(value, upright = true) {
  return (u) => {
    const where = u.valToPos(value(), upright ? "x" : "y", true),
      { left, top, width, height } = u.bbox;
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
    const { left, top, width, height } = u.bbox,
      clamp = (y) => Math.min(Math.max(y, top), top + height);
    const [bottom, upper] = [low, high].map((v) => clamp(Number.isFinite(v) ? u.valToPos(v, "y", true) : top));
    u.ctx.fillStyle = colour("flat");
    u.ctx.fillRect(left, bottom, width, top + height - bottom);
    u.ctx.fillRect(left, top, width, upper - top);
  };
  return Object.assign(draw, { under: true });
}

const STEPS = { label: "training step", values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en")) };
const aimAtStep = (step) =>
  set({ step: Math.min(Math.max(Math.round(step / +$("step").step) * +$("step").step, 0), network().steps) });
const shownKey = (...more) =>
  [
    state.network,
    state.sides,
    places(),
    state.own,
    state.seed,
    matchMedia("(prefers-color-scheme: dark)").matches,
    ...more,
  ].join();

/** Hosts of charts by title, made where the titles have changed. */
function hosts(id, titles) {
  const parent = $(id),
    key = titles.map(([title]) => title).join("|");
  if (parent.key !== key) {
    for (const { plot } of parent.querySelectorAll(".plot")) plot?.destroy();
    parent.key = key;
    parent.replaceChildren(
      ...titles.map(([title, side]) => {
        const [host, heading, reading, plot] = ["div", "h3", "p", "div"].map((tag) => document.createElement(tag));
        host.className = "chart";
        heading.textContent = title;
        if (side !== undefined) heading.className = `side side-${side}`;
        reading.className = "reading";
        plot.className = "plot";
        plot.setAttribute("role", "img");
        host.append(heading, reading, plot);
        return host;
      }),
    );
  }
  return [...parent.querySelectorAll(".plot")];
}

function curveChart(host, metric, title, scale, y, draw) {
  chart(host, shownKey(), () => {
    const found = cells()
      .map((cell) => cell.curves[metric])
      .map((curve) => curve ?? { every: 1, values: [] });
    const every = Math.min(...found.map((curve) => curve.every)),
      length = network().steps / every + 1;
    const spread = (values, own) =>
      Array.from({ length }, (_, i) => {
        const v = values[(i * every) / own];
        return v === undefined || v === null ? null : scale(v);
      });
    const lines = found.map((curve) => curve.values.map((values) => spread(values, curve.every)));
    const thick = cells().map((cell, side) => spread(summary(cell, metric), found[side].every));
    return {
      data: [Array.from({ length }, (_, i) => i * every), ...lines.flat(), ...thick],
      series: [
        ...lines.flatMap((of, side) => of.map(() => faint(side))),
        ...thick.map((_, side) => strong(side, arms()[side].label, { spanGaps: true })),
      ],
      x: STEPS,
      y,
      draw: [rule(() => state.step), ...draw],
      aim: aimAtStep,
      range: y.range,
      words: `${title} against training steps, ${where()}: ${arms()
        .map((arm) => arm.label)
        .join(" and ")}`,
    };
  });
}

function drawBands() {
  const layers = [
    ...new Set(metricsOf(network(), /^pre_activation\//).map((name) => name.replace(/\/p\d+$/, ""))),
  ].sort(new Intl.Collator("en", { numeric: true }).compare);
  const title = (layer) =>
    layer.replace("pre_activation/", "layer ").replace(/\/unit_0*(\d+)$/, (_, unit) => `, unit ${+unit + 1} alone`);
  const measured = layers.filter((layer) => cells().some((cell) => cell.curves[`${layer}/p50`]));
  const flat = FLAT[network().activation];
  $("bands-section").hidden = !layers.length;
  const rates = network().values.filter((_, i) =>
    arms().some((arm) => Object.keys(arm.cells[i].curves).some((name) => name.startsWith("pre_activation"))),
  );
  const missing = `Measured at ${network().axis} ${rates.join(", ")} alone: choose one of these to see it.`;
  $("bands-note").textContent = measured.length
    ? `Line: median of what goes into a unit's activation; band: from its 15th to its 85th percentile over a batch, mean over the layer's units where no unit is named; of several seeds the median.${flat ? ` Grey: where the ${network().activation} is flat${network().activation === "relu" ? "" : ", its output in the outer 5 % of its range"}.` : ""}`
    : missing;
  const all = hosts(
    "bands",
    measured.flatMap((layer) => arms().map((arm, side) => [`${title(layer)}, ${arm.label}`, side])),
  );
  measured.forEach((layer, row) => {
    const names = ["p85", "p50", "p15"].map((p) => `${layer}/${p}`);
    const found = cells().map((cell) => names.map((name) => summary(cell, name)));
    const ends = finite(found.flat(2).concat((flat ?? []).map((end) => end * 1.2)));
    const [low, high] = [Math.min(...ends), Math.max(...ends)],
      room = 0.06 * (high - low) || 1;
    cells().forEach((cell, side) => {
      const now = names.map((name) => at(cell, name)).reverse(),
        reading = all[row * found.length + side].previousSibling;
      reading.textContent =
        now[0].value === null
          ? ""
          : `15, 50, 85 % at step ${now[0].step}: ${now.map(({ value }) => oneDecimal(value)).join(", ")}`;
    });
    found.forEach((curves, side) =>
      chart(all[row * found.length + side], shownKey(layer), () => {
        const every = cells()[side].curves[names[1]]?.every ?? 1,
          stroke = colour(`side-${side}`);
        return {
          data: [curves[1].map((_, i) => i * every), ...curves],
          series: [strong(side, "85 %", { width: 1 }), strong(side, "median"), strong(side, "15 %", { width: 1 })],
          bands: [{ series: [1, 3], fill: stroke + "40" }],
          x: { ...STEPS, range: () => [0, network().steps] },
          y: { label: "into the activation" },
          range: () => [low - room, high + room],
          draw: [...(flat ? [shade(flat)] : []), rule(() => state.step)],
          aim: aimAtStep,
          words: `Percentiles of what goes into the activations of ${title(layer)}, ${arms()[side].label}, against training steps`,
        };
      }),
    );
  });
}

function drawLayers() {
  const kinds = [
    ["gradient_norm", "Gradient norm of each layer's weights", logarithm, { label: "‖gradient‖, log scale", ...LOG }],
    ["saturation", "Units in the flat ends of their activation", (v) => 100 * v, { label: "share of outputs (%)" }],
  ].map(([kind, ...rest]) => [
    metricsOf(network(), new RegExp(`^${kind}/\\d+$`)).sort((a, b) => a.split("/")[1] - b.split("/")[1]),
    ...rest,
  ]);
  const known = kinds.filter(([names]) => names.length);
  const shown = known.filter(([names]) => cells().some((cell) => cell.curves[names[0]]));
  $("layers-section").hidden = !known.length;
  $("layers-note").textContent = shown.length
    ? "Layers from the input on; of gradients the output layer is the last."
    : `Not measured at this ${network().axis}.`;
  const all = hosts(
    "layers",
    shown.map(([, title]) => [title]),
  );
  shown.forEach(([names, title, scale, y], i) =>
    chart(all[i], shownKey(state.step), () => {
      const place = (curve) => Math.floor(state.step / curve.every),
        put = (v) => (v === null || v === undefined ? null : scale(v));
      const lines = cells().map((cell) =>
        cell.seeds.map((_, s) =>
          names.map((name) => cell.curves[name] && put(cell.curves[name].values[s][place(cell.curves[name])])),
        ),
      );
      const thick = cells().map((cell) => names.map((name) => put(at(cell, name).value)));
      const everything = finite(
        cells().flatMap((cell) => names.flatMap((name) => (cell.curves[name]?.values ?? []).flat().map(put))),
      );
      return {
        data: [names.map((_, layer) => layer + 1), ...lines.flat(), ...thick],
        series: [
          ...lines.flatMap((of, side) => of.map(() => faint(side))),
          ...thick.map((_, side) =>
            strong(side, arms()[side].label, { points: { show: true, size: 8, fill: colour(`side-${side}`) } }),
          ),
        ],
        x: { label: "layer", splits: () => names.map((_, layer) => layer + 1), range: () => [0.7, names.length + 0.3] },
        y,
        range: () => {
          const [low, high] = [Math.min(...everything), Math.max(...everything)],
            room = 0.05 * (high - low) || 0.5;
          return [low - room, high + room];
        },
        words: `${title}, layer by layer, at step ${state.step}`,
      };
    }),
  );
}

/** Gains along x: single seeds, their median, and ▲ or ▼ where only a bound is known. */
function gainChart(host, key, x, found, title) {
  chart(host, key, () => {
    const seeds = [...new Set(found.flatMap((of) => of.map((gain) => gain.seed)))];
    const of = found.map(gainOf),
      exact = (gain) => (gain && gain.low === gain.high ? logarithm(gain.low) : null);
    const singles = seeds.map((seed) => found.map((gain) => exact(gain.find((g) => g.seed === seed))));
    const known = of.map((gain) => (gain.sign === "=" ? logarithm(gain.value) : null));
    const bounds = of.map((gain) => (gain.sign === "≥" || gain.sign === "≤" ? logarithm(gain.value) : null));
    const marks = (u) =>
      bounds.forEach((bound, i) => {
        if (bound === null || (x.dense && i % 2)) return;
        u.ctx.fillStyle = colour("ink");
        u.ctx.font = `${(x.dense ? 9 : 14) * devicePixelRatio}px system-ui`;
        u.ctx.textAlign = "center";
        u.ctx.textBaseline = "middle";
        u.ctx.fillText(of[i].sign === "≥" ? "▲" : "▼", u.valToPos(x.at[i], "x", true), u.valToPos(bound, "y", true));
      });
    const everything = finite([...singles.flat(), ...known, ...bounds, logarithm(0.5), logarithm(2)]);
    const points = (size, fill) => ({ show: !x.dense, size, fill, width: 0 }),
      soft = colour("soft") + "70";
    const single = { stroke: soft, width: x.dense ? 1 : 0, points: points(4, soft) };
    return {
      data: [x.at, ...singles, known, bounds],
      series: [
        ...singles.map(() => single),
        { stroke: colour("ink"), width: 2.5, points: points(8, colour("ink")) },
        { width: 0, points: { show: false } },
      ],
      x: x.axis,
      y: { label: "times fewer steps", ...LOG, values: (_, ticks) => ticks.map((tick) => `${plain(10 ** tick)}×`) },
      range: () => [Math.min(...everything) - 0.08, Math.max(...everything) + 0.08],
      draw: [rule(() => 0, false), ...(x.now ? [rule(x.now)] : []), marks],
      aim: x.aim,
      words: title,
    };
  });
}

function drawGains() {
  const two = arms().length === 2,
    values = network().values,
    many = values.length > 1;
  $("gains-section").hidden = !two;
  if (!two) return;
  const [first, second] = arms(),
    levels = Array.from({ length: 80 }, (_, i) => 0.2 + i / 100),
    at = where();
  const titles = [
    ...(many ? [[`by ${network().axis}, to ${percent(state.level)}`]] : []),
    [`by the accuracy asked for${at ? `, ${at}` : ""}`],
  ];
  const parent = $("gains"),
    all = hosts(
      "gains",
      titles.map((_, i) => [`${i}`]),
    );
  parent.querySelectorAll("h3").forEach((heading, i) => {
    heading.textContent = titles[i][0];
  });
  if (many) {
    const axis = {
      label: network().axis,
      splits: () => values.map((_, i) => i),
      values: (u, ticks) => ticks.map((i) => (i % Math.ceil((values.length * 42) / (u.width - 64)) ? "" : values[i])),
      range: () => [-0.5, values.length - 0.5],
    };
    const x = {
      at: values.map((_, i) => i),
      axis,
      now: state.own ? null : () => state.place,
      aim: (i) => set({ place: Math.min(Math.max(Math.round(i), 0), values.length - 1), own: false }),
    };
    gainChart(
      all[0],
      shownKey(state.level),
      x,
      values.map((_, i) => gains(first.cells[i], second.cells[i], state.level)),
      `Times fewer steps ${titles[0][0]}`,
    );
  }
  const axis = {
    label: "validation accuracy asked for (%)",
    values: (_, ticks) => ticks.map((tick) => Math.round(100 * tick)),
    range: () => [0.19, 1],
  };
  const x = {
    at: levels,
    axis,
    dense: true,
    now: () => state.level,
    aim: (level) => set({ level: Math.min(Math.max(Math.round(level * 200) / 200, 0.2), 0.99) }),
  };
  gainChart(
    all[all.length - 1],
    shownKey(),
    x,
    levels.map((level) => gains(...cells(), level)),
    `Times fewer steps ${titles[titles.length - 1][0]}`,
  );
}
