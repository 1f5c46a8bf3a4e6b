"""Accuracy against steps: a panel a network, with the level that steps are counted to."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.records.storage import Curve
from experiments.reporting.figures import Convergence, convergence_figure


def curve(*values: float) -> Curve:
    return Curve(np.arange(len(values)) * 50, np.array(values, float))


CURVES = {"no_bn": [curve(0.1, 0.5, 0.9), curve(0.1, 0.4)], "custom_bn": [curve(0.1, 0.9, 0.95)] * 2}
EARLY = {"custom_bn": [curve(0.1, 0.9, *[0.9] * 20)]}
LATE = {"custom_bn": [curve(*np.linspace(0.1, 0.9, 22))]}


def legends(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_one_network_shows_percent_the_level_and_how_many_diverged() -> None:
    figure = convergence_figure(Convergence(CURVES, 0.85, "MLP"))
    (axes,) = figure.axes
    _, custom_bn, level = axes.get_lines()
    assert custom_bn.get_ydata().tolist() == pytest.approx([10, 90, 95])
    assert list(level.get_ydata()) == pytest.approx([85, 85])
    assert legends(figure) == ["no_bn (1 of 2 diverged)", "custom_bn", "steps to 85.0 %"]
    assert axes.get_title() == ""


def test_several_networks_have_a_panel_each_with_its_own_arms_and_level() -> None:
    panels = [Convergence({name: [curve(0.1, 0.9)]}, level, name) for name, level in (("MLP", 0.8), ("CNN", None))]
    first, second, third, fourth = convergence_figure(*panels, Convergence(LATE, 0.7, "RNN")).axes
    assert [axes.get_title() for axes in (first, second, third)] == ["MLP", "CNN", "RNN"]
    found = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in (first, second, third)]
    assert found == [["MLP", "steps to 80.0 %"], ["CNN"], ["custom_bn", "steps to 70.0 %"]]
    assert not fourth.axison


def test_steps_are_logarithmic_where_all_happens_in_the_first_tenth_of_every_panel() -> None:
    for panels, scale in (((EARLY,), "log"), ((LATE,), "linear"), ((EARLY, EARLY), "log"), ((EARLY, LATE), "linear")):
        figure = convergence_figure(*map(Convergence, panels))
        assert {axes.get_xscale() for axes in figure.axes} == {scale}


def test_arms_stay_apart_when_the_colours_come_round_again() -> None:
    arms = {f"arm_{i}": [curve(0.1, 0.5)] for i in range(12)}
    lines = convergence_figure(Convergence(arms)).axes[0].get_lines()
    assert len({(line.get_color(), str(line._dash_pattern)) for line in lines}) == len(arms)


def test_arms_may_be_called_anything() -> None:
    assert legends(convergence_figure(Convergence({"$x$ <b>&_": [curve(0.1, 0.2)]}))) == ["$x$ <b>&_"]
