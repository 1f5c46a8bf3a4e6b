"""What exactly is to be trained, and what is claimed of it?

The schema of an experiment file. Everything is frozen, unknown fields are refused and every default is resolved, so
that a run's configuration says all there is to know about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.config import Count, ModelConfig, Number, Positive, Share, Strict, Whole

Probe = Literal[
    "pre_activations",
    "unit_percentiles",
    "gradients",
    "saturation",
    "standardization",
    "covariate_shift",
    "landscape",
    "affine_identity",
    "weight_scale",
    "step_loss",
    "training_loss",
    "corruptions",
    "recomputed_statistics",
]
MeasureName = Literal[
    "steps_to_target",
    "seconds_to_target",
    "seconds_per_step",
    "final_value",
    "best_value",
    "worst_value",
    "mean_value",
    "value_at_step",
    "first_values",
    "drift",
    "gradient_ratio",
    "gap_at_training_loss",
    "accuracy_drop",
]
LEARNING_RATE = "optimizer.learning_rate"  # as an axis of the grid and a column of the results table
TIMED_MEASURES: tuple[MeasureName, ...] = ("seconds_to_target", "seconds_per_step")  # nan in a run that was not timed


class DatasetConfig(Strict):
    """Which examples, how they are scaled and how many make a batch."""

    name: str = Field("digits", description="digits, wine, breast_cancer (scikit-learn), else a TFDS name")
    batch_size: Count = 60
    standardize: bool = Field(False, description="every feature to mean 0, deviation 1 on the training split")
    binarize: bool = Field(False, description="pixels to 0 or 1 at half of their range")
    train_examples: Count | None = Field(None, description="train on the first so many of the shuffled split")

    @model_validator(mode="after")
    def _one_scaling(self) -> DatasetConfig:
        if self.standardize and self.binarize:
            raise ValueError("standardize and binarize exclude each other; keep one")
        return self


class OptimizerConfig(Strict):
    """The update rule and its learning rate."""

    kind: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive = 0.1
    momentum: Share = Field(0.0, description="sgd only")
    beta_1: Share = 0.9
    beta_2: Share = 0.999


class RunConfig(Strict):
    """One training of one network with one seed and one learning rate, nothing left to default."""

    dataset: DatasetConfig = DatasetConfig()
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    steps: Annotated[Whole, Field(ge=0)] = 1000
    evaluate_every: Count = 50
    test_every_evaluation: bool = Field(False, description="test curves; otherwise the test split is read once")
    probes: tuple[Probe, ...] = ()
    probe_examples: Count = Field(256, description="size of the fixed batch that probes look at")
    xla: Literal["auto"] | bool = Field("auto", description="auto: by the network's kind, as measured")
    timed: bool = Field(False, description="trained alone, arms in turn, and its steps timed apart from evaluation")
    seed: Annotated[Whole, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _whole_evaluations(self) -> RunConfig:
        if self.steps % self.evaluate_every:
            raise ValueError(f"steps ({self.steps}) must be a multiple of evaluate_every ({self.evaluate_every})")
        return self

    def digest(self) -> str:
        """Return the identity of the run: equal exactly where every setting is equal."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def trial(self) -> str:
        """Return the identity of all runs that differ in their seed alone."""
        return self.model_copy(update={"seed": 0}).digest()

    def program_key(self) -> str:
        """Return what decides the compiled computation; runs with equal keys share a program.

        Left out is all that is a value to the program: seed, learning rate, initial weights, which examples, how long.
        Runs of no steps are apart: they need no training to be compiled.
        """
        values = {
            "seed": 0,
            "steps": min(self.steps, 1),
            "dataset": self.dataset.model_copy(update={"standardize": False, "train_examples": None}),
            "model": self.model.model_copy(update={"initialization": "glorot_uniform", "init_scale": 1.0}),
            "optimizer": self.optimizer.model_copy(update={"learning_rate": 1.0}),
        }
        return json.dumps(self.model_copy(update=values).model_dump(mode="json"), sort_keys=True)


