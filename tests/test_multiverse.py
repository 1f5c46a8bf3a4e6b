"""A claim under several settings, from its file to its table: what is trained for it, and what is said of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from experiments import multiverse
from experiments.conduct import conduct
from experiments.configuration.specifications import preferred_options
from experiments.configuration.tiers import Claims, Tier, load_claims, read_claims
from experiments.configuration.yaml_source import ConfigError
from experiments.sweeping.planning import Place, SweepPlan
from experiments.sweeping.sweep import SweepOptions

ROOT = Path(__file__).parent.parent
TINY = """title: tiny
run: {dataset: {name: digits}, model: {kind: mlp, layers: [8]}, steps: 20, evaluate_every: 5}
arms: {no_bn: {}, custom_bn: {model.norm.kind: custom}}
grid: {optimizer.learning_rate: [0.03, 0.3, 3]}
tuning: {evaluate: all}
seeds: 0-9
"""
CLAIM = """title: claimed
claim:
  statement: s
  source: s
  points: 1
  parts:
    - &part {runs: tiny, measure: late_value, unit: points, effect: difference, baseline: no_bn, treatment: custom_bn}
  specifications:
    part: *part
    choices:
      optimizer: {SGD: {}, SGD 0.9: {run.optimizer.momentum: 0.9}}
      budget: {T: {}, T/2: {part.budget: 0.5}}
    seeds: 3
    tuning_seeds: 1
"""


def claims(folder: Path, **texts: str) -> Claims:
    (folder / "shared").mkdir(exist_ok=True)
    (folder / "shared/tiny.yaml").write_text(TINY)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return read_claims([folder / f"{name}.yaml" for name in texts])


def train(universes: list[multiverse.Universe]) -> tuple[list[SweepPlan], dict[str, pd.DataFrame]]:
    plans: list[SweepPlan] = []

    def on_progress(_: list[Place], failed: list[Place]) -> None:
        assert not failed

    tables = conduct(
        multiverse.studies_of(universes), SweepOptions(workers=1), lambda _, plan, __: plans.append(plan), on_progress
    )
    return plans, dict(tables)


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[list[multiverse.Universe], list[SweepPlan], dict[str, pd.DataFrame]]:
    folder = tmp_path_factory.mktemp("claims")
    universes = multiverse.universes_of(claims(folder, one=CLAIM, other=CLAIM), folder / "out")
    return universes, *train(universes)


def test_experiments_are_the_claims_with_the_first_seeds_and_without_edges(tmp_path: Path):
    (universe,) = multiverse.universes_of(claims(tmp_path, one=CLAIM), tmp_path)
    assert list(universe.studies) == ["tiny", "tiny,optimizer=SGD-0.9"]
    for name, momentum in (("tiny", 0.0), ("tiny,optimizer=SGD-0.9", 0.9)):
        config = universe.studies[name].experiment.config
        assert config.tuning is not None
        assert (config.seeds, config.tuning.seeds) == ((0, 1, 2), (100,))
        assert config.run.optimizer.momentum == momentum
        assert universe.studies[name].folder == tmp_path / "runs" / name


def test_each_training_is_done_once_for_all_specifications_and_claims(trained):
    universes, plans, tables = trained
    assert [universe.name for universe in universes] == ["one", "other"]
    # 2 optimizers, 2 arms, 3 rates, 3 seeds and 1 for tuning
    assert len(plans[0].tasks) == 2 * 2 * 3 * 4
    assert set(tables) == {"tiny", "tiny,optimizer=SGD-0.9"}


def test_given_again_nothing_is_trained(trained):
    universes, _, tables = trained
    plans, again = train(universes)
    assert plans[0].tasks == []
    pd.testing.assert_frame_equal(again["tiny"], tables["tiny"])


def test_a_specification_is_a_row_with_its_options_and_effect(trained, tmp_path: Path):
    universes, _, tables = trained
    table = multiverse.effects_of(universes[0], tables, workers=1)
    assert table[["optimizer", "budget"]].to_numpy().tolist() == [
        ["SGD", "T"],
        ["SGD", "T/2"],
        ["SGD 0.9", "T"],
        ["SGD 0.9", "T/2"],
    ]
    assert table["preferred"].tolist() == [True, False, False, False]
    found = multiverse.described(universes[0], table, None)
    paths = multiverse.write(tmp_path, universes[0], table, found)
    assert [path.name for path in paths] == ["one.parquet", "one.svg"]
    pd.testing.assert_frame_equal(
        pd.read_parquet(paths[0])[["effect_low", "verdict"]], table[["effect_low", "verdict"]]
    )
    assert found.tested + found.counts.get("not tested", 0) == 4


def test_two_claims_may_not_mean_different_settings_by_one_name(tmp_path: Path):
    other = CLAIM.replace("momentum: 0.9", "momentum: 0.5")
    with pytest.raises(ConfigError) as caught:
        multiverse.universes_of(claims(tmp_path, one=CLAIM, other=other), tmp_path)
    (fault,) = caught.value.faults
    assert fault.endswith(
        "other.yaml:8: claim.specifications: another claim means other settings by tiny,optimizer=SGD-0.9; "
        "name its options otherwise, or set the same"
    )


def test_a_fault_of_an_option_is_told_with_its_place(tmp_path: Path):
    text = CLAIM.replace("momentum: 0.9", "momentun: 0.9")
    with pytest.raises(ConfigError) as caught:
        multiverse.universes_of(claims(tmp_path, one=text), tmp_path)
    (fault,) = caught.value.faults
    assert "one.yaml:11: run.optimizer.momentun: no such field" in fault


def test_a_fault_between_options_and_runs_names_the_options(tmp_path: Path):
    text = CLAIM.replace("{part.budget: 0.5}", "{part.treatment: stock_bn}")
    with pytest.raises(ConfigError) as caught:
        multiverse.universes_of(claims(tmp_path, one=text), tmp_path)
    assert (
        "one.yaml:8: claim.specifications: {optimizer: SGD, budget: T/2}: 'stock_bn' is not one of"
        in caught.value.faults[0]
    )


@pytest.mark.parametrize("tier", Tier)
def test_the_specifications_of_the_project_fit_their_experiments(tier: Tier, tmp_path: Path):
    of_tier = load_claims(tier)
    universes = multiverse.universes_of(of_tier, tmp_path)
    counts = {universe.name: len(universe.specifications) for universe in universes}
    assert counts == {"accuracy_improves": 864, "faster_at_equal_rate": 1728, "faster_when_tuned": 1728}
    studies = multiverse.studies_of(universes)
    assert len(studies) == 48  # which all of them share
    assert {study.experiment.config.seeds for study in studies} == {(40, 41, 42, 43, 44)}
    for universe in universes:
        own = preferred_options(universe.config)
        (preferred,) = (s for s in universe.specifications if own.items() >= s.options.items())
        study, core = universe.studies[preferred.experiment_name], of_tier.experiments[preferred.part.runs or ""]
        assert study.experiment.config.run == core.config.run


@pytest.mark.parametrize(
    ("claim", "fault"),
    [
        ("faster", "faster: no such claim; there are: "),
        ("regularizes", "regularizes: has no section claim.specifications"),
    ],
)
def test_what_cannot_be_asked_for_is_said(claim: str, fault: str):
    words = [sys.executable, str(ROOT / "scripts/multiverse.py"), claim]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 2
    assert fault in done.stderr
    assert "Traceback" not in done.stderr
