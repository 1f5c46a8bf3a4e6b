"""What exactly is to be trained? The `run` section of an experiment file.

Everything is frozen, unknown fields are refused and every default is resolved, so that a run's configuration says all
there is to know about it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.configuration.gan import GanConfig, faults_of_gan
from models.config import (
    BATCH_NORMS,
    AtMost,
    BatchSize,
    Count,
    ModelConfig,
    Natural,
    NotNegative,
    Positive,
    Share,
    Strict,
    UsedWith,
    added,
)

MOST_ORDERED, MOST_EVALUATIONS = 10**9, 10**6
Seed = Annotated[Natural, AtMost(2**32 - 1, "scikit-learn splits the examples by seeds of 32 bits")]

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
]

PROBES: dict[Probe, str] = {  # what each writes and costs; layers are numbered from 1
    "pre_activations": (
        "`pre_activation/<layer>/p15`, `p50` and `p85`: percentiles of what goes into each activation, mean "
        "over a hidden layer's units. Costs no further pass."
    ),
    "unit_percentiles": (
        "`pre_activation/<layer>/unit_<unit>/p15`, `p50` and `p85`: the same for every unit of the last "
        "hidden layer by itself. Costs no further pass, but three curves a unit."
    ),
    "gradients": (
        "`gradient_norm/<layer>`: Euclidean norm of the loss's gradient by each layer's weights, the output "
        "layer's last. Costs no further pass."
    ),
    "saturation": (
        "`saturation/<layer>` and `saturation/all`: share of hidden outputs below 0.05 or above 0.95; "
        "`far_saturation/<layer>` and `far_saturation/all`: below 0.02 or above 0.98. Costs no further pass."
    ),
    "standardization": (
        "`standardization/mean` and `standardization/variance`: how far batch-normalized values, before γ and "
        "β, are from mean 0 and variance σ²/(σ² + ε), the worst of all units. Costs each normalization once "
        "more."
    ),
    "covariate_shift": (
        "`covariate_shift/change` and `covariate_shift/cosine`: relative change of a layer's gradient when "
        "the layers below take their step, and cosine between the two, mean over layers (Santurkar et al. "
        "2018). Costs a forward and backward pass for each layer but the first."
    ),
    "landscape": (
        "`landscape/loss_range`, `landscape/gradient_change`, `landscape/smoothness` and "
        "`landscape/smoothness_times_squared_norm`: loss and gradient at eight step lengths along the "
        "gradient (Santurkar et al. 2018). Costs eight forward and backward passes."
    ),
    "affine_identity": (
        "`affine_identity/error`: how far batch normalization with γ = √(σ² + ε) and β = μ is from the "
        "identity, relative to the largest input. Costs each normalization once more."
    ),
    "weight_scale": (
        "`weight_scale/error`: how far outputs and gradients are from what they should be when a layer's "
        "weights are scaled (Ioffe & Szegedy 2015, §3.3). Costs two forward and backward passes for each "
        "hidden layer. Needs placement before."
    ),
    "step_loss": "`loss/step`: training loss of each of the first 100 steps. Costs nothing beyond its curve.",
    "training_loss": (
        "`loss/training_split` and `accuracy/training_split`: of the first 1,000 training examples, with the "
        "statistics of the evaluation. Costs a forward pass over these at each evaluation."
    ),
    "corruptions": (
        "`corrupted/<statistics>/brightness/<change>` and `corrupted/<statistics>/contrast/<factor>`: test "
        "accuracy on changed images, by the statistics of the run (kept) and by those of 1,000 test images under "
        "all changes in turn (recomputed). Costs 32 forward passes over the test split, once, after the last "
        "step. Needs images."
    ),
}
OF_BATCH_NORM: tuple[Probe, ...] = ("standardization", "affine_identity", "weight_scale")  # nothing to see without it
OF_ONE_BATCH: tuple[Probe, ...] = (  # look at the fixed batch of `probe_examples`
    "pre_activations",
    "unit_percentiles",
    "gradients",
    "saturation",
    "covariate_shift",
    "landscape",
    *OF_BATCH_NORM,
)


_OF_BATCH_NORM = UsedWith("model.norm.kind", BATCH_NORMS)
MOST_RECOVERABLE = 0.9999  # a momentum whose average still tells in 32 bits, to 1/1000, what a batch has added to it


class DatasetConfig(Strict):
    """Which examples, how they are scaled and how many make a batch."""

    name: str = Field(
        "digits", description="digits, wine or breast_cancer of scikit-learn, else a name of TensorFlow Datasets"
    )
    batch_size: BatchSize = Field(60, description="examples of a step")
    standardize: bool = Field(False, description="shift and scale every feature to mean 0 and deviation 1 in training")
    binarize: bool = Field(
        False, description="set pixels to 0 or 1 at half of their range; images only, and not with standardize"
    )
    train_examples: Annotated[Count, AtMost(2**31 - 1, "examples are numbered in 32 bits")] | None = Field(
        None, description="train on the first so many of the shuffled training split; null: on all"
    )

    @model_validator(mode="after")
    def _one_scaling(self) -> DatasetConfig:
        if self.standardize and self.binarize:
            raise ValueError("standardize and binarize exclude each other; keep one")
        return self


class OptimizerConfig(Strict):
    """The update rule and its learning rate."""

    kind: Literal["sgd", "adam"] = Field("sgd", description="sgd: gradient descent, with momentum perhaps; adam: Adam")
    learning_rate: Positive = Field(0.1, description="factor on each update")
    momentum: Annotated[Share, UsedWith("kind", ("sgd",))] = Field(
        0.0, description="share of the last update that is added to the next"
    )
    weight_decay: NotNegative = Field(
        0.0,
        description="λ of λ/2·‖w‖² in the loss, over kernels alone (no bias, γ or β): λ·w is added to their gradient "
        "before momentum or Adam see it (van Laarhoven 2017); the losses that are written leave it out",
    )
    beta_1: Annotated[Share, UsedWith("kind", ("adam",))] = Field(
        0.9, description="share of the mean gradient that is kept at each step"
    )
    beta_2: Annotated[Share, UsedWith("kind", ("adam",))] = Field(
        0.999, description="share of the mean squared gradient that is kept at each step"
    )


class RunConfig(Strict):
    """One training of one network with one seed and one learning rate, nothing left to default."""

    dataset: DatasetConfig = Field(
        DatasetConfig(), description="examples and batches", examples=[{"name": "digits", "batch_size": 60}]
    )
    model: ModelConfig = Field(
        ModelConfig(), description="the network", examples=[{"kind": "mlp", "layers": [100, 100]}]
    )
    gan: GanConfig | None = added(
        None,
        description="train the model as a generator of images against a discriminator; null: to classify",
        examples=[{"latent": 32}],
    )
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(), description="the update rule", examples=[{"kind": "adam", "learning_rate": 0.001}]
    )
    steps: Natural = Field(
        1000, description="optimizer updates, a multiple of evaluate_every; 0: look at the initial network alone"
    )
    evaluate_every: Count = Field(50, description="steps from one evaluation, with its probes, to the next")
    evaluation_examples: Count | None = Field(
        None,
        description="look at the first so many of the validation split at an evaluation, and of the test split "
        "where test_every_evaluation; the last look at the test split is at all of it; null: at all",
    )
    statistics: Annotated[Literal["population", "moving"], _OF_BATCH_NORM] = Field(
        "population",
        description="by which statistics a batch-normalized network is read at evaluations: those of 1,000 training "
        "examples under its present weights, or its moving averages, which lag",
    )
    moving_averages: Annotated[tuple[Share, ...], _OF_BATCH_NORM] = Field(
        (),
        description="momenta of moving averages by which it is read too, at no further training: "
        "`accuracy/validation/moving_0.9` and so on",
    )
    test_every_evaluation: bool = Field(
        False, description="evaluate the test split each time; otherwise once, after the last step"
    )
    probes: tuple[Probe, ...] = Field((), description="measurements at each evaluation; see the table of probes")
    probe_examples: Annotated[BatchSize, UsedWith("probes", OF_ONE_BATCH)] = Field(
        256, description="size of the fixed batch that probes look at; all training examples where there are fewer"
    )
    xla: Literal["auto"] | bool = Field(
        "auto", description="compile the program with XLA; auto: for mlp and rnn, where it was measured to be faster"
    )
    timed: bool = Field(
        False, description="train each run alone, arms in turn, and time its steps apart from evaluation and probes"
    )
    seed: Seed = Field(
        0, description="of data split, order and initial weights; not to be set here: it comes from seeds at the top"
    )

    @model_validator(mode="after")
    def _whole_evaluations(self) -> RunConfig:
        if self.steps % self.evaluate_every:
            raise ValueError(f"steps ({self.steps}) must be a multiple of evaluate_every ({self.evaluate_every})")
        return self

    @model_validator(mode="after")
    def _averages_can_be_kept(self) -> RunConfig:
        if twice := [m for m in self.moving_averages if self.moving_averages.count(m) > 1]:
            raise ValueError(f"moving_averages: {twice[0]} is given twice; keep one")
        own = self.model.norm.momentum
        if set(self.moving_averages) - {own} and own > MOST_RECOVERABLE:
            raise ValueError(
                f"model.norm.momentum must be at most {MOST_RECOVERABLE} beside moving_averages, got {own}: they learn "
                "from the layers' own average what a batch has added to it"
            )
        return self

    @model_validator(mode="after")
    def _fits_into_memory(self) -> RunConfig:
        batch, virtual = self.dataset.batch_size, self.model.norm.virtual_batch_size
        longest = "steps" if self.steps else "evaluate_every"
        if (ordered := getattr(self, longest) * batch) > MOST_ORDERED:
            raise ValueError(
                f"{longest} times dataset.batch_size must be at most {MOST_ORDERED:,}, got {ordered:,}: "
                "the order of all examples lies in memory"
            )
        if (evaluations := self.steps // self.evaluate_every) > MOST_EVALUATIONS:
            raise ValueError(
                f"steps over evaluate_every must be at most {MOST_EVALUATIONS:,}, got {evaluations:,}: "
                "what each evaluation shows lies in memory; evaluate less often"
            )
        if virtual and virtual > batch:
            raise ValueError(
                f"model.norm.virtual_batch_size ({virtual}) must be at most dataset.batch_size ({batch}), "
                "of which it is a part"
            )
        return self

    @model_validator(mode="after")
    def _is_a_whole_gan(self) -> RunConfig:
        for fault in faults_of_gan(self, self.gan) if self.gan else ():
            raise ValueError(fault)
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
            "model": _built_alike(self.model),
            "gan": self.gan and self.gan.model_copy(update={"discriminator": _built_alike(self.gan.discriminator)}),
            "optimizer": self.optimizer.model_copy(
                update={"learning_rate": 1.0, "weight_decay": float(self.optimizer.weight_decay > 0)}
            ),
        }
        return json.dumps(self.model_copy(update=values).model_dump(mode="json"), sort_keys=True)


def _built_alike(model: ModelConfig) -> ModelConfig:
    """The network with other initial weights, which are values to a program."""
    return model.model_copy(update={"initialization": "glorot_uniform", "init_scale": 1.0})
