import dataclasses
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.analysis.claims import ClaimResult, PartResult, Verdict
from experiments.configuration.claim import ClaimConfig, PartConfig
from experiments.records.storage import Curve
from experiments.reporting.effect_figures import COLOURS, MARKERS, effect_figure, verdict_overview
from experiments.reporting.figures import (
    INK,
    Convergence,
    band,
    convergence_figure,
    inline_svg,
    percentiles_figure,
    rate_figure,
    svg_file,
)


def curve(*values: float, every: int = 50) -> Curve:
    return Curve(np.arange(len(values)) * every, np.array(values, float))


def part(effects: list[float], low: float, high: float, verdict: Verdict, **changes: object) -> PartResult:
    settings = {"measure": "steps_to_target", "effect": "ratio", "over": "treatment", "margin": {"at_least": 1.5}}
    config = PartConfig.model_validate(settings | {"baseline": "no_bn", "treatment": "custom_bn"} | changes)
    middle = float(np.median(effects)) if effects else math.nan
    return PartResult(
        config, dict(enumerate(effects)), middle, low, high, 0.01, 0.02, 0.9, 300.0, 150.0, verdict, "because"
    )


def claim(name: str, *parts: PartResult, **changes: object) -> ClaimResult:
    config = ClaimConfig.model_validate({"statement": "BN helps", "source": "the paper"} | changes)
    order = ["refuted", "inconclusive", "supported"]
    verdict = min((p.verdict for p in parts), key=order.index, default="inconclusive")
    return ClaimResult(name, config, verdict, "because", parts)


SUPPORTED = part([2.0, 2.5, 3.0, math.inf], 2.0, math.inf, "supported")
REFUTED = part([1.0, 1.1, 1.2], 1.0, 1.2, "refuted")
UNDECIDED = part([1.2, 1.5, 1.9], 1.2, 1.9, "inconclusive")
POINTS = part([0.1, 0.2, 0.3], 0.1, 0.3, "refuted", effect="difference", unit="points", margin={"at_least": 0.5})


def every_figure() -> dict[str, Figure]:
    curves = {"no_bn": [curve(0.1, 0.5, 0.9), curve(0.1, 0.4)], "custom_bn": [curve(0.1, 0.9, 0.95)] * 2}
    table = pd.DataFrame(
        {
            "arm": ["no_bn", "no_bn", "custom_bn", "custom_bn"],
            "optimizer.learning_rate": [0.1, 1.0, 0.1, 1.0],
            "seed": 0,
            "status": ["finished", "diverged", "finished", "finished"],
            "final_validation_accuracy": [0.9, 0.0, 0.92, 0.96],
        }
    )
    spread = (curve(-1, -2, -3), curve(0, 0, 0), curve(1, 2, 3))
    return {
        "convergence": convergence_figure(Convergence(curves, 0.9)),
        "rate": rate_figure(table),
        "percentiles": percentiles_figure(curves, {"no_bn": spread, "custom_bn": spread}),
        "effect": effect_figure(claim("faster", SUPPORTED, POINTS)),
        "overview": verdict_overview([claim("faster", SUPPORTED), claim("better", POINTS)]),
    }


def texts(figure: Figure) -> list[str]:
    return [t.strip() for t in ET.fromstring(svg_file(figure, "x")).itertext() if t.strip()]


def test_band_is_the_median_and_the_quartiles_over_runs() -> None:
    b = band([curve(0.0, 0.1), curve(0.0, 0.2), curve(0.0, 0.3), curve(0.0, 0.4), curve(0.0, 0.5)])
    assert (b.low[1], b.median[1], b.high[1]) == pytest.approx((0.2, 0.3, 0.4))
    assert b.ended_early == 0


def test_a_run_that_ended_early_counts_as_worst_and_is_not_dropped() -> None:
    b = band([curve(0.1, 0.2), curve(0.1, 0.8, 0.9), curve(0.1, 0.8, 0.9), curve(0.1, 0.8, 0.9), curve(0.1, 0.8, 0.9)])
    assert b.median[2] == 0.9
    assert band([curve(0.1, 0.2), curve(0.1, 0.3), curve(0.1, 0.8, 0.9)]).median[1] == pytest.approx(0.3)
    assert np.isnan(band([curve(0.1, 0.2), curve(0.1, 0.3), curve(0.1, 0.8, 0.9)]).median[2])


def test_a_loss_that_ended_early_counts_as_larger_than_any_other() -> None:
    losses = [curve(2.3, 9.0), curve(2.3, 0.5, 0.4), curve(2.3, 0.4, 0.3), curve(2.3, 0.3, 0.2), curve(2.3, 0.2, 0.1)]
    b = band(losses, lower_is_better=True)
    assert (b.low[2], b.median[2], b.high[2], b.ended_early) == (0.2, 0.3, 0.4, 1)


