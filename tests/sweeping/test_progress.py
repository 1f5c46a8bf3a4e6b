"""What is said of a sweep while it goes on."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from places import place, write
from rich.console import Console

from experiments.sweeping.planning import COMPILE_COST, Place, plan_sweep, relative_cost
from experiments.sweeping.progress import SweepProgress, _duration


class Clock:
    """Seconds that pass when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def shown(clock: Clock, terminal: bool = False) -> tuple[SweepProgress, io.StringIO]:
    printed = io.StringIO()
    return SweepProgress(Console(file=printed, force_terminal=terminal, width=120), clock), printed


def cheap_and_dear(folder: Path) -> tuple[list[Place], list[Place]]:
    """Runs of two programs, the second of which costs a hundred times as much."""
    cheap = [place(folder, "cheap", seed, steps=100) for seed in range(4)]
    dear = [
        place(folder, "dear", seed, steps=19_900, evaluate_every=100, model={"norm": {"kind": "custom"}})
        for seed in range(4)
    ]
    assert relative_cost(dear[0].run.config) == 100 * relative_cost(cheap[0].run.config)
    return cheap, dear


def test_it_says_what_is_compiled_and_done(tmp_path: Path, clock: Clock):
    cheap, dear = cheap_and_dear(tmp_path)
    write(cheap[0])
    progress, printed = shown(clock)
    progress.start("tuning", plan_sweep([*cheap, *dear]), [])
    assert printed.getvalue().splitlines() == [
        "1 runs are done already and kept.",
        "tuning · 0/2 programs compiled · 1/8 runs",
    ]
    progress.update([cheap[1]], [])
    assert progress.words() == "tuning · 1/2 programs compiled · 2/8 runs"
    progress.update([dear[0]], [])
    assert progress.words() == "tuning · 3/8 runs"


def test_time_left_goes_by_cost_and_is_not_told_before_it_can_be_judged(tmp_path: Path, clock: Clock):
    cheap, dear = cheap_and_dear(tmp_path)
    progress, _ = shown(clock)
    progress.start("training", plan_sweep([*cheap, *dear]), [])
    clock.now = 100.0
    assert progress.seconds_left() is None
    run = relative_cost(cheap[0].run.config)
    assert (4 * run + COMPILE_COST) / (404 * run + 2 * COMPILE_COST) < 0.49
    progress.update(cheap, [])
    left = (400 * run + COMPILE_COST) / (4 * run + COMPILE_COST)
    assert progress.seconds_left() == pytest.approx(100 * left)
    clock.now = 9.0
    assert progress.seconds_left() is None  # in so short a time a pace is no more than luck
    clock.now = 200.0
    progress.update(dear[:3], [])
    assert progress.seconds_left() == pytest.approx(200 * 100 * run / (304 * run + 2 * COMPILE_COST))
    progress.update(dear[3:], [])
    assert progress.seconds_left() is None  # none is left


def test_the_stage_to_come_is_in_the_time_left(tmp_path: Path, clock: Clock):
    cheap, dear = cheap_and_dear(tmp_path)
    progress, _ = shown(clock)
    later = [at.run.config for at in dear]
    progress.start("tuning", plan_sweep(cheap), later)
    clock.now = 100.0
    progress.update(cheap, [])
    run = relative_cost(cheap[0].run.config)
    expected = 100 * (400 * run + COMPILE_COST) / (4 * run + COMPILE_COST)
    assert progress.seconds_left() == pytest.approx(expected)
    assert progress.words().startswith("tuning · 4/8 runs · about ")
    progress.start("training", plan_sweep(dear), [])
    assert progress.seconds_left() == pytest.approx(expected)
    assert progress.words().startswith("training · 0/1 programs compiled · 4/8 runs · about ")


def test_a_training_for_several_places_costs_once(tmp_path: Path, clock: Clock):
    twins = [place(tmp_path / name, seed=1) for name in ("a", "b")]
    other = place(tmp_path / "a", seed=2)
    progress, _ = shown(clock)
    progress.start("training", plan_sweep([*twins, other]), [])
    clock.now = 60.0
    progress.update(twins, [])
    run = relative_cost(other.run.config)
    assert progress.seconds_left() == pytest.approx(60 * run / (run + COMPILE_COST))


def test_without_a_terminal_lines_come_now_and_then(tmp_path: Path, clock: Clock):
    cheap, _ = cheap_and_dear(tmp_path)
    progress, printed = shown(clock)
    with progress:
        progress.start("training", plan_sweep(cheap), [])
        for second in range(1, 1001):
            clock.now = second
            progress.update([], [])
    lines = printed.getvalue().splitlines()
    assert len(lines) == 1 + 10 + 21  # every 10 s, then at 112, 125, 139, …: after a tenth of the time so far
    assert set(lines) == {"training · 0/1 programs compiled · 0/4 runs"}


def test_a_terminal_has_one_bar(tmp_path: Path, clock: Clock):
    cheap, _ = cheap_and_dear(tmp_path)
    progress, printed = shown(clock, terminal=True)
    with progress:
        progress.start("training", plan_sweep(cheap), [])
        progress.update(cheap, [])
        progress.start("tables and figures", plan_sweep([]), [])
    assert "tables and figures · 4/4 runs" in printed.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "10 s"), (44, "40 s"), (89, "90 s"), (100, "2 min"), (3000, "50 min"), (5400, "1.5 h")],
)
def test_a_time_left_is_as_exact_as_an_estimate(seconds: float, words: str):
    assert _duration(seconds) == words
