"""README's first look, the page of verdicts, and the markers between which the first stands."""

from __future__ import annotations

import re

import pytest
from claim_results import HOSTILE, RESULTS, STEPS, around, claim, row

from experiments.reporting.pages import first_look, replace_between_markers, verdict_page, verdict_table_markdown


def test_a_line_a_claim_shows_the_tiers_side_by_side_and_where_they_differ() -> None:
    embedded = [claim("faster", "supported", row([2.0] * 20)), claim("better", "unresolved", row([2.0] * 20))]
    lines = verdict_table_markdown({"mnist": RESULTS[:2], "embedded": embedded}).splitlines()
    assert lines[0] == ("MNIST: By claim: 1 ✓ supported, 1 ⇄ reversed; resting on 1 distinct set of trainings.  ")
    assert lines[2] == (
        "Of 2 claims judged on both, 1 come to the same verdict; of 1 rows decided on both, 1 do, "
        "and the other 0 belong to 0 claims.  "
    )
    assert lines[4] == "| claim | statement | the source says | MNIST | 8×8 digits | differs |"
    assert lines[6] == (
        "| [faster](#faster) | BN helps | 31 M → 2.1 M steps (14×) | ✓ supported<br>2.3× [2.1, 2.5] "
        "| ✓ supported<br>2.0× |  |"
    )
    assert "| ? unresolved<br>2.0× | ⇄ on MNIST, ? on 8×8 digits<br>" in lines[7]


def test_where_tiers_differ_the_rows_stand_that_tell_them_apart() -> None:
    up, down, level = row([2.0] * 20, held={"net": "relu"}), row([0.5] * 20, held={"net": "relu"}), {"level": 90.0}
    same = row([2.0] * 20, held={"net": "cnn"} | level), row([2.0] * 20, held={"net": "cnn"} | {"level": 95.0})
    tiers = {"mnist": [claim("x", "supported", up, same[0])], "embedded": [claim("x", "depends", down, same[1])]}
    words = verdict_table_markdown(tiers).splitlines()[6].split(" | ")[-1].removesuffix(" |").split("<br>")
    assert words == ["✓ on MNIST, ◐ on 8×8 digits", "of 2 decided on both, 1 the same", "relu: ✓, ⇄"]


def test_a_claim_of_one_tier_alone_is_not_run_in_the_other() -> None:
    lines = verdict_table_markdown({"mnist": RESULTS[:1], "embedded": RESULTS[1:2]}).splitlines()
    assert lines[6].endswith("| not run |  |")
    assert "| not run | ⇄ reversed<br>" in lines[7]
    assert verdict_table_markdown({"mnist": RESULTS[:1]}).splitlines()[2].endswith("| the source says | MNIST |")
    assert verdict_table_markdown({"mnist": []}) == "No claim has been evaluated yet."


def test_every_row_of_a_claim_stands_in_its_section() -> None:
    page = verdict_page({"mnist": RESULTS[:1]}, "Written by a script.")
    assert page.startswith("# Verdicts\n\nWritten by a script.\n\nMNIST: By claim")
    section = page[page.index("\n## faster") :].splitlines()
    assert "* The source says: 31 M → 2.1 M steps (14×)" in section
    assert "**MNIST: ✓ supported**: as the rows say" in section
    assert section[-1] == (
        "| steps to level |  | 2.3× [2.1, 2.5] | 300 steps at 0.3 | 130 steps at 1 | 0.8 … 1.25× | ✓ supported "
        "| more than 1.25× in 20 of 20 seeds; smaller than the source says (14×) |"
    )


def test_rows_beside_the_verdict_say_so_and_notes_stand_once() -> None:
    of = {"note": "only custom_bn trains at: 3, 10"}
    rows = [row(around(2.0), held={"net": "relu"}, of=of), row(around(2.0), STEPS, role="beside", of=of)]
    page = verdict_page({"mnist": [claim("x", "supported", *rows)]})
    assert page.count("only custom_bn trains at: 3, 10") == 1
    assert "| steps to level | relu | 2.0×" in page
    assert "| steps to level (beside) |" in page


