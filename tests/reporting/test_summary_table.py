"""The summary on a console: one block a kind of network, every comparison answered, no word broken."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Curve
from experiments.reporting import terminal
from experiments.reporting.summary_table import print_summary

CNN = "model.kind: cnn, model.layers: [4]"
ARMS = f"""arms:
  no_bn: {{}}
  bn: {{model.norm.kind: custom}}
  cnn_no_bn: {{{CNN}}}
  cnn_with_batch_normalization_after_the_activation: {{{CNN}, model.norm.kind: custom}}
seeds: 10
"""
TEST = {"no_bn": 0.5, "bn": 0.75, "cnn_no_bn": 0.75, "cnn_with_batch_normalization_after_the_activation": 0.5}


def two_kinds(folder: Path) -> tuple[Experiment, pd.DataFrame]:
    (folder / "x.yaml").write_text(f"title: Four arms\n{ARMS}")
    rows = [
        {"arm": arm, "seed": seed, "status": "finished", "final_test_accuracy": test, "best_validation_accuracy": 0.9}
        for arm, test in TEST.items()
        for seed in range(10)
    ]
    return load_experiment(folder / "x.yaml"), pd.DataFrame(rows)


def printed(tried: Experiment, table: pd.DataFrame, width: int) -> list[str]:
    console, text = terminal.open_console(), io.StringIO()
    console.file, console.width = text, width
    steps = {arm: 200 if arm == "no_bn" else 100 for arm in TEST}

    def curves_of(runs: list[object], _: str) -> dict[str, list[Curve]]:
        (arm,) = [run.arm for run in runs]  # type: ignore[attr-defined]
        return {arm: [Curve(np.array([0, steps[arm]]), np.array([0.1, 0.9]))]}

    print_summary(console, tried, table, curves_of)  # type: ignore[arg-type]
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_an_experiment_without_a_claim_is_answered_by_kind_of_network(tmp_path: Path) -> None:
    lines = [line.split() for line in printed(*two_kinds(tmp_path), width=120)]
    headings = [line[0] for line in lines if line[:1] in (["MLP"], ["CNN"], ["against"])]
    assert headings == ["MLP", "against", "CNN", "against"]
    assert ["bn", "0.50×", "[0.50×,", "0.50×]", "+25.0", "[+25.0,", "+25.0]", "10"] in lines
    slow = "cnn_with_batch_normalization_after_the_activation 1.00× [1.00×, 1.00×] −25.0 [−25.0, −25.0] 10"
    assert slow.split() in lines
    assert [
        "Steps",
        "to",
        "a",
        "validation",
        "accuracy",
        "one",
        "point",
        "below",
        "what",
        "the",
        "arms",
        "come",
        "to.",
    ] in lines


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_wider_than_the_terminal_and_no_word_is_broken(width: int, tmp_path: Path) -> None:
    lines = printed(*two_kinds(tmp_path), width=width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    name = "cnn_with_batch_normalization_after_the_activation"
    pieces = ["cnn_with_batch_", "normalization_after_the_", "activation"] if width == 80 else [name]
    assert [word for word in words if word in pieces] == pieces * 2
    for word in ("quartiles", "brackets.", "accuracy", "(points)", "10"):
        assert word in words


def test_a_summary_of_one_kind_names_no_kind(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("title: t\narms: {no_bn: {}, bn: {model.norm.kind: custom}}\nseeds: 10\n")
    tried = load_experiment(tmp_path / "x.yaml")
    _, table = two_kinds(tmp_path)
    assert not [line for line in printed(tried, table, width=80) if "MLP" in line]
