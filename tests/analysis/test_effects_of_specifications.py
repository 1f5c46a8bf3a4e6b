"""What tables of specifications come to, with shares, η² and p known by hand."""

from __future__ import annotations

import itertools
from math import inf, log, nan

import numpy as np
import pandas as pd
import pytest
from judging import ARMS, claim, experiment, learning, results, runs, tuned

from experiments.analysis.specifications import (
    by_median,
    describe,
    effect_rows,
    known_size,
    sign_flips,
    variance_shares,
)
from experiments.analysis.statistics import band_of
from experiments.configuration.specifications import specifications_of

RATIOS = band_of(1.25, is_ratio=True)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (1.3, 1.3, "supported"),
        (1.3, inf, "supported"),
        (1.25, 1.25, "no material difference"),  # the bounds belong to the band
        (0.8, 1.25, "no material difference"),
        (0.5, 0.7, "reversed"),
        (0.0, 0.7, "reversed"),
        (1.0, inf, "unresolved"),
        (0.0, inf, "unresolved"),
    ],
)
def test_the_median_decides_wherever_in_its_ends_the_truth_lies(low: float, high: float, expected: str):
    assert by_median(low, high, RATIOS) == expected


def test_what_is_no_worse_is_supported_from_the_lower_end_of_the_band():
    assert by_median(0.8, 0.8, RATIOS, "not_less") == "supported"
    assert by_median(0.7, 0.7, RATIOS, "not_less") == "reversed"
    assert by_median(0.7, 1.0, RATIOS, "not_less") == "unresolved"


def test_a_bound_counts_as_the_effect_and_an_interval_as_its_middle():
    low, high = np.array([2.0, 1.0, 5.0, 0.0, 0.0]), np.array([2.0, 4.0, inf, 0.5, inf])
    assert known_size(low, high, is_ratio=True) == pytest.approx([log(2), log(2), log(5), log(0.5), nan], nan_ok=True)
    differences = known_size(np.array([-1.0, 0.0]), np.array([3.0, inf]), is_ratio=False)
    assert differences == pytest.approx([1.0, 0.0])


def options(*names: str) -> pd.DataFrame:
    """All combinations of a high and a low option of each choice."""
    return pd.DataFrame(itertools.product(("high", "low"), repeat=len(names)), columns=list(names))


def test_shares_of_the_variance_are_those_of_the_main_effects():
    # 3a + b + ab with a and b of ±1: sums of squares 36, 4 and 4
    shares, rest = variance_shares(options("b", "a"), np.array([5.0, -3.0, 1.0, -3.0]))
    assert list(shares) == ["a", "b"]  # the largest first
    assert shares == pytest.approx({"a": 9 / 11, "b": 1 / 11})
    assert rest == pytest.approx(1 / 11)


def test_where_combinations_are_left_out_a_share_is_what_the_choice_alone_explains():
    # 3a + b without (high, high): 2, −2, −4, mean −4/3. SS 56/3; a alone leaves 2, b alone leaves 18.
    shares, rest = variance_shares(options("a", "b").iloc[1:], np.array([2.0, -2.0, -4.0]))
    assert rest == pytest.approx(0.0, abs=1e-12)
    assert shares == pytest.approx({"b": 2 / (56 / 3), "a": 18 / (56 / 3)})


def test_without_variance_no_choice_has_a_share():
    assert variance_shares(options("a"), np.array([1.0, 1.0])) == ({"a": 0.0}, 0.0)


def test_of_five_seeds_that_agree_two_flips_of_32_come_to_as_much():
    found = sign_flips(np.full((3, 5), 0.7))
    assert (found.median, found.unanimous) == (pytest.approx(0.7), 1.0)
    assert (found.p_median, found.p_unanimous) == (2 / 32, 2 / 32)
    assert (found.seeds, found.specifications) == (5, 3)


def test_the_effect_is_set_against_all_flips():
    # sums of 13 and more, either way: nothing flipped, or what is flipped sums to 1 or less, or to 14 or more: 4 of 32
    found = sign_flips(np.array([[5.0, 4.0, 3.0, 2.0, -1.0]]))
    assert found.median == pytest.approx(13 / 5)
    assert found.p_median == 4 / 32
    assert (found.unanimous, found.p_unanimous) == (0.0, 1.0)


def test_a_seed_is_flipped_in_all_specifications_at_once():
    found = sign_flips(np.array([[1.0] * 5, [-1.0] * 5]))  # whatever is flipped, one of them goes each way
    assert (found.median, found.p_median) == (0.0, 1.0)
    assert (found.unanimous, found.p_unanimous) == (0.5, 2 / 32)


def table(effects: list[float], own: int = 0) -> pd.DataFrame:
    """Specifications of one choice, net, all options different; every seed has the effect of its specification."""
    rows = [
        {
            "net": f"net {place}",
            "effect_low": effect,
            "effect_high": effect,
            "seeds_low": [effect] * 5,
            "seeds_high": [effect] * 5,
            "verdict": "not tested" if np.isnan(effect) else by_median(effect, effect, RATIOS),
            "reason": "no effect" if np.isnan(effect) else "",
            "preferred": place == own,
        }
        for place, effect in enumerate(effects)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("supported", "word"), [(9, "robust"), (8, "mostly"), (7, "mostly"), (6, "depends"), (0, "depends")]
)
def test_the_word_goes_by_the_share_that_agrees_with_the_verdict(supported: int, word: str):
    found = describe(table([2.0] * supported + [0.5] * (10 - supported)), ["net"], True, "supported")
    assert (found.agreeing, found.tested, found.word) == (supported, 10, word)


