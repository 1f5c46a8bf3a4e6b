"""Networks of the user's own: what they are given, what they start from, and what is said of those that do not fit."""

from __future__ import annotations

import hashlib
import random
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from own_networks import HEAD, MLP, own_network

from custom_layers import BatchNormalization
from experiments.configuration.run import RunConfig
from models.config import ModelConfig
from models.initialization import initial_kernels
from models.networks import build_model
from models.own_network import NetworkError


def built(config: RunConfig) -> keras.Model:
    return build_model(config.model, (6,), 3)


def kernels(config: RunConfig, seed: int) -> list[np.ndarray]:
    return [value for _, value in initial_kernels(built(config), config.model, seed)]


def fault(config: RunConfig) -> str:
    with pytest.raises(NetworkError) as caught:
        built(config)
    assert caught.value.field == "model.build"
    return caught.value.text


def with_source(config: RunConfig, source: str) -> ModelConfig:
    return config.model.model_copy(update={"sha256": hashlib.sha256(source.encode()).hexdigest()})


def test_the_function_is_given_shape_classes_and_the_normalization_that_is_configured(tmp_path: Path):
    with_bn = built(own_network(tmp_path, norm="custom"))
    assert (with_bn.input_shape, with_bn.output_shape) == ((None, 6), (None, 3))
    norms = [layer for layer in with_bn.layers if isinstance(layer, BatchNormalization)]
    assert [layer.name for layer in norms] == ["norm_1", "norm_2"]
    without = built(own_network(tmp_path))
    assert [type(layer) for layer in without.layers if layer.name.startswith("norm")] == [keras.layers.Identity] * 2
    assert with_bn.count_params() - without.count_params() == 4 * (5 + 4)


def test_kernels_depend_on_the_seed_alone_and_arms_share_them(tmp_path: Path):
    arms = [own_network(tmp_path, norm=norm) for norm in ("none", "custom", "stock", "noisy", "layer")]
    first, *others = [kernels(arm, 3) for arm in arms]
    assert [kernel.shape for kernel in first] == [(6, 5), (5, 4), (4, 3)]
    for other in others:
        assert all(map(np.array_equal, first, other))
    random.seed(12345)
    keras.utils.set_random_seed(99)
    assert all(map(np.array_equal, first, kernels(arms[0], 3)))
    assert not any(map(np.array_equal, first, kernels(arms[0], 4)))


def test_kernels_are_drawn_by_the_networks_own_initializers(tmp_path: Path):
    body = MLP.replace("use_bias=False", "kernel_initializer=keras.initializers.RandomUniform(7, 8)")
    first, second, last = kernels(own_network(tmp_path, body), 0)
    for drawn in (first, second):
        assert 7 <= drawn.min() < drawn.max() <= 8
    assert np.abs(last).max() < 1  # Keras's own, Glorot & Bengio 2010


def test_building_leaves_the_randomness_of_the_process_as_it_was(tmp_path: Path):
    config = own_network(tmp_path)
    random.seed(5)
    np.random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist()
    built(config)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_a_class_of_the_users_own_and_a_sequential_model_without_input_are_taken(tmp_path: Path):
    a_class = (
        "import keras\nclass Net(keras.Model):\n    def __init__(self, n, norm):\n        super().__init__()\n"
        "        self.a, self.n = keras.layers.Dense(n), norm()\n    def call(self, x, training=None):\n"
        "        return self.n(self.a(x), training=training)\n"
        "def build(shape, classes, norm):\n    return Net(classes, norm)\n"
    )
    assert built(own_network(tmp_path, a_class, norm="custom")).output_shape == (None, 3)
    body = "    return keras.Sequential([keras.layers.Dense(4), normalization(), keras.layers.Dense(classes)])\n"
    assert built(own_network(tmp_path, body, norm="custom", module="other")).output_shape == (None, 3)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    raise KeyError('gone')\n", "nets:build raises KeyError: 'gone' (nets.py:4)"),
        ("    import sys; sys.exit('over')\n", "nets:build raises SystemExit: over (nets.py:4)"),
        ("    return keras.layers.Dense(3)(0 * i)[:, 9]\n", "nets:build raises"),
        ("    retrun i\n", "nets:build raises SyntaxError: invalid syntax (nets.py, line 4)"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name' (nets.py:1)"),
        ("import keras\n", "nets has no function 'build'; define it, or name another"),
        ("import keras\ndef build(shape): pass\n", "TypeError: build() takes 1 positional argument but 3 were given"),
        ("    pass\n", "build returns None; return a keras.Model"),
        ("    return i\n", "build returns a KerasTensor; return a keras.Model"),
        (
            "    return keras.Model(i, keras.layers.Dense(4)(i))\n",
            "gives (None, 4); give logits, (None, 3)",
        ),
        ("    return keras.Model(i, i[:, :3])\n", "has no trainable variables; give it a layer to be trained"),
        ("    return keras.Model([i, i], i)\n", "has 2 inputs and 1 outputs; give it one of each"),
        (
            "    j = keras.Input((7,))\n    return keras.Model(j, keras.layers.Dense(3)(j))\n",
            "takes (None, 7), but the examples are (None, 6)",
        ),
        (
            "    return keras.Model(i, keras.layers.Dense(3, dtype='float16')(i))\n",
            "build the network in float32",
        ),
    ],
)
def test_what_does_not_build_a_network_that_fits(tmp_path: Path, body: str, said: str):
    assert said in fault(own_network(tmp_path, body))


