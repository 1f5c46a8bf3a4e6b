"""By which rule, and at which rates, do the weights change? The `optimizer` section of a run."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.fields import FLOAT32, Later, Natural, NotNegative, Positive, Share, Strict, UsedWith
from models.norm_config import BATCH_NORMS


class ScheduleConfig(Strict):
    """How the learning rate changes over a run, in steps after the warm-up."""

    kind: Literal["constant", "cosine", "step", "exponential"] = Field(
        "constant",
        description="cosine: down to 0 at the end of the run along half a cosine (Loshchilov & Hutter 2017); step: "
        "times factor at each of the milestones; exponential: evenly, by the factor over the whole run",
    )
    factor: Annotated[Positive, UsedWith("kind", ("step", "exponential"))] = Field(
        0.1, description="on the learning rate; above 1 it grows, as in Li & Arora 2020"
    )
    milestones: Annotated[tuple[Share, ...], UsedWith("kind", ("step",))] = Field(
        (0.5, 0.75), min_length=1, description="shares of the run after which the rate changes"
    )
    warmup_steps: Natural = Field(
        0,
        description="steps over which the rate rises evenly from 0 to learning_rate, before anything else begins "
        "(Goyal et al. 2017)",
    )


_SGD, _ADAM = UsedWith("kind", ("sgd", "sgdw")), UsedWith("kind", ("adam", "adamw"))
DECOUPLED = ("sgdw", "adamw")


class OptimizerConfig(Strict):
    """The update rule and its learning rate."""

    kind: Literal["sgd", "sgdw", "adam", "adamw"] = Field(
        "sgd",
        description="sgd: gradient descent, with momentum perhaps; adam: Adam; sgdw and adamw: the same with decoupled "
        "weight decay (Loshchilov & Hutter 2019)",
    )
    learning_rate: Positive = Field(0.1, description="factor on each update")
    momentum: Annotated[Share, _SGD] = Field(0.0, description="share of the last update that is added to the next")
    nesterov: Annotated[bool, _SGD, UsedWith("momentum"), Later(False)] = Field(
        False,
        description="Nesterov's momentum: each step is taken from where the momentum leads, as in Keras",
    )
    weight_decay: NotNegative = Field(
        0.0,
        description="over kernels alone (no bias, γ or β); sgd and adam: λ of λ/2·‖w‖² in the loss: λ·w is added to "
        "their gradient before momentum or Adam see it (van Laarhoven 2017); the losses that are written leave it out; "
        "sgdw and adamw: λ times the learning rate, the share of them that each step takes away beside its update, as "
        "in Keras",
    )
    weight_decay_over: Annotated[
        Literal["kernels", "scale_invariant"],
        UsedWith("weight_decay"),
        UsedWith("run.model.norm.kind", BATCH_NORMS),
        UsedWith("run.model.norm.placement", ("before",)),
        Later("kernels"),
    ] = Field(
        "kernels",
        description="kernels: all of them; scale_invariant: those alone whose output goes straight into a batch "
        "normalization, so that their scale is of no consequence",
    )
    keep_norms: Annotated[
        bool,
        UsedWith("run.model.norm.kind", BATCH_NORMS),
        UsedWith("run.model.norm.placement", ("before",)),
        Later(False),
    ] = Field(
        False,
        description="after each step bring the weights of every unit or filter whose output goes straight into a batch "
        "normalization back to the norm they began with (after Hoffer et al. 2018), so that weight decay cannot act "
        "through it",
    )
    beta_1: Annotated[Share, _ADAM] = Field(0.9, description="share of the mean gradient that is kept at each step")
    beta_2: Annotated[Share, _ADAM] = Field(
        0.999, description="share of the mean squared gradient that is kept at each step"
    )
    schedule: Annotated[ScheduleConfig, Later(ScheduleConfig())] = Field(
        ScheduleConfig(),
        description="how the learning rate changes over the run; probes that take a step take it at the rate of the "
        "last one",
        examples=[{"kind": "cosine", "warmup_steps": 100}],
    )

    @model_validator(mode="after")
    def _rates_in_32_bits(self) -> OptimizerConfig:
        changes = {"step": len(self.schedule.milestones), "exponential": 1}.get(self.schedule.kind, 0)
        log_rate = math.log10(self.learning_rate) + changes * math.log10(self.schedule.factor)
        if log_rate > math.log10(FLOAT32[1]):
            raise ValueError(
                f"schedule: must keep the learning rate at most {FLOAT32[1]:g}, but it comes to 1e{log_rate:+.0f}: "
                "networks compute in 32-bit numbers; give a smaller factor"
            )
        return self
