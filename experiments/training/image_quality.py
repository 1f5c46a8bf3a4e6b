"""How good are generated images? Pure functions of what a classifier makes of them, and of the images themselves."""

from __future__ import annotations

import numpy as np

GENERATED = 0.1  # of an even share of the images: a class that gets less is not generated


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the squared Fréchet distance between the Gaussians fitted to two samples, (examples, features) each.

    ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½), in the features' squared unit; inf where one is not finite. The trace
    of the root is that of (Σ_a^½ Σ_b Σ_a^½)^½, which is symmetric. Heusel et al. 2017, equation 6.
    """
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    a, b = a.astype(np.float64), b.astype(np.float64)
    covariance_a, covariance_b = (np.cov(sample, rowvar=False, ddof=1) for sample in (a, b))
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    of_product = np.linalg.eigvalsh(root @ covariance_b @ root)
    traces = np.trace(covariance_a) + np.trace(covariance_b) - 2 * np.sqrt(np.maximum(of_product, 0)).sum()
    return float(np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2) + traces)


def classes_generated(labels: np.ndarray, classes: int) -> int:
    """Return of how many classes there are images. labels: (images,), as a classifier finds them.

    A class counts that has a tenth of an even share, 1 % of ten classes: fewer may be the classifier's mistakes.
    """
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return int(np.sum(shares >= GENERATED / classes))


def share_of_companions(images: np.ndarray) -> float:
    """Return the share of the variance of G(z) that is due to the other latents of its batch.

    images: (latents, companions, …), each latent in several batches. By the law of total variance, E[Var(G | z)] over
    that and Var(E[G | z]), each an unbiased estimate and the mean over pixels. 0 where nothing varies.
    """
    values = images.reshape(*images.shape[:2], -1).astype(np.float64)
    within = values.var(axis=1, ddof=1).mean()
    between = values.mean(axis=1).var(axis=0, ddof=1).mean() - within / values.shape[1]
    total = within + max(between, 0.0)
    return float(within / total) if total else 0.0
