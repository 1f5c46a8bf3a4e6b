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


def test_time_left_goes_by_cost_since_the_first_run_and_is_not_told_before_it_can_be_judged(
    tmp_path: Path, clock: Clock
):
    cheap, dear = cheap_and_dear(tmp_path)
    run = relative_cost(cheap[0].run.config)
    progress, _ = shown(clock)
    progress.start("training", plan_sweep([*cheap, *dear]), [])
    clock.now = 100.0  # the workers start
    progress.update(dear[:1], [])
    clock.now = 160.0
    assert progress.seconds_left() is None
    progress.update(cheap[:1], [])
    left = 303 * run
    assert progress.seconds_left() == pytest.approx(60 * left / (run + COMPILE_COST))
    clock.now = 109.0
    assert progress.seconds_left() is None  # in so short a time a pace is no more than luck
    clock.now = 200.0
    progress.update(dear[1:], [])
    assert progress.seconds_left() == pytest.approx(100 * 3 * run / (301 * run + COMPILE_COST))
    progress.update(cheap[1:], [])
    assert progress.seconds_left() is None  # none is left


def test_a_twentieth_of_the_work_is_needed_to_judge(tmp_path: Path, clock: Clock):
    runs = [place(tmp_path, seed=seed, steps=20_000, evaluate_every=1000) for seed in range(101)]
    progress, _ = shown(clock)
    progress.start("training", plan_sweep(runs), [])
    progress.update(runs[:1], [])
    clock.now = 1000.0
    progress.update(runs[1:6], [])
    assert 5 * relative_cost(runs[0].run.config) < 0.05 * (101 * relative_cost(runs[0].run.config) + COMPILE_COST)
    assert progress.seconds_left() is None
    progress.update(runs[6:7], [])
    assert progress.seconds_left() == pytest.approx(1000 * 94 / 6)


def test_the_stage_to_come_is_in_the_time_left(tmp_path: Path, clock: Clock):
    cheap, dear = cheap_and_dear(tmp_path)
    progress, _ = shown(clock)
    progress.start("tuning", plan_sweep([*dear[:2], *cheap]), [at.run.config for at in dear[2:]])
    progress.update(cheap, [])
    clock.now = 100.0
    progress.update(dear[:2], [])
    run = relative_cost(cheap[0].run.config)
    expected = 100 * 200 * run / (200 * run + COMPILE_COST)
    assert progress.seconds_left() == pytest.approx(expected)
    assert progress.words() == f"tuning · 6/8 runs · about {_duration(expected)} left"
    progress.start("training", plan_sweep(dear[2:]), [])
    assert progress.words() == f"training · 6/8 runs · about {_duration(expected)} left"


def test_a_training_for_several_places_costs_once(tmp_path: Path, clock: Clock):
    twins = [place(tmp_path / name, seed=1, steps=1000, evaluate_every=1000) for name in ("a", "b")]
    others = [place(tmp_path / "a", seed=seed, steps=20_000, evaluate_every=1000) for seed in (2, 3, 4)]
    progress, _ = shown(clock)
    progress.start("training", plan_sweep([*twins, *others]), [])
    progress.update(others[:1], [])
    clock.now = 60.0
    progress.update([*twins, *others[1:2]], [])
    dear, cheap = (relative_cost(at.run.config) for at in (others[0], twins[0]))
    assert progress.seconds_left() == pytest.approx(60 * dear / (dear + cheap))


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
