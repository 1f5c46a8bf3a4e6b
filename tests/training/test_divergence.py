"""What counts as divergence, when it is seen, and what is left of the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from programs import DIGITS, by_the_clock, losses_of, program, run_config

from experiments.training import program as program_module
from experiments.training.program import Program
from experiments.training.run import Diverged, train


@pytest.mark.parametrize(("rate", "step"), [(40.0, 5), (60.0, 3), (1e30, 2)])
def test_divergence_is_recorded_at_the_first_step_that_shows_it_and_training_stops(
    rate: float, step: int, monkeypatch: pytest.MonkeyPatch
):
    config = run_config({"activation": "relu"}, optimizer={"learning_rate": rate}, steps=40, evaluate_every=4)
    losses = losses_of(config, 12)
    assert [not loss <= 1000 * losses[0] for loss in losses].index(True) + 1 == step
    used, steps = program(config), []
    results, advance = [], used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: results.append(advance(*inputs)) or results[-1])
    with pytest.raises(Diverged) as outcome:
        steps.extend(evaluated.step for evaluated in train(used, config))
    assert outcome.value.step == step
    taken = 2 if step > 4 else 1
    assert steps == [0, 4][:taken]
    ((done, losses_of_steps, _, hits, _),) = results
    assert done == taken
    assert np.any(losses_of_steps[1 : taken + 1] > 0, axis=1).all()
    assert not np.any(losses_of_steps[taken + 1 :])  # nothing was done after the stretch that diverged
    assert not np.any(hits[taken + 1 :])


@pytest.mark.parametrize(
    ("losses", "step"),
    [
        ([2.0, 1999.0, 2000.0], None),  # 1,000 times the first is still allowed
        ([2.0, 3.0, 2001.0], 3),
        ([2.0, np.nan, 1.0], 2),
        ([2.0, np.inf, 1.0], 2),
        ([np.nan, 1.0, 1.0], 1),
        ([np.inf, np.inf, np.inf], 1),
    ],
)
def test_what_counts_as_divergence(losses: list[float], step: int | None, monkeypatch: pytest.MonkeyPatch):
    config = run_config(steps=10)
    used = program(config)
    padded, advance = np.array([[0.0] * 10, losses + [1.0] * 7], np.float32), used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: (1, padded, *advance(*inputs)[2:]))
    if step is None:
        assert [evaluated.step for evaluated in train(used, config)] == [0, 10]
        return
    with pytest.raises(Diverged) as outcome:
        list(train(used, config))
    assert outcome.value.step == step


def test_a_loss_that_is_not_finite_in_evaluation_is_divergence(monkeypatch: pytest.MonkeyPatch):
    config = run_config()
    used = program(config)
    advance = used.advance

    def advance_into_nothing(*inputs: Any) -> Any:
        done, losses, of_examples, *others = advance(*inputs)
        of_examples[1] = np.nan
        return done, losses, of_examples, *others

    monkeypatch.setattr(used, "advance", advance_into_nothing)
    steps = []
    with pytest.raises(Diverged) as outcome:
        steps.extend(evaluated.step for evaluated in train(used, config))
    assert (outcome.value.step, steps) == (10, [0])


def test_divergence_in_a_later_call_is_measured_by_the_first_loss_of_the_run(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"activation": "relu"}, optimizer={"learning_rate": 40.0}, steps=40, evaluate_every=2)
    monkeypatch.setattr(program_module, "MOST_STRETCHES", 1)
    used, first_losses = Program(config, DIGITS), []
    advance = used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: first_losses.append(inputs[4]) or advance(*inputs))
    with pytest.raises(Diverged) as outcome:
        list(train(used, config))
    assert outcome.value.step == 5
    of_the_run = pytest.approx(losses_of(config, 1)[0], rel=1e-5)
    assert first_losses == [None, of_the_run, of_the_run]


def test_divergence_in_a_later_call_ends_it(monkeypatch: pytest.MonkeyPatch):
    config = run_config({"activation": "relu"}, optimizer={"learning_rate": 40.0}, steps=40, evaluate_every=1)
    monkeypatch.setattr(program_module, "MOST_STRETCHES", 2)
    used, results = Program(config, DIGITS), []
    advance = used.advance
    monkeypatch.setattr(used, "advance", lambda *inputs: results.append(advance(*inputs)) or results[-1])
    with pytest.raises(Diverged):
        list(train(used, config))
    assert [done for done, *_ in results] == [2, 2, 1]  # of two stretches each; step 5 diverges


def test_a_diverged_run_keeps_the_losses_before_and_the_pace_it_had(monkeypatch: pytest.MonkeyPatch):
    config = run_config(
        {"activation": "relu"}, optimizer={"learning_rate": 40.0}, steps=40, evaluate_every=4, probes=["step_loss"]
    )
    used, kept = program(config), []
    by_the_clock(monkeypatch, used, advance=4)
    with pytest.raises(Diverged):
        kept.extend(train(used, config))
    losses = {e.step: e.metrics["loss/step"] for e in kept if "loss/step" in e.metrics}
    assert list(losses) == [1, 2, 3, 4]  # step 5 shows the divergence
    np.testing.assert_allclose(list(losses.values()), losses_of(config, 4), rtol=1e-3)
    assert max(e.seconds for e in kept) == 2  # two stretches were done in the four seconds
