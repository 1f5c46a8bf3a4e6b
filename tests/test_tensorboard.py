"""What TensorBoard makes of the events: read by its own reader, and served by a server of its own over loopback."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard_server import Server

from experiments.analysis.results_table import results_table
from experiments.analysis.summary import summarize
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Curve, Record, run_name, write_run
from experiments.records.tensorboard import write_hparams_config, write_run_events
from experiments.reporting.pictures import draw, pictures, write_pictures
from experiments.reporting.tensorboard_summary import show_in_tensorboard

STARTED = 1_700_000_000.0
TAGS = ["accuracy/validation", "gradient_norm/1", "loss/train"]


def experiment(folder: Path, grid: str = "optimizer.learning_rate: [0.1, 1]") -> Experiment:
    path = folder / "tiny.yaml"
    path.write_text(
        f"title: t\narms: {{no_bn: {{}}, custom_bn: {{model.norm.kind: custom}}}}\ngrid: {{{grid}}}\nseeds: 3\n"
    )
    return load_experiment(path)


def record(run: Any, status: str = "finished") -> Record:
    seed = run.config.seed
    curves = {
        "accuracy/validation": Curve(np.array([0, 50, 100]), np.array([0.1, 0.5, 0.75 + seed / 100])),
        "loss/train": Curve(np.array([50, 100]), np.array([2.0, 1.0])),
        "gradient_norm/1": Curve(np.array([0, 50, 100]), np.array([3.0, 2.0, 1.0])),
        "pre_activation/1/unit_000/p50": Curve(np.array([0]), np.array([0.0])),
    }
    seconds = Curve(np.array([0, 50, 100]), np.array([0.0, 2.0, 5.0]))
    return Record(run.config, status, curves, seconds=seconds, provenance={"started": STARTED})  # type: ignore[arg-type]


def write(folder: Path, tiny: Experiment) -> Path:
    runs = tiny.evaluation_runs({})
    for run in runs:
        write_run(folder / "out", run, record(run), write_run_events)
    write_hparams_config(folder / "out", runs)
    return folder / "out"


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()


def test_scalars_stand_at_their_updates_with_the_seconds_of_training(tmp_path: Path):
    out = write(tmp_path, experiment(tmp_path))
    events = read(out / "custom_bn/learning_rate=1/seed=2")
    assert [(e.step, round(e.value, 6)) for e in events.Scalars("accuracy/validation")] == [
        (0, 0.1),
        (50, 0.5),
        (100, 0.77),
    ]
    assert [(e.step, e.value) for e in events.Scalars("loss/train")] == [(50, 2.0), (100, 1.0)]
    assert [e.wall_time - STARTED for e in events.Scalars("gradient_norm/1")] == [0, 2, 5]


def test_every_run_has_the_same_tags_and_no_curves_of_single_units(tmp_path: Path):
    tiny = experiment(tmp_path)
    out = write(tmp_path, tiny)
    tags = {run_name(run): sorted(read(out / run_name(run)).Tags()["scalars"]) for run in tiny.evaluation_runs({})}
    assert len(tags) == 12
    assert set(map(tuple, tags.values())) == {tuple(TAGS)}


def test_in_the_summary_a_diverged_run_has_the_lowest_accuracy_and_the_highest_loss(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("title: t\nrun: {steps: 100, evaluate_every: 50}\narms: {a: {}}\nseeds: 5\n")
    tried = load_experiment(tmp_path / "x.yaml")
    steps, records = np.array([0, 50, 100]), []
    for run, end in zip(tried.evaluation_runs({}), (0.1, 0.2, 0.3, 0.4, None), strict=True):
        lost = end is None
        curves = {
            "accuracy/validation": Curve(steps[:2], np.array([0.5, 0.5])),
            "loss/train": Curve(steps[1:2], np.array([0.5])),
        }
        if end is not None:
            curves = {
                "accuracy/validation": Curve(steps, np.array([0.5, 0.5, end])),
                "loss/train": Curve(steps[1:], np.array([0.5, end])),
            }
        records.append(
            (run.arm, run.grid, Record(run.config, "diverged" if lost else "finished", curves, 70 if lost else None))
        )
    table = results_table(records)
    show_in_tensorboard(tried, tmp_path, table, summarize(tried, table), {})
    events = read(tmp_path / "summary/arms/a")
    last = {tag: events.Scalars(tag)[-1] for tag in ("accuracy/validation", "loss/train")}
    assert {tag: (shown.step, shown.value) for tag, shown in last.items()} == {
        "accuracy/validation": (100, pytest.approx(0.2)),  # the middle of −∞, 0.1, 0.2, 0.3, 0.4
        "loss/train": (100, pytest.approx(0.3)),
    }


def test_in_the_summary_each_network_has_its_level_as_a_line_and_a_panel(tmp_path: Path):
    cnn = "model.kind: cnn, model.layers: [4]"
    norm = "model.norm.kind: custom"
    arms = f"a: {{}}, b: {{{norm}}}, c: {{{cnn}}}, d: {{{cnn}, {norm}}}"
    (tmp_path / "x.yaml").write_text(f"title: t\nrun: {{steps: 100, evaluate_every: 50}}\narms: {{{arms}}}\n")
    tried = load_experiment(tmp_path / "x.yaml")
    ends = {"a": 0.9, "b": 0.95, "c": 0.8, "d": 0.7}  # twice the error of the weaker: 0.8 and 0.4, but half way is 0.45
    curves = {arm: Curve(np.array([0, 50, 100]), np.array([0.1, end, end])) for arm, end in ends.items()}
    runs = tried.evaluation_runs({})
    records = [
        (run.arm, run.grid, Record(run.config, "finished", {"accuracy/validation": curves[run.arm]})) for run in runs
    ]
    table = results_table(records)
    summary = summarize(tried, table)
    shown = pictures(tried, table, summary, lambda *_: {arm: [curve] for arm, curve in curves.items()})
    write_pictures(tmp_path, draw(tried.name, shown))
    show_in_tensorboard(tried, tmp_path, table, summary, shown)
    for name, level in (("level of MLP", 0.8), ("level of CNN", 0.45)):
        found = read(tmp_path / "summary/arms" / name)
        assert [(event.step, event.value) for event in found.Scalars("~quartiles/accuracy/validation/median")] == [
            (0, pytest.approx(level)),
            (100, pytest.approx(level)),
        ]
        assert "accuracy/validation" not in found.Tags()["scalars"]  # the first tab has a line an arm and no more
    drawn = (tmp_path / "figures/convergence.svg").read_text(encoding="utf-8")
    assert [text for text in re.findall(r">([^<>]*%)<", drawn) if text.startswith("steps")] == [
        "steps to 80.0 %",
        "steps to 45.0 %",
    ]


def test_several_values_share_an_event(tmp_path: Path):
    out = write(tmp_path, experiment(tmp_path))
    (file,) = (out / "no_bn/learning_rate=1/seed=0").glob("events.*")
    assert file.name == "events.out.tfevents.1700000000.000000.batchnorm-lab"
    # file version, session start, steps 0, 50 and 100, session end: each a length, a checksum, data and a checksum
    data, count = file.read_bytes(), 0
    while data:
        data, count = data[int.from_bytes(data[:8], "little") + 16 :], count + 1
    assert count == 6


def test_writing_the_hparams_again_replaces_them(tmp_path: Path):
    tiny = experiment(tmp_path)
    out = write(tmp_path, tiny)
    write_hparams_config(out, tiny.evaluation_runs({}))
    assert len(list(out.glob("events.out.tfevents.*"))) == 1


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    out = write(folder, experiment(folder))
    with Server(out) as server:
        end = time.monotonic() + 60
        while len(server.get("runs")) < 13 and time.monotonic() < end:
            time.sleep(0.2)
        yield server


def test_the_server_lists_every_run_with_its_tags(served: Server):
    tags = served.get("plugin/scalars/tags")
    expected = [
        f"{arm}/learning_rate={rate}/seed={seed}"
        for arm in ("custom_bn", "no_bn")
        for rate in ("0.1", "1")
        for seed in range(3)
    ]
    assert sorted(tags) == expected
    assert {tuple(sorted(of_run)) for of_run in tags.values()} == {tuple(TAGS)}


def test_the_server_gives_the_scalars_of_every_arm(served: Server):
    for arm in ("no_bn", "custom_bn"):
        run = f"{arm}/learning_rate=0.1/seed=1"
        points = served.get("plugin/scalars/scalars", run=run, tag="accuracy/validation")
        assert [(step, round(value, 6)) for _, step, value in points] == [(0, 0.1), (50, 0.5), (100, 0.76)]
        assert [wall_time - STARTED for wall_time, _, _ in points] == [0, 2, 5]


def test_nothing_but_the_address_is_on_the_screen(served: Server):
    assert [line for line in served.said if line] == [
        "Serving TensorBoard on localhost; to expose to the network, use a proxy or pass --bind_all",
        f"TensorBoard {tensorboard.__version__} at {served.address} (Press CTRL+C to quit)",
    ]


def test_the_server_knows_the_hyperparameters(served: Server):
    about = served.post("plugin/hparams/experiment", experimentName="")
    infos = {info["name"]: info for info in about["hparamInfos"]}
    assert set(infos) == {"arm", "learning_rate", "log10 learning_rate"}
    assert infos["log10 learning_rate"]["domainInterval"] == {"minValue": -1.0, "maxValue": 0.0}
    assert sorted(infos["arm"]["domainDiscrete"]) == ["custom_bn", "no_bn"]
    assert infos["learning_rate"]["type"] == "DATA_TYPE_FLOAT64"
    assert sorted(infos["learning_rate"]["domainDiscrete"]) == [0.1, 1.0]
    assert [info["name"]["tag"] for info in about["metricInfos"]] == [
        "accuracy/validation",
        "accuracy/test",
        "loss/train",
        "loss/validation",
    ]


def test_the_server_groups_the_seeds_of_an_arm_and_rate_into_one_trial(served: Server):
    columns = [{"metric": {"tag": "accuracy/validation"}}]
    found = served.post(
        "plugin/hparams/session_groups",
        experimentName="",
        startIndex=0,
        sliceSize=100,
        aggregationType="AGGREGATION_AVG",
        allowedStatuses=["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"],
        colParams=columns,
    )
    assert found["totalSize"] == 4
    trials = {}
    for group in found["sessionGroups"]:
        trials[group["hparams"]["arm"], group["hparams"]["learning_rate"]] = group
    assert sorted(trials) == [("custom_bn", 0.1), ("custom_bn", 1.0), ("no_bn", 0.1), ("no_bn", 1.0)]
    for (arm, rate), group in trials.items():
        sessions = sorted(session["name"] for session in group["sessions"])
        assert sessions == [f"{arm}/learning_rate={rate:g}/seed={seed}" for seed in range(3)]
        assert {session["status"] for session in group["sessions"]} == {"STATUS_SUCCESS"}
        values = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
        assert values["accuracy/validation"] == pytest.approx(0.76)  # the mean of 0.75, 0.76 and 0.77


def test_axes_of_the_same_short_name_stay_apart(tmp_path: Path):
    tiny = experiment(tmp_path, "optimizer.momentum: [0.5], model.norm.momentum: [0.9], steps: [100]")
    out = write(tmp_path, tiny)
    (file,) = out.glob("no_bn/momentum=0.5/momentum=0.9/steps=100/seed=0/events.*")
    content = file.read_bytes()
    assert b"optimizer.momentum" in content
    assert b"model.norm.momentum" in content


def hparams_data(folder: Path, tag: str) -> bytes:
    return read(folder).SummaryMetadata(f"_hparams_/{tag}").plugin_data.content


@pytest.mark.parametrize("values", ["[null, 50]", "[50]"])
def test_a_value_or_none_is_a_text_in_the_domain_and_in_every_session(tmp_path: Path, values: str):
    tiny = experiment(tmp_path, f"dataset.train_examples: {values}, steps: [100, 200]")
    out = write(tmp_path, tiny)
    infos = hparams_metadata.parse_experiment_plugin_data(hparams_data(out, "experiment")).hparam_infos
    domains = {info.name: [*info.domain_discrete] for info in infos}
    assert domains["train_examples"] == (["50", "None"] if "null" in values else ["50"])
    assert domains["steps"] == [100.0, 200.0]
    of_sessions = set()
    for run in tiny.evaluation_runs({}):
        data = hparams_data(out / run_name(run), "session_start_info")
        of_sessions.add(
            hparams_metadata.parse_session_start_info_plugin_data(data).hparams["train_examples"].string_value
        )
    assert of_sessions == set(domains["train_examples"])


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_a_failed_run_is_marked_and_a_diverged_one_is_not(tmp_path: Path, status: str):
    tiny = experiment(tmp_path)
    run = tiny.evaluation_runs({})[0]
    write_run(tmp_path, run, record(run, status), write_run_events)
    metadata = read(tmp_path / run_name(run)).SummaryMetadata("_hparams_/session_end_info")
    # field 4, session_end_info, of the plugin's data; in it field 1, the status: 1 is success, 2 failure
    assert (b"\x08\x02" in metadata.plugin_data.content) == (status == "failed")
