from pathlib import Path

import pytest
from experiment_files import faults_of, load

NO_FOLDER = 'cannot be the name of a folder; leave out / \\ = < > : " | ? *, and a dot or space at the ends'
DEVICE = "is the name of a device on Windows, which can be no folder; choose another name"
FILE = "is like a file of results beside the arms' folders; choose another name"
SUMMARY = "is the folder of the whole experiment's summary; choose another name"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *[
            (name, f"{name!r} {NO_FOLDER}")
            for name in ("", "a/b", "a\\b", "a=b", ".lock", ".", "a.", "a ", " a", "a:b")
        ],
        *[(name, f"{name!r} {NO_FOLDER}") for name in ("a\tb", "a?", "a\nb")],
        *[(name, f"{name!r} {DEVICE}") for name in ("CON", "nul", "com1", "lpt9.x")],
        *[(name, f"{name!r} {FILE}") for name in ("results.parquet", "convergence.svg", "events.out.tfevents.1")],
        *[(name, f"{name!r} {SUMMARY}") for name in ("summary", "Summary")],
        ("a" * 300, "must be at most 255 bytes long, as the name of a folder, got 300"),
        ("ä" * 128, "must be at most 255 bytes long, as the name of a folder, got 256"),
    ],
)
def test_a_name_that_can_be_no_folder_of_its_own_is_refused(tmp_path: Path, name: str, why: str):
    quoted = name.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    assert faults_of(tmp_path, f'title: t\narms:\n  "{quoted}": {{}}\n') == [f"x.yaml:3: arms.{name}: {why}"]


def test_names_that_differ_in_case_alone_are_refused(tmp_path: Path):
    assert faults_of(tmp_path, "title: t\narms:\n  bn: {}\n  BN: {steps: 50}\n") == [
        "x.yaml:4: arms.BN: 'BN' and 'bn' are one folder where case does not count; choose another name"
    ]


@pytest.mark.parametrize("name", ["no_bn", "BN after (σ)", "a.b", "console", "com10", "summary_2", "a" * 255, "1"])
def test_other_names_are_allowed(tmp_path: Path, name: str):
    assert list(load(tmp_path, f'title: t\narms:\n  "{name}": {{}}\n').config.arms) == [name]
