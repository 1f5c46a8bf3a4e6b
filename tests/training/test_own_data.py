"""Files of the user's own: what they may hold, and what is said where they cannot be trained on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from own_examples import CSV, IMAGES, ROWS, X, Y, csv, experiment_file, npz

from experiments.configuration.facts import Facts
from experiments.configuration.loading import load_experiment
from experiments.configuration.run import DatasetConfig
from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import known_of_sources, load_dataset, split_dataset
from experiments.training.own_data import read_own_file
from experiments.training.suitability import faults_of_data


def fault(source: DatasetConfig) -> str:
    with pytest.raises(DatasetError) as caught:
        load_dataset(source)
    assert caught.value.field == "dataset.file"
    return caught.value.text


def test_a_table_of_arrays_keeps_its_values_and_labels(tmp_path: Path):
    own = load_dataset(npz(tmp_path, x=X, y=Y))
    assert (own.features.dtype, own.labels.dtype, own.classes, own.unit) == (np.float32, np.int32, 3, 1)
    assert np.array_equal(own.features, X)
    assert np.array_equal(own.labels, Y)
    assert own.facts == Facts((2,), 3, 30)


def test_colour_images_of_bytes_are_kept_as_they_are_and_brought_into_0_to_1(tmp_path: Path):
    own = load_dataset(npz(tmp_path, x=IMAGES, y=Y))
    assert (own.features.dtype, own.unit, own.facts.shape) == (np.uint8, 255, (32, 32, 3))
    assert np.array_equal(own.features, IMAGES)


def test_grey_images_are_given_a_channel_and_small_whole_numbers_of_any_type_are_bytes(tmp_path: Path):
    own = load_dataset(npz(tmp_path, x=IMAGES[..., 0].astype(np.int64), y=Y))
    assert (own.features.dtype, own.unit, own.facts.shape) == (np.uint8, 255, (32, 32, 1))
    assert np.array_equal(own.features[..., 0], IMAGES[..., 0])


def test_images_of_fractions_from_0_to_1_are_kept(tmp_path: Path):
    own = load_dataset(npz(tmp_path, x=IMAGES / 255, y=Y))
    assert (own.features.dtype, own.unit) == (np.float32, 1)


def test_a_test_part_comes_last_and_says_how_many_examples_are_drawn_for_the_test(tmp_path: Path):
    own = load_dataset(npz(tmp_path, x=X[:21], y=Y[:21], x_test=X[21:], y_test=Y[21:]))
    assert np.array_equal(own.features, X)
    assert own.official_test == 9
    assert [len(getattr(split_dataset(own, DatasetConfig(), 0), part)) for part in ("train", "test")] == [15, 9]


def test_a_table_of_text_is_read_by_columns_and_classes_are_numbered_in_alphabetical_order(tmp_path: Path):
    own = load_dataset(csv(tmp_path, CSV))
    assert np.array_equal(own.features, X)
    assert own.labels.tolist() == [2, 0, 1] * 10  # cat, dog, wolf


def test_numbers_for_classes_are_taken_as_they_are_and_na_is_a_text_like_any_other(tmp_path: Path):
    numbers = CSV.replace("wolf", "2").replace("cat", "0").replace("dog", "1")
    assert load_dataset(csv(tmp_path, numbers)).labels.tolist() == [2, 0, 1] * 10
    assert read_own_file(csv(tmp_path, CSV.replace("wolf", "NA"))).labels.tolist() == [0, 1, 2] * 10  # NA, cat, dog


def test_marks_spaces_and_blank_lines_of_a_spreadsheet_do_not_matter(tmp_path: Path):
    source = csv(tmp_path, "\ufeff" + CSV.replace(",", ", ").replace("\n", "\r\n") + "\r\n")
    assert np.array_equal(load_dataset(source).features, X)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X}, "holds x; it has to hold x and y, perhaps x_test and y_test, and no others, as"),
        ({"x": X, "y": Y, "z": Y}, "holds x, y, z; it has to hold x and y, perhaps x_test and y_test, and no others"),
        ({"x": X, "y": Y, "x_test": X}, "holds x, x_test, y; it has to hold x and y"),
        ({"x": X, "y": Y[:29]}, "x has 30 examples and y 29; give a label for each"),
        ({"x": X[:0], "y": Y[:0]}, "x has the shape (0, 2), which is empty; give some examples"),
        ({"x": X[:, :0], "y": Y}, "x has the shape (30, 0), which is empty; give some examples"),
        ({"x": X, "y": np.eye(3)[Y]}, "y has the shape (30, 3); give one number an example, such as y.argmax(1)"),
        ({"x": X, "y": Y[:, None]}, "y has the shape (30, 1); give one number an example, as y.ravel()"),
        ({"x": X[:, 0], "y": Y}, "x has the shape (30,); give (examples, features), (examples, height, width) or"),
        ({"x": X, "y": Y, "x_test": X[:, :1], "y_test": Y}, "examples of x have the shape (2,), those of x_test (1,)"),
        ({"x": X, "y": Y, "x_test": X.astype(int), "y_test": Y}, "x is float64 and x_test int64; give both the same"),
        ({"x": X, "y": Y + 1}, "y holds the classes 1, 2, 3; number them from 0 on, without gaps"),
        ({"x": X, "y": 2 * Y}, "y holds the classes 0, 2, 4; number them from 0 on, without gaps"),
        ({"x": X, "y": Y - 1}, "y holds the classes -1, 0, 1; number them from 0 on, without gaps"),
        ({"x": X, "y": Y / 1}, "y holds float64, such as 0.0; number the classes 0, 1, … in whole numbers"),
        ({"x": X, "y": Y.astype(str)}, "y holds text, such as 0; number the classes 0, 1, … in whole numbers"),
        ({"x": X.astype(str), "y": Y}, "x holds <U32, such as 0.0; give numbers"),
        ({"x": X.astype(object), "y": Y}, "x is an array of Python objects, which are never unpickled"),
        (
            {"x": np.where(X == 7, np.nan, X), "y": Y},
            "1 values are missing or no finite 32-bit numbers, such as nan in",
        ),
        ({"x": np.where(X == 7, 1e39, X), "y": Y}, "such as 1e+39 in example 3"),
        ({"x": IMAGES.astype(int) - 1, "y": Y}, "pixels of x are int64 from -1 to 254; store them as uint8 or uint16"),
        ({"x": IMAGES / 1.0, "y": Y}, "the pixels of my.npz are fractions from 0 to 255; store them from 0 to 1"),
        ({"x": X, "y": 0 * Y}, "the examples of my.npz are of 1 class; there is nothing to learn"),
        ({"x": X[:6], "y": Y[:6]}, "my.npz has 6 examples of 3 classes; give a set with enough for every part"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_arrays_that_cannot_be_trained_on(tmp_path: Path, arrays: dict[str, Any], said: str):
    assert said in fault(npz(tmp_path, **arrays))


def test_nothing_is_unpickled(tmp_path: Path):
    class Harm:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "harm"),)

    said = fault(npz(tmp_path, x=X, y=np.array([Harm()] * 30, object)))
    assert "y is an array of Python objects" in said
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 and no more"], ids=str)
def test_what_is_no_npz_file_at_all(tmp_path: Path, content: bytes):
    (tmp_path / "my.npz").write_bytes(content)
    assert "is no .npz file" in fault(DatasetConfig(file=str(tmp_path / "my.npz")))


def test_a_file_that_was_cut_off_or_holds_one_array_alone(tmp_path: Path):
    source = npz(tmp_path, x=X, y=Y)
    whole = (tmp_path / "my.npz").read_bytes()
    (tmp_path / "my.npz").write_bytes(whole[: len(whole) // 2])
    assert "is no .npz file" in fault(source)
    damaged = bytearray(whole)
    damaged[200] ^= 255  # in the values of x
    (tmp_path / "my.npz").write_bytes(bytes(damaged))
    assert "x cannot be read (BadZipFile" in fault(source)
    np.save(tmp_path / "one.npy", X)
    (tmp_path / "one.npy").rename(tmp_path / "my.npz")
    assert "holds one array alone" in fault(source)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; give a header and a row an example"),
        ("a,b,kind\n", "has no rows under its header; give some examples"),
        ("kind\ncat\n", "has no column beside 'kind'; give some features"),
        (CSV.replace("kind", "sort"), "has no column 'kind' for dataset.label, only a, b, sort"),
        (CSV.replace(",", ";"), "only a;b;kind; separate values by commas"),
        (CSV.replace("a,b,", "a,a,"), "has two columns 'a'; keep one, or rename it"),
        (CSV.replace("a,b,", ",b,"), "column 1 has no name; name it, or leave it out, as to_csv(…, index=False) does"),
        (CSV.replace("\n4,5,", "\n4,,"), "column 'b' has 1 missing values, the first in row 3; fill them in"),
        (CSV.replace("\n4,5,", "\n4,nan,"), "column 'b' has 1 missing values, the first in row 3; fill them in"),
        (CSV.replace("\n4,5,", "\n4,five,"), "column 'b' holds text, such as 'five' in row 3; make numbers of it"),
        (
            CSV.replace("\n4,5,", "\n4,inf,"),
            "1 values are missing or no finite 32-bit numbers, such as inf in example 2",
        ),
        (CSV.replace("\n4,5,dog", "\n4,5,"), "column 'kind', the label, has 1 missing values, the first in row 3"),
        (CSV.replace("\n4,5,dog", "\n4,5"), "column 'kind', the label, has 1 missing values, the first in row 3"),
        (CSV.replace("\n4,5,dog", "\n4,5,dog,6"), "has rows of unequal length"),
        (CSV.replace("\n0,1,wolf", "\n0,1,wolf,6"), "has rows of unequal length"),
        ("\n".join(["a,b,kind", *(f"{row},9" for row in ROWS)]), "has rows of unequal length"),
        (CSV.replace("wolf", "3").replace("cat", "4").replace("dog", "5"), "column 'kind' holds the classes 3, 4, 5"),
        (
            CSV.replace("wolf", "0.5").replace("cat", "1").replace("dog", "2"),
            "column 'kind' holds float64, such as 0.5",
        ),
        (CSV.replace("wolf", "cat").replace("dog", "cat"), "the examples of my.csv are of 1 class"),
    ],
    ids=lambda value: value[:40] if value and "\n" not in value else "",
)
def test_tables_that_cannot_be_trained_on(tmp_path: Path, text: str, said: str):
    assert said in fault(csv(tmp_path, text))


def test_a_table_in_another_encoding(tmp_path: Path):
    (tmp_path / "my.csv").write_bytes(CSV.replace("wolf", "Wölfe").encode("latin-1"))
    assert "is not written in UTF-8" in fault(DatasetConfig(file=str(tmp_path / "my.csv"), label="kind"))


def faults_of(path: Path, *overrides: str) -> list[str]:
    experiment = load_experiment(path, list(overrides))
    return faults_of_data(experiment, known_of_sources(experiment.sources, None))


def test_a_fault_of_a_file_is_told_with_the_line_that_names_it(tmp_path: Path):
    npz(tmp_path, x=X, y=Y + 1)
    path = experiment_file(tmp_path, "file: my.npz", arms="{a: {}, b: {}}")
    assert faults_of(path) == [
        f"{path}:3: run.dataset.file: my.npz: y holds the classes 1, 2, 3; number them from 0 on, without gaps"
    ]


def test_what_a_run_does_to_its_data_is_checked_against_a_file_too(tmp_path: Path):
    npz(tmp_path, x=X, y=Y)
    path = experiment_file(tmp_path, "file: my.npz", arms="{a: {model.kind: cnn}, b: {dataset.batch_size: 19}}")
    assert [text.partition(": ")[2] for text in faults_of(path)] == [
        "arms.a.model.kind: a cnn needs images, but my.npz is a table of 2 features; use mlp",
        "arms.b.dataset.batch_size: got 19, but my.npz has 18 training examples; give a smaller one",
    ]


def test_a_file_that_is_changed_between_the_command_and_its_worker_is_not_read(tmp_path: Path):
    npz(tmp_path, x=X, y=Y)
    source = load_experiment(experiment_file(tmp_path, "file: my.npz")).run("a", {}, 0).config.dataset.source
    assert isinstance(source, DatasetConfig)
    npz(tmp_path, x=X + 1, y=Y)
    assert fault(source) == f"{tmp_path}/my.npz was changed meanwhile; give the command again"
