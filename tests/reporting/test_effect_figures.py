import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from experiments.reporting.effect_figures import COLOURS, MARKERS, effect_figure, in_bands, verdict_overview
from experiments.reporting.figures import svg_file
from tests.reporting.invented import points, ratio, several, untested


def texts(figure: Figure) -> list[str]:
    return [t.strip() for t in ET.fromstring(svg_file(figure, "x")).itertext() if t.strip()]


def test_every_verdict_has_a_colour_and_a_shape_of_its_own():
    assert len(set(COLOURS.values())) == len(set(MARKERS.values())) == len(COLOURS)


def test_an_effect_is_measured_in_bands_of_no_difference():
    assert in_bands(1.5625, ratio(2).rows[0]) == pytest.approx(2)
    assert in_bands(0.8, ratio(2).rows[0]) == pytest.approx(-1)
    assert in_bands(1.0, points(1).rows[0]) == pytest.approx(2)
    assert in_bands(math.inf, ratio(2).rows[0]) == math.inf


def test_a_row_stands_with_its_moderators_and_its_effect():
    shown = texts(effect_figure(several()))
    assert "✓ relu" in shown
    assert "≈ cnn" in shown
    assert "2.0× [1.91, 2.1]" in shown


def test_effects_of_another_kind_have_a_panel_of_their_own():
    assert len(effect_figure(several()).axes) == 1
    mixed = replace(several(), rows=(*several().rows, *points(1).rows))
    assert len(effect_figure(mixed).axes) == 2


def test_bounds_and_claims_without_an_effect_still_give_a_figure():
    (row,) = ratio(2).rows
    bound = replace(row, estimate=(5.0, math.inf), usual=(4.0, math.inf), decided=(3.0, math.inf))
    assert "≥ 5.0× [4.0, ∞]" in texts(effect_figure(replace(ratio(2), rows=(bound,))))
    assert "no effect to draw" in texts(effect_figure(untested()))
    assert "✓ faster" in texts(verdict_overview([ratio(2), untested()]))
    svg_file(verdict_overview([]), "x")
