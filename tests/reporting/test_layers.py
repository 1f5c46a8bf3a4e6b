"""Do the pictures of layers show what the runs of a claim measured, at the step, unit and rate that they say?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from claim_results import claim, experiment, row

from experiments.analysis.claims import Row
from experiments.analysis.part_runs import Results, Side
from experiments.configuration.run import RunConfig
from experiments.records.storage import Curve, Record
from experiments.reporting.layers import OF_PERCENTILES, layer_panels
from experiments.reporting.quantities import LAYER, OF_SEEDS, Panel

ARMS = {"baseline": "no_bn", "treatment": "custom_bn"}
GRADIENTS = {"measure": "gradient_ratio", "step": 20, "effect": "ratio", "over": "baseline", **ARMS}
BY_DEPTH = {"measure": "value_at_step", "metric": "gradient_norm/1", "step": 20, "effect": "ratio", "over": "baseline",
            "per_seed": "growth", "axis": "model.depth", **ARMS}  # fmt: skip
DRIFT = {"measure": "drift", "effect": "ratio", "over": "treatment", **ARMS}


def measured(part: dict[str, Any], held: dict[str, Any], no_bn: list[list[int]], custom_bn: list[list[int]]) -> Row:
    """A row whose arms have these runs, by their rows of the table."""
    values, places = np.zeros(3), tuple(range(10, 10 * (len(no_bn) + 1), 10))
    sides = {
        arm: Side(values, values, runs=np.array(runs), places=places)
        for arm, runs in (("no_bn", no_bn), ("custom_bn", custom_bn))
    }
    return row([2.0] * 3, part, held=held, of={"sides": sides}, runs="deep")


def gradients(run: int) -> Record:
    """At step 20 the norm is run + 1 in the first layer, ten times as large in each after it; at step 0 it is 7."""
    curves = {f"gradient_norm/{n}": Curve(np.array([0, 20]), np.array([7.0, (run + 1) * 10.0 ** (n - 1)])) for n in
              (10, *range(1, 10))}  # fmt: skip
    return Record(RunConfig(), "finished", curves)


def percentiles(run: int) -> Record:
    """Of the last layer three units that move by 9, 1 and 2, and then by as much again, about run; a spread is 2."""
    config = RunConfig.model_validate({"steps": 80, "evaluate_every": 40})
    steps, curves = np.array([0, 40, 80]), {}
    for unit, moves in enumerate((9, 1, 2)):
        for of, percent in ((-1, 15), (0, 50), (1, 85)):
            curves[f"pre_activation/3/unit_{unit:03d}/p{percent}"] = Curve(steps, run + of + moves * np.arange(3.0))
    return Record(config, "finished", curves)


def panels(*rows: Row, read: Callable[[int], Record | None]) -> list[Panel]:
    results = {"deep": Results(experiment(), pd.DataFrame())}
    return list(layer_panels(claim("x", "supported", *rows), results, {"deep": read}))


def test_a_claim_on_gradients_shows_the_norm_at_every_layer_at_its_step_the_output_layer_last() -> None:
    (panel,) = panels(measured(GRADIENTS, {"net": "relu"}, [[0, 1, 2]], [[5, 5, 5]]), read=gradients)
    assert (panel.over, panel.title, panel.logarithmic, panel.spread) == (LAYER, "relu, step 20", True, OF_SEEDS)
    no_bn, custom_bn = panel.series
    assert (no_bn.label, no_bn.kind, custom_bn.kind) == ("no_bn", "none", "custom")
    np.testing.assert_array_equal(no_bn.x, np.arange(1, 11))
    np.testing.assert_allclose(no_bn.middle, 2 * 10.0 ** np.arange(10))
    np.testing.assert_allclose([no_bn.low[3], no_bn.high[3], custom_bn.middle[0]], [1000, 3000, 6])


def test_of_several_depths_the_last_is_shown() -> None:
    (panel,) = panels(measured(BY_DEPTH, {}, [[0] * 3, [1] * 3], [[2] * 3, [3] * 3]), read=gradients)
    assert panel.title == "depth 20, step 20"
    assert [of.middle[0] for of in panel.series] == [2, 4]


def test_drift_is_shown_as_the_percentiles_of_the_unit_of_median_drift_in_the_first_run_at_the_middle_rate() -> None:
    rows = [measured(DRIFT, {"net": "relu", "learning rate": rate}, [[run] * 3], [[run + 10] * 3]) for run, rate in
            enumerate((0.1, 0.3, 1))]  # fmt: skip
    (panel,) = panels(*rows, read=percentiles)
    assert (panel.title, panel.over, panel.spread) == ("relu, learning rate 0.3", "step", OF_PERCENTILES)
    no_bn, custom_bn = panel.series
    np.testing.assert_array_equal(no_bn.x, [0, 40, 80])
    np.testing.assert_array_equal([no_bn.low, no_bn.middle, no_bn.high], [[0, 2, 4], [1, 3, 5], [2, 4, 6]])
    assert custom_bn.middle[0] == 11


def test_without_runs_or_probes_or_of_other_measures_there_is_nothing() -> None:
    at_hand = measured(GRADIENTS, {}, [[0]], [[1]])
    assert panels(at_hand, read=lambda _: None) == []
    assert panels(at_hand, read=percentiles) == []
    assert panels(measured(DRIFT, {}, [[0]], [[1]]), read=gradients) == []
    assert panels(measured({**DRIFT, "measure": "late_value"}, {}, [[0]], [[1]]), read=gradients) == []
    assert list(layer_panels(claim("x", "supported", at_hand), {}, {})) == []
