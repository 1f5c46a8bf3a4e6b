"""Derivatives beyond the gradient: in forward mode, of second and third order, and one in the other."""

import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization, kernels

EPSILON = 1e-3
PLAIN, ROWS, KERNEL = (12, 5), (40, 8, 8, 5), (20, 14, 14, 32)


@pytest.fixture(autouse=True)
def _with_the_kernel(monkeypatch):
    monkeypatch.setattr(kernels, "onednn_is_on", lambda: True)


def test_one_shape_is_for_the_plain_operations_one_for_their_rows_and_one_for_the_kernel():
    inputs = [(tf.zeros(shape), tuple(range(len(shape) - 1))) for shape in (PLAIN, ROWS, KERNEL)]
    assert [kernels.prefers_fused(*one) for one in inputs] == [False, False, True]
    assert [kernels.positions_of_row(*one) for one in inputs[:2]] == [1, 20]


class Case:
    """A layer of known γ and β = 0, and ℓ(x) = Σ w sin(y): its gradient and that by γ in NumPy, float64."""

    def __init__(self, shape, training=True, mean=1.0, mask=False, **options):
        rng = np.random.default_rng(0)
        self.x, self.tangent, self.w = (rng.normal(size=shape) for _ in range(3))
        self.x = np.float32(self.x + mean)
        self.gamma = np.linspace(0.5, 2, shape[-1])
        self.training, self.axes = training, tuple(range(len(shape) - 1))
        self.mask = tf.constant(rng.random(shape[0]) < 0.6) if mask else None
        self.layer = BatchNormalization(**options)
        self.layer.build((None, *shape[1:]))
        self.layer.gamma.assign(self.gamma)

    def constants(self):
        return tf.constant(self.x, self.layer.dtype), tf.constant(self.tangent, self.layer.dtype)

    def loss(self, x):
        y = self.layer(x, training=self.training, mask=self.mask)
        return tf.reduce_sum(tf.sin(y) * tf.constant(self.w, y.dtype))

    def gradients(self, x, gamma=None):
        """∂ℓ/∂x and ∂ℓ/∂γ at float64 x, by the paper's equations."""
        gamma = self.gamma if gamma is None else gamma
        if self.training:
            mean, variance = x.mean(self.axes), x.var(self.axes)
        else:
            mean, variance = 0.0, 1.0
        r = 1 / np.sqrt(variance + EPSILON)
        x_hat = (x - mean) * r
        dy = self.w * np.cos(gamma * x_hat)
        d_gamma = (dy * x_hat).sum(self.axes)
        through = dy.mean(self.axes) + x_hat * (dy * x_hat).mean(self.axes) if self.training else 0.0
        return gamma * r * (dy - through), d_gamma

    def slope(self, step=0.0):
        """∂ℓ/∂t at x + t · tangent, t = `step`."""
        return (self.gradients(self.x + step * self.tangent)[0] * self.tangent).sum()

    def hessian_times_tangent(self, step=1e-5):
        one, other = (self.gradients(self.x + h * self.tangent)[0] for h in (step, -step))
        return (one - other) / (2 * step)


def close(value, want, tolerance=2e-4):
    scale = np.abs(want).max()
    np.testing.assert_allclose(value, want, rtol=tolerance, atol=tolerance * scale)


def forward(case, x, tangent):
    with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
        loss = case.loss(x)
    return accumulator.jvp(loss)


def around(case, x, tangent):
    """The accumulator outside of the tf.function, which then is given its derivative by TensorFlow."""
    function = tf.function(case.loss)
    with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
        loss = function(x)
    return accumulator.jvp(loss)


def between(case, x, tangent):
    """The accumulator inside of one tf.function and outside of another."""
    return tf.function(around)(case, x, tangent)


def forward_over_reverse(case, x, tangent):
    with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
        slope = reverse(case, x)
    return accumulator.jvp(slope)


def reverse(case, x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = case.loss(x)
    return tape.gradient(loss, x)


def reverse_over_forward(case, x, tangent):
    with tf.GradientTape() as tape:
        tape.watch(x)
        slope = forward(case, x, tangent)
    return tape.gradient(slope, x)


def forward_around_reverse(case, x, tangent):
    function = tf.function(lambda x: reverse(case, x))
    with tf.autodiff.ForwardAccumulator(x, tangent) as accumulator:
        gradient = function(x)
    return accumulator.jvp(gradient)


def reverse_over_reverse(case, x, tangent):
    with tf.GradientTape() as tape:
        tape.watch(x)
        slope = tf.reduce_sum(reverse(case, x) * tangent)
    return tape.gradient(slope, x)


def in_mode(mode, derivative):
    """The derivative with everything, accumulators and tapes, inside of one function."""
    return derivative if mode == "eager" else tf.function(derivative, jit_compile=mode == "xla")


MODES = ["eager", "graph", "xla"]
FIXED = {"rmin": 1.2, "rmax": 1.2, "dmax": 0.0}  # with r and d held constant a difference is no derivative


def use_kernel_from(elements, monkeypatch):
    """Have the fused kernel used from so many elements on, whatever this machine prefers."""
    monkeypatch.setattr(kernels, "WITH_ONEDNN", ((np.inf, elements, elements),))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [PLAIN, (128, 1024), (32, 28, 28, 16)], ids=str)
