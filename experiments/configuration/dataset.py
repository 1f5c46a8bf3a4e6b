"""Which examples are trained on? The `dataset` section of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, model_validator

from models.fields import AtMost, BatchSize, Count, Later, Natural, Share, Strict

OWN_FILES = (".npz", ".csv")


class DatasetConfig(Strict):
    """Which examples, how they are scaled and how many make a batch."""

    name: str = Field(
        "digits", description="digits, wine or breast_cancer of scikit-learn, else a name of TensorFlow Datasets"
    )
    file: Annotated[str | None, Later(None)] = Field(
        None,
        description="in place of name, an own file: .npz with arrays x and y, perhaps x_test and y_test, or .csv; its "
        "path is relative to the file that names it, in --set to the current directory",
        examples=["my.npz"],
    )
    label: Annotated[str | None, Later(None)] = Field(
        None, description="of a .csv file, the column with the classes", examples=["species"]
    )
    sha256: Annotated[str | None, Later(None)] = Field(
        None,
        description="of file, found by itself and part of a run's identity; where it is given, another file is refused",
    )
    batch_size: BatchSize = Field(60, description="examples of a step")
    standardize: bool = Field(False, description="shift and scale every feature to mean 0 and deviation 1 in training")
    binarize: bool = Field(
        False, description="set pixels to 0 or 1 at half of their range; images only, and not with standardize"
    )
    train_examples: Annotated[Count, AtMost(2**31 - 1, "examples are numbered in 32 bits")] | None = Field(
        None, description="train on the first so many of the shuffled training split; null: on all"
    )

    classes: Annotated[tuple[Natural, ...] | None, Later(None)] = Field(
        None, description="only the examples of these classes, which are numbered 0, 1, … as they are listed; null: all"
    )
    validation_share: Annotated[Annotated[Share, Field(gt=0)] | None, Later(None)] = Field(
        None, description="of all examples, for validation; null: 20 %, at most 5,000"
    )
    order: Annotated[Literal["shuffled", "class_sorted", "two_class", "fixed"], Later("shuffled")] = Field(
        "shuffled",
        description="of training. shuffled: pass after pass over the training split, each in an order of its own, cut "
        "into batches. fixed: one such pass, cut into whole batches, again and again; what is left over is not trained "
        "on. class_sorted: each pass shuffled, then sorted by class, so that most batches are of one class. two_class: "
        "for each batch two classes, drawn anew with equal chances; half of it, rounded up, of the first, the rest of "
        "the second, each class in shuffled passes of its own",
    )

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_file(cls, values: Any) -> Any:
        if not (isinstance(values, dict) and isinstance(file := values.get("file"), str)):
            return values
        if (name := values.get("name", Path(file).name)) != Path(file).name:
            raise ValueError(f"name ({name}) and file ({file}) exclude each other; keep one")
        return {**values, "name": name}

    @model_validator(mode="after")
    def _own_file(self) -> DatasetConfig:
        kind = Path(self.file).suffix.lower() if self.file is not None else ""
        if self.file is not None and kind not in OWN_FILES:
            raise ValueError(f"file: must be named {' or '.join(f'*{kind}' for kind in OWN_FILES)}, got {self.file!r}")
        if self.label is not None and kind != ".csv":
            raise ValueError(f"label ({self.label}) is a column of a .csv file, and there is none; leave it out")
        if self.label is None and kind == ".csv":
            raise ValueError("a .csv file needs label, the name of the column with the classes; add it")
        if self.sha256 is not None and self.file is None:
            raise ValueError("sha256 is that of file, and there is none; leave it out")
        return self

    @field_serializer("file")
    def _without_its_folder(self, file: str | None) -> str | None:
        return file and Path(file).name

    @property
    def source(self) -> str | DatasetConfig:
        """What tells which examples there are: a name or, where that is not enough, these settings and no others."""
        if self.file is None and self.classes is None:
            return self.name
        own = {"file": self.file, "label": self.label, "sha256": self.sha256}
        return DatasetConfig.model_validate({"name": self.name, "classes": self.classes, **own})

    @model_validator(mode="after")
    def _two_classes(self) -> DatasetConfig:
        if self.classes is not None and (len(self.classes) < 2 or len(set(self.classes)) < len(self.classes)):
            raise ValueError(f"classes: expected two or more different ones, got {list(self.classes)}")
        if self.order == "two_class" and self.batch_size < 2:
            raise ValueError("order: two_class needs a batch_size of at least 2, got 1")
        return self

    @model_validator(mode="after")
    def _one_scaling(self) -> DatasetConfig:
        if self.standardize and self.binarize:
            raise ValueError("standardize and binarize exclude each other; keep one")
        return self
