// What can be moved? The controls of explorer.html, where it opens, and what is drawn anew.
"use strict";

function showNumbers() {
  const shown = cells();
  document.querySelectorAll("[data-side]").forEach((head) => {
    head.hidden = +head.dataset.side >= shown.length;
    head.textContent = arms()[+head.dataset.side]?.label ?? "";
  });
  $("numbers-of").textContent = state.seed === "" ? "Median over seeds" : `Seed ${state.seed}`;
  const rows = [
    [
      "accuracy",
      `Validation accuracy at step ${state.step}`,
      (cell) => orDiverged(cell, percent(at(cell, ACCURACY).value)),
    ],
    ["loss", `Training loss at step ${state.step}`, (cell) => orDiverged(cell, digits(at(cell, LOSS).value))],
    ["steps", `Steps to ${percent(state.level)}`, stepsWords],
    ...(network().axis
      ? [
          [
            "rate",
            network().axis[0].toUpperCase() + network().axis.slice(1),
            (_, side) => network().values[places()[side]],
          ],
        ]
      : []),
    [
      "runs",
      "Runs",
      (cell) => {
        const lost = cell.diverged.filter((d) => d !== null).length;
        return seedsWords(cell) + (lost ? `; ${lost} diverged` : "");
      },
    ],
  ];
  $("numbers").replaceChildren(
    ...rows.map(([name, words, value]) => {
      const row = document.createElement("tr"),
        head = document.createElement("th");
      head.scope = "row";
      head.textContent = words;
      row.append(
        head,
        ...shown.map((cell, side) =>
          Object.assign(document.createElement("td"), { id: `${name}-${side}`, textContent: value(cell, side) }),
        ),
      );
      return row;
    }),
  );
}

