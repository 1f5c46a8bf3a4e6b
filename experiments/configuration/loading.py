"""Is an experiment file right, and what does it resolve to?

Every fault of a file is reported at once, with its place, the field, what was found, what is allowed and the nearest
valid name.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from experiments.configuration.claim import TIMED_MEASURES
from experiments.configuration.experiment import Cell, Experiment, ExperimentConfig
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import ConfigError, Key, Source, parse_value, read_yaml

Model = TypeVar("Model", bound=BaseModel)
OVERVIEW = "summary"  # beside the arms' folders, see `reporting.overview`
Fault = tuple[Key, str]  # the field and what is wrong with it
_EXPECTED = {
    "tuple_type": "expected a list, such as [1, 2]",
    "dict_type": "expected fields and their values, such as {steps: 500}",
    "mapping_type": "expected fields and their values, such as {steps: 500}",
    "model_type": "expected fields and their values, such as {steps: 500}",
    "string_type": "expected a text; quote it",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "too_short": "give at least one",
}
_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "at least",
    "less_than": "below",
    "less_than_equal": "at most",
}


def load_experiment(path: Path, overrides: list[str] | None = None) -> Experiment:
    """Read and check an experiment file; raises ConfigError with every fault found.

    overrides: `field=value` texts, dotted from the top of the file, as given to `--set`.
    """
    source = read_yaml(path)
    for override in overrides or []:
        place = f"--set {override}"
        dotted, equals, text = (part.strip() for part in override.partition("="))
        if not equals or not all(dotted.split(".")):
            raise ConfigError([f"{place}: expected field=value, such as run.steps=500"])
        source.set(_override_key(dotted), parse_value(text, place, dotted), place)
    return check_experiment(path.stem, source)


def _override_key(dotted: str) -> Key:
    """Split a dotted field; the names inside an arm and the axes of the grid have dots of their own."""
    whole = {"grid": 1, "arms": 2}.get(dotted.partition(".")[0])
    return tuple(dotted.split(".") if whole is None else dotted.split(".", whole))


def check_experiment(name: str, source: Source) -> Experiment:
    """Resolve a read file into an Experiment; raises ConfigError with every fault found."""
    faults: list[str] = []
    config, found = _validate(ExperimentConfig, source.value)
    faults += [_report(source, key, text) for key, text in found]
    checkable = config or _without(source.value, {key[0] for key, _ in found if key})
    if checkable is not None:
        _check_references(checkable, source, faults)
    cells, origins = _check_cells(source, found, faults)
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    assert config is not None
    return Experiment(name, config, cells, source, origins)


def fault_of_run(experiment: Experiment, arm: str, grid: Mapping[str, Any], field: str, text: str) -> str:
    """Return what is wrong with a field of one cell's run, found later, as a line `file:line: field: text`."""
    key = _origin(tuple(field.split(".")), experiment.origins(arm, grid))
    return _report(experiment.source, key, text)


def _without(value: dict[str, Any], faulty: set[str | int]) -> ExperimentConfig | None:
    """Read the rest of a file some of whose top fields are faulty, to find what else is wrong; None if that fails."""
    arms, grid = value.get("arms"), value.get("grid", {})
    if not isinstance(arms, dict) or not isinstance(grid, dict):
        return None
    rest = {name: part for name, part in value.items() if name not in faulty and name in ExperimentConfig.model_fields}
    names = {"title": "", "arms": {arm: {} for arm in arms}, "grid": dict.fromkeys(grid, (0,))}
    try:
        return ExperimentConfig.model_validate(names | rest)
    except ValidationError:
        return None


