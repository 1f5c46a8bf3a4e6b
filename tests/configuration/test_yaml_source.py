from pathlib import Path

import pytest

from experiments.configuration.yaml_source import BLANK, MOST_VALUES, ConfigError, Source, parse_value, read_yaml, shown


def write(folder: Path, text: str | bytes, name: str = "x.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    return [fault.replace(f"{path.parent}/", "") for fault in caught.value.faults]


def read(folder: Path, text: str) -> Source:
    source = read_yaml(write(folder, text))
    source.places = {key: place.rpartition("/")[2] for key, place in source.places.items()}
    return source


def test_every_value_knows_its_line(tmp_path: Path):
    source = read(tmp_path, "title: t\nrun:\n  steps: 5\n  probes:\n    - a\n    - b\n")
    assert source.value == {"title": "t", "run": {"steps": 5, "probes": ["a", "b"]}}
    assert source.place(("title",)) == "x.yaml:1"
    assert source.place(("run", "steps")) == "x.yaml:3"
    assert source.place(("run", "probes")) == "x.yaml:4"
    assert source.place(("run", "probes", 1)) == "x.yaml:6"


def test_a_field_that_is_not_there_has_the_place_of_what_is_around_it(tmp_path: Path):
    source = read(tmp_path, "title: t\nrun:\n  steps: 5\n")
    assert source.place(("run", "model", "norm")) == "x.yaml:2"
    assert source.place(("arms",)) == "x.yaml:1"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "x.yaml:1: an experiment is a mapping of fields, found an empty file"),
        ("# only a comment\n", "x.yaml:1: an experiment is a mapping of fields, found an empty file"),
        ("- a\n", "x.yaml:1: an experiment is a mapping of fields, found a list"),
        ("hello", "x.yaml:1: an experiment is a mapping of fields, found the text 'hello'"),
        (
            "a: 1\nb:\n\tc: 2\n",
            "x.yaml:3: not valid YAML: found character '\\t' that cannot start any token; "
            "indent with spaces, as YAML takes no tabs",
        ),
        (
            "title: a: b\n",
            "x.yaml:1: not valid YAML: mapping values are not allowed here; quote a text with a colon in it, such as "
            "title: 'a: b', and indent fields of one section alike",
        ),
        ("a: [1\n", "x.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n---\na: 2\n", "x.yaml:2: not valid YAML: but found another document"),
        (b"a: 1\nb: \x00\n", "x.yaml:2: not valid YAML: special characters are not allowed: #x0000"),
        ("a: *b\n", "x.yaml:1: not valid YAML: found undefined alias 'b'"),
        ("a: " + "[" * 3000 + "]" * 3000, "x.yaml: not valid YAML: nested too deeply"),
        ("run:\n  steps: 1\n  steps: 2\n", "x.yaml:3: run.steps: given twice; keep one"),
        ("a:\n  - {b: 1,\n     b: 2}\n", "x.yaml:3: a.0.b: given twice; keep one"),
        ("a: 12:30\n", "x.yaml:1: a: YAML reads 12:30 as a number in base 60; quote it"),
        ("a: 12:30.5\n", "x.yaml:1: a: YAML reads 12:30.5 as a number in base 60; quote it"),
        ("a: [1, 010]\n", "x.yaml:1: a.1: YAML reads 010 as a number in octal; quote it"),
        ("? [a, b]\n: 3\n", "x.yaml:1: a list or mapping cannot be the name of a field"),
        ("a: !!int abc\n", "x.yaml:1: a: 'abc' cannot be read as !!int; leave the tag out"),
        ("a: !foo b\n", "x.yaml:1: a: 'b' cannot be read as !foo; leave the tag out"),
        (
            "a: !!python/name:os.system b\n",
            "x.yaml:1: a: 'b' cannot be read as !!python/name:os.system; leave the tag out",
        ),
        ("a: 1\nb: &b\n  c: *b\n", "x.yaml:2: b.c: an alias of what it stands in has no end; write the value out"),
        ("a: &a [1, [*a]]\n", "x.yaml:1: a.1.0: an alias of what it stands in has no end; write the value out"),
        ("a: &a {<<: *a}\n", "x.yaml:1: a: an alias of what it stands in has no end; write the value out"),
        ("a: {<<: 5}\n", "x.yaml:1: a.<<: expected an alias of a mapping, such as <<: *name"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line_with_its_place(tmp_path: Path, text: str | bytes, fault: str):
    assert faults_of(write(tmp_path, text)) == [fault]


def test_text_in_another_encoding_is_refused(tmp_path: Path):
    (fault,) = faults_of(write(tmp_path, b"title: \xff\n"))
    assert fault.startswith("x.yaml: cannot be read: 'utf-8' codec can't decode byte 0xff in position 7")


def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path):
    assert faults_of(tmp_path / "no.yaml") == ["no.yaml: no such file"]
    (fault,) = faults_of(tmp_path)
    assert fault.startswith(f"{tmp_path.name}: cannot be read: ")


