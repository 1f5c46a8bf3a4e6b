"""A printed command can be pasted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.reporting.commands import PROJECT, from_folder, shell_command


def test_from_the_project_a_command_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(PROJECT / ".venv/bin/python"))
    assert shell_command(PROJECT, "report.py", "--tier", "mnist") == ".venv/bin/python scripts/report.py --tier mnist"


def test_from_elsewhere_it_names_whole_paths_and_quotes_what_a_shell_would_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my pythons/bin/python")
    assert shell_command(tmp_path, "curves.py", "--logdir", Path("my runs/x")) == (
        f"'/opt/my pythons/bin/python' {PROJECT}/scripts/curves.py --logdir 'my runs/x'"
    )


def test_a_path_is_relative_only_within_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_folder(tmp_path, Path("a/b")) == Path("a/b")
    assert from_folder(tmp_path / "a", Path("b")) == tmp_path / "b"
