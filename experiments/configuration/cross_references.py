"""Do the parts of an experiment file fit each other? Arms, the grid's axes, seeds and the claim."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from experiments.configuration.claim import AT_A_LEVEL, MATCHABLE, NO_METRIC, TIMED_MEASURES, PartConfig
from experiments.configuration.experiment import (
    LEARNING_RATE,
    MOST_RUNS,
    WHY_NO_MORE,
    EdgesConfig,
    ExperimentConfig,
    TuningConfig,
)
from experiments.configuration.faults import Fault
from experiments.configuration.hints import field_at, not_among
from experiments.configuration.run import RunConfig
from experiments.configuration.specifications import specification_faults
from experiments.configuration.yaml_source import Key

MOST_NAME_BYTES = 255  # of a folder, on every usual file system
_NO_FOLDER = re.compile(r'[/\\=<>:"|?*\x00-\x1f]|^[. ]|[. ]$|^$')
_REFUSED = '/ \\ = < > : " | ? *'
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # on Windows
_FILES = re.compile(r".*\.(parquet|svg|json|html)|events\.out\..*", re.IGNORECASE)  # beside the arms' folders
FOLDERS = {  # beside the arms', see `reporting.tensorboard_summary` and `reporting.pictures`
    "summary": "the whole experiment's summary",
    "figures": "the whole experiment's figures",
}


def reference_faults(config: ExperimentConfig, run: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong between the parts of a file. run: the fields that its section `run` sets."""
    settings: list[Key] = [("run", field) for field in run]
    settings += [("arms", arm, field) for arm, changes in config.arms.items() for field in changes]
    settings += [("grid", axis) for axis in config.grid]
    for key in settings:
        if key[-1] == "seed":
            yield key, "runs take their seeds from the field seeds at the top, such as seeds: 20; leave this out"
        if key[0] == "arms" and key[-1] in config.grid:
            yield key, "the grid sets this too; keep one"
    yield from _names(config)
    for axis, values in config.grid.items():
        if not values:
            yield ("grid", axis), "give at least one value"
    yield from _given_twice(("seeds",), config.seeds)
    if config.tuning:
        yield from _tuning(config, config.tuning)
    if config.edges:
        yield from _edges(config, config.edges)
    cells = cell_count(config.arms, config.grid)
    runs = cells * (len(config.seeds) + (len(config.tuning.seeds) if config.tuning else 0)) + _most_between(config)
    if runs > MOST_RUNS >= cells:
        yield ("seeds",), f"must come to at most {MOST_RUNS:,} runs, got {runs:,}: {WHY_NO_MORE}"
    yield from _claim(config)


def cell_count(arms: Mapping[str, Any], grid: Mapping[str, Any]) -> int:
    """Return how many cells arms and grid come to; what is no list of values counts as one."""
    return len(arms) * math.prod(len(values) if isinstance(values, (list, tuple)) else 1 for values in grid.values())


def _names(config: ExperimentConfig) -> Iterator[Fault]:
    """What cannot be the name of an arm's folder, here or where the results are copied to."""
    first: dict[str, str] = {}
    for name in config.arms:
        key, alike = ("arms", name), unicodedata.normalize("NFC", name).casefold()
        if _NO_FOLDER.search(name):
            yield key, f"{name!r} cannot be the name of a folder; leave out {_REFUSED}, and a dot or space at the ends"
        elif _RESERVED.fullmatch(name):
            yield key, f"{name!r} is the name of a device on Windows, which can be no folder; choose another name"
        elif alike in FOLDERS:
            yield key, f"{name!r} is the folder of {FOLDERS[alike]}; choose another name"
        elif _FILES.fullmatch(name):
            yield key, f"{name!r} is like a file of results beside the arms' folders; choose another name"
        elif (size := len(name.encode())) > MOST_NAME_BYTES:
            yield key, f"must be at most {MOST_NAME_BYTES} bytes long, as the name of a folder, got {size}"
        elif alike in first:
            yield key, f"{name!r} and {first[alike]!r} are one folder where case does not count; choose another name"
        first.setdefault(alike, name)


def _given_twice(key: Key, values: tuple[Any, ...]) -> Iterator[Fault]:
    if len(set(values)) == len(values):
        return
    for value in dict.fromkeys(v for v in values if values.count(v) > 1):
        yield key, f"{value} is given twice; keep one"


