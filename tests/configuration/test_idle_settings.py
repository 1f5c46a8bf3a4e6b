# ruff: noqa: E501  one case a line, so that the tables of messages can be read
from pathlib import Path

import pytest
from experiment_files import BASE, faults_of, load

OF_BATCH = "pre_activations, unit_percentiles, gradients, weight_gradient_cosine, saturation, covariate_shift, landscape, curvature, representation, first_guess, standardization, affine_identity, weight_scale"
PART = "claim: {statement: s, source: s, parts: [{measure: drift, effect: level, treatment: a, band: 1}]}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("run: {optimizer: {kind: adam, momentum: 0.9}}", "run.optimizer.momentum: has no effect with kind: adam, only with sgd or sgdw; leave it out"),
        ("run: {optimizer: {kind: sgd, beta_1: 0.8}}", "run.optimizer.beta_1: has no effect with kind: sgd, only with adam or adamw; leave it out"),
        ("run: {optimizer: {beta_2: 0.999}}", "run.optimizer.beta_2: has no effect with kind: sgd, only with adam or adamw; leave it out"),
        ("run: {optimizer: {schedule: {kind: cosine, factor: 0.5}}}", "run.optimizer.schedule.factor: has no effect with kind: cosine, only with step or exponential; leave it out"),
        ("run: {optimizer: {schedule: {milestones: [0.5]}}}", "run.optimizer.schedule.milestones: has no effect with kind: constant, only with step; leave it out"),
        ("run: {optimizer: {nesterov: true}}", "run.optimizer.nesterov: has no effect with momentum: 0.0; leave it out"),
        ("run: {optimizer: {kind: adamw, nesterov: true}}", "run.optimizer.nesterov: has no effect with kind: adamw, only with sgd or sgdw; leave it out"),
        ("run: {model: {norm: {kind: custom}}, optimizer: {weight_decay_over: scale_invariant}}", "run.optimizer.weight_decay_over: has no effect with weight_decay: 0.0; leave it out"),
        ("run: {optimizer: {weight_decay: 0.1, weight_decay_over: scale_invariant}}", "run.optimizer.weight_decay_over: has no effect with run.model.norm.kind: none, only with one of custom, stock, noisy, detached, mean_only, variance_only; leave it out"),
        ("run: {optimizer: {keep_norms: true}}", "run.optimizer.keep_norms: has no effect with run.model.norm.kind: none, only with one of custom, stock, noisy, detached, mean_only, variance_only; leave it out"),
        ("run: {model: {norm: {kind: custom, placement: after}}, optimizer: {weight_decay: 0.1, weight_decay_over: scale_invariant}}", "run.optimizer.weight_decay_over: has no effect with run.model.norm.placement: after, only with before; leave it out"),
        ("run: {model: {norm: {kind: custom, groups: 4}}}", "run.model.norm.groups: has no effect with kind: custom, only with group; leave it out"),
        ("run: {model: {norm: {kind: layer, momentum: 0.9}}}", "run.model.norm.momentum: has no effect with kind: layer, only with one of custom, stock, noisy, detached, mean_only, variance_only; leave it out"),
        ("run: {model: {norm: {placement: after}}}", "run.model.norm.placement: has no effect with kind: none, only with one of custom, stock, noisy, detached, mean_only, variance_only, layer, group, instance, dyt, rms; leave it out"),
        ("run: {model: {norm: {kind: rms, center: false}}}", "run.model.norm.center: has no effect with kind: rms, only with one of custom, stock, noisy, detached, mean_only, variance_only, layer, group, instance, dyt; leave it out"),
        ("run: {model: {norm: {kind: dyt, epsilon: 0.1}}}", "run.model.norm.epsilon: has no effect with kind: dyt, only with one of custom, stock, noisy, detached, variance_only, layer, group, instance, rms; leave it out"),
        ("run: {probe_examples: 60}", f"run.probe_examples: has no effect with probes: [], only with one of {OF_BATCH}; leave it out"),
        ("run: {probe_examples: 60, probes: [step_loss]}", f"run.probe_examples: has no effect with probes: [step_loss], only with one of {OF_BATCH}; leave it out"),
        ("run: {probes: [gradients, standardization]}", "run.probes.1: standardization looks at batch normalization, of which there is none with norm.kind: none; leave it out"),
        ("run: {probes: [weight_scale], model: {norm: {kind: stock, placement: after}}}", "run.probes.0: weight_scale looks at batch normalization before the activation; leave it out"),
        ("run: {moving_averages: [0.9]}", "run.moving_averages: has no effect with model.norm.kind: none, only with one of custom, stock, noisy, detached, mean_only, variance_only; leave it out"),
        ("run: {statistics: moving, model: {norm: {kind: layer}}}", "run.statistics: has no effect with model.norm.kind: layer, only with one of custom, stock, noisy, detached, mean_only, variance_only; leave it out"),
        ("grid: {optimizer.beta_1: [0.8, 0.9]}", "grid.optimizer.beta_1: has no effect with kind: sgd, only with adam or adamw; leave it out"),
        (PART.replace("drift", "drift, step: 5"), "claim.parts.0: step has no effect with measure: drift; leave it out"),
        (PART.replace("drift", "drift, metric: loss/test"), "claim.parts.0: metric has no effect with measure: drift; leave it out"),
        (PART.replace("drift", "drift, budget: 0.5"), "claim.parts.0: budget has no effect with measure: drift; leave it out"),
        (PART.replace("drift", "drift, over: treatment"), "claim.parts.0: over has no effect with effect: level; leave it out"),
    ],
)  # fmt: skip
def test_what_is_set_without_effect_is_refused(tmp_path: Path, text: str, fault: str):
    assert faults_of(tmp_path, f"{BASE}{text}\n") == [f"x.yaml:4: {fault}"]


