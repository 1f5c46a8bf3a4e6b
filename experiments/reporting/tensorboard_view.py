"""Which folder should TensorBoard be given, so that what comes up can be read, and under which addresses?

TensorBoard selects no run in a view of more than 500, and its older tabs none of more than 40.
"""

from __future__ import annotations

import base64
import fnmatch
import json
import os
import shutil
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as scalars_metadata

from experiments.records.storage import StorageError
from experiments.records.tensorboard import (
    ABOUT,
    ARMS,
    CURVES,
    LAST,
    LEVEL,
    RESULT,
    SUMMARY,
    TRIALS,
    bytes_value,
    event,
    write_events,
)
from experiments.records.tidying import EVENTS, NOTE, RUN

MOST_RUNS = 500  # that TensorBoard selects by itself
ABOUT_FILE = EVENTS.replace("*", f"*{ABOUT}")
# The folder of an arm, first in a run's name, and neither the whole nor a level.
BY_ARM = rf"^((?!{LEVEL}(?: of |$))[^./][^/]*)"


class Show(StrEnum):
    """What a line of a view stands for."""

    ARMS = "arms"
    TRIALS = "trials"
    RUNS = "runs"


@dataclass(frozen=True)
class View:
    """What TensorBoard is given.

    told: of a view of several experiments, the runs that hold texts and pictures. foreign: it is none of ours.
    """

    folder: Path
    show: Show
    told: tuple[str, ...] = ()
    foreign: bool = False

    def links(self, address: str) -> Iterator[tuple[str, str]]:
        """Yield what a page of TensorBoard answers, and the page's address on a server."""
        if not self.foreign:
            yield from _links(address, self.show, self.told)


def view(folder: Path, show: Show, scratch: Path) -> View:
    """Return what to serve: one experiment, or all below a folder, whose lines are brought together in `scratch`.

    A folder that holds none of ours is served as it is. Raises StorageError where there is nothing to show yet, and
    where a view would have more runs than TensorBoard selects.
    """
    if not folder.is_dir():
        raise StorageError(
            f"{folder}: is no folder; train something first, as by scripts/run.py configs/quickstart.yaml"
        )
    found = list(experiments_in(folder))
    if show is Show.RUNS or not found:
        check_size(folder, RUN)
        return View(folder, Show.RUNS, foreign=not found)
    if show is Show.TRIALS and found != [folder]:
        raise StorageError(f"{folder}: --show trials takes the folder of one experiment, such as {found[0]}")
    if found == [folder]:
        shown = folder / SUMMARY / (TRIALS if show is Show.TRIALS else ARMS)
        if not any(shown.rglob(EVENTS)):
            raise StorageError(
                f"{folder}: is not summed up yet; its command does so in the end, also of what an older version wrote. "
                "Single runs, meanwhile: --show runs"
            )
        check_size(shown)
        return View(shown, show)
    summed_up = [experiment for experiment in found if any((experiment / SUMMARY / ARMS).rglob(EVENTS))]
    if not summed_up:
        raise StorageError(f"{folder}: no experiment in it is summed up yet; single runs, meanwhile: --show runs")
    bring_together(folder, summed_up, scratch)
    check_size(scratch)
    told = dict.fromkeys(str(experiment.parent.relative_to(folder)) for experiment in summed_up)
    return View(scratch, show, tuple(told))


def experiments_in(folder: Path) -> Iterator[Path]:
    """Yield the folders of experiments, this one or those below it, in the order of their names."""
    for name, inner, files in os.walk(folder):
        if NOTE in files:
            yield Path(name)
            inner.clear()
        inner[:] = sorted(other for other in inner if not other.startswith("."))


def count_runs(folder: Path, pattern: str = EVENTS) -> int:
    """Return how many folders, this one and those below, have a file of this name."""
    return sum(bool(fnmatch.filter(files, pattern)) for _, _, files in os.walk(folder))


def check_size(folder: Path, pattern: str = EVENTS) -> None:
    """Raise StorageError where a folder has more runs than TensorBoard selects."""
    count = count_runs(folder, pattern)
    if count > MOST_RUNS:
        raise StorageError(
            f"{folder}: has {count:,} runs, and of more than {MOST_RUNS} TensorBoard shows none by itself; "
            "give a folder inside it with --logdir, such as that of one arm, or show less with --show arms"
        )


