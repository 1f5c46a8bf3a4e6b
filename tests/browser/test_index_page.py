"""Does an experiment's own page read well, on a desk and on a phone, by day and by night?"""

from pathlib import Path

import pytest
from tensorboard_server import summed_up
from test_report_page import look, pytestmark  # noqa: F401  (the marks are for this file, too)

from experiments.reporting.index_page import render_index
from experiments.reporting.pictures import pictures


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    study = summed_up(tmp_path_factory.mktemp("page"), "x", {"no_bn": 0.7, "an_arm_of_a_rather_long_name" * 2: 0.9})
    table = study.table()
    return render_index(study.experiment, study.folder, table, pictures(study.experiment, table, study.curves))


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_width_without_complaints(page: str, width: int, scheme: str, tmp_path: Path) -> None:
    found, console = look(page, width, scheme, tmp_path)
    assert console == ""
    assert found["needed"] <= found["width"] == width
    assert (found["figures"], found["empty"], found["cut"]) == (2, 0, 0)
    assert found["page"] == ("rgb(18, 23, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    assert found["labels"] == [found["ink"]]
