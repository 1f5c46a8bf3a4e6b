"""Sentences to quote: true whatever the results are."""

from __future__ import annotations

import math

import pytest
from claim_results import COST, POINTS, around, claim, row

from experiments.analysis.claims import Row
from experiments.reporting.quotable import quotable, times_fewer


def at(*middles: float, net: str = "relu", **of: object) -> list[Row]:
    return [row([m] * 20, held={"net": net, "learning rate": 10.0**i}, of=of) for i, m in enumerate(middles, -2)]


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([1.3, 6.0], "1.30 to 6.0 times fewer steps"),
        ([2.0], "2.0 times fewer steps"),
        ([0.5, 0.25], "2.0 to 4.0 times as many steps"),
        ([1.0, 1.2], "about as many steps"),
        ([1.0, 3.0], "from about as many to 3.0 times fewer steps"),
        ([0.5, 1.0], "from 2.0 times as many to about as many steps"),
        ([0.5, 2.0], "from 2.0 times as many to 2.0 times fewer steps"),
        ([2.0, (5.0, math.inf)], "2.0 to at least 5.0 times fewer steps"),
        ([6.0, (5.0, math.inf)], "at least 5.0 to at least 6.0 times fewer steps"),
        ([(5.0, math.inf)], "at least 5.0 times fewer steps"),
        ([(0.0, 0.5), 2.0], "from at least 2.0 times as many to 2.0 times fewer steps"),
        ([(1.0, math.inf)], "about as many or fewer steps"),
    ],
)
def test_ratios_of_steps_in_words(effects: list, expected: str) -> None:
    assert times_fewer([row([effect] * 20) for effect in effects]) == expected


def test_speed_at_equal_rates_is_a_range_for_each_network() -> None:
    judged = [
        claim("faster_at_equal_rate", "supported", *at(1.0, 2.0, 3.0)),
        claim("faster_cnn", "reversed", *at(0.5, net="cnn")),
        claim("faster_elsewhere", "supported", *at(9.0)),
    ]
    assert quotable(judged, "MNIST") == [
        "On MNIST, at the same learning rate, batch normalization needs, to the same accuracy, from about as many to "
        "3.0 times fewer steps in a ReLU MLP; 2.0 times as many steps in a ReLU CNN."
    ]


def test_what_is_open_is_called_undecided() -> None:
    rows = [*at(3.0), row([2.0] * 14 + [1.0] * 6, held={"net": "relu", "learning rate": 1.0})]
    (said,) = quotable([claim("faster_at_equal_rate", "supported", *rows)])
    assert said.endswith("2.0 to 3.0 times fewer steps in a ReLU MLP (undecided at 1 of 2 rates).")
    (said,) = quotable([claim("faster_at_equal_rate", "unresolved", rows[1])])
    assert said.endswith("2.0 times fewer steps in a ReLU MLP (undecided).")


def test_five_questions_have_a_sentence_each_in_their_order() -> None:
    level = row([2.0] * 20, held={"net": "relu", "level": 0.9})
    edge = row([(3.0, 3.5)] * 20, COST, held={"net": "relu", "definition": "trains"})
    finite = row([(9.0, 9.5)] * 20, COST, held={"net": "relu", "definition": "finite"})
    accuracy = row([0.3] * 20, POINTS, held={"net": "cnn", "budget": "T"})
    early = row([5.0] * 20, POINTS, held={"net": "cnn", "budget": "T/4"})
    later = row([0.1] * 10 + [-0.9] * 10, POINTS, held={"net": "cnn", "budget": "4T"})
    cost = row([1.05] * 20, COST, held={"net": "mlp", "layer": "custom"})
    judged = [
        claim("costs_time", "supported", cost),
        claim("accuracy_improves", "depends", early, accuracy, later),
        claim("higher_rates", "supported", edge, finite),
        claim("faster_when_tuned", "supported", level),
        claim("faster_at_equal_rate", "supported", *at(2.0)),
    ]
    assert quotable(judged)[1:] == [
        "With the best learning rate for each, batch normalization needs, to the same accuracy, 2.0 times fewer steps "
        "in a ReLU MLP.",
        "The largest learning rate at which a network trains becomes, with batch normalization, 3.0 to 3.5 times as "
        "large in a ReLU MLP.",
        "Batch normalization changes test accuracy at the end of training by +0.3 points in a ReLU CNN, in four times "
        "the steps by −0.4 points [−0.9, +0.1] (undecided).",
        "A training step with batch normalization takes, on the processor measured, 1.05 times as long in an MLP with "
        "the custom layer.",
    ]


def test_of_what_was_not_tested_nothing_is_said() -> None:
    missing = claim("faster_at_equal_rate", "not tested", row([], held={"net": "relu", "learning rate": 0.1}))
    beside = claim("costs_time", "not tested", row(around(2.0), COST, role="beside"))
    assert quotable([missing, beside]) == quotable([]) == []
