"""The table of arms that a terminal shows while they are trained."""

import io
from pathlib import Path

from rich.console import Console
from tensorboard_server import summed_up

from experiments.reporting.live_table import LiveArms
from experiments.sweeping.planning import plan_sweep
from experiments.sweeping.progress import SweepProgress


def text(table: LiveArms, height: int = 30) -> str:
    printed = io.StringIO()
    Console(file=printed, width=100, height=height, force_terminal=False).print(table)
    return printed.getvalue()


def test_the_best_of_an_arm_so_far_is_the_highest_median_over_its_seeds(tmp_path: Path):
    study = summed_up(tmp_path, "x", {"no_bn": 0.7, "bn": 0.9})
    table = LiveArms(study.experiment)
    assert text(table).splitlines()[-1].split() == ["bn", "0", "0", "–"]
    of_bn = [place for place in study.places() if place.run.arm == "bn"]
    table.update([(place.experiment, place.run) for place in of_bn if place.run.config.optimizer.learning_rate < 1])
    assert text(table).splitlines()[-1].split() == ["bn", "2", "0", "46.0", "learning", "rate", "0.1"]
    table.update([(place.experiment, place.run) for place in of_bn if place.run.config.optimizer.learning_rate == 1])
    assert text(table).splitlines()[-1].split() == ["bn", "4", "0", "91.0", "learning", "rate", "1"]
    assert text(table).splitlines()[-2].split() == ["no_bn", "0", "0", "–"]
    assert text(table, height=9) == ""  # two arms do not fit


def test_a_terminal_shows_it_above_the_bar_and_nothing_else_does(tmp_path: Path):
    study = summed_up(tmp_path, "x", {"no_bn": 0.7, "bn": 0.9})
    shown = {}
    for terminal in (True, False):
        printed = io.StringIO()
        console = Console(file=printed, width=100, height=30, force_terminal=terminal)
        with SweepProgress(console, above=LiveArms(study.experiment)) as progress:
            progress.start("training", plan_sweep(study.places()), [])
        shown[terminal] = printed.getvalue()
    assert "best so far at" in shown[True]
    assert "best so far at" not in shown[False]
