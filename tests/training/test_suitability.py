"""Which runs do not fit their data, and where in the file that is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_data import prepared_data_dir

from experiments.configuration.facts import EMBEDDED, Facts, split_sizes
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import RunConfig
from experiments.training.dataset_facts import DatasetError, facts_of, known_facts
from experiments.training.datasets import known_of_sources, load_dataset
from experiments.training.suitability import faults_of_data, misfits, require_fit

ROOT = Path(__file__).parent.parent.parent
MNIST = Facts((28, 28, 1), 10, 70_000, 10_000)
DIGITS, WINE = EMBEDDED["digits"], EMBEDDED["wine"]  # 1078 and 106 training examples


def misfits_of(facts: Facts = DIGITS, **settings: Any) -> list[str]:
    return [str(error) for error in misfits(RunConfig.model_validate(settings), facts)]


@pytest.mark.parametrize("name", EMBEDDED)
def test_what_is_known_of_the_embedded_data_is_what_they_are(name: str):
    assert load_dataset(name).facts == facts_of(name)


def test_sizes_of_a_split_by_hand():
    assert split_sizes(1797, 0) == (1078, 359, 360)
    assert split_sizes(178, 0) == (106, 36, 36)
    assert split_sizes(70_000, 10_000) == (55_000, 5_000, 10_000)


def test_the_defaults_fit_all_embedded_data():
    for name, facts in EMBEDDED.items():
        assert misfits_of(facts, dataset={"name": name}, probes=["gradients"]) == []


@pytest.mark.parametrize(
    ("facts", "settings", "fault"),
    [
        (
            DIGITS,
            {"model": {"kind": "cnn", "layers": [4, 4], "kernel_size": 5, "padding": "valid"}},
            "model.padding: got valid, which leaves no pixel of digits's 8×8 pixels to convolution 2; use same, fewer "
            "layers or a smaller kernel_size",
        ),
        (
            DIGITS,
            {"model": {"kind": "cnn", "layers": [4], "depth": 4, "norm": {"kind": "instance"}}},
            "model.norm.kind: got instance, which makes 0 of the single pixel that convolution 4 leaves of digits's "
            "8×8 pixels; use fewer layers, or pooling: none",
        ),
        (
            DIGITS,
            {"dataset": {"batch_size": 1079}},
            "dataset.batch_size: got 1079, but digits has 1078 training examples; give a smaller one",
        ),
        (
            DIGITS,
            {"dataset": {"train_examples": 1079}},
            "dataset.train_examples: digits has 1078 training examples, got 1079; give fewer",
        ),
        (
            DIGITS,
            {"dataset": {"batch_size": 61, "train_examples": 60}},
            "dataset.train_examples: got 60, but a batch takes 61; give more, or a smaller batch_size",
        ),
        (
            DIGITS,
            {"probes": ["gradients"], "probe_examples": 1079},
            "probe_examples: got 1079, but there are 1078 training examples; give fewer",
        ),
        (
            DIGITS,
            {"probes": ["gradients"], "probe_examples": 101, "dataset": {"train_examples": 100}},
            "probe_examples: got 101, but there are 100 training examples; give fewer",
        ),
        (
            DIGITS,
            {"model": {"norm": {"kind": "group", "groups": 10, "on_input": True}}},
            "model.norm.groups: got 10, which does not divide 1, the channels of digits; give a divisor",
        ),
        (
            WINE,
            {"dataset": {"name": "wine"}, "model": {"kind": "cnn"}},
            "model.kind: a cnn needs images, but wine is a table of 13 features; use mlp",
        ),
        (
            WINE,
            {"dataset": {"name": "wine"}, "model": {"kind": "rnn"}},
            "model.kind: an rnn needs images, but wine is a table of 13 features; use mlp",
        ),
        (
            WINE,
            {"dataset": {"name": "wine", "binarize": True}},
            "dataset.binarize: wine has no images; leave it out, or use standardize",
        ),
        (
            WINE,
            {"dataset": {"name": "wine"}, "probes": ["corruptions"]},
            "probes: corruptions changes images, and wine has none; leave it out",
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_a_run_that_does_not_fit(facts: Facts, settings: dict[str, Any], fault: str):
    assert misfits_of(facts, **settings) == [fault]
    with pytest.raises(DatasetError) as caught:
        require_fit(RunConfig.model_validate(settings), facts)
    assert str(caught.value) == fault


@pytest.mark.parametrize(
    "settings",
    [
        {"dataset": {"batch_size": 1078, "train_examples": 1078}},
        {"probes": ["gradients"], "probe_examples": 1078},
        {"probe_examples": 5000},  # which no probe looks at
        {"model": {"norm": {"kind": "custom", "virtual_batch_size": 60}}},
        {"model": {"layers": [100, 64], "norm": {"kind": "group", "groups": 4}}},
        {"model": {"layers": [64], "norm": {"kind": "layer"}}},
    ],
    ids=str,
)
def test_a_run_that_just_fits(settings: dict[str, Any]):
    assert misfits_of(**settings) == []


def test_sizes_are_not_checked_before_they_are_known():
    unknown = Facts((28, 28, 1), 10, None)
    assert misfits_of(unknown, dataset={"batch_size": 10**6}) == []
    assert len(misfits_of(unknown, model={"norm": {"kind": "group", "groups": 10, "on_input": True}})) == 1


def test_sizes_that_the_file_sets_are_checked_against_each_other_before_the_data_are_known():
    unknown = Facts((28, 28, 1), 10, None)
    assert misfits_of(unknown, dataset={"batch_size": 20, "train_examples": 10}) == [
        "dataset.train_examples: got 10, but a batch takes 20; give more, or a smaller batch_size"
    ]
    assert misfits_of(unknown, probes=["gradients"], probe_examples=101, dataset={"train_examples": 100}) == [
        "probe_examples: got 101, but there are 100 training examples; give fewer"
    ]
    assert misfits_of(unknown, probes=["gradients"], probe_examples=10**6) == []


def faults_of(folder: Path, text: str, *overrides: str, data_dir: Path | None = None) -> list[str]:
    (folder / "x.yaml").write_text("title: t\n" + text)
    experiment = load_experiment(folder / "x.yaml", list(overrides))
    return [
        fault.replace(f"{folder}/", "")
        for fault in faults_of_data(experiment, known_of_sources(experiment.sources, data_dir))
    ]


def test_a_fault_is_told_once_with_the_place_that_sets_it(tmp_path: Path):
    text = (
        "run:\n"
        "  dataset: {name: wine}\n"
        "  model:\n"
        "    layers: [100]\n"
        "arms:\n"
        "  a: {}\n"
        "  b:\n"
        "    model: {kind: cnn}\n"
        "  c: {model.norm.kind: group, model.norm.on_input: true, model.norm.groups: 5}\n"
        "grid:\n"
        "  dataset.batch_size:\n"
        "    - 106\n"
        "    - 107\n"
        "  optimizer.learning_rate: [1, 2, 3]\n"
    )
    assert faults_of(tmp_path, text) == [
        "x.yaml:14: grid.dataset.batch_size: got 107, but wine has 106 training examples; give a smaller one",
        "x.yaml:9: arms.b.model.kind: a cnn needs images, but wine is a table of 13 features; use mlp",
        "x.yaml:10: arms.c.model.norm.groups: got 5, which does not divide 13, the channels of wine; give a divisor",
    ]


def test_a_default_that_does_not_fit_is_told_at_what_stands_around_it(tmp_path: Path):
    text = "arms: {a: {}}\nrun:\n  dataset: {train_examples: 59}\n"
    assert faults_of(tmp_path, text) == [
        "x.yaml:4: run.dataset.train_examples: got 59, but a batch takes 60; give more, or a smaller batch_size"
    ]


def test_a_fault_of_a_base_file_and_of_an_override_is_told_there(tmp_path: Path):
    (tmp_path / "base.yaml").write_text("title: t\nrun:\n  dataset:\n    batch_size: 2000\narms: {a: {}}\n")
    found = faults_of(tmp_path, "extends: base.yaml\n", "run.dataset.name=wine")
    assert found == [
        "base.yaml:4: run.dataset.batch_size: got 2000, but wine has 106 training examples; give a smaller one"
    ]
    found = faults_of(tmp_path, "extends: base.yaml\n", "run.dataset.batch_size=3000")
    assert found == [
        "--set run.dataset.batch_size=3000: run.dataset.batch_size: got 3000, but digits has 1078 training examples; "
        "give a smaller one"
    ]


def test_an_unknown_data_set_is_told_once_for_all_its_runs(tmp_path: Path):
    text = "run:\n  dataset:\n    name: mnnist\narms: {a: {}, b: {}}\ngrid: {optimizer.learning_rate: [1, 2]}\n"
    assert faults_of(tmp_path, text, data_dir=tmp_path) == [
        "x.yaml:4: run.dataset.name: no data set 'mnnist'; use digits, wine, breast_cancer or a name of TensorFlow "
        "Datasets; did you mean 'mnist'?"
    ]


def test_a_batch_is_checked_against_prepared_data_of_tfds(tmp_path: Path):
    text = "run:\n  dataset: {name: mnist, batch_size: 55001}\narms: {a: {}}\n"
    assert faults_of(tmp_path, text, data_dir=prepared_data_dir()) == [
        "x.yaml:3: run.dataset.batch_size: got 55001, but mnist has 55000 training examples; give a smaller one"
    ]
    assert faults_of(tmp_path, text, data_dir=tmp_path) == []  # not prepared there


CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_experiment_of_the_project_fits_its_data(path: Path):
    experiment = load_experiment(path)
    known = EMBEDDED | {"mnist": MNIST, "fashion_mnist": MNIST}  # of one size
    assert faults_of_data(experiment, known) == []
    assert experiment.sources <= known.keys()


def test_the_facts_of_any_data_set_are_had_without_tensorflow_even_when_something_is_pickled(tmp_path: Path):
    code = (
        "import sys, cloudpickle\nfrom pathlib import Path\nfrom experiments.training import suitability\n"
        "from experiments.training.dataset_facts import known_facts\n"
        f"print(known_facts(['digits', 'cifar10', 'nothing'], Path({str(tmp_path)!r})))\n"
        "cloudpickle.dumps(lambda: None)\n"
        "print({'tensorflow', 'keras', 'sklearn', 'tensorflow_datasets'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == [
        "{'digits': Facts(shape=(8, 8, 1), classes=10, examples=1797, official_test=0), "
        "'cifar10': Facts(shape=(32, 32, 3), classes=10, examples=None, official_test=0), "
        "'nothing': DatasetError('dataset.name', \"no data set 'nothing'; use digits, wine, breast_cancer or a name of "
        'TensorFlow Datasets")}',
        "set()",
    ]
    assert done.stderr == ""


def test_mnist_as_it_is_prepared_is_what_the_experiments_are_checked_against():
    assert known_facts(["mnist"], prepared_data_dir()) == {"mnist": MNIST}


def test_a_tfds_that_cannot_be_asked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "tensorflow_datasets.py").write_text("raise ImportError('no module of some kind')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert str(known_facts(["mnist"], tmp_path)["mnist"]) == (
        "dataset.name: mnist: TensorFlow Datasets cannot be asked (ImportError: no module of some kind); "
        "install what requirements.txt lists"
    )
