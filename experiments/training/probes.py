"""Measurements of a network on one fixed batch. None changes the network.

Every probe evaluates the network through Keras's `stateless_call`, as training would see it (batch statistics), with
all values passed in and all updates thrown away.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments.configuration.run import RunConfig
from experiments.training.activations import (
    PERCENTILES,
    by_unit,
    gram_matrix,
    largest_share,
    mean_cosine,
    percentiles_of,
    stable_rank,
)
from experiments.training.curvature import extreme_eigenvalues, hessian_product, tridiagonal
from experiments.training.seen_layers import seen_layers

FLAT_ENDS = {"saturation": 0.05, "far_saturation": 0.02}  # of a sigmoid: below, and above 1 less this
DISTANCES = np.linspace(0.5, 4, 8)  # times the learning rate, Santurkar et al. 2018, fig. 4
WEIGHT_SCALES = (0.1, 10.0)
RANK, COSINE = "representation/stable_rank", "representation/cosine"
CURVATURE = "curvature"
FROM_GRADIENTS = {"gradients", "weight_gradient_cosine", "weight_scale", "covariate_shift", "landscape"}

Tensors = list[tf.Tensor]
Metrics = dict[str, tf.Tensor]


class Probes:
    """The probes a run asks for, on its network. `measure` is meant to be compiled, `metrics` reads its result."""

    def __init__(self, config: RunConfig, network: keras.Model):
        self.asked = config.probes
        seen = seen_layers(config, network)
        self.hidden, self.batch_norms = len(seen.activations), seen.batch_norms
        self.normalizes_weights = bool(self.batch_norms) and config.model.norm.placement == "before"
        after = config.model.norm.kind != "none" and config.model.norm.placement == "after"
        last = "norm" if after else "activation"
        blocks = []
        if "representation" in self.asked and config.model.kind == "keras":
            blocks = [layer.output for layer in seen.activations]
        elif "representation" in self.asked:
            blocks = [network.get_layer(f"{last}_{i}").output for i in range(1, self.hidden + 1)]
        self._tapped = keras.Model(
            network.input,
            [network.output]
            + [layer.input for layer in seen.activations]
            + [layer.output for layer in seen.activations]
            + [layer.input for layer in self.batch_norms]
            + [layer.output for layer in self.batch_norms]
            + blocks,
        )
        self.network = network
        self._blocks, self._kernels = seen.blocks, seen.kernels

    def measure(self, x: tf.Tensor, labels: tf.Tensor, learning_rate: tf.Tensor) -> Metrics:
        """Return what the probes see on inputs x (batch, …) with the network as it is now."""
        weights = [tf.convert_to_tensor(v) for v in self.network.trainable_variables]
        results: Metrics = {}
        if FROM_GRADIENTS.isdisjoint(self.asked):
            loss, gradients, (logits, *taps) = tf.constant(np.nan), Tensors(), self._outputs(weights, x)
        else:
            loss, gradients, (logits, *taps) = self._gradients(weights, x, labels)
        pre, post, norm_in, norm_out, representations = self._parts(taps)
        if "pre_activations" in self.asked:
            results |= {f"pre_activation/{i}": by_unit(z) for i, z in enumerate(pre, start=1)}
        elif "unit_percentiles" in self.asked:
            results[f"pre_activation/{self.hidden}"] = by_unit(pre[-1])
        if "gradients" in self.asked:
            for i, kernel in enumerate(self._kernels, start=1):
                results[f"gradient_norm/{i}"] = tf.norm(gradients[kernel])
        if "weight_norms" in self.asked:
            results |= {f"weight_norm/{i}": tf.norm(weights[kernel]) for i, kernel in enumerate(self._kernels, start=1)}
        if "weight_gradient_cosine" in self.asked:
            for i, k in enumerate(self._kernels[:-1], start=1):
                results[f"weight_gradient_cosine/{i}"] = _cosine(weights[k], gradients[k])
        if "representation" in self.asked:
            for i, h in enumerate(representations, start=1):
                results |= {f"{RANK}/{i}": gram_matrix(h), f"{COSINE}/{i}": mean_cosine(h)}
            results |= {f"{name}/last": results[f"{name}/{self.hidden}"] for name in (RANK, COSINE)}
        if "first_guess" in self.asked:
            results["first_guess/share"] = largest_share(logits)
        if "saturation" in self.asked:
            for name, end in FLAT_ENDS.items():
                shares = [tf.reduce_mean(tf.cast((h < end) | (h > 1 - end), tf.float32)) for h in post]
                results |= {f"{name}/{i}": share for i, share in enumerate(shares, start=1)}
                results[f"{name}/all"] = tf.reduce_mean(shares)
        if "standardization" in self.asked and norm_in:
            results |= self._standardization(norm_in)
        if "affine_identity" in self.asked and norm_in:
            results |= self._affine_identity(norm_in)
        if "weight_scale" in self.asked and self.normalizes_weights:
            results |= self._weight_scale(weights, x, labels, gradients, norm_out)
        if "covariate_shift" in self.asked:
            results |= self._covariate_shift(weights, x, labels, gradients, learning_rate)
        if "landscape" in self.asked:
            results |= self._landscape(weights, x, labels, loss, gradients, learning_rate)
        if "curvature" in self.asked:
            results[CURVATURE] = self._curvature(weights, x, labels, learning_rate)
        return results

    def held_out(self, x: tf.Tensor, state: Tensors) -> Metrics:
        """Return what `held_out_standardization` sees on inputs x that are not trained on.

        state: the network's variables that are not trained, with the statistics by which it is read. Worst |mean| and
        |variance − σ²/(σ²+ε)| over units and layers, before γ and β, with the variance σ² that it is read by.
        """
        values = {id(v): value for v, value in zip(self.network.non_trainable_variables, state, strict=True)}
        weights = [tf.convert_to_tensor(v) for v in self.network.trainable_variables]
        means, variances = [], []
        norm_in = self._parts(self._outputs(weights, x, values)[1:])[2]
        for layer, z in zip(self.batch_norms, norm_in, strict=True):
            ones, zeros = tf.ones(z.shape[-1]), tf.zeros(z.shape[-1])
            mean, variance = _moments(_with_affine(layer, z, ones, zeros, values))
            of_population = values[id(layer.moving_variance)]
            means.append(tf.reduce_max(tf.abs(mean)))
            variances.append(tf.reduce_max(tf.abs(variance - of_population / (of_population + layer.epsilon))))
        name = "held_out_standardization"
        return {f"{name}/mean": tf.reduce_max(means), f"{name}/variance": tf.reduce_max(variances)}

    def metrics(self, measured: dict[str, np.ndarray]) -> dict[str, float]:
        """Return the metrics of a step from what `measure` saw: raw pre-activations become percentiles."""
        metrics: dict[str, float] = {}
        for name, value in measured.items():
            if name == CURVATURE:
                smallest, largest = extreme_eigenvalues(value[:2])
                times_rate = largest * float(value[2, 0])
                metrics |= {
                    f"{name}/smallest": smallest,
                    f"{name}/largest": largest,
                    f"{name}/largest_times_rate": times_rate,
                }
                continue
            if not name.startswith("pre_activation/"):
                metrics[name] = stable_rank(value) if name.startswith(RANK) else float(value)
                continue
            for p, of_units in zip(PERCENTILES, percentiles_of(value), strict=True):
                if "pre_activations" in self.asked:
                    metrics[f"{name}/p{p}"] = float(of_units.mean())
                if "unit_percentiles" in self.asked and name.endswith(f"/{self.hidden}"):
                    metrics |= {f"{name}/unit_{u:03}/p{p}": float(v) for u, v in enumerate(of_units)}
        return metrics

    def _outputs(self, weights: Tensors, x: tf.Tensor, state: dict[int, tf.Tensor] | None = None) -> Tensors:
        """Outputs and taps in training or, by the values of `state`, in inference."""
        statistics = _values_of(self._tapped.non_trainable_variables, state)
        by_variable = {id(v): w for v, w in zip(self.network.trainable_variables, weights, strict=True)}
        values = [by_variable[id(v)] for v in self._tapped.trainable_variables]
        outputs, _ = self._tapped.stateless_call(values, statistics, x, training=state is None)
        return tf.nest.flatten(outputs)  # a single one comes without a list

    def _gradients(self, weights: Tensors, x: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, Tensors, Tensors]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            outputs = self._outputs(weights, x)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs[0]))
        return loss, tape.gradient(loss, weights), outputs

    def _parts(self, taps: Tensors) -> tuple[Tensors, Tensors, Tensors, Tensors, Tensors]:
        """Inputs and outputs of the activations, then of the batch normalizations; what each block hands on."""
        n, norms = self.hidden, len(self.batch_norms)
        of_blocks = 2 * n + 2 * norms
        return (
            taps[:n],
            taps[n : 2 * n],
            taps[2 * n : 2 * n + norms],
            taps[2 * n + norms : of_blocks],
            taps[of_blocks:],
        )

    def _standardization(self, norm_in: Tensors) -> Metrics:
        """Worst |mean| and |variance − σ²/(σ²+ε)| over units and layers, before γ and β."""
        means, variances = [], []
        for layer, z in zip(self.batch_norms, norm_in, strict=True):
            ones, zeros = tf.ones(z.shape[-1]), tf.zeros(z.shape[-1])
            mean, variance = _moments(_with_affine(layer, z, ones, zeros))
            _, raw = _moments(z)
            means.append(tf.reduce_max(tf.abs(mean)))
            variances.append(tf.reduce_max(tf.abs(variance - raw / (raw + layer.epsilon))))
        return {"standardization/mean": tf.reduce_max(means), "standardization/variance": tf.reduce_max(variances)}

    def _affine_identity(self, norm_in: Tensors) -> Metrics:
        """Largest |BN(z) − z| / max|z| with γ = √(σ²+ε) and β = μ. Ioffe & Szegedy 2015, §3."""
        errors = []
        for layer, z in zip(self.batch_norms, norm_in, strict=True):
            mean, variance = _moments(z)
            restored = _with_affine(layer, z, tf.sqrt(variance + layer.epsilon), mean)
            errors.append(tf.reduce_max(tf.abs(restored - z)) / tf.reduce_max(tf.abs(z)))
        return {"affine_identity/error": tf.reduce_max(errors)}

    def _weight_scale(
        self, weights: Tensors, x: tf.Tensor, labels: tf.Tensor, gradients: Tensors, norm_out: Tensors
    ) -> Metrics:
        """Largest relative error of BN(aWu) = BN(Wu) and of ∂L/∂(aW) = ∂L/∂W / a. Ioffe & Szegedy 2015, §3.3."""
        errors = []
        for layer, kernel in enumerate(self._kernels[: self.hidden]):
            for a in WEIGHT_SCALES:
                scaled = [a * w if i == kernel else w for i, w in enumerate(weights)]
                _, scaled_gradients, (_, *taps) = self._gradients(scaled, x, labels)
                errors.append(_relative(self._parts(taps)[3][layer], norm_out[layer]))
                errors.append(_relative(a * scaled_gradients[kernel], gradients[kernel]))
        return {"weight_scale/error": tf.reduce_max(errors)}

    def _covariate_shift(
        self, weights: Tensors, x: tf.Tensor, labels: tf.Tensor, gradients: Tensors, learning_rate: tf.Tensor
    ) -> Metrics:
        """Change of each layer's gradient when the layers below take their step. Santurkar et al. 2018, §2.2, def. 2.1.

        Mean over the layers from the second of ‖G − G′‖₂/‖G‖₂ and of cos(G, G′).
        """
        changes, cosines = [], []
        for block in range(2, len(self._kernels) + 1):
            stepped = [
                w - learning_rate * g if below < block else w
                for w, g, below in zip(weights, gradients, self._blocks, strict=True)
            ]
            _, after, _ = self._gradients(stepped, x, labels)
            kernel = self._kernels[block - 1]
            before, now = gradients[kernel], after[kernel]
            changes.append(tf.norm(before - now) / tf.norm(before))
            cosines.append(_cosine(before, now))
        return {"covariate_shift/change": tf.reduce_mean(changes), "covariate_shift/cosine": tf.reduce_mean(cosines)}

    def _landscape(
        self,
        weights: Tensors,
        x: tf.Tensor,
        labels: tf.Tensor,
        loss: tf.Tensor,
        gradients: Tensors,
        learning_rate: tf.Tensor,
    ) -> Metrics:
        """Loss and gradient along the gradient, on one batch. Santurkar et al. 2018, fig. 4.

        Range of the loss over the step lengths; largest ‖∇L(w) − ∇L(w + Δ)‖₂; effective β-smoothness, the largest
        ‖∇L(w) − ∇L(w + Δ)‖₂/‖Δ‖₂; and the last times ‖w‖², as batch normalization makes the scale of w arbitrary.
        """
        length = tf.linalg.global_norm(gradients)

        def at(distance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            moved = [w - distance * g for w, g in zip(weights, gradients, strict=True)]
            there, slopes, _ = self._gradients(moved, x, labels)
            return there, tf.linalg.global_norm([a - b for a, b in zip(slopes, gradients, strict=True)])

        distances = learning_rate * tf.constant(DISTANCES, tf.float32)
        losses, changes = tf.map_fn(at, distances, fn_output_signature=(tf.float32, tf.float32))
        losses = tf.concat([losses, [loss]], axis=0)
        smoothness = tf.reduce_max(changes / (distances * length))
        return {
            "landscape/loss_range": tf.reduce_max(losses) - tf.reduce_min(losses),
            "landscape/gradient_change": tf.reduce_max(changes),
            "landscape/smoothness": smoothness,
            "landscape/smoothness_times_squared_norm": smoothness * tf.linalg.global_norm(weights) ** 2,
        }

    def _curvature(self, weights: Tensors, x: tf.Tensor, labels: tf.Tensor, learning_rate: tf.Tensor) -> tf.Tensor:
        """What Lanczos iteration finds of the loss's Hessian by all weights, and the rate, (3, products)."""
        product = hessian_product(lambda at: self._gradients(at, x, labels)[1], weights)
        found = tridiagonal(product, sum(w.shape.num_elements() for w in weights))
        return tf.concat([found, tf.fill((1, found.shape[1]), learning_rate)], axis=0)


