"""The layer as a distribution of its own: what it brings into somebody else's project, and what it leaves alone."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LAYER = ROOT / "custom_layers"


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that pip would make of the folder, built from a copy of what git knows and without the network."""
    folder = tmp_path_factory.mktemp("checkout") / "custom_layers"
    shutil.copytree(LAYER, folder, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    build = "import setuptools.build_meta as backend; backend.build_wheel('..')"
    done = subprocess.run([sys.executable, "-c", build], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.parent.glob("*.whl")
    return built


def test_the_wheel_holds_the_layers_modules_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {f"custom_layers/{path.name}" for path in LAYER.glob("*.py")}
    assert "custom_layers/batch_normalization.py" in modules
    assert {name for name in names if ".dist-info/" not in name} == modules


def test_the_wheel_asks_for_tensorflow_and_keras_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        (name,) = [name for name in files.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(files.read(name))
    assert metadata["Name"] == "batchnorm-lab-layer"
    assert metadata.get_all("Requires-Dist") == ["tensorflow>=2.21", "keras>=3.15"]


def test_the_layer_is_released_with_the_lab_and_asks_for_the_same_versions() -> None:
    layer, lab = project(LAYER), project(ROOT)
    assert [layer[key] for key in ("version", "license", "requires-python")] == [
        lab[key] for key in ("version", "license", "requires-python")
    ]
    assert set(layer["dependencies"]) < set(lab["dependencies"])


def test_a_project_with_models_and_experiments_of_its_own_keeps_them(wheel: Path, tmp_path: Path) -> None:
    installed, theirs = tmp_path / "site-packages", tmp_path / "theirs"
    zipfile.ZipFile(wheel).extractall(installed)
    theirs.mkdir()
    for name in ("models", "experiments"):
        (theirs / f"{name}.py").write_text("OWNER = 'the user'\n", encoding="utf-8")
    (theirs / "train.py").write_text(
        "import sys\n"
        f"sys.path.insert(1, {str(installed)!r})\n"
        "import custom_layers, keras\n"
        "print(custom_layers.__file__)\n"
        "print(sorted({'models', 'experiments'} & sys.modules.keys()))\n"
        "print(custom_layers.BatchNormalization()(keras.ops.ones((4, 3))).shape)\n"
        "import experiments, models\n"
        "print(models.OWNER, experiments.OWNER)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, "train.py"], cwd=theirs, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(installed / "custom_layers" / "__init__.py"),
        "[]",
        "(4, 3)",
        "the user the user",
    ]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_git_sees_nothing_of_what_a_build_leaves_in_the_folder() -> None:
    left = ["build/lib/custom_layers/layout.py", "batchnorm_lab_layer.egg-info/PKG-INFO"]
    done = subprocess.run(["git", "check-ignore", *left], cwd=LAYER, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == left