def bring_together(root: Path, experiments: Iterable[Path], target: Path) -> None:
    """Write the arms of several experiments as one view: the cards of an experiment are a group under its name.

    Arms of one name are one run, of one colour. Settings and measures of an experiment's arms stay behind.
    """
    runs: dict[Path, list[Event]] = defaultdict(list)
    layout, latest = layout_pb2.Layout(), 0.0
    for folder in experiments:
        name, arms = ".".join(folder.relative_to(root).parts), folder / SUMMARY / ARMS
        for file in sorted(arms.rglob(EVENTS)):
            if fnmatch.fnmatch(file.name, ABOUT_FILE):
                told = target / folder.parent.relative_to(root)
                told.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, told / f"{file.name}.{folder.name}")
                continue
            for old in _events(file):
                latest = max(latest, old.wall_time)
                layout.category.extend(category for value in old.summary.value for category in _charts(value, name))
                if kept := [_within(name, value) for value in old.summary.value if _is_curve(value)]:
                    retagged = Event(step=old.step, wall_time=old.wall_time, summary=Summary(value=kept))
                    runs[file.parent.relative_to(arms)].append(retagged)
    content = layout.SerializeToString()
    bands = bytes_value(scalars_metadata.CONFIG_SUMMARY_TAG, scalars_metadata.PLUGIN_NAME, [content])
    runs[Path()].append(event(0, latest, bands))
    for run, events in runs.items():
        (target / run).mkdir(parents=True, exist_ok=True)
        write_events(target / run, events, latest)


def _events(file: Path) -> Iterator[Event]:
    reader = PyRecordReader_New(str(file))
    while True:
        try:
            reader.GetNext()
        except Exception as error:  # tensorboard.compat's errors.OutOfRangeError, at the end
            if type(error).__name__ != "OutOfRangeError":
                raise
            return
        yield Event.FromString(reader.record())


def _is_curve(value: Summary.Value) -> bool:
    return value.HasField("simple_value") and not value.tag.startswith(f"{RESULT}/")


def _within(experiment: str, value: Summary.Value) -> Summary.Value:
    return Summary.Value(tag=_tag_within(experiment, value.tag), simple_value=value.simple_value)


def _tag_within(experiment: str, tag: str) -> str:
    """A tag in a view of several experiments; what bands are drawn from comes after all of them."""
    group, _, rest = tag.partition("/")
    return f"{group}/{experiment}/{rest}" if group.startswith(LAST) else f"{experiment}/{tag}"


def _charts(value: Summary.Value, experiment: str) -> Iterator[layout_pb2.Category]:
    if value.tag != scalars_metadata.CONFIG_SUMMARY_TAG:
        return
    for category in layout_pb2.Layout.FromString(value.tensor.string_val[0]).category:
        category.title, category.closed = f"{experiment}: {category.title}", True
        for chart in category.chart:
            for series in chart.margin.series:
                tags = series.value, series.lower, series.upper
                series.value, series.lower, series.upper = (_tag_within(experiment, tag) for tag in tags)
        yield category


def _links(address: str, show: Show, told: Sequence[str]) -> Iterator[tuple[str, str]]:
    state = {"smoothing": "0", "runColorGroup": f"regex:{BY_ARM}"}
    if show is Show.ARMS and not told:
        pinned = [{"plugin": "scalars", "tag": metric} for metric in CURVES]
        yield (
            "curves, a line an arm",
            _address(address, "timeseries", state | {"pinnedCards": json.dumps(pinned, separators=(",", ":"))}),
        )
        yield "bands over seeds", _address(address, "custom_scalars")
        yield "arms as rows", _address(address, "hparams")
        yield "result in words", _address(address, "text")
        yield "pictures", _address(address, "images")
    elif show is Show.ARMS:
        accuracy = state | {"tagFilter": f"{CURVES[0]}$"}
        yield "curves, a line an arm, a group an experiment", _address(address, "timeseries", state)
        yield "accuracy alone", _address(address, "timeseries", accuracy)
        only = base64.b64encode(json.dumps(dict.fromkeys(told, True)).encode()).decode()
        yield "results in words", _address(address, "text", selected=only)
        yield "pictures", _address(address, "images", selected=only)
    else:
        yield "curves, arms in colours", _address(address, "timeseries", state)
        yield "arms and rates as rows", _address(address, "hparams")


def _address(address: str, tab: str, state: dict[str, str] | None = None, selected: str = "") -> str:
    query = f"?{urllib.parse.urlencode(state, safe='/:^!,|', quote_via=urllib.parse.quote)}" if state else ""
    return f"{address}{query}#{tab}" + (f"&runSelectionState={urllib.parse.quote(selected)}" if selected else "")