def test_a_long_error_of_the_users_is_shown_in_part(tmp_path: Path):
    assert fault(own_network(tmp_path, "    raise ValueError('a\\n b' * 100)\n")).endswith("a ba ba b… (nets.py:4)")


def test_a_network_that_no_normalization_reaches_is_refused_where_there_is_one(tmp_path: Path):
    for body in (MLP.replace("normalization()(x)", "x"), MLP.replace("normalization()(x)", "(normalization(), x)[1]")):
        assert built(own_network(tmp_path, body)).built
        assert fault(own_network(tmp_path, body, norm="stock")) == (
            "build makes no use of normalization, so that model.norm.kind: stock changes nothing; call it for a layer, "
            "as x = normalization()(x)"
        )


def test_another_network_each_time_is_refused(tmp_path: Path):
    body = "import random\n" + HEAD + "    x = keras.layers.Dense(random.randint(1, 99))(i)\n"
    config = own_network(tmp_path, body + "    return keras.Model(i, keras.layers.Dense(classes)(x))\n")
    with pytest.raises(NetworkError, match="builds another network each time; build the same"):
        kernels(config, 1)


def test_a_module_that_has_changed_is_imported_anew_and_only_as_it_was_when_it_was_asked_for(tmp_path: Path):
    first = own_network(tmp_path, module="changing")
    old = with_source(first, HEAD + MLP)
    assert build_model(old, (6,), 3).count_params() == 6 * 5 + 5 * 4 + 4 * 3 + 3
    changed = MLP.replace("(5, 4)", "(5, 3)")  # as long, in the same second
    own_network(tmp_path, changed, module="changing")
    with pytest.raises(NetworkError, match=r"changing\.py was changed meanwhile; give the command again"):
        build_model(old.model_copy(update={"init_scale": 2.0, "sha256": old.sha256[::-1]}), (6,), 3)
    assert build_model(with_source(first, HEAD + changed), (6,), 3).count_params() == 6 * 5 + 5 * 3 + 3 * 3 + 3
    assert not list(tmp_path.rglob("__pycache__"))


def test_modules_of_one_name_in_two_folders_are_two(tmp_path: Path):
    here, there = (
        own_network(tmp_path / name, MLP.replace("(5, 4)", units), module="twins")
        for name, units in (("a", "(2,)"), ("b", "(1,)"))
    )
    for config, units in ((here, 2), (there, 1), (here, 2)):
        assert [value.shape for value in kernels(config, 0)] == [(6, units), (units, 3)]


def test_a_module_in_a_package_finds_what_lies_beside_it(tmp_path: Path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "sizes.py").write_text("UNITS = 8\n")
    body = HEAD + "    from .sizes import UNITS\n    x = keras.layers.Dense(UNITS)(i)\n"
    own_network(tmp_path / "package", body + "    return keras.Model(i, keras.layers.Dense(classes)(x))\n")
    config = RunConfig.model_validate({"model": {"kind": "keras", "build": f"{tmp_path}/package.nets:build"}})
    assert [value.shape for value in kernels(config, 0)] == [(6, 8), (8, 3)]


def test_a_module_whose_name_is_taken_is_told_so(tmp_path: Path):
    config = own_network(tmp_path, module="json")
    assert "json" in sys.modules
    assert f"is in the place of a module json in {tmp_path}; give yours another name" in fault(config)
