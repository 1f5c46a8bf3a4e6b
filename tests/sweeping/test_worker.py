"""What a worker process keeps and refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import task

from experiments.sweeping import worker

ROOT = Path(__file__).parent.parent.parent


def in_fresh_process(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)


def test_a_worker_with_another_number_of_threads_is_a_clear_error():
    code = (
        "from experiments.sweeping.worker import _start\n"
        "from experiments.sweeping.workforce import SweepError\n"
        "_start(1); _start(1)\n"
        "try: _start(2)\n"
        "except SweepError as error: print(error)"
    )
    assert "another number of threads than 2" in in_fresh_process(code).stdout


def test_a_worker_keeps_its_programs_up_to_a_bound_and_gives_up_the_oldest(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "KEPT_PROGRAMS", 2)
    monkeypatch.setattr(worker, "_programs", {})
    monkeypatch.setattr("experiments.training.program.Program", lambda config, dataset: (config, dataset))
    first, second, third = (task(dataset={"batch_size": size}).config for size in (10, 20, 30))
    kept = [worker._program(config, None)[0] for config in (first, second)]
    assert worker._program(first.model_copy(update={"seed": 1}), None) == (kept[0], 0.0)
    worker._program(third, None)
    assert worker._program(second, None)[0] is kept[1]
    assert worker._program(first, None)[0] is not kept[0]


def test_data_that_were_changed_meanwhile_are_told_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "_start", lambda _: None)  # other tests have started it already
    (tmp_path / "my.npz").write_bytes(b"another")
    own = task(dataset={"file": str(tmp_path / "my.npz"), "sha256": "0"}).config
    record = worker.train_task(own, 1, None, {})
    assert (record.status, record.error) == (
        "failed",
        f"dataset.file: {tmp_path}/my.npz was changed meanwhile; give the command again",
    )
    assert record.provenance["data_file"] == {"path": str(tmp_path / "my.npz"), "sha256": "0"}


def test_a_run_with_a_section_gan_leaves_a_record_like_any_other():
    code = (
        "from experiments.configuration.run import RunConfig\n"
        "from experiments.sweeping.worker import train_task\n"
        "gan = {'latent': 2, 'discriminator': {'layers': [4]}}\n"
        "run = {'gan': gan, 'model': {'layers': [4]}, 'steps': 4, 'evaluate_every': 2}\n"
        "record = train_task(RunConfig.model_validate(run), 1, None, {})\n"
        "curve = record.curves['frechet/validation']\n"
        "print(record.status, record.error, curve.steps.tolist(), record.seconds.steps.tolist())"
    )
    assert in_fresh_process(code).stdout.strip() == "finished  [0, 2, 4] [0, 2, 4]"
