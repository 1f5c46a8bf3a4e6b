from __future__ import annotations

from experiments.configuration.run import RunConfig


def test_a_default_that_changes_changes_the_digest():
    """Else results made with the old default would be taken for results made with the new one."""

    class Renewed(RunConfig):
        probe_examples: int = 257

    assert RunConfig().model_dump() == Renewed().model_dump() | {"probe_examples": 256}
    assert RunConfig().digest() != Renewed().digest()
    assert RunConfig().digest() == RunConfig(probe_examples=256).digest()
