"""A claim under all settings that would have been as good: what is trained for them, and what they come to."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.analysis.claims import ClaimResult
from experiments.analysis.part_runs import Results
from experiments.analysis.specifications import Multiverse, describe, effect_rows
from experiments.analysis.statistics import Verdict
from experiments.configuration.claim import ClaimConfig, SpecificationsConfig
from experiments.configuration.cross_references import faults_of_part, without_effect
from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import check_experiment, override_key
from experiments.configuration.specifications import Specification, specifications_of
from experiments.configuration.tiers import Claims, file_of
from experiments.configuration.yaml_source import ConfigError, read_yaml
from experiments.records import storage
from experiments.records.ownership import Origin
from experiments.reporting.figures import svg_file
from experiments.reporting.specification_curve import specification_curve
from experiments.reporting.specification_words import described_words
from experiments.study import Study
from experiments.sweeping.workforce import spread

PLACE = ("claim", "specifications")
FOLDER = "multiverse"  # in a tier's


@dataclass(frozen=True)
class Universe:
    """The specifications of one claim. studies: name of an experiment → the study that specifications of it read."""

    name: str
    claim: ClaimConfig
    specifications: tuple[Specification, ...]
    studies: Mapping[str, Study]

    @property
    def config(self) -> SpecificationsConfig:
        """Its choices."""
        assert self.claim.specifications
        return self.claim.specifications


def universes_of(claims: Claims, folder: Path) -> list[Universe]:
    """Return the specifications of all claims that have some; raises ConfigError with every fault found.

    folder: of the tier's multiverse. An experiment that several claims read is one study.
    """
    built: dict[str, tuple[Any, Study]] = {}
    found: list[Universe] = []
    faults: list[str] = []
    for name, file in claims.claims.items():
        if not (file.config.claim and file.config.claim.specifications):
            continue
        specifications = tuple(specifications_of(file.config.claim.specifications))
        for specification in specifications:
            try:
                _build(specification, file, claims.files[name], folder, built)
            except ConfigError as error:
                faults += error.faults
        read = dict.fromkeys(specification.experiment_name for specification in specifications)
        studies = {at: built[at][1] for at in read if at in built}
        found.append(Universe(name, file.config.claim, specifications, studies))
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    for at, (_, study) in built.items():
        study.experiment.measured = tuple(
            s.part for universe in found for s in universe.specifications if s.experiment_name == at
        )
    return found


def _build(
    specification: Specification, claim: Experiment, path: Path, folder: Path, built: dict[str, tuple[Any, Study]]
) -> None:
    """Add the study that a specification reads, unless it is there already."""
    config = claim.config.claim.specifications if claim.config.claim else None
    assert config
    assert specification.part.runs
    name, place = specification.experiment_name, claim.source.place(PLACE)
    base = file_of(specification.part.runs, path)
    settings = (base, dict(specification.settings), config.seeds, config.tuning_seeds)
    if name not in built:
        overrides = tuple(f"{field}={value}" for field, value in specification.settings.items())
        experiment = _resolved(specification, base, claim, config)
        built[name] = settings, Study(experiment, folder / "runs" / name, Origin(base, overrides))
    elif built[name][0] != settings:
        text = f"another claim means other settings by {name}; name its options otherwise, or set the same"
        raise ConfigError([f"{place}: {'.'.join(PLACE)}: {text}"])
    texts = [text for _, text in faults_of_part(specification.part, built[name][1].experiment.config)]
    if texts := [*texts, *without_effect(specification.part)]:
        options = ", ".join(f"{choice}: {option}" for choice, option in specification.options.items())
        raise ConfigError([f"{place}: {'.'.join(PLACE)}: {{{options}}}: {text}" for text in texts])


def _resolved(specification: Specification, base: Path, claim: Experiment, config: SpecificationsConfig) -> Experiment:
    """The experiment of a file, set as the options say, with the first of its seeds and without edges."""
    source = read_yaml(base)
    for field in ("claim", "edges"):
        source.value.pop(field, None)
    for field, (value, choice) in specification.settings.items():
        key = (*PLACE, "choices", choice, specification.options[choice], field)
        source.set(override_key(field), value, claim.source.place(key))
    whole, place = check_experiment(specification.experiment_name, source), claim.source.place(PLACE)
    source.set(("seeds",), list(whole.config.seeds[: config.seeds]), place)
    if whole.config.tuning:
        source.set(("tuning", "seeds"), list(whole.config.tuning.seeds[: config.tuning_seeds]), place)
    return check_experiment(specification.experiment_name, source)


def studies_of(universes: Iterable[Universe]) -> list[Study]:
    """Return all studies that the universes read, each once."""
    return list({name: study for universe in universes for name, study in universe.studies.items()}.values())


def effects_of(universe: Universe, tables: Mapping[str, pd.DataFrame], workers: int) -> pd.DataFrame:
    """Return the table of a claim's specifications, a row each. tables: the results of the studies, by name."""
    pieces = [
        (
            [s for s in universe.specifications if s.experiment_name == name],
            Results(study.experiment.config, tables[name]),
        )
        for name, study in universe.studies.items()
    ]
    found = spread(functools.partial(_rows, claim=universe.claim), pieces, workers)
    return pd.DataFrame([row for rows in found for row in rows])


def _rows(piece: tuple[Sequence[Specification], Results], claim: ClaimConfig) -> list[dict[str, Any]]:
    specifications, source = piece
    return [row for specification in specifications for row in effect_rows(specification, source, claim)]


def described(universe: Universe, table: pd.DataFrame, verdict: Verdict | None) -> Multiverse:
    """Return what a claim's specifications come to. verdict: the claim's, where it was judged."""
    return describe(table, universe.config.names, universe.config.part.effect == "ratio", verdict)


def write(folder: Path, universe: Universe, table: pd.DataFrame, found: Multiverse) -> list[Path]:
    """Write a claim's table and its figure into a folder, and return their paths; raises StorageError."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    figure = specification_curve(table, universe.claim, found.shares)
    paths = [folder / f"{universe.name}.parquet", folder / f"{universe.name}.svg"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        storage.write_atomically(paths[0], buffer.getvalue())
        storage.write_atomically(paths[1], svg_file(figure, f"{FOLDER}-{universe.name}").encode())
    except OSError as error:
        raise storage.StorageError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return paths


def published_words(folder: Path, judged: Iterable[ClaimResult]) -> dict[str, list[str]]:
    """Return claim → what its specifications come to, a paragraph each, the first the shortest; none without a table.

    folder: as `write` leaves it. Raises StorageError for a table that cannot be read.
    """
    found = {}
    for result in judged:
        path, config = folder / f"{result.id}.parquet", result.config.specifications
        if config and path.exists():
            table = storage.read_table(path)
            come_to = describe(table, config.names, config.part.effect == "ratio", result.verdict)
            found[result.id] = list(described_words(result.config, table, come_to))
    return found


def curves_of(folder: Path, judged: Iterable[ClaimResult]) -> dict[str, str]:
    """Return claim → its specification curve, SVG, as `write` left it in a folder; none of claims without one."""
    paths = {result.id: folder / f"{result.id}.svg" for result in judged}
    return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in paths.items() if path.exists()}
