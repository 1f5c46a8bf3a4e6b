"""Inference stays what converters fold into the layer before: a product and a sum with constants."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from custom_layers import BatchNormalization

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),
    # The converter says so although the representative data set gives them.
    pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected:UserWarning"),
]


def network(size, filters, batch_size=None, **options):
    """Convolution, normalization, ReLU, after one training step."""
    convolution = keras.layers.Conv2D(filters, 3, padding="same")
    model = keras.Sequential(
        [keras.Input((size, size, 3), batch_size), convolution, BatchNormalization(**options), keras.layers.ReLU()]
    )
    model(images(size, batch_size or 2), training=True)
    return model


def images(size, count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("whole_numbers", [False, True], ids=["float", "int8"])
@pytest.mark.parametrize(
    ("size", "filters", "batch_size", "options"),
    [(64, 8, None, {}), (64, 8, None, {"debiased": True}), (224, 16, None, {}), (224, 16, 1, {})],
)
def test_tensorflow_lite_makes_one_convolution_of_it(size, filters, batch_size, options, whole_numbers):
    model, x = network(size, filters, batch_size, **options), images(size, 1, seed=1)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if whole_numbers:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: [[x]]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    content = converter.convert()
    bare = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tf.lite.Interpreter(model_content=content, experimental_op_resolver_type=bare)
    interpreter.allocate_tensors()
    operations = {entry["op_name"] for entry in interpreter._get_ops_details()}
    assert operations - {"QUANTIZE", "DEQUANTIZE"} == {"CONV_2D"}
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    got, want = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]), np.asarray(model(x))
    np.testing.assert_allclose(got, want, atol=want.max() / 50 if whole_numbers else 1e-5)


@pytest.mark.parametrize("shape", [(None, 64, 64, 8), (64, 28, 28, 16), (None, 5)], ids=str)
def test_a_frozen_graph_multiplies_the_inputs_and_adds(shape):
    layer = BatchNormalization()
    layer.build(shape)
    function = tf.function(lambda x: layer(x)).get_concrete_function(tf.TensorSpec(shape))
    graph = convert_variables_to_constants_v2(function).graph
    (inputs,) = (operation for operation in graph.get_operations() if operation.type == "Placeholder")
    reached = {inputs}
    for operation in graph.get_operations():
        if any(tensor.op in reached for tensor in operation.inputs):
            reached.add(operation)
    assert {operation.type for operation in reached} == {"Placeholder", "Mul", "AddV2", "Identity"}