class Margin(Strict):
    """The bound that decides; exactly one of the forms."""

    at_least: Number | None = None
    at_most: Number | None = None
    above: Number | None = None
    below: Number | None = None
    within: tuple[Number, Number] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Margin:
        given = [name for name in Margin.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(Margin.model_fields)}, found {len(given)}")
        if self.within and not self.within[0] < self.within[1]:
            raise ValueError("within: the lower bound comes first")
        return self


class PartConfig(Strict):
    """One comparison: a measure, the arms, how they are set against each other, and the margin."""

    name: str = ""
    measure: MeasureName
    metric: str | None = Field(None, description="the curve measured; without it the measure's own")
    step: Annotated[Whole, Field(ge=0)] | None = Field(None, description="value_at_step, gradient_ratio")
    unit: Literal["", "steps", "seconds", "points", "loss"] = Field("", description="points: values are times 100")
    effect: Literal["ratio", "difference", "level", "largest_difference"] = Field(
        description="ratio: baseline/treatment or treatment/baseline, see `over`; level: the treatment alone"
    )
    over: Literal["baseline", "treatment"] = Field("baseline", description="denominator or subtrahend")
    baseline: str | Mapping[str, Number] | None = Field(None, description="an arm, or arms with weights")
    treatment: str | Mapping[str, Number]
    rate: Literal["tuned", "every", "smallest_progressing"] = Field("tuned", description="which learning rates")
    per_seed: Literal["value", "median", "largest_stable_rate", "share_reaching", "rank_correlation", "slope"] = Field(
        "value", description="how the values of one seed over the grid become one number"
    )
    axis: str | None = Field(None, description="grid axis of rank_correlation, slope, largest_stable_rate")
    tolerance: Share = Field(
        0.05,
        description="how far under the arm's best accuracy still counts: in accuracy for largest_stable_rate, "
        "as a share of the best for share_reaching",
    )
    target: Number | None = Field(None, description="accuracy to reach, instead of the claim's")
    margin: Margin
    decides: bool = Field(True, description="false: shown beside the verdict, without a part in it")
    says_bn_helps: bool = Field(True, description="false for a premise of the claim, as for the claim as a whole")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> PartConfig:
        if self.measure in ("value_at_step", "gradient_ratio") and self.step is None:
            raise ValueError(f"{self.measure} needs a step")
        if self.measure in ("value_at_step", "worst_value", "mean_value") and not self.metric:
            raise ValueError(f"{self.measure} needs a metric, such as loss/validation")
        if self.per_seed in ("rank_correlation", "slope") and self.axis is None:
            raise ValueError(f"per_seed: {self.per_seed} needs an axis")
        if (self.measure == "first_values") != (self.effect == "largest_difference"):
            raise ValueError("first_values and effect: largest_difference need each other")
        return self


class ClaimConfig(Strict):
    """A statement, its source and what decides it."""

    statement: str
    source: str
    kind: Literal["statistical", "exact", "over_all_claims"] = "statistical"
    literature: str = ""
    scale: str = Field("", description="what differs from the source, for the report")
    target: Number | None = Field(None, description="accuracy to reach, from tuning seeds")
    training_loss: Number | None = Field(None, description="level at which gaps are matched, from tuning seeds")
    parts: tuple[PartConfig, ...] = ()
    separate_verdicts: bool = Field(False, description="each part has a verdict of its own")
    says_bn_helps: bool = Field(
        True, description="false for limits, costs and identities: when refuted, they do not show that it fails to help"
    )


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

    name: the file's stem, and with it the name of the results folder.
    """

    def __init__(self, name: str, config: ExperimentConfig, cells: dict[tuple[str, tuple[Any, ...]], RunConfig]):
        self.name, self.config, self._cells = name, config, cells

    @property
    def timed(self) -> bool:
        """Whether any of its runs are timed."""
        return any(config.timed for config in self._cells.values())

    def cells(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every arm with every combination of grid values."""
        for arm, values in self._cells:
            yield arm, dict(zip(self.config.grid, values, strict=True))

    def run(self, arm: str, grid: Mapping[str, Any], seed: int, **changes: Any) -> Run:
        """Return the run of one cell with one seed and, perhaps, other changes to its configuration."""
        config = self._cells[arm, tuple(grid[axis] for axis in self.config.grid)]
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