def test_aliases_that_multiply_are_cut_off(tmp_path: Path):
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 12))
    (fault,) = faults_of(write(tmp_path, "l0: &l0 [1]\n" + levels))
    assert fault.endswith(f"more than {MOST_VALUES:,} values with all aliases followed; use fewer")


def test_what_yaml_reads_is_kept_except_dates(tmp_path: Path):
    source = read(tmp_path, "a: 1e-3\nb: 1.0e-3\nc: no\nd: 2020-01-01\ne: '010'\nf: ~\ng: 0x1F\n")
    assert source.value == {"a": "1e-3", "b": 0.001, "c": False, "d": "2020-01-01", "e": "010", "f": None, "g": 31}


def test_a_field_with_nothing_after_its_colon_is_no_null(tmp_path: Path):
    source = read(tmp_path, "a:\nb: null\nc: ''\nd: {e: }\nf:\n  -\n")
    assert source.value == {"a": BLANK, "b": None, "c": "", "d": {"e": BLANK}, "f": [BLANK]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 98, repr("a" * 98)),
        ("a" * 99, f"'{'a' * 99}… (101 characters)"),
        (16**5000, "a number of thousands of digits"),
    ],
    ids=["100 characters", "101 characters", "a number"],
)
def test_a_long_value_is_cut_in_an_error(value: object, text: str):
    assert shown(value) == text


def test_names_of_fields_stay_text(tmp_path: Path):
    assert read(tmp_path, "no: 1\n3: 2\n").value == {"no": 1, "3": 2}


def test_an_alias_repeats_a_value(tmp_path: Path):
    assert read(tmp_path, "a: &v {b: [1]}\nc: *v\n").value == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_a_merge_key_gives_the_fields_that_are_not_given_here(tmp_path: Path):
    source = read(tmp_path, "a: &a {x: 1,\n  y: 2}\nb: &b {y: 3, z: 4}\nc:\n  y: 5\n  <<: *a\nd: {<<: [*a, *b]}\n")
    assert source.value["c"] == {"y": 5, "x": 1}
    assert source.value["d"] == {"x": 1, "y": 2, "z": 4}  # the first that has a field wins
    assert source.place(("c", "x")) == "x.yaml:1"
    assert source.place(("c", "y")) == "x.yaml:5"
    assert source.place(("d", "y")) == "x.yaml:2"


def test_extends_merges_field_by_field_and_keeps_each_files_lines(tmp_path: Path):
    write(tmp_path, "title: base\nrun:\n  steps: 5\n  model: {kind: mlp, layers: [1, 2]}\nseeds: 3\n", "base.yaml")
    write(tmp_path, "extends: base.yaml\nrun:\n  model:\n    layers: [7]\n", "middle.yaml")
    source = read(tmp_path, "extends: middle.yaml\ntitle: top\n")
    assert source.value == {
        "title": "top",
        "run": {"steps": 5, "model": {"kind": "mlp", "layers": [7]}},
        "seeds": 3,
    }
    assert source.place(("title",)) == "x.yaml:2"
    assert source.place(("run", "steps")) == "base.yaml:3"
    assert source.place(("run", "model", "kind")) == "base.yaml:4"
    assert source.place(("run", "model", "layers", 0)) == "middle.yaml:4"
    assert source.place(("run", "model", "layers", 1)) == "middle.yaml:4"  # the base's second layer is gone
    assert source.place(("seeds",)) == "base.yaml:5"


def test_extends_replaces_arms_and_grid_whole_and_merges_the_claim(tmp_path: Path):
    base = "arms:\n  a: {x: 1}\n  b: {x: 2}\ngrid: {p: [1], q: [2]}\nclaim: {target: 1, parts: [1, 2]}\n"
    write(tmp_path, base, "base.yaml")
    source = read(tmp_path, "extends: base.yaml\narms: {a: {y: 3}}\ngrid: {p: [5]}\nclaim: {target: 2}\n")
    assert source.value == {
        "arms": {"a": {"y": 3}},
        "grid": {"p": [5]},
        "claim": {"target": 2, "parts": [1, 2]},
    }
    assert source.place(("arms", "a", "y")) == "x.yaml:2"
    assert source.place(("arms", "b")) == "x.yaml:2"
    assert source.place(("claim", "parts", 1)) == "base.yaml:5"


