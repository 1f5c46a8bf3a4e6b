"""Which normalization does a network have? The section `norm` of a model.

Imports no TensorFlow, so that configurations can be checked without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.fields import BatchSize, Count, Later, Positive, Share, Strict, UsedWith, Width

BATCH_NORMS = ("custom", "stock", "noisy", "detached", "mean_only", "variance_only")
_OF_KERAS = "TensorFlow's moments, which Keras takes, leave out how the variance changes with the mean"
NOT_TWICE = {  # kinds whose second derivatives are not those of the function, and why
    **dict.fromkeys(("stock", "layer", "group", "instance"), _OF_KERAS),
    "detached": "its gradient takes the statistics for constants",
}
_WITH_SHIFT = (*BATCH_NORMS, "layer", "group", "instance", "dyt")
_ANY_NORM = UsedWith("kind", (*_WITH_SHIFT, "rms"))
_SHIFTED = UsedWith("kind", _WITH_SHIFT)
_DIVIDING = UsedWith("kind", tuple(kind for kind in _ANY_NORM.values if kind not in ("mean_only", "dyt")))


class NormConfig(Strict):
    """Which normalization, where, and its constants."""

    kind: Literal[
        "none",
        "custom",
        "stock",
        "noisy",
        "detached",
        "mean_only",
        "variance_only",
        "layer",
        "group",
        "instance",
        "rms",
        "dyt",
    ] = Field(
        "none",
        description="custom: this project's batch normalization; stock: Keras's; noisy: custom with noise after it, "
        "whose mean and deviation are drawn anew for each unit at every step; detached: custom whose gradient takes "
        "mean and variance for constants (Ioffe & Szegedy 2015, §2), with a bias before it; mean_only: x − μ "
        "(Salimans & Kingma 2016); variance_only: x / √(σ² + ε); layer, group, instance and rms: Keras's "
        "normalizations of those names, rms (Zhang & Sennrich 2019) with γ and no β; dyt: dynamic tanh, "
        "γ tanh(αx) + β with α from 0.5 (Zhu et al. 2025)",
    )
    placement: Annotated[Literal["before", "after"], _ANY_NORM] = Field(
        "before", description="before or after the activation"
    )
    on_input: Annotated[bool, _ANY_NORM] = Field(False, description="normalize the network's input too")
    momentum: Annotated[Share | None, UsedWith("kind", BATCH_NORMS)] = Field(
        0.99,
        description="share of the moving mean and variance that is kept at each step; null: their mean over all steps "
        "so far, not with kind stock",
    )
    debiased: Annotated[bool, Later(False), UsedWith("kind", BATCH_NORMS)] = Field(
        False,
        description="correct the moving mean and variance for what they start from, as Adam does its averages: "
        "divide by 1 − momentumᵗ at step t; not with kind stock",
    )
    epsilon: Annotated[Positive, _DIVIDING] = Field(
        1e-3, description="added to the variance before its square root is taken"
    )
    center: Annotated[bool, _SHIFTED] = Field(True, description="add a learnt shift β to each unit or channel")
    scale: Annotated[bool, _SHIFTED] = Field(True, description="multiply each unit or channel by a learnt scale γ")
    noise: Annotated[Positive, UsedWith("kind", ("noisy",))] = Field(
        1.0, description="factor on the mean and the deviation of the noise"
    )
    initial_scale: Annotated[Positive, _SHIFTED] = Field(1.0, description="what γ starts from")
    recurrent: Annotated[bool, UsedWith("kind", ("custom",))] = Field(
        False,
        description="in an rnn, normalize what comes from the last time step, too, and every time step by statistics "
        "of its own (Cooijmans et al. 2016); otherwise the inputs alone, over all time steps (Laurent et al. 2016)",
    )
    renorm: bool = Field(
        False,
        description="batch renormalization (Ioffe 2017); with kind custom or stock only, without virtual_batch_size",
    )
    renorm_relaxed_by: Count | None = Field(
        None,
        description="steps over which renorm takes the place of plain batch normalization, with kind custom only; "
        "null: no limits",
    )
    virtual_batch_size: BatchSize | None = Field(
        None,
        description="ghost batches (Hoffer et al. 2017): so many examples are normalized by their own statistics; "
        "with kind custom only, and at most batch_size",
    )
    groups: Annotated[Width, UsedWith("kind", ("group",))] = Field(
        10, description="groups that the units or channels of every layer are divided into; divides each of the layers"
    )

    @model_validator(mode="after")
    def _fits_the_kind(self) -> NormConfig:
        if self.renorm and self.kind not in ("custom", "stock"):
            raise ValueError("renorm needs kind: custom or stock")
        if self.kind != "custom" and (self.renorm_relaxed_by or self.virtual_batch_size):
            raise ValueError("renorm_relaxed_by and virtual_batch_size need kind: custom")
        if self.kind == "stock" and (self.debiased or self.momentum is None):
            raise ValueError("debiased and momentum: null need a kind that is not stock, such as custom")
        if self.debiased and self.momentum is None:
            raise ValueError("debiased excludes momentum: null, the mean over all steps, which has no bias; keep one")
        if self.renorm_relaxed_by and not self.renorm:
            raise ValueError("renorm_relaxed_by needs renorm: true")
        if self.recurrent and self.placement == "after":
            raise ValueError("recurrent stands before the activation; leave placement out")
        if self.renorm and self.virtual_batch_size:
            raise ValueError("renorm and virtual_batch_size exclude each other; keep one")
        return self

    def learns(self) -> bool:
        """Tell whether there is anything in it to train."""
        return self.kind in ("rms", "dyt") or (self.kind != "none" and (self.scale or self.center or self.recurrent))
