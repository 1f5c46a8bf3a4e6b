"""Keeps what TensorFlow says of absent GPUs out of the tests' output; set before anything imports it."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
