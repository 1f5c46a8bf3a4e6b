"""Normalization layers written from the papers' equations."""

from custom_layers.batch_normalization import BatchNormalization
from custom_layers.noisy_batch_normalization import NoisyBatchNormalization
from custom_layers.population_statistics import batch_statistics, recompute_statistics

__all__ = ["BatchNormalization", "NoisyBatchNormalization", "batch_statistics", "recompute_statistics"]