def test_a_run_without_any_evaluation_counts_as_worst() -> None:
    b = band([curve(), curve(), curve(0.1, 0.5)])
    assert (b.runs, b.ended_early) == (3, 2)
    assert np.isnan(b.median).all()
    assert band([curve()]).steps.size == 0


def test_rates_where_most_runs_diverge_have_no_accuracy_but_a_mark_with_the_count() -> None:
    figure = every_figure()["rate"]
    no_bn, custom_bn = figure.axes[0].get_lines()
    assert np.isnan(no_bn.get_ydata()[1])
    assert custom_bn.get_ydata().tolist() == pytest.approx([92, 96])
    assert "1 of 1" in texts(figure)


def test_percentile_panels_share_their_scale() -> None:
    _, without, with_bn = every_figure()["percentiles"].axes
    assert without.get_ylim() == with_bn.get_ylim()
    assert [axes.get_title() for axes in (without, with_bn)] == ["(b) no_bn", "(c) custom_bn"]


def test_infinite_effects_are_marked_at_the_edge_and_counted() -> None:
    figure = effect_figure(claim("faster", SUPPORTED))
    assert {"1 of 4 seeds: ∞", "✓ supported"} <= set(texts(figure))
    assert figure.axes[0].get_xlim()[1] < 10
    zero = effect_figure(claim("slower", part([0.0, 0.5, 0.6], 0.0, 0.6, "refuted")))
    assert "1 of 3 seeds: 0" in texts(zero)
    minus = part([-math.inf, 0.1, 0.2], -math.inf, 0.2, "inconclusive", effect="difference", margin={"at_least": 0.5})
    assert "1 of 3 seeds: −∞" in texts(effect_figure(claim("worse", minus)))


def test_all_effects_infinite_still_gives_a_figure() -> None:
    figure = effect_figure(claim("faster", part([math.inf] * 3, math.inf, math.inf, "supported")))
    assert "3 of 3 seeds: ∞" in texts(figure)


def test_the_supported_side_is_shaded_from_the_margin_on() -> None:
    for margin, shaded in (({"at_least": 1.5}, (1.5, None)), ({"within": (0.8, 1.25)}, (0.8, 1.25))):
        axes = effect_figure(claim("x", part([1.0, 2.0], 1.0, 2.0, "inconclusive", margin=margin))).axes[0]
        box = axes.patches[0].get_extents().transformed(axes.transData.inverted())
        assert (box.x0, box.x1) == pytest.approx((shaded[0], shaded[1] or axes.get_xlim()[1]))


def test_a_claim_without_parts_shows_its_reason() -> None:
    assert "because" in texts(effect_figure(claim("missing")))


def test_a_part_without_effects_says_so() -> None:
    empty = part([], math.nan, math.nan, "inconclusive")
    assert "no effect to draw" in texts(effect_figure(claim("missing", empty, SUPPORTED)))


def test_what_is_drawn_and_what_came_out_never_run_into_each_other():
    lines = set()
    for letters in range(10, 100, 2):
        figure = effect_figure(claim("x", part([1.0, 1.1], 1.0, 1.1, "refuted", name="n" * letters)))
        figure.draw_without_rendering()
        (axes,) = figure.axes
        left, right = axes._left_title, axes._right_title
        lines.add(left.get_text().count("\n"))
        assert "\n" in left.get_text() or left.get_window_extent().x1 < right.get_window_extent().x0
    assert lines == {0, 1}


def test_the_bar_of_a_plain_bound_is_called_the_range() -> None:
    bound = dataclasses.replace(SUPPORTED, p=None, p_adjusted=None)
    assert "worst seed and range" in texts(effect_figure(claim("exact", bound)))
    assert "median and 95 % interval" in texts(effect_figure(claim("faster", SUPPORTED)))


def test_seeds_without_a_value_are_counted() -> None:
    nan = math.nan
    missing = part([nan, 1.0, 2.0], nan, nan, "inconclusive")
    assert "1 of 3 seeds without a value" in texts(effect_figure(claim("missing", missing)))


def test_overview_shows_every_verdict_with_a_colour_and_a_shape_of_its_own() -> None:
    figure = verdict_overview([claim("a", SUPPORTED), claim("b", REFUTED), claim("c", UNDECIDED)])
    drawn = {(line.get_color(), line.get_marker()) for line in figure.axes[0].get_lines()}
    assert {(COLOURS[v], MARKERS[v]) for v in ("supported", "refuted", "inconclusive")} <= drawn
    assert len(set(MARKERS.values())) == len(set(COLOURS.values())) == 3


