"""Which network does a configuration describe?"""

import keras

from models.cnn import build_cnn
from models.config import ModelConfig
from models.mlp import build_mlp
from models.own_network import build_own
from models.rnn import build_rnn


def build_model(config: ModelConfig, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Build the network of the configuration; raises ValueError where it cannot take such examples.

    Of the user's own, NetworkError where it is not as it has to be.
    """
    match config.kind:
        case "mlp":
            return build_mlp(config, input_shape, classes)
        case "cnn":
            return build_cnn(config, input_shape, classes)
        case "rnn":
            return build_rnn(config, input_shape, classes)
        case "keras":
            return build_own(config, input_shape, classes)
