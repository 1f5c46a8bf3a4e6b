"""How is a network of the user's own found and built, and from which weights does it start?"""

from __future__ import annotations

import hashlib
import importlib
import itertools
import random
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from models.blocks import normalization
from models.config import ModelConfig

MOST_OF_AN_ERROR = 150  # characters
_loaded: dict[str, tuple[Path, str | None]] = {}  # module → its folder and what its source was


class NetworkError(Exception):
    """A network that cannot be built or used. field: of a run, that asks for it; text: what is wrong and what to do."""

    def __init__(self, text: str, field: str = "model.build"):
        super().__init__(text, field)
        self.field, self.text = field, text

    def __str__(self) -> str:
        return f"{self.field}: {self.text}"


def build_own(config: ModelConfig, input_shape: tuple[int, ...], classes: int, seed: int = 0) -> keras.Model:
    """Return what the function that `config.build` names makes of (input shape, classes, normalization).

    normalization: makes, each time it is called, with a name perhaps, a new layer as `config.norm` says, without one
    an identity. seed: of all that is drawn meanwhile. Raises NetworkError where it raises, or gives no network from
    (batch, *input_shape) to logits (batch, classes).
    """
    folder, module, name = config.own_module()
    calls = itertools.count(1)

    def make(name: str | None = None) -> keras.Layer:
        drawn = random.getstate()  # a layer's seeds are no concern of the layers after it
        called = name or f"norm_{next(calls)}"
        layer = normalization(config.norm, called) or keras.layers.Identity(name=called)
        random.setstate(drawn)
        made.append(layer)
        return layer

    made: list[keras.Layer] = []
    with _seeded(seed), _told(f"{module}:{name} raises", folder):
        function = getattr(_import(folder, module, config.sha256), name, None)
        if not callable(function):
            raise NetworkError(f"{module} has no function {name!r}; define it, or name another")
        network = function(input_shape, classes, make)
        if not isinstance(network, keras.Model):
            raise NetworkError(f"{name} returns {_a(network)}; return a keras.Model")
        if not getattr(network, "inputs", None):  # a class of its own, or a Sequential without an input
            inputs = keras.Input(input_shape)
            network = keras.Model(inputs, network(inputs))
    _check_ends(name, network, input_shape, classes)
    if config.norm.kind != "none" and not _used(made, network):
        raise NetworkError(
            f"{name} makes no use of normalization, so that model.norm.kind: {config.norm.kind} changes nothing; call "
            "it for a layer, as x = normalization()(x)"
        )
    return network


def own_kernels(network: keras.Model) -> list[keras.Variable]:
    """Return the weights that are drawn: those of two dimensions or more."""
    return [v for v in network.trainable_variables if len(v.shape) >= 2]


def initial_values(network: keras.Model, config: ModelConfig, seed: int) -> list[np.ndarray]:
    """Return the values that the kernels of a network start from, as its own initializers draw them by the seed."""
    drawn = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
    again = build_own(config, tuple(network.input_shape[1:]), network.output_shape[-1], drawn)
    kernels = own_kernels(again)
    if [v.shape for v in kernels] != [v.shape for v in own_kernels(network)]:
        raise NetworkError(f"{config.own_module()[2]} builds another network each time; build the same")
    return [v.numpy() for v in kernels]


def _import(folder: Path, module: str, sha256: str | None) -> ModuleType:
    """Import a module from a folder; anew where another was imported by its name, or its source has changed."""
    top = module.partition(".")[0]
    if _loaded.get(module) != (folder, sha256):
        if any(name.partition(".")[0] == top for name in _loaded):
            for name in [name for name in sys.modules if name.partition(".")[0] == top]:
                del sys.modules[name]
        importlib.invalidate_caches()
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # for what the module imports only when it is called
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    try:
        found = importlib.import_module(module)
    finally:
        sys.dont_write_bytecode = before
        sys.path.remove(str(folder))
    file = Path(found.__file__ or "")
    if not file.is_relative_to(folder):
        raise NetworkError(f"{file} is in the place of a module {module} in {folder}; give yours another name")
    if sha256 not in (None, hashlib.sha256(file.read_bytes()).hexdigest()):
        raise NetworkError(f"{file} was changed meanwhile; give the command again")
    _loaded[module] = folder, sha256
    return found


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed all that a network may be drawn from, and give back the randomness of the process."""
    before = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


@contextmanager
def _told(what: str, folder: Path) -> Iterator[None]:
    """Turn what the user's code raises into a NetworkError, with its place in the user's files."""
    try:
        yield
    except NetworkError:
        raise
    except (Exception, SystemExit) as error:
        raise NetworkError(f"{what} {brief(error, folder)}") from error


def brief(error: BaseException, folder: Path) -> str:
    """The kind of an error, what it says in a line, and the last place in files of `folder` that it came through."""
    places = [at for at in traceback.extract_tb(error.__traceback__) if Path(at.filename).is_relative_to(folder)]
    where = f" ({Path(places[-1].filename).relative_to(folder)}:{places[-1].lineno})" if places else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:MOST_OF_AN_ERROR]}{'…' if len(text) > MOST_OF_AN_ERROR else ''}{where}"


def _check_ends(name: str, network: keras.Model, input_shape: tuple[int, ...], classes: int) -> None:
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise NetworkError(
            f"the network of {name} has {len(network.inputs)} inputs and {len(network.outputs)} outputs; give it one "
            "of each"
        )
    taken, given = tuple(network.inputs[0].shape), tuple(network.outputs[0].shape)
    if len(taken) != len(input_shape) + 1 or any(
        a not in (None, b) for a, b in zip(taken[1:], input_shape, strict=True)
    ):
        raise NetworkError(f"the network of {name} takes {taken}, but the examples are {(None, *input_shape)}")
    if given != (None, classes):
        raise NetworkError(f"the network of {name} gives {given}; give logits, {(None, classes)}, one a class")
    if not network.trainable_variables:
        raise NetworkError(f"the network of {name} has no trainable variables; give it a layer to be trained")
    if other := [v for v in network.trainable_variables if v.dtype != "float32"]:
        raise NetworkError(f"{other[0].path} is {other[0].dtype}; build the network in float32")


def _used(made: list[keras.Layer], network: keras.Model) -> bool:
    layers = {id(layer) for layer in network._flatten_layers()}
    return any(id(layer) in layers for layer in made)


def _a(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
