"""One colour an arm, the same in every figure, and none that a colour-blind reader takes for another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from claim_results import experiment

from experiments.reporting.arm_styles import COLOURS, arm_styles, kinds_of
from experiments.reporting.effect_figures import COLOURS as OF_VERDICTS
from experiments.reporting.headline_figures import COLOURS as OF_NETWORKS

# Machado, Oliveira & Fernandes 2009, table 1, severity 1: linear RGB as it is, and as those see it.
SEEN = {
    "as it is": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def linear(colour: str) -> np.ndarray:
    """'#rrggbb' as linear RGB."""
    srgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB in CIELAB, D65, where a distance of 10 is seen at a glance."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], LUMINANCE, [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio, from 1 to 21."""
    dark, light = sorted(LUMINANCE @ linear(colour) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def test_the_conversions_are_right_where_the_values_are_known() -> None:
    assert lab(linear("#FFFFFF")) == pytest.approx([100, 0, 0], abs=0.1)
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize("sight", SEEN)
def test_no_bn_bn_and_stock_bn_stay_apart_for_every_sight(sight: str) -> None:
    seen = [lab(np.array(SEEN[sight]) @ linear(COLOURS[kind])) for kind in ("none", "custom", "stock")]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 25


@pytest.mark.parametrize("page", ["#FFFFFF", "#12171C"])
def test_arms_stand_out_by_day_and_by_night(page: str) -> None:
    assert min(contrast(COLOURS[kind], page) for kind in COLOURS) >= 3


def test_an_arm_has_no_colour_that_means_a_verdict_or_a_network() -> None:
    compared = {COLOURS[kind] for kind in ("none", "custom", "stock")}
    assert not compared & ({*OF_VERDICTS.values()} | {*OF_NETWORKS.values()})


def test_the_colour_is_that_of_the_normalization_wherever_the_arm_stands() -> None:
    kinds = {"neither": "none", "dropout": "none", "bn": "custom", "bn_dropout": "custom"}
    styles = arm_styles(kinds, kinds)
    assert [style.colour for style in styles.values()] == [COLOURS[kind] for kind in kinds.values()]
    assert styles["neither"].line != styles["dropout"].line
    assert arm_styles(["custom_bn"])["custom_bn"] == arm_styles(["x", "no_bn", "custom_bn"])["custom_bn"]


def test_kinds_are_those_of_the_configuration() -> None:
    assert kinds_of(experiment()) == {"no_bn": "none", "custom_bn": "custom"}
    changed = experiment().model_copy(update={"arms": {"a": {"model.norm": {"kind": "group"}}, "b": {}}})
    assert kinds_of(changed) == {"a": "group", "b": "none"}
