"""N replicas are one batch: two virtual CPUs under MirroredStrategy, in a process of their own.

The CPUs can only be split before TensorFlow starts.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json
import keras
import numpy as np
import tensorflow as tf

device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
from custom_layers import BatchNormalization

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
rng = np.random.default_rng(0)
x, dy = (rng.normal(size=(10, 3)).astype("float32") * 2 + 1 for _ in range(2))
mask = rng.random(10) < 0.6


def new(cls, synchronized):
    layer = cls(momentum=0.5, synchronized=synchronized)
    layer.build((None, 3))
    layer.gamma.assign([1.0, 2.0, 3.0])
    return layer


def step(layer, masked, x, dy, mask):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True, **({"mask": mask} if masked else {}))
        loss = tf.reduce_sum(y * dy)
    return y, *tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])


def cut(values):  # uneven: 4 rows and 6
    return strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([values[:4], values[4:]][context.replica_id_in_sync_group])
    )


def one_batch(masked):
    layer = new(BatchNormalization, False)
    values = step(layer, masked, tf.constant(x), tf.constant(dy), tf.constant(mask))
    return [np.asarray(v).tolist() for v in (*values, layer.moving_mean, layer.moving_variance)]


def two_replicas(cls, synchronized, masked):
    with strategy.scope():
        layer = new(cls, synchronized)
    run = tf.function(lambda *parts: strategy.run(lambda *p: step(layer, masked, *p), parts))
    y, dx, dgamma, dbeta = (strategy.experimental_local_results(v) for v in run(cut(x), cut(dy), cut(mask)))
    moving = [
        [np.asarray(v).tolist() for v in strategy.experimental_local_results(statistic.value)]
        for statistic in (layer.moving_mean, layer.moving_variance)
    ]
    sums = [sum(np.asarray(v) for v in values) for values in (dgamma, dbeta)]
    joined = [np.concatenate(y), np.concatenate(dx), *sums]
    return {"step": [v.tolist() for v in joined], "moving": moving}


def branch(layer, x):
    return tf.cond(tf.reduce_any(x < 1e9), lambda: layer(x, training=True), lambda: x)


def loop(layer, x):
    return tf.while_loop(lambda i, y: i < 1, lambda i, y: (i + 1, layer(x, training=True)), (0, x))[1]


def mapped(layer, x):
    return tf.map_fn(lambda part: layer(part, training=True), x[None])[0]


def inner(layer, x):
    return tf.function(lambda part: layer(part, training=True))(x)


class Cell(keras.layers.SimpleRNNCell):
    def build(self, shape):
        super().build(shape)
        self.norm = BatchNormalization(momentum=0.5, **self.norm_options)
        self.norm.build((None, 3))

    def call(self, inputs, states, training=None):
        return super().call(self.norm(inputs, training=training), states, training=training)


def moved(where, options):
    # What is read outside of the replicas, and what each then holds, after a step where replicas cannot meet.
    with strategy.scope():
        if where == "cell":
            cell = Cell(2)
            cell.norm_options = options
            recurrent = keras.layers.RNN(cell)
            recurrent.build((None, 1, 3))
            layer, call = cell.norm, lambda _, x: recurrent(x[:, None], training=True)
        else:
            layer = BatchNormalization(momentum=0.5, **options)
            layer.build((None, 3))
            call = {"branch": branch, "loop": loop, "mapped": mapped, "inner": inner}[where]
    tf.function(lambda part: strategy.run(lambda p: call(layer, p), (part,)))(cut(x))
    own = [v.numpy().tolist() for v in strategy.experimental_local_results(layer.moving_mean.value)]
    return {"read": layer.moving_mean.numpy().tolist(), "saved": layer.get_weights()[2].tolist(), "own": own}


results = {"x": x.tolist()}
for where in ("branch", "loop", "mapped", "inner", "cell"):
    for renorm in (False, True):
        results[f"{where} {renorm}"] = moved(where, {"renorm": renorm})
for masked in (False, True):
    results[f"one {masked}"] = one_batch(masked)
    for name, cls in (("ours", BatchNormalization), ("stock", keras.layers.BatchNormalization)):
        for synchronized in (False, True):
            results[f"{name} {synchronized} {masked}"] = two_replicas(cls, synchronized, masked)
print("RESULTS", json.dumps(results))
"""


@pytest.fixture(scope="module")
def results():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.split("RESULTS ")[1])


def same_step(results, who, masked):
    *step, mean, variance = results[f"one {masked}"]
    got = results[f"{who} True {masked}"]
    moving = [
        (statistic[replica], want)
        for statistic, want in zip(got["moving"], (mean, variance), strict=True)
        for replica in (0, 1)
    ]
    pairs = [*zip(got["step"], step, strict=True), *moving]
    return all(np.allclose(value, want, rtol=1e-4, atol=1e-5) for value, want in pairs)


@pytest.mark.parametrize("masked", [False, True])
def test_synchronized_replicas_are_one_batch(results, masked):
    """With a mask the stock layer forgets to synchronize."""
    assert same_step(results, "ours", masked)
    assert same_step(results, "stock", masked) == (not masked)


def test_moving_statistics_agree_over_replicas_and_are_their_mean(results):
    """The stock layer keeps one copy for each replica, and only the first is ever saved."""
    for statistic in results["ours False False"]["moving"]:
        assert statistic[0] == statistic[1]
    for statistic in results["stock False False"]["moving"]:
        assert not np.allclose(*statistic, atol=0.1)
    x = np.array(results["x"])
    expected = (x[:4].mean(0) + x[4:].mean(0)) / 4  # half of the mean over replicas, momentum being one half
    np.testing.assert_allclose(results["ours False False"]["moving"][0][0], expected, rtol=1e-5)


@pytest.mark.parametrize("renorm", [False, True])
@pytest.mark.parametrize("where", ["branch", "loop", "mapped", "inner", "cell"])
def test_where_replicas_cannot_meet_each_trains_and_the_mean_is_read(results, where, renorm):
    got, x = results[f"{where} {renorm}"], np.array(results["x"])
    means = np.array([x[:4].mean(0), x[4:].mean(0)])
    before = means.mean(0) / 2 if where == "cell" else 0.0  # Keras calls a cell once before the loop
    own = before / 2 + means / 2
    np.testing.assert_allclose(got["own"], own, rtol=1e-5)
    for seen in (got["read"], got["saved"]):
        np.testing.assert_allclose(seen, own.mean(0), rtol=1e-5)
