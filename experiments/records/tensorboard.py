"""How do the curves of runs get into TensorBoard?

Events are written straight into a run's directory, many values to an event, with TensorBoard's own record format and
without TensorFlow. Step is the update count; wall time runs with the seconds spent in training.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.summary.writer.record_writer import RecordWriter

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records.storage import Record
from experiments.records.tidying import EVENTS

SHOWN_METRICS = ("accuracy/validation", "accuracy/test", "loss/train", "loss/validation")


def write_run_events(directory: Path, run: Run, record: Record) -> None:
    """Write one run's scalars and hyperparameters. The curves of single units stay in `curves.parquet`."""
    started = float(record.provenance.get("started", time.time()))
    seconds = dict(zip(record.seconds.steps.tolist(), record.seconds.values.tolist(), strict=True))
    by_step: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for metric, curve in record.curves.items():
        if "/unit_" not in metric:
            for step, value in zip(curve.steps.tolist(), curve.values.tolist(), strict=True):
                by_step[step].append((metric, value))
    events = [event(0, started, _session_start(run))]
    latest = started
    for step in sorted(by_step):
        latest = started + seconds.get(step, latest - started)
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in by_step[step]]
        events.append(Event(step=step, wall_time=latest, summary=Summary(value=values)))
    success = record.status != "failed"
    events.append(event(0, latest, _session_end(success)))
    write_events(directory, events, started)


def write_hparams_config(experiment: Path, runs: Iterable[Run]) -> None:
    """Write which hyperparameters and metrics the dashboard shows, once for the whole experiment."""
    columns: dict[str, set[Any]] = defaultdict(set)
    for run in runs:
        for name, value in _hparams(run).items():
            columns[name].add(value)
    infos = []
    for name, values in columns.items():
        info = api_pb2.HParamInfo(name=name, display_name=name.replace("_", " "))
        text = any(isinstance(v, str) for v in values)
        info.type = api_pb2.DATA_TYPE_STRING if text else api_pb2.DATA_TYPE_FLOAT64
        for value in sorted(values, key=str):
            info.domain_discrete.values.add(**({"string_value": str(value)} if text else {"number_value": value}))
        infos.append(info)
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=tag) for tag in SHOWN_METRICS]
    about = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics, time_created_secs=time.time())
    data = plugin_data_pb2.HParamsPluginData(experiment=about, version=hparams_metadata.PLUGIN_DATA_VERSION)
    for old in experiment.glob(EVENTS):
        old.unlink()
    now = time.time()
    write_events(experiment, [event(0, now, _hparams_value(hparams_metadata.EXPERIMENT_TAG, data))], now)


def write_events(directory: Path, events: Iterable[Event], started: float) -> None:
    """Write an event file; raises OSError where the disk does not take it."""
    with (directory / EVENTS.replace("*", f"{started:.6f}")).open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=started, file_version="brain.Event:2").SerializeToString())
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


def event(step: int, wall_time: float, value: Summary.Value) -> Event:
    """Return an event of one value. wall_time: seconds since 1970."""
    return Event(step=step, wall_time=wall_time, summary=Summary(value=[value]))


def _hparams(run: Run) -> dict[str, str | float]:
    """Arm and grid values: what differs between the trials of an experiment."""
    short = {axis: axis.rpartition(".")[2] for axis in run.grid}
    ambiguous = {name for name in short.values() if list(short.values()).count(name) > 1}
    values: dict[str, str | float] = {"arm": run.arm}
    for axis, value in run.grid.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and not _may_be_none(axis)
        values[axis if short[axis] in ambiguous else short[axis]] = float(value) if number else str(value)
    return values


def _may_be_none(axis: str) -> bool:
    """Tell whether a field of a run may have no value. Its values are texts: a filter takes none for another's kind."""
    model: Any = RunConfig
    for part in axis.split("."):
        field = getattr(model, "model_fields", {}).get(part)
        model = field and field.annotation
    return type(None) in get_args(model)


def _session_start(run: Run) -> Summary.Value:
    start = plugin_data_pb2.SessionStartInfo(group_name=run.config.trial(), start_time_secs=time.time())
    for name, value in _hparams(run).items():
        if isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    data = plugin_data_pb2.HParamsPluginData(session_start_info=start, version=hparams_metadata.PLUGIN_DATA_VERSION)
    return _hparams_value(hparams_metadata.SESSION_START_INFO_TAG, data)


def _session_end(success: bool) -> Summary.Value:
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
