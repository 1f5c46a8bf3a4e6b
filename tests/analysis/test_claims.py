"""Every verdict, and what keeps one from being given."""

from __future__ import annotations

from math import inf

import pytest

from experiments.analysis.part_runs import Results
from tests.judging import (
    ACCURACY,
    RATE,
    SEEDS,
    TIMES,
    by_accuracy,
    experiment,
    judged,
    learning,
    results,
    runs,
    tuned,
)

BETTER, SAME, WORSE = (0.90, 0.92), (0.90, 0.902), (0.92, 0.90)  # of no_bn and bn


def one_row(baseline: object, treatment: object, **fields: object):
    result = judged(by_accuracy(baseline, treatment), ACCURACY | fields)
    (row,) = result.rows
    assert (result.verdict, result.reason) == (row.verdict, row.reason)
    return row


@pytest.mark.parametrize(
    ("accuracies", "verdict"), [(BETTER, "supported"), (SAME, "no material difference"), (WORSE, "reversed")]
)
def test_an_effect_lies_beyond_the_band_within_it_or_beyond_it_on_the_other_side(accuracies: tuple, verdict: str):
    assert one_row(*accuracies).verdict == verdict


def test_a_row_has_its_median_its_intervals_and_the_count_of_its_seeds():
    # differences of 0.1, 0.2 … 2.0 points, 15 of them above half a point
    row = one_row(0.9, [0.9 + 0.001 * (i + 1) for i in range(20)])
    assert row.estimate == pytest.approx((1.05, 1.05))
    assert row.decided == pytest.approx((0.4, 1.7))
    assert row.usual == pytest.approx((0.6, 1.5))
    assert row.verdict == "unresolved"
    assert row.reason == "15 of 20 seeds beyond the band, 5 within, 0 beyond on the other side"
    assert row.resolved_by == 40
    assert (row.band.low, row.band.neutral, row.band.high) == (-0.5, 0.0, 0.5)


def test_what_is_decided_needs_no_more_seeds():
    assert one_row(*BETTER).resolved_by is None


@pytest.mark.parametrize(
    ("baseline", "verdict"), [(0.98, "supported"), (0.995, "not tested"), (0.996, "not tested"), (0.9949, "supported")]
)
def test_where_the_baseline_is_at_its_end_nothing_is_tested(baseline: float, verdict: str):
    row = one_row(baseline, baseline + 0.006, limit=1)
    assert row.verdict == verdict
    if verdict == "not tested":
        assert row.reason == "the baseline is within 0.5 of 1 already, and can go no further"
        assert row.estimate == pytest.approx((0.6, 0.6))


def test_curves_are_held_against_a_bound_by_their_largest_difference():
    rows = [*runs("no_bn", SEEDS, curve=[0.5, 0.8, 0.8]), *runs("bn", SEEDS[:-1], curve=[0.5, 0.84, 0.8])]
    rows += runs("bn", SEEDS[-1:], curve=[0.5, 0.8, 0.88])
    part = {"measure": "late_value", "metric": "accuracy/validation", "effect": "largest_difference"}
    part |= {"baseline": "no_bn", "treatment": "bn"}
    for bound, verdict in ((0.11, "supported"), (0.09, "reversed")):
        (row,) = judged(results(rows), part | {"bound": {"at_most": bound}}, kind="exact").rows
        assert row.verdict == verdict
        assert row.decided == pytest.approx((0.05, 0.1))


def test_exactly_half_a_point_is_no_material_difference():
    row = one_row(0.915, 0.92)
    assert (row.estimate, row.verdict) == ((0.5, 0.5), "no material difference")
    assert row.reason == "0 of 20 seeds beyond the band, 20 within, 0 beyond on the other side"


def test_a_part_may_have_a_band_of_its_own():
    assert one_row(*BETTER, band=2.5).verdict == "no material difference"
    ratio = {"effect": "ratio", "unit": "", "over": "treatment"}
    assert one_row(0.75, 0.6, **ratio).verdict == "no material difference"
    assert one_row(0.78, 0.6, **ratio).verdict == "supported"
    assert one_row(0.6, 0.78, **ratio).verdict == "reversed"
    assert one_row(0.78, 0.6, **ratio, band=1.5).verdict == "no material difference"


