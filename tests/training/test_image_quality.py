"""The Fréchet distance, the classes and the share of companions, against closed forms and on real images spoilt."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage
from programs import DIGITS, inputs

from experiments.configuration.run import DatasetConfig
from experiments.training.datasets import split_dataset
from experiments.training.image_quality import classes_generated, frechet_distance, share_of_companions
from experiments.training.judge import Judge, judge_of

SPLIT = split_dataset(DIGITS, DatasetConfig(), 0)


def sample(mean: np.ndarray, covariance: np.ndarray, seed: int) -> np.ndarray:
    """Fifty examples with exactly this mean and covariance."""
    raw = np.random.default_rng(seed).standard_normal((50, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return mean + white @ np.linalg.cholesky(covariance).T


def test_the_distance_of_gaussians_without_correlation_is_that_of_means_and_deviations():
    a = sample(np.array([1.0, 2.0, 3.0]), np.diag([1.0, 4.0, 9.0]), seed=1)
    b = sample(np.array([1.0, 0.0, 4.0]), np.diag([4.0, 4.0, 1.0]), seed=2)
    assert frechet_distance(a, b) == pytest.approx(0 + 4 + 1 + (1 - 2) ** 2 + 0 + (3 - 1) ** 2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_the_distance_of_correlated_gaussians_is_that_by_the_root_of_the_product():
    one, other = np.array([[2.0, 0.9], [0.9, 1.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])  # which do not commute
    a, b = sample(np.zeros(2), one, seed=1), sample(np.ones(2), other, seed=2)
    expected = 2 + np.trace(one + other - 2 * scipy.linalg.sqrtm(one @ other).real)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(b, a) == pytest.approx(expected)


def test_a_feature_that_never_varies_leaves_the_distance_defined():
    a = np.hstack([sample(np.zeros(2), np.eye(2), seed=1), np.zeros((50, 1))])
    assert frechet_distance(a, a + np.array([0, 0, 2])) == pytest.approx(4)
    assert frechet_distance(a, np.full_like(a, np.nan)) == math.inf


def test_a_class_counts_from_a_tenth_of_an_even_share():
    assert classes_generated(np.repeat([3, 5], [990, 10]), 10) == 2
    assert classes_generated(np.repeat([3, 5], [991, 9]), 10) == 1


def test_the_share_of_companions_in_a_table_done_by_hand():
    # Two latents with two companions: within, (2 + 8) / 2 = 5; the means 1 and 8 vary by 24.5, 5 / 2 of it from within.
    images = np.array([[[0.0], [2.0]], [[6.0], [10.0]]])
    assert share_of_companions(images) == pytest.approx(5 / (5 + 24.5 - 2.5))
    assert share_of_companions(np.repeat(images[:, :1], 4, axis=1)) == 0
    assert share_of_companions(np.ones((3, 2, 4))) == 0


def spoilt(kind: str, strength: float, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Real images (examples, 8, 8, 1), each spoilt by a share `strength` of the worst; 0 leaves them as they are."""
    rng = np.random.default_rng(7)
    match kind:
        case "noise":
            return images + strength * rng.standard_normal(images.shape)
        case "blur":
            return scipy.ndimage.gaussian_filter(images, (0, 2 * strength, 2 * strength, 0))
        case "swapped pixels":
            flat, moved = images.reshape(len(images), -1).copy(), round(64 * strength)
            places = rng.permutation(64)[:moved]
            flat[:, places] = flat[:, np.roll(places, 1)]
            return flat.reshape(images.shape)
        case "contrast":
            mean = images.mean(axis=(1, 2, 3), keepdims=True)
            return mean + (1 - strength) * (images - mean)
        case "missing block":
            side, found = round(8 * strength), images.copy()
            found[:, 4 - side // 2 :, 4 - side // 2 :][:, :side, :side] = 0
            return found
        case _:
            return images[labels >= round(10 * strength)]


@pytest.fixture(scope="module")
def judge() -> Judge:
    return judge_of(DIGITS, DatasetConfig(), 0)


@pytest.mark.parametrize("kind", ["noise", "blur", "swapped pixels", "contrast", "missing block", "missing classes"])
def test_the_distance_grows_with_how_much_real_images_are_spoilt(kind: str, judge: Judge):
    real = judge.read(inputs(SPLIT.validation))[0]
    images, labels = inputs(SPLIT.test), DIGITS.labels[SPLIT.test]
    strengths = (0.0, 0.25, 0.5, 0.75)
    found = [frechet_distance(judge.read(spoilt(kind, strength, images, labels))[0], real) for strength in strengths]
    assert found[-1] > 10 * found[0]
    assert found == sorted(found)
    assert len(set(found)) == len(found)


def test_classes_that_are_missing_are_missed(judge: Judge):
    images, labels = inputs(SPLIT.test), DIGITS.labels[SPLIT.test]
    found = [
        classes_generated(judge.read(spoilt("missing classes", strength, images, labels))[1], 10)
        for strength in (0, 0.5)
    ]
    assert found[0] == 10
    assert found[1] < 10


def test_a_judge_is_the_same_whichever_came_before():
    first = judge_of(DIGITS, DatasetConfig(batch_size=30), 1)
    before = first.read(inputs(SPLIT.test))[0]
    assert judge_of(DIGITS, DatasetConfig(batch_size=60), 1) is first
    other = judge_of(DIGITS, DatasetConfig(), 2)
    np.testing.assert_array_equal(first.read(inputs(SPLIT.test))[0], before)
    assert not np.array_equal(other.read(inputs(SPLIT.test))[0], before)
    assert first.accuracy > 0.9
