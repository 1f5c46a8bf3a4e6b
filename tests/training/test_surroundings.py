"""Nothing that lies in a user's home or environment reaches a result unseen."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from experiments.training import surroundings
from experiments.training.surroundings import StartError, start_tensorflow, unconfigure

ROOT = Path(__file__).parent.parent.parent
STATE = """
import json, os, keras, threadpoolctl
from experiments.training.surroundings import onednn_is_on
config = keras.config
print(json.dumps({
    "backend": config.backend(), "floatx": config.floatx(), "epsilon": config.epsilon(), "layout":
    config.image_data_format(), "policy": config.dtype_policy().name, "epochs": config.max_epochs(),
    "steps": config.max_steps_per_epoch(), "onednn": onednn_is_on(),
    "blas": sorted({pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}),
    "environment": dict(os.environ)}))
"""
START = "from experiments.training.surroundings import start_tensorflow; start_tensorflow(1)"
DEFAULTS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "epsilon": 1e-7,
    "layout": "channels_last",
    "policy": "float32",
    "epochs": None,
    "steps": None,
}
NO_BACKEND = "module://matplotlib_inline.not_installed"


def write_keras_configuration(home: Path) -> None:
    (home / ".keras").mkdir()
    settings = {"floatx": "float64", "epsilon": 0.01, "image_data_format": "channels_first"}
    (home / ".keras/keras.json").write_text(json.dumps(settings), encoding="utf-8")


def state_after(code: str, home: Path, **variables: str) -> dict[str, object]:
    """Run code in a fresh process of a user with this home, and return what Keras and TensorFlow make of it."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("KERAS_", "MATPLOTLIB", "MPL", "TF_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code + STATE],
        capture_output=True,
        text=True,
        cwd=home,
        env=kept | {"HOME": str(home), "PYTHONPATH": str(ROOT)} | variables,
    )
    assert done.returncode == 0, done.stderr
    state: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return state


def test_keras_starts_as_if_nobody_had_configured_it_and_the_user_keeps_their_settings(tmp_path: Path):
    write_keras_configuration(tmp_path)
    (tmp_path / "broken").write_bytes(b"font.size: \xff")
    configured = {
        "KERAS_BACKEND": "torch",
        "KERAS_HOME": str(tmp_path / ".keras"),
        "KERAS_MAX_EPOCHS": "many",
        "KERAS_NNX_ENABLED": "true",
        "MATPLOTLIBRC": str(tmp_path / "broken"),
        "MPLBACKEND": NO_BACKEND,
        "OPENBLAS_NUM_THREADS": "2",
    }
    state = state_after(START, tmp_path, **configured, TF_ENABLE_ONEDNN_OPTS="0")
    environment = state["environment"]
    assert DEFAULTS.items() <= state.items()
    assert isinstance(environment, dict)
    assert configured.items() <= environment.items()
    assert state["onednn"] is False  # the user has decided
    assert state["blas"] == [1]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="TensorFlow has oneDNN on other processors only at times")
def test_onednn_is_on_unless_decided(tmp_path: Path):
    assert state_after(START, tmp_path)["onednn"] is True


def test_a_keras_that_somebody_else_has_started_is_set_right(tmp_path: Path):
    write_keras_configuration(tmp_path)
    before = "import keras; assert keras.config.image_data_format() == 'channels_first'\n"
    state = state_after(before + START, tmp_path, KERAS_MAX_EPOCHS="1", KERAS_MAX_STEPS_PER_EPOCH="1")
    assert state.items() >= DEFAULTS.items()


def test_a_keras_on_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(StartError, match="Keras has started on jax instead of TensorFlow"):
        start_tensorflow.__wrapped__(None)


def test_nothing_is_written_to_an_empty_home(tmp_path: Path):
    state = state_after(START, tmp_path, MPLCONFIGDIR=str(tmp_path / "of matplotlib"))
    assert not (tmp_path / ".keras").exists()
    assert not any(name in state["environment"] for name in surroundings.UNCONFIGURED)  # type: ignore[operator]


def test_what_stands_in_the_way_is_taken_out_and_handed_back(monkeypatch: pytest.MonkeyPatch):
    mine = {"KERAS_MAX_EPOCHS": "3", "MPLBACKEND": NO_BACKEND, "XLA_FLAGS": "--xla_dump_to=there"}
    monkeypatch.setattr(os, "environ", dict(mine))
    assert unconfigure() == {"KERAS_MAX_EPOCHS": "3", "MPLBACKEND": NO_BACKEND}
    assert os.environ == surroundings.UNCONFIGURED | {"XLA_FLAGS": "--xla_dump_to=there"}


@pytest.mark.parametrize(("loaded", "missing"), [("os", True), ("matplotlib", False), ("distributed", False)])
def test_what_keras_has_no_use_for_is_missing_only_while_it_starts(loaded: str, missing: bool):
    code = (
        f"import sys, {loaded}\n"
        "from experiments.training.surroundings import start_tensorflow\n"
        "start_tensorflow(1)\n"
        "import keras\n"
        "from keras.src.visualization import plot_image_gallery\n"
        "print(plot_image_gallery.plt is None)\n"
        "import matplotlib.figure"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == str(missing)


def test_variables_that_can_change_a_number_are_recorded_and_secrets_are_not(monkeypatch: pytest.MonkeyPatch):
    telling = {
        "CUDA_VISIBLE_DEVICES": "0",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA",
        "NPY_DISABLE_CPU_FEATURES": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    }
    silent = {
        "MKL_NUM_THREADS": "1",  # stands as `threads`
        "OPENBLAS_NUM_THREADS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",  # stands as `onednn`
        "TF_VAR_password": "secret",
        "TF_TOKEN_app_terraform_io": "secret",
        "MY_XLA_FLAGS": "mine",
    }
    monkeypatch.setattr(os, "environ", silent | telling)
    found = surroundings.surroundings()
    assert found["environment"] == telling
    assert found["onednn"] is surroundings.onednn_is_on()
    assert found["processor"]


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_every_command_starts_unconfigured_and_with_our_packages(path: Path, tmp_path: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/__init__.py").touch()
    code = (
        "import os, runpy, sys\n"
        f"sys.argv = [{str(path)!r}, '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: print('\\n' + os.environ['MPLBACKEND'])"
    )
    theirs = {"MPLBACKEND": NO_BACKEND, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | theirs)
    assert done.stdout.splitlines()[-1:] == ["agg"], done.stderr


def test_too_little_memory_to_start_in_is_a_clear_error():
    code = (
        "import resource\n"
        "from experiments.training.surroundings import StartError, start_tensorflow\n"
        "resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))\n"
        "try: start_tensorflow(1)\n"
        "except StartError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.startswith("TensorFlow does not start ("), done.stderr
