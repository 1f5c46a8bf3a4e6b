import re

from experiments.analysis.statistics import AACheck
from experiments.reporting.report import Evidence, render_report, settings_words
from tests.judging import experiment
from tests.reporting.invented import points, ratio, several, untested

CLAIMS = [ratio(2), ratio(1, "same"), points(-1), several(), untested()]


def page(**changes: object) -> str:
    settings = {"tier": "mnist", "provenance": {"python": "3.12"}, "aa_check": AACheck(0.004, 0.9, 1000, 0.96, 1000)}
    return render_report(CLAIMS, {"faster": Evidence(experiment(rates=(0.1, 1.0)))}, **(settings | changes))


def test_every_claim_has_its_verdict_its_rows_and_its_sources():
    text = page()
    for result in CLAIMS:
        assert f'<section class="claim" id="{result.id}">' in text
    assert "✓ supported" in text
    assert "◐ depends on net" in text
    assert "3 times" in text
    assert "runs of bn are missing" in text


def test_a_reversed_claim_is_set_against_its_source():
    assert "This goes against the statement as made by s." in page()


def test_the_check_on_itself_stands_with_its_bounds():
    text = page()
    assert "<strong>0.4 %</strong> came out ✓ or ⇄ (at most 1 % may), 90.0 % ≈." in text
    assert "<strong>96.0 %</strong> of 1,000 draws" in text
    assert "Not run for this report." in page(aa_check=None)


def test_all_is_in_the_page_itself():
    text = page()
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]+', text)


def test_settings_are_told_in_words():
    words = dict(settings_words(experiment(rates=(0.1, 1.0))))
    assert words["evaluation seeds"] == "0–19"
    assert words["optimizer.learning_rate"] == "0.1, 1"
    assert words["tuning"] == "optimizer.learning_rate of each arm, on seeds 100–104"
