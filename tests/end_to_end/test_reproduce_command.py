"""`scripts/reproduce.py` and `scripts/report.py` as a reader gives them, in processes of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from sweeping import HANGS, ROOT

CLAIM = "weight_scale_is_irrelevant"


def command(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=HANGS, check=False)
    assert "Traceback" not in done.stderr + done.stdout, done.stderr + done.stdout
    return done


def verdict(printed: str) -> str:
    """Return the line of the claim's verdict, whatever width the console took it to have."""
    return next(line for line in re.sub(" +", " ", printed).splitlines() if CLAIM in line)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The output folder and what the command printed."""
    out = tmp_path_factory.mktemp("claims")
    done = command("reproduce.py", CLAIM, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_a_claim_is_trained_judged_and_reported(first: tuple[Path, str]) -> None:
    out, printed = first
    assert re.search(rf"✓.*{CLAIM}|{CLAIM}.*supported", verdict(printed))
    page = (out / "embedded" / "report.html").read_text(encoding="utf-8")
    assert f'id="{CLAIM}"' in page
    assert 'class="verdict supported"' in page
    assert len(list((out / "embedded" / CLAIM).rglob("run.json"))) == 40
    assert not (out / "embedded" / "explorer.html").exists()  # its runs are no part of the page to play with


def test_given_again_it_trains_nothing_and_says_the_same(first: tuple[Path, str]) -> None:
    out, printed = first
    before = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    again = command("reproduce.py", CLAIM, "--out", out)
    assert again.returncode == 0
    assert "40 runs are done already and kept" in again.stdout
    assert verdict(again.stdout) == verdict(printed)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("run.json")} == before


def test_the_report_judges_the_tables_alone(first: tuple[Path, str]) -> None:
    out, printed = first
    again = command("report.py", "--tier", "embedded", "--results", out / "embedded")
    assert again.returncode == 0, again.stdout + again.stderr
    assert verdict(again.stdout) == verdict(printed)


def test_another_claim_joins_the_report_of_the_first(first: tuple[Path, str]) -> None:
    out, _ = first
    before = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    done = command("reproduce.py", "does_not_always_help", "--out", out)  # it has no runs of its own
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does_not_always_help" in done.stdout
    assert CLAIM not in done.stdout
    assert f'id="{CLAIM}"' in (out / "embedded" / "report.html").read_text(encoding="utf-8")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("run.json")} == before


def test_part_of_a_tier_is_not_published(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_bytes()
    done = command("reproduce.py", CLAIM, "--publish", "--out", tmp_path)
    assert done.returncode == 2
    assert "--publish takes all claims of a tier" in done.stderr
    assert (ROOT / "README.md").read_bytes() == readme
    assert list(tmp_path.iterdir()) == []


def test_quick_takes_ten_seeds_and_the_published_learning_rates(tmp_path: Path) -> None:
    claim = "robust_to_brightness_and_contrast"
    done = command("reproduce.py", claim, "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path / "embedded" / claim
    assert {path.parent.name for path in folder.rglob("run.json")} == {f"seed={seed}" for seed in range(40, 50)}
    assert "tuning" not in done.stdout
    assert "10 seeds and, in 1 of 1 experiments, the published learning rates" in re.sub(r"\s+", " ", done.stdout)
    found = next(line for line in done.stdout.splitlines() if claim in line)
    again = command("report.py", "--tier", "embedded", "--results", tmp_path / "embedded")
    assert found in again.stdout
    page = (tmp_path / "embedded" / "report.html").read_text(encoding="utf-8")
    assert "runs as published" in page
    assert "in all 10 seeds" in page
    table = pd.read_parquet(folder / "results.parquet")
    assert set(table["seed"]) == {*range(40, 50), 100, 101, 102}


@pytest.mark.parametrize("other", ["--publish", "--tune"])
def test_quick_neither_publishes_nor_tunes(other: str, tmp_path: Path) -> None:
    done = command("reproduce.py", "--quick", other, "--out", tmp_path)
    assert done.returncode == 2
    assert "--quick" in done.stderr
    assert list(tmp_path.iterdir()) == []
