"""The specification curve and its words, for invented tables."""

from __future__ import annotations

import itertools
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.analysis.specifications import by_median, describe
from experiments.analysis.statistics import band_of
from experiments.configuration.claim import ClaimConfig
from experiments.reporting.figures import svg_file
from experiments.reporting.specification_curve import FEW, specification_curve
from experiments.reporting.specification_words import described_words, headline, robustness

PART = {"runs": "x", "measure": "late_value", "effect": "ratio", "baseline": "no_bn", "treatment": "bn"}
BUDGETS = {"T": {}, "T/2": {"part.budget": 0.5}}


def claim(**part: object) -> ClaimConfig:
    specifications = {"part": PART | part, "choices": {"net": {"mlp": {}, "cnn": {}}, "budget": BUDGETS}}
    return ClaimConfig.model_validate({"statement": "s", "source": "s", "specifications": specifications})


def table(times: int = 1, nothing: int = 0) -> pd.DataFrame:
    """Effects of 2 with the network cnn and 0.5 with mlp, at both budgets, each so many times."""
    band, rows = band_of(1.25, is_ratio=True), []
    for place, (net, budget) in enumerate([*itertools.product(("mlp", "cnn"), ("T", "T/2"))] * times):
        effect = 2.0 if net == "cnn" else 0.5
        seeds = [effect] * 5
        row = {"net": net, "budget": budget, "effect_low": effect, "effect_high": effect, "reason": ""}
        row |= {"seeds_low": seeds, "seeds_high": seeds, "verdict": by_median(effect, effect, band)}
        rows.append(row | {"preferred": place == 0})
    untested = {"effect_low": nan, "effect_high": nan, "seeds_low": [], "seeds_high": [], "verdict": "not tested"}
    rows += [rows[-1] | untested | {"reason": "runs of bn are missing"}] * nothing
    return pd.DataFrame(rows)


def drawn(found: pd.DataFrame, **part: object) -> Figure:
    return specification_curve(found, claim(**part), {"net": 0.61, "budget": 0.0})


def texts(figure: Figure) -> str:
    return svg_file(figure, "test")


def test_every_option_has_a_row_and_every_choice_its_name():
    figure = drawn(table())
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["mlp", "cnn", "T", "T/2"]
    shown = texts(figure)
    for text in (">net, 61 %<", ">budget<", "✓ supported", "⇄ reversed", "the claim&#39;s own"):
        assert text.replace("&#39;", "'") in shown


def test_effects_stand_in_order_from_the_smallest():
    axes = drawn(table()).axes[0]
    dots = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert [tuple(dot) for dot in dots] == [(0, 0.5), (1, 0.5), (2, 2.0), (3, 2.0)]


def test_of_an_open_effect_the_arrow_shows_where_it_may_lie():
    found = table()
    found.loc[3, "effect_high"] = inf
    found.at[3, "seeds_high"] = [inf] * 5
    markers = [line.get_marker() for line in drawn(found).axes[0].lines]
    assert markers.count("^") == 1
    assert markers.count("v") == 0


def test_what_has_no_effect_is_counted_beside():
    assert "4 specifications in the order of their effects; 3 more without an effect to compare" in texts(
        drawn(table(nothing=3))
    )


def test_of_many_no_intervals_are_drawn_and_options_are_shares_of_stretches():
    figure = drawn(table(FEW))
    intervals = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 1]
    assert intervals == []
    pictures = [np.asarray(image.get_array()) for image in figure.axes[1].images]
    assert len(pictures) == 4
    mlp, cnn = pictures[0][0, :, 3], pictures[1][0, :, 3]  # opacity
    assert mlp[0] == cnn[-1] == 1.0
    assert mlp[-1] == cnn[0] == 0.0


@pytest.mark.parametrize("effect", ["ratio", "difference"])
def test_effects_have_their_room_whatever_verdicts_there_are(effect: str):
    figure = drawn(table(FEW), effect=effect, unit="points")
    FigureCanvasAgg(figure).draw()
    assert figure.axes[0].bbox.height > 2 * figure.dpi


def test_without_any_effect_the_figure_says_so():
    assert "no specification has an effect to draw" in texts(drawn(table()[:0]))


def test_the_same_table_gives_the_same_bytes():
    assert texts(drawn(table(50))) == texts(drawn(table(50)))


@pytest.mark.parametrize(("unit", "words"), [("points", "points"), ("", "late value")])
def test_differences_are_drawn_on_an_axis_with_a_zero(unit: str, words: str):
    figure = drawn(table(), effect="difference", unit=unit, **({} if unit else {"band": 0.1}))
    assert figure.axes[0].get_yscale() == "symlog"
    assert 0.0 in figure.axes[0].get_yticks()
    assert words in figure.axes[0].get_ylabel()


def test_the_sentence_for_a_reader():
    found = describe(table(), ["net", "budget"], True, "supported")
    assert headline(found) == "✓ in 2 of 4 settings (50 %), by net from 0 % (mlp) to 100 % (cnn)"
    assert robustness(found) == "◐ depends on net"
    assert robustness(describe(table()[2:], ["net", "budget"], True, "supported")) == "robust"


def test_all_that_is_said_of_specifications():
    rows = table(nothing=2)
    lines = list(described_words(claim(), rows, describe(rows, ["net", "budget"], True, "supported")))
    assert lines == [
        "◐ depends on net: ✓ in 2 of 4 settings (50 %), by net from 0 % (mlp) to 100 % (cnn)",
        "by the median of 5 seeds, which describes and does not decide: ✓ supported 50 %, ⇄ reversed 50 %",
        "variance of the effect: net 100 %, their interplay 0 %",
        "all 4 with a value of every seed: median 1.00×, p = 1; all seeds on one side in 50 %, p = 0.062 "
        "(a seed's signs flipped together; 0.062 is the least that 5 seeds can have)",
        "– 2: runs of bn are missing",
    ]


def test_where_nothing_has_an_effect_the_sentence_says_so():
    rows = table(nothing=1)[-1:]
    lines = list(described_words(claim(), rows, describe(rows, ["net", "budget"], True, None)))
    assert lines == ["not tested: no setting has an effect to compare", "– 1: runs of bn are missing"]
