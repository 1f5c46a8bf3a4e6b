"""Experiments on batch normalization: YAML in, trained networks, curves, measures and verdicts out."""
