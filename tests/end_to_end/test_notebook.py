"""Does the notebook run from top to bottom, in a folder of its own, and come to what it says?"""

from pathlib import Path

import pytest
from sweeping import HANGS, ROOT

from experiments.results import load

nbformat = pytest.importorskip("nbformat", reason="make test installs it")
nbclient = pytest.importorskip("nbclient", reason="make test installs it")


def test_the_notebook_runs_and_shows_tables_and_a_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the tests' own, which shows no figure in a notebook
    notebook = nbformat.read(ROOT / "notebooks/quickstart.ipynb", as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]  # no outputs of somebody's machine
    client = nbclient.NotebookClient(notebook, timeout=HANGS, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    assert "Sigmoids with and without" in printed
    assert "ReLUs with and without" in printed
    assert any("image/png" in output.get("data", {}) for output in outputs)
    ends = {
        name: load(tmp_path / "runs" / name).runs.query("seed < 100").groupby("arm")["final_test_accuracy"].median()
        for name in ("sigmoid", "relu")
    }
    assert ends["sigmoid"]["custom_bn"] > ends["sigmoid"]["no_bn"] + 0.02
    assert abs(ends["relu"]["custom_bn"] - ends["relu"]["no_bn"]) < 0.05
