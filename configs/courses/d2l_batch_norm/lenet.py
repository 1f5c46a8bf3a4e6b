"""LeNet of the lesson, and what its exercises change in it.

Zhang et al. 2023, section 8.5: two convolutions and two dense layers, each followed by batch normalization and a
sigmoid; no padding; average pooling; Glorot weights; a bias everywhere, in front of normalization, too.
"""

from collections.abc import Callable

import keras

Normalization = Callable[[], keras.layers.Layer]  # makes a new layer, an identity where there is to be none
Shape = tuple[int, ...]  # of an image: height, width, channels


def lenet(input_shape: Shape, classes: int, normalization: Normalization) -> keras.Model:
    """Return the network of the lesson."""
    return _lenet(input_shape, classes, in_convolutions=normalization, in_dense=normalization)


def without_bias(input_shape: Shape, classes: int, normalization: Normalization) -> keras.Model:
    """Exercise 1: no bias in front of batch normalization."""
    return _lenet(input_shape, classes, in_convolutions=normalization, in_dense=normalization, bias=False)


def convolutions_only(input_shape: Shape, classes: int, normalization: Normalization) -> keras.Model:
    """Exercise 3: batch normalization after the convolutions alone."""
    return _lenet(input_shape, classes, in_convolutions=normalization, in_dense=keras.layers.Identity)


def dense_only(input_shape: Shape, classes: int, normalization: Normalization) -> keras.Model:
    """Exercise 3: batch normalization after the dense layers alone."""
    return _lenet(input_shape, classes, in_convolutions=keras.layers.Identity, in_dense=normalization)


def with_dropout(input_shape: Shape, classes: int, normalization: Normalization) -> keras.Model:
    """Exercise 6: half of the outputs of each dense hidden layer dropped in training."""
    return _lenet(input_shape, classes, in_convolutions=normalization, in_dense=normalization, dropout=0.5)


def max_pooling(input_shape: Shape, classes: int, normalization: Normalization) -> keras.Model:
    """As an earlier edition had it in this lesson, and not in the lesson on LeNet that it was compared with."""
    pooling = keras.layers.MaxPooling2D
    return _lenet(input_shape, classes, in_convolutions=normalization, in_dense=normalization, pooling=pooling)


def _lenet(
    input_shape: Shape,
    classes: int,
    in_convolutions: Normalization,
    in_dense: Normalization,
    bias: bool = True,
    pooling: type[keras.layers.Layer] = keras.layers.AveragePooling2D,
    dropout: float = 0.0,
) -> keras.Model:
    x = inputs = keras.Input(input_shape)
    for filters in (6, 16):
        x = keras.layers.Conv2D(filters, kernel_size=5, use_bias=bias)(x)
        x = keras.layers.Activation("sigmoid")(in_convolutions()(x))
        x = pooling(pool_size=2)(x)
    x = keras.layers.Flatten()(x)
    for units in (120, 84):
        x = keras.layers.Dense(units, use_bias=bias)(x)
        x = keras.layers.Activation("sigmoid")(in_dense()(x))
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(x))
