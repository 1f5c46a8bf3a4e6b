"""Which claims are there, and on which data?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.configuration.yaml_source import ConfigError

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"


class Tier(StrEnum):
    """embedded: data that come with a package, in minutes. mnist: MNIST through TensorFlow Datasets."""

    embedded = "embedded"
    mnist = "mnist"

    @property
    def folder(self) -> Path:
        """The folder with one experiment file a claim."""
        return CONFIGS / ("claims" if self is Tier.embedded else "mnist")


README_TIER = Tier.mnist


def load_claims(names: list[str], tier: Tier) -> dict[str, Experiment]:
    """Return the experiments of the claims named, or of all, by claim; raises ConfigError with every fault found.

    The files of the embedded tier are the list of claims; another tier has those of which it has a file of the name.
    """
    claims = {path.stem for path in Tier.embedded.folder.glob("*.yaml")}
    known = sorted(claims & {path.stem for path in tier.folder.glob("*.yaml")})
    faults = [f"{name}: no such claim; there are: {', '.join(known)}" for name in names if name not in known]
    experiments = {}
    for name in [name for name in names if name in known] if names else known:
        try:
            experiments[name] = load_experiment(tier.folder / f"{name}.yaml")
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return experiments
