# ruff: noqa: E501  one case a line, so that the tables of messages can be read
from pathlib import Path

import pytest
from experiment_files import BASE, faults_of, load, only_run

from experiments.configuration.run import RunConfig

BN = "{kind: custom}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run: {gan: {}, model: {kind: cnn, layers: [8]}}", "run: model.kind must be mlp with gan, got cnn"),
        ("run: {gan: {discriminator: {kind: cnn, layers: [8]}}}", "run: gan.discriminator.kind must be mlp with gan, got cnn"),
        (f"run: {{gan: {{discriminator: {{layers: [8], norm: {BN}}}}}}}", "run: gan.discriminator.layers must be two or more to be normalized: the first is not; give another"),
        ("run: {gan: {discriminator: {norm: {kind: custom, virtual_batch_size: 61}}}}", "run: gan.discriminator.norm.virtual_batch_size (61) must be at most 60, the images that go through the discriminator together"),
        ("run: {gan: {batches: mixed, discriminator: {norm: {kind: custom, virtual_batch_size: 121}}}}", "run: gan.discriminator.norm.virtual_batch_size (121) must be at most 120, the images that go through the discriminator together"),
        ("run: {gan: {}, dataset: {standardize: true}}", "run: dataset.standardize must be false with gan, which makes pixels from 0 to 1; leave it out"),
        ("run: {gan: {}, optimizer: {weight_decay: 0.1}}", "run: optimizer.weight_decay has no effect with gan; leave it out"),
        ("run: {gan: {}, model: {norm: {kind: custom}}, optimizer: {keep_norms: true}}", "run: optimizer.keep_norms has no effect with gan; leave it out"),
        ("run: {gan: {}, model: {trainable: output}}", "run: model.trainable must be all with gan, got output; leave it out"),
        ("run: {gan: {discriminator: {trainable: output}}}", "run: gan.discriminator.trainable must be all with gan, got output; leave it out"),
        ("run: {gan: {}, model: {kind: keras, build: 'nets:f'}}", "run: model.kind must be mlp with gan, got keras"),
        ("run: {gan: {}, probes: [gradients]}", "run: probes has no effect with gan; leave it out"),
        ("run: {gan: {}, timed: true}", "run: timed has no effect with gan; leave it out"),
        ("run: {gan: {}, test_every_evaluation: true}", "run: test_every_evaluation has no effect with gan; leave it out"),
        ("run: {gan: {batches: mixed}}", "run.gan.batches: has no effect with discriminator.norm.kind: none, only with one of custom, stock, noisy, detached, mean_only, variance_only; leave it out"),
        (f"run: {{gan: {{batches: both, discriminator: {{norm: {BN}}}}}}}", "run.gan.batches: 'both' is not one of apart, mixed"),
        ("run: {gan: {latent: 0}}", "run.gan.latent: must be at least 1, got 0"),
        ("run: {gan: true}", "run.gan: expected fields and their values, such as {latent: 32}, got True"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_of_a_gan_is_refused_with_a_remedy(tmp_path: Path, text: str, fault: str):
    (found,) = faults_of(tmp_path, f"{BASE}{text}\n")
    place, _, rest = found.partition(": ")
    assert (place.rpartition(":")[0], rest) == ("x.yaml", fault)


def test_arms_are_all_of_one_kind(tmp_path: Path):
    found = faults_of(tmp_path, "title: t\narms: {a: {}, b: {gan.latent: 8}}\n")
    text = "some train a gan and others a classifier, which nothing measures both; make two files of them"
    assert found == [f"x.yaml:2: arms: {text}"]


def test_an_arm_changes_one_field_inside(tmp_path: Path):
    text = "title: t\nrun: {gan: {latent: 8}}\narms: {a: {gan.discriminator.norm.kind: custom, gan.batches: mixed}}\n"
    gan = only_run(tmp_path, text).gan
    assert gan is not None
    assert (gan.latent, gan.batches, gan.discriminator.norm.kind) == (8, "mixed", "custom")
    assert gan.discriminator.layers == (100, 100, 100)


def test_mixed_batches_may_stand_where_some_arm_normalizes(tmp_path: Path):
    load(tmp_path, "title: t\nrun: {gan: {batches: mixed}}\narms: {a: {}, b: {gan.discriminator.norm.kind: custom}}\n")


def test_runs_without_the_section_are_who_they_were_before_it_came():
    assert RunConfig().digest() == "c29ee323dd6168d4"


def test_of_two_gans_those_share_a_program_that_differ_in_initial_weights_alone():
    def key(**discriminator: object) -> str:
        return RunConfig.model_validate({"gan": {"discriminator": discriminator}}).program_key()

    assert key(init_scale=2) == key(initialization="glorot_uniform") == key()
    assert key(layers=[5, 5]) != key()
