"""Where in which file does a configuration value stand?

Reads YAML with PyYAML's safe loader, refuses its traps (duplicate keys, base-60 and octal numbers), follows `extends`
and remembers the file and line of every value, so that an error can name its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]
_BASE_60 = re.compile(r"^[-+]?\d+(:\d+)+(\.\d*)?$")
_OCTAL = re.compile(r"^[-+]?0\d+$")


class ConfigError(Exception):
    """One or more faults of a configuration, each a line `place: field: what is wrong; remedy`."""

    def __init__(self, faults: list[str]):
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass
class Source:
    """A nested value and the place, `file:line`, of each of its parts."""

    value: Any
    places: dict[Key, str] = field(default_factory=dict)

    def place(self, key: Key) -> str:
        """Return the place of `key`, or of the nearest value around it."""
        while key and key not in self.places:
            key = key[:-1]
        return self.places.get(key, "")

    def set(self, dotted: str, value: Any, place: str) -> None:
        """Replace the value at a dotted field; raises ConfigError where the path runs through something else."""
        target, key = self.value, tuple(dotted.split("."))
        for depth, part in enumerate(key[:-1]):
            if not isinstance(target, dict):
                raise ConfigError([f"{place}: {dotted}: '{'.'.join(key[:depth])}' has no fields"])
            if not isinstance(target.get(part), dict):
                target[part] = {}
            target = target[part]
        if not isinstance(target, dict):
            raise ConfigError([f"{place}: {dotted}: '{'.'.join(key[:-1])}' has no fields"])
        target[key[-1]] = value
        for old in [k for k in self.places if k[: len(key)] == key]:
            del self.places[old]
        self.places[key] = place


def read_yaml(path: Path) -> Source:
    """Read a YAML file and all it extends; raises ConfigError naming file and line."""
    return _read(path, ())


def parse_value(text: str, place: str) -> Any:
    """Parse the right-hand side of `--set field=value` as YAML."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError([f"{place}: not valid YAML: {text!r}"]) from error
    source = Source(None)
    return None if node is None else _construct(node, (), place, source, fixed_place=True)


def _read(path: Path, seen: tuple[Path, ...]) -> Source:
    if path.resolve() in seen:
        raise ConfigError([f"{path}: extends itself"])
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: no such file"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = (error.problem_mark.line + 1) if error.problem_mark else 1
        raise ConfigError([f"{path}:{line}: not valid YAML: {error.problem}"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: not valid YAML: {error}"]) from None
    source = Source({})
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError([f"{path}:1: an experiment is a mapping of fields, found {_describe(node)}"])
    source.value = _construct(node, (), str(path), source)
    extends = source.value.pop("extends", None)
    if extends is None:
        return source
    if not isinstance(extends, str):
        raise ConfigError([f"{source.place(('extends',))}: extends: expected the path of a YAML file"])
    try:
        base = _read(path.parent / extends, (*seen, path.resolve()))
    except ConfigError as error:
        if error.faults == [f"{path.parent / extends}: no such file"]:
            raise ConfigError([f"{source.place(('extends',))}: extends: no such file: {extends}"]) from None
        raise
    return _merge(base, source)


def _describe(node: yaml.Node | None) -> str:
    if node is None:
        return "an empty file"
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the text {node.value!r}"


def _construct(node: yaml.Node, key: Key, path: str, source: Source, fixed_place: bool = False) -> Any:
    place = path if fixed_place else f"{path}:{node.start_mark.line + 1}"
    source.places[key] = place
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = str(key_node.value)
            here = path if fixed_place else f"{path}:{key_node.start_mark.line + 1}"
            if name in mapping:
                raise ConfigError([f"{here}: {'.'.join(map(str, (*key, name)))}: given twice; keep one"])
            mapping[name] = _construct(value_node, (*key, name), path, source, fixed_place)
            source.places[(*key, name)] = here
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*key, i), path, source, fixed_place) for i, item in enumerate(node.value)]
    if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float") and (
        _BASE_60.match(node.value) or _OCTAL.match(node.value)
    ):
        kind = "base 60" if ":" in node.value else "octal"
        raise ConfigError(
            [f"{place}: {'.'.join(map(str, key))}: YAML reads {node.value} as a number in {kind}; quote it"]
        )
    if node.tag == "tag:yaml.org,2002:timestamp":
        return node.value
    return yaml.SafeLoader("").construct_object(node)  # type: ignore[no-untyped-call]


def _merge(base: Source, top: Source) -> Source:
    """Lay `top` over `base`: mappings field by field, anything else whole. Arms and the grid are replaced whole."""
    merged = Source(base.value, dict(base.places))

    def lay(under: dict[str, Any], over: dict[str, Any], key: Key) -> None:
        for name, value in over.items():
            here = (*key, name)
            mergeable = isinstance(value, dict) and isinstance(under.get(name), dict)
            if mergeable and here not in (("arms",), ("grid",)):
                lay(under[name], value, here)
                continue
            for old in [k for k in merged.places if k[: len(here)] == here]:
                del merged.places[old]
            under[name] = value
            merged.places.update({k: p for k, p in top.places.items() if k[: len(here)] == here})

    lay(merged.value, top.value, ())
    return merged
