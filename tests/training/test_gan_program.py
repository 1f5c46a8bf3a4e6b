"""One step of two networks against each other, by a reference in NumPy; whole runs; and how images depend on others."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from programs import DIGITS

from experiments.configuration.run import RunConfig
from experiments.training.dataset_facts import DatasetError
from experiments.training.datasets import load_dataset
from experiments.training.gan_program import GanProgram
from experiments.training.gan_run import train_gan
from experiments.training.image_quality import share_of_companions
from experiments.training.judge import judge_of
from experiments.training.readings import Readings
from experiments.training.run import Diverged

BATCH, LATENT, RATE, EPSILON = 6, 2, 0.5, 1e-3


def gan_config(gan: dict[str, Any] | None = None, norm: dict[str, Any] | None = None, **fields: Any) -> RunConfig:
    """A GAN on the digits; norm: of the discriminator."""
    discriminator = {"layers": [3, 2], "activation": "relu", "initialization": "he_normal", "norm": norm or {}}
    return RunConfig.model_validate(
        {
            "dataset": {"batch_size": BATCH},
            "model": {"layers": [4], "activation": "tanh"},
            "gan": {"latent": LATENT, "discriminator": discriminator} | (gan or {}),
            "optimizer": {"learning_rate": RATE},
            "steps": 4,
            "evaluate_every": 2,
            "xla": False,
        }
        | fields
    )


def first_batches(config: RunConfig, used: GanProgram, steps: int = 1) -> tuple[np.ndarray, ...]:
    """Images, latents and rates of some steps; the program is reset."""
    used.reset(config)
    latents = np.random.default_rng(3).standard_normal((steps, BATCH, LATENT), np.float32)
    rates = np.full(steps, config.optimizer.learning_rate, np.float32)
    return used.images(np.arange(steps * BATCH).reshape(steps, BATCH)), latents, rates


def weights_of(network: keras.Model) -> dict[str, np.ndarray]:
    return {v.path: v.numpy().astype(np.float64) for v in network.trainable_variables}


def logits(weights: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The discriminator on images that go through it together, by its equations: its second layer is normalized."""
    hidden = np.maximum(images.reshape(len(images), -1) @ weights["linear_1/kernel"] + weights["linear_1/bias"], 0)
    z = hidden @ weights["linear_2/kernel"]
    z = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + EPSILON)
    hidden = np.maximum(weights["norm_2/gamma"] * z + weights["norm_2/beta"], 0)
    return (hidden @ weights["output/kernel"] + weights["output/bias"])[:, 0]


def judged(weights: dict[str, np.ndarray], real: np.ndarray, made: np.ndarray, batches: str) -> list[np.ndarray]:
    if batches == "mixed":
        return np.split(logits(weights, np.concatenate([real, made])), 2)
    return [logits(weights, real), logits(weights, made)]


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


def descended(
    weights: dict[str, np.ndarray], real: np.ndarray, made: np.ndarray, batches: str
) -> dict[str, np.ndarray]:
    """The weights after a step down the discriminator's loss, whose gradient is taken by differences."""

    def loss() -> float:
        of_real, of_made = judged(weights, real, made, batches)
        return float(softplus(-of_real).mean() + softplus(of_made).mean())

    stepped, small = {}, 1e-6
    for name, value in weights.items():
        gradient = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            before, ends = value[place], []
            for side in (-small, small):
                value[place] = before + side
                ends.append(loss())
            value[place] = before
            gradient[place] = (ends[1] - ends[0]) / (2 * small)
        stepped[name] = value - RATE * gradient
    return stepped


@pytest.mark.parametrize("batches", ["apart", "mixed"])
def test_a_step_is_that_of_a_reference_by_the_statistics_of_its_batches(batches: str):
    config = gan_config({"batches": batches}, {"kind": "custom"})
    used = GanProgram(config, DIGITS)
    images, latents, rates = first_batches(config, used)
    real, made = images[0].astype(np.float64), used.generator(latents[0]).numpy().astype(np.float64)
    before = weights_of(used.discriminator)
    assert len(before) == 7
    expected = descended(before, real, made, batches)
    by_other_statistics = descended(before, real, made, "mixed" if batches == "apart" else "apart")
    losses = used.take_steps(images, latents, rates)[0]
    after = weights_of(used.discriminator)
    for name, value in expected.items():
        np.testing.assert_allclose(after[name], value, atol=1e-5, err_msg=name)
    assert np.abs(after["linear_2/kernel"] - by_other_statistics["linear_2/kernel"]).max() > 1e-3
    of_real, of_made = judged(before, real, made, batches)
    assert losses[0] == pytest.approx(softplus(-of_real).mean() + softplus(of_made).mean(), rel=1e-5)
    # The generator moves against the discriminator as it is by then, by the same images, and does not saturate.
    assert losses[1] == pytest.approx(softplus(-judged(expected, real, made, batches)[1]).mean(), rel=1e-5)


def test_mixed_batches_normalized_by_halves_are_batches_apart():
    halves = {"kind": "custom", "virtual_batch_size": BATCH}
    configs = [gan_config({"batches": "apart"}, {"kind": "custom"}), gan_config({"batches": "mixed"}, halves)]
    weights = []
    for config in configs:
        used = GanProgram(config, DIGITS)
        used.take_steps(*first_batches(config, used, steps=5))
        weights.append([*used.generator.trainable_variables, *used.discriminator.trainable_variables])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, err_msg=one.path)


