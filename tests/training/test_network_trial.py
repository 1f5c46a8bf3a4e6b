"""What of a network of the user's own is tried before it is trained, and what probes see of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from own_networks import HEAD, MLP, own_network
from probing import RATE, Case
from programs import DIGITS

from experiments.configuration.facts import Facts
from experiments.configuration.run import Probe, RunConfig
from experiments.training.network_trial import fault_of_network
from experiments.training.probes import Probes
from experiments.training.program import Program
from experiments.training.run import train
from models.networks import build_model

TABLE = Facts((6,), 3, 100)
SEEN: list[Probe] = [
    "pre_activations",
    "unit_percentiles",
    "gradients",
    "saturation",
    "standardization",
    "covariate_shift",
    "landscape",
    "affine_identity",
]


def fault(config: RunConfig) -> str:
    error = fault_of_network(config, TABLE)
    return str(error) if error else ""


@pytest.mark.parametrize("norm", ["none", "custom", "stock", "noisy", "layer"])
def test_a_network_that_fits_has_no_fault(tmp_path: Path, norm: str):
    assert fault(own_network(tmp_path, norm=norm, probes=["pre_activations", "covariate_shift"])) == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            MLP.replace("use_bias=False", "kernel_initializer=keras.initializers.HeNormal(seed=1)").replace(
                "Dense(classes)", "Dense(classes, kernel_initializer='zeros')"
            ),
            "model.build: build gives its weights the same values with every seed; leave the seeds of its initializers",
        ),
        (
            MLP.replace("Dense(classes)(x)", "Dense(classes, activation='softmax')(x)"),
            "model.build: the network of build gives probabilities; give logits, without the softmax, which is part of",
        ),
        (
            MLP.replace("keras.layers.Dense(classes)(x)", "keras.layers.Dense(classes)(keras.ops.stop_gradient(x))"),
            "has no part in the output; leave it out, or freeze it",
        ),
        (
            "import keras\nclass Bad(keras.layers.Layer):\n    def call(self, x):\n"
            "        if not hasattr(x, 'numpy'): return x\n        raise ValueError('not so')\n"
            + HEAD.removeprefix("import keras\n")
            + MLP.replace("Flatten()(i)", "Flatten()(Bad()(i))"),
            "model.build: the network of build cannot be run: ValueError:",
        ),
    ],
    ids=["seeds", "softmax", "no gradient", "fails"],
)
def test_what_cannot_be_trained(tmp_path: Path, body: str, said: str):
    assert said in fault(own_network(tmp_path, body))


def test_averages_of_another_momentum_are_refused_beside_those_that_are_asked(tmp_path: Path):
    body = MLP.replace("normalization()(x)", "keras.layers.BatchNormalization(momentum=0.5)(normalization()(x))")
    assert fault(own_network(tmp_path, body, norm="stock")) == ""
    assert "has the momentum 0.5, which moving_averages do not know of" in fault(
        own_network(tmp_path, body, norm="stock", moving_averages=[0.9])
    )


@pytest.mark.parametrize("norm", ["none", "custom"])
def test_probes_see_of_an_own_network_what_they_see_of_an_equal_one(tmp_path: Path, norm: str):
    asked = SEEN if norm == "custom" else [p for p in SEEN if p not in ("standardization", "affine_identity")]
    case = Case(list(asked), {"kind": norm})
    body = MLP if norm == "custom" else MLP.replace("use_bias=False", "use_bias=True")
    config = own_network(tmp_path, body, norm=norm, probes=asked)
    network = build_model(config.model, (6,), 3)
    for variable, value in zip(network.trainable_variables, case.values, strict=True):
        variable.assign(value)
    probes = Probes(config, network)
    found = probes.measure(tf.constant(case.x), tf.constant(case.labels), tf.constant(RATE))
    metrics = probes.metrics({name: value.numpy() for name, value in found.items()})
    assert len(metrics) == {"custom": 36, "none": 33}[norm]
    assert metrics == pytest.approx(case.metrics(), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("probe", "body", "said"),
    [
        (
            "pre_activations",
            MLP.replace('Activation("sigmoid")', "Dropout(0.1)"),
            "pre_activations looks at layers that are activations, of which build has none; leave it out",
        ),
        (
            "saturation",
            MLP.replace("use_bias=False", "activation='relu'"),
            "saturation does not see the activation inside of dense",
        ),
        (
            "unit_percentiles",
            MLP.replace('keras.layers.Activation("sigmoid")', 'keras.Sequential([keras.layers.Activation("relu")])'),
            "inside of another layer; leave it out",
        ),
        (
            "pre_activations",
            MLP.replace('keras.layers.Activation("sigmoid")', "a").replace("for", "a = keras.layers.ReLU()\n    for"),
            "pre_activations cannot tell the calls of re_lu",
        ),
        ("weight_scale", MLP, "weight_scale cannot know which weights of build are normalized; leave it out"),
        (
            "covariate_shift",
            "    return keras.Model(i, normalization()(keras.layers.Dense(classes)(i)))\n",
            "covariate_shift compares layers, and build has one with weights; leave it out",
        ),
        (
            "standardization",
            MLP.replace("normalization()(x)", "keras.Sequential([normalization()])(x)"),
            "standardization does not see norm_1, inside of another layer; leave it out",
        ),
    ],
)
def test_a_probe_that_would_not_see_what_it_is_to_measure_is_told_before_training(
    tmp_path: Path, probe: str, body: str, said: str
):
    assert said in fault(own_network(tmp_path, body, norm="custom", probes=[probe]))
    assert fault(own_network(tmp_path, body, norm="custom", probes=["gradients", "landscape"])) == ""


def test_seeds_and_rates_share_a_program_and_give_what_programs_of_their_own_give(tmp_path: Path):
    config = own_network(
        tmp_path, norm="custom", steps=20, evaluate_every=10, dataset={"batch_size": 30}, probes=["gradients"]
    )
    others = [
        config.model_copy(
            update={"seed": seed, "optimizer": config.optimizer.model_copy(update={"learning_rate": rate})}
        )
        for seed, rate in ((0, 0.1), (1, 0.1), (1, 1.0))
    ]
    assert len({other.program_key() for other in others}) == 1
    shared = Program(config, DIGITS)
    curves = [[evaluated.metrics for evaluated in train(shared, other)] for other in others]
    assert curves[0][0] != curves[1][0] == curves[2][0]  # before the first step
    assert curves[1][-1] != curves[2][-1]
    assert [evaluated.metrics for evaluated in train(Program(others[2], DIGITS), others[2])] == curves[2]
    assert np.isfinite(curves[2][-1]["loss/test"])
