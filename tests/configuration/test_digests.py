import json
import typing
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from experiments.configuration.run import RunConfig


def changed(value: Any, annotation: Any) -> list[Any]:
    """Other values that a field may take."""
    if value == ():
        return [("gradients",) if "gradients" in str(annotation) else (0.5,) if "float" in str(annotation) else (7,)]
    options = [a for a in typing.get_args(annotation) if typing.get_origin(a) is typing.Literal]
    if typing.get_origin(annotation) is typing.Literal or options:
        booleans = (False, True) if bool in typing.get_args(annotation) else ()
        return [v for v in (*typing.get_args(options[0] if options else annotation), *booleans) if v != value]
    match value:
        case bool():
            return [not value]
        case int():
            return [value * 2 or 50]
        case float():
            return [value / 2 + 0.01]
        case str():
            return ["wine"]
        case None if "GanConfig" in str(annotation):
            return [{"latent": 4}]
        case None:
            return [50]
        case tuple():
            return [value[:1]]
    raise AssertionError(f"no other value known for {value!r}")


def single_changes(config: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    changes = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            changes += single_changes(value, f"{prefix}{name}.")
        else:
            changes += [(f"{prefix}{name}", other) for other in changed(value, field.annotation)]
    return changes


def with_change(config: RunConfig, dotted: str, value: Any) -> RunConfig:
    values = config.model_dump()
    target = values
    *path, last = dotted.split(".")
    for part in path:
        target = target[part]
    target[last] = value
    return RunConfig.model_validate(values)


# Renormalization and virtual batches need kind: custom; Adam and SGD take all of the optimizer's fields.
CUSTOM = RunConfig.model_validate({"model": {"norm": {"kind": "custom"}}})
NOT_ALONE = (  # which need another field beside, or its absence
    "epochs",
    "model.norm.recurrent",
    "model.norm.renorm_relaxed_by",
    "model.branch_scale",
    "model.dropout_place",
    "dataset.file",
    "dataset.label",
    "dataset.sha256",
    "dataset.classes",
    "dataset.validation_share",
    "model.build",
    "model.sha256",
)
NOT_BY_THEMSELVES = (("model.norm.kind", "instance"), ("model.kind", "keras"))  # which need images, and build
CHANGES = [
    change for change in single_changes(CUSTOM) if change[0] not in NOT_ALONE and change not in NOT_BY_THEMSELVES
]


def test_every_setting_in_the_digest_is_changed_below():
    def leaves(values: dict[str, Any], prefix: str = "") -> set[str]:
        nested = [leaves(v, f"{prefix}{k}.") if isinstance(v, dict) else {prefix + k} for k, v in values.items()]
        return set().union(*nested)

    assert {dotted for dotted, _ in CHANGES} | set(NOT_ALONE) == leaves(CUSTOM.model_dump(mode="json"))


@pytest.mark.parametrize(("dotted", "value"), CHANGES, ids=lambda v: str(v))
def test_the_digest_changes_with_every_single_field(dotted: str, value: Any):
    assert with_change(CUSTOM, dotted, value).digest() != CUSTOM.digest()


def test_the_digest_is_equal_for_equal_settings_however_they_are_written():
    spelled = {"steps": "1e3", "optimizer": {"learning_rate": "1e-1"}, "model": {"norm": {"kind": "custom"}}}
    assert RunConfig.model_validate(spelled).digest() == CUSTOM.digest()
    assert RunConfig.model_validate(json.loads(CUSTOM.model_dump_json())).digest() == CUSTOM.digest()


VALUES_TO_A_PROGRAM = {
    "seed",
    "steps",
    "evaluate_every",
    "dataset.standardize",
    "dataset.train_examples",
    "dataset.order",
    "model.initialization",
    "model.init_scale",
    "optimizer.learning_rate",
    "optimizer.schedule.kind",
    "optimizer.schedule.factor",
    "optimizer.schedule.milestones",
    "optimizer.schedule.warmup_steps",
}


@pytest.mark.parametrize(("dotted", "value"), CHANGES, ids=lambda v: str(v))
def test_runs_share_a_program_where_they_differ_in_values_only(dotted: str, value: Any):
    shared = with_change(CUSTOM, dotted, value).program_key() == CUSTOM.program_key()
    assert shared == (dotted in VALUES_TO_A_PROGRAM)


@pytest.mark.parametrize(
    ("fields", "shared"),
    [
        ({}, True),
        ({"model": {"kind": "rnn", "layers": [8]}}, True),
        ({"model": {"kind": "cnn", "layers": [8]}}, False),
        ({"xla": False}, False),
        ({"timed": True}, False),
    ],
    ids=str,
)
def test_programs_of_xla_have_room_for_other_intervals_between_evaluations(fields: dict[str, Any], shared: bool):
    def keys(*intervals: int) -> set[str]:
        return {RunConfig.model_validate(fields | {"evaluate_every": n, "steps": n}).program_key() for n in intervals}

    assert len(keys(1, 50, 256)) == (1 if shared else 3)
    assert len(keys(256, 257, 1000)) == 3


def test_large_batches_have_no_room_that_would_fill_the_memory():
    rooms = [RunConfig.model_validate({"dataset": {"batch_size": n}}).longest_stretch for n in (60, 1000, 60_000)]
    assert rooms == [256, 50, 50]


def test_fields_that_came_later_leave_runs_the_identity_they_had():
    # As `run.json` has it of runs that were made before there were any schedules.
    other = {
        "model": {"kind": "cnn", "layers": [8], "norm": {"kind": "custom"}},
        "optimizer": {"kind": "adam", "weight_decay": 1e-3},
        "probes": ["gradients"],
    }
    assert RunConfig().digest() == "c29ee323dd6168d4"
    assert RunConfig.model_validate(other).digest() == "f3c29eb158804d9e"


def test_a_file_its_digest_and_its_label_change_identity_and_program():
    own = {"file": "a.csv", "label": "y", "sha256": "0"}
    others = [{}, own, own | {"file": "b.csv"}, own | {"label": "z"}, own | {"sha256": "1"}]
    configs = [RunConfig.model_validate({"dataset": fields}) for fields in others]
    assert len({config.digest() for config in configs}) == len({config.program_key() for config in configs}) == 5


def test_classes_and_the_validation_share_change_identity_and_program():
    others: list[dict[str, Any]] = [{}, {"classes": [0, 1]}, {"classes": [1, 0]}, {"validation_share": 0.2}]
    configs = [RunConfig.model_validate({"dataset": fields}) for fields in others]
    assert len({config.digest() for config in configs}) == len({config.program_key() for config in configs}) == 4


def test_a_network_of_ones_own_its_source_and_its_normalization_change_identity_and_program():
    own = {"kind": "keras", "build": "a:build", "sha256": "0"}
    others = [{}, own, own | {"build": "b:build"}, own | {"sha256": "1"}, own | {"norm": {"kind": "custom"}}]
    configs = [RunConfig.model_validate({"model": fields}) for fields in others]
    assert len({config.digest() for config in configs}) == len({config.program_key() for config in configs}) == 5
    elsewhere = RunConfig.model_validate({"model": own | {"build": "/elsewhere/a:build"}})
    assert elsewhere.digest() == configs[1].digest()


def test_how_much_the_weights_decay_is_a_value_and_whether_they_do_is_not():
    keys = [with_change(CUSTOM, "optimizer.weight_decay", decay).program_key() for decay in (0, 1e-4, 0.1)]
    assert keys[0] != keys[1] == keys[2]


def test_runs_of_no_steps_have_a_program_of_their_own():
    keys = [with_change(CUSTOM, "steps", steps).program_key() for steps in (0, 50, 100)]
    assert keys[0] != keys[1] == keys[2]


def test_a_configuration_cannot_be_changed_and_takes_no_unknown_field():
    with pytest.raises(ValidationError, match="frozen"):
        CUSTOM.steps = 5  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs"):
        RunConfig.model_validate({"step": 5})
