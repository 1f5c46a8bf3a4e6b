"""LeNet as a course has it, in `configs/courses`: what it consists of, and where each exercise puts normalization."""

from __future__ import annotations

import keras
import pytest

from experiments.configuration.loading import load_experiment
from experiments.configuration.tiers import CONFIGS
from models.networks import build_model

LESSON = CONFIGS / "courses" / "d2l_batch_norm"
KERNELS = 6 * 25 + 16 * 6 * 25 + 256 * 120 + 120 * 84 + 84 * 10  # 28 → 24 → 12 → 8 → 4 pixels, 4 × 4 × 16 = 256
BIASES, OUTPUT = 6 + 16 + 120 + 84, 10


def network(arm: str, file: str = "lesson") -> keras.Model:
    experiment = load_experiment(LESSON / f"{file}.yaml")
    grid = {axis: values[0] for axis, values in experiment.config.grid.items()}
    return build_model(experiment.run(arm, grid, 0).config.model, (28, 28, 1), 10)


def layers(model: keras.Model) -> str:
    """The kinds of the layers in their order: c convolution, d dense, n normalization, p pooling, o dropout."""
    letters = {"Conv2D": "c", "Dense": "d", "BatchNormalization": "n", "Dropout": "o"}
    letters |= {"AveragePooling2D": "p", "MaxPooling2D": "P"}
    return "".join(letters.get(type(layer).__name__, "") for layer in model.layers)


@pytest.mark.parametrize(
    ("file", "arm", "learnt", "expected"),
    [
        ("lesson", "no_bn", BIASES, "cpcpddd"),
        ("lesson", "bn", BIASES + 2 * BIASES, "cnpcnpdndnd"),
        ("lesson", "bn_without_bias", 2 * BIASES, "cnpcnpdndnd"),
        ("lesson", "bn_in_convolutions", BIASES + 2 * (6 + 16), "cnpcnpddd"),
        ("lesson", "bn_in_dense", BIASES + 2 * (120 + 84), "cpcpdndnd"),
        ("lesson", "gamma_beta_fixed", BIASES, "cnpcnpdndnd"),
        ("dropout", "bn_dropout", BIASES + 2 * BIASES, "cnpcnpdnodnod"),
        ("pooling", "no_bn_max", BIASES, "cPcPddd"),
    ],
)
def test_layers_and_weights_are_those_of_the_lesson_and_its_exercises(
    file: str, arm: str, learnt: int, expected: str
) -> None:
    model = network(arm, file)
    assert layers(model) == expected
    assert sum(v.shape.num_elements() for v in model.trainable_variables) == KERNELS + OUTPUT + learnt
    assert {layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)} == {
        "sigmoid"
    }
