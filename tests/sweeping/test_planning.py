"""What a sweep plans, how long it thinks that takes, and how it cuts the work."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from places import place, record, task, write

from experiments.configuration.facts import EMBEDDED
from experiments.configuration.run import RunConfig
from experiments.records import storage
from experiments.sweeping.planning import (
    PIECES_PER_WORKER,
    cut_into_pieces,
    estimate_seconds,
    examples_seen,
    plan_sweep,
    relative_cost,
)
from experiments.training.dataset_facts import DatasetError


def test_equal_configurations_are_trained_once_for_all_their_places(tmp_path: Path):
    first, second, other = place(tmp_path / "a"), place(tmp_path / "b", arm="twin"), place(tmp_path / "a", seed=1)
    plan = plan_sweep([first, second, other])
    assert [task.places for task in plan.tasks] == [(first, second), (other,)]
    assert plan.pending == [first, second, other]


def test_a_finished_twin_that_is_no_part_of_the_sweep_is_copied_too(tmp_path: Path):
    finished, missing, other = place(tmp_path / "a"), place(tmp_path / "b"), place(tmp_path / "b", seed=1)
    write(finished)
    plan = plan_sweep([missing, other], elsewhere=[finished, place(tmp_path / "a", seed=1)])
    assert (plan.done, plan.copies) == ([], [(finished, missing)])
    assert [task.places for task in plan.tasks] == [(other,)]


def test_diverged_runs_are_done_and_failed_ones_are_not(tmp_path: Path):
    diverged, failed = place(tmp_path, arm="a"), place(tmp_path, arm="b", seed=1)
    write(diverged, "diverged")
    write(failed, "failed")
    plan = plan_sweep([diverged, failed])
    assert plan.done == [diverged]
    assert plan.pending == [failed]


def test_another_configuration_in_the_same_place_is_not_done(tmp_path: Path):
    write(place(tmp_path))
    assert plan_sweep([place(tmp_path, steps=150)]).done == []
    assert plan_sweep([place(tmp_path)]).done != []


def test_a_directory_without_run_json_is_not_done(tmp_path: Path):
    here = place(tmp_path)
    write(here)
    (tmp_path / storage.run_name(here.run) / "run.json").unlink()
    assert plan_sweep([here]).done == []


def test_runs_that_give_way_to_other_settings_are_counted(tmp_path: Path):
    before, failed, new = place(tmp_path, seed=0), place(tmp_path, seed=1), place(tmp_path, seed=2)
    write(before)
    write(failed, "failed")
    longer = [place(tmp_path, seed=seed, steps=200) for seed in range(3)]
    assert plan_sweep([before, failed, new]).outdated == []
    assert plan_sweep(longer).outdated == longer[:1]


def test_the_estimate_is_the_median_of_finished_runs_of_the_program_over_the_workers(tmp_path: Path):
    done = [place(tmp_path, seed=seed) for seed in range(3)]
    for at, seconds in zip(done, (1.0, 3.0, 8.0), strict=True):
        storage.write_run(at.experiment, at.run, record(at, wall_seconds=seconds))
    missing = [place(tmp_path, seed=seed) for seed in range(3, 7)]
    assert estimate_seconds(plan_sweep([*done, *missing]), workers=2) == 4 * 3.0 / 2
    longer = place(tmp_path, seed=9, steps=200)
    assert estimate_seconds(plan_sweep([*done, longer]), workers=2) is None
    unknown = place(tmp_path, seed=9, model={"layers": [7]})
    assert estimate_seconds(plan_sweep([*done, unknown]), workers=2) is None


def test_timed_runs_are_not_spread_over_the_workers_in_the_estimate_either(tmp_path: Path):
    done, missing = place(tmp_path, timed=True), place(tmp_path, timed=True, seed=1)
    storage.write_run(done.experiment, done.run, record(done, wall_seconds=3.0))
    assert estimate_seconds(plan_sweep([done, missing]), workers=2) == 3.0


def test_pieces_hold_every_task_once_and_each_a_single_program():
    tasks = [task(seed, steps=5000, model={"layers": [width]}) for width in (10, 20, 300) for seed in range(50)]
    pieces = cut_into_pieces(tasks, workers=2)
    assert Counter(task.config.digest() for piece in pieces for task in piece) == Counter(
        task.config.digest() for task in tasks
    )
    assert all(len({task.config.program_key() for task in piece}) == 1 for piece in pieces)
    costs = [sum(relative_cost(task.config) for task in piece) for piece in pieces]
    assert costs == sorted(costs, reverse=True)


def test_a_large_program_is_cut_for_all_workers_a_small_one_is_compiled_once():
    large = [task(seed, steps=20_000) for seed in range(100)]
    small = [task(seed, steps=100, model={"layers": [5]}) for seed in range(100)]
    assert len(cut_into_pieces(large, workers=4)) == 4 * PIECES_PER_WORKER
    pieces = cut_into_pieces([*large, *small], workers=4)
    assert sum(piece[0].config.model.layers == (5,) for piece in pieces) == 1
    assert len(cut_into_pieces(small, workers=2)) == 2  # with nothing else to do, both workers help


def test_a_deep_network_that_is_only_looked_at_comes_before_cheap_trainings_as_it_takes_longer_to_trace():
    shallow = [task(seed, steps=5000, model={"layers": [100]}) for seed in range(10)]
    deep = [task(seed, steps=0, model={"layers": [100], "depth": 64}) for seed in range(10)]
    assert [piece[0] for piece in cut_into_pieces([*shallow, *deep], workers=1)] == [deep[0], shallow[0]]


def test_the_learning_rate_and_the_seed_do_not_part_a_program():
    tasks = [task(seed, optimizer={"learning_rate": rate}) for seed in range(3) for rate in (0.1, 1.0)]
    assert len(cut_into_pieces(tasks, workers=1)) == 1


def of_batches(*sizes: int, name: str = "digits", **fields: int) -> list[RunConfig]:
    settings = [({"name": name, "batch_size": size} | fields) for size in sizes]
    return [RunConfig.model_validate({"dataset": dataset, "steps": 200}) for dataset in settings]


def test_batches_of_several_sizes_see_other_numbers_of_examples_in_equal_steps():
    digits = of_batches(64, 8, 64)  # of 1,797 digits 1,078 are trained on
    seen = "examples of digits seen in 200 steps by batch 8: 1,600 (1.5 epochs), batch 64: 12,800 (11.9 epochs)"
    seen += "; epochs make them equal"
    assert examples_seen(digits, EMBEDDED) == [seen]
    few = of_batches(8, 64, train_examples=100)
    assert examples_seen(few, EMBEDDED) == [seen.replace("1.5", "16.0").replace("11.9", "128.0")]
    of_unknown = examples_seen(of_batches(8, 64, name="mnist"), {"mnist": DatasetError("dataset.name", "not here")})
    assert of_unknown == [
        "examples of mnist seen in 200 steps by batch 8: 1,600, batch 64: 12,800; epochs make them equal"
    ]


def test_where_examples_are_equal_or_steps_are_not_nothing_is_said_of_them():
    longer = [config.model_copy(update={"steps": 1600}) for config in of_batches(8)]
    assert examples_seen([*of_batches(64), *longer], EMBEDDED) == []
    looked_at = [config.model_copy(update={"steps": 0}) for config in of_batches(8, 64)]
    assert examples_seen([*of_batches(64, 64), *looked_at], EMBEDDED) == []


def test_a_step_of_two_networks_counts_as_the_passes_it_takes():
    gan = RunConfig.model_validate({"gan": {"latent": 8}})
    assert relative_cost(gan) == 5 * relative_cost(RunConfig())
