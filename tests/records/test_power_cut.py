"""What a power cut or a kill may leave at any moment: the old run, the new one, or none, but never half of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.configuration.experiment import Run
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.records.storage import Curve, Record

RUN = Run.model_construct(arm="a", grid={}, config=RunConfig())
RECORD = Record(RUN.config, "finished", {"loss/train": Curve(np.array([50]), np.array([1.0]))})


def test_a_run_is_on_the_disk_before_it_has_its_name_and_its_name_before_it_is_called_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    acts: list[tuple[str, str]] = []
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        new = rename(path, target)
        acts.append(("rename", target.name))
        return new

    monkeypatch.setattr(storage, "_sync", lambda path: acts.append(("sync", path.name)))
    monkeypatch.setattr(Path, "rename", renamed)
    storage.write_run(tmp_path, RUN, RECORD)
    *contents, directory, named, parent = acts
    assert sorted(contents) == [("sync", "curves.parquet"), ("sync", "run.json")]
    assert directory[0] == "sync"
    assert directory[1].startswith(".seed=0.")
    assert (named, parent) == (("rename", "seed=0"), ("sync", "a"))


def test_a_run_is_gone_with_its_first_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    removed: list[str] = []
    unlink = Path.unlink

    def killed_after_one(path: Path) -> None:
        if removed:
            raise KeyboardInterrupt
        removed.append(path.name)
        unlink(path)

    storage.write_run(tmp_path, RUN, RECORD)
    monkeypatch.setattr(Path, "unlink", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        storage.forget_run(tmp_path, RUN)
    assert removed == ["run.json"]
    assert not storage.exists(tmp_path, RUN)
