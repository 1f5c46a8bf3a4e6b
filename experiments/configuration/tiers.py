"""Which claims are there, which experiments do they rest on, and on which data?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from experiments.configuration.claim import PartConfig
from experiments.configuration.cross_references import faults_of_part
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import load_experiment
from experiments.configuration.yaml_source import ConfigError

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs"
SHARED = "shared"  # folder beside the claims, of experiments that make none


class Tier(StrEnum):
    """embedded: data that come with a package, in minutes. mnist: MNIST through TensorFlow Datasets."""

    embedded = "embedded"
    mnist = "mnist"

    @property
    def folder(self) -> Path:
        """The folder with one file a claim, and the experiments that several of them read."""
        return CONFIGS / ("claims" if self is Tier.embedded else "mnist")


README_TIER = Tier.mnist  # which README shows


@dataclass(frozen=True)
class Claims:
    """Claims and what is trained for them.

    claims: claim → its file, with or without runs of its own. experiments: name → what is trained, each with all parts
    of all claims that read it. files: name → the experiment's file.
    """

    claims: Mapping[str, Experiment]
    experiments: Mapping[str, Experiment]
    files: Mapping[str, Path]

    def of(self, names: list[str]) -> Claims:
        """Return the claims named, and the experiments they rest on; raises ConfigError with every unknown name."""
        if unknown := [name for name in names if name not in self.claims]:
            known = ", ".join(self.claims)
            raise ConfigError([f"{name}: no such claim; there are: {known}" for name in unknown])
        claims = {name: self.claims[name] for name in names}
        read = {name for claim, file in claims.items() for name in (claim, *file.config.reads)}
        trained = {name: experiment for name, experiment in self.experiments.items() if name in read}
        return Claims(claims, trained, self.files)


def load_claims(tier: Tier) -> Claims:
    """Return all claims of a tier; raises ConfigError with every fault found.

    The files of the embedded tier are the list of claims; another tier has those of which it has a file of the name.
    """
    names = {path.stem for path in Tier.embedded.folder.glob("*.yaml")}
    return read_claims([path for path in sorted(tier.folder.glob("*.yaml")) if path.stem in names])


def read_claims(paths: list[Path]) -> Claims:
    """Read files with claims, and the experiments whose runs these read; raises ConfigError with every fault found."""
    claims: dict[str, Experiment] = {}
    files: dict[str, Path] = {}
    faults: list[str] = []
    for path in paths:
        try:
            claims[path.stem] = load_experiment(path)
        except ConfigError as error:
            faults += error.faults
        files[path.stem] = path
    experiments = {name: claim for name, claim in claims.items() if claim.config.arms}
    measured: dict[str, list[PartConfig]] = {name: list(claim.measured) for name, claim in experiments.items()}
    for path in paths:
        for name in claims[path.stem].config.reads if path.stem in claims else ():
            if name not in experiments and name not in files:
                try:
                    files[name] = file_of(name, path)
                    experiments[name] = load_experiment(files[name])
                except ConfigError as error:
                    faults += error.faults
                measured.setdefault(name, [])
    for claim in claims.values():
        faults += _read_faults(claim, experiments)
        for part in claim.config.claim.parts if claim.config.claim else ():
            if part.runs is not None and part.runs in experiments:
                measured[part.runs].append(part)
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    for name, experiment in experiments.items():
        experiment.measured = tuple(measured[name])
    return Claims(claims, experiments, files)


def file_of(name: str, beside: Path) -> Path:
    """Return the file of an experiment that a claim's file reads; raises ConfigError where there is none."""
    for folder in (beside.parent, beside.parent / SHARED):
        if (path := folder / f"{name}.yaml").is_file():
            return path
    places = f"{name}.yaml nor {SHARED}/{name}.yaml"
    raise ConfigError([f"{beside}: claim.parts: reads the runs of {name!r}, but there is neither {places} beside it"])


def _read_faults(claim: Experiment, experiments: Mapping[str, Experiment]) -> list[str]:
    """What the parts of a claim ask of other experiments' runs that these do not have."""
    found = []
    for i, part in enumerate(claim.config.claim.parts if claim.config.claim else ()):
        key = ("claim", "parts", i)
        if part.runs is not None and part.runs in experiments:
            faults = faults_of_part(part, experiments[part.runs].config)
            found += [(claim.source.place((*key, *at)), at, text) for at, text in faults]
        if part.cost and part.cost.runs in experiments:
            arms = experiments[part.cost.runs].config.arms
            for arm in (part.cost.baseline, part.cost.treatment):
                if arm not in arms:
                    place = claim.source.place((*key, "cost"))
                    found.append((place, ("cost",), f"{arm!r} is no arm of {part.cost.runs}: {', '.join(arms)}"))
    return [f"{place}: {'.'.join(map(str, at))}: {text}" for place, at, text in found]
