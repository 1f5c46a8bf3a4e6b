"""Keeps the user's settings out of the tests, and what TensorFlow says of absent GPUs; before anything imports it."""

import os

from experiments.training.surroundings import unconfigure

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
unconfigure()
