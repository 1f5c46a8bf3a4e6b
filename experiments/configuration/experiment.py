"""An experiment file, read and checked, and the runs it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from experiments.configuration.claim import ClaimConfig
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import Key, Source
from models.config import Strict, Whole

Cell = tuple[str, tuple[Any, ...]]  # an arm and grid values, in the order of the axes
LEARNING_RATE = "optimizer.learning_rate"  # as an axis of the grid and a column of the results table


class TuningConfig(Strict):
    """Every arm picks its own best value of one grid axis on seeds that are used for nothing else."""

    over: str = LEARNING_RATE
    per: tuple[str, ...] = Field((), description="grid axes along which the choice is made anew")
    seeds: tuple[Annotated[Whole, Field(ge=0)], ...] = (100, 101, 102)
    evaluate: Literal["best", "all"] = Field("best", description="values that the evaluation seeds train with")


def _seeds(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return tuple(range(value))
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"expected how many seeds, such as 20, or a list of them, such as [0, 1, 2], got {value!r}")
    return value


Seeds = Annotated[
    tuple[Annotated[Whole, Field(ge=0)], ...],
    BeforeValidator(_seeds),
    Field(min_length=1, json_schema_extra={"anyOf": [{"type": "integer"}, {"type": "array"}]}),
]


class ExperimentConfig(Strict):
    """One YAML file: a base run, arms, a grid, seeds, and perhaps a claim."""

    title: str
    run: RunConfig = RunConfig()
    arms: Mapping[str, Mapping[str, Any]] = Field(min_length=1, description="name: {field of run: value}")
    grid: Mapping[str, tuple[Any, ...]] = Field({}, description="field of run: values")
    tuning: TuningConfig | None = None
    seeds: Seeds = (0,)
    claim: ClaimConfig | None = None

    @property
    def is_over_all_claims(self) -> bool:
        """Whether its claim is decided from the verdicts of all others, without any run of its own."""
        return self.claim is not None and self.claim.kind == "over_all_claims"


class Run(BaseModel):
    """One run and its place in its experiment."""

    model_config = ConfigDict(frozen=True)
    arm: str
    grid: Mapping[str, Any]
    config: RunConfig


class Experiment:
    """A checked experiment; `cells` maps (arm, grid values) to the resolved run with seed 0.

    name: the file's stem, and with it the name of the results folder. source: the file as it was read. origins: for
    each cell, where in the file its arm and the grid set which field of the run.
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

    @property
    def timed(self) -> bool:
        """Whether any of its runs are timed."""
        return any(config.timed for config in self._cells.values())

    @property
    def dataset_names(self) -> set[str]:
        """The data sets of its runs."""
        return {config.dataset.name for config in self._cells.values()}

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
        """Return the run of one cell with one seed and, perhaps, other changes to its configuration."""
        config = self._cells[self._cell(arm, grid)]
        return Run.model_construct(arm=arm, grid=dict(grid), config=config.model_copy(update={"seed": seed, **changes}))

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


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of an experiment file, for completion and checks in editors."""
    schema = ExperimentConfig.model_json_schema()
    schema["properties"]["extends"] = {"type": "string", "description": "another experiment file to build on"}
    schema["required"] = []
    return schema
