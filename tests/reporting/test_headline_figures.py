import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from experiments.analysis.claims import ClaimResult
from experiments.reporting.figures import svg_file
from experiments.reporting.headline_figures import (
    accuracy_by_rate_figure,
    rows_by,
    steps_by_accuracy_figure,
    steps_by_rate_figure,
)
from experiments.reporting.quotable import quotable
from tests.judging import experiment, results, tuned
from tests.reporting.invented import ratio

RATES = (0.1, 1.0)


def at_rates(times: dict[float, float], net: str = "relu", moderator: str = "learning rate") -> ClaimResult:
    name = "faster_at_equal_rate" if moderator == "learning rate" else "faster_when_tuned"
    rows = []
    for at, value in times.items():
        (row,) = ratio(value).rows
        held = replace(row.comparison, moderators={"net": net, moderator: at}, alone={"custom_bn": (10.0,)})
        rows.append(replace(row, comparison=held))
    return replace(ratio(2), id=name, rows=tuple(rows))


def texts(figure: Figure) -> list[str]:
    return [t.strip() for t in ET.fromstring(svg_file(figure, "x")).itertext() if t.strip()]


def test_each_network_is_a_line_through_its_rates_in_order():
    figure = steps_by_rate_figure([at_rates({1.0: 4.0, 0.1: 2.0})], "digits")
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "MLP, ReLU, He weights"]
    assert line.get_xdata().tolist() == [0.1, 1.0]
    assert line.get_ydata().tolist() == pytest.approx([2.0, 4.0], rel=0.01)


def test_rates_at_which_only_one_arm_trains_are_marked():
    lines = steps_by_rate_figure([at_rates({0.1: 2.0})], "digits").axes[0].get_lines()
    assert [10.0] in [list(line.get_xdata()) for line in lines]


def test_levels_are_drawn_by_the_error_left():
    figure = steps_by_accuracy_figure([at_rates({0.9: 4.0, 0.96: 2.0}, moderator="level")], "digits")
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "MLP, ReLU, He weights"]
    assert line.get_xdata().tolist() == pytest.approx([10, 4])
    low, high = figure.axes[0].get_xlim()
    assert low > high  # better to the right


def test_accuracy_is_the_median_over_evaluation_seeds():
    rows = [row | {"arm": "custom_bn"} for row in tuned("bn", {0.1: 100, 1.0: 50})] + tuned(
        "no_bn", {0.1: 200, 1.0: 90}
    )
    config = experiment(rates=RATES, arms={"no_bn": {}, "custom_bn": {}})
    figure = accuracy_by_rate_figure({"relu": results(rows, config)}, "digits")
    without, with_bn = figure.axes[0].get_lines()
    assert without.get_ydata().tolist() == pytest.approx([95, 95])
    assert with_bn.get_xdata().tolist() == [0.1, 1.0]


def test_without_any_result_there_are_figures_still():
    for figure in (steps_by_rate_figure([], "x"), steps_by_accuracy_figure([], "x"), accuracy_by_rate_figure({}, "x")):
        svg_file(figure, "x")


def test_sentences_say_what_the_rows_say():
    assert quotable([at_rates({0.1: 2.0, 1.0: 0.5, 3.0: 1.0})]) == [
        "At the same learning rate, how many times fewer steps with BN (medians over seeds): ReLU MLP 0.5× to 2.0×, "
        "✓ in 1 of 3, ≈ in 1 of 3, ⇄ in 1 of 3."
    ]
    assert quotable([]) == []


def test_networks_come_in_one_order_and_others_are_left_out():
    found = rows_by([at_rates({0.1: 2.0}, "cnn"), at_rates({0.1: 2.0})], ("faster_at_equal_rate",), "learning rate")
    assert list(found) == ["relu", "cnn"]
    assert rows_by([at_rates({0.1: 2.0}, "other")], ("faster_at_equal_rate",), "learning rate") == {}
