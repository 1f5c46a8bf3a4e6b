"""What exactly is to be trained? The `run` section of an experiment file.

Everything is frozen, unknown fields are refused and every default is resolved, so that a run's configuration says all
there is to know about it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from experiments.configuration.dataset import DatasetConfig
from experiments.configuration.gan import GanConfig, faults_of_gan
from experiments.configuration.optimizer import DECOUPLED, OptimizerConfig, ScheduleConfig
from experiments.configuration.probes import OF_ONE_BATCH, Probe
from models.config import ModelConfig
from models.fields import AtMost, BatchSize, Count, Later, Natural, Positive, Share, Strict, UsedWith
from models.norm_config import BATCH_NORMS, NOT_TWICE

MOST_ORDERED, MOST_EVALUATIONS = 10**9, 10**6
ROOM, ROOM_IN_EXAMPLES = 256, 2**15  # steps between evaluations that a program has room for, so that it is shared
Seed = Annotated[Natural, AtMost(2**32 - 1, "scikit-learn splits the examples by seeds of 32 bits")]

_OF_BATCH_NORM = UsedWith("model.norm.kind", BATCH_NORMS)
MOST_RECOVERABLE = 0.9999  # a momentum whose average still tells in 32 bits, to 1/1000, what a batch has added to it


class RunConfig(Strict):
    """One training of one network with one seed and one learning rate, nothing left to default."""

    dataset: DatasetConfig = Field(
        DatasetConfig(), description="examples and batches", examples=[{"name": "digits", "batch_size": 60}]
    )
    model: ModelConfig = Field(
        ModelConfig(), description="the network", examples=[{"kind": "mlp", "layers": [100, 100]}]
    )
    gan: Annotated[GanConfig | None, Later(None)] = Field(
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
    epochs: Annotated[Positive | None, Later(None)] = Field(
        None,
        description="in place of steps and evaluate_every: passes over the training examples, which come to as many "
        "steps as batch_size makes of them, so that batches of all sizes see equally many examples, but for half an "
        "evaluate_every at most",
        examples=[10],
    )
    evaluations: Annotated[Count | None, Later(None), UsedWith("epochs")] = Field(
        None, description="with epochs, about how many there are after the first, evenly apart; null: 20"
    )
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

    @model_validator(mode="before")
    @classmethod
    def _steps_or_epochs(cls, values: Any) -> Any:
        if not (isinstance(values, dict) and values.get("epochs") is not None):
            return values
        for name, other in (("steps", ""), ("evaluate_every", ", or give evaluations")):
            if name in values:
                raise ValueError(
                    f"epochs ({values['epochs']}) and {name} ({values[name]}) exclude each other; keep one{other}"
                )
        return {**values, "steps": 0}  # until they are known, see `epochs.in_steps`

    @model_validator(mode="after")
    def _whole_evaluations(self) -> RunConfig:
        if self.steps % self.evaluate_every:
            raise ValueError(f"steps ({self.steps}) must be a multiple of evaluate_every ({self.evaluate_every})")
        return self

    @model_validator(mode="after")
    def _warm_up_ends(self) -> RunConfig:
        if self.steps and (warmup := self.optimizer.schedule.warmup_steps) > self.steps:
            raise ValueError(f"optimizer.schedule.warmup_steps ({warmup}) must be at most steps ({self.steps})")
        return self

    @model_validator(mode="after")
    def _attack_finds_a_slope(self) -> RunConfig:
        if "attack" in self.probes and self.dataset.binarize:
            raise ValueError(
                "probes: attack follows the slope of the loss over pixels, and dataset.binarize leaves none; keep one"
            )
        return self

    @model_validator(mode="after")
    def _averages_can_be_kept(self) -> RunConfig:
        if twice := [m for m in self.moving_averages if self.moving_averages.count(m) > 1]:
            raise ValueError(f"moving_averages: {twice[0]} is given twice; keep one")
        own = self.model.norm.momentum
        if self.moving_averages and (own is None or self.model.norm.debiased):
            raise ValueError(
                "moving_averages must be [] with model.norm.momentum: null or debiased: they learn what a batch has "
                "added to the layers' own average, whose momentum has to be the same at each step"
            )
        if own and set(self.moving_averages) - {own} and own > MOST_RECOVERABLE:
            raise ValueError(
                f"model.norm.momentum must be at most {MOST_RECOVERABLE} beside moving_averages, got {own}: they learn "
                "from the layers' own average what a batch has added to it"
            )
        return self

    @model_validator(mode="after")
    def _probes_take_the_steps_of_training(self) -> RunConfig:
        of_all = [probe for probe in ("covariate_shift", "landscape") if probe in self.probes]
        if of_all and self.model.trainable != "all":
            raise ValueError(
                f"probes: {of_all[0]} takes a step of all weights, and training with model.trainable: "
                f"{self.model.trainable} does not; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _curvature_is_that_of_the_loss(self) -> RunConfig:
        if "curvature" in self.probes and self.model.norm.kind in NOT_TWICE:
            raise ValueError(
                f"probes: curvature needs second derivatives, and those of model.norm.kind: {self.model.norm.kind} are "
                f"not the loss's: {NOT_TWICE[self.model.norm.kind]}; leave it out"
            )
        if "curvature" in self.probes and self.model.norm.renorm:
            raise ValueError(
                "probes: curvature needs the loss's derivatives, and model.norm.renorm: true, which takes r and d for "
                "constants, has others; leave it out"
            )
        if "curvature" in self.probes and self.model.trainable != "all":
            raise ValueError(
                f"probes: curvature is that by all weights, and model.trainable is {self.model.trainable}; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _weights_that_are_not_trained_do_not_decay(self) -> RunConfig:
        if self.model.trainable != "all" and self.optimizer.kind in DECOUPLED and self.optimizer.weight_decay:
            raise ValueError(
                f"optimizer.kind: {self.optimizer.kind} would let weights decay that model.trainable: "
                f"{self.model.trainable} does not train; give the kind without w"
            )
        return self

    @model_validator(mode="after")
    def _only_trained_weights_are_brought_back(self) -> RunConfig:
        if self.optimizer.keep_norms and self.model.trainable not in ("all", "scale_invariant"):
            raise ValueError(
                f"optimizer.keep_norms brings back weights that model.trainable: {self.model.trainable} does not "
                "train; leave it out"
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
        """Return the identity of the run: equal exactly where every setting is equal.

        Left out is a field that came later, where it is what it was before (`Later`).
        """
        text = json.dumps(_identity(self, self.model_dump(mode="json")), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def trial(self) -> str:
        """Return the identity of all runs that differ in their seed alone."""
        return self.model_copy(update={"seed": 0}).digest()

    @property
    def uses_xla(self) -> bool:
        """Whether the program is compiled with XLA: as configured, or by the network's kind as measured."""
        return self.model.kind in ("mlp", "rnn") if self.xla == "auto" else self.xla

    @property
    def longest_stretch(self) -> int:
        """The number of steps between evaluations that the program has room for; without XLA, room takes time."""
        shared = self.uses_xla and not (self.timed or self.gan)
        room = min(ROOM, ROOM_IN_EXAMPLES // self.dataset.batch_size) if shared else 0
        return max(room, self.evaluate_every)

    def program_key(self) -> str:
        """Return what decides the compiled computation; runs with equal keys share a program.

        Left out is all that is a value to the program: seed, learning rates, initial weights, which examples, how long,
        how often evaluated, and, where not all weights are trained, which are.
        Runs of no steps are apart: they need no training to be compiled.
        """
        values = {
            "seed": 0,
            "steps": min(self.steps, 1),
            "evaluate_every": self.longest_stretch,
            "dataset": self.dataset.model_copy(
                update={"standardize": False, "train_examples": None, "order": "shuffled"}
            ),
            "model": _built_alike(self.model),
            "gan": self.gan and self.gan.model_copy(update={"discriminator": _built_alike(self.gan.discriminator)}),
            "optimizer": self.optimizer.model_copy(
                update={
                    "learning_rate": 1.0,
                    "schedule": ScheduleConfig(),
                    "weight_decay": float(self.optimizer.weight_decay > 0),
                }
            ),
        }
        return json.dumps(self.model_copy(update=values).model_dump(mode="json"), sort_keys=True)


def _built_alike(model: ModelConfig) -> ModelConfig:
    """The network with other initial weights and, where not all are trained, others of them: values to a program."""
    return model.model_copy(
        update={
            "initialization": "glorot_uniform",
            "init_scale": 1.0,
            "trainable": "all" if model.trainable == "all" else "norm",
        }
    )


def _identity(section: Strict, values: dict[str, Any]) -> dict[str, Any]:
    """Return a section's values, as they are written, but for those that say what had been so before they came."""
    for name, before in _came_later(type(section)):
        if getattr(section, name) == before:
            del values[name]
    for name, value in values.items():
        if isinstance(value, dict):
            _identity(getattr(section, name), value)
    return values


@functools.cache
def _came_later(section: type[Strict]) -> tuple[tuple[str, Any], ...]:
    """The fields of a section that came later, with what had been so before."""
    return tuple(
        (name, later.value)
        for name, field in section.model_fields.items()
        for later in field.metadata
        if isinstance(later, Later)
    )
