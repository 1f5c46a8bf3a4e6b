"""The summary on a console: networks apart, every comparison in a sentence, bounds as bounds, no word broken."""

from __future__ import annotations

import io
from math import inf
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.analysis.contrasts import Contrast, Effect
from experiments.analysis.results_table import results_table
from experiments.analysis.summary import ArmSummary, Estimate, Level, Network
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.records.storage import Record
from experiments.reporting import terminal
from experiments.reporting.summary_table import level_words, print_summary, sentence

CNN = "model.kind: cnn, model.layers: [4]"
LONG = "cnn_with_batch_normalization_after_the_activation"
ARMS = f"no_bn: {{}}, bn: {{model.norm.kind: custom}}, cnn: {{{CNN}}}, {LONG}: {{{CNN}, model.norm.kind: custom}}"
SLOW, FAST = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9], [0.1, 0.9, 0.9, 0.9, 0.9, 0.9]  # 0.8 after 287.5 and after 87.5 steps
OF_ARM = {"no_bn": (SLOW, 0.5), "bn": (FAST, 0.75), "cnn": (FAST, 0.75), LONG: (SLOW, 0.5)}


def experiment(folder: Path, tail: str = "seeds: 10", arms: str = ARMS) -> Experiment:
    (folder / "x.yaml").write_text(
        f"title: Four arms\nrun: {{steps: 500, evaluate_every: 100}}\narms: {{{arms}}}\n{tail}\n"
    )
    return load_experiment(folder / "x.yaml")


def row(arm: str, seed: int, **fields: Any) -> dict[str, Any]:
    curve, test = OF_ARM[arm]
    values = {"arm": arm, "seed": seed, "status": "finished", "final_test_accuracy": test}
    values |= {"final_validation_accuracy": 0.9, "late_validation_accuracy": 0.9, "accuracy/validation": curve}
    return values | fields


def all_rows(seeds: int = 10) -> list[dict[str, Any]]:
    return [row(arm, seed) for arm in OF_ARM for seed in range(seeds)]


def printed(tried: Experiment, rows: list[dict[str, Any]] | pd.DataFrame, width: int = 120) -> list[str]:
    console, text = terminal.open_console(), io.StringIO()
    console.file, console.width = text, width
    print_summary(console, tried, pd.DataFrame(rows))
    return [line.rstrip() for line in text.getvalue().splitlines()]


