"""What is claimed, of which runs, and what decides it? The `claim` section of an experiment file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from models.fields import AtMost, Count, Natural, Number, Positive, Strict

MeasureName = Literal[
    "steps_to_level",
    "late_value",
    "final_value",
    "value_at_step",
    "mean_value",
    "worst_value",
    "largest_fall",
    "drift",
    "gap_at_training_loss",
    "gradient_ratio",
    "largest_rate",
    "seconds_per_step",
]
AT_A_LEVEL: tuple[MeasureName, ...] = ("steps_to_level",)  # of accuracy
TIMED_MEASURES: tuple[MeasureName, ...] = ("seconds_per_step",)  # nan in a run that was not timed
NO_METRIC: tuple[MeasureName, ...] = (
    "drift",
    "gap_at_training_loss",
    "gradient_ratio",
    "largest_rate",
    "seconds_per_step",
)
NEEDS_METRIC: tuple[MeasureName, ...] = ("value_at_step", "mean_value", "worst_value", "largest_fall")
RATIO = 1.25  # either way is no material difference
MATCHABLE: tuple[MeasureName, ...] = ("late_value", "mean_value", "drift")


class Bound(Strict):
    """What every seed of an identity keeps; exactly one of the two."""

    at_least: Number | None = Field(None, description="the value is this or more")
    at_most: Number | None = Field(None, description="the value is this or less")

    @model_validator(mode="after")
    def _one_form(self) -> Bound:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least, at_most")
        return self

    def kept_by(self, value: float) -> bool:
        """Whether a value keeps the bound; nan does not."""
        return value >= self.at_least if self.at_least is not None else value <= (self.at_most or 0.0)


class Cost(Strict):
    """By what a saving in steps is divided: how many times as long a step of the treatment takes."""

    runs: str = Field(description="the experiment with timed runs, as in runs of a part")
    baseline: str = Field(description="timed arm of the same network as the baseline")
    treatment: str = Field(description="timed arm of the same network as the treatment")


class PartConfig(Strict):
    """One comparison: whose runs, which measure, which arms, and how they are set against each other.

    It becomes one row of the results, or one for each value of `each` and each level.
    """

    name: str = Field("", description="what tables call the comparison; empty: the measure")
    runs: str | None = Field(
        None,
        description="name of the experiment whose runs are compared, a file beside this one or in its folder shared; "
        "null: this file's own",
    )
    where: Mapping[str, str | Number] = Field(
        {}, description="declared moderators and their values here", examples=[{"net": "relu"}]
    )
    role: Literal["decides", "premise", "beside"] = Field(
        "decides",
        description="premise: where it is not supported, rows of equal moderators are not tested; beside: shown, "
        "without a part in the verdict",
    )
    measure: MeasureName = Field(description="the number taken from each run; see Adding a claim")
    metric: str | None = Field(
        None, description="the curve measured, such as accuracy/validation; null: the measure's own, where it has one"
    )
    step: Natural | None = Field(None, description="where value_at_step and gradient_ratio look")
    budget: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="the share of a run's steps that late_value and steps_to_level look at, from the first on"
    )
    level: Literal["common", "ladder", "half_way"] | Number | None = Field(
        None,
        description="accuracy, from 0 to 1, that steps are counted to; common: what both arms come to at the rate, "
        "less half a point; ladder: five levels below the lower of the arms' best; half_way: from chance to the best",
    )
    in_a_row: Literal[1, 2] = Field(
        2, description="of steps_to_level: evaluations in a row that have to be at the level; one may be luck"
    )
    matched: bool = Field(
        False, description="look no further than where training loss falls to what both arms come to at the rate"
    )
    unit: Literal["", "steps", "seconds", "points", "loss"] = Field(
        "", description="of the effect; points: values are times 100"
    )
    effect: Literal["ratio", "difference", "level", "recovered", "largest_difference"] = Field(
        description="ratio: baseline/treatment or treatment/baseline, see over; difference: likewise; level: the "
        "treatment alone; recovered: the share of the way from baseline to whole that the treatment goes; "
        "largest_difference: of late_value, the largest distance between the two arms' curves at any evaluation, as a "
        "share of the baseline's value"
    )
    over: Literal["baseline", "treatment"] = Field(
        "baseline", description="the side that is the denominator of a ratio, or is subtracted in a difference"
    )
    baseline: str | None = Field(None, description="an arm")
    treatment: str = Field(description="an arm")
    whole: str | None = Field(None, description="the arm that lacks nothing, for recovered")
    each: tuple[str, ...] = Field(
        (), description="grid axes each value of which is a row; of the tuned axis, each at which both arms train"
    )
    tuned_for: Literal["accuracy", "measure"] = Field(
        "accuracy", description="by what an arm's best value of the tuned axis is picked, on tuning seeds"
    )
    rate_of: str | None = Field(
        None, description="an arm at whose best value of the tuned axis all are compared; null: each at its own best"
    )
    per_seed: Literal["value", "worst", "share_training", "growth", "slope"] = Field(
        "value",
        description="how the values of one seed along axis become one: the smallest; the share past half way from "
        "chance to the best (without an axis: 1 or 0); the factor per unit of the axis; the median slope of the "
        "logarithm per doubling (Theil–Sen)",
    )
    axis: str | None = Field(None, description="the grid axis that per_seed runs along")
    expect: Literal["more", "not_less"] = Field(
        "more",
        description="more: an effect above the band supports the claim; not_less: one above its lower end, as where "
        "something is said to be no worse",
    )
    band: Positive | None = Field(
        None,
        description="the band of no material difference: a ratio's factor either way, else the distance from 0; "
        "null: 1.25 for ratios, the claim's points for points",
    )
    limit: Number | None = Field(
        None,
        description="of a difference, what the measure cannot go beyond in the direction claimed, such as 0 of a share "
        "that is to fall: where the baseline lies within the band of it, nothing could be seen, and nothing is tested",
    )
    source_value: Number | None = Field(None, description="the source's own number for this effect, if it has one")
    bound: Bound | None = Field(None, description="of an exact claim: what every seed keeps")
    cost: Cost | None = Field(None, description="divide the ratio by what a step costs")
    says_bn_helps: bool = Field(True, description="as for the claim as a whole")

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> PartConfig:
        if isinstance(self.level, float) and not 0 < self.level <= 1:
            raise ValueError(f"level: must be above 0 and at most 1, as an accuracy, got {self.level:g}")
        if self.measure == "largest_rate" and self.metric not in (None, "trains", "finite"):
            raise ValueError(f"metric: of largest_rate must be trains or finite, got {self.metric!r}")
        if self.baseline == self.treatment:
            raise ValueError(f"baseline and treatment are one arm, {self.treatment!r}; compare two")
        if self.cost and (self.effect, self.over) != ("ratio", "treatment"):
            raise ValueError("cost divides a ratio of baseline to treatment; set effect: ratio and over: treatment")
        if self.measure in ("value_at_step", "gradient_ratio") and self.step is None:
            raise ValueError(f"{self.measure} needs a step")
        if self.measure in NEEDS_METRIC and not self.metric:
            raise ValueError(f"{self.measure} needs a metric, such as loss/validation")
        if (self.measure in AT_A_LEVEL) != (self.level is not None):
            raise ValueError("steps_to_level and level need each other")
        if self.axis is None and self.per_seed not in ("value", "share_training"):
            raise ValueError(f"per_seed {self.per_seed} needs an axis")
        if self.axis is not None and self.per_seed == "value":
            raise ValueError("axis needs per_seed, which says how the values along it become one")
        if self.limit is not None and self.effect != "difference":
            raise ValueError(f"limit is of a difference, not of effect: {self.effect}")
        if (self.effect == "recovered") != (self.whole is not None):
            raise ValueError("effect: recovered and whole need each other")
        if self.effect == "largest_difference" and (self.measure != "late_value" or self.axis is not None):
            raise ValueError("effect: largest_difference is between curves: give measure: late_value, and no axis")
        if self.effect != "level" and self.baseline is None:
            raise ValueError(f"effect: {self.effect} needs a baseline arm")
        alone = self.effect in ("level", "largest_difference")
        if alone and not (self.bound or self.band) and self.role != "beside":
            raise ValueError(
                f"effect: {self.effect} has nothing to be compared with; give a bound, a band around 0, or role: beside"
            )
        is_in_points = self.effect == "difference" and self.unit == "points"
        if self.effect in ("difference", "recovered") and not is_in_points and self.band is None:
            raise ValueError("give a band: which differences are not material?")
        if self.effect == "ratio" and self.band is not None and self.band <= 1:
            raise ValueError(f"band: must be above 1 for a ratio, got {self.band:g}")
        return self


LEVEL = "level"  # the choice that a ladder is by itself
RUNGS = ("highest", "2nd", "3rd", "4th", "5th")
Options = Mapping[str, Mapping[str, Any]]  # option → its settings


class SpecificationsConfig(Strict):
    """Which settings would have been as good, for the multiverse: all combinations of the choices are specifications.

    The first option of a choice is the claim's own, unless `preferred` names another.
    """

    part: PartConfig = Field(description="the comparison, as it is read where no option says otherwise")
    choices: Mapping[str, Options] = Field(
        description="choices, their options, and what each sets: fields of part as part.budget, all others of the "
        "experiment file that is read, dotted from its top, as for --set; those take trainings of their own",
        examples=[{"budget": {"T": {}, "T/2": {"part.budget": 0.5}}}],
    )
    preferred: Mapping[str, str] = Field(
        {}, description="the claim's own option of choices whose first it is not; of the ladder's: level"
    )
    left_out: tuple[Mapping[str, str], ...] = Field(
        (), description="combinations that say nothing new: a specification that has all options of one is left out"
    )
    seeds: Annotated[Count, AtMost(12, "all flips of their signs are counted")] = Field(
        5, description="evaluation seeds of a specification: so many of the experiment's first"
    )
    tuning_seeds: Count = Field(2, description="tuning seeds, likewise")

    @property
    def names(self) -> list[str]:
        """The names of the choices, with that of the ladder's levels."""
        return [*self.choices, *([LEVEL] if self.on_ladder else [])]

    @property
    def on_ladder(self) -> bool:
        """Whether each level of a ladder is a specification of its own."""
        return self.part.level == "ladder"