def test_the_generator_descends_its_loss():
    config = gan_config(optimizer={"learning_rate": 1e-2})
    used = GanProgram(config, DIGITS)
    images, latents, rates = first_batches(config, used)
    used.take_steps(images, latents, rates)
    frozen = [v.numpy() for v in used.discriminator.trainable_variables]

    def loss() -> float:
        return float(tf.reduce_mean(tf.nn.softplus(-used.discriminator(used.generator(latents[0])))))

    stepped = loss()
    used.reset(config)
    for variable, value in zip(used.discriminator.trainable_variables, frozen, strict=True):
        variable.assign(value)
    assert stepped < loss()


def curves_of(config: RunConfig, used: GanProgram) -> list[tuple[int, dict[str, float]]]:
    return [(evaluated.step, evaluated.metrics) for evaluated in train_gan(used, config)]


def test_a_run_is_the_same_again_whatever_came_between_and_in_a_new_program():
    config = gan_config(model={"layers": [4], "norm": {"kind": "custom"}, "dropout": 0.1})
    used = GanProgram(config, DIGITS)
    first = curves_of(config, used)
    assert curves_of(config.model_copy(update={"seed": 1}), used) != first
    assert curves_of(config, used) == first
    assert curves_of(config, GanProgram(config, DIGITS)) == first


def test_both_networks_follow_the_schedule_of_rates():
    schedule = {"kind": "step", "milestones": [0.5], "factor": 1e-9}
    config = gan_config(optimizer={"learning_rate": RATE, "schedule": schedule})
    used = GanProgram(config, DIGITS)
    weights = []
    for evaluated in train_gan(used, config):
        weights.append([v.numpy() for network in used.networks for v in network.trainable_variables])
        assert evaluated.step == 2 * (len(weights) - 1)
    start, half_way, end = map(np.concatenate, ([np.ravel(v) for v in of] for of in weights))
    assert np.abs(half_way - start).max() > 1e-3
    np.testing.assert_allclose(end, half_way, atol=1e-6)


def test_the_judge_of_a_split_is_the_same_in_whatever_order_a_run_trains():
    shuffled = gan_config().dataset
    in_order = shuffled.model_copy(update={"order": "class_sorted", "batch_size": 8})
    assert judge_of(DIGITS, in_order, 0) is judge_of(DIGITS, shuffled, 0)


def test_a_residual_discriminator_adds_its_branches():
    config = gan_config({"discriminator": {"layers": [3, 3], "residual": True}})
    assert GanProgram(config, DIGITS).discriminator.get_layer("sum_2") is not None


def test_what_a_run_writes_and_when():
    norm = {"kind": "custom", "momentum": 0.9}
    config = gan_config(model={"layers": [4], "norm": norm}, moving_averages=[0.9])
    found = curves_of(config, GanProgram(config, DIGITS))
    looked_at = {f"{name}{end}" for name in ("frechet/validation", "classes_generated") for end in ("", "/moving_0.9")}
    losses = {"loss/discriminator", "loss/generator"}
    last = {f"companions_share/{read}" for read in ("training", "evaluation")}
    last |= {"frechet/test", "frechet/real", "judge/accuracy"}
    assert [(step, metrics.keys()) for step, metrics in found] == [
        (0, looked_at),
        (2, looked_at | losses),
        (4, looked_at | losses | last),
    ]
    assert found[-1][1]["companions_share/training"] > 0.01
    assert found[-1][1]["companions_share/evaluation"] == 0
    assert found[-1][1]["frechet/real"] < 1 < found[-1][1]["frechet/test"]


def test_a_run_of_no_steps_shows_the_generator_as_it_starts():
    config = gan_config(steps=0)
    (step, metrics), *others = curves_of(config, GanProgram(config, DIGITS))
    assert (step, others) == (0, [])
    assert metrics["companions_share/training"] == 0  # without normalization


def test_a_rate_far_too_high_diverges():
    config = gan_config(optimizer={"learning_rate": 1e20})
    used, seen = GanProgram(config, DIGITS), []
    with pytest.raises(Diverged) as outcome:
        seen.extend(train_gan(used, config))
    assert outcome.value.step in (1, 2)


def test_tables_have_no_images_to_make():
    config = gan_config(dataset={"name": "wine", "batch_size": BATCH})
    with pytest.raises(DatasetError, match="gan: makes images, but wine is a table of 13 features"):
        GanProgram(config, load_dataset("wine"))


class LessTheMean(keras.layers.Layer):
    """In training, z less the mean of its ghost batch of `size`: a share 1/size of its variance is the others'."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def call(self, z: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return z
        ghosts = tf.reshape(z, (-1, self.size, z.shape[-1]))
        return tf.reshape(ghosts - tf.reduce_mean(ghosts, axis=1, keepdims=True), tf.shape(z))


@pytest.mark.parametrize("size", [2, BATCH])
def test_the_share_of_companions_is_one_over_the_batch_where_its_mean_is_taken_off(size: int):
    config = gan_config()
    used = GanProgram(config, DIGITS)
    inputs = keras.Input((LATENT,))
    used.generator = keras.Model(inputs, LessTheMean(size)(inputs))
    used.readings = Readings(config, used.generator)
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((500, LATENT), np.float32)
    companions = rng.standard_normal((500, 4, BATCH - 1, LATENT), np.float32)
    images = tf.function(used._accompany)(*map(tf.constant, (latents, companions, latents)))
    as_trained, as_evaluated = map(share_of_companions, images.numpy())
    assert as_trained == pytest.approx(1 / size, rel=0.1)
    assert as_evaluated == 0
