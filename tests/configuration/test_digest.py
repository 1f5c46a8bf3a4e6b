from __future__ import annotations

from typing import Annotated

from experiments.configuration.run import RunConfig
from models.config import ModelConfig
from models.fields import Later


def test_a_default_that_changes_changes_the_digest():
    """Else results made with the old default would be taken for results made with the new one."""

    class Renewed(RunConfig):
        probe_examples: int = 257

    assert RunConfig().model_dump() == Renewed().model_dump() | {"probe_examples": 256}
    assert RunConfig().digest() != Renewed().digest()
    assert RunConfig().digest() == RunConfig(probe_examples=256).digest()


class _Network(ModelConfig):
    extra: Annotated[int, Later(3)] = 4


class _Later(RunConfig):
    model: _Network = _Network()
    new: Annotated[bool, Later(False)] = False


def test_a_field_that_came_later_leaves_the_digest_where_it_is_as_runs_were_before_and_nowhere_else():
    as_before = _Later(model=_Network(extra=3))
    assert as_before.digest() == RunConfig().digest()
    others = [_Later(), _Later(model=_Network(extra=3), new=True), _Later(new=True)]
    assert len({RunConfig().digest(), *(other.digest() for other in others)}) == 4  # the preset 4 is not as before


def test_the_digest_of_a_run_that_was_made_is_still_what_it_was():
    """Of the configuration before any field came later, as `run.json` has it."""
    assert RunConfig().digest() == "c29ee323dd6168d4"