def test_every_link_of_the_table_leads_to_a_section() -> None:
    page = verdict_page({"mnist": RESULTS})
    links = re.findall(r"\]\(#(\w+)\)", page)
    assert links == re.findall(r"^## (\w+)$", page, re.MULTILINE) == [result.id for result in RESULTS]


def test_hostile_words_cannot_break_the_markdown_table() -> None:
    hostile = claim("x", "reversed", row([0.5] * 20, name=HOSTILE), statement=HOSTILE, source_says=HOSTILE)
    table = verdict_table_markdown({"mnist": [hostile]}).splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", table)) == 5
    last = verdict_page({"mnist": [hostile]}).splitlines()[-1]
    assert len(re.findall(r"(?<!\\)\|", last)) == 9
    for line in (table, last):
        assert re.search(r"(?<!\\)<(?!br>)", line) is None
        assert "](javascript" not in line


def test_readme_shows_one_picture_and_then_what_can_be_quoted() -> None:
    judged = [claim("faster_when_tuned", "supported", row([2.0] * 20, held={"net": "relu", "level": 0.9}))]
    look = first_look("mnist", judged, "docs/results")
    assert re.findall(r"/(\w+/\w+)\.svg\)", look["picture"]) == [
        *(f"mnist/{name}" for name in ("at_a_glance", "steps_by_rate", "steps_by_accuracy", "accuracy_by_rate")),
        "embedded/at_a_glance",
    ]
    (line,) = look["verdicts"].splitlines()
    assert line.startswith("* On MNIST, with the best learning rate for each")


def test_how_far_a_verdict_holds_stands_in_readme_and_in_its_section() -> None:
    judged = [claim("faster", "supported", row([2.0] * 20), statement="BN is faster.")]
    words = {"faster": ["mostly: ✓ in 7 of 9 settings as good", "variance of the effect: net 60 %"]}
    look = first_look("mnist", judged, "docs/results", {"mnist": words})["verdicts"]
    assert look.endswith(
        "* *“BN is faster.”* ✓ supported; over those settings mostly: ✓ in 7 of 9 settings as good "
        "([all of them](docs/results/mnist/multiverse/faster.svg))."
    )
    other = first_look("mnist", judged, "docs/results", {"mnist": {}, "embedded": words})
    assert "On 8×8 digits, with other nets" in other["verdicts"]
    assert verdict_page({"mnist": judged}, settings={"mnist": words}).endswith(
        "With other settings ([all of them](results/mnist/multiverse/faster.svg)): "
        "mostly: ✓ in 7 of 9 settings as good\n"
        "* variance of the effect: net 60 %\n"
    )


def test_a_block_between_markers_is_replaced_and_then_stays() -> None:
    text = "before\n<!-- verdicts:begin -->\nold\n<!-- verdicts:end -->\nafter\n"
    once = replace_between_markers(text, "verdicts", "new\n")
    assert once == "before\n<!-- verdicts:begin -->\nnew\n<!-- verdicts:end -->\nafter\n"
    assert replace_between_markers(once, "verdicts", "new") == once


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nothing", "verdicts:begin -->: expected exactly once, found 0 times"),
        ("<!-- v:begin -->", "verdicts:begin -->: expected exactly once, found 0 times"),
        ("<!-- verdicts:begin -->" * 2, "begin -->: expected exactly once, found 2 times"),
        ("<!-- verdicts:begin -->", "verdicts:end -->: expected exactly once, found 0 times"),
        ("<!-- verdicts:end --><!-- verdicts:begin -->", "end -->: expected after .* found before it"),
    ],
)
def test_missing_doubled_and_swapped_markers_are_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        replace_between_markers(text, "verdicts", "new")
