"""What the configuration's reference says of probes, against what a run writes."""

import re

import numpy as np
import pytest
import tensorflow as tf
from programs import curves_of, run_config

from experiments.configuration.probes import OF_ONE_BATCH, PROBES, Probe
from experiments.training.probes import Probes
from models.networks import build_model

MODEL = {"layers": [4, 3], "norm": {"kind": "custom"}}
WITHOUT_PROBES = {"loss/train", "loss/validation", "accuracy/validation", "loss/test", "accuracy/test"}
REST = [probe for probe in PROBES if probe not in OF_ONE_BATCH]


def described(probe: Probe) -> list[re.Pattern[str]]:
    """The metrics that a description names; `p50` after `a/<layer>/p15` is short for `a/<layer>/p50`."""
    names: list[str] = []
    for name in re.findall("`([^`]+)`", PROBES[probe]):
        names.append(name if "/" in name else f"{names[-1].rpartition('/')[0]}/{name}")
    return [re.compile(re.sub("<[^>]+>", "[^/]+", re.escape(name))) for name in names]


def check(written: set[str], patterns: list[re.Pattern[str]]) -> None:
    assert [name for name in written if not any(pattern.fullmatch(name) for pattern in patterns)] == []
    assert [pattern.pattern for pattern in patterns if not any(map(pattern.fullmatch, written))] == []


@pytest.mark.parametrize("probe", OF_ONE_BATCH)
def test_a_probe_of_the_fixed_batch_writes_what_its_description_names(probe: Probe):
    config = run_config(MODEL, probes=[probe])
    probes = Probes(config, build_model(config.model, (6,), 3))
    x = np.random.default_rng(0).standard_normal((24, 6)).astype(np.float32)
    measured = probes.measure(tf.constant(x), tf.zeros(24, tf.int32), tf.constant(0.1))
    check(set(probes.metrics({name: value.numpy() for name, value in measured.items()})), described(probe))


def test_a_run_writes_what_the_page_says_with_the_other_probes_and_without():
    written = set(curves_of(run_config(MODEL, probes=REST)))
    assert written >= WITHOUT_PROBES
    check(written - WITHOUT_PROBES, [pattern for probe in REST for pattern in described(probe)])