function showControls() {
  const shown = network(),
    seeds = [...new Set(cells().flatMap((cell) => cell.seeds))];
  const fill = (select, options, value) => {
    const key = JSON.stringify(options);
    if (select.key !== key) select.replaceChildren(...options.map(([of, text]) => new Option(text, of)));
    select.key = key;
    select.value = value;
  };
  if (state.seed !== "" && !seeds.includes(+state.seed)) state.seed = "";
  fill(
    $("network"),
    NETWORKS.map((n, i) => [i, n.name]),
    state.network,
  );
  fill($("seed"), [["", "all, and their median"], ...seeds.map((seed) => [seed, seed])], state.seed);
  for (const [i, id] of ["left", "right"].entries()) {
    $(`${id}-choice`).hidden = shown.arms.length < 3;
    fill(
      $(id),
      shown.arms.map((arm, j) => [j, arm.label]),
      state.sides[i],
    );
  }
  $("rates").hidden = shown.values.length < 2 || arms().some((arm) => arm.best === null);
  $("rates-of").textContent = shown.axis;
  $(state.own ? "own" : "same").checked = true;
  $("rate-slider").hidden = shown.values.length < 2;
  $("rate-label").textContent = shown.axis && shown.axis[0].toUpperCase() + shown.axis.slice(1);
  const sliders = [
    [
      "rate",
      { max: shown.values.length - 1, value: state.place, disabled: state.own },
      state.own ? "own best" : shown.values[state.place],
    ],
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
  curveChart(
    accuracy,
    ACCURACY,
    "Validation accuracy",
    (v) => 100 * v,
    { label: "accuracy (%)", range: () => [0, 100] },
    [rule(() => 100 * state.level, false)],
  );
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
  const value = network().values[state.place],
    shown = NETWORKS[index];
  const near = shown.values.map((other) => Math.abs(Math.log(other / value))),
    least = Math.min(...near);
  const level = Math.min(Math.max(Math.round(200 * (shown.level ?? 0.5)) / 200, 0.2), 0.99);
  const step = Math.min(Math.round(state.step / everyOf(shown)) * everyOf(shown), shown.steps);
  set({
    network: index,
    sides: shown.pair,
    place: Math.max(near.indexOf(least), 0),
    step,
    level,
    own: false,
    seed: "",
    ...change,
  });
}

/** Places worth a look, by what the runs come to: where the gain is largest and where there is none, for example. */
function looks() {
  const found = NETWORKS.flatMap((shown, index) =>
    shown.pair.length < 2
      ? []
      : shown.values.map((_, place) => {
          Object.assign(state, { network: index, seed: "" });
          const [first, second] = shown.pair.map((side) => shown.arms[side].cells[place]),
            level = shown.level ?? 0.5;
          const to = [first, second].map((cell) => median(stepsTo(cell, level).map((ends) => ends[1])));
          const layers = "gradient_norm/1" in first.curves && "gradient_norm/1" in second.curves;
          const trains = [first, second].map((cell) => (summary(cell, ACCURACY).at(-1) ?? 0) > level / 2);
          return {
            index,
            place,
            to,
            layers,
            trains,
            seeds: Math.min(first.seeds.length, second.seeds.length),
            gain: gainOf(gains(first, second, level)),
          };
        }),
  );
  const most = Math.max(...found.map((look) => look.seeds)),
    all = found.filter((look) => look.seeds === most);
  const known = all.filter(({ gain, to }) => gain.sign === "=" && gain.value > 0 && Number.isFinite(to[0]));
  const side = (look, place) => withArm(NETWORKS[look.index].arms[NETWORKS[look.index].pair[place]]);
  const best = (of, score) => of.reduce((a, b) => (a && score(a) >= score(b) ? a : b), null);
  const offered = [
    [
      (look) => `Most steps saved ${side(look, 1)}`,
      best(
        known.filter((f) => f.gain.value > EVEN),
        (f) => f.gain.value,
      ),
    ],
    [
      () => "About as many steps",
      best(
        known.filter((f) => Math.abs(Math.log(f.gain.value)) < Math.log(EVEN)),
        (f) => -Math.abs(Math.log(f.gain.value)),
      ),
    ],
    [
      (look) => `More steps ${side(look, 1)}`,
      best(
        known.filter((f) => f.gain.value < 1 / EVEN),
        (f) => -f.gain.value,
      ),
    ],
    [
      (look) => `Trains only ${side(look, 1)}`,
      best(
        all.filter((f) => !f.trains[0] && Number.isFinite(f.to[1])),
        (f) => -f.to[1],
      ),
    ],
    [
      (look) => `Trains only ${side(look, 0)}`,
      best(
        all.filter((f) => !f.trains[1] && Number.isFinite(f.to[0])),
        (f) => -f.to[0],
      ),
    ],
    [
      () => "Gradients, layer by layer",
      best(
        found.filter((f) => f.layers && f.gain.sign === "="),
        (f) => f.gain.value,
      ),
    ],
  ].filter(([, look]) => look);
  $("looks").replaceChildren(
    ...offered.map(([words, look]) => {
      const button = document.createElement("button"),
        every = everyOf(NETWORKS[look.index]);
      const reached = Math.min(...look.to);
      button.type = "button";
      button.textContent = words(look);
      button.look = () =>
        choose(look.index, {
          place: look.place,
          step: Math.min(Math.ceil(reached / every) * every, NETWORKS[look.index].steps),
        });
      button.addEventListener("click", button.look);
      return button;
    }),
  );
}

function play() {
  const playing = play.timer !== undefined;
  play.timer = clearInterval(play.timer);
  $("play").textContent = playing ? "▶" : "❚❚";
  $("play").setAttribute("aria-label", playing ? "Play the training" : "Stop the training");
  if (playing) return;
  if (state.step >= network().steps) set({ step: 0 });
  play.timer = setInterval(() => {
    if (state.step >= network().steps) return play();
    set({ step: Math.min(state.step + +$("step").step, network().steps) });
  }, 120);
}

$("network").addEventListener("change", (event) => choose(+event.target.value));
for (const [i, id] of ["left", "right"].entries())
  $(id).addEventListener("change", (event) =>
    set({ sides: state.sides.map((side, j) => (i === j ? +event.target.value : side)) }),
  );
$("seed").addEventListener("change", (event) => set({ seed: event.target.value }));
for (const id of ["same", "own"]) $(id).addEventListener("change", () => set({ own: $("own").checked }));
$("rate").addEventListener("input", (event) => set({ place: +event.target.value }));
$("step").addEventListener("input", (event) => set({ step: +event.target.value }));
$("level").addEventListener("input", (event) => set({ level: +event.target.value }));
$("play").addEventListener("click", play);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
addEventListener("resize", () =>
  document
    .querySelectorAll(".plot")
    .forEach((host) => host.plot?.setSize({ width: host.clientWidth, height: host.clientHeight })),
);

looks();
const opening = $("looks").querySelector("button");
state.network = 0;
if (opening) opening.look();
else choose(0);