def test_the_choice_that_decides_is_the_one_that_moves_the_effect_most():
    found = table([2.0, 2.2, 0.5, 0.6]).assign(net=["cnn", "cnn", "relu", "relu"], budget=["T", "T/2", "T", "T/2"])
    assert describe(found, ["budget", "net"], True, None).decisive == "net"
    assert describe(table([2.0, 2.0]), ["net"], True, None).decisive == ""


def test_two_thirds_are_mostly():
    assert describe(table([2.0, 2.0, 0.5]), ["net"], True, "supported").word == "mostly"


def test_specifications_without_an_effect_count_neither_way():
    found = describe(table([2.0, 3.0, nan]), ["net"], True, "supported")
    assert (found.agreeing, found.tested, found.word) == (2, 2, "robust")
    assert found.counts == {"supported": 2, "not tested": 1}
    assert found.flips is not None
    assert found.flips.specifications == 2


def test_a_claim_that_depends_is_set_against_its_own_specification():
    found = describe(table([2.0, 0.5, 0.5], own=1), ["net"], True, "depends")
    assert (found.verdict, found.agreeing) == ("reversed", 2)


def test_where_nothing_has_an_effect_nothing_is_said_of_it():
    found = describe(table([nan, nan]), ["net"], True, None)
    assert (found.word, found.tested, found.flips, found.decisive) == ("not tested", 0, None, "")


LADDER = {"runs": "own", "measure": "steps_to_level", "level": "ladder", "effect": "ratio", "over": "treatment"} | ARMS
CONFIG = experiment(rates=(0.1, 1, 10), seeds=(0, 1, 2, 3, 4))
HALF_AT = {"no_bn": 200.0, "bn": 50.0}  # the step at which each comes to 0.5, at its best rate


def rows(**choices: dict[str, dict[str, object]]) -> pd.DataFrame:
    specifications = {"part": LADDER, "choices": choices, "preferred": {"level": "3rd"}}
    of = claim(LADDER, specifications=specifications)
    assert of.specifications
    trained = [
        row
        for arm, half in HALF_AT.items()
        for row in tuned(arm, {0.1: 4 * half, 1: half, 10: 4 * half}, top=0.9)
        if row["seed"] in (*CONFIG.seeds, *CONFIG.tuning.seeds)
    ]
    for row in trained:  # a network without moving averages has no such curve
        row["accuracy/validation/moving_0.9"] = row["accuracy/validation"] if row["arm"] == "bn" else []
    found = [row for s in specifications_of(of.specifications) for row in effect_rows(s, results(trained, CONFIG), of)]
    return pd.DataFrame(found)


def test_each_level_of_a_ladder_is_a_specification():
    found = rows(hits={"two": {}, "one": {"part.in_a_row": 1}})
    assert len(found) == 10
    assert found["level"].tolist() == ["highest", "2nd", "3rd", "4th", "5th"] * 2
    assert found["effect_low"].tolist() == pytest.approx([4.0] * 10)
    assert found["seeds_low"].map(len).tolist() == [5] * 10
    assert set(found["verdict"]) == {"supported"}
    own = found[found["preferred"]]
    assert own[["hits", "level"]].to_numpy().tolist() == [["two", "3rd"]]


def test_levels_are_those_that_are_reached_within_the_budget():
    # after T/2 no_bn has come to 0.475, its running median: error 0.525, and 1 − 2 · 0.525 is no level
    found = rows(budget={"T": {}, "T/2": {"part.budget": 0.5}})
    short = found[found["budget"] == "T/2"]
    assert short["level"].tolist() == ["highest", "2nd"]
    assert short["effect_low"].tolist() == pytest.approx([4.0] * 2)


def test_an_arm_without_moving_averages_is_read_without_them():
    found = rows(statistics={"recomputed": {}, "0.9": {"part.metric": "accuracy/validation/moving_0.9"}})
    assert found["statistics"].tolist() == ["recomputed"] * 5 + ["0.9"] * 5
    assert found["effect_low"].tolist() == pytest.approx([4.0] * 10)


def test_all_arms_may_be_compared_at_the_best_rate_of_one():
    config = experiment(rates=(0.1, 1, 10, 100), seeds=(0, 1, 2, 3, 4))
    found = results(
        [
            *tuned("no_bn", {0.1: 200.0, 1: 100.0, 10: 400.0, 100: 400.0}, top=0.9),
            *tuned("bn", {0.1: 100.0, 1: 50.0, 10: 25.0, 100: 100.0}, top=0.9),
        ],
        config,
    )
    part = LADDER | {"level": 0.5}
    chosen = {"own": {}, "no_bn": {"part.rate_of": "no_bn"}, "bn": {"part.rate_of": "bn"}}
    of = claim(part, specifications={"part": part | {"tuned_for": "measure"}, "choices": {"rate": chosen}})
    assert of.specifications
    effects = [row["effect_low"] for s in specifications_of(of.specifications) for row in effect_rows(s, found, of)]
    assert effects == pytest.approx([100 / 25, 100 / 50, 400 / 25])


def test_a_missing_run_is_said_of_each_level():
    of = claim(LADDER, specifications={"part": LADDER, "choices": {"hits": {"two": {}, "one": {"part.in_a_row": 1}}}})
    assert of.specifications
    source = results(runs("bn", curve=learning(50.0), **{"optimizer.learning_rate": 1.0}), CONFIG)
    found = [row for s in specifications_of(of.specifications) for row in effect_rows(s, source, of)]
    assert len(found) == 10
    assert {row["verdict"] for row in found} == {"not tested"}
    assert {row["reason"] for row in found} == {"tuning runs of no_bn are missing or failed"}