def test_overview_places_an_effect_by_its_multiple_of_the_margin() -> None:
    at_most = part([0.1, 0.1, 0.1], 0.1, 0.1, "supported", effect="level", margin={"at_most": 0.3})
    band_part = part([1.0, 1.0, 1.0], 0.9, 1.1, "supported", margin={"within": (0.8, 1.25)})
    figure = verdict_overview([claim("a", SUPPORTED), claim("b", at_most), claim("c", band_part)])
    dots = [float(line.get_xdata()[0]) for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert dots == pytest.approx([0.3 / 0.1, 2.75 / 1.5, 1.25])


def test_overview_decides_by_the_weakest_part_and_gives_differences_a_panel() -> None:
    figure = verdict_overview([claim("both", SUPPORTED, REFUTED), claim("better", POINTS), claim("missing")])
    assert len(figure.axes) == 2
    assert {"1.10× [1.00, 1.20] (1 of 2)", "+0.2 points [+0.1, +0.3]", "✗ both"} <= set(texts(figure))
    assert "without an effect to draw: ? missing" in texts(figure)


def test_overview_draws_each_part_where_verdicts_are_separate() -> None:
    result = claim("robust", part([2.0, 2.0], 1.9, 2.1, "supported", name="moving"), REFUTED, separate_verdicts=True)
    assert "✓ robust: moving" in texts(verdict_overview([result]))


def test_overview_keeps_room_for_its_axes_whatever_the_parts_are_called() -> None:
    long = part([2.0, 2.0], 1.9, 2.1, "supported", name="of the recomputed statistics of the changed images " * 3)
    results = [claim("better", POINTS), claim("robust_to_everything_there_is", long, REFUTED, separate_verdicts=True)]
    figure = verdict_overview(results)
    svg_file(figure, "overview")  # a layout that does not fit is a warning, and a warning an error
    assert all(axes.get_position().width > 0.3 for axes in figure.axes)
    assert any(text.endswith("…: of the recomputed statist…") for text in texts(figure))


def test_inline_figure_shortens_coordinates_but_no_number_that_is_read() -> None:
    loss = part([0.083, 0.0831], 0.083, 0.0831, "supported", effect="difference", unit="loss", margin={"at_least": 0})
    svg = inline_svg(verdict_overview([claim("regularizes", loss)]), "x", "x")
    assert "+0.083 loss" in svg
    assert not re.search(r'[ "]\d+\.\d{3,}', re.sub(r">[^<]*<", "><", svg))


def test_ticks_differ_where_no_seed_has_a_finite_effect() -> None:
    figure = effect_figure(claim("never", part([math.inf] * 3, math.inf, math.inf, "supported", margin={"above": 1})))
    figure.canvas.draw()
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(ticks) == len(set(ticks)) > 1


def test_overview_of_nothing_says_so() -> None:
    assert "no effect to draw" in texts(verdict_overview([]))


def test_inline_figures_share_no_id_and_style_nothing_else_on_the_page() -> None:
    pages = [inline_svg(figure, name, "a picture") for name, figure in every_figure().items()]
    ids = [found for svg in pages for found in re.findall(r' id="([^"]+)"', svg)]
    assert ids
    assert len(ids) == len(set(ids))
    for svg in pages:
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) == set(re.findall(r' id="([^"]+)"', svg))
        assert "<style" not in svg
        assert INK not in svg
        assert "currentColor" in svg
        assert ET.fromstring(svg).get("aria-label") == "a picture"


def test_the_description_of_a_figure_is_escaped() -> None:
    svg = inline_svg(verdict_overview([]), "x", '"><script>\\1')
    assert ET.fromstring(svg).get("aria-label") == '"><script>\\1'


def test_the_same_input_gives_the_same_bytes() -> None:
    once, again = every_figure(), every_figure()
    for name in once:
        assert inline_svg(once[name], name, "x") == inline_svg(again[name], name, "x")
        assert svg_file(once[name], name) == svg_file(again[name], name)
        assert "dc:date" not in svg_file(once[name], name)


def test_figures_and_report_start_without_tensorflow_and_without_pyplot() -> None:
    check = (
        "import experiments.reporting.report, sys; print({'tensorflow', 'keras', 'matplotlib.pyplot'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_matplotlibrc_changes_no_figure():
    of_a_user = {"lines.linewidth": 9, "figure.dpi": 300, "savefig.bbox": "tight", "font.family": "monospace"}
    ours = {name: svg_file(figure, name) for name, figure in every_figure().items()}
    with mpl.rc_context(of_a_user):
        theirs = {name: svg_file(figure, name) for name, figure in every_figure().items()}
    assert theirs == ours
