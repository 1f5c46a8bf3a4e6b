"""What the layer may be given, what it makes of it, and what it says otherwise."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from custom_layers import BatchNormalization


@pytest.mark.parametrize(
    "scalar", [float, np.float32, np.array, tf.constant], ids=["float", "scalar", "array", "tensor"]
)
def test_a_number_may_come_as_any_scalar_and_is_saved_as_a_number(scalar):
    options = {"momentum": 0.5, "epsilon": 0.25, "renorm_momentum": 0.75}
    clipping = {"rmin": 0.5, "rmax": 2.0, "dmax": None}
    given = {name: scalar(value) for name, value in options.items()}
    limits = {key: value if value is None else scalar(value) for key, value in clipping.items()}
    config = BatchNormalization(renorm=True, renorm_clipping=limits, **given).get_config()
    saved = json.loads(json.dumps(config))
    assert {name: saved[name] for name in options} == options
    assert saved["renorm_clipping"] == {"rmin": 0.5, "rmax": 2.0}
    x = np.float32([[1.0], [3.0]])
    ours, stock = (cls(**given)(x, training=True) for cls in (BatchNormalization, keras.layers.BatchNormalization))
    np.testing.assert_allclose(ours, stock, rtol=1e-6)


@pytest.mark.parametrize("axis", [-1.0, np.float64(-1), np.array(-1), tf.constant(-1), np.int8(-1)], ids=repr)
def test_a_whole_number_is_an_axis_however_it_is_written(axis):
    layer = BatchNormalization(axis=axis)
    assert (type(layer.axis), layer.axis) == (int, -1)
    assert BatchNormalization(axis=(1.0, np.array(2))).axis == (1, 2)


@pytest.mark.parametrize("size", [8, np.int64(8), np.array(8), tf.constant(8)], ids=repr)
def test_a_virtual_batch_size_may_come_as_any_whole_scalar(size):
    layer = BatchNormalization(virtual_batch_size=size)
    assert json.loads(json.dumps(layer.get_config()))["virtual_batch_size"] == 8


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize("file", ["model.h5", "model.keras"])
@pytest.mark.parametrize("axis", [(1, 2), [1, -1], (2,), 1], ids=str)
def test_several_axes_survive_every_file(axis, file, tmp_path):
    """Keras's loader of .h5 files leaves out an "axis" of more than one."""
    model = keras.Sequential([keras.Input((3, 4)), BatchNormalization(axis=axis)])
    x = np.random.default_rng(0).normal(size=(6, 3, 4)).astype(np.float32)
    model(x, training=True)
    model.save(tmp_path / file)
    loaded = keras.saving.load_model(tmp_path / file)
    assert loaded.layers[0].axis == model.layers[0].axis
    np.testing.assert_array_equal(loaded(x), model(x))


def test_a_configuration_written_with_a_list_as_axis_is_read():
    config = {"name": "norm", "axis": [1, 2], "epsilon": 0.1}
    layer = BatchNormalization.from_config(config)
    assert (layer.axis, layer.epsilon, config["axis"]) == ((1, 2), 0.1, [1, 2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis": "last"}, r"axis: must be a whole number or a sequence of one or more, got 'last'"),
        ({"axis": 1.5}, r"axis: must be .*, got 1.5"),
        ({"axis": []}, r"axis: must be .*, got \[\]"),
        ({"momentum": 1.5}, r"momentum: must be a number from 0 to 1 or None, got 1.5"),
        ({"momentum": "0.9"}, r"momentum: must be .*, got '0.9'"),
        ({"epsilon": -1e-3}, r"epsilon: must be a number from 0 to inf, got -0.001"),
        ({"epsilon": float("nan")}, r"epsilon: must be .*, got nan"),
        ({"epsilon": None}, r"epsilon: must be .*, got None"),
        ({"renorm_momentum": -1}, r"renorm_momentum: must be a number from 0 to 1, got -1"),
        ({"renorm": True, "renorm_clipping": {"max": 1}}, r"renorm_clipping: .* keys \['max'\].* rmin, rmax, dmax"),
        ({"renorm": True, "renorm_clipping": {"rmin": 2, "rmax": 1}}, r"rmax should be at least rmin=2, got rmax=1"),
        (
            {"renorm": True, "renorm_clipping": {"rmin": "low"}},
            r"renorm_clipping: rmin must be a number or None, got 'low'",
        ),
        ({"momentum": np.array([0.9])}, r"momentum: must be .*, got array\(\[0.9\]\)"),
        ({"epsilon": tf.constant(-1.0)}, r"epsilon: must be .*, got <tf.Tensor: .*-1.0>"),
        ({"axis": float("nan")}, r"axis: must be .*, got nan"),
        ({"renorm": True, "renorm_clipping": {"dmax": -2}}, r"dmax should be non-negative, got dmax=-2"),
        ({"virtual_batch_size": 0}, r"virtual_batch_size: must be a whole number above 0, got 0"),
        ({"virtual_batch_size": 2.5}, r"virtual_batch_size: must be .*, got 2.5"),
        ({"virtual_batch_size": True}, r"virtual_batch_size: must be .*, got True"),
        ({"virtual_batch_size": 8, "renorm": True}, r"virtual_batch_size: must be None together with renorm .* got 8"),
        ({"virtual_batch_size": 8, "synchronized": True}, r"virtual_batch_size: must be None together"),
    ],
    ids=str,
)
def test_bad_argument_is_named_with_what_was_given_and_what_is_allowed(options, message):
    with pytest.raises(ValueError, match=message):
        BatchNormalization(**options)


@pytest.mark.parametrize(
    ("options", "shape", "message"),
    [
        ({"axis": 2}, (None, 3), r"axis: must be different axes of the input shape \(None, 3\), got 2"),
        ({"axis": (1, -1)}, (None, 3), r"axis: must be different axes .*, got \(1, -1\)"),
        ({"axis": 1}, (None, None, 3), r"axis: needs a known size in the input shape \(None, None, 3\), got 1"),
        (
            {"axis": 0, "virtual_batch_size": 2},
            (4, 3),
            r"virtual_batch_size: axis must not hold the batch axis 0, got 0",
        ),
    ],
    ids=str,
)
def test_argument_that_does_not_fit_the_input_is_named(options, shape, message):
    with pytest.raises(ValueError, match=message):
        BatchNormalization(**options).build(shape)
