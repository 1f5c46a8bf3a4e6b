import io

from rich.console import Console

from experiments.reporting.printed_verdicts import print_verdicts
from tests.reporting.invented import points, ratio, several, untested


def printed(*claims: object, width: int = 80) -> str:
    text = io.StringIO()
    print_verdicts(Console(file=text, width=width), claims)  # type: ignore[arg-type]
    return text.getvalue()


def test_a_claim_is_printed_with_its_verdict_its_statement_and_its_effect():
    assert printed(ratio(2)).splitlines()[:3] == [
        "✓ supported  faster",
        "  s",
        "    ✓ seconds per step: 2.0× [1.91, 2.1]",
    ]


def test_rows_are_printed_by_their_moderators_and_what_the_claim_depends_on():
    text = printed(several())
    assert text.startswith("◐ depends on net  by_net\n")
    assert "    ✓ relu: 2.0× [1.91, 2.1]\n    ≈ cnn: 1.00× [0.95, 1.05]\n" in text


def test_what_is_not_tested_says_why():
    assert "runs of bn are missing" in printed(untested())


def test_no_line_is_longer_than_the_screen():
    for width in (40, 80):
        assert max(map(len, printed(ratio(2), points(1), several(), untested(), width=width).splitlines())) <= width
