"""Where in which file does a configuration value stand?

Reads YAML with PyYAML's safe loader, refuses its traps (duplicate keys, base-60 and octal numbers), follows `extends`
and remembers the file and line of every value, so that an error can name its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]
_BASE_60 = re.compile(r"^[-+]?\d+(:\d+)+(\.\d*)?$")
MOST_VALUES = 100_000  # of a file, lest nested aliases grow without end
MOST_SHOWN = 100  # characters of a value in an error
REPLACED_WHOLE = ("arms", "grid")
GIVES_WAY = {  # to a field that is laid over it, by its section: what says the same otherwise, or something of it
    ("dataset", "name"): ("file", "label", "sha256"),
    ("dataset", "file"): ("name", "sha256"),
    ("run", "epochs"): ("steps", "evaluate_every"),
    ("run", "steps"): ("epochs", "evaluations"),
}
_OCTAL = re.compile(r"^[-+]?0\d+$")


class _Blank:
    """The value of a field with nothing after its colon, which is no value of any field; `null` is None."""

    def __repr__(self) -> str:
        return "nothing"

    def __deepcopy__(self, memo: Any) -> _Blank:
        return self


BLANK = _Blank()


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

    def set(self, key: Key, value: Any, place: str) -> None:
        """Lay `value` over what stands at `key`: mappings field by field, anything else, arms and grid whole."""
        target = self.value
        for depth, part in enumerate(key[:-1], start=1):
            if not isinstance(target.get(part), dict):
                target[part] = {}
                self.places[key[:depth]] = place
            target = target[part]
        if isinstance(value, dict) and isinstance(target.get(key[-1]), dict) and key[0] not in REPLACED_WHOLE:
            for name, inner in value.items():
                self.set((*key, name), inner, place)
            return
        _lay(target, key, value, self.places)
        self.places[key] = place


def shown(value: Any) -> str:
    """Show a value as errors quote it, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}… ({len(text):,} characters)"


def read_yaml(path: Path) -> Source:
    """Read a YAML file and all it extends; raises ConfigError naming file and line."""
    return _read(path, ())


