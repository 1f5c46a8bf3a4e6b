"""What does an experiment show as a whole? Its arms side by side, its result and its settings, in TensorBoard.

summary/arms/<arm>          the median over seeds of every arm at its best learning rate: a line an arm in each card
summary/trials/<arm>/<grid values>   the same at every place of the grid, and a row each in HParams
"""

from __future__ import annotations

import io
import struct
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as scalars_metadata

from experiments.analysis.measures import ACCURACY
from experiments.analysis.summary import Network
from experiments.configuration.experiment import Experiment
from experiments.records.tensorboard import (
    ABOUT,
    ARMS,
    CURVES,
    LEVEL,
    PICTURES,
    QUARTILES,
    RESULT,
    SUMMARY,
    TRIALS,
    bytes_value,
    event,
    hparams_config,
    session_end,
    session_start,
    write_events,
)
from experiments.records.tidying import clear_events
from experiments.reporting.figures import Band
from experiments.reporting.summary_table import result_markdown
from experiments.reporting.trials import MEASURES, Trial, best_trials, trials

DOTS_PER_INCH = 110  # 880 pixels: what TensorBoard shows unscaled beside its menus
MOST_DIVERGED = 0.5  # of a trial's runs, before its status is that of a failure


def show_in_tensorboard(
    experiment: Experiment,
    folder: Path,
    table: pd.DataFrame,
    networks: Sequence[Network],
    pictures: Mapping[str, Figure],
) -> None:
    """Write an experiment's `summary`, in place of what we wrote there before. networks: what came out of them."""
    clear_events(folder / SUMMARY)
    now, best = time.time(), best_trials(experiment, table, networks)
    arms = _arms(best, networks, now)
    for trial in best:
        arms.setdefault(trial.name, []).extend(_session(trial, now))
    arms["."] = [event(0, now, value) for value in (_bands(best), _columns(best))]
    every = trials(experiment, table, networks)
    grid = {trial.name: [*_session(trial, now), *_events(_medians(trial.bands), now)] for trial in every}
    grid["."] = [event(0, now, _columns(every))]
    for name, of_runs in ((ARMS, arms), (TRIALS, grid)):
        for run, events in of_runs.items():
            (folder / SUMMARY / name / run).mkdir(parents=True, exist_ok=True)
            write_events(folder / SUMMARY / name / run, events, now)
    about = _about(experiment, folder.name, result_markdown(experiment, table, networks), pictures)
    write_events(folder / SUMMARY / ARMS, [event(0, now, value) for value in about], now, ABOUT)


def _arms(best: Sequence[Trial], networks: Sequence[Network], now: float) -> dict[str, list[Event]]:
    """Run → lines and bands of an arm; bands alone, and no line, of a level that steps are counted to."""
    bands = {
        arm.name: {metric: of_arm for metric, of_arm in arm.bands.items() if len(of_arm.steps)}
        for arm in best
        if arm.steps  # and so has been trained
    }
    events = {arm: [*_events([*_medians(of_arm), *_quartiles(of_arm)], now)] for arm, of_arm in bands.items()}
    found = [
        (network, [bands[arm.arm][ACCURACY] for arm in network.arms if ACCURACY in bands.get(arm.arm, {})])
        for network in networks
    ]
    shown = [(network, of_arms) for network, of_arms in found if of_arms]
    for network, of_arms in shown:
        if network.level:
            last = max(int(of_arm.steps[-1]) for of_arm in of_arms)
            name = f"{LEVEL} of {network.name}" if len(shown) > 1 else LEVEL
            events.setdefault(name, []).extend(
                _events(_quartiles({ACCURACY: _flat(network.level.accuracy, last)}), now)
            )
    return events


def _bands(rows: Sequence[Trial]) -> Summary.Value:
    """The charts of Custom Scalars: median and quartiles of each metric that there is."""
    charts = []
    for metric in [metric for metric in CURVES if any(metric in row.bands for row in rows)]:
        value, lower, upper = (f"{QUARTILES}/{metric}/{name}" for name in ("median", "low", "high"))
        series = layout_pb2.MarginChartContent.Series(value=value, lower=lower, upper=upper)
        margin = layout_pb2.MarginChartContent(series=[series])
        charts.append(layout_pb2.Chart(title=f"{metric}, median and quartiles over seeds", margin=margin))
    category = layout_pb2.Category(title="every arm at its best learning rate", chart=charts)
    layout = layout_pb2.Layout(category=[category]).SerializeToString()
    return bytes_value(scalars_metadata.CONFIG_SUMMARY_TAG, scalars_metadata.PLUGIN_NAME, [layout])


def _about(experiment: Experiment, name: str, result: str, pictures: Mapping[str, Figure]) -> Iterator[Summary.Value]:
    """Yield the result, the settings and the pictures, tagged by the experiment's name: a view may hold several."""
    resolved = yaml.safe_dump(experiment.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    yield bytes_value(f"result/{name}", "text", [result.encode()])
    settings = "\n".join(f"    {line}" for line in resolved.splitlines())
    yield bytes_value(f"settings/{name}", "text", [settings.encode()])
    for title, picture in pictures.items():
        png = _png(picture)
        width, height = struct.unpack(">II", png[16:24])
        yield bytes_value(f"{PICTURES}/{name}/{title}", "images", [str(width).encode(), str(height).encode(), png])


def _flat(value: float, last: int) -> Band:
    """A line at one height over all steps, drawn as the arms are."""
    ends = np.full(2, value)
    return Band(np.array([0, last]), ends, ends, ends, 0, 0)


def _medians(bands: Mapping[str, Band]) -> Iterator[tuple[int, str, float]]:
    """The median of each metric under its own name: step, tag, value."""
    for metric, of_arm in bands.items():
        for step, value in zip(of_arm.steps.tolist(), of_arm.median.tolist(), strict=True):
            yield step, metric, value


def _quartiles(bands: Mapping[str, Band]) -> Iterator[tuple[int, str, float]]:
    """The median and both quartiles of each metric, where all three are finite: step, tag, value."""
    for metric, of_arm in bands.items():
        for step, *values in zip(of_arm.steps.tolist(), of_arm.median, of_arm.low, of_arm.high, strict=True):
            if np.isfinite(values).all():
                for name, value in zip(("median", "low", "high"), values, strict=True):
                    yield step, f"{QUARTILES}/{metric}/{name}", float(value)


def _events(points: Iterable[tuple[int, str, float]], now: float) -> Iterator[Event]:
    """One event a step, of all that is finite."""
    by_step: dict[int, list[Summary.Value]] = defaultdict(list)
    for step, tag, value in points:
        if np.isfinite(value):
            by_step[step].append(Summary.Value(tag=tag, simple_value=value))
    for step in sorted(by_step):
        yield Event(step=step, wall_time=now, summary=Summary(value=by_step[step]))


def _columns(rows: Sequence[Trial]) -> Summary.Value:
    shown = {tag: name for tag, name in MEASURES.items() if any(tag in row.measures for row in rows)}
    return hparams_config((row.settings for row in rows), shown)


def _session(trial: Trial, now: float) -> Iterator[Event]:
    """A row of HParams: settings, measures, and as its status a failure where most of its runs diverged."""
    yield event(0, now, session_start(trial.settings, trial.name))
    measured = [Summary.Value(tag=tag, simple_value=value) for tag, value in trial.measures.items()]
    yield Event(step=trial.steps, wall_time=now, summary=Summary(value=measured))
    yield event(0, now, session_end(trial.measures[f"{RESULT}/share_diverged"] <= MOST_DIVERGED))


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DOTS_PER_INCH, facecolor="white")
    return buffer.getvalue()