def test_networks_stand_apart_with_steps_accuracy_and_a_sentence_each(tmp_path: Path) -> None:
    lines = printed(experiment(tmp_path), all_rows(), width=200)
    assert [line.split() for line in lines if line.startswith(("MLP", "CNN", "no_bn ", "bn  "))] == [
        ["MLP", "80.0", "%", "(%)"],
        ["no_bn", "288", "[288,", "288]", "50.0", "[50.0,", "50.0]"],
        ["bn", "88", "[88,", "88]", "75.0", "[75.0,", "75.0]"],
        ["CNN", "80.0", "%", "(%)"],
    ]
    assert (
        "bn needs 3.3 times fewer steps [3.3, 3.3] to 80.0 % than no_bn; "
        "it ends at a higher accuracy (+25.0 points [+25.0, +25.0])."
    ) in lines
    assert (
        f"{LONG} needs 3.3 times more steps [3.3, 3.3] to 80.0 % than cnn; "
        "it ends at a lower accuracy (−25.0 points [−25.0, −25.0])."
    ) in lines
    level = "Steps to 80.0 % validation accuracy: twice the error that the weakest arm that trains ends with."
    assert lines.count(level) == 2


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_wider_than_the_terminal_and_no_word_is_broken(width: int, tmp_path: Path) -> None:
    lines = printed(experiment(tmp_path), all_rows(), width=width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    pieces = ["cnn_with_batch_", "normalization_after_", "the_activation"] if width == 80 else [LONG]
    assert [word for word in words if word in pieces] == pieces + [LONG] * (width == 120)
    for word in ("brackets", "accuracy", "interval"):
        assert word in words


def test_steps_that_were_never_come_to_are_printed_as_a_bound(tmp_path: Path) -> None:
    never = {"accuracy/validation": [0.1] * 6}
    rows = [row("no_bn", s) for s in range(10)] + [row("bn", s, **(never if s < 6 else {})) for s in range(10)]
    text = printed(experiment(tmp_path), rows)
    assert next(line.split() for line in text if line.startswith("bn "))[1:6] == [">", "500", "[88,", ">", "500]"]
    assert "> in steps: not reached by the last step in some runs (bn)." in text
    rows = [row("no_bn", s, **never) for s in range(10)] + [row("bn", s) for s in range(10)]
    text = printed(experiment(tmp_path), rows, 200)
    assert next(line.split() for line in text if line.startswith("no_bn "))[1:4] == [">", "500", "50.0"]
    assert any("bn needs at least 5.7 times fewer steps [≥ 5.7] to 80.0 % than no_bn;" in line for line in text)


@pytest.mark.parametrize(
    ("seeds", "words"),
    [(1, "Median over 1 seed."), (5, "the range"), (6, "95 % interval from order statistics"), (9, "chance may have")],
)
def test_what_the_brackets_hold_and_how_many_seeds_there_are_is_said(seeds: int, words: str, tmp_path: Path) -> None:
    text = " ".join(printed(experiment(tmp_path, f"seeds: {seeds}"), all_rows(seeds)))
    assert words in text
    assert ("[" in text) is (seeds > 1)
    assert "chance may have" not in " ".join(printed(experiment(tmp_path), all_rows()))


def test_the_largest_rate_at_which_an_arm_trains_is_a_bound_at_the_top_of_the_grid(tmp_path: Path) -> None:
    rate = "optimizer.learning_rate"
    tried = experiment(tmp_path, f"grid: {{{rate}: [0.1, 1]}}\nseeds: 6", ARMS.partition(", cnn")[0])
    rows = [row(arm, s, **{rate: r}) for arm in ("no_bn", "bn") for s in range(6) for r in (0.1, 1.0)]
    for of_run in rows:
        if of_run["arm"] == "no_bn" and of_run[rate] == 1:
            of_run |= {"late_validation_accuracy": 0.1, "final_validation_accuracy": 0.1, "status": "diverged"}
    text = printed(tried, rows, 200)
    cells = {line.split()[0]: line.split()[-2:] for line in text if line.startswith(("no_bn ", "bn  "))}
    assert cells == {"no_bn": ["50.0]", "0.1"], "bn": ["≥", "1"]}
    assert "Diverged at other learning rates or on tuning seeds: no_bn 6 of 6." in text
    assert "≥: the largest learning rate tried; the arm may train at larger ones." in text
    assert any("than no_bn, each at its own best rate; it ends" in line for line in text)


def test_a_best_rate_at_the_edge_is_marked(tmp_path: Path) -> None:
    tail = "grid: {optimizer.learning_rate: [0.1, 1]}\ntuning: {seeds: [100]}\nseeds: 1"
    rows = [
        row("bn", s, **{"optimizer.learning_rate": r, "final_validation_accuracy": r / 2})
        for s in (0, 100)
        for r in (0.1, 1.0)
    ]
    text = printed(experiment(tmp_path, tail, "bn: {model.norm.kind: custom}"), rows)
    assert any("1 *" in line for line in text)
    assert "* At the edge of the learning rates tried: a better one may lie outside." in text


def test_without_results_a_dash_stands_for_every_number(tmp_path: Path) -> None:
    tried = experiment(tmp_path)
    failed = results_table((r.arm, r.grid, Record(r.config, "failed", {})) for r in tried.evaluation_runs({}))
    for table in (results_table([]), failed):
        assert ["bn", "–"] in [line.split() for line in printed(tried, table)]


def of(ratio: tuple[float, float], interval: tuple[float, float], side: Any, seeds: int = 10) -> Effect:
    return Effect(Estimate(*ratio, interval, seeds < 6, seeds), side)


SAME = of((0.1, 0.1), (-0.2, 0.4), "same")


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (of((2.3, 2.3), (1.9, 2.8), "more"), "needs 2.3 times fewer steps [1.9, 2.8] to 93.1 % than no_bn"),
        (of((0.5, 0.5), (0.4, 0.625), "less"), "needs 2.0 times more steps [1.6, 2.5] to 93.1 % than no_bn"),
        (of((1.1, 1.1), (1, 1.2), "same"), "needs about as many steps to 93.1 % as no_bn (ratio 1.10 [1.00, 1.20])"),
        (
            of((1.5, 1.5), (0.9, 2), "open"),
            "needs 1.5 times fewer steps [0.90, 2.0] to 93.1 % than no_bn (not settled by 10 seeds)",
        ),
        (of((4, inf), (3, inf), "more"), "needs at least 4.0 times fewer steps [≥ 3.0] to 93.1 % than no_bn"),
        (of((0, 0.25), (0, 0.5), "less"), "needs at least 4.0 times more steps [≥ 2.0] to 93.1 % than no_bn"),
        (
            of((2, inf), (0, inf), "open"),
            "needs at least 2.0 times fewer steps to 93.1 % than no_bn (not settled by 10 seeds)",
        ),
        (of((0, inf), (0, inf), "open"), "comes to 93.1 % too seldom to be compared with no_bn"),
        (of((0.8, inf), (0.5, inf), "open"), "comes to 93.1 % too seldom to be compared with no_bn"),
        (
            of((12, 12), (12, 12), "open", 1),
            "needs 12 times fewer steps to 93.1 % than no_bn (not settled by 1 seed)",
        ),
    ],
)
def test_a_ratio_of_steps_comes_to_one_sentence(effect: Effect, words: str) -> None:
    arms = tuple(ArmSummary(arm, None, False, 0, None, None, None, False, 0, 0, 0, 0) for arm in ("no_bn", "bn"))
    network = Network("MLP", Level(0.931, "twice the error"), arms, {})
    said = sentence(network, Contrast("bn", effect, SAME), rated=False).replace(terminal.NO_BREAK, " ")
    assert said.startswith(f"bn {words}")
    assert said.endswith("; both end at about the same accuracy (+0.1 points [−0.2, +0.4]).")


