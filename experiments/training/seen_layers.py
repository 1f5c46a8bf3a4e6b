"""Which layers of a network do probes look at, and in which order do its weights stand?"""

from __future__ import annotations

import re
from dataclasses import dataclass

import keras

from custom_layers import BatchNormalization
from experiments.configuration.probes import AT_BATCH_NORMS, Probe
from experiments.configuration.run import RunConfig
from models.norm_config import BATCH_NORMS
from models.own_network import NetworkError, own_kernels

AT_ACTIVATIONS: tuple[Probe, ...] = ("pre_activations", "unit_percentiles", "saturation", "representation")
ACTIVATIONS: tuple[type[keras.Layer], ...] = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.PReLU,
)
BY_MOMENTS: tuple[type[keras.Layer], ...] = (  # whose second derivatives are wrong, see `NOT_TWICE`
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)


@dataclass(frozen=True)
class SeenLayers:
    """What probes look at.

    kernels: positions, among the trainable variables, of each layer's weights, the output layer's last. blocks: of each
    trainable variable the number, from 1, of the kernel that it comes with; 0 for what comes before the first.
    """

    activations: list[keras.Layer]
    batch_norms: list[keras.Layer]
    kernels: list[int]
    blocks: list[int]


def seen_layers(config: RunConfig, network: keras.Model) -> SeenLayers:
    """Return the layers by their names or, of a network of the user's own, as they are found.

    Raises NetworkError where a probe that is asked for would not see what it is to measure.
    """
    if config.model.kind == "keras":
        return _found(config, network)
    hidden = config.model.hidden
    has_norms = config.model.norm.kind in BATCH_NORMS and not config.model.norm.recurrent
    return SeenLayers(
        [network.get_layer(f"activation_{i}") for i in range(1, hidden + 1)],
        [network.get_layer(f"norm_{i}") for i in range(1, hidden + 1)] if has_norms else [],
        [i for i, v in enumerate(network.trainable_variables) if v.name == "kernel"],
        [_block(layer.name, hidden) for layer in network.layers for _ in layer.trainable_variables],
    )


def _block(layer_name: str, hidden: int) -> int:
    """Position of a layer's block: 0 for the input's normalization, `hidden` + 1 for the output."""
    if layer_name == "output":
        return hidden + 1
    position = re.search(r"_(\d+)$", layer_name)
    return int(position[1]) if position else 0


def _found(config: RunConfig, network: keras.Model) -> SeenLayers:
    """In the order in which Keras has the layers of the network itself, not of layers inside these."""
    name, drawn = config.model.own_module()[2], {id(v) for v in own_kernels(network)}
    kernels = [i for i, v in enumerate(network.trainable_variables) if id(v) in drawn]
    blocks = [sum(k <= i for k in kernels) for i in range(len(network.trainable_variables))]
    if "weight_scale" in config.probes:
        raise NetworkError(f"weight_scale cannot know which weights of {name} are normalized; leave it out", "probes")
    if "covariate_shift" in config.probes and len(kernels) < 2:
        raise NetworkError(f"covariate_shift compares layers, and {name} has one with weights; leave it out", "probes")
    if "curvature" in config.probes:
        for layer in _all_layers(network):
            if isinstance(layer, BY_MOMENTS) and not isinstance(layer, BatchNormalization):
                text = f"second derivatives of {layer.name}, a {type(layer).__name__} of Keras, are wrong"
                raise NetworkError(f"curvature: {text}; leave it out", "probes")
    activations, batch_norms = [], []
    if asked := [probe for probe in config.probes if probe in AT_ACTIVATIONS]:
        if fused := [layer.name for layer in _all_layers(network) if _is_fused(layer)]:
            text = f"does not see the activation inside of {fused[0]}; make it a layer, such as keras.layers.ReLU"
            raise NetworkError(f"{asked[0]} {text}", "probes")
        activations = _of_kind(network, asked[0], ACTIVATIONS, f"activations, of which {name} has none")
    asked = [probe for probe in config.probes if probe in AT_BATCH_NORMS]
    if asked and config.model.norm.kind in BATCH_NORMS:
        batch_norms = _of_kind(network, asked[0], (keras.layers.BatchNormalization,), "batch normalizations")
    return SeenLayers(activations, batch_norms, kernels, blocks)


def _of_kind(network: keras.Model, probe: Probe, kinds: tuple[type[keras.Layer], ...], words: str) -> list[keras.Layer]:
    """All layers of some kinds, each of which has to be seen where it is called."""
    layers = [layer for layer in _all_layers(network) if isinstance(layer, kinds)]
    if not layers:
        raise NetworkError(f"{probe} looks at layers that are {words}; leave it out", "probes")
    for layer in layers:
        if layer not in network.layers:
            raise NetworkError(f"{probe} does not see {layer.name}, inside of another layer; leave it out", "probes")
        if len(layer._inbound_nodes) > 1:
            raise NetworkError(f"{probe} cannot tell the calls of {layer.name} apart; use a layer for each", "probes")
    return [layer for layer in network.layers if layer in layers]


def _all_layers(network: keras.Model) -> list[keras.Layer]:
    """The layers of a network, those inside of layers too."""
    return [layer for layer in network._flatten_layers(include_self=False) if not isinstance(layer, keras.Model)]


def _is_fused(layer: keras.Layer) -> bool:
    activation = getattr(layer, "activation", None)
    return not isinstance(layer, ACTIVATIONS) and activation not in (None, keras.activations.linear)
