"""How do the curves of runs get into TensorBoard?

Events are written straight into a run's directory, many values to an event, with TensorBoard's own record format and
without TensorFlow. Step is the update count; wall time runs with the seconds spent in training.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from experiments.configuration.experiment import LEARNING_RATE, Run
from experiments.configuration.run import RunConfig
from experiments.records.storage import Record
from experiments.records.tidying import EVENTS

# Of an experiment's folder: where the summary lies, and what in it.
SUMMARY, ARMS, TRIALS = "summary", "arms", "trials"
CURVES = ("accuracy/validation", "loss/train", "frechet/validation")  # of every arm that has them, a card each
LOG10 = "log10 "
ABOUT = ".about"  # in the name of the file of texts and pictures
LEVEL = "level"  # begins the names of what steps are counted to, beside the arms
LAST = "~"  # begins groups of tags that come after all others, and so come up closed, as all but the first two do
QUARTILES, RESULT, PICTURES = f"{LAST}quartiles", f"{LAST}result", f"{LAST}pictures"
SHOWN_METRICS = ("accuracy/validation", "accuracy/test", "loss/train", "loss/validation")
SHOWN_OF_IMAGES = ("frechet/validation", "frechet/test", "loss/discriminator", "loss/generator")


def write_run_events(directory: Path, run: Run, record: Record) -> None:
    """Write one run's scalars and hyperparameters. The curves of single units stay in `curves.parquet`."""
    started = float(record.provenance.get("started", time.time()))
    seconds = dict(zip(record.seconds.steps.tolist(), record.seconds.values.tolist(), strict=True))
    by_step: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for metric, curve in record.curves.items():
        if "/unit_" not in metric:
            for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
                by_step[step].append((metric, value))
    events = [event(0, started, session_start(hparams(run), run.config.trial()))]
    latest = started
    for step in sorted(by_step):
        latest = started + seconds.get(step, latest - started)
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in by_step[step]]
        events.append(Event(step=step, wall_time=latest, summary=Summary(value=values)))
    success = record.status != "failed"
    events.append(event(0, latest, session_end(success)))
    write_events(directory, events, started)


def write_hparams_config(experiment: Path, runs: Iterable[Run]) -> None:
    """Write which hyperparameters and metrics the dashboard shows, once for the whole experiment."""
    runs = list(runs)
    shown = SHOWN_OF_IMAGES if any(run.config.gan for run in runs) else SHOWN_METRICS
    value = hparams_config(map(hparams, runs), {tag: tag for tag in shown})
    for old in experiment.glob(EVENTS):
        old.unlink()
    now = time.time()
    write_events(experiment, [event(0, now, value)], now)


def hparams_config(trials: Iterable[Mapping[str, str | float]], metrics: Mapping[str, str]) -> Summary.Value:
    """Return the columns of the dashboard: the hyperparameters of all trials, then metrics, tag → heading."""
    columns: dict[str, set[Any]] = defaultdict(set)
    for trial in trials:
        for name, value in trial.items():
            columns[name].add(value)
    infos = []
    for name, values in columns.items():
        info = api_pb2.HParamInfo(name=name, display_name=name.replace("_", " "))
        text = any(isinstance(v, str) for v in values)
        info.type = api_pb2.DATA_TYPE_STRING if text else api_pb2.DATA_TYPE_FLOAT64
        if name.startswith(LOG10):  # offers its ends to choose, not a list
            info.domain_interval.min_value, info.domain_interval.max_value = min(values), max(values)
        else:
            for value in sorted(values, key=str if text else float):
                info.domain_discrete.values.add(**({"string_value": str(value)} if text else {"number_value": value}))
        infos.append(info)
    shown = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=name) for tag, name in metrics.items()]
    about = api_pb2.Experiment(hparam_infos=infos, metric_infos=shown, time_created_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(experiment=about, version=hparams_metadata.PLUGIN_DATA_VERSION)
    return _hparams_value(hparams_metadata.EXPERIMENT_TAG, data)


def write_events(directory: Path, events: Iterable[Event], started: float, name: str = "") -> None:
    """Write an event file, `name` in its own; raises OSError where the disk does not take it.

    The time of its first event, by which TensorBoard orders runs and gives them colours, is the same in all: so they
    are in the order of their names, and an arm has the same colour in every view.
    """
    with (directory / EVENTS.replace("*", f"{started:.6f}{name}")).open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=0, file_version="brain.Event:2").SerializeToString())
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


def event(step: int, wall_time: float, value: Summary.Value) -> Event:
    """Return an event of one value. wall_time: seconds since 1970."""
    return Event(step=step, wall_time=wall_time, summary=Summary(value=[value]))


def hparams(run: Run) -> dict[str, str | float]:
    """Return arm and grid values: what differs between the trials of an experiment.

    Learning rates stand there as logarithms, too, which a plot of them takes.
    """
    short = {axis: axis.rpartition(".")[2] for axis in run.grid}
    ambiguous = {name for name in short.values() if list(short.values()).count(name) > 1}
    values: dict[str, str | float] = {"arm": run.arm}
    for axis, value in run.grid.items():
        name = axis if short[axis] in ambiguous else short[axis]
        if axis == LEARNING_RATE:
            rate = run.config.optimizer.learning_rate  # a number, even where YAML reads 1e-3 as text
            values |= {name: rate, f"{LOG10}{name}": math.log10(rate)}
        else:
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and not _may_be_none(axis)
            values[name] = float(value) if number else str(value)
    return values


def _may_be_none(axis: str) -> bool:
    """Tell whether a field of a run may have no value. Its values are texts: a filter takes none for another's kind."""
    model: Any = RunConfig
    for part in axis.split("."):
        field = getattr(model, "model_fields", {}).get(part)
        model = field and field.annotation
    return type(None) in get_args(model)


def session_start(values: Mapping[str, str | float], group: str) -> Summary.Value:
    """Return what begins a session: its hyperparameters, and the trial that it belongs to with others of its group."""
    start = plugin_data_pb2.SessionStartInfo(group_name=group, start_time_secs=time.time())
    for name, value in values.items():
        if isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start, version=hparams_metadata.PLUGIN_DATA_VERSION)
    return _hparams_value(hparams_metadata.SESSION_START_INFO_TAG, data)


def session_end(success: bool) -> Summary.Value:
    """Return what ends a session, with its status."""
    status = api_pb2.STATUS_SUCCESS if success else api_pb2.STATUS_FAILURE
    end = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end, version=hparams_metadata.PLUGIN_DATA_VERSION)
    return _hparams_value(hparams_metadata.SESSION_END_INFO_TAG, data)


def _hparams_value(tag: str, data: plugin_data_pb2.HParamsPluginData) -> Summary.Value:
    value = Summary.Value(tag=tag)
    value.metadata.plugin_data.plugin_name = hparams_metadata.PLUGIN_NAME
    value.metadata.plugin_data.content = data.SerializeToString()
    value.tensor.CopyFrom(hparams_metadata.NULL_TENSOR)
    return value


def bytes_value(tag: str, plugin: str, content: list[bytes]) -> Summary.Value:
    """Return a value that a plugin of TensorBoard reads itself: texts, images, a layout."""
    value = Summary.Value(tag=tag)
    value.metadata.plugin_data.plugin_name = plugin
    value.tensor.dtype = DT_STRING
    value.tensor.string_val.extend(content)
    if len(content) > 1:
        value.tensor.tensor_shape.dim.add(size=len(content))
    return value