def _among(key: Key, value: str, known: Mapping[str, Any], what: str) -> Iterator[Fault]:
    if value not in known:
        yield key, f"{not_among(value, known)} ({what})"


def _axis(key: Key, value: str, grid: Mapping[str, Any]) -> Iterator[Fault]:
    """A reference to an axis; none to one that is misnamed in the grid itself, which is a fault there."""
    leaf = value.rpartition(".")[2]
    misnamed = [axis for axis in grid if axis.rpartition(".")[2] == leaf and not field_at(RunConfig, _parts(axis))]
    if not grid:
        yield key, f"{value!r} is no axis of grid, which has none; add it there"
    elif not (misnamed and field_at(RunConfig, _parts(value))):
        yield from _among(key, value, grid, "an axis of grid")


def _parts(dotted: str) -> Key:
    return tuple(dotted.split("."))


def _tuning(config: ExperimentConfig, tuning: TuningConfig) -> Iterator[Fault]:
    for fault in _axis(("tuning", "over"), tuning.over, config.grid):
        if "over" in tuning.model_fields_set:
            yield fault
        else:
            yield ("tuning",), f"picks each arm's best {LEARNING_RATE}, which is no axis of grid; add it, or set over"
    for axis in tuning.per:
        yield from _axis(("tuning", "per"), axis, config.grid)
    yield from _given_twice(("tuning", "seeds"), tuning.seeds)
    if shared := set(tuning.seeds) & set(config.seeds):
        yield ("tuning", "seeds"), f"{sorted(shared)} are evaluation seeds too; a seed is for tuning or for evaluation"


def _edges(config: ExperimentConfig, edges: EdgesConfig) -> Iterator[Fault]:
    for arm in edges.arms:
        yield from _among(("edges", "arms"), arm, config.arms, "an arm")
    yield from _given_twice(("edges", "arms"), edges.arms)
    if config.tuning is None or config.tuning.evaluate != "all":
        yield ("edges",), "are looked for among the evaluation runs at all values; set tuning: {evaluate: all}"
        return
    over = config.tuning.over
    values, field = config.grid.get(over), field_at(RunConfig, _parts(over))
    if values is None or field is None:  # which is a fault of its own
        return
    if field.annotation is not float or not all(map(_is_positive, values)):
        yield ("edges",), f"halve between values of {over}, which has to have fractions, all above 0"
    elif len(values) < 2:
        yield ("edges",), f"lie between values of {over}, of which grid has {len(values)}; give more"


def _most_between(config: ExperimentConfig) -> int:
    """How many runs between the values of the grid there are at most: one a halving by either definition."""
    if not (config.edges and config.tuning):
        return 0
    others = {axis: values for axis, values in config.grid.items() if axis != config.tuning.over}
    return 2 * config.edges.halvings * cell_count(config.arms, others) * len(config.seeds)


def _is_positive(value: Any) -> bool:
    """Whether a grid's value is above 0; what is no number at all is a fault of its own."""
    try:
        return float(value) > 0
    except (TypeError, ValueError):
        return True


def _claim(config: ExperimentConfig) -> Iterator[Fault]:
    """What a claim asks of runs that are not there: of the file's own, as other files' are read later."""
    claim = config.claim
    parts = claim.parts if claim else ()
    trains_nothing = claim is not None and (claim.kind == "over_all_claims" or bool(parts))
    if not config.arms and not (trains_nothing and all(part.runs for part in parts)):
        yield ("arms",), "give at least one arm, or a claim all of whose parts read runs of other files"
    for i, part in enumerate(parts):
        key: Key = ("claim", "parts", i)
        if part.runs is None and config.arms:
            yield from (((*key, *at), text) for at, text in faults_of_part(part, config))
        yield from ((key, text) for text in without_effect(part))
    if claim and claim.specifications:
        found = specification_faults(claim.specifications)
        yield from ((("claim", "specifications", *at), text) for at, text in found)