def test_the_fault_stands_where_the_setting_is_in_an_arm_or_an_override(tmp_path: Path):
    text = "title: t\narms:\n  a: {}\n  b: {optimizer.kind: adam, optimizer.momentum: 0.9}\n"
    why = "has no effect with kind: adam, only with sgd or sgdw; leave it out"
    assert faults_of(tmp_path, text) == [f"x.yaml:4: arms.b.optimizer.momentum: {why}"]
    override = "run.optimizer={kind: adam, momentum: 0.9}"
    assert faults_of(tmp_path, BASE, override) == [f"--set {override}: run.optimizer.momentum: {why}"]


@pytest.mark.parametrize(
    "text",
    [
        "arms: {a: {}, b: {model.norm.kind: custom}}\nrun: {model: {norm: {momentum: 0.9}}, probes: [standardization]}",
        "arms: {a: {optimizer.kind: adam}, b: {}}\nrun: {optimizer: {momentum: 0.9}}",
        "arms: {a: {}}\ngrid: {optimizer.kind: [sgd, adam]}\nrun: {optimizer: {momentum: 0.9, beta_1: 0.8}}",
        "arms: {a: {}}\ngrid: {optimizer.kind: [sgd, adam], optimizer.momentum: [0, 0.9]}",
        "arms: {a: {model.norm.kind: none}}\nrun: {model: {norm: {kind: custom, renorm: false}}}",
        "arms: {a: {}}\ngrid: {optimizer.momentum: [0, 0.9]}\nrun: {optimizer: {nesterov: true}}",
        "arms: {a: {}, b: {model.norm.kind: custom}}\ngrid: {optimizer.weight_decay: [0, 0.1]}\n"
        "run: {optimizer: {weight_decay_over: scale_invariant}}",
        "arms: {a: {}}\nrun: {optimizer: {kind: adam, learning_rate: 0.1, momentum: 0.0, beta_1: 0.9}}",  # as resolved
        "arms: {a: {probes: [gradients]}, b: {}}\nrun: {probe_examples: 60}",
        "arms: {a: {}, b: {model.norm.kind: custom}}\nrun: {moving_averages: [0.9, 0.99], statistics: moving}",
    ],
)
def test_what_has_an_effect_in_some_run_or_only_says_what_is_may_stand(tmp_path: Path, text: str):
    load(tmp_path, f"title: t\n{text}\n")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("run: {optimizer: {kind: adm, momentum: 0.9}}", "run.optimizer.kind"),
        ("run: {optimizer: {kind: {a: 1}, momentum: 0.9}}", "run.optimizer.kind"),
        ("run: {probes: [{a: 1}], probe_examples: 60}", "run.probes.0"),
        ("run: {model: {norm: {kind: custm}}, moving_averages: [0.9]}", "run.model.norm.kind"),
        (f"run: {{model: {{norm: {{kind: 0x{'f' * 5000}, groups: 4}}}}}}", "run.model.norm.kind"),
    ],
)
def test_a_setting_beside_a_faulty_one_is_not_judged(tmp_path: Path, text: str, field: str):
    (fault,) = faults_of(tmp_path, f"{BASE}{text}\n")
    assert fault.startswith(f"x.yaml:4: {field}: ")


def test_null_is_no_tuning_where_nothing_is_a_fault(tmp_path: Path):
    (tmp_path / "base.yaml").write_text(BASE + "grid: {steps: [50]}\ntuning: {over: steps}\n")
    assert load(tmp_path, "extends: base.yaml\ntuning: null\n").config.tuning is None
