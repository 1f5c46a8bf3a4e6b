"""What did the writer of an unknown or unfitting setting mean, in this project's words?"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from experiments.configuration.yaml_source import shown

BATCH_NORM = ("bn", "batch", "batch_norm", "batchnorm", "batch_normalization", "batchnormalization")
_OF_BN = "custom (this project's layer) or stock (Keras's)"
_OF_EXPERIMENTS = "a file is one experiment, whose variants are arms"
_ADVICE = dict.fromkeys(BATCH_NORM, f"batch normalization is model.norm.kind: {_OF_BN}") | {
    "experiment": _OF_EXPERIMENTS,
    "experiments": _OF_EXPERIMENTS,
}
_OTHER_NAMES = {  # what others call a field
    "lr": "learning_rate",
    "data": "dataset",
    "network": "model",
    "units": "layers",
    "hidden_layers": "layers",
    "iterations": "steps",
    "normalization": "norm",
    "eps": "epsilon",
    "initializer": "initialization",
    "ghost_batch_size": "virtual_batch_size",
}
_NEAR_ELSEWHERE = 0.8  # among all names of the tree, where chance likenesses are many


def unknown_field(model: type[BaseModel], location: tuple[Any, ...], prefix: str = "") -> str:
    """Say what may stand at a location where nothing of that name may, and where in the tree of `model` it belongs.

    prefix: what leads to `model` in the file, such as `run.`.
    """
    name, section = str(location[-1]), section_at(model, location[:-1])
    siblings = list(section.model_fields) if section else []
    refused = f"{name!r} is not one of {', '.join(siblings)}"
    if name == "name" and "title" in siblings:
        return f"{refused}; an experiment is named by its file, and title says what it is about"
    if advice := _ADVICE.get(name.casefold()):
        return f"{refused}; {advice}"
    by_leaf: dict[str, list[str]] = {}
    for dotted in _fields(model):
        by_leaf.setdefault(dotted.rpartition(".")[2], []).append(prefix + dotted)
    leaf = _OTHER_NAMES.get(name, name)
    if leaf not in by_leaf and not (near := difflib.get_close_matches(name, siblings, n=1)):
        near = difflib.get_close_matches(name, by_leaf, n=1, cutoff=_NEAR_ELSEWHERE)
        leaf = near[0] if near else ""
    elif leaf not in by_leaf:
        return f"{refused}; did you mean {near[0]!r}?"
    meant = " or ".join(map(repr, by_leaf.get(leaf, [])))
    return f"{refused}; did you mean {meant}?" if meant else refused


def not_among(found: Any, allowed: Iterable[str]) -> str:
    """Say which texts may stand in place of `found`, and which was meant."""
    allowed, word = list(allowed), found.casefold() if isinstance(found, str) else ""
    near = difflib.get_close_matches(word, allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if word in BATCH_NORM and "custom" in allowed:
        hint = f"; batch normalization is {_OF_BN}"
    if word == "softmax" and "sigmoid" in allowed:
        hint = "; the output layer gives logits, whose softmax is part of the loss; this is of the hidden layers"
    return f"{shown(found)} is not one of {', '.join(allowed)}{hint}"


def example(model: type[BaseModel], location: tuple[Any, ...], found: Any = None) -> str:
    """Fields as they may stand at a location; where the text `found` names a section's kind, the section with it."""
    field = field_at(model, location)
    section = section_of(field) if field else None
    if section and isinstance(found, str):
        first, of_first = next(iter(section.model_fields.items()))
        if of_first.annotation is str or found in allowed_texts(of_first):
            return flow({first: found})
    return flow(field.examples[0]) if field and field.examples else "{steps: 500}"


def flow(value: Any) -> str:
    """Write a value as one line of YAML."""
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000, allow_unicode=True).split("\n")[
        0
    ]


def allowed_texts(field: FieldInfo) -> list[str]:
    """The texts of which a field takes one; empty where it takes others than these."""
    parts = (field.annotation, *typing.get_args(field.annotation))
    choices = [typing.get_args(part) for part in parts if typing.get_origin(part) is typing.Literal]
    return [text for choice in choices for text in choice]


def field_at(model: type[BaseModel], location: tuple[Any, ...]) -> FieldInfo | None:
    """The field at a location under `model`; None for a name in a mapping, a place in a list and what is not there."""
    section = section_at(model, location[:-1]) if location else None
    return section.model_fields.get(str(location[-1])) if section else None


def section_at(model: type[BaseModel], location: tuple[Any, ...]) -> type[BaseModel] | None:
    """The section of fields at a location under `model`; None where none is."""
    section: type[BaseModel] | None = model
    for name in location:
        if isinstance(name, str) and section:
            field = section.model_fields.get(name)
            section = section_of(field) if field else None
    return section


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field is, or holds a list of; None for a plain value."""
    for part in (field.annotation, *typing.get_args(field.annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _fields(model: type[BaseModel], known: set[type[BaseModel]] | None = None) -> Iterator[str]:
    """Dotted names of all fields under `model`, those in lists left out; of a section that stands twice, once.

    known: sections that were met before.
    """
    known = set() if known is None else known
    for name, field in model.model_fields.items():
        yield name
        section = section_of(field)
        if section and section not in known and typing.get_origin(field.annotation) is not tuple:
            known.add(section)
            yield from (f"{name}.{inner}" for inner in _fields(section, known))
