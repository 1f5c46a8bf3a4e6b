"""What does a network consist of? The part of the experiment schema that describes networks.

Imports no TensorFlow, so that configurations can be checked without it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_serializer, model_validator

from models.fields import AtMost, Count, Later, Positive, Share, Strict, UsedWith, Width
from models.norm_config import BATCH_NORMS, NormConfig

MOST_LAYERS, MOST_WEIGHTS = 1000, 10**9
_OF_CNN = UsedWith("kind", ("cnn",))
_BUILT_HERE = UsedWith("kind", ("mlp", "cnn", "rnn"))
_OWN_NETWORK = re.compile(r"(.*/)?([^\W\d]\w*(\.[^\W\d]\w*)*):[^\W\d]\w*")


class ModelConfig(Strict):
    """A network of `depth` times `layers` hidden layers and a linear output layer."""

    kind: Literal["mlp", "cnn", "rnn", "keras"] = Field(
        "mlp",
        description="mlp: dense layers; cnn: convolutions, each with 2×2 pooling; rnn: simple recurrent layers "
        "that read an image row by row; keras: a network of your own, see build",
    )
    build: Annotated[str | None, Later(None), UsedWith("kind", ("keras",))] = Field(
        None,
        description="of kind keras, module:function, found beside the file that names it or in the current directory; "
        "the function is given the input shape, the number of classes and a callable that makes the normalization "
        "layers, and returns a Keras model with logits out",
        examples=["my_networks:build_model"],
    )
    sha256: Annotated[str | None, Later(None), UsedWith("kind", ("keras",))] = Field(
        None,
        description="of the module's file, found by itself and part of a run's identity; where it is given, another "
        "file is refused",
    )
    layers: Annotated[tuple[Width, ...], _BUILT_HERE] = Field(
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
    depth: Annotated[Count, _BUILT_HERE] = Field(
        1, description="how often the list of layers is repeated; at most 1,000 layers in all"
    )
    activation: Annotated[
        Literal["relu", "sigmoid", "tanh", "gelu", "leaky_relu", "elu", "selu", "linear"], _BUILT_HERE
    ] = Field(
        "sigmoid",
        description="of every hidden layer; gelu: the exact one; leaky_relu: slope 0.2 below 0; selu: asks for "
        "initialization: lecun_normal (Klambauer et al. 2017); linear: none",
    )
    norm: NormConfig = Field(
        NormConfig(), description="normalization of every hidden layer", examples=[{"kind": "custom"}]
    )
    dropout: Annotated[Share, _BUILT_HERE] = Field(
        0.0, description="share of hidden outputs dropped at random after each activation, in training"
    )
    dropout_place: Annotated[
        Literal["after_activation", "before_norm", "after_last_norm"], Later("after_activation"), _BUILT_HERE
    ] = Field(
        "after_activation",
        description="where outputs are dropped; after_activation: at the end of each hidden layer, behind a "
        "normalization that stands there too; before_norm: right in front of each normalization, whose statistics in "
        "training then are not those of inference (Li et al. 2019); after_last_norm: at the end of the last hidden "
        "layer alone, where no normalization follows",
    )
    initialization: Annotated[
        Literal["glorot_uniform", "he_normal", "lecun_normal", "gaussian", "orthogonal"], _BUILT_HERE
    ] = Field(
        "glorot_uniform",
        description="distribution of the initial weights, whatever the activation: Glorot & Bengio 2010; He et al. "
        "2015; normal with variance 1 over the inputs (LeCun et al. 1998); normal with the deviation init_scale, "
        "whatever the layer's size; or orthogonal rows or columns, whichever are fewer, each of length init_scale "
        "(Saxe et al. 2014)",
    )
    init_scale: Annotated[Positive, _BUILT_HERE] = Field(
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
        "from 0 (SkipInit; De & Smith 2020)",
    )
    trainable: Annotated[
        Literal["all", "norm", "output", "random_subset", "scale_invariant"], Later("all"), _BUILT_HERE
    ] = Field(
        "all",
        description="which weights training changes (Frankle et al. 2021); norm: what normalization learns alone, γ "
        "and β; output: the output layer alone; random_subset: as many other weights as normalization learns, drawn "
        "by the seed; scale_invariant: the kernels alone whose output goes straight into a batch normalization, as in "
        "Li & Arora 2020. The others keep their initial values, and batch normalization still normalizes by the batch",
    )

    @field_serializer("build")
    def _without_its_folder(self, build: str | None) -> str | None:
        return build and Path(build).name

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

    def own_module(self) -> tuple[Path, str, str]:
        """Return the folder, the module and the function of a network of the user's own."""
        folder, (module, _, function) = Path(self.build or "").parent, Path(self.build or "").name.partition(":")
        return folder, module, function

    @model_validator(mode="after")
    def _own_network(self) -> ModelConfig:
        if self.kind != "keras":
            return self
        if self.build is None:
            raise ValueError("kind: keras needs build, such as my_networks:build_model; add it")
        if not _OWN_NETWORK.fullmatch(self.build) or ".py:" in self.build:
            raise ValueError(f"build: expected module:function, such as my_networks:build_model, got {self.build!r}")
        for name in ("placement", "on_input", "recurrent"):
            if getattr(self.norm, name) != NormConfig.model_fields[name].default:
                raise ValueError(f"norm.{name} has no effect with kind: keras, where build places normalizations")
        if self.trainable != "all":
            raise ValueError(f"trainable: {self.trainable} needs one of the kinds mlp, cnn and rnn")
        return self

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
        if self.trainable == "scale_invariant":
            divides = self.norm.kind in BATCH_NORMS and self.norm.kind != "mean_only"
            if not divides or self.norm.placement != "before":
                raise ValueError(
                    "trainable: scale_invariant needs kernels whose output goes straight into a batch normalization; "
                    + (f"norm.kind: {self.norm.kind} has none" if not divides else "norm.placement: after has none")
                )
        if self.norm.recurrent and self.kind != "rnn":
            raise ValueError(f"norm.recurrent needs kind: rnn, got {self.kind}")
        uneven = [units for units in self.layers + dense if units % self.norm.groups]
        if self.norm.kind == "group" and uneven and self.kind != "keras":
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
            case "mlp" | "keras":
                return count
            case "cnn":
                of_dense = sum(a * b for a, b in zip(self.dense, self.dense[1:], strict=False))
                return self.kernel_size**2 * count + of_dense
            case "rnn":
                return count + self.depth * sum(units**2 for units in self.layers)
