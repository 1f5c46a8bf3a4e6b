"""Every row of a claim, and all claims, as drawn."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from claim_results import COST, IDENTITY, POINTS, RESULTS, around, claim, row
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reporting.effect_figures import COLOURS, MARKERS, effect_figure
from experiments.reporting.figures import inline_svg, svg_file
from experiments.reporting.overview_figure import FARTHEST, in_bands, verdict_overview


def texts(figure: Figure) -> list[str]:
    return [t.strip() for t in ET.fromstring(svg_file(figure, "x")).itertext() if t.strip()]


def marks(axes: Axes, marker: str) -> list[float]:
    return [
        float(line.get_xdata()[0]) for line in axes.get_lines() if line.get_marker() == marker and line.get_ms() > 3
    ]


def bars(axes: Axes) -> list[tuple[float, ...]]:
    return [tuple(map(float, line.get_xdata())) for line in axes.get_lines() if len(set(line.get_ydata())) == 1
            and len(line.get_xdata()) == 2 and line.get_marker() == "None"]  # fmt: skip


def shaded(axes: Axes) -> tuple[float, float]:
    box = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    return float(box.x0), float(box.x1)


def test_a_row_shows_its_median_both_intervals_every_seed_and_the_band() -> None:
    (axes,) = effect_figure(claim("x", "supported", row(list(range(1, 21))))).axes
    assert marks(axes, "o") == pytest.approx([110**0.5])  # the median of ratios
    assert bars(axes) == [(4, 17), (6, 15)]  # of 20 seeds: which decides, and beside
    assert shaded(axes) == pytest.approx((0.8, 1.25))
    seeds = [line for line in axes.get_lines() if line.get_marker() == "o" and line.get_ms() < 3]
    assert sorted(seeds[0].get_xdata()) == list(range(1, 21))


def test_each_kind_of_effect_has_a_panel_under_the_name_of_its_comparison() -> None:
    rows = [row(around(2.0), name="speed"), row(around(3.0), name="speed"), row(around(1.0), POINTS, name="accuracy")]
    figure = effect_figure(claim("x", "supported", *rows))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["speed", "accuracy"]
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear"]


def test_only_a_bound_is_drawn_at_it_with_an_arrow_at_the_edge() -> None:
    (axes,) = effect_figure(claim("x", "supported", row([3.0] * 6 + [(5.0, math.inf)] * 14))).axes
    assert marks(axes, "o") == [5.0]
    assert len(marks(axes, ">")) == 1
    assert "≥ 5.0× [≥ 3.0]" in texts(effect_figure(claim("x", "supported", row([3.0] * 6 + [(5.0, math.inf)] * 14))))


def test_an_identity_stands_beside_its_bound() -> None:
    figure = effect_figure(claim("x", "supported", row([1e-7] * 19 + [1.2e-6], IDENTITY), kind="exact"))
    assert {"bound ≤ 1e−5", "worst seed 1.2e−6, bound ≤ 1e−5"} <= set(texts(figure))
    assert not figure.axes[0].patches


def test_a_claim_without_effects_shows_why() -> None:
    assert "relu has no results" in texts(effect_figure(RESULTS[3]))


def test_labels_of_any_length_leave_room_for_the_axes() -> None:
    rows = [row(around(2.0), held={"net": "recurrent " * 20, "rate": at}, name="n" * 300) for at in range(25)]
    figure = effect_figure(claim("x", "supported", *rows))
    svg_file(figure, "x")  # a layout that does not fit is a warning, and a warning an error
    assert figure.axes[0].get_position().width > 0.3


def test_ticks_differ_where_no_seed_has_a_finite_effect() -> None:
    figure = effect_figure(claim("never", "supported", row([(1.0, math.inf)] * 20)))
    figure.canvas.draw()
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(ticks) == len(set(ticks)) > 1


def test_every_verdict_has_a_colour_and_a_shape_of_its_own() -> None:
    assert len(set(MARKERS.values())) == len(set(COLOURS.values())) == 6


@pytest.mark.parametrize(
    ("found", "bands"),
    [
        (row([1.5625] * 20), 2.0),  # 1.25²
        (row([0.8] * 20), -1.0),
        (row([1.0] * 20, POINTS), 2.0),  # of half a point
        (row([8.0] * 20, band=2), 3.0),
        (row([math.inf] * 20), math.inf),
        (row([0.0] * 20), -math.inf),
    ],
)
def test_effects_of_all_kinds_are_placed_by_their_bands(found, bands: float) -> None:
    assert in_bands(found).estimate == pytest.approx((bands, bands))


def test_overview_draws_every_deciding_row_in_its_claim_s_strip() -> None:
    results = [
        claim("speed", "depends", row([1.5625] * 20), row([1.0] * 20), row([9.0] * 20, role="beside")),
        claim("points", "reversed", row([-2.0] * 20, POINTS)),
    ]
    (axes,) = verdict_overview(results).axes
    assert marks(axes, "o") == pytest.approx([2.0])
    assert marks(axes, "s") == pytest.approx([0.0])
    assert marks(axes, "X") == pytest.approx([-4.0])
    assert shaded(axes) == pytest.approx((-1, 1))
    assert {"◐ speed", "⇄ points", "✓ 1, ≈ 1"} <= set(texts(verdict_overview(results)))


def test_overview_marks_what_is_farther_at_its_edge() -> None:
    (axes,) = verdict_overview([claim("x", "supported", row([(1e15, math.inf)] * 20))]).axes
    assert marks(axes, ">") == [FARTHEST]


def test_overview_names_identities_and_what_has_no_effect() -> None:
    exact = claim("identity", "supported", row([1e-7] * 20, IDENTITY), kind="exact")
    found = texts(verdict_overview([exact, *RESULTS]))
    assert "Identities, held against bounds: ✓ identity" in found
    assert "Without an effect to draw: – missing" in found
    assert "no effect to draw" in texts(verdict_overview([]))


def test_overview_of_thirty_claims_of_twenty_five_rows_can_be_read() -> None:
    of = {"effect": "ratio"}
    rows = [row(around(1.0 + at / 10), COST | of, held={"rate": at}) for at in range(25)]
    figure = verdict_overview([claim(f"claim_{i}", "depends", *rows) for i in range(30)])
    svg_file(figure, "x")
    assert figure.get_size_inches()[1] < 50
    (axes,) = figure.axes
    heights = np.diff(
        sorted({line.get_ydata()[0] for line in axes.get_lines() if line.get_marker() in MARKERS.values()})
    )
    assert heights.min() >= 0.04  # inches between rows


def test_inline_figure_shortens_coordinates_but_no_number_that_is_read() -> None:
    loss = row(around(0.083, 0.001), POINTS | {"unit": "loss", "band": 0.0125})
    svg = inline_svg(effect_figure(claim("regularizes", "supported", loss)), "x", "x")
    assert "+0.083 [+0.083, +0.083]" in svg
    assert not re.search(r'[ "]\d+\.\d{3,}', re.sub(r">[^<]*<", "><", svg))