def test_exchanging_the_arms_exchanges_the_verdict_and_inverts_the_effect():
    half_no_bn, half_bn = [200.0 + 5 * i for i in range(20)], [100.0] * 19 + [1000.0]
    rows = [row for i, half in enumerate(half_no_bn) for row in runs("no_bn", [i], curve=learning(half))]
    rows += [row for i, half in enumerate(half_bn) for row in runs("bn", [i], curve=learning(half))]
    (row,) = judged(results(rows), TIMES).rows
    (other,) = judged(results(rows), TIMES | {"baseline": "bn", "treatment": "no_bn"}).rows
    assert (row.verdict, other.verdict) == ("supported", "reversed")
    for found, inverted in ((row.estimate, other.estimate), (row.decided, other.decided), (row.usual, other.usual)):
        assert inverted == pytest.approx((1 / found[1], 1 / found[0]))


@pytest.mark.parametrize(
    ("halves", "verdict"), [((1000, 100), "supported"), ((100, 1000), "reversed"), ((1000, 1000), "unresolved")]
)
def test_a_censored_arm_decides_only_where_it_is_the_slower_one(halves: tuple[float, float], verdict: str):
    rows = runs("no_bn", curve=learning(halves[0])) + runs("bn", curve=learning(halves[1]))
    (row,) = judged(results(rows), TIMES).rows
    assert row.verdict == verdict
    bounds = {"supported": (4.0, inf), "reversed": (0.0, 0.25), "unresolved": None}[verdict]
    if bounds:
        assert row.estimate == pytest.approx(bounds)
    else:
        assert row.resolved_by is None
        assert row.reason.endswith("20 not known that closely")


@pytest.mark.parametrize(("treatment", "verdict"), [(0.902, "supported"), (0.92, "supported"), (0.88, "reversed")])
def test_who_expects_no_less_is_reversed_below_the_band_alone(treatment: float, verdict: str):
    assert one_row(0.9, treatment, expect="not_less").verdict == verdict


@pytest.mark.parametrize(("source_value", "remark"), [(2.5, "smaller than the source says"), (1.9, ""), (None, "")])
def test_a_supported_effect_smaller_than_the_source_says_is_remarked(source_value: float | None, remark: str):
    assert one_row(*BETTER, source_value=source_value).remark == remark


def test_only_a_supported_effect_that_should_be_large_is_remarked():
    assert one_row(*SAME, source_value=2.5).remark == ""
    assert one_row(*SAME, source_value=2.5, expect="not_less").remark == ""


def test_a_bound_that_may_reach_the_source_is_not_smaller():
    rows = runs("no_bn", curve=learning(1000)) + runs("bn", curve=learning(100))
    (row,) = judged(results(rows), TIMES | {"source_value": 14}).rows
    assert (row.verdict, row.remark) == ("supported", "")


def test_fewer_than_ten_seeds_give_no_verdict():
    (row,) = judged(by_accuracy(*BETTER, experiment(seeds=9)), ACCURACY).rows
    assert (row.verdict, row.reason) == ("not tested", "9 seeds, where a verdict takes 10")
    assert row.estimate == (2.0, 2.0)
    (row,) = judged(by_accuracy(*BETTER, experiment(seeds=10)), ACCURACY).rows
    assert row.verdict == "supported"


def test_a_run_that_is_missing_leaves_the_claim_untested_with_the_reason():
    found = by_accuracy(*BETTER)
    result = judged(Results(found.config, found.table[found.table["seed"] != 3]), ACCURACY)
    assert (result.verdict, result.reason) == ("not tested", "runs of no_bn are missing")
    assert result.rows[0].decided == pytest.approx((float("nan"),) * 2, nan_ok=True)


def test_runs_of_another_file_without_results_leave_the_claim_untested():
    result = judged({"id": by_accuracy(*BETTER)}, ACCURACY | {"runs": "relu.yaml"})
    assert (result.verdict, result.reason) == ("not tested", "relu.yaml has no results")
    found = {"relu.yaml": by_accuracy(*BETTER)}
    assert judged(found, ACCURACY | {"runs": "relu.yaml"}).verdict == "supported"


