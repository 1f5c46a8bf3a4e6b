"""What is claimed of an experiment, and what decides it? The `claim` section of an experiment file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from models.config import Natural, Number, Share, Strict

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
TIMED_MEASURES: tuple[MeasureName, ...] = ("seconds_to_target", "seconds_per_step")  # nan in a run that was not timed


class Margin(Strict):
    """The bound that decides; exactly one of the forms."""

    at_least: Number | None = Field(None, description="the effect is this or more")
    at_most: Number | None = Field(None, description="the effect is this or less")
    above: Number | None = Field(None, description="the effect is more than this")
    below: Number | None = Field(None, description="the effect is less than this")
    within: tuple[Number, Number] | None = Field(None, description="the effect lies between these two")

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

    name: str = Field("", description="what tables call the comparison; empty: the measure")
    measure: MeasureName = Field(description="the number taken from each run; see Adding a claim")
    metric: str | None = Field(
        None, description="the curve measured, such as accuracy/validation; null: the measure's own, where it has one"
    )
    step: Natural | None = Field(
        None, description="step at which the measure looks; needed by value_at_step and gradient_ratio"
    )
    unit: Literal["", "steps", "seconds", "points", "loss"] = Field(
        "", description="of the effect; points: values are times 100"
    )
    effect: Literal["ratio", "difference", "level", "largest_difference"] = Field(
        description="ratio: baseline/treatment or treatment/baseline, see over; difference: likewise; level: the "
        "treatment alone; largest_difference: relative, step by step, of first_values"
    )
    over: Literal["baseline", "treatment"] = Field(
        "baseline", description="the side that is the denominator of a ratio, or is subtracted in a difference"
    )
    baseline: str | Mapping[str, Number] | None = Field(None, description="an arm, or arms with weights")
    treatment: str | Mapping[str, Number] = Field(description="an arm, or arms with weights")
    rate: Literal["tuned", "every", "smallest_progressing"] = Field(
        "tuned",
        description="which learning rates are compared: each arm's best, all, or the smallest at which every tuning "
        "run reaches the target; the last two take tuning.evaluate all where there is tuning",
    )
    per_seed: Literal["value", "median", "largest_stable_rate", "share_reaching", "rank_correlation", "slope"] = Field(
        "value", description="how the values of one seed over the grid become one number"
    )
    axis: str | None = Field(None, description="grid axis of rank_correlation, slope, largest_stable_rate")
    tolerance: Share = Field(
        0.05,
        description="how far under the arm's best accuracy still counts: in accuracy for largest_stable_rate, "
        "as a share of the best for share_reaching",
    )
    target: Number | None = Field(
        None, description="accuracy to reach, from 0 to 1, or training loss of a gap, instead of the claim's"
    )
    margin: Margin = Field(description="the bound that decides", examples=[{"at_least": 2}])
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

    statement: str = Field(description="the claim in one sentence")
    source: str = Field(description="who says so, and where")
    kind: Literal["statistical", "exact", "over_all_claims"] = Field(
        "statistical",
        description="statistical: the interval over seeds is set against the margin; exact: every seed keeps the "
        "bound; over_all_claims: decided from the verdicts of all other claims, without runs of its own",
    )
    literature: str = Field("", description="what others found, if anybody measured it")
    scale: str = Field("", description="what differs from the source, for the report")
    target: Number | None = Field(None, description="accuracy to reach, from 0 to 1, frozen from tuning seeds")
    training_loss: Number | None = Field(
        None, description="training loss at which gaps are matched, frozen from tuning seeds"
    )
    parts: tuple[PartConfig, ...] = Field((), description="the comparisons; all that decide have to hold")
    separate_verdicts: bool = Field(False, description="each part has a verdict of its own")
    says_bn_helps: bool = Field(
        True, description="false for limits, costs and identities: when refuted, they do not show that it fails to help"
    )
