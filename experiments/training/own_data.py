"""What does a file of the user's own hold, and can it be trained on?"""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from experiments.configuration.own_files import unreadable
from experiments.configuration.run import DatasetConfig
from experiments.training.dataset_facts import DatasetError, briefly
from experiments.training.examples import Dataset, check_labels, unit_of

ARRAYS = ("x", "y", "x_test", "y_test")  # of an .npz file, the last two or neither
BYTE = 255  # the largest pixel of one


def read_own_file(source: DatasetConfig) -> Dataset:
    """Return the examples of a file, checked. A part for the test comes after the rest, as an official one.

    .npz: x is (examples, features), (examples, height, width) or (examples, height, width, channels); y (examples,) of
    whole numbers from 0 on. .csv: a row an example, every column but the label's a feature; labels that are texts are
    numbered in alphabetical order. Nothing is unpickled. Raises DatasetError.
    """
    path = Path(source.file or "")
    try:
        with path.open("rb") as file:
            if source.sha256 not in (None, hashlib.file_digest(file, "sha256").hexdigest()):
                raise DatasetError("dataset.file", f"{path} was changed meanwhile; give the command again")
            file.seek(0)
            x, y, official_test = _of_csv(file, source) if path.suffix.lower() == ".csv" else _of_npz(file)
        features, unit = _features(source.name, x)
        dataset = Dataset(features, y.astype(np.int32), int(y.max()) + 1, unit, official_test)
        check_labels(source.name, dataset)
    except OSError as error:
        raise DatasetError("dataset.file", unreadable(path, error)) from error
    except _FileError as error:
        raise DatasetError("dataset.file", f"{source.name}: {error}") from error
    except DatasetError as error:
        raise DatasetError("dataset.file", error.text) from error
    return dataset


class _FileError(Exception):
    """What is wrong with the content of a file, and what to do."""


def _of_npz(file: IO[bytes]) -> tuple[np.ndarray, np.ndarray, int]:
    """Features, labels and how many of the examples, the last, are set apart for the test."""
    arrays = _arrays(file)
    parts = [("x", "y"), ("x_test", "y_test")] if {"x_test", "y_test"} & arrays.keys() else [("x", "y")]
    needed = [name for part in parts for name in part]
    if sorted(needed) != sorted(arrays):
        raise _FileError(
            f"holds {', '.join(sorted(arrays)) or 'no arrays'}; it has to hold x and y, perhaps x_test and y_test, and "
            "no others, as np.savez('my.npz', x=x, y=y) writes them"
        )
    for x_name, y_name in parts:
        _check_shapes(x_name, arrays[x_name], y_name, arrays[y_name])
    if arrays[needed[0]].shape[1:] != arrays[needed[-2]].shape[1:]:
        raise _FileError(
            f"examples of x have the shape {arrays['x'].shape[1:]}, those of x_test {arrays['x_test'].shape[1:]}; "
            "give all the same"
        )
    for name in needed[::2]:
        if arrays[name].dtype != arrays["x"].dtype:
            raise _FileError(f"x is {arrays['x'].dtype} and {name} {arrays[name].dtype}; give both the same type")
    x, y = (np.concatenate([arrays[part[i]] for part in parts]) for i in (0, 1))
    return x, _numbered(y), len(arrays["y_test"]) if len(parts) > 1 else 0