def _check_cells(
    source: Source, known: list[Fault], faults: list[str]
) -> tuple[dict[Cell, RunConfig], dict[Cell, dict[Key, Key]]]:
    """Resolve every arm with every combination of grid values, and tell where each sets which fields.

    known: faults of the file without arms and grid.
    """
    base, cells, origins_of_cells = source.value.get("run", {}), {}, {}
    if not isinstance(base, dict):
        return {}, {}
    of_base = {(key[1:], text) for key, text in known if key[:1] == ("run",)}
    arms, grid = _mapping(source.value.get("arms")), _mapping(source.value.get("grid"))
    for arm, changes in arms.items():
        positions: dict[tuple[str, Any], int] = {}  # of a value on its axis
        for choice in itertools.product(*(enumerate(v) if isinstance(v, list) else () for v in grid.values())):
            settings: list[tuple[str, Key, Any]]  # field of the run, where the file sets it, the value
            settings = [(name, ("arms", arm, name), value) for name, value in _mapping(changes).items()]
            settings += [(axis, ("grid", axis, i), value) for axis, (i, value) in zip(grid, choice, strict=True)]
            origins: dict[Key, Key] = {}
            cell = Source(deepcopy(base))
            for dotted, origin, value in settings:
                field = tuple(dotted.split("."))
                origins[field] = origin
                cell.set(field, deepcopy(value), "")
            run, found = _validate(RunConfig, cell.value)
            for key, text in found:
                if (key, text) not in of_base:
                    faults.append(_report(source, _origin(key, origins), text))
            if run is not None:
                values = tuple(_value_at(run, axis) for axis in grid)
                cells[arm, values], origins_of_cells[arm, values] = run, origins
                for axis, value, (i, _) in zip(grid, values, choice, strict=True):
                    if positions.setdefault((axis, value), i) != i:
                        faults.append(_report(source, ("grid", axis, i), f"{value!r} is given twice; keep one"))
    by_axis = zip(*(values for _, values in cells), strict=True)
    for axis, values in zip(grid, by_axis, strict=False):  # a faulty grid has no cells
        if fault := _no_axis(axis, values):
            faults.append(_report(source, ("grid", axis), fault))
    return cells, origins_of_cells


def _no_axis(axis: str, values: Iterable[Any]) -> str:
    """Why these values cannot be a column of the results table; "" where they can."""
    kinds = {type(value) for value in values if value is not None}
    for kind in kinds:
        if issubclass(kind, BaseModel):
            return f"several fields at once; give one of them, such as {axis}.{next(iter(kind.model_fields))}, or arms"
    return "texts and other values cannot share an axis; make them arms" if str in kinds and len(kinds) > 1 else ""


