"""The shape of the code: which way imports point, what never loads TensorFlow, how long a module or test may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("custom_layers", "models", "experiments", "scripts")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MOST_LINES = 300
HEAVY = ("tensorflow", "keras", "tensorflow_datasets", "sklearn")
# Each wing of experiments and the wings it may know. What stands beside them, such as `conduct`, may know all.
WINGS = {
    "configuration": set(),
    "records": {"configuration"},
    "training": {"configuration", "records"},
    "analysis": {"configuration", "records"},
    "sweeping": {"configuration", "records", "training"},
    "reporting": {"configuration", "records", "analysis"},
    "benchmarks": {"configuration", "records", "training"},
}
# All other wings read, plan or show: they never load TensorFlow.
HEAVY_WINGS = ("training", "benchmarks")


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def wing_of(module: str) -> str:
    """The wing of a module of experiments; "" for what stands beside the wings and for all else."""
    parts = module.split(".")
    return parts[1] if parts[0] == "experiments" and len(parts) > 1 and parts[1] in WINGS else ""


def imports_of(path: Path, top_level_only: bool = False) -> set[str]:
    """Dotted names of our own modules and of packages that a file imports, those for type checking left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    checked = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(inner) for outer in checked for statement in outer.body for inner in ast.walk(statement)}
    found = set()
    for node in tree.body if top_level_only else ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in whole if (ROOT / (name.replace(".", "/") + ".py")).exists()} or {node.module}
    return found


def test_the_modules_are_found():
    names = set(map(name_of, MODULES))
    assert {"custom_layers", "custom_layers.batch_normalization", "models.blocks"} <= names
    assert {"experiments.training", "experiments.training.program", "experiments.conduct"} <= names
    sweep = ROOT / "experiments/sweeping/sweep.py"
    own = {"experiments.records.storage", "experiments.sweeping.planning", "experiments.sweeping.worker"}
    assert imports_of(sweep) >= own
    assert "experiments.sweeping.worker" not in imports_of(sweep, top_level_only=True)


def test_every_folder_of_experiments_is_a_wing():
    folders = {path.name for path in (ROOT / "experiments").iterdir() if (path / "__init__.py").exists()}
    assert folders == WINGS.keys()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_one_way(path: Path):
    allowed = PACKAGES[: PACKAGES.index(name_of(path).partition(".")[0]) + 1]
    for imported in imports_of(path):
        package = imported.partition(".")[0]
        if package in PACKAGES:
            assert package in allowed, f"{name_of(path)} imports {imported}"
            assert package != "scripts", f"{name_of(path)} imports {imported}"


def test_no_module_imports_itself_in_a_circle():
    graph = {
        name_of(path): {i for i in imports_of(path) if i.partition(".")[0] in PACKAGES} - {name_of(path)}
        for path in MODULES
    }

    def reach(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, " → ".join((*seen, name))
        for other in graph.get(name, set()):
            reach(other, (*seen, name))

    for name in graph:
        reach(name, ())


@pytest.mark.parametrize("path", [path for path in MODULES if wing_of(name_of(path))], ids=name_of)
def test_wings_know_only_the_wings_below_them(path: Path):
    own = wing_of(name_of(path))
    for imported in imports_of(path):
        if imported.startswith("experiments."):
            assert wing_of(imported) in WINGS[own] | {own}, f"{name_of(path)} imports {imported}"


PURE = [*sorted((ROOT / "experiments/analysis").glob("*.py")), ROOT / "experiments/reporting/wording.py"]


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_measures_statistics_and_verdicts_read_no_files(path: Path):
    assert imports_of(path).isdisjoint({"pathlib", "os", "io", "shutil"})
    calls = [n.func for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    assert "open" not in {call.id for call in calls if isinstance(call, ast.Name)}
    assert {"read_parquet", "to_parquet"}.isdisjoint(call.attr for call in calls if isinstance(call, ast.Attribute))


def loaded_by(statements: str) -> set[str]:
    code = f"{statements}\nimport sys\nprint(*{HEAVY!r} & sys.modules.keys())"
    code = code.replace(f"*{HEAVY!r}", f"*set({HEAVY!r})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.split())


def test_everything_but_training_loads_without_tensorflow():
    light = [name_of(p) for p in MODULES if p.is_relative_to(ROOT / "experiments")]
    light = [name for name in light if wing_of(name) not in HEAVY_WINGS]
    assert {"experiments.conduct", "experiments.reporting.report", "experiments.sweeping.worker"} <= set(light)
    assert loaded_by(f"import {', '.join([*light, 'models.config'])}") == set()


def test_the_check_above_sees_what_is_loaded():
    assert loaded_by("import sklearn") == {"sklearn"}


@pytest.mark.parametrize("path", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.name)
def test_scripts_load_without_tensorflow(path: Path):
    assert loaded_by(f"import runpy; runpy.run_path({str(path)!r}, run_name='imported')") == set()


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=name_of)
def test_no_module_is_too_long_to_read(path: Path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES, f"{name_of(path)} has {lines} lines; what are its two responsibilities?"


@pytest.mark.parametrize("path", [path for path in MODULES if path.stem != "__init__"], ids=name_of)
def test_the_guide_to_the_house_names_every_module_in_the_row_of_its_folder(path: Path):
    guide = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    folder = path.parent.relative_to(ROOT).as_posix()
    row = next(line for line in guide.splitlines() if line.startswith(f"| `{folder}` |"))
    assert f"`{path.stem}`" in row


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_opens_with_a_docstring(path: Path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
