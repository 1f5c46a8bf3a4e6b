"""Do the runs of an experiment fit their data? Answered before anything is trained, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from experiments.configuration.experiment import Experiment
from experiments.configuration.facts import Facts
from experiments.configuration.loading import fault_of_run
from experiments.configuration.probes import OF_IMAGES
from experiments.configuration.run import DatasetConfig, RunConfig
from experiments.training.dataset_facts import DatasetError


def faults_of_data(experiment: Experiment, known: Mapping[str | DatasetConfig, Facts | DatasetError]) -> list[str]:
    """Return what is wrong with the data of an experiment's runs, each a line `file:line: field: what; remedy`.

    known: what is known by now of each data set, or why it cannot be had; nothing is said of others.
    """
    faults = []
    for arm, grid in experiment.cells():
        config = experiment.run(arm, grid, 0).config
        facts = known.get(config.dataset.source)
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
    sizes = facts.split_sizes(config.dataset.validation_share)
    if sizes and config.dataset.validation_share is not None and min(sizes) < facts.classes:
        yield DatasetError(
            "dataset.validation_share",
            f"got {config.dataset.validation_share:g}, which leaves {max(sizes[0], 0)} of {facts.examples} examples "
            f"for training, {sizes[1]} for validation; each takes at least {facts.classes}, one a class",
        )
        return
    yield from _misfits_of_size(config, sizes and sizes[0])


def _misfits_of_shape(config: RunConfig, shape: tuple[int, ...]) -> Iterator[DatasetError]:
    name, kind, norm = config.dataset.name, config.model.kind, config.model.norm
    if len(shape) != 3:
        table = f"{name} is a table of {shape[0]} features"
        if kind in ("cnn", "rnn"):
            yield DatasetError(
                "model.kind", f"{'an rnn' if kind == 'rnn' else 'a cnn'} needs images, but {table}; use mlp"
            )
        if config.dataset.binarize:
            yield DatasetError("dataset.binarize", f"{name} has no images; leave it out, or use standardize")
        if config.gan:
            yield DatasetError("gan", f"makes images, but {table}; use digits or a set of images")
        for probe in OF_IMAGES:
            if probe in config.probes:
                yield DatasetError("probes", f"{probe} changes images, and {name} has none; leave it out")
    elif kind == "cnn":
        yield from _misfits_of_images(config, (shape[0], shape[1]))
    if norm.kind == "group" and norm.on_input and shape[-1] % norm.groups:
        yield DatasetError(
            "model.norm.groups",
            f"got {norm.groups}, which does not divide {shape[-1]}, the channels of {name}; give a divisor",
        )


def _misfits_of_images(config: RunConfig, size: tuple[int, int]) -> Iterator[DatasetError]:
    name, model, given = config.dataset.name, config.model, f"{size[0]}×{size[1]} pixels"
    for index, (height, width) in enumerate(model.sizes_of_images(size), start=1):
        if not height or not width:
            yield DatasetError(
                "model.padding",
                f"got valid, which leaves no pixel of {name}'s {given} to convolution {index}; use same, fewer layers "
                "or a smaller kernel_size",
            )
            return
        if model.norm.kind == "instance" and height == width == 1:
            yield DatasetError(
                "model.norm.kind",
                f"got instance, which makes 0 of the single pixel that convolution {index} leaves of {name}'s {given}; "
                "use fewer layers, or pooling: none",
            )
            return


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
