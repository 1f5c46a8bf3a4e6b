"""A saved model and the import it needs: where Keras's message leads without it, and that older files still load."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from custom_layers import BatchNormalization, NoisyBatchNormalization

# Keras's variables do not know the `copy` argument that NumPy 2 hands to __array__ when Keras saves them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

ROOT = Path(__file__).parent.parent.parent
LAYERS = [BatchNormalization, NoisyBatchNormalization]


def saved_model(path: Path, layer: type[keras.Layer]) -> Path:
    model = keras.Sequential([keras.Input((3,)), layer(name="norm")])
    model.get_layer("norm").moving_mean.assign([1.0, 2.0, 3.0])
    model.save(path)
    return path


def load_elsewhere(imports: str, *paths: Path) -> list[str]:
    """What another program, with these imports, gets from each file: the moving mean or Keras's error."""
    program = (
        f"import {imports}, sys\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n"
        "        print(keras.models.load_model(path).get_layer('norm').moving_mean.numpy().tolist())\n"
        "    except (TypeError, ValueError) as error:\n"
        "        print(repr(error))\n"
    )
    command = [sys.executable, "-c", program, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_keras_names_the_import_that_a_saved_model_needs(tmp_path: Path) -> None:
    paths = [
        saved_model(tmp_path / f"{layer.__name__}{suffix}", layer) for layer in LAYERS for suffix in (".keras", ".h5")
    ]
    for path, message in zip(paths, load_elsewhere("keras", *paths), strict=True):
        assert "Could not locate class" in message or "Unknown layer" in message
        assert f"'custom_layers>{path.stem}'" in message
    assert load_elsewhere("custom_layers, keras", *paths) == ["[1.0, 2.0, 3.0]"] * 4


@pytest.mark.parametrize("layer", LAYERS)
def test_a_file_with_the_older_name_loads(layer: type[keras.Layer], tmp_path: Path) -> None:
    with zipfile.ZipFile(saved_model(tmp_path / "now.keras", layer)) as now:
        parts = {name: now.read(name) for name in now.namelist()}
    assert parts["config.json"].count(b'"custom_layers>') == 1
    parts["config.json"] = parts["config.json"].replace(b'"custom_layers>', b'"batchnorm_lab>')
    with zipfile.ZipFile(tmp_path / "older.keras", "w") as older:
        for name, part in parts.items():
            older.writestr(name, part)
    norm = keras.models.load_model(tmp_path / "older.keras").get_layer("norm")
    assert type(norm) is layer
    np.testing.assert_array_equal(norm.moving_mean, [1, 2, 3])
