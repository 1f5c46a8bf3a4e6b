import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from claim_results import RESULTS
from matplotlib.figure import Figure

from experiments.records.storage import Curve
from experiments.reporting.effect_figures import effect_figure
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
from experiments.reporting.overview_figure import verdict_overview


def curve(*values: float, every: int = 50) -> Curve:
    return Curve(np.arange(len(values)) * every, np.array(values, float))


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
        "effect": effect_figure(RESULTS[2]),
        "overview": verdict_overview(RESULTS),
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
    svg = inline_svg(every_figure()["rate"], "x", '"><script>\\1')
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