def parse_value(text: str, place: str, field_name: str) -> Any:
    """Parse the right-hand side of `--set field=value` as YAML."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        raise ConfigError([f"{place}: not valid YAML: {text!r}"]) from None
    return BLANK if node is None else _Construction(lambda _: place, (field_name,)).construct(node, ())


def _read(path: Path, seen: tuple[Path, ...]) -> Source:
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
        raise ConfigError([f"{path}:{line}: not valid YAML: {error.problem}{_remedy(error)}"]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([f"{path}:{line}: not valid YAML: {error.reason}: #x{error.character:04x}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: not valid YAML: nested too deeply"]) from None
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError([f"{path}:1: an experiment is a mapping of fields, found {_describe(node)}"])
    construction = _Construction(lambda at: f"{path}:{at.start_mark.line + 1}")
    source = Source(construction.construct(node, ()), construction.places)
    extends = source.value.pop("extends", None)
    if extends is None:
        return source
    if not isinstance(extends, str):
        raise ConfigError(
            [f"{source.place(('extends',))}: extends: expected the path of a YAML file, got {shown(extends)}"]
        )
    seen = (*seen, path.resolve())
    if (path.parent / extends).resolve() in seen:
        raise ConfigError([f"{source.place(('extends',))}: extends: {extends} extends this file in turn"])
    try:
        base = _read(path.parent / extends, seen)
    except ConfigError as error:
        if error.faults == [f"{path.parent / extends}: no such file"]:
            raise ConfigError([f"{source.place(('extends',))}: extends: no such file: {extends}"]) from None
        raise
    return _merge(base, source)


def _remedy(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    if "'\\t'" in problem:
        return "; indent with spaces, as YAML takes no tabs"
    if "mapping values are not allowed" in problem:
        return "; quote a text with a colon in it, such as title: 'a: b', and indent fields of one section alike"
    return ""


def _describe(node: yaml.Node | None) -> str:
    if node is None:
        return "an empty file"
    return "a list" if isinstance(node, yaml.SequenceNode) else f"the text {node.value!r}"


class _Construction:
    """Builds a value from YAML's nodes and remembers the place of each of its parts."""

    def __init__(self, place_of: Callable[[yaml.Node], str], shown_under: Key = ()):
        self.places: dict[Key, str] = {}
        self._place_of = place_of
        self._shown_under = shown_under
        self._open: list[yaml.Node] = []  # from the top to the node at hand

    def construct(self, node: yaml.Node, key: Key) -> Any:
        """Return the value of a node; raises ConfigError at YAML's traps."""
        self.places[key] = self._place_of(node)
        if len(self.places) > MOST_VALUES:
            raise self._fault(node, key, f"more than {MOST_VALUES:,} values with all aliases followed; use fewer")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, key)
        if any(node is around for around in self._open):
            raise self._fault(node, key, "an alias of what it stands in has no end; write the value out")
        self._open.append(node)
        value: Any
        if isinstance(node, yaml.SequenceNode):
            value = [self.construct(item, (*key, i)) for i, item in enumerate(node.value)]
        else:
            value = self._mapping(node, key)
        self._open.pop()
        return value

    def _mapping(self, node: yaml.Node, key: Key) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: list[yaml.Node] = []
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._fault(key_node, key, "a list or mapping cannot be the name of a field")
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged += value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                continue
            name = (*key, key_node.value)
            if key_node.value in mapping:
                raise self._fault(key_node, name, "given twice; keep one")
            mapping[key_node.value] = self.construct(value_node, name)
            self.places[name] = self._place_of(key_node)
        for under in merged:  # `<<: *anchor`: fields that are not given here, of the first that has them
            if not isinstance(under, yaml.MappingNode):
                raise self._fault(under, (*key, "<<"), "expected an alias of a mapping, such as <<: *name")
            others = _Construction(self._place_of, self._shown_under)
            others._open = self._open
            for name, value in others.construct(under, key).items():
                if name not in mapping:
                    mapping[name] = value
                    here = (*key, name)
                    self.places |= {k: p for k, p in others.places.items() if k[: len(here)] == here}
        return mapping

    def _scalar(self, node: yaml.ScalarNode, key: Key) -> Any:
        if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float") and (
            _BASE_60.match(node.value) or _OCTAL.match(node.value)
        ):
            kind = "base 60" if ":" in node.value else "octal"
            raise self._fault(node, key, f"YAML reads {node.value} as a number in {kind}; quote it")
        if not node.value and node.style is None and node.tag == "tag:yaml.org,2002:null":
            return BLANK
        if node.tag == "tag:yaml.org,2002:timestamp":
            return node.value
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (yaml.YAMLError, ValueError):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._fault(node, key, f"{shown(node.value)} cannot be read as {tag}; leave the tag out") from None

    def _fault(self, node: yaml.Node, key: Key, text: str) -> ConfigError:
        shown = ".".join(map(str, (*self._shown_under, *key)))
        return ConfigError([f"{self._place_of(node)}: {shown}: {text}" if shown else f"{self._place_of(node)}: {text}"])


def _merge(base: Source, top: Source) -> Source:
    """Lay `top` over `base`: mappings field by field, anything else whole. Arms and the grid are replaced whole."""
    merged = Source(base.value, dict(base.places))

    def lay(under: dict[str, Any], over: dict[str, Any], key: Key) -> None:
        for name, value in over.items():
            here = (*key, name)
            mergeable = isinstance(value, dict) and isinstance(under.get(name), dict)
            if mergeable and not (len(here) == 1 and name in REPLACED_WHOLE):
                lay(under[name], value, here)
                continue
            _lay(under, here, value, merged.places, over)
            merged.places.update({k: p for k, p in top.places.items() if k[: len(here)] == here})

    lay(merged.value, top.value, ())
    return merged


def _lay(section: dict[str, Any], key: Key, value: Any, places: dict[Key, str], beside: Iterable[str] = ()) -> None:
    """Give the last field of `key` its value, in place of all that stood there and of what gives way to it.

    beside: what is laid over the section together with it, and stays.
    """
    *path, name = map(str, key)
    section_name = path[-1] if path else "run"  # of which a cell has no more
    ways = GIVES_WAY.get((section_name, name), ()) if value is not None else ()
    ways = tuple(other for other in ways if other not in beside)
    for other in ways:
        section.pop(other, None)
    gone = [key, *((*key[:-1], other) for other in ways)]
    for old in [place for place in places if any(place[: len(at)] == at for at in gone)]:
        del places[old]
    section[name] = value
