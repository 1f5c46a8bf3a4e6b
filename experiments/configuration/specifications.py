"""Which specifications of a claim are there, and do their options fit?

A specification takes one option of every choice. What the options set of the comparison only reads runs otherwise; what
they set of the experiment makes it another one, with trainings of its own.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.configuration.claim import LEVEL, RUNGS, PartConfig, SpecificationsConfig
from experiments.configuration.faults import Fault, validate
from experiments.configuration.hints import not_among
from experiments.configuration.yaml_source import Key

OF_PART = "part."
OF_EXPERIMENT = ("run", "arms", "grid", "tuning")
COLUMNS = ("effect_low", "effect_high", "seeds_low", "seeds_high", "verdict", "reason", "preferred")  # beside choices
MOST_SPECIFICATIONS = 20_000
_NO_FOLDER = re.compile(r"[^-+.=,_0-9A-Za-z]+")


@dataclass(frozen=True)
class Specification:
    """One combination of options: choice → option.

    part: how runs are compared. settings: what the options set of the experiment that is read: field → value and the
    choice it is of, the later where two set one field.
    """

    options: Mapping[str, str]
    part: PartConfig
    settings: Mapping[str, tuple[Any, str]]

    @property
    def experiment_name(self) -> str:
        """The name of the experiment with these settings: whose runs it reads, and the options that change them."""
        changing = {choice for _, choice in self.settings.values()}
        options = [item for item in self.options.items() if item[0] in changing and item[1] != self.part.runs]
        changes = [f"{choice}={option}" for choice, option in options]
        return _NO_FOLDER.sub("-", ",".join([self.part.runs or "", *changes]))


def specifications_of(config: SpecificationsConfig) -> list[Specification]:
    """Return all specifications, the claim's own among them, without those that are left out."""
    found = []
    for chosen in itertools.product(*(options.items() for options in config.choices.values())):
        options = dict(zip(config.choices, (option for option, _ in chosen), strict=True))
        if any(combination.items() <= options.items() for combination in config.left_out):
            continue
        of_part: dict[str, Any] = {}
        settings: dict[str, tuple[Any, str]] = {}
        for choice, (_, fields) in zip(config.choices, chosen, strict=True):
            for field, value in fields.items():
                if field.startswith(OF_PART):
                    of_part[field.removeprefix(OF_PART)] = value
                else:
                    settings[field] = value, choice
        found.append(Specification(options, PartConfig.model_validate(_with(config.part, of_part)), settings))
    return found


def preferred_options(config: SpecificationsConfig) -> dict[str, str]:
    """Return choice → the claim's own option, the level on a ladder among them."""
    first = {choice: next(iter(options)) for choice, options in config.choices.items()}
    return first | ({LEVEL: RUNGS[0]} if config.on_ladder else {}) | dict(config.preferred)


def specification_faults(config: SpecificationsConfig) -> Iterator[Fault]:
    """Yield what is wrong between choices, options and the part; keys from the section on."""
    if config.part.each:
        yield ("part", "each"), "takes nothing apart here, as each specification has one effect; make it a choice"
    for choice, options in config.choices.items():
        key: Key = ("choices", choice)
        if choice in (*COLUMNS, LEVEL):
            yield key, f"{choice!r} is a column of the table by itself; choose another name"
        if len(options) < 2:
            yield key, "give at least two options, or leave the choice out"
        for option, fields in options.items():
            yield from (((*key, option, *at), text) for at, text in _option_faults(config.part, fields))
    if not config.part.runs and not any(
        all("part.runs" in o for o in options.values()) for options in config.choices.values()
    ):
        yield ("part",), "names no experiment whose runs are read; add runs"
    count = math.prod(map(len, config.choices.values()))
    if count > MOST_SPECIFICATIONS:
        yield ("choices",), f"must come to at most {MOST_SPECIFICATIONS:,} specifications, got {count:,}"
    known = {choice: list(options) for choice, options in config.choices.items()}
    known |= {LEVEL: list(RUNGS)} if config.on_ladder else {}
    yield from _misnamed(("preferred",), config.preferred, known)
    for i, combination in enumerate(config.left_out):
        yield from _misnamed(("left_out", i), combination, {name: known[name] for name in config.choices})
        if combination.items() <= preferred_options(config).items():
            yield ("left_out", i), "leaves out the claim's own specification"


def _misnamed(key: Key, options: Mapping[str, str], known: Mapping[str, list[str]]) -> Iterator[Fault]:
    for choice, option in options.items():
        if choice not in known:
            yield (*key, choice), f"{not_among(choice, known)} (a choice)"
        elif option not in known[choice]:
            yield (*key, choice), f"{not_among(option, known[choice])} (an option of {choice})"


def _option_faults(part: PartConfig, fields: Mapping[str, Any]) -> Iterator[Fault]:
    of_part = {field.removeprefix(OF_PART): value for field, value in fields.items() if field.startswith(OF_PART)}
    for at, text in validate(PartConfig, _with(part, of_part))[1]:
        named = f"{OF_PART}{at[0]}" if at else ""
        yield ((named, *at[1:]) if named in fields else ()), text
    for field in fields:
        top, dot, _ = field.partition(".")
        if not field.startswith(OF_PART) and not (dot and top in OF_EXPERIMENT):
            yield (field,), f"must begin with part, or with {', '.join(OF_EXPERIMENT)} and a dot, as part.budget"


def _with(part: PartConfig, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a part, some of them set anew."""
    return part.model_dump(exclude_unset=True) | dict(changes)
