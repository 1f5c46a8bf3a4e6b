"""What makes a run a generative adversarial network? The section `run.gan`, and what the rest of such a run may set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from models.config import ModelConfig
from models.fields import Strict, UsedWith, Width
from models.norm_config import BATCH_NORMS

if TYPE_CHECKING:
    from experiments.configuration.run import RunConfig

WITHOUT_EFFECT = (
    "weight_decay",
    "weight_decay_over",
    "keep_norms",
)  # of the optimizer, in the training of two networks


class GanConfig(Strict):
    """Train the run's model as a generator of images, against a discriminator; both by the run's optimizer.

    In place of accuracies such a run writes, at each evaluation, `frechet/validation`, the Fréchet distance of 1,000
    generated images to the real ones in features of a classifier that is trained on the run's training images, and
    `classes_generated`; `loss/discriminator` and `loss/generator`, means over the steps since the last; after the last
    step `frechet/test`, `frechet/real` (of training images: what there is to come to), `judge/accuracy` of the
    classifier, and `companions_share/training` and `companions_share/evaluation`: the share of the variance of images
    that is due to the other latents of the batch, as the generator is trained and as evaluations read it. Goodfellow
    et al. 2014; Heusel et al. 2017.
    """

    latent: Width = Field(32, description="independent standard normal numbers that the generator makes an image from")
    discriminator: ModelConfig = Field(
        ModelConfig(),
        description="an mlp that tells real images from generated ones; its first layer is not normalized "
        "(Radford et al. 2015, §3)",
        examples=[{"layers": [100, 100], "norm": {"kind": "custom"}}],
    )
    batches: Annotated[Literal["apart", "mixed"], UsedWith("discriminator.norm.kind", BATCH_NORMS)] = Field(
        "apart",
        description="apart: real and generated images go through the discriminator in two batches, each normalized by "
        "its own statistics; mixed: in one",
    )


def faults_of_gan(run: RunConfig, gan: GanConfig) -> Iterator[str]:
    """Yield what a run with a section `gan` sets and cannot have."""
    for name, model in (("model", run.model), ("gan.discriminator", gan.discriminator)):
        if model.kind != "mlp":
            yield f"{name}.kind must be mlp with gan, got {model.kind}"
        if model.trainable != "all":
            yield f"{name}.trainable must be all with gan, got {model.trainable}; leave it out"
    if gan.discriminator.hidden < 2 and gan.discriminator.norm.kind != "none":
        yield "gan.discriminator.layers must be two or more to be normalized: the first is not; give another"
    together = run.dataset.batch_size * (2 if gan.batches == "mixed" else 1)
    if (virtual := gan.discriminator.norm.virtual_batch_size) and virtual > together:
        yield (
            f"gan.discriminator.norm.virtual_batch_size ({virtual}) must be at most {together}, the images that go "
            "through the discriminator together"
        )
    if run.dataset.standardize:
        yield "dataset.standardize must be false with gan, which makes pixels from 0 to 1; leave it out"
    for name in WITHOUT_EFFECT:
        if getattr(run.optimizer, name) != type(run.optimizer).model_fields[name].default:
            yield f"optimizer.{name} has no effect with gan; leave it out"
    for name in ("probes", "test_every_evaluation", "timed"):
        if getattr(run, name) != type(run).model_fields[name].default:
            yield f"{name} has no effect with gan; leave it out"