def _origin(key: Key, origins: Mapping[Key, Key]) -> Key:
    """Return where in the file the field `key` of a run was set: in an arm, in the grid or in the base run."""
    for length in range(len(key), 0, -1):
        if key[:length] in origins:
            return (*origins[key[:length]], *key[length:])
    inside = [origin for field, origin in origins.items() if field[: len(key)] == key]  # of a rule over several fields
    return inside[0] if inside else ("run", *key)


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping as it is; anything else, which validation has reported already, as an empty one."""
    return value if isinstance(value, dict) else {}


def _value_at(config: BaseModel, dotted: str) -> Any:
    value: Any = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def _check_references(config: ExperimentConfig, source: Source, faults: list[str]) -> None:
    """What concerns several parts of the file: arms of the claim, axes of the grid, seeds."""

    def fault(key: Key, text: str) -> None:
        faults.append(_report(source, key, text))

    def check(key: Key, value: str, known: list[str], what: str) -> None:
        if value not in known:
            fault(key, f"{_not_among(value, known)} ({what})")

    def check_twice(key: Key, values: tuple[Any, ...]) -> None:
        for value in dict.fromkeys(v for v in values if values.count(v) > 1):
            fault(key, f"{value} is given twice; keep one")

    settings: list[Key] = [("run", field) for field in _mapping(source.value.get("run"))]
    settings += [("arms", arm, field) for arm, changes in config.arms.items() for field in changes]
    settings += [("grid", axis) for axis in config.grid]
    for key in settings:
        if key[-1] == "seed":
            fault(key, "runs take their seeds from the field seeds at the top, such as seeds: 20; leave this out")
        if key[0] == "arms" and key[-1] in config.grid:
            fault(key, "the grid sets this too; keep one")
    for name in config.arms:
        if not name or any(c in name for c in "/\\=") or name.startswith("."):
            fault(("arms", name), f"{name!r} cannot be the name of a folder; leave out / \\ = and a leading dot")
        if name == OVERVIEW:
            fault(("arms", name), f"{name!r} is the folder of the whole experiment's summary; choose another name")
    for axis, values in config.grid.items():
        if not values:
            fault(("grid", axis), "give at least one value")
    check_twice(("seeds",), config.seeds)
    if config.tuning:
        check(("tuning", "over"), config.tuning.over, list(config.grid), "an axis of grid")
        for axis in config.tuning.per:
            check(("tuning", "per"), axis, list(config.grid), "an axis of grid")
        check_twice(("tuning", "seeds"), config.tuning.seeds)
        if shared := set(config.tuning.seeds) & set(config.seeds):
            fault(
                ("tuning", "seeds"),
                f"{sorted(shared)} are evaluation seeds too; a seed is for tuning or for evaluation",
            )
    for i, part in enumerate(config.claim.parts if config.claim else ()):
        key = ("claim", "parts", i)
        for role in ("baseline", "treatment"):
            arms = getattr(part, role)
            for arm in [arms] if isinstance(arms, str) else arms or ():
                check((*key, role), arm, list(config.arms), "an arm")
        if part.axis:
            check((*key, "axis"), part.axis, list(config.grid), "an axis of grid")
        if part.rate != "tuned" and config.tuning and config.tuning.evaluate == "best":
            fault((*key, "rate"), f"{part.rate} compares at other rates than the tuned; set tuning.evaluate: all")
        if part.effect != "level" and part.baseline is None:
            fault(key, f"a {part.effect} needs a baseline arm")
        if part.measure in TIMED_MEASURES:
            if not all(changes.get("timed", config.run.timed) for changes in config.arms.values()):
                fault(key, f"{part.measure} compares runs that were trained alone; set run.timed: true")
            if part.rate == "smallest_progressing":
                fault(
                    (*key, "rate"), "smallest_progressing is found on tuning runs, which are not timed; measure steps"
                )


def _report(source: Source, key: Key, text: str) -> str:
    shown = key[:2] if key[0] == "grid" else key  # without the position of the value
    return f"{source.place(key)}: {'.'.join(map(str, shown))}: {text}"


def _validate(model: type[Model], value: Any) -> tuple[Model | None, list[Fault]]:
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = tuple(part for part in fault["loc"] if not _is_union_branch(part))
            faults.append((key, _explain(model, fault, key)))
        return None, faults


def _is_union_branch(part: str | int) -> bool:
    """Pydantic adds the branch of a union to a fault's location; a field never has such a name."""
    return isinstance(part, str) and (part in {"str", "int", "bool", "float"} or "[" in part)


def _explain(model: type[BaseModel], fault: Any, location: Key) -> str:
    kind, found = fault["type"], fault["input"]
    match kind:
        case "literal_error":
            allowed = [part.strip().strip("'") for part in fault["ctx"]["expected"].replace(" or ", ", ").split(",")]
            hint = "; YAML reads yes/no/on/off as a boolean, quote it" if isinstance(found, bool) else ""
            return _not_among(found, allowed) + hint
        case "extra_forbidden":
            return "no such field; " + _not_among(str(location[-1]), _fields_at(model, location[:-1]))
        case "missing":
            return "required, but not given"
        case "value_error":
            return str(fault["ctx"]["error"])
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return f"must be {_BOUNDS[kind]} {next(iter(fault['ctx'].values()))}, got {found!r}"
        case "dict_type" | "mapping_type" | "model_type" if found is None:
            return f"{_EXPECTED[kind]}, got nothing; write {{}} for no fields"
        case _:
            return f"{_EXPECTED.get(kind, fault['msg'])}, got {found!r}"


def _not_among(found: Any, allowed: list[str]) -> str:
    near = difflib.get_close_matches(str(found), allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{found!r} is not one of {', '.join(allowed)}{hint}"


def _fields_at(model: type[BaseModel], location: Key) -> list[str]:
    for part in location:
        if not isinstance(part, str) or part not in model.model_fields:
            continue
        annotation = model.model_fields[part].annotation
        nested = [a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type)]
        model = next((a for a in nested if issubclass(a, BaseModel)), model)
    return list(model.model_fields)
