from __future__ import annotations

from math import inf, isnan, nan

import pandas as pd
import pytest

from experiments.analysis.tuning import Tuned, best_values, plain, tuned_rates, tuned_words
from experiments.configuration.experiment import ExperimentConfig

RATES = (0.01, 0.1, 1.0)


def experiment(**fields: object) -> ExperimentConfig:
    base = {
        "title": "t",
        "arms": {"bn": {}},
        "grid": {"optimizer.learning_rate": RATES},
        "tuning": {"seeds": (100, 101, 102)},
    }
    return ExperimentConfig.model_validate(base | fields)


def tuning_table(scores: dict[float, list[float]], arm: str = "bn", **columns: object) -> pd.DataFrame:
    """Rows of the tuning seeds 100, 101, …: rate → their late validation accuracies; nan stands for a failed run."""
    return pd.DataFrame(
        [
            {
                "arm": arm,
                "optimizer.learning_rate": rate,
                "seed": 100 + i,
                "status": "failed" if isnan(score) else "finished",
                "late_validation_accuracy": score,
                "best_validation_accuracy": score + 0.02,
                **columns,
            }
            for rate, of_rate in scores.items()
            for i, score in enumerate(of_rate)
        ]
    )


def test_the_best_rate_has_the_highest_median_over_tuning_seeds():
    # means: 0.6, 0.6, 0.7; the second diverged once
    table = tuning_table({0.01: [0.6, 0.6, 0.6], 0.1: [0.9, 0.9, 0.0], 1.0: [0.6, 0.6, 0.9]})
    assert tuned_rates(table, experiment()) == {("bn", ()): Tuned(0.1, at_edge=False, missing=0)}


@pytest.mark.parametrize("best", [0.01, 1.0])
def test_a_best_rate_at_either_end_of_the_grid_is_at_its_edge(best: float):
    table = tuning_table({rate: [0.9 if rate == best else 0.5] * 3 for rate in RATES})
    assert tuned_rates(table, experiment())["bn", ()] == Tuned(best, at_edge=True, missing=0)


def test_a_best_rate_is_said_with_its_edge_and_nothing_is_without_tuning():
    table = tuning_table({0.01: [0.6] * 3, 0.1: [0.7] * 3, 1.0: [0.8] * 3})
    assert [*tuned_words(table, experiment())] == ["bn: best learning rate 1.0, at the edge of the grid"]
    assert [*tuned_words(table, experiment(grid={}, tuning=None))] == []


def test_of_equally_good_rates_the_middle_one_is_taken():
    table = tuning_table({0.01: [0.9, 0.8, 0.7], 0.1: [0.7, 0.9, 0.8], 1.0: [0.8, 0.7, 0.9]})
    assert tuned_rates(table, experiment())["bn", ()] == Tuned(0.1, at_edge=False, missing=0)
    two = tuning_table({0.01: [0.5] * 3, 0.1: [0.9] * 3, 1.0: [0.9] * 3})
    assert tuned_rates(two, experiment())["bn", ()].value == 0.1


def test_evaluation_seeds_have_no_say():
    table = tuning_table({0.01: [0.6] * 3, 0.1: [0.7] * 3, 1.0: [0.5] * 3})
    evaluation = tuning_table({1.0: [1.0] * 20}).assign(seed=range(20))
    assert tuned_rates(pd.concat([evaluation, table]), experiment())["bn", ()].value == 0.1


def test_a_rate_without_all_its_runs_is_no_candidate_and_is_counted():
    table = tuning_table({0.01: [0.6] * 3, 0.1: [0.7] * 3, 1.0: [0.9, nan]})
    assert tuned_rates(table, experiment())["bn", ()] == Tuned(0.1, at_edge=False, missing=2)
    assert tuned_rates(table.iloc[:0], experiment())["bn", ()] == Tuned(None, at_edge=False, missing=9)
    assert tuned_rates(pd.DataFrame(), experiment())["bn", ()] == Tuned(None, at_edge=False, missing=9)


DEPTHS = {"optimizer.learning_rate": RATES, "model.depth": (1, 2)}
BY_DEPTH = pd.concat(
    [
        tuning_table({0.01: [0.5] * 3, 0.1: [0.9] * 3, 1.0: [0.8] * 3}, **{"model.depth": 1}),
        tuning_table({0.01: [0.6] * 3, 0.1: [0.2] * 3, 1.0: [0.4] * 3}, **{"model.depth": 2}),
    ]
)


def test_the_choice_is_made_anew_along_the_axes_named():
    tuned = tuned_rates(BY_DEPTH, experiment(grid=DEPTHS, tuning={"per": ["model.depth"], "seeds": (100, 101, 102)}))
    assert best_values(tuned) == {("bn", (1,)): 0.1, ("bn", (2,)): 0.01}


def test_without_such_axes_one_rate_is_chosen_over_the_whole_grid():
    # medians at either depth, mean over depths: 0.55, 0.55, 0.6
    assert best_values(tuned_rates(BY_DEPTH, experiment(grid=DEPTHS))) == {("bn", ()): 1.0}


def test_an_experiment_without_tuning_has_no_tuned_rates():
    assert tuned_rates(BY_DEPTH, experiment(tuning=None)) == {}


def test_best_values_leave_out_an_arm_that_could_not_be_tuned():
    assert best_values({("bn", ()): Tuned(None, False, 9), ("no_bn", ()): Tuned(0.1, False, 0)}) == {("no_bn", ()): 0.1}


def test_grid_values_are_equal_whether_read_from_yaml_or_from_a_table():
    column = pd.Series([[10, 5], [3]]).to_numpy()
    assert plain(column[0]) == plain((10, 5)) == (10, 5)
    assert plain("1e-3") == plain(0.001)
    assert plain(pd.Series([None, 16.0]).tolist()[0]) is plain(None) is None
    assert plain("relu") == "relu"
    assert plain(pd.Series([inf]).to_numpy()[0]) == inf