def test_without_a_level_the_sentence_is_on_accuracy_alone() -> None:
    arms = tuple(ArmSummary(arm, None, False, 0, None, None, None, False, 0, 0, 0, 0) for arm in ("no_bn", "bn"))
    network = Network("MLP", None, arms, {})
    for low, interval, seeds, words in [
        (1, (1, 1), 1, "its accuracy was higher at the end (+1.0 points), though 1 seed does not settle it"),
        (-86.4, (-90, -80), 3,
         "its accuracy was lower at the end (−86.4 points [−90.0, −80.0]), though 3 seeds do not settle it"),
        (0, (0, 0), 1, "the accuracies were the same at the end (+0.0 points), though 1 seed does not settle it"),
        (0.4, (-0.2, 1), 10, "whether it ends higher or lower is not settled (+0.4 points [−0.2, +1.0])"),
    ]:  # fmt: skip
        contrast = Contrast("bn", None, of((low, low), interval, "open", seeds))
        assert sentence(network, contrast, rated=True) == f"bn against no_bn: {words}."
    assert sentence(network, Contrast("bn", None, None), rated=True) == ""
    nothing = Contrast("bn", None, of((-0.04, -0.04), (-0.04, 0.04), "same"))
    assert sentence(network, nothing, rated=True).endswith("accuracy (+0.0 points [+0.0, +0.0]).")


def test_every_rule_of_a_level_has_its_words() -> None:
    assert "half a point below what the weakest arm" in level_words(Level(0.995, "half a point below"))
    assert "half way from the first guess to the best arm" in level_words(Level(0.55, "half way"))
