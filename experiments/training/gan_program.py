"""How are a generator and a discriminator trained without Python in the loop?

As `program`, whose life it has: compiled once, reset for each run; seeds, learning rates, initial weights, images and
latents are values that it is given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from experiments.configuration.run import RunConfig
from experiments.training.datasets import Dataset
from experiments.training.optimizers import build_optimizer
from experiments.training.readings import Readings
from experiments.training.suitability import require_fit
from models.gan import build_discriminator, build_generator
from models.initialization import initial_kernels

LOOKED_AT = 1000  # generated images at an evaluation, and latents that population statistics are taken from
LATENTS, SETS = 64, 8  # of how many images the share of companions is told, each in so many batches
OTHER_KERNELS = 2**32  # added to a run's seed, which is below: the discriminator's weights are no run's generator's


class GanProgram:
    """The compiled training of all runs of a section `gan` with one `RunConfig.program_key()`."""

    def __init__(self, config: RunConfig, dataset: Dataset):
        require_fit(config, dataset.facts)
        assert config.gan
        self.dataset, self.binarize = dataset, config.dataset.binarize
        shape = dataset.features.shape[1:]
        self.generator = build_generator(config.model, config.gan.latent, shape)
        self.discriminator = build_discriminator(config.gan.discriminator, shape)
        self.mixed = config.gan.batches == "mixed"
        self.networks = (self.generator, self.discriminator)
        self.optimizers = tuple(build_optimizer(config.optimizer) for _ in self.networks)
        for optimizer, network in zip(self.optimizers, self.networks, strict=True):
            optimizer.build(network.trainable_variables)
        self._built = [(v, v.numpy()) for owner in (*self.networks, *self.optimizers) for v in owner.variables]
        self.readings = Readings(config, self.generator)
        compiled = tf.function(jit_compile=config.uses_xla)
        self._steps: Callable[..., tf.Tensor] = compiled(self._take_steps)
        self._generated: Callable[..., tf.Tensor] = compiled(self._generate)
        self._accompanied: Callable[..., tf.Tensor] = compiled(self._accompany)
        self._compile(config, config.gan.latent)

    def _compile(self, config: RunConfig, latent: int) -> None:
        """Compile all that a run calls, by calling it; `reset` undoes what that changes."""
        batch = config.dataset.batch_size
        looked_at, companions = _zeros(LOOKED_AT, latent), _zeros(LATENTS, SETS, batch - 1, latent)
        if config.steps:
            images = _zeros(config.evaluate_every, batch, *self.dataset.features.shape[1:])
            self.take_steps(images, _zeros(config.evaluate_every, batch, latent), _zeros(config.evaluate_every))
        self.generate(looked_at, looked_at)
        self.accompanied(looked_at[:LATENTS], companions, looked_at)

    def reset(self, config: RunConfig) -> None:
        """Give every variable the value it has before the first step of a run."""
        assert config.gan
        for variable, value in self._built:
            variable.value.assign(value)  # not through Keras, which takes three times as long
        states = [v for network in self.networks for v in network.non_trainable_variables]
        for i, state in enumerate(v for v in states if v.name == "seed_generator_state"):
            state.assign([config.seed, i])
        kernels = initial_kernels(self.generator, config.model, config.seed)
        kernels += initial_kernels(self.discriminator, config.gan.discriminator, config.seed + OTHER_KERNELS)
        for kernel, value in kernels:
            kernel.value.assign(value)
        self.readings.reset()

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Return real images (examples, height, width, channels), as the discriminator sees them."""
        pixels = self.dataset.features[indices].astype(np.float32) / np.float32(self.dataset.unit)
        return (pixels > 0.5).astype(np.float32) if self.binarize else pixels

    def take_steps(self, images: np.ndarray, latents: np.ndarray, rates: np.ndarray) -> np.ndarray:
        """Take a step for each row of images (steps, batch, …) and latents (steps, batch, latent).

        rates: of each step, (steps,), for both networks.

        Return the losses of discriminator and generator, (steps, 2), in nats.
        """
        losses: np.ndarray = self._steps(*map(tf.constant, (images, latents, rates))).numpy()
        return losses

    def generate(self, latents: np.ndarray, population: np.ndarray) -> np.ndarray:
        """Return images of latents (images, latent) by each reading, (readings, images, height, width, channels).

        population: other latents, that population statistics are taken from.
        """
        images: np.ndarray = self._generated(tf.constant(latents), tf.constant(population)).numpy()
        return images

    def accompanied(self, latents: np.ndarray, companions: np.ndarray, population: np.ndarray) -> np.ndarray:
        """Return the image of each of latents (latents, latent) in a batch with each set of its companions.

        companions: (latents, sets, batch − 1, latent). First as in training, then as the evaluation reads the
        generator: (2, latents, sets, height, width, channels).
        """
        inputs = map(tf.constant, (latents, companions, population))
        images: np.ndarray = self._accompanied(*inputs).numpy()
        return images

    def _take_steps(self, images: tf.Tensor, latents: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        losses = tf.TensorArray(tf.float32, images.shape[0], element_shape=(2,))
        for i in tf.range(images.shape[0]):
            for optimizer in self.optimizers:
                optimizer.learning_rate.value.assign(rates[i])
            before = self.readings.before_step()
            losses = losses.write(i, tf.stack(self._step(images[i], latents[i])))
            self.readings.follow(before)
        return losses.stack()

    def _step(self, real: tf.Tensor, latents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Move the discriminator, then the generator against it, by the same images. Return their losses.

        −log D(x) − log(1 − D(G(z))) and, not saturating, −log D(G(z)): Goodfellow et al. 2014, section 3.
        """
        of_generator, of_discriminator = (network.trainable_variables for network in self.networks)
        with tf.GradientTape() as outer:
            made = self.generator(latents, training=True)
            with outer.stop_recording():
                with tf.GradientTape() as inner:
                    logits_real, logits_made = self._judged(real, made)
                    loss = tf.reduce_mean(tf.nn.softplus(-logits_real)) + tf.reduce_mean(tf.nn.softplus(logits_made))
                self.optimizers[1].apply(inner.gradient(loss, of_discriminator), of_discriminator)
            generators_loss = tf.reduce_mean(tf.nn.softplus(-self._judged(real, made)[1]))
        self.optimizers[0].apply(outer.gradient(generators_loss, of_generator), of_generator)
        return loss, generators_loss

    def _judged(self, real: tf.Tensor, made: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Logits of real images and of generated ones, (batch,) each."""
        if self.mixed:
            logits = self.discriminator(tf.concat([real, made], axis=0), training=True)
            return logits[: real.shape[0]], logits[real.shape[0] :]
        return self.discriminator(real, training=True), self.discriminator(made, training=True)

    def _generate(self, latents: tf.Tensor, population: tf.Tensor) -> tf.Tensor:
        return tf.stack([self._image(state, latents) for state in self._states(population)])

    def _accompany(self, latents: tf.Tensor, companions: tf.Tensor, population: tf.Tensor) -> tf.Tensor:
        state = [tf.convert_to_tensor(v) for v in self.generator.non_trainable_variables]
        evaluated = self._states(population)[0]

        def of_first(batch: tf.Tensor) -> tf.Tensor:
            return tf.stack([self._image(state, batch, training=True)[0], self._image(evaluated, batch)[0]])

        alone = tf.repeat(latents[:, tf.newaxis, tf.newaxis], companions.shape[1], axis=1)
        batches = tf.concat([alone, companions], axis=2)  # (latents, sets, batch, latent)
        images = tf.map_fn(of_first, tf.reshape(batches, (-1, *batches.shape[2:])))
        return tf.reshape(tf.stack(tf.unstack(images, axis=1)), (2, *companions.shape[:2], *images.shape[2:]))

    def _states(self, population: tf.Tensor) -> list[list[tf.Tensor]]:
        """What the generator holds beside its weights, by each reading."""
        statistics = self.readings.statistics(population if self.readings.recomputes else None)
        return [self.readings.state(of_reading) for of_reading in statistics]

    def _image(self, state: list[tf.Tensor], latents: tf.Tensor, training: bool = False) -> tf.Tensor:
        weights = [tf.convert_to_tensor(v) for v in self.generator.trainable_variables]
        images, _ = self.generator.stateless_call(weights, state, latents, training=training)
        return images


def _zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)
