"""Batch normalization as a Keras layer: arguments, weights, and which statistics a call uses and updates.

The mathematics is in `equations`, the fast kernel in `kernels`, masks and virtual batches in `layout`. Deviations from
Ioffe & Szegedy 2015, all shared with the stock layer: the moving variance averages the biased σ² (the paper multiplies
by m/(m−1) for inference, section 3.1); ε is 1e-3; `momentum` is the share of the old value that is kept.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from custom_layers import averaging, equations, kernels, layout
from custom_layers.arguments import checked_axis, checked_between, checked_clipping, checked_size
from custom_layers.equations import Moments

RELAXED_R, RELAXED_D = 3.0, 5.0  # the limits of r and d at the end of `renorm_relaxation`: Ioffe 2017, section 4.1


@keras.saving.register_keras_serializable(package="custom_layers")  # saved by this name: what to import
@keras.saving.register_keras_serializable(package="batchnorm_lab")  # the name in older files
class BatchNormalization(keras.layers.BatchNormalization):
    """Drop-in for `keras.layers.BatchNormalization`: its arguments, defaults, weights and meaning, and five more.

    Only the handling of arguments is inherited; what is computed is written here from the paper's equations.

    axis: the channel axis, or a sequence of axes, each combination of whose indices is a channel of its own.
    momentum: share of the old moving statistics kept at a step; None for their plain average over all steps so far.
    virtual_batch_size: in training, normalize each run of that many consecutive rows by its own statistics ("ghost
        batches", Hoffer et al. 2017); the last may be shorter. Moving statistics take the average, weighted by count.
    renorm_relaxation: the training steps over which renormalization takes the place of plain batch normalization: the
        limits of r go from 1 to 3 and 1/3, that of d from 0 to 5 (Ioffe 2017, section 4.1, there in two ramps).
    debiased: keep the moving statistics free of what they start from, as Adam does: the first batch is taken up whole.

    A mask covers the positions that count for the statistics: the inputs' shape without the channel axis, or
    broadcastable to all of it. All positions are normalized. A channel without any value leaves its moving statistics
    as they were. The moving statistics are float32 at least; they carry no gradient. Inputs keep their precision until
    they are normalized, whatever the compute dtype. They may be ragged along axes that hold no channels.

    Under a distribution strategy the replicas' moving statistics are averaged at each step. Where replicas cannot meet,
    in a loop, a branch or an inner tf.function, as in the cell of an RNN, each goes on from its own, and what is read,
    saved or shown outside is their average; the next step outside of a loop makes them one again. With `synchronized`
    the batch statistics are common too, which needs a place where replicas meet, as with the stock layer.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        momentum: float | None = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        virtual_batch_size: int | None = None,
        renorm_relaxation: int | None = None,
        debiased: bool = False,
        **kwargs: Any,
    ) -> None:
        axis = checked_axis(axis)
        if momentum is not None:
            momentum = checked_between("momentum", momentum, 0, 1, " or None")
        epsilon = checked_between("epsilon", epsilon, 0, math.inf)
        renorm_momentum = checked_between("renorm_momentum", renorm_momentum, 0, 1)
        if renorm and renorm_clipping:
            renorm_clipping = checked_clipping(renorm_clipping)
        if virtual_batch_size is not None:
            virtual_batch_size = checked_size("virtual_batch_size", virtual_batch_size)
            if renorm or synchronized:
                raise ValueError(
                    f"virtual_batch_size: must be None together with renorm or synchronized, got {virtual_batch_size}"
                )
        if renorm_relaxation is not None:
            renorm_relaxation = checked_size("renorm_relaxation", renorm_relaxation)
            if renorm_clipping or not renorm:
                raise ValueError("renorm_relaxation: needs renorm, whose limits it sets: leave renorm_clipping out")
        if debiased and momentum in (None, 1):
            raise ValueError(f"debiased: needs a momentum below 1, got {momentum}; None has no bias by itself")
        super().__init__(
            momentum=0 if momentum is None else momentum,
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer,
            moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            renorm=renorm,
            renorm_clipping=renorm_clipping,
            renorm_momentum=renorm_momentum,
            synchronized=synchronized,
            **{"autocast": False, **kwargs},  # the layer casts for itself, upwards
        )
        self.axis = axis
        self.momentum = momentum
        self.virtual_batch_size = virtual_batch_size
        self.renorm_relaxation = renorm_relaxation
        self.debiased = debiased

    def get_config(self) -> dict[str, Any]:
        """Configuration; the stock layer can be made from it unless it uses what the stock layer does not have."""
        config = {**super().get_config(), "axis": self.axis}
        if not isinstance(self.axis, int):
            config["axes"] = list(config.pop("axis"))  # Keras leaves out an "axis" of several when it loads .h5 files
        if self.virtual_batch_size is not None:
            config["virtual_batch_size"] = self.virtual_batch_size
        if self.renorm_relaxation is not None:
            config["renorm_relaxation"] = self.renorm_relaxation
        if self.debiased:
            config["debiased"] = True
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BatchNormalization":
        """Layer of that configuration, the stock layer's too."""
        axes = config.get("axes")
        return super().from_config(
            config if axes is None else {"axis": axes} | {key: config[key] for key in config if key != "axes"}
        )

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates the weights: (channels,) for one axis, else the sizes of the channel axes in ascending order."""
        rank = len(input_shape)
        given = (self.axis,) if isinstance(self.axis, int) else self.axis
        axes = sorted(axis % rank for axis in given if -rank <= axis < rank)
        if len(set(axes)) < len(given):
            raise ValueError(f"axis: must be different axes of the input shape {tuple(input_shape)}, got {self.axis}")
        shape = tuple(input_shape[axis] for axis in axes)
        if None in shape:
            raise ValueError(f"axis: needs a known size in the input shape {tuple(input_shape)}, got {self.axis}")
        if self.virtual_batch_size is not None and 0 in axes:
            raise ValueError(f"virtual_batch_size: axis must not hold the batch axis 0, got {self.axis}")
        self._channel_axes = tuple(axes)
        self._reduced_axes = tuple(axis for axis in range(rank) if axis not in axes)
        self._spread_shape = tuple(input_shape[axis] if axis in axes else 1 for axis in range(axes[0], rank))
        self._statistics_dtype = keras.backend.result_type(self.variable_dtype, "float32")

        def parameter(name: str) -> keras.Variable:
            roles = ("initializer", "regularizer", "constraint")
            options = {role: getattr(self, f"{name}_{role}") for role in roles}
            return self.add_weight(shape=shape, name=name, autocast=False, **options)

        def statistic(initializer: Any, name: str) -> keras.Variable:
            over_replicas = {"synchronization": "on_read", "aggregation": "mean"}
            options = {"shape": shape, "dtype": self._statistics_dtype, "trainable": False, "autocast": False}
            return keras.Variable(initializer, name=name, **options, **over_replicas)

        def initial_deviation(shape: tuple[int, ...], dtype: str) -> tf.Tensor:
            return keras.ops.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

        if self.scale:
            self.gamma = parameter("gamma")
        if self.center:
            self.beta = parameter("beta")
        self.moving_mean = statistic(self.moving_mean_initializer, "moving_mean")
        self.moving_variance = statistic(self.moving_variance_initializer, "moving_variance")
        if self.renorm:
            self.moving_stddev = statistic(initial_deviation, "moving_stddev")
            self.renorm_mean = statistic(self.moving_mean_initializer, "renorm_mean")
            self.renorm_stddev = statistic(initial_deviation, "renorm_stddev")
        if self.renorm_relaxation is not None:
            self.renorm_steps = statistic("zeros", "renorm_steps")
        if self.momentum is None or self.debiased:
            self.batches_seen = statistic("zeros", "batches_seen")
        self.input_spec = keras.layers.InputSpec(ndim=rank, axes=dict(zip(axes, shape, strict=True)))

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None) -> tf.Tensor:
        """Normalized inputs, in the compute dtype."""
        if isinstance(inputs, tf.RaggedTensor):
            x, mask = layout.padded(inputs, mask, self._channel_axes)
            return layout.ragged_like(inputs, BatchNormalization.call(self, x, training, mask))
        x = tf.cast(inputs, self._statistics_dtype)
        mask = None if mask is None else layout.align_mask(tf.convert_to_tensor(mask), x, self._channel_axes)
        gamma = self._read(self.gamma) if self.scale else tf.ones(self.moving_mean.shape, x.dtype)
        beta = self._read(self.beta) if self.center else tf.zeros(self.moving_mean.shape, x.dtype)
        if training and self.trainable:
            y = self._normalize_by_batch(x, gamma, beta, mask)
        else:
            statistics = (tf.stop_gradient(self._read(v)) for v in (self.moving_mean, self.moving_variance))
            given = (*statistics, gamma, beta)
            stateless = not isinstance(self.moving_mean.value, tf.Variable)  # so no converter folds it into weights
            size = kernels.positions_of_row(x, self._reduced_axes) if stateless else 1
            if size > 1:
                y = equations.affine_in_rows(x, given, self.epsilon, size)
            else:
                mean, variance, gamma, beta = map(self._spread, given)
                y = equations.affine(x, mean, variance, gamma, beta, self.epsilon)
        return tf.cast(y, self.compute_dtype)

    def _normalize_by_batch(self, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        plain = mask is None and not (self.renorm or self.synchronized or self.virtual_batch_size)
        fused = plain and kernels.prefers_fused(x, self._reduced_axes)
        if fused and not kernels.in_forward_mode(x, gamma, beta):
            y, batch = kernels.fused_training(x, gamma, beta, self.epsilon)
            self._update_moving_statistics(x, batch, mask)
            return y
        values, axes, replica_sum = x, self._reduced_axes, None
        if self.virtual_batch_size is not None:
            values, mask = layout.split_rows(x, mask, self.virtual_batch_size)
            axes = tuple(axis + 1 for axis in axes)
        elif mask is None and kernels.prefers_rows(axes):
            values, axes = tf.reshape(x, [-1, *gamma.shape]), (0,)
        if self.synchronized and (replicas := tf.distribute.get_replica_context()):
            replica_sum = functools.partial(replicas.all_reduce, tf.distribute.ReduceOp.SUM)
        if plain and (size := kernels.positions_of_row(x, axes)) > 1:
            y, batch = equations.normalize_in_rows(x, gamma, beta, self.epsilon, size)
        else:
            batch = equations.moments(values, axes, mask, replica_sum)
            if self.renorm:
                gamma, beta = self._renormalized(batch, gamma, beta)
            over = axes, mask, replica_sum
            y = equations.normalize(values, self._spread(gamma), self._spread(beta), batch, self.epsilon, *over)
        self._update_moving_statistics(x, batch, mask)
        if self.virtual_batch_size is not None:
            return layout.join_rows(y, x)
        y = y if values is x else tf.reshape(y, tf.shape(x))
        y.set_shape(x.shape)
        return y

    def _renormalized(self, batch: Moments, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """γ and β of batch renormalization, (x̂ r + d) γ + β with r and d held constant (Ioffe 2017, section 3)."""
        mean = tf.reshape(batch.mean, gamma.shape)
        deviation = tf.sqrt(tf.reshape(batch.variance, gamma.shape) + self.epsilon)
        long_term = tf.maximum(self._read(self.renorm_stddev), self.epsilon**0.5)
        rmin, rmax, dmax = self._renorm_limits(mean.dtype)
        r = tf.clip_by_value(deviation / long_term, rmin, rmax)
        d = tf.clip_by_value((mean - self._read(self.renorm_mean)) / long_term, -dmax, dmax)
        r, d = tf.stop_gradient(r), tf.stop_gradient(d)
        return r * gamma, d * gamma + beta

    def _renorm_limits(self, dtype: tf.DType) -> tuple[tf.Tensor | float, tf.Tensor | float, tf.Tensor | float]:
        """Least and largest r, and largest |d|."""
        if self.renorm_relaxation is not None:
            share = tf.minimum(self._read(self.renorm_steps) / self.renorm_relaxation, 1.0)
            rmax = 1 + (RELAXED_R - 1) * share
            return 1 / rmax, rmax, RELAXED_D * share
        given = self.renorm_clipping or {}
        largest = dtype.max  # not inf, which tf.debugging.enable_check_numerics finds among a graph's constants
        rmax, dmax = (min(given.get(key, largest), largest) for key in ("rmax", "dmax"))
        return given.get("rmin", 0.0), rmax, dmax

    def _update_moving_statistics(self, x: tf.Tensor, batch: Moments, mask: tf.Tensor | None) -> None:
        count, mean, variance = equations.averaged(batch, self.moving_mean.shape)
        certain = mask is None and 0 not in x.shape and None not in [x.shape[a] for a in self._reduced_axes]

        def assign(variable: keras.Variable, old: tf.Tensor, new: tf.Tensor) -> tf.Tensor:
            return variable.assign(averaging.mean_over_replicas(new if certain else tf.where(count > 0, new, old)))

        def move(variable: keras.Variable, value: tf.Tensor, momentum: tf.Tensor | float) -> tf.Tensor:
            old = self._read(variable)
            return assign(variable, old, old * momentum + tf.stop_gradient(value) * (1 - momentum))

        momentum = self.momentum
        if momentum is None or self.debiased:
            seen = self._read(self.batches_seen)
            momentum = averaging.share_kept(momentum, seen)
            assign(self.batches_seen, seen, seen + 1)
        move(self.moving_mean, mean, momentum)
        if not self.renorm:
            move(self.moving_variance, variance, momentum)
            return
        deviation = tf.sqrt(variance + self.epsilon)
        if self.renorm_relaxation is not None:
            steps = self._read(self.renorm_steps)
            assign(self.renorm_steps, steps, steps + 1)
        move(self.renorm_mean, mean, self.renorm_momentum)
        move(self.renorm_stddev, deviation, self.renorm_momentum)
        moving_stddev = move(self.moving_stddev, deviation, momentum)
        updated = tf.nn.relu(tf.square(moving_stddev) - self.epsilon)  # rounding may take it below 0
        assign(self.moving_variance, self._read(self.moving_variance), updated)

    def _read(self, variable: keras.Variable) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(variable), self._statistics_dtype)

    def _spread(self, statistic: tf.Tensor) -> tf.Tensor:
        """Statistic or parameter with ones for the reduced axes behind channels, so that it broadcasts against x."""
        return statistic if statistic.shape == self._spread_shape else tf.reshape(statistic, self._spread_shape)
