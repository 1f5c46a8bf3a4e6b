"""What does a network consist of? The part of the experiment schema that describes networks.

Imports no TensorFlow, so that configurations can be checked without it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.fields import AtMost, BatchSize, Count, Later, Positive, Share, Strict, UsedWith, Width

MOST_LAYERS, MOST_WEIGHTS = 1000, 10**9
BATCH_NORMS = ("custom", "stock", "noisy", "detached", "mean_only", "variance_only")
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


_OF_CNN = UsedWith("kind", ("cnn",))


class ModelConfig(Strict):
    """A network of `depth` times `layers` hidden layers and a linear output layer."""

    kind: Literal["mlp", "cnn", "rnn"] = Field(
        "mlp",
        description="mlp: dense layers; cnn: convolutions, each with 2×2 pooling; rnn: simple recurrent layers "
        "that read an image row by row",
    )
    layers: tuple[Width, ...] = Field(
        (100, 100, 100),
        min_length=1,
        description="units (mlp), filters (cnn) or recurrent units (rnn) of each hidden layer; "
        "the output layer is added by itself",
    )
    dense: Annotated[tuple[Width, ...], Later(()), _OF_CNN] = Field(
        (), description="units of each dense hidden layer between the convolutions and the output"
    )
    kernel_size: Annotated[Count, AtMost(99, "images are hardly larger"), Later(3), _OF_CNN] = Field(
        3, description="height and width of each convolution's kernel"
    )
    padding: Annotated[Literal["same", "valid"], Later("same"), _OF_CNN] = Field(
        "same", description="same: convolutions leave an image its size; valid: they take kernel_size − 1 from it"
    )
    pooling: Annotated[Literal["max", "average", "none"], Later("max"), _OF_CNN] = Field(
        "max", description="what is taken of each 2×2 pixels after each convolution, until one pixel is left"
    )
    depth: Count = Field(1, description="how often the list of layers is repeated; at most 1,000 layers in all")
    activation: Literal["relu", "sigmoid", "tanh", "gelu", "leaky_relu", "elu", "selu"] = Field(
        "sigmoid",
        description="of every hidden layer; gelu: the exact one; leaky_relu: slope 0.2 below 0; selu: asks for "
        "initialization: lecun_normal (Klambauer et al. 2017)",
    )
    norm: NormConfig = Field(
        NormConfig(), description="normalization of every hidden layer", examples=[{"kind": "custom"}]
    )
    dropout: Share = Field(
        0.0, description="share of hidden outputs dropped at random after each activation, in training"
    )
    dropout_place: Annotated[
        Literal["after_activation", "before_norm", "after_last_norm"], Later("after_activation")
    ] = Field(
        "after_activation",
        description="where outputs are dropped; after_activation: at the end of each hidden layer, behind a "
        "normalization that stands there too; before_norm: right in front of each normalization, whose statistics in "
        "training then are not those of inference (Li et al. 2019); after_last_norm: at the end of the last hidden "
        "layer alone, where no normalization follows",
    )
    initialization: Literal["glorot_uniform", "he_normal", "lecun_normal", "gaussian", "orthogonal"] = Field(
        "glorot_uniform",
        description="distribution of the initial weights, whatever the activation: Glorot & Bengio 2010; He et al. "
        "2015; normal with variance 1 over the inputs (LeCun et al. 1998); normal with the deviation init_scale, "
        "whatever the layer's size; or orthogonal rows or columns, whichever are fewer, each of length init_scale "
        "(Saxe et al. 2014)",
    )
    init_scale: Positive = Field(
        1.0, description="factor on the initial weights; for gaussian their standard deviation"
    )

    residual: Annotated[bool, Later(False), UsedWith("kind", ("mlp", "cnn"))] = Field(
        False,
        description="each hidden layer but the first adds what it gives, times branch_scale, to what it takes: "
        "x + a·f(x), f from linear map to activation or normalization; all layers are of one width then",
    )
    branch_scale: Annotated[Positive | Literal["learnt"], Later(1.0)] = Field(
        1.0,
        description="factor a on the branch of each residual layer; learnt: a number of the layer that is trained, "
        "from 0 (SkipInit, De & Smith 2020)",
    )
    trainable: Annotated[Literal["all", "norm", "output", "random_subset"], Later("all")] = Field(
        "all",
        description="which weights training changes (Frankle et al. 2021); norm: what normalization learns alone, γ "
        "and β; output: the output layer alone; random_subset: as many other weights as normalization learns, drawn "
        "by the seed. The others keep their initial values, and batch normalization still normalizes by the batch",
    )

    @property
    def hidden(self) -> int:
        """How many hidden layers there are."""
        return len(self.layers) * self.depth + len(self._dense())

    def sizes_of_images(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Return height and width of what each convolution gives, from those of the examples; 0 where none is left."""
        sizes, taken = [], 0 if self.padding == "same" else self.kernel_size - 1
        for _ in range(len(self.layers) * self.depth):
            height, width = (max(n - taken, 0) for n in size)
            sizes.append((height, width))
            pooled = self.pooling != "none" and min(height, width) > 1
            size = (height // 2, width // 2) if pooled else (height, width)
        return sizes

    @model_validator(mode="after")
    def _can_be_built(self) -> ModelConfig:
        dense = self._dense()
        if (layers := self.hidden) > MOST_LAYERS:
            raise ValueError(
                f"layers, {self.depth:,} times {len(self.layers):,}{f' and {len(dense):,}' if dense else ''}, must be "
                f"at most {MOST_LAYERS:,}, got {layers:,}: each is compiled into the program"
            )
        if (weights := self._hidden_weights()) > MOST_WEIGHTS:
            raise ValueError(
                f"must have at most {MOST_WEIGHTS:,} weights between its layers, got {weights:,}: "
                "they and their gradients lie in memory; give fewer or narrower layers"
            )
        if self.dropout_place != "after_activation" and not self.dropout:
            raise ValueError(f"dropout_place: {self.dropout_place} needs a dropout above 0")
        if self.dropout_place == "before_norm" and (self.norm.kind == "none" or self.norm.recurrent):
            without = "norm.recurrent: true" if self.norm.recurrent else "norm.kind: none"
            raise ValueError(f"dropout_place: before_norm needs a normalization to stand before; {without} has none")
        if self.branch_scale != 1 and not self.residual:
            raise ValueError("branch_scale needs residual: true")
        for name, widths in (("layers", self.layers), ("dense layers", dense)) if self.residual else ():
            if other := next((n for n in widths if n != widths[0]), None):
                raise ValueError(
                    f"residual adds a layer's output to its input, so all {name} must be of one width, "
                    f"got {widths[0]} and {other}"
                )
        if self.residual and len(self.layers) * self.depth == 1 and len(dense) < 2:
            raise ValueError("residual needs a second layer, as the first, from the examples, has nothing to add to")
        if self.residual and self.padding == "valid" and self.kind == "cnn":
            raise ValueError("residual adds images of one size, and padding: valid makes them smaller; use same")
        if self.norm.kind == "instance" and (self.kind == "mlp" or dense):
            raise ValueError(
                "norm.kind: instance takes mean and variance over the positions of an image, of which "
                f"{'dense layers have' if dense else 'an mlp has'} none; use layer, or a cnn without dense"
            )
        if self.trainable in ("norm", "random_subset") and not self.norm.learns():
            raise ValueError(
                f"trainable: {self.trainable} counts what normalization learns, which is nothing with "
                + ("norm.kind: none" if self.norm.kind == "none" else "norm.scale and norm.center false")
            )
        if self.norm.recurrent and self.kind != "rnn":
            raise ValueError(f"norm.recurrent needs kind: rnn, got {self.kind}")
        uneven = [units for units in self.layers + dense if units % self.norm.groups]
        if self.norm.kind == "group" and uneven:
            raise ValueError(
                f"norm.groups ({self.norm.groups}) must divide every layer, but not {uneven[0]}; "
                "give a number that divides all of them"
            )
        return self

    def _dense(self) -> tuple[int, ...]:
        return self.dense if self.kind == "cnn" else ()

    def _hidden_weights(self) -> int:
        """Weights between hidden layers and, in an rnn, between time steps; those of input and output left out."""
        once = sum(a * b for a, b in zip(self.layers, self.layers[1:], strict=False))
        again = self.layers[-1] * self.layers[0]
        count = once * self.depth + again * (self.depth - 1)
        match self.kind:
            case "mlp":
                return count
            case "cnn":
                of_dense = sum(a * b for a, b in zip(self.dense, self.dense[1:], strict=False))
                return self.kernel_size**2 * count + of_dense
            case "rnn":
                return count + self.depth * sum(units**2 for units in self.layers)