def test_forward_mode_gives_the_slope_along_the_tangent(shape, training):
    case = Case(shape, training)
    functions = [*(in_mode(mode, forward) for mode in MODES), around, between]
    close([function(case, *case.constants()) for function in functions], [case.slope()] * 5, 1e-3)


@pytest.mark.parametrize("shape", [PLAIN, ROWS, KERNEL], ids=str)
def test_forward_mode_by_gamma_and_from_the_backward_pass_alone(shape):
    case = Case(shape)
    x, tangent = case.constants()
    gamma, direction = case.layer.gamma.value, tf.constant(np.arange(1.0, shape[-1] + 1), tf.float32)
    for loss in (case.loss, tf.function(case.loss)):
        with tf.autodiff.ForwardAccumulator(gamma, direction) as accumulator:
            value = loss(x)
        close(accumulator.jvp(value), (case.gradients(case.x)[1] * direction.numpy()).sum(), 1e-3)

    def linear(upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = case.layer(x, training=True)
        return tape.gradient(y, x, output_gradients=upstream)

    for linear_map in (linear, tf.function(linear)):
        with (
            tf.autodiff.ForwardAccumulator(x * 2, tangent) as unrelated,
            tf.autodiff.ForwardAccumulator(tangent, tangent) as accumulator,
        ):
            gradient = linear_map(tangent)
        close(accumulator.jvp(gradient), gradient)
        assert unrelated.jvp(gradient) is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("derivative", [forward_over_reverse, reverse_over_forward, reverse_over_reverse])
@pytest.mark.parametrize("shape", [PLAIN, ROWS, KERNEL], ids=str)
def test_hessian_times_a_vector_in_every_order(shape, derivative, mode):
    case = Case(shape)
    close(in_mode(mode, derivative)(case, *case.constants()), case.hessian_times_tangent())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [PLAIN, ROWS, KERNEL], ids=str)
def test_second_derivative_by_the_inputs_and_gamma(shape, mode):
    case = Case(shape)

    def mixed(case, x, tangent):
        with tf.GradientTape() as tape:
            slope = tf.reduce_sum(reverse(case, x) * tangent)
        return tape.gradient(slope, case.layer.gamma.value)

    h = 1e-5
    one, other = (case.gradients(case.x, case.gamma + step)[0] * case.tangent for step in (h, -h))
    close(in_mode(mode, mixed)(case, *case.constants()), (one - other).sum(case.axes) / (2 * h))


@pytest.mark.parametrize("shape", [PLAIN, ROWS, KERNEL], ids=str)
def test_hessian_times_a_vector_with_the_accumulator_around_the_function(shape):
    case = Case(shape)
    close(forward_around_reverse(case, *case.constants()), case.hessian_times_tangent())


@pytest.mark.parametrize("mode", ["eager", "graph"])
@pytest.mark.parametrize(
    ("shape", "mean"), [(PLAIN, 1.0), ((4, 30, 30, 4), 1.0), ((4, 30, 30, 4), 30.0), ((4, 30, 30, 4), 100.0)]
)
def test_third_derivative(shape, mean, mode, monkeypatch):
    """TensorFlow's derivative of the kernel's second gradient leaves a term out, with a stop_gradient."""
    use_kernel_from(12_000, monkeypatch)
    case = Case(shape, mean=mean)

    def third(case, x, tangent):
        with tf.GradientTape() as tape:
            tape.watch(x)
            curvature = tf.reduce_sum(reverse_over_reverse(case, x, tangent) * tangent)
        return tf.reduce_sum(tape.gradient(curvature, x) * tangent)

    h = 1e-3
    want = (case.slope(h) - 2 * case.slope() + case.slope(-h)) / h**2
    close(in_mode(mode, third)(case, *case.constants()), want, 2e-3)


@pytest.mark.parametrize(
    "options",
    [{"virtual_batch_size": 5}, {"renorm": True, "renorm_clipping": FIXED}, {"synchronized": True}, {"mask": True}],
    ids=str,
)
def test_forward_mode_and_second_order_with_every_option(options):
    """Against differences of the layer's own gradient in float64."""
    exact, case = (Case(PLAIN, **{**options, "dtype": dtype}) for dtype in ("float64", "float32"))

    def ascending(step):
        return reverse(exact, tf.constant(exact.x + step * exact.tangent))

    h = 1e-5
    slope = tf.reduce_sum(ascending(0) * exact.tangent)
    curvature = (ascending(h) - ascending(-h)) / (2 * h)
    close([function(case, *case.constants()) for function in (forward, around, between)], [slope] * 3, 1e-3)
    for derivative in (forward_over_reverse, forward_around_reverse, reverse_over_forward, reverse_over_reverse):
        close(derivative(case, *case.constants()), curvature)


@pytest.mark.parametrize("shape", [(6, 4), (50, 10, 10, 4)], ids=str)
def test_jacobians_and_vectorized_maps(shape, monkeypatch):
    use_kernel_from(12_000, monkeypatch)
    case = Case(shape)
    x, _ = case.constants()

    def jacobian(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = case.layer(x, training=True)
            sums = tf.reduce_sum(tf.sin(y) * tf.constant(case.w, y.dtype), case.axes)
        rows = tf.vectorized_map(lambda row: tape.gradient(sums, x, output_gradients=row), tf.eye(shape[-1]))
        return tape.jacobian(sums, x), rows

    want = np.stack([case.gradients(case.x)[0] * one for one in np.eye(shape[-1])])
    for function in (jacobian, tf.function(jacobian)):
        for got in function(x):
            close(got, want)