def faults_of_part(part: PartConfig, config: ExperimentConfig) -> Iterator[Fault]:
    """Yield what a part asks of an experiment's runs that it does not have; keys from the part on."""
    for role in ("baseline", "treatment", "whole", "rate_of"):
        if (arm := getattr(part, role)) is not None:
            yield from _among((role,), arm, config.arms, "an arm")
    for axis in (*part.each, *([part.axis] if part.axis else [])):
        yield from _axis(("axis" if axis == part.axis else "each",), axis, config.grid)
    yield from _axes_of_part(part, config)
    tuned = config.tuning.over if config.tuning else None
    along_rates = tuned is not None and tuned in (*part.each, part.axis)
    at_all_rates = (
        part.tuned_for == "measure" or part.rate_of is not None or along_rates or part.measure == "largest_rate"
    )
    if at_all_rates and config.tuning and config.tuning.evaluate == "best":
        yield ("measure",), "compares at other rates than the most accurate; set tuning.evaluate: all"
    on_tuning_seeds = isinstance(part.level, str) or part.matched or part.per_seed == "share_training"
    if (on_tuning_seeds or at_all_rates or part.measure == "gap_at_training_loss") and not config.tuning:
        yield ("measure",), "is taken at levels or rates that are found on tuning seeds; add tuning"
    if part.level == "common" and part.tuned_for == "measure" and tuned not in part.each:
        yield ("level",), f"common is no level to tune for; take {tuned} apart by each, or give another level"
    if part.measure == "largest_rate" and not config.edges:
        yield ("measure",), "largest_rate needs the section edges"
    timed = all(changes.get("timed", config.run.timed) for changes in config.arms.values())
    if part.measure in TIMED_MEASURES and not timed:
        yield ("measure",), f"{part.measure} compares runs that were trained alone; set run.timed: true"


def _axes_of_part(part: PartConfig, config: ExperimentConfig) -> Iterator[Fault]:
    """How a part deals with the axes of the grid, and with a step that has to be an evaluation."""
    tuned = config.tuning.over if config.tuning else None
    if part.axis is not None and part.axis in part.each:
        yield ("axis",), f"each takes {part.axis} apart, value by value; keep one"
    if part.measure == "largest_rate" and tuned in part.each:
        yield ("each",), f"largest_rate looks along {tuned} itself; leave it out"
    named = {*part.each, part.axis, tuned} - {None}
    for axis, values in config.grid.items():
        if len(values) > 1 and axis not in named and named <= config.grid.keys():  # a misnamed one may be meant
            yield ("each",), f"runs differ along {axis}, too; take it apart by each, or make one number of it by axis"
    places = config.grid.get(part.axis or "", ())
    if len(places) > 1 and part.per_seed == "growth" and not all(map(_is_number, places)):
        yield ("axis",), "growth is per unit of an axis of numbers"
    if len(places) > 1 and part.per_seed == "slope" and not all(_is_number(v) and float(v) > 0 for v in places):
        yield ("axis",), "slope is per doubling of an axis of numbers, all above 0"
    field = "evaluate_every"
    at_a_step = part.measure in ("value_at_step", "gradient_ratio")
    if at_a_step and part.step and _has_epochs(config):
        yield ("step",), "cannot be known to be an evaluation with run.epochs; give run.steps and run.evaluate_every"
        return
    intervals = {changes.get(field, config.run.evaluate_every) for changes in config.arms.values()}
    for every in config.grid.get(field, intervals):
        is_measured = not (isinstance(every, int) and every > 0 and (part.step or 0) % every)  # else a fault there
        if at_a_step and not is_measured:
            yield ("step",), f"must be a multiple of {field} ({every:,}), got {part.step:,}"


def _has_epochs(config: ExperimentConfig) -> bool:
    given = [config.run.epochs, *(changes.get("epochs") for changes in config.arms.values())]
    return "epochs" in config.grid or any(epochs is not None for epochs in given)


def _is_number(value: Any) -> bool:
    """Whether a value of the grid is a number, perhaps one that YAML reads as text, such as 1e-3."""
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def without_effect(part: PartConfig) -> Iterator[str]:
    """Yield what a part sets and its measure or effect makes nothing of."""
    for name, decided_by, is_used in (
        ("metric", "measure", part.measure not in NO_METRIC or part.measure == "largest_rate"),
        ("step", "measure", part.measure in ("value_at_step", "gradient_ratio")),
        ("budget", "measure", part.measure in ("late_value", "steps_to_level")),
        ("in_a_row", "measure", part.measure in AT_A_LEVEL),
        ("rate_of", "measure", part.measure != "largest_rate"),
        ("matched", "measure", part.measure in MATCHABLE),
        ("over", "effect", part.effect in ("ratio", "difference")),
    ):
        if not is_used and getattr(part, name) != PartConfig.model_fields[name].default:
            yield f"{name} has no effect with {decided_by}: {getattr(part, decided_by)}; leave it out"