def test_a_saving_without_the_file_of_its_cost_is_not_tested():
    rows = runs("no_bn", curve=learning(300)) + runs("bn", curve=learning(100))
    cost = {"cost": {"runs": "timed.yaml", "baseline": "no_bn", "treatment": "bn"}}
    result = judged(results(rows), TIMES | cost)
    assert (result.verdict, result.reason) == ("not tested", "timed runs of timed.yaml are missing")


def test_a_best_rate_at_the_edge_leaves_the_claim_untested():
    rows = tuned("no_bn", {0.1: 1e9, 1.0: 200.0, 10.0: 1e9}) + tuned("bn", {0.1: 1e9, 1.0: 1e9, 10.0: 50.0})
    result = judged(results(rows, experiment((0.1, 1.0, 10.0))), TIMES | {"tuned_for": "measure"})
    assert result.verdict == "not tested"
    assert result.reason == "the best learning rate of bn is at the edge of the grid"


def test_what_is_shown_beside_has_numbers_and_no_part_in_the_verdict():
    level = {"measure": "final_value", "effect": "level", "unit": "points", "treatment": "bn", "role": "beside"}
    result = judged(
        by_accuracy(*BETTER), level, ACCURACY, ACCURACY | {"baseline": "bn", "treatment": "no_bn", "role": "beside"}
    )
    assert [row.verdict for row in result.rows] == ["not tested", "supported", "reversed"]
    assert (result.rows[0].estimate, result.rows[0].reason) == ((92.0, 92.0), "shown beside")
    assert result.verdict == "supported"
    assert judged(by_accuracy(*BETTER), level).reason == "no part decides"


# --- bounds ---

IDENTITY = {
    "measure": "worst_value",
    "metric": "error",
    "effect": "level",
    "treatment": "bn",
    "bound": {"at_most": 1e-3},
}


@pytest.mark.parametrize(
    ("bound", "verdict", "reason"),
    [
        ({"at_most": 20}, "supported", "every seed keeps the bound"),
        ({"at_most": 18.5}, "reversed", "2 of 20 seeds break the bound"),
        ({"at_least": 1}, "supported", "every seed keeps the bound"),
        ({"at_least": 1.5}, "reversed", "1 of 20 seeds break the bound"),
    ],
)
def test_a_bound_is_kept_by_every_seed_or_it_is_not_kept(bound: dict, verdict: str, reason: str):
    rows = [row for seed in SEEDS for row in runs("bn", [seed], **{"worst(error)": float(seed + 1)})]
    result = judged(results(rows), IDENTITY | {"bound": bound}, kind="exact")
    assert (result.verdict, result.reason) == (verdict, reason)
    assert result.rows[0].decided == result.rows[0].usual == (1.0, 20.0)


def test_a_bound_takes_one_seed_only():
    found = results(runs("bn", [0], **{"worst(error)": 1e-6}), experiment(seeds=[0]))
    assert judged(found, IDENTITY).verdict == "supported"
    infinite = results(runs("bn", [0], **{"worst(error)": inf}), experiment(seeds=[0]))
    assert judged(infinite, IDENTITY).verdict == "reversed"


def test_each_rate_is_a_row_of_the_claim_and_what_trains_only_with_it_is_noted():
    rows = tuned("no_bn", {0.1: 300.0, 1.0: 200.0, 10.0: 1e9}) + tuned("bn", {0.1: 290.0, 1.0: 50.0, 10.0: 50.0})
    result = judged(results(rows, experiment((0.1, 1.0, 10.0))), TIMES | {"each": [RATE]})
    assert [(row.moderators, row.verdict) for row in result.rows] == [
        ({"learning rate": 0.1}, "no material difference"),
        ({"learning rate": 1.0}, "supported"),
    ]
    assert (result.verdict, result.depends_on) == ("depends", ("learning rate",))
    assert {row.comparison.note for row in result.rows} == {"only bn trains at: 10"}
