"""Is an experiment file right, and what does it resolve to?

Every fault of a file is reported at once, with its place, the field, what was found, what is allowed and the nearest
valid name.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from experiments.configuration.cross_references import cell_count, reference_faults
from experiments.configuration.epochs import Known, in_steps, known_by_name
from experiments.configuration.experiment import MOST_RUNS, WHY_NO_MORE, Cell, Experiment, ExperimentConfig
from experiments.configuration.faults import validate
from experiments.configuration.idle_settings import effects
from experiments.configuration.own_files import with_own_files
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import ConfigError, Key, Source, parse_value, read_yaml

GAVE_WAY = "has no effect, as arm or grid set in its place another; keep one"


def load_experiment(path: Path, overrides: list[str] | None = None, known: Known = known_by_name) -> Experiment:
    """Read and check an experiment file; raises ConfigError with every fault found.

    overrides: `field=value` texts, dotted from the top of the file, as given to `--set`. known: of data, where the file
    counts in epochs.
    """
    source = read_yaml(path)
    for override in overrides or []:
        place = f"--set {override}"
        dotted, equals, text = (part.strip() for part in override.partition("="))
        if not equals or not all(dotted.split(".")):
            raise ConfigError([f"{place}: expected field=value, such as run.steps=500"])
        source.set(override_key(dotted), parse_value(text, place, dotted), place)
    return check_experiment(path.stem, source, known)


def override_key(dotted: str) -> Key:
    """Return where a dotted field stands; the names inside an arm and the axes of the grid have dots of their own."""
    whole = {"grid": 1, "arms": 2}.get(dotted.partition(".")[0])
    return tuple(dotted.split(".") if whole is None else dotted.split(".", whole))


def check_experiment(name: str, source: Source, known: Known = known_by_name) -> Experiment:
    """Resolve a read file into an Experiment; raises ConfigError with every fault found."""
    config, found = validate(ExperimentConfig, source.value)
    checkable = config or _without(source.value, {key[0] for key, _ in found if key})
    if checkable is not None:
        found += reference_faults(checkable, _mapping(source.value.get("run")))
    faults = [_report(source, key, text) for key, text in found]
    cells, origins = _check_cells(source, faults, known)
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
    source: Source, faults: list[str], known: Known
) -> tuple[dict[Cell, RunConfig], dict[Cell, dict[Key, Key]]]:
    """Resolve every arm with every combination of grid values, and tell where each sets which fields.

    faults: what is wrong beyond the base run is added.
    """
    base, cells, origins_of_cells = source.value.get("run", {}), {}, {}
    if not isinstance(base, dict):
        return {}, {}
    of_base = set(validate(RunConfig, base)[1])
    arms, grid = _mapping(source.value.get("arms")), _mapping(source.value.get("grid"))
    if (count := cell_count(arms, grid)) > MOST_RUNS:
        text = f"must come to at most {MOST_RUNS:,} runs of a seed, got {count:,}: {WHY_NO_MORE}"
        faults.append(_report(source, ("grid",), text))
        return {}, {}
    idle: dict[Key, str] = {}  # settings without effect in some cell, and why
    used: set[Key] = set()
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
            run, found = validate(RunConfig, cell.value)
            found += [(field, GAVE_WAY) for field in origins if not _is_set(cell.value, field)]
            for key, text in found:
                if (key, text) not in of_base:
                    faults.append(_report(source, _origin(key, origins), text))
            for key, why in effects(cell.value):
                if why:
                    idle.setdefault(_origin(key, origins), why)
                else:
                    used.add(_origin(key, origins))
            if run is not None:
                values = tuple(_value_at(run, axis) for axis in grid)
                run, found = with_own_files(run, functools.partial(_place, source, origins))
                if not found:
                    run, found = in_steps(run, known)
                faults += [_report(source, _origin(key, origins), text) for key, text in found]
                cells[arm, values], origins_of_cells[arm, values] = run, origins
                for axis, value, (i, _) in zip(grid, values, choice, strict=True):
                    if positions.setdefault((axis, value), i) != i:
                        faults.append(_report(source, ("grid", axis, i), f"{value!r} is given twice; keep one"))
    if _mapping(source.value.get("claim")).get("kind") != "over_all_claims":  # which trains nothing
        faults += [_report(source, origin, why) for origin, why in idle.items() if origin not in used]
    if len({run.gan is None for run in cells.values()}) > 1:
        text = "some train a gan and others a classifier, which nothing measures both; make two files of them"
        faults.append(_report(source, ("arms",), text))
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


def _is_set(values: Any, field: Key) -> bool:
    for name in field:
        if not isinstance(values, dict) or name not in values:
            return False
        values = values[name]
    return True


def _place(source: Source, origins: Mapping[Key, Key], field: Key) -> str:
    return source.place(_origin(field, origins))


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping as it is; anything else, which validation has reported already, as an empty one."""
    return value if isinstance(value, dict) else {}


def _value_at(config: BaseModel, dotted: str) -> Any:
    value: Any = config
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


def _report(source: Source, key: Key, text: str) -> str:
    shown = key[:2] if key[0] == "grid" else key  # without the position of the value
    return f"{source.place(key)}: {'.'.join(map(str, shown))}: {text}"
