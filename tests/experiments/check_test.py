"""What the READMEs say of the findings is what the committed files give."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FINDINGS = ROOT / "experiments/findings"


@pytest.fixture
def check(experiment_module):
    return experiment_module("findings", "check")


def test_every_figure_of_the_findings_is_that_of_the_committed_files(check):
    assert list(check.of_the_findings((FINDINGS / "README.md").read_text())) == []


def test_every_figure_of_the_main_readme_is_too(check):
    text = (ROOT / "README.md").read_text()
    assert list(check.of_the_main(text)) == []
    found = list(check.of_the_main(text.replace("-1.3 [-1.8, -0.9] | -6.9", "-2.3 [-2.8, -1.9] | -6.9")))
    assert any("does not say: | F3: few-shot + ORM-RL" in each and "-1.3 [-1.8, -0.9]" in each for each in found)
    assert any("no claim has, -2.3" in each for each in found)


def test_a_figure_is_covered_by_a_claim_or_named(check):
    text = "Of SFT 7.6 % [1.0, 2.0] at T = 1 (95 % intervals, arXiv 2501.07301, `lr=0.5`), 7 of 8."
    assert list(check.differences("a page", text, ["Of SFT 7.6 % [1.0, 2.0]"])) == []
    missing, *uncovered = check.differences("a page", text, ["Of SFT 7.5 %"])
    assert missing == "a page does not say: Of SFT 7.5 %"
    assert [each.split(": ")[0] for each in uncovered] == [
        "a page has a figure that no claim has, 7.6",
        "a page has a figure that no claim has, [1.0, 2.0]",
    ]
