"""An experiment file, read and checked, and the runs it comes to."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from experiments.configuration.claim import ClaimConfig
from experiments.configuration.run import DatasetConfig, RunConfig, Seed
from experiments.configuration.yaml_source import Key, Source, shown
from models.fields import AtMost, Count, Share, Strict

Cell = tuple[str, tuple[Any, ...]]  # an arm and grid values, in the order of the axes
LEARNING_RATE = "optimizer.learning_rate"  # as an axis of the grid and a column of the results table
MOST_RUNS = 100_000  # of an experiment
_SPAN = re.compile(r"\s*(\d{1,10})\s*-\s*(\d{1,10})\s*")
Section = TypeVar("Section", bound=BaseModel)
WHY_NO_MORE = "each run is a folder of files and a row of the results; cut the experiment into several files"


class TuningConfig(Strict):
    """Every arm picks its own best value of one grid axis on seeds that are used for nothing else."""

    over: str = Field(
        LEARNING_RATE,
        description="the grid axis whose best value is picked, by validation accuracy, with gan by "
        "the Fréchet distance of generated images to validation images",
    )
    per: tuple[str, ...] = Field((), description="grid axes along which the choice is made anew")
    seeds: tuple[Seed, ...] = Field(
        (100, 101, 102, 103, 104), description="tuning seeds; none may be an evaluation seed"
    )
    evaluate: Literal["best", "all"] = Field(
        "best", description="whether the evaluation seeds train with the best value alone, or with all"
    )


class EdgesConfig(Strict):
    """Where between two values of `tuning.over` does each evaluation seed cease to train, or begin to diverge?

    After all runs of the grid, runs at values between are trained, each in the middle, on a scale of factors, of what
    the runs before it have left open.
    """

    halvings: Annotated[Count, AtMost(8, "the values between have four digits")] = Field(
        3, description="how often; three times narrow a half decade to a factor of 1.15"
    )
    arms: tuple[str, ...] = Field((), description="the arms concerned; none: all")
    chance: Share = Field(
        0.1,
        description="accuracy of guessing; a run trains that comes half way from there to the best accuracy of any arm",
    )


def _seeds(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        if value > MOST_RUNS:
            raise ValueError(f"must be at most {MOST_RUNS:,}, got {shown(value)}: {WHY_NO_MORE}")
        return tuple(range(value))
    if isinstance(value, str) and (span := _SPAN.fullmatch(value)):
        first, last = int(span[1]), int(span[2])
        if not 0 <= last - first < MOST_RUNS:
            raise ValueError(f"expected first-last, such as 20-39, at most {MOST_RUNS:,} seeds, got {shown(value)}")
        return tuple(range(first, last + 1))
    if not isinstance(value, (list, tuple)):
        hint = ""
        with contextlib.suppress(ValueError, OverflowError):
            hint = f"; write {int(float(value)):d}, without quotes" if isinstance(value, str) else ""
        raise ValueError(
            "expected how many seeds, such as 20, the first and the last, such as 20-39, or a list of them, such as "
            f"[0, 1, 2], got {shown(value)}{hint}"
        )
    return value


Seeds = Annotated[
    tuple[Seed, ...],
    BeforeValidator(_seeds),
    Field(min_length=1, json_schema_extra={"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "array"}]}),
]


class ExperimentConfig(Strict):
    """One YAML file: a base run, arms, a grid, seeds, and perhaps a claim."""

    title: str = Field(description="one line that says what is compared", examples=["Sigmoid MLP with and without BN"])
    run: RunConfig = Field(
        RunConfig(), description="the base run, which arms and grid change", examples=[{"steps": 500}]
    )
    arms: Mapping[str, Mapping[str, Any]] = Field(
        {},
        description="the variants under comparison: names, each with the fields of run that it changes, dotted; none "
        "only where a claim reads the runs of other files",
        examples=[{"no_bn": {}, "custom_bn": {"model.norm.kind": "custom"}}],
    )
    grid: Mapping[str, tuple[Any, ...]] = Field(
        {},
        description="fields of run, dotted, with the values that every arm is trained with, all combinations",
        examples=[{LEARNING_RATE: [0.1, 1.0]}],
    )
    tuning: TuningConfig | None = Field(
        None, description="pick each arm's best value of a grid axis first; {} for the preset", examples=[{}]
    )
    edges: EdgesConfig | None = Field(
        None,
        description="look between the values of tuning.over for the largest that train; takes tuning.evaluate all; {} "
        "for the preset",
        examples=[{"halvings": 3}],
    )
    seeds: Seeds = Field(
        (0,),
        description="evaluation seeds: how many, from 0 on, the first and the last, or a list; a verdict takes 10 "
        "at least",
    )
    claim: ClaimConfig | None = Field(
        None,
        description="what is put to the test",
        examples=[{"statement": "what is claimed", "source": "who claims it"}],
    )

    @property
    def reads(self) -> tuple[str, ...]:
        """The other experiments, by name, whose runs its claim reads."""
        parts = self.claim.parts if self.claim else ()
        names = [name for part in parts for name in (part.runs, part.cost.runs if part.cost else None)]
        return tuple(dict.fromkeys(name for name in names if name))


class Run(BaseModel):
    """One run and its place in its experiment."""

    model_config = ConfigDict(frozen=True)
    arm: str
    grid: Mapping[str, Any]
    config: RunConfig


class Experiment:
    """A checked experiment; `cells` maps (arm, grid values) to the resolved run with seed 0.

    name: the file's stem, and with it the name of the results folder. source: the file as it was read. origins: for
    each cell, where in the file its arm and the grid set which field of the run. measured: the parts of all claims,
    as far as they are known, that read its runs; in the beginning those of its own.
    """

    def __init__(
        self,
        name: str,
        config: ExperimentConfig,
        cells: dict[Cell, RunConfig],
        source: Source,
        origins: dict[Cell, dict[Key, Key]],
    ):
        self.name, self.config, self._cells = name, config, cells
        self.source, self._origins = source, origins
        self.measured = tuple(part for part in (config.claim.parts if config.claim else ()) if part.runs is None)

    @property
    def timed(self) -> bool:
        """Whether any of its runs are timed."""
        return any(config.timed for config in self._cells.values())

    @property
    def sources(self) -> set[str | DatasetConfig]:
        """The data sets of its runs."""
        return {config.dataset.source for config in self._cells.values()}

    def on_first_seeds(self, count: int) -> Experiment:
        """Return the same experiment with the first so many of its evaluation seeds."""
        fewer = copy.copy(self)
        fewer.config = self.config.model_copy(update={"seeds": self.config.seeds[:count]})
        return fewer

    def cells(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every arm with every combination of grid values."""
        for arm, values in self._cells:
            yield arm, dict(zip(self.config.grid, values, strict=True))

    def origins(self, arm: str, grid: Mapping[str, Any]) -> dict[Key, Key]:
        """Return where in the file the arm and the grid set which field of the run of one cell."""
        return self._origins[self._cell(arm, grid)]

    def _cell(self, arm: str, grid: Mapping[str, Any]) -> Cell:
        return arm, tuple(grid[axis] for axis in self.config.grid)

    def run(self, arm: str, grid: Mapping[str, Any], seed: int, **changes: Any) -> Run:
        """Return the run of one cell with one seed and, perhaps, other changes to its configuration.

        With edges the value of `tuning.over` may be any, as between two of the grid.
        """
        config = self._cells.get(self._cell(arm, grid)) or self._between(arm, grid)
        return Run.model_construct(arm=arm, grid=dict(grid), config=config.model_copy(update={"seed": seed, **changes}))

    def _between(self, arm: str, grid: Mapping[str, Any]) -> RunConfig:
        """The run of a cell with another value of `tuning.over` than those of the grid; KeyError where none may be."""
        if not (self.config.edges and self.config.tuning):
            raise KeyError(self._cell(arm, grid))
        over = self.config.tuning.over
        _, values = next(iter(self._cells))
        of_grid = dict(zip(self.config.grid, values, strict=True))[over]
        return _changed(self._cells[self._cell(arm, {**grid, over: of_grid})], over, grid[over])

    def trials(self, between: Iterable[float] = ()) -> set[tuple[str, str]]:
        """Return arm and trial of every cell, as it is and, as tuning runs are, not timed.

        between: values of tuning.over beside those of the grid.
        """
        cells = [*self.cells()]
        if self.config.tuning and cells:
            over, (_, first) = self.config.tuning.over, cells[0]
            others = [(arm, grid) for arm, grid in cells if grid[over] == first[over]]
            cells += [(arm, {**grid, over: float(value)}) for arm, grid in others for value in between]
        changes: tuple[dict[str, Any], ...] = ({}, {"timed": False})
        return {(arm, self.run(arm, grid, 0, **change).config.trial()) for arm, grid in cells for change in changes}

    def tuning_runs(self) -> list[Run]:
        """Return the runs from which each arm's best value is picked, by accuracy: not timed. None without tuning."""
        seeds = self.config.tuning.seeds if self.config.tuning else ()
        return [self.run(arm, grid, seed, timed=False) for seed in seeds for arm, grid in self.cells()]

    def evaluation_runs(self, best: Mapping[tuple[str, tuple[Any, ...]], Any]) -> list[Run]:
        """Return the runs that answer the question. `best`: (arm, values of tuning.per) → tuned value."""
        tuning = self.config.tuning
        return [
            self.run(arm, grid, seed)
            for seed in self.config.seeds
            for arm, grid in self.cells()
            if tuning is None
            or tuning.evaluate == "all"
            or best.get((arm, tuple(grid[axis] for axis in tuning.per))) == grid[tuning.over]
        ]


def _changed(config: Section, dotted: str, value: Any) -> Section:
    """A section of a run with one field inside it changed."""
    name, _, inner = dotted.partition(".")
    return config.model_copy(update={name: _changed(getattr(config, name), inner, value) if inner else value})


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of an experiment file, for completion and checks in editors."""
    schema = ExperimentConfig.model_json_schema()
    schema["properties"]["extends"] = {"type": "string", "description": "another experiment file to build on"}
    schema["required"] = []
    return schema