def _arrays(file: IO[bytes]) -> dict[str, np.ndarray]:
    try:
        stored = np.load(file, allow_pickle=False)
        if isinstance(stored, np.ndarray):
            raise _FileError("holds one array alone, as np.save writes it; write x and y with np.savez")
        return {name: _array(stored, name) for name in stored.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _FileError(f"is no .npz file ({briefly(error)}); write it with np.savez") from error


def _array(stored: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(stored[name])
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise _FileError(f"{name} cannot be read ({briefly(error)}); write the file anew") from error
        raise _FileError(
            f"{name} is an array of Python objects, which are never unpickled, since that could run any code; "
            "store numbers in one array, with examples of equal shape"
        ) from None
    except (zipfile.BadZipFile, EOFError, OSError, MemoryError) as error:
        raise _FileError(f"{name} cannot be read ({briefly(error)}); write the file anew") from error


def _check_shapes(x_name: str, x: np.ndarray, y_name: str, y: np.ndarray) -> None:
    if y.ndim == 2 and y.shape[1] > 1:
        raise _FileError(f"{y_name} has the shape {y.shape}; give one number an example, such as {y_name}.argmax(1)")
    if y.ndim != 1:
        raise _FileError(f"{y_name} has the shape {y.shape}; give one number an example, as {y_name}.ravel()")
    if x.ndim not in (2, 3, 4):
        raise _FileError(
            f"{x_name} has the shape {x.shape}; give (examples, features), (examples, height, width) or (examples, "
            "height, width, channels)"
        )
    if len(x) != len(y):
        raise _FileError(f"{x_name} has {len(x)} examples and {y_name} {len(y)}; give a label for each")
    if not x.size:
        raise _FileError(f"{x_name} has the shape {x.shape}, which is empty; give some examples")


def _of_csv(file: IO[bytes], source: DatasetConfig) -> tuple[np.ndarray, np.ndarray, int]:
    """Features, labels, and 0, as no part is set apart for the test."""
    label = source.label or ""
    header, table = _table(file, label)
    if not len(table):
        raise _FileError("has no rows under its header; give some examples")
    if len(header) == 1:
        raise _FileError(f"has no column beside {label!r}; give some features")
    labels = table.pop(label).str.strip()
    if (empty := (labels == "").to_numpy()).any():
        raise _FileError(
            f"column {label!r}, the label, has {_missing(empty)}; fill them in, or leave these examples out"
        )
    for name in table:
        numbers = pd.to_numeric(table[name], errors="coerce")
        if (missing := table[name].isna().to_numpy()).any():
            raise _FileError(f"column {name!r} has {_missing(missing)}; fill them in, or leave these examples out")
        if (texts := numbers.isna().to_numpy()).any():
            row = int(np.argmax(texts))
            raise _FileError(
                f"column {name!r} holds text, such as {str(table[name].iloc[row])!r} in row {row + 1}; make numbers of "
                "it, or leave the column out"
            )
        table[name] = numbers.astype(np.float64)
    return table.to_numpy(), _classes(label, labels), 0


def _table(file: IO[bytes], label: str) -> tuple[list[str], pd.DataFrame]:
    """The names of the columns, and the rows, with labels as texts."""
    options: dict[str, Any] = {"encoding": "utf-8-sig", "skipinitialspace": True, "index_col": False}
    try:
        header = pd.read_csv(file, header=None, nrows=1, dtype=str, **options).iloc[0]
        names = ["" if pd.isna(name) else str(name).strip() for name in header]
        if "" in names:
            raise _FileError(
                f"column {names.index('') + 1} has no name; name it, or leave it out, as to_csv(…, index=False) does"
            )
        if twice := [name for name in names if names.count(name) > 1]:
            raise _FileError(f"has two columns {twice[0]!r}; keep one, or rename it")
        if label not in names:
            hint = "; separate values by commas" if len(names) == 1 and (";" in names[0] or "\t" in names[0]) else ""
            raise _FileError(f"has no column {label!r} for dataset.label, only {', '.join(names)}{hint}")
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # of rows longer than the header, cut
            table = pd.read_csv(file, header=0, names=names, low_memory=False, **options)
        file.seek(0)
        table[label] = pd.read_csv(file, usecols=[names.index(label)], dtype=str, na_filter=False, **options).iloc[:, 0]
        return names, table
    except pd.errors.EmptyDataError:
        raise _FileError("is empty; give a header and a row an example") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise _FileError(f"has rows of unequal length ({briefly(error)}); give each a value of every column") from error
    except UnicodeDecodeError as error:
        raise _FileError(f"is not written in UTF-8 ({briefly(error)}); save it so") from error


def _missing(found: np.ndarray) -> str:
    """How many of the rows, and the first."""
    return f"{np.count_nonzero(found)} missing values, the first in row {int(np.argmax(found)) + 1}"


def _classes(label: str, labels: pd.Series) -> np.ndarray:
    """Number texts in alphabetical order; take numbers as they are."""
    numbers = pd.to_numeric(labels, errors="coerce")
    if numbers.isna().any():
        return np.unique(labels.to_numpy(str), return_inverse=True)[1]
    return _numbered(numbers.to_numpy(), f"column {label!r}")


def _numbered(labels: np.ndarray, called: str = "y") -> np.ndarray:
    """The labels, which have to be whole numbers from 0 to k − 1, each of them at least once."""
    if labels.dtype.kind not in "iu":
        kind = labels.dtype if labels.dtype.kind not in "US" else "text"
        raise _FileError(f"{called} holds {kind}, such as {labels[0]!s}; number the classes 0, 1, … in whole numbers")
    found = np.unique(labels)
    if not np.array_equal(found, np.arange(len(found))):
        shown = f"{', '.join(map(str, found[:5]))}{', …' if len(found) > 5 else ''}"
        raise _FileError(f"{called} holds the classes {shown}; number them from 0 on, without gaps")
    return labels


def _features(name: str, x: np.ndarray) -> tuple[np.ndarray, float]:
    """Examples as they are kept, images with an axis for their channels, and what they are divided by."""
    if x.dtype.kind not in "biuf":
        raise _FileError(f"x holds {x.dtype}, such as {x.flat[0]!s}; give numbers")
    if x.ndim == 3:
        x = x[..., np.newaxis]
    if x.ndim == 4 and x.dtype.kind in "iu" and x.dtype not in (np.uint8, np.uint16):
        if x.min() < 0 or x.max() > BYTE:
            raise _FileError(f"pixels of x are {x.dtype} from {x.min()} to {x.max()}; store them as uint8 or uint16")
        x = x.astype(np.uint8)
    if x.ndim == 4 and x.dtype.kind in "iu":
        return x, unit_of(name, x)
    with np.errstate(over="ignore"):
        features = x.astype(np.float32)
    if bad := np.count_nonzero(~np.isfinite(features)):
        at = tuple(map(int, np.argwhere(~np.isfinite(features))[0]))
        raise _FileError(f"{bad} values are missing or no finite 32-bit numbers, such as {x[at]} in example {at[0]}")
    return features, unit_of(name, features) if x.ndim == 4 else 1
