"""What exactly is to be trained? The `run` section of an experiment file.

Everything is frozen, unknown fields are refused and every default is resolved, so that a run's configuration says all
there is to know about it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.config import Count, ModelConfig, Positive, Share, Strict, Whole

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
