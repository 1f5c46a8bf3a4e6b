"""What would have changed a verdict, said in a sentence."""

from __future__ import annotations

from typing import Any

from judging import ACCURACY, BOUND, STEPS, judged

from experiments.analysis.claims import PartResult
from experiments.reporting.wording import what_would_change


def change(baseline: Any, treatment: Any, **fields: object) -> str:
    return what_would_change(judged(STEPS, baseline, treatment, **fields).parts[0])


def test_what_would_change_names_the_margin_and_the_interval():
    assert change([200.0, 300.0] * 5, 100.0) == "It would be inconclusive if the interval, 2 to 3, reached past 1.5."
    assert change(100.0, 100.0) == "It would be inconclusive if the interval, 1 at both ends, reached 1.5."
    assert change([100.0, 200.0] * 5, 100.0) == (
        "It would be supported if the whole interval, 1 to 2, lay above 1.5, and refuted if all of it lay below."
    )
    assert change(150.0, 100.0) == "It would be supported if the adjusted p, 1, were below 0.05: with more seeds."
    assert change(300.0, 100.0, seeds=3) == "No verdict before this is mended: 3 seeds, where a verdict takes 10."


def test_what_would_change_of_a_bound_and_of_points():
    bound: PartResult = judged(BOUND, None, 1e-4, claim={"kind": "exact"}).parts[0]
    assert what_would_change(bound) == "It would be refuted if one seed broke the bound of 0.001."
    broken = judged(BOUND, None, 1.0, claim={"kind": "exact"}).parts[0]
    assert what_would_change(broken) == "It would be supported if no seed broke the bound of 0.001."
    points = judged(ACCURACY, 0.90, [0.90, 0.91] * 5).parts[0]
    assert "0 to 1 points, lay above 0.5 points" in what_would_change(points)
