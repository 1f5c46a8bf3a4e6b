"""Which pictures does an experiment leave behind? Its curves, its learning rates, one unit's percentiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis.measures import ACCURACY
from experiments.analysis.summary import Network, runs_at_best_rate
from experiments.analysis.tuning import plain
from experiments.configuration.experiment import LEARNING_RATE, Experiment, Run
from experiments.records.storage import Curve, write_atomically
from experiments.reporting.arm_styles import kinds_of
from experiments.reporting.figures import Convergence, convergence_figure, percentiles_figure, rate_figure, svg_file

CurvesOf = Callable[[Iterable[Run], str], Mapping[str, Sequence[Curve]]]  # (runs, metric) → arm → curves
CAPTIONS = {
    "convergence": "Validation accuracy over the steps, each arm at its best learning rate",
    "sensitivity": "How much each arm minds its learning rate",
    "percentiles": "The distribution of one unit's input over the steps, as in figure 1 of Ioffe & Szegedy (2015)",
}
FIGURES = "figures"


def pictures(
    experiment: Experiment, table: pd.DataFrame, networks: Sequence[Network], curves_of: CurvesOf
) -> dict[str, Figure]:
    """Return the figures that an experiment's runs allow, by the names of `CAPTIONS`."""
    runs = runs_at_best_rate(experiment, table)
    accuracy, found = curves_of(runs, ACCURACY), {}
    kinds = kinds_of(experiment.config)
    shown = [network for network in networks if any(arm.arm in accuracy for arm in network.arms)]
    if shown:
        found["convergence"] = convergence_figure(
            *(
                Convergence(
                    {arm.arm: accuracy[arm.arm] for arm in network.arms if arm.arm in accuracy},
                    network.level.accuracy if network.level else None,
                    network.name,
                )
                for network in shown
            ),
            kinds=kinds,
        )
    rates = {float(plain(rate)) for rate in experiment.config.grid.get(LEARNING_RATE, ())}
    if len(rates) > 1 and len(experiment.config.grid) == 1 and len(table):
        of_grid = table[table[LEARNING_RATE].astype(float).isin(rates) & (table["status"] != "failed")]
        if "final_validation_accuracy" in of_grid and of_grid["final_validation_accuracy"].notna().any():
            found["sensitivity"] = rate_figure(of_grid, kinds)
    if "unit_percentiles" in experiment.config.run.probes:
        tested = curves_of(runs, "accuracy/test") or accuracy
        found["percentiles"] = percentiles_figure(tested, _percentiles_of_first_unit(runs, curves_of))
    return found


def draw(experiment: str, found: Mapping[str, Figure]) -> dict[str, str]:
    """Return each figure as an SVG file, by its name."""
    return {name: svg_file(picture, f"{experiment}-{name}") for name, picture in found.items()}


def write_pictures(folder: Path, drawn: Mapping[str, str]) -> None:
    """Write `figures/<name>.svg` into an experiment's folder, in place of what we drew before."""
    (folder / FIGURES).mkdir(exist_ok=True)
    for name in CAPTIONS:
        (folder / f"{name}.svg").unlink(missing_ok=True)  # where earlier versions put it
        if name not in drawn:
            (folder / FIGURES / f"{name}.svg").unlink(missing_ok=True)
    for name, svg in drawn.items():
        write_atomically(folder / FIGURES / f"{name}.svg", svg.encode())


def _percentiles_of_first_unit(runs: Sequence[Run], curves_of: CurvesOf) -> dict[str, tuple[Curve, Curve, Curve]]:
    """Arm → the percentiles of the first unit of its last hidden layer, from its first run that has them."""
    found: dict[str, tuple[Curve, Curve, Curve]] = {}
    for run in runs:
        if run.arm not in found:
            layer = run.config.model.hidden
            by_name = [curves_of([run], f"pre_activation/{layer}/unit_000/p{p}").get(run.arm) for p in (15, 50, 85)]
            if all(by_name):
                low, median, high = (curves[0] for curves in by_name if curves)
                found[run.arm] = (low, median, high)
    return found
