"""Files that an experiment names: where they are looked for, and that they tell runs apart."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from own_examples import CSV, X, Y, experiment_file, npz

from experiments.configuration.loading import load_experiment
from experiments.configuration.yaml_source import ConfigError
from models.config import ModelConfig


def digest_of(path: Path, *overrides: str) -> str:
    experiment = load_experiment(path, list(overrides))
    return experiment.run(*next(experiment.cells()), 0).config.digest()


def test_the_digest_of_the_file_is_part_of_a_runs_identity_and_its_folder_is_not(tmp_path: Path):
    path = experiment_file(tmp_path / "here", "file: my.npz")
    npz(path.parent, x=X, y=Y)
    before = digest_of(path)
    other = experiment_file(tmp_path / "there", "file: ../my.npz")
    (path.parent / "my.npz").rename(tmp_path / "my.npz")
    assert digest_of(other) == before
    npz(tmp_path, x=X + 1, y=Y)
    assert digest_of(other) != before
    config = load_experiment(other).run("a", {}, 0).config
    assert config.dataset.sha256 == hashlib.sha256((tmp_path / "my.npz").read_bytes()).hexdigest()
    assert config.model_dump()["dataset"]["file"] == "my.npz"


def test_a_path_is_relative_to_the_file_that_names_it_and_on_the_command_line_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    base = experiment_file(tmp_path / "base", "file: my.npz")
    npz(base.parent, x=X, y=Y)
    (tmp_path / "x.yaml").write_text("extends: base/x.yaml\n")
    assert digest_of(tmp_path / "x.yaml") == digest_of(base)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "of_work.csv").write_text(CSV)
    monkeypatch.chdir(tmp_path / "work")
    given = load_experiment(base, ["run.dataset.file=of_work.csv", "run.dataset.label=kind"]).run("a", {}, 0).config
    assert given.dataset.file == str(tmp_path / "work" / "of_work.csv")


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("file: my.txt", "run.dataset: file: must be named *.npz or *.csv, got 'my.txt'"),
        ("file: 3", "run.dataset.file: expected a text; quote it, got 3"),
        (
            "file: no.npz",
            "run.dataset.file: no such file: {folder}/no.npz; a path is relative to the file that names it",
        ),
        ("file: d.npz", "run.dataset.file: {folder}/d.npz cannot be read: Is a directory"),
        ("file: my.csv", "run.dataset: a .csv file needs label, the name of the column with the classes; add it"),
        ("file: a.npz, label: y", "run.dataset: label (y) is a column of a .csv file, and there is none; leave it out"),
        ("name: wine, label: y", "run.dataset: label (y) is a column of a .csv file, and there is none; leave it out"),
        ("sha256: abc", "run.dataset: sha256 is that of file, and there is none; leave it out"),
        ("name: wine, file: a.npz", "run.dataset: name (wine) and file (a.npz) exclude each other; keep one"),
    ],
)
def test_what_a_file_may_not_say_of_another(tmp_path: Path, dataset: str, said: str):
    (tmp_path / "d.npz").mkdir()
    path = experiment_file(tmp_path, dataset)
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert said.format(folder=tmp_path) in str(caught.value)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_a_file_may_be_held_to_its_digest(tmp_path: Path):
    npz(tmp_path, x=X, y=Y)
    found = hashlib.sha256((tmp_path / "my.npz").read_bytes()).hexdigest()
    assert digest_of(experiment_file(tmp_path, f"file: my.npz, sha256: {found}"))
    path = experiment_file(tmp_path, "file: my.npz, sha256: abc")
    with pytest.raises(ConfigError, match=f":3: run.dataset.sha256: .*my.npz is another file, of {found}; give that"):
        load_experiment(path)


def test_of_a_name_and_a_file_what_is_said_last_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    npz(tmp_path, x=X, y=Y)
    monkeypatch.chdir(tmp_path)
    named = experiment_file(tmp_path, "name: wine", arms="{a: {}, b: {dataset.name: digits}}")
    experiment = load_experiment(named, ["run.dataset.file=my.npz"])
    assert [experiment.run(arm, {}, 0).config.dataset.name for arm in "ab"] == ["my.npz", "digits"]
    (tmp_path / "top.yaml").write_text("extends: x.yaml\nrun: {dataset: {file: my.npz}}\n")
    assert load_experiment(tmp_path / "top.yaml").run("a", {}, 0).config.dataset.name == "my.npz"
    both = experiment_file(tmp_path, "name: wine", arms="{a: {dataset.name: digits, dataset.file: my.npz}}")
    with pytest.raises(
        ConfigError, match=r"arms.a.dataset.name: has no effect, as arm or grid set in its place another"
    ):
        load_experiment(both)


def own_network(folder: Path, model: str, **more: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "x.yaml").write_text(
        f"title: t\nrun:\n  model: {{kind: keras, {model}}}\narms: {more.get('arms', '{a: {}}')}\n"
    )
    return folder / "x.yaml"


def network_of(path: Path, *overrides: str) -> ModelConfig:
    return load_experiment(path, list(overrides)).run("a", {}, 0).config.model


def test_a_network_is_found_beside_the_file_that_names_it_and_else_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "nets.py").write_text("# of the current directory\n")
    monkeypatch.chdir(tmp_path / "here")
    path = own_network(tmp_path / "yaml", "build: 'nets:build'")
    (tmp_path / "top.yaml").write_text("extends: yaml/x.yaml\n")
    assert network_of(path).build == f"{tmp_path}/here/nets:build"
    before = digest_of(path)
    (tmp_path / "yaml" / "nets.py").write_text("# of the current directory\n")
    assert network_of(path).build == network_of(tmp_path / "top.yaml").build == f"{tmp_path}/yaml/nets:build"
    assert digest_of(path) == before  # the source is the same
    (tmp_path / "yaml" / "nets.py").write_text("# another\n")
    assert digest_of(path) != before
    assert network_of(path, "run.model.build=nets:build").build == f"{tmp_path}/here/nets:build"


def test_a_network_may_lie_in_a_package_or_another_folder(tmp_path: Path):
    (tmp_path / "package" / "nets").mkdir(parents=True)
    (tmp_path / "package" / "nets" / "__init__.py").write_text("# nets\n")
    path = own_network(tmp_path / "yaml", "build: '../package.nets:build'")
    found = network_of(path)
    assert Path(str(found.build)).resolve() == tmp_path / "package.nets:build"
    assert found.sha256 == hashlib.sha256(b"# nets\n").hexdigest()
    assert found.model_dump()["build"] == "package.nets:build"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("layers: [3]", "run.model: kind: keras needs build, such as my_networks:build_model; add it"),
        ("build: nets", "run.model: build: expected module:function, such as my_networks:build_model, got 'nets'"),
        ("build: 'nets.py:build'", "run.model: build: expected module:function, such as my_networks:build_model, got "),
        ("build: 'no:build'", "run.model.build: no module no in {folder} nor {here}; write {folder}/no.py, or name"),
        ("build: 'nets:build', sha256: abc", "run.model.sha256: {folder}/nets.py is another file, of "),
        (
            "build: 'nets:build', layers: [3]",
            "run.model.layers: has no effect with kind: keras, only with one of mlp",
        ),
        ("build: 'nets:build', init_scale: 2", "run.model.init_scale: has no effect with kind: keras"),
        (
            "build: 'nets:build', norm: {kind: custom, placement: after}",
            "run.model: norm.placement has no effect with kind: keras, where build places normalizations",
        ),
    ],
)
def test_what_is_said_of_a_network_that_cannot_be_found_or_set_so(tmp_path: Path, model: str, said: str):
    path = own_network(tmp_path, model)
    (tmp_path / "nets.py").write_text("\n")
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    assert said.replace("{folder}", str(tmp_path)).replace("{here}", str(Path.cwd())) in str(caught.value)
    assert f"{path}:3: " in str(caught.value)


def test_build_has_no_effect_on_a_network_of_the_project(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("title: t\nrun:\n  model: {build: 'nets:build'}\narms: {a: {}}\n")
    with pytest.raises(ConfigError, match=r"model\.build: has no effect with kind: mlp, only with keras; leave it out"):
        load_experiment(tmp_path / "x.yaml")
