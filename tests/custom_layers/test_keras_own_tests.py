"""Keras's own tests of its layer, from the installed wheel, with our layer in the stock one's place."""

from types import SimpleNamespace
from unittest import mock

import pytest
from keras.src import layers

from custom_layers import BatchNormalization

# The one mark the tests carry is registered in Keras's repository, not in its wheel.
with mock.patch.object(pytest, "mark", SimpleNamespace(requires_trainable_backend=lambda test: test)):
    from keras.src.layers.normalization import batch_normalization_test as keras_tests

keras_tests.layers = SimpleNamespace(**{**vars(layers), "BatchNormalization": BatchNormalization})

pytestmark = [
    # Keras's variables do not know the `copy` argument that NumPy 2 hands to __array__ when Keras's tests compare them.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    # Keras's run_layer_test fits from a generator and leaves `shuffle` at its default.
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning"),
    # It also trains layers that have no trainable weights.
    pytest.mark.filterwarnings("ignore:The model does not have any trainable weights:UserWarning"),
]


class TestKerasOwnTests(keras_tests.BatchNormalizationTest):
    pass


def test_all_33_of_kerass_tests_are_run_on_our_layer():
    assert keras_tests.layers.BatchNormalization is BatchNormalization
    assert len([name for name in dir(TestKerasOwnTests) if name.startswith("test_")]) == 33
