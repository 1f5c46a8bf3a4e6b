# ruff: noqa: E501  one case a line, so that the tables of messages can be read
from pathlib import Path

import pytest
from experiment_files import BASE, faults_of, load, only_run

SO_MANY = "each run is a folder of files and a row of the results; cut the experiment into several files"
BATCH = "a batch and what every layer makes of it lie in memory at once"
BITS = "networks compute in 32-bit numbers"
SPLIT = "scikit-learn splits the examples by seeds of 32 bits"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("seeds: 99999999999", f"seeds: must be at most 100,000, got 99999999999: {SO_MANY}"),
        ("seeds: [20240115123000]", f"seeds.0: must be at most 4,294,967,295, got 20,240,115,123,000: {SPLIT}"),
        ("seeds: [0, 4294967296]", f"seeds.1: must be at most 4,294,967,295, got 4,294,967,296: {SPLIT}"),
        (f"seeds: [{10**23}]", f"seeds.0: must be at most 4,294,967,295, got {10**23:,}: {SPLIT}"),
        (f"seeds: [{10**30}]", "seeds.0: expected a whole number of at most 30 digits"),
        ("tuning: {over: steps, seeds: [4294967296]}\ngrid: {steps: [50]}", f"tuning.seeds.0: must be at most 4,294,967,295, got 4,294,967,296: {SPLIT}"),
        ("run: {dataset: {batch_size: 10000000}}", f"run.dataset.batch_size: must be at most 1,000,000, got 10,000,000: {BATCH}"),
        ("run: {dataset: {train_examples: 3e9}}", "run.dataset.train_examples: must be at most 2,147,483,647, got 3,000,000,000: examples are numbered in 32 bits"),
        ("run: {probe_examples: 1e7, probes: [gradients]}", f"run.probe_examples: must be at most 1,000,000, got 10,000,000: {BATCH}"),
        ("run: {steps: 1e9}", "run: steps times dataset.batch_size must be at most 1,000,000,000, got 60,000,000,000: the order of all examples lies in memory"),
        ("run: {steps: 0, evaluate_every: 1e9}", "run: evaluate_every times dataset.batch_size must be at most 1,000,000,000, got 60,000,000,000: the order of all examples lies in memory"),
        ("run: {steps: 2e6, evaluate_every: 1}", "run: steps over evaluate_every must be at most 1,000,000, got 2,000,000: what each evaluation shows lies in memory; evaluate less often"),
        ("run: {model: {layers: [100001]}}", "run.model.layers.0: must be at most 100,000, got 100,001: between two such layers there would be ten thousand million weights"),
        ("run: {model: {depth: 334}}", "run.model: layers, 334 times 3, must be at most 1,000, got 1,002: each is compiled into the program"),
        ("run: {model: {layers: [40000, 30000]}}", "run.model: must have at most 1,000,000,000 weights between its layers, got 1,200,000,000: they and their gradients lie in memory; give fewer or narrower layers"),
        ("run: {model: {layers: [20000], depth: 4}}", "run.model: must have at most 1,000,000,000 weights between its layers, got 1,200,000,000: they and their gradients lie in memory; give fewer or narrower layers"),
        ("run: {model: {kind: rnn, layers: [40000]}}", "run.model: must have at most 1,000,000,000 weights between its layers, got 1,600,000,000: they and their gradients lie in memory; give fewer or narrower layers"),
        ("run: {model: {kind: cnn, layers: [20000, 10000]}}", "run.model: must have at most 1,000,000,000 weights between its layers, got 1,800,000,000: they and their gradients lie in memory; give fewer or narrower layers"),
        ("run: {model: {norm: {kind: group, groups: 7}}}", "run.model: norm.groups (7) must divide every layer, but not 100; give a number that divides all of them"),
        ("run: {model: {norm: {kind: custom, virtual_batch_size: 61}}}", "run: model.norm.virtual_batch_size (61) must be at most dataset.batch_size (60), of which it is a part"),
        ("run: {model: {norm: {kind: custom, virtual_batch_size: 6, renorm: true}}}", "run.model.norm: renorm and virtual_batch_size exclude each other; keep one"),
        ("run: {model: {init_scale: 1e300}}", f"run.model.init_scale: must be from 1e-37 to 1e+37, got 1e+300: {BITS}"),
        ("run: {optimizer: {learning_rate: 1e40}}", f"run.optimizer.learning_rate: must be from 1e-37 to 1e+37, got 1e+40: {BITS}"),
        ("run: {optimizer: {learning_rate: 1e-50}}", f"run.optimizer.learning_rate: must be from 1e-37 to 1e+37, got 1e-50: {BITS}"),
        (f"run: {{optimizer: {{learning_rate: {10**400}}}}}", f"run.optimizer.learning_rate: expected a number, got 1{'0' * 99}… (401 characters)"),
        ("run: {optimizer: {momentum: 0.99999999}}", f"run.optimizer.momentum: must be at most 0.9999999, got 0.99999999: {BITS}, where this is 1"),
        ("run: {optimizer: {weight_decay: 1e-50}}", f"run.optimizer.weight_decay: must be from 1e-37 to 1e+37, got 1e-50: {BITS}"),
        ("run: {optimizer: {learning_rate: 1e3, schedule: {kind: exponential, factor: 1e37}}}", f"run.optimizer: schedule: must keep the learning rate at most 1e+37, but it comes to 1e+40: {BITS}; give a smaller factor"),
        ("run: {optimizer: {schedule: {kind: step, factor: 1e20}}}", f"run.optimizer: schedule: must keep the learning rate at most 1e+37, but it comes to 1e+39: {BITS}; give a smaller factor"),
        ("run: {optimizer: {schedule: {kind: step, milestones: [50]}}}", "run.optimizer.schedule.milestones.0: must be below 1, got 50; it is a share, so write 0.5 for 50 %"),
        ("run: {optimizer: {schedule: {kind: step, milestones: []}}}", "run.optimizer.schedule.milestones: give at least one, got []"),
        ("run: {steps: 100, optimizer: {schedule: {warmup_steps: 101}}}", "run: optimizer.schedule.warmup_steps (101) must be at most steps (100)"),
        ("run: {probes: [attack], dataset: {binarize: true}}", "run: probes: attack follows the slope of the loss over pixels, and dataset.binarize leaves none; keep one"),
        ("run: {moving_averages: [0.9, 0.99, 0.9], model: {norm: {kind: custom}}}", "run: moving_averages: 0.9 is given twice; keep one"),
        ("run: {moving_averages: [0.9], model: {norm: {kind: custom, momentum: 0.99999}}}", "run: model.norm.momentum must be at most 0.9999 beside moving_averages, got 0.99999: they learn from the layers' own average what a batch has added to it"),
        (f"run: {{steps: 0x{'f' * 5000}}}", "run.steps: expected a whole number of at most 30 digits"),
        (f"run: {{model: {{init_scale: 0x{'f' * 5000}}}}}", "run.model.init_scale: expected a number, got a number of thousands of digits"),
        (f"grid:\n  steps: [{', '.join(str(50 * i) for i in range(400))}]\n  model.init_scale: [{', '.join(map(str, range(1, 300)))}]", f"grid: must come to at most 100,000 runs of a seed, got 119,600: {SO_MANY}"),
        ("grid: {steps: [0, 50]}\nseeds: 50001", f"seeds: must come to at most 100,000 runs, got 100,002: {SO_MANY}"),
        ("grid: {steps: [0, 50]}\nseeds: 50000\ntuning: {over: steps, seeds: [50000]}", f"seeds: must come to at most 100,000 runs, got 100,002: {SO_MANY}"),
    ],
)  # fmt: skip
def test_a_number_beyond_what_can_work_is_refused_with_the_reason(tmp_path: Path, text: str, fault: str):
    (found,) = faults_of(tmp_path, f"{BASE}{text}\n")
    place, _, rest = found.partition(": ")
    assert (place.rpartition(":")[0], rest) == ("x.yaml", fault)


def test_the_bounds_themselves_are_allowed(tmp_path: Path):
    run = only_run(
        tmp_path,
        f"{BASE}run:\n"
        "  dataset: {batch_size: 1000000}\n"
        "  model: {layers: [100000], init_scale: 1e37, norm: {kind: custom, virtual_batch_size: 1000000}}\n"
        "  optimizer: {learning_rate: 1e-37, momentum: 0.9999999}\n"
        "  steps: 1000\n",
    )
    assert (run.dataset.batch_size, run.model.layers, run.model.init_scale) == (10**6, (100_000,), 1e37)
    assert load(tmp_path, f"{BASE}seeds: [4294967295]\n").config.seeds == (2**32 - 1,)
    assert len(load(tmp_path, f"{BASE}seeds: 100000\n").config.seeds) == 100_000


def test_a_layer_of_a_single_list_has_no_weights_to_another(tmp_path: Path):
    run = only_run(tmp_path, f"{BASE}run: {{model: {{layers: [20000], depth: 3}}}}\n")  # twice 4 × 10⁸
    assert run.model.depth == 3
