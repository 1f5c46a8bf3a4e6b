import re

import pytest

from experiments.reporting.pages import first_look, replace_between_markers, verdict_page
from tests.reporting.invented import points, ratio, several, untested


def test_the_tiers_stand_side_by_side_and_a_claim_that_one_lacks_is_not_run():
    page = verdict_page({"mnist": [ratio(2)], "embedded": [ratio(1), points(1)]})
    assert "| claim | statement | source says | MNIST | 8×8 digits |" in page
    assert "| [faster](#faster) | s | 3 times | ✓ supported | ≈ no material difference |" in page
    assert "| [better](#better) | s | – | not run | ✓ supported |" in page
    assert page.count('<a id="faster"></a>') == 1


def test_every_row_stands_with_its_moderators_and_its_effect():
    page = verdict_page({"mnist": [several(), untested()]}).replace("seconds per step: ", "")
    assert "| relu | ✓ supported | 2.0× \\[1.91, 2.1] | 0.8 … 1.25× | 1.00 | 2.0 |" in page
    assert "**MNIST: ◐ depends on net**" in page
    assert "runs of bn are missing" in page


def test_no_text_ends_a_cell_or_starts_a_tag():
    hostile = ratio(2, where={"net": "a|b <img> `c`\nd"})
    table = [line for line in verdict_page({"mnist": [hostile]}).splitlines() if "img" in line]
    assert len(table) == 1
    assert "a\\|b \\<img\\> \\`c\\` d" in table[0]


def test_readme_shows_three_figures_before_any_words():
    text = first_look("mnist", [ratio(2)], "docs/results/mnist")
    assert re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text) == [
        f"docs/results/mnist/{name}.svg" for name in ("steps_by_rate", "steps_by_accuracy", "accuracy_by_rate")
    ]


def test_markers_stand_once_and_in_order():
    text = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb"
    assert replace_between_markers(text, "x", "new\n") == "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb"
    for broken in ("", "<!-- x:end --><!-- x:begin -->", text * 2):
        with pytest.raises(ValueError, match="<!-- x:"):
            replace_between_markers(broken, "x", "new")
