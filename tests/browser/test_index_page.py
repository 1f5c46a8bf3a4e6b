"""Does an experiment's own page read well, on a desk and on a phone, by day and by night?"""

from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard_server import summed_up
from windows import Window

from experiments.analysis.summary import summarize
from experiments.reporting.index_page import render_index
from experiments.reporting.pictures import draw, pictures

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = summed_up(tmp_path_factory.mktemp("page"), "x", {"no_bn": 0.7, "an_arm_of_a_rather_long_name" * 2: 0.9})
    table = study.table()
    path = study.folder / "index.html"
    summary = summarize(study.experiment, table)
    drawn = draw("x", pictures(study.experiment, table, summary, study.curves))
    path.write_text(render_index(study.experiment, study.folder, table, summary, drawn), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_width_without_complaints(
    open_window: Callable[..., Window], page_file: Path, width: int, scheme: str
) -> None:
    window = open_window(page_file, width, scheme=scheme)
    found = window.sound()
    assert (found["figures"], found["empty"]) == (2, 0)
    assert found["labels"] == [found["ink"]]
    assert window.serious() == []