class ClaimConfig(Strict):
    """A statement, its source and what decides it."""

    statement: str = Field(description="the claim in one sentence")
    source: str = Field(description="who says so, and where")
    kind: Literal["statistical", "exact", "over_all_claims"] = Field(
        "statistical",
        description="statistical: the seeds' effects are set against the band; exact: every seed keeps the bound; "
        "over_all_claims: decided from the rows of all other claims, without runs of its own",
    )
    source_says: str = Field("", description="what the source or others found, if anybody measured it")
    scale: str = Field("", description="what differs from the source, for the report")
    chance: Number = Field(0.1, description="accuracy of guessing, from 0 to 1")
    points: Positive = Field(0.5, description="differences of accuracy, in points, that are not material: 1 on digits")
    parts: tuple[PartConfig, ...] = Field((), description="the comparisons")
    specifications: SpecificationsConfig | None = Field(
        None,
        description="other settings that would have been as good, for scripts/multiverse.py",
        examples=[{"part": {"measure": "late_value"}, "choices": {"budget": {"T": {}, "T/2": {"part.budget": 0.5}}}}],
    )
    says_bn_helps: bool = Field(
        True,
        description="whether it says that an outcome of training (steps, accuracy, loss) is better with batch "
        "normalization; a claim of anything else does not show that it is no help where it fails",
    )

    def band_of(self, part: PartConfig) -> float:
        """Return a part's band of no material difference (rule 7): a factor for a ratio, else a distance from 0."""
        if part.band is not None:
            return part.band
        return RATIO if part.effect == "ratio" else self.points
