"""What is known of a named data set before it is loaded? Answered from TFDS's own descriptions, without TensorFlow."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments.configuration.facts import EMBEDDED, Facts

PROJECT = Path(__file__).resolve().parent.parent.parent


class DatasetError(Exception):
    """A data set that cannot be had or used. field: of a run, that asks for it; text: what is wrong and what to do."""

    def __init__(self, field: str, text: str):
        super().__init__(field, text)
        self.field, self.text = field, text

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def facts_of(name: str, data_dir: Path | None = None) -> Facts:
    """Return what is known of a data set by its name; `data_dir`: where TFDS keeps prepared data.

    Raises DatasetError when there is no such data set, or it does not hold one image and one class label an example.
    """
    if name in EMBEDDED:
        return EMBEDDED[name]
    builder = find_builder(name, data_dir)
    image, label = image_and_label(name, builder.info)
    features, parts = builder.info.features, parts_of(name, builder.info)
    return Facts(
        tuple(features[image].shape),
        features[label].num_classes,
        sum(parts.values()) if parts else None,
        parts.get("test", 0),
    )


def known_facts(names: Iterable[str], data_dir: Path | None) -> dict[str, Facts | DatasetError]:
    """Return of each name the facts, or why there are none.

    TFDS is asked in a process of its own: here it would have TensorFlow imported as soon as anything is pickled, since
    that looks into every module that there is.
    """
    known: dict[str, Facts | DatasetError] = {name: EMBEDDED[name] for name in names if name in EMBEDDED}
    asked = sorted(set(names) - known.keys())
    if not asked:
        return known
    paths = filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")])
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"from {__name__} import answer; answer()"],
        input=json.dumps([str(data_dir) if data_dir else None, asked]),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        trouble = f"TensorFlow Datasets cannot be asked ({reason}); install what requirements.txt lists"
        return known | {name: DatasetError("dataset.name", f"{name}: {trouble}") for name in asked}
    for name, told in json.loads(done.stdout.splitlines()[-1]).items():
        known[name] = DatasetError(**told) if "text" in told else Facts(**told | {"shape": tuple(told["shape"])})
    return known


def answer() -> None:
    """Answer the question of `known_facts` on the standard input, in the last line of the standard output."""
    data_dir, names = json.load(sys.stdin)
    answers = {}
    for name in names:
        try:
            answers[name] = asdict(facts_of(name, data_dir and Path(data_dir)))
        except DatasetError as error:
            answers[name] = {"field": error.field, "text": error.text}
        except OSError as error:  # such as a folder that may not be read
            answers[name] = {"field": "dataset.name", "text": f"{name}: its data cannot be read: {error}"}
    print()
    print(json.dumps(answers))


def find_builder(name: str, data_dir: Path | None) -> Any:
    """Return TFDS's builder of a data set; raises DatasetError where there is none or its folder is damaged."""
    import tensorflow_datasets as tfds

    if data_dir is not None and not data_dir.is_dir():
        raise DatasetError("dataset.name", f"{name}: --data-dir {data_dir} is no folder; create it or give another")
    root = data_dir or Path(tfds.core.constants.DATA_DIR)
    try:
        with quietly():
            builder = tfds.builder(name, data_dir=data_dir)
            assert builder.info.features is not None  # read now, with what it has to warn of
            return builder
    except Exception as error:
        # Unknown, or in no form that TFDS reads: config, version, …
        unknown = isinstance(error, (ValueError, AssertionError, ImportError, TypeError))
        if not unknown or isinstance(error, json.JSONDecodeError) or name in {path.name for path in root.glob("*")}:
            raise damaged(name, root / name.partition(":")[0], error) from error
        near = difflib.get_close_matches(name, [*EMBEDDED, *tfds.list_builders(with_community_datasets=False)], n=1)
        raise DatasetError(
            "dataset.name",
            f"no data set {name!r}; use {', '.join(EMBEDDED)} or a name of TensorFlow Datasets"
            + (f"; did you mean {near[0]!r}?" if near else ""),
        ) from None


def image_and_label(name: str, info: Any) -> tuple[str, str]:
    """Return the names of the image and the class label of a data set's examples, those it is supervised by first.

    Raises DatasetError where there is not exactly one of each, or the images differ in size.
    """
    import tensorflow_datasets as tfds

    described = info.features
    features = dict(described) if isinstance(described, tfds.features.FeaturesDict) else {}
    images = [key for key, feature in features.items() if type(feature) is tfds.features.Image]  # no segmentation map
    labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
    match info.supervised_keys:
        case (image, label) if image in images and label in labels:
            images, labels = [image], [label]
    if len(images) != 1 or len(labels) != 1:
        held = ", ".join(f"{key} ({type(feature).__name__})" for key, feature in sorted(features.items()))
        raise DatasetError(
            "dataset.name", f"{name} has to hold one Image and one ClassLabel an example, but holds {held or described}"
        )
    shape = features[images[0]].shape
    if None in shape:
        raise DatasetError("dataset.name", f"the images of {name} differ in size, {shape}; give a set of one size")
    return images[0], labels[0]


def parts_of(name: str, info: Any) -> dict[str, int]:
    """Return how many examples the train and the test part of a prepared data set have; {} before it is prepared."""
    if not info.splits:
        return {}
    if "train" not in info.splits:
        raise DatasetError("dataset.name", f"{name} has no part train, only {', '.join(info.splits)}")
    return {part: info.splits[part].num_examples for part in ("train", "test") if part in info.splits}


def damaged(name: str, folder: Path, error: Exception) -> DatasetError:
    """What to say of prepared data that cannot be read."""
    return DatasetError(
        "dataset.name",
        f"what {folder} holds of {name} cannot be read ({briefly(error)}); restore the folder, or delete it to have "
        "the data prepared anew",
    )


def briefly(error: Exception) -> str:
    """The kind of an error and, in a line, what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:150]}{'…' if len(text) > 150 else ''}" if text else type(error).__name__


@contextmanager
def quietly() -> Iterator[None]:
    """Keep TFDS from warning of folders to be made and of its own old names: what a user has to know, an error says."""
    from absl import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(before)
