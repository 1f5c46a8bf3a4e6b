"""What does an experiment show as a whole? Its arms side by side, its verdict and its settings, in TensorBoard."""

from __future__ import annotations

import io
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as scalars_metadata

from experiments.analysis.claims import ClaimResult, judge
from experiments.analysis.comparison import Results
from experiments.analysis.measures import ACCURACY, FRECHET, TRAIN_LOSS, lower_is_better
from experiments.analysis.summary import runs_at_best_rate, summarize
from experiments.configuration.experiment import Experiment, Run
from experiments.records.storage import Curve, write_atomically
from experiments.records.tensorboard import bytes_value, event, write_events
from experiments.records.tidying import clear_events
from experiments.reporting import wording
from experiments.reporting.figures import Band, Convergence, band, convergence_figure, percentiles_figure, svg_file

METRICS = (ACCURACY, TRAIN_LOSS, FRECHET)


def show_in_tensorboard(
    experiment: Experiment,
    folder: Path,
    table: pd.DataFrame,
    curves_of: Callable[[Iterable[Run], str], dict[str, list[Curve]]],
) -> None:
    """Write the run `summary`: bands over seeds of every arm, the level that steps are counted to, the verdict, the
    resolved settings and figures.

    The figures stand in the folder as SVG, too. curves_of: (runs, metric) → arm → curves.
    """
    runs = runs_at_best_rate(experiment, table)
    curves = {metric: curves_of(runs, metric) for metric in METRICS}
    bands = {
        metric: {arm: band(of_arm, lower_is_better=lower_is_better(metric)) for arm, of_arm in by_arm.items()}
        for metric, by_arm in curves.items()
        if by_arm
    }
    networks, accuracy = summarize(experiment, table), curves[ACCURACY]
    shown = [network for network in networks if any(arm.arm in accuracy for arm in network.arms)]
    for network in shown:
        if network.level:
            name = f"level of {network.name}" if len(shown) > 1 else "level"
            steps = [of_arm.steps for arm, of_arm in bands[ACCURACY].items() if arm in network.outcomes]
            bands[ACCURACY][name] = _flat(network.level.accuracy, max(int(of_arm[-1]) for of_arm in steps))
    resolved = yaml.safe_dump(experiment.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    texts = {"settings": "\n".join(f"    {line}" for line in resolved.splitlines())}
    claim = experiment.config.claim
    if claim and claim.parts:
        texts["verdict"] = verdict_text(
            judge(experiment.name, claim, {experiment.name: Results(experiment.config, table)})
        )
    pictures: dict[str, Figure] = {}
    if shown:
        pictures["convergence"] = convergence_figure(
            *(
                Convergence(
                    {arm.arm: accuracy[arm.arm] for arm in network.arms if arm.arm in accuracy},
                    network.level.accuracy if network.level else None,
                    network.name,
                )
                for network in shown
            )
        )
    if "unit_percentiles" in experiment.config.run.probes:
        tested = curves_of(runs, "accuracy/test") or accuracy
        pictures["percentiles"] = percentiles_figure(tested, _percentiles_of_first_unit(runs, curves_of))
    for name in {"convergence", "percentiles"} - pictures.keys():
        (folder / f"{name}.svg").unlink(missing_ok=True)
    for name, picture in pictures.items():
        write_atomically(folder / f"{name}.svg", svg_file(picture, f"{experiment.name}-{name}").encode())
    _write_overview(folder, bands, texts, {name: _png(picture) for name, picture in pictures.items()})


def _write_overview(
    folder: Path, bands: Mapping[str, Mapping[str, Band]], texts: Mapping[str, str], images: Mapping[str, bytes]
) -> None:
    """Write the runs `summary/<arm>`: median and quartiles over seeds, with margin charts, texts and PNG images.

    bands: metric → arm → band over the steps. texts: tag → Markdown. What we wrote before is replaced.
    """
    now, overview = time.time(), folder / "summary"
    clear_events(overview)
    overview.mkdir(exist_ok=True)
    for arm in dict.fromkeys(arm for of_arms in bands.values() for arm in of_arms):
        (overview / arm).mkdir(exist_ok=True)
        of_arm = {metric: of_arms[arm] for metric, of_arms in bands.items() if arm in of_arms}
        write_events(overview / arm, _band_events(of_arm, now), now)
    charts = []
    for metric in bands:
        series = layout_pb2.MarginChartContent.Series(
            value=f"{metric}/median", lower=f"{metric}/low", upper=f"{metric}/high"
        )
        margin = layout_pb2.MarginChartContent(series=[series])
        charts.append(layout_pb2.Chart(title=f"{metric}, median and quartiles over seeds", margin=margin))
    category = layout_pb2.Category(title="every arm at its best learning rate", chart=charts)
    layout = layout_pb2.Layout(category=[category]).SerializeToString()
    values = [bytes_value(scalars_metadata.CONFIG_SUMMARY_TAG, scalars_metadata.PLUGIN_NAME, [layout])]
    values += [bytes_value(tag, "text", [text.encode()]) for tag, text in texts.items()]
    for tag, png in images.items():
        width, height = struct.unpack(">II", png[16:24])
        values.append(bytes_value(tag, "images", [str(width).encode(), str(height).encode(), png]))
    write_events(overview, [event(0, now, value) for value in values], now)


def verdict_text(result: ClaimResult) -> str:
    """Return the verdict on one claim, judged by itself, and its effects, in Markdown."""
    effects = "\n".join(
        f"* {row.part.name or wording.comparison_words(row.part)}: {wording.effect_or_reason(row)}"
        for row in result.rows
    )
    return f"**{wording.verdict_words(result.verdict)}**: {result.config.statement}\n\n{effects}"


def _flat(value: float, last: int) -> Band:
    """A line at one height over all steps, drawn as the arms are."""
    ends = np.full(2, value)
    return Band(np.array([0, last]), ends, ends, ends, 0, 0)


def _percentiles_of_first_unit(
    runs: Sequence[Run], curves_of: Callable[[Iterable[Run], str], dict[str, list[Curve]]]
) -> dict[str, tuple[Curve, Curve, Curve]]:
    """Arm → the percentiles of the first unit of its last hidden layer, from its first run that has them."""
    found: dict[str, tuple[Curve, Curve, Curve]] = {}
    for run in runs:
        if run.arm not in found:
            layer = len(run.config.model.layers) * run.config.model.depth
            by_name = [curves_of([run], f"pre_activation/{layer}/unit_000/p{p}").get(run.arm) for p in (15, 50, 85)]
            if all(by_name):
                low, median, high = (curves[0] for curves in by_name if curves)
                found[run.arm] = (low, median, high)
    return found


def _band_events(bands: Mapping[str, Band], now: float) -> list[Event]:
    """One event a step and metric, where the median and both quartiles are finite."""
    events = []
    for metric, of_arm in bands.items():
        for i, step in enumerate(of_arm.steps.tolist()):
            values = {name: float(getattr(of_arm, name)[i]) for name in ("median", "low", "high")}
            if np.isfinite(list(values.values())).all():
                shown = [Summary.Value(tag=f"{metric}/{name}", simple_value=value) for name, value in values.items()]
                events.append(Event(step=step, wall_time=now, summary=Summary(value=shown)))
    return events


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=150)
    return buffer.getvalue()