def _moments(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.nn.moments(z, axes=list(range(len(z.shape) - 1)))


def _values_of(variables: list[keras.Variable], state: dict[int, tf.Tensor] | None) -> Tensors:
    """The values of variables that `state` has by their identity; without it those they have."""
    return [tf.convert_to_tensor(v) if state is None else state[id(v)] for v in variables]


def _with_affine(
    layer: keras.Layer, z: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, state: dict[int, tf.Tensor] | None = None
) -> tf.Tensor:
    """Apply a batch normalization to z with another γ and β, where it has them: as `Probes._outputs` has it."""
    others: dict[str, Any] = {"gamma": gamma, "beta": beta}
    values = [others[v.name] for v in layer.trainable_variables]
    statistics = _values_of(layer.non_trainable_variables, state)
    output, _ = layer.stateless_call(values, statistics, z, training=state is None)
    return output


def _cosine(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Cosine between two tensors of one shape, as vectors."""
    return tf.tensordot(tf.reshape(a, [-1]), tf.reshape(b, [-1]), 1) / (tf.norm(a) * tf.norm(b))


def _relative(found: tf.Tensor, expected: tf.Tensor) -> tf.Tensor:
    """‖found − expected‖ / ‖expected‖, both euclidean."""
    return tf.norm(found - expected) / tf.norm(expected)
