"""Do the runs of an experiment fit their data? Answered before anything is trained, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from experiments.configuration.experiment import Experiment
from experiments.configuration.loading import fault_of_run
from experiments.configuration.run import RunConfig
from experiments.training.dataset_facts import DatasetError, Facts


def faults_of_data(experiment: Experiment, known: Mapping[str, Facts | DatasetError]) -> list[str]:
    """Return what is wrong with the data of an experiment's runs, each a line `file:line: field: what; remedy`.

    known: what is known by now of each data set, or why it cannot be had; nothing is said of others.
    """
    faults = []
    for arm, grid in experiment.cells():
        config = experiment.run(arm, grid, 0).config
        facts = known.get(config.dataset.name)
        if facts is None:
            continue
        found = [facts] if isinstance(facts, DatasetError) else misfits(config, facts)
        faults += [fault_of_run(experiment, arm, grid, error.field, error.text) for error in found]
    return list(dict.fromkeys(faults))


def require_fit(config: RunConfig, facts: Facts) -> None:
    """Raise DatasetError where a run does not fit its data."""
    for error in misfits(config, facts):
        raise error


def misfits(config: RunConfig, facts: Facts) -> Iterator[DatasetError]:
    """Yield every fault of a run on such data; what depends on the number of examples only where that is known."""
    yield from _misfits_of_shape(config, facts.shape)
    yield from _misfits_of_size(config, facts.train)


def _misfits_of_shape(config: RunConfig, shape: tuple[int, ...]) -> Iterator[DatasetError]:
    name, kind, norm = config.dataset.name, config.model.kind, config.model.norm
    if len(shape) != 3:
        table = f"{name} is a table of {shape[0]} features"
        if kind != "mlp":
            yield DatasetError(
                "model.kind", f"{'an rnn' if kind == 'rnn' else 'a cnn'} needs images, but {table}; use mlp"
            )
        if config.dataset.binarize:
            yield DatasetError("dataset.binarize", f"{name} has no images; leave it out, or use standardize")
        if config.gan:
            yield DatasetError("gan", f"makes images, but {table}; use digits or a set of images")
        if "corruptions" in config.probes:
            yield DatasetError("probes", f"corruptions changes images, and {name} has none; leave it out")
    if norm.kind == "group" and norm.on_input and shape[-1] % norm.groups:
        yield DatasetError(
            "model.norm.groups",
            f"got {norm.groups}, which does not divide {shape[-1]}, the channels of {name}; give a divisor",
        )


def _misfits_of_size(config: RunConfig, train: int | None) -> Iterator[DatasetError]:
    name, batch, asked = config.dataset.name, config.dataset.batch_size, config.dataset.train_examples
    if asked and train is not None and asked > train:
        yield DatasetError("dataset.train_examples", f"{name} has {train} training examples, got {asked}; give fewer")
    elif asked and batch > asked:
        yield DatasetError(
            "dataset.train_examples", f"got {asked}, but a batch takes {batch}; give more, or a smaller batch_size"
        )
    if train is not None and batch > train:
        yield DatasetError(
            "dataset.batch_size", f"got {batch}, but {name} has {train} training examples; give a smaller one"
        )
    # The default is as many as there are, up to 256; a number that was asked for is meant.
    at_hand = min((size for size in (asked, train) if size is not None), default=config.probe_examples)
    if config.probes and "probe_examples" in config.model_fields_set and config.probe_examples > at_hand:
        yield DatasetError(
            "probe_examples", f"got {config.probe_examples}, but there are {at_hand} training examples; give fewer"
        )
