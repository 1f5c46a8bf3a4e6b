"""Plain bounds, which hold for every seed or do not hold."""

from __future__ import annotations

from math import nan

import pytest
from judging import BOUND, RATE, evaluation_rows, experiment, judged, table

from experiments.analysis.claims import judge


def test_an_exact_claim_holds_for_every_seed_and_has_no_p():
    result = judged(BOUND, None, [1e-4, 1e-3], claim={"kind": "exact"}, seeds=2)
    part = result.parts[0]
    assert (result.verdict, part.p, part.estimate, part.low, part.high) == ("supported", None, 1e-3, 1e-4, 1e-3)


def test_one_seed_beyond_the_bound_refutes_an_exact_claim():
    result = judged(BOUND, None, [1e-4] * 19 + [2e-3], claim={"kind": "exact"}, seeds=20)
    assert (result.verdict, result.parts[0].estimate) == ("refuted", 2e-3)
    assert judged(BOUND, None, [1e-4, nan], claim={"kind": "exact"}, seeds=2).verdict == "inconclusive"


def test_the_worst_seed_of_a_lower_bound_is_the_smallest():
    part = BOUND | {"margin": {"at_least": 0.5}}
    result = judged(part, None, [0.4, 0.9], claim={"kind": "exact"}, seeds=2)
    assert (result.verdict, result.parts[0].estimate) == ("refuted", 0.4)


ALIKE = {
    "measure": "first_values",
    "effect": "largest_difference",
    "baseline": "no_bn",
    "treatment": "bn",
    "rate": "every",
    "margin": {"at_most": 1e-4},
}


def test_losses_step_by_step_are_a_plain_bound_in_a_statistical_claim():
    config = experiment(ALIKE, grid={RATE: [0.1, 1.0]})
    base, near, far = [[2.0, 1.0]] * 10, [[2.0, 1.00005]] * 10, [[2.0, 1.00005]] * 9 + [[2.0, 1.1]]
    rows = evaluation_rows(config, no_bn={0.1: base, 1.0: base}, bn={0.1: near, 1.0: base})
    part = judge("id", config, rows).parts[0]
    assert (part.verdict, part.p) == ("supported", None)
    assert part.estimate == pytest.approx(5e-5)
    rows = evaluation_rows(config, no_bn={0.1: base, 1.0: base}, bn={0.1: near, 1.0: far})
    assert judge("id", config, rows).verdict == "refuted"


def test_a_run_that_left_no_losses_is_missing():
    config = experiment(ALIKE)
    rows = table(config, 0, {"arm": "no_bn", "value": [[1.0]] * 10}, {"arm": "bn", "value": [[]] + [[1.0]] * 9})
    assert judge("id", config, rows).reason == "1 of 10 runs of bn have no value of first_values(loss/step)"