def test_fields_named_like_arms_deeper_down_are_merged(tmp_path: Path):
    write(tmp_path, "run: {arms: {a: 1}}\n", "base.yaml")
    assert read(tmp_path, "extends: base.yaml\nrun: {arms: {b: 2}}\n").value == {"run": {"arms": {"a": 1, "b": 2}}}


def test_extends_is_relative_to_the_file_that_says_it(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    write(tmp_path, "title: base\n", "base.yaml")
    write(tmp_path / "sub", "extends: ../base.yaml\n", "y.yaml")
    assert read(tmp_path, "extends: sub/y.yaml\n").value == {"title": "base"}


def test_extends_of_a_missing_file_is_the_fault_of_the_line_that_says_it(tmp_path: Path):
    path = write(tmp_path, "title: t\nextends: no.yaml\n")
    assert faults_of(path) == ["x.yaml:2: extends: no such file: no.yaml"]


def test_extends_must_be_a_path(tmp_path: Path):
    path = write(tmp_path, "title: t\nextends: [a.yaml]\n")
    assert faults_of(path) == ["x.yaml:2: extends: expected the path of a YAML file, got ['a.yaml']"]


def test_extends_in_a_circle_is_refused(tmp_path: Path):
    write(tmp_path, "title: t\nextends: x.yaml\n", "y.yaml")
    assert faults_of(write(tmp_path, "extends: y.yaml\n")) == ["y.yaml:2: extends: x.yaml extends this file in turn"]
    assert faults_of(write(tmp_path, "extends: z.yaml\n", "z.yaml")) == [
        "z.yaml:1: extends: z.yaml extends this file in turn"
    ]


def test_a_fault_in_the_base_names_the_base(tmp_path: Path):
    write(tmp_path, "title: t\nseeds: 010\n", "base.yaml")
    assert faults_of(write(tmp_path, "extends: base.yaml\n")) == [
        "base.yaml:2: seeds: YAML reads 010 as a number in octal; quote it"
    ]


def test_set_lays_mappings_over_and_replaces_the_rest(tmp_path: Path):
    source = read(tmp_path, "run:\n  model: {kind: mlp, layers: [1, 2]}\narms: {a: {x: 1}}\n")
    source.set(("run", "model"), {"layers": [3]}, "here")
    source.set(("arms",), {"b": {}}, "there")
    source.set(("run", "optimizer", "kind"), "adam", "elsewhere")
    assert source.value == {
        "run": {"model": {"kind": "mlp", "layers": [3]}, "optimizer": {"kind": "adam"}},
        "arms": {"b": {}},
    }
    assert source.place(("run", "model", "layers", 1)) == "here"
    assert source.place(("run", "model", "kind")) == "x.yaml:2"
    assert source.place(("arms", "a", "x")) == "there"
    assert source.place(("run", "optimizer")) == "elsewhere"


def test_set_through_a_plain_value_replaces_it_and_moves_its_place(tmp_path: Path):
    source = read(tmp_path, "title: t\n")
    source.set(("title", "x"), 1, "here")
    assert source.value == {"title": {"x": 1}}
    assert source.place(("title",)) == "here"


@pytest.mark.parametrize(
    ("text", "value"),
    [("500", 500), ("1e-3", "1e-3"), ("[1, 2]", [1, 2]), ("{a: no}", {"a": False}), ("", BLANK), ("a=b", "a=b")],
)
def test_an_override_is_read_as_yaml(text: str, value: object):
    assert parse_value(text, "--set f=…", "f") == value


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[", "--set: not valid YAML: '['"),
        ("\x00", "--set: not valid YAML: '\\x00'"),
        ("010", "--set: f: YAML reads 010 as a number in octal; quote it"),
        ("{a: 1, a: 2}", "--set: f.a: given twice; keep one"),
        ("&a [*a]", "--set: f.0: an alias of what it stands in has no end; write the value out"),
    ],
)
def test_an_override_has_the_same_traps(text: str, fault: str):
    with pytest.raises(ConfigError) as caught:
        parse_value(text, "--set", "f")
    assert caught.value.faults == [fault]
