"""How sharply is the loss curved? Extreme eigenvalues of its Hessian, by Lanczos iteration.

Golub & Van Loan, *Matrix Computations*, 4th ed., §10.1; of networks as in Yao et al. 2020 (PyHessian), §3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

PRODUCTS = 20  # with the Hessian, after which the outermost eigenvalues hardly move
START = (2020, 20)  # seed of the first direction, the same at every step


def hessian_product(
    gradients: Callable[[list[tf.Tensor]], list[tf.Tensor]], weights: list[tf.Tensor]
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what multiplies a vector, all weights behind each other, by the Hessian of a function at `weights`.

    gradients: of the function, by each of the weights it is given.
    """

    def product(direction: tf.Tensor) -> tf.Tensor:
        parts = tf.split(direction, [w.shape.num_elements() for w in weights])
        parts = [tf.reshape(part, w.shape) for part, w in zip(parts, weights, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            first = gradients(weights)
        second = tape.gradient(first, weights, parts, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return tf.concat([tf.reshape(part, [-1]) for part in second], axis=0)

    return product


def tridiagonal(product: Callable[[tf.Tensor], tf.Tensor], size: int, products: int = PRODUCTS) -> tf.Tensor:
    """Return diagonal and off-diagonal, (2, products), of a symmetric matrix in the space of its first products.

    product: the matrix times a vector (size,). Every direction is made orthogonal to all before it, twice, as rounding
    would bring them back. Beyond the size of the matrix, or where directions are used up, both are zero.
    """
    products = min(products, size)
    first = tf.random.stateless_normal((size,), START)
    directions = tf.scatter_nd([[0]], [first / tf.norm(first)], (products + 1, size))
    found = tf.zeros((2, products))

    def multiplied(i: tf.Tensor, directions: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image = product(directions[i])
        along = tf.tensordot(image, directions[i], 1)
        rest = image
        for _ in range(2):
            rest -= tf.linalg.matvec(directions, tf.linalg.matvec(directions, rest), transpose_a=True)
        length = tf.norm(rest)
        used_up = length <= 1e-6 * tf.norm(image)
        following = tf.where(used_up, tf.zeros_like(rest), tf.math.divide_no_nan(rest, length))
        directions = tf.tensor_scatter_nd_update(directions, [[i + 1]], [following])
        beside = tf.where(used_up, 0.0, length)
        return i + 1, directions, tf.tensor_scatter_nd_update(found, [[0, i], [1, i]], [along, beside])

    return tf.while_loop(lambda i, *_: i < products, multiplied, (tf.constant(0), directions, found))[2]


def extreme_eigenvalues(found: np.ndarray) -> tuple[float, float]:
    """Return the smallest and the largest eigenvalue of what `tridiagonal` found; nan where it is not finite."""
    if not np.isfinite(found).all():
        return np.nan, np.nan
    diagonal, beside = found.astype(np.float64)
    used = int(np.argmin(beside)) + 1 if (beside == 0).any() else len(diagonal)
    diagonal, beside = diagonal[:used], beside[: used - 1]
    values = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
    return float(values[0]), float(values[-1])
