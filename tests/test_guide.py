"""The guide to adding a claim says what the code does."""

from __future__ import annotations

import typing
from pathlib import Path

from experiments.configuration.claim import MeasureName, PartConfig
from experiments.configuration.loading import load_experiment

GUIDE = (Path(__file__).parent.parent / "docs" / "adding_a_claim.md").read_text(encoding="utf-8")


def test_the_guides_example_is_a_valid_experiment(tmp_path: Path):
    example = tmp_path / "faster_with_tanh.yaml"
    example.write_text(GUIDE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    claim = load_experiment(example).config.claim
    assert claim is not None
    assert claim.parts[0].source_value == 2


def test_the_guide_names_every_measure_and_every_way_to_reduce_a_seed():
    ways = typing.get_args(PartConfig.model_fields["per_seed"].annotation)
    missing = [name for name in (*typing.get_args(MeasureName), *ways) if f"`{name}`" not in GUIDE]
    assert missing == []
