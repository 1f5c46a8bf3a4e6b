"""What is printed arrives: as it was named, on a terminal of few characters, and with a reader who leaves early."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from experiments.analysis.results_table import results_table
from experiments.configuration.loading import load_experiment
from experiments.reporting import terminal
from experiments.reporting.summary_table import print_summary

ROOT = Path(__file__).parent.parent.parent
NAMES = ["see [/notes] first", "Round 2 [draft]", "[red]stop[/]", ":warning: [bold"]
DRY_RUN = ("scripts/run.py", "configs/quickstart.yaml", "--dry-run")


def command(*words: object, encoding: str = "utf-8", stdout: int = subprocess.PIPE) -> tuple[int, str, str]:
    """Exit status, output and errors of a Python command whose output has an encoding."""
    surroundings = os.environ | {"PYTHONIOENCODING": encoding}
    arguments = [sys.executable, *map(str, words)]
    done = subprocess.run(arguments, stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT, env=surroundings, check=False)
    return done.returncode, (done.stdout or b"").decode(encoding), done.stderr.decode(encoding)


def experiment_file(folder: Path, title: str, arm: str = "bn") -> Path:
    path = folder / "x.yaml"
    path.write_text(json.dumps({"title": title, "arms": {arm: {}}}), encoding="utf-8")  # JSON is YAML
    return path


def recording() -> tuple[Console, io.StringIO]:
    console, text = terminal.open_console(), io.StringIO()
    console.file = text
    return console, text


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(name: str) -> None:
    console, text = recording()
    table = Table(name, title=name)
    table.add_row(name)
    console.print(name)
    console.print(table)
    assert text.getvalue().count(name) == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_summary_prints_title_and_arms_as_they_are(name: str, tmp_path: Path) -> None:
    arm = name.replace("/", "").replace(":", "")  # which an arm's name, a folder's, may not hold
    console, text = recording()
    print_summary(console, load_experiment(experiment_file(tmp_path, name, arm)), results_table([]))
    title, _, table = text.getvalue().partition("\n")
    assert title.strip() == name
    assert arm in table


def test_a_plan_prints_the_title_as_it_is(tmp_path: Path) -> None:
    status, printed, errors = command("scripts/run.py", experiment_file(tmp_path, NAMES[0]), "--dry-run")
    assert (status, errors) == (0, "")
    assert printed.startswith("x: see [/notes] first\n")


def test_a_paragraph_breaks_between_words_and_nowhere_else() -> None:
    console, text = recording()
    console.width = 20
    terminal.print_paragraph(
        console, "at most twenty wide, P\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1 [/x] /a/path/longer-than-that", indent=2
    )
    assert text.getvalue() == "  at most twenty\n  wide, P = 1 [/x]\n  /a/path/longer-than-that\n"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "x refuted: -0.2x, >= inf: ?"),
        ("latin-1", "x refuted: -0.2×, >= inf: ?"),
        ("utf-8", "✗ refuted: −0.2×, ≥ ∞: 漢"),
    ],
)
def test_a_character_that_the_terminal_lacks_is_replaced(encoding: str, expected: str, tmp_path: Path) -> None:
    title = "✗ refuted: −0.2×, ≥ ∞: 漢"
    status, printed, errors = command(
        "scripts/run.py", experiment_file(tmp_path, title), "--dry-run", encoding=encoding
    )
    assert (status, errors) == (0, "")
    assert printed.startswith(f"x: {expected}\n")


@pytest.mark.parametrize("words", [DRY_RUN, ("scripts/run.py", "--schema"), ("scripts/run.py", "--help")])
def test_a_reader_who_left_is_no_error(words: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    status, _, errors = command(*words, stdout=writing)
    os.close(writing)
    assert (status, errors) == (1, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_who_left_is_found_gone_at_once_or_at_the_end(
    unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    os.close(reading)
    code = "from experiments.reporting import terminal; terminal.run(lambda: print('too late'))"
    status, _, errors = command("-c", code, stdout=writing)
    os.close(writing)
    assert (status, errors) == (1, "")
