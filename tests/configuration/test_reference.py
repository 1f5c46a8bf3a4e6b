from collections.abc import Iterator
from typing import get_args

import pytest
from experiment_files import ROOT
from pydantic import BaseModel

from experiments.configuration.experiment import ExperimentConfig
from experiments.configuration.hints import section_of
from experiments.configuration.probes import OF_ONE_BATCH, PROBES, Probe
from experiments.configuration.reference import reference


def sections(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        if section := section_of(field):
            yield from sections(section)


FIELDS = [(model, name) for model in sections(ExperimentConfig) for name in model.model_fields]


def test_the_committed_page_is_current():
    committed = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert committed == reference(), "make it again: scripts/run.py --reference > docs/configuration.md"


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda part: getattr(part, "__name__", part))
def test_every_field_has_a_meaning_and_a_row(model: type[BaseModel], name: str):
    meaning = model.model_fields[name].description
    assert meaning
    assert f"| `{name}` | {meaning.replace('|', chr(92) + '|')}" in reference()


def test_every_probe_says_what_it_writes_and_costs():
    assert tuple(PROBES) == get_args(Probe)
    assert set(OF_ONE_BATCH) <= PROBES.keys()
    for probe, text in PROBES.items():
        assert text.startswith("`")
        assert "Costs " in text
        assert f"| `{probe}` | {text} |" in reference()


def test_a_row_has_meaning_bounds_and_preset():
    assert "| `batch_size` | examples of a step | whole number, at least 1, at most 1,000,000 | `60` |\n" in reference()
    assert (
        "| `init_scale` | factor on the initial weights; for gaussian their standard deviation; only with kind mlp, "
        "cnn, rnn | number, above 0 |" in (reference())
    )
    assert "| `learning_rate` | factor on each update | number, above 0 | `0.1` |" in reference()
    assert "; only with kind adam, adamw | number, at least 0, below 1 | `0.999` |" in reference()
    assert "| `parts` | the comparisons | list, each of [fields](#claimparts) | `[]` |" in (reference())
