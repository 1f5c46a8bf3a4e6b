"""How does one run of a generative adversarial network go, and what is seen of its images?"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from experiments.configuration.run import RunConfig
from experiments.training.datasets import split_dataset
from experiments.training.gan_program import LATENTS, LOOKED_AT, SETS, GanProgram
from experiments.training.image_quality import classes_generated, frechet_distance, share_of_companions
from experiments.training.judge import judge_of
from experiments.training.optimizers import learning_rates
from experiments.training.orders import order_of
from experiments.training.program import DIVERGED
from experiments.training.run import Diverged, Evaluated
from experiments.training.suitability import require_fit

LOSSES = ("loss/discriminator", "loss/generator")


def train_gan(program: GanProgram, config: RunConfig) -> Iterator[Evaluated]:
    """Train one run of a program, yielding what it shows before the first step and at each evaluation.

    `frechet/validation`: distance of 1,000 generated images to the real ones, and `classes_generated`, by each reading
    (`frechet/validation/moving_0.9`); losses; after the last step `frechet/test`, `frechet/real`, which is that of
    training images and so what there is to come to, `judge/accuracy`, and `companions_share/training` and
    `companions_share/evaluation`. Raises Diverged; DatasetError when the run does not fit the data.
    """
    require_fit(config, program.dataset.facts)
    assert config.gan
    split = split_dataset(program.dataset, config.dataset, config.seed)
    order = order_of(config, program.dataset.labels, split.train)
    order = order.reshape(-1, config.evaluate_every, config.dataset.batch_size)
    rates = learning_rates(config).reshape(-1, config.evaluate_every)
    judge = judge_of(program.dataset, config.dataset, config.seed)
    validation = judge.read(program.images(split.validation[: config.evaluation_examples]))[0]
    of_training, of_looking = (np.random.default_rng([config.seed, 2, use]) for use in range(2))
    looked_at, population = _normal(of_looking, 2, LOOKED_AT, config.gan.latent)
    program.reset(config)
    seconds, first = 0.0, np.full(2, np.inf)
    for number in range(len(order) + 1):
        step, metrics, started = number * config.evaluate_every, dict[str, float](), time.perf_counter()
        if number:
            images, latents = program.images(order[number - 1]), (*order.shape[1:], config.gan.latent)
            losses = program.take_steps(images, _normal(of_training, *latents), rates[number - 1])
            first = losses[0] if number == 1 else first
            good = np.all(np.isfinite(losses) & (losses <= DIVERGED * first), axis=1)
            if not good.all():
                raise Diverged(step - config.evaluate_every + int(np.argmin(good)) + 1)
            metrics |= {name: float(value) for name, value in zip(LOSSES, losses.mean(axis=0), strict=True)}
        generated = program.generate(looked_at, population)
        if not np.isfinite(generated).all():
            raise Diverged(step)
        for name, images in zip(program.readings.names, generated, strict=True):
            features, labels = judge.read(images)
            found = {
                "frechet/validation": frechet_distance(features, validation),
                "classes_generated": float(classes_generated(labels, program.dataset.classes)),
            }
            metrics |= {f"{metric}/{name}" if name else metric: value for metric, value in found.items()}
        if step == config.steps:
            test, real = (judge.read(program.images(part))[0] for part in (split.test, split.train))
            metrics["frechet/test"] = frechet_distance(judge.read(generated[0])[0], test)
            metrics["frechet/real"] = frechet_distance(real, validation)
            metrics["judge/accuracy"] = judge.accuracy
            companions = _normal(of_looking, LATENTS, SETS, config.dataset.batch_size - 1, config.gan.latent)
            shares = map(share_of_companions, program.accompanied(looked_at[:LATENTS], companions, population))
            metrics |= zip(("companions_share/training", "companions_share/evaluation"), shares, strict=True)
        seconds += time.perf_counter() - started
        yield Evaluated(step, metrics, seconds)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)
