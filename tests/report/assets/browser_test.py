"""The browser of solutions in a real browser: its filters, scores and empty states."""

import pytest

HOSTILE = "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'> <<6*7=42>> &amp;"
VERDICTS = ("lucky", "wrong", "right", "unlabelled")


def verdict(example):
    if not example["correct"]:
        return "wrong"
    return {None: "unlabelled", True: "right", False: "lucky"}[example["trace_correct"]]


def total(tab):
    return int(tab.locator("#count").inner_text().split()[0])


def all_uids(tab):
    uids = tab.locator(".uid").all_inner_texts()
    while tab.locator("#page-next").is_enabled():
        tab.locator("#page-next").click()
        uids += tab.locator(".uid").all_inner_texts()
    return uids


def test_verdict_counts_equal_the_data_and_filter_to_it(open_report, examples):
    tab = open_report()
    assert total(tab) == len(examples)
    for name in VERDICTS:
        wanted = [e["problem_uid"] for e in examples if verdict(e) == name]
        assert int(tab.locator(f".tally[data-verdict={name}]").inner_text()) == len(wanted) > 0
        tab.locator(f"input[name=verdict][value={name}]").check()
        assert total(tab) == len(wanted)
        assert all_uids(tab) == wanted
        assert set(tab.locator(".solution .verdict").evaluate_all("nodes => nodes.map(n => n.className)")) == {
            f"verdict {name}"
        }


def test_filters_combine_and_tallies_follow(open_report, examples):
    tab = open_report()
    tab.locator("#filter-model").select_option("sft")
    tab.locator("#filter-decoding").select_option("prm_weighted")
    chosen = [e for e in examples if e["model"] == "sft" and e["decoding"] == "prm_weighted"]
    assert total(tab) == len(chosen) > 0
    for name in VERDICTS:
        assert int(tab.locator(f".tally[data-verdict={name}]").inner_text()) == sum(verdict(e) == name for e in chosen)
    tab.locator("#filter-set").select_option("ood")
    assert total(tab) == sum(e["set"] == "ood" for e in chosen)
    tab.locator("#filter-set").select_option("")
    tab.locator("#filter-text").fill("APPLES worlds/test/00001")
    assert all_uids(tab) == ["worlds/test/00001"]
    tab.locator("#filter-text").fill("no such words")
    assert total(tab) == 0 and "No solution matches" in tab.locator("#solutions").inner_text()


def test_a_solution_of_several_decodings_is_one_card_that_each_of_their_filters_finds(open_report, examples):
    tab = open_report([examples[0], {**examples[0], "decoding": "prm_weighted"}, examples[1]])
    assert total(tab) == 2
    where = "SFT · majority, PRM-weighted · out-of-distribution"
    assert tab.locator(".where").first.inner_text() == where
    options = tab.locator("#filter-decoding option").all_inner_texts()
    assert options == ["all decodings (2)", "majority (1)", "PRM-weighted (2)"]
    tab.locator("#filter-decoding").select_option("majority")
    assert tab.locator(".where").all_inner_texts() == [where]


def test_paging_shows_each_solution_once_in_order(open_report, examples):
    tab = open_report()
    assert tab.locator("#page-back").is_disabled()
    assert all_uids(tab) == [e["problem_uid"] for e in examples]
    assert tab.locator("#page-now").inner_text() == f"57–{len(examples)} of {len(examples)}"
    tab.locator("#page-back").click()
    assert tab.locator(".uid").first.inner_text() == examples[48]["problem_uid"]


def test_a_card_shows_steps_scores_labels_and_the_first_error(open_report, examples):
    tab = open_report()
    example = examples[1]
    card = tab.locator(".solution").nth(1)
    assert card.locator(".step").count() == len(example["steps"])
    assert card.locator(".score.chosen").all_inner_texts() == [f"{p:.2f}" for p in example["step_probs"]["prm"]]
    assert card.locator(".glyph").all_inner_texts() == ["✓" if label else "✗" for label in example["labels"]]
    assert card.locator(".step").nth(1).get_attribute("class") == "step first"
    assert card.locator(".first-error").all_inner_texts() == [f"first error {example['reason'][1]}"]
    assert card.locator(".question").inner_text() == example["question"]


def test_the_chosen_reward_model_colours_the_steps(open_report, examples):
    tab = open_report()
    before = tab.locator(".step").first.evaluate("node => getComputedStyle(node).backgroundColor")
    tab.locator("input[name=score][value=orm]").check()
    assert tab.locator(".solution").first.locator(".score.chosen").all_inner_texts() == [
        f"{p:.2f}" for p in examples[0]["step_probs"]["orm"]
    ]
    after = tab.locator(".step").first.evaluate("node => getComputedStyle(node).backgroundColor")
    assert before != after
    tones = tab.locator(".step").evaluate_all(
        "nodes => nodes.map(n => [n.querySelector('.chosen').textContent, n.style.getPropertyValue('--tone')])"
    )
    assert {tone for shown, tone in tones if float(shown) < 0.49} == {"var(--bad)"}
    assert {tone for shown, tone in tones if float(shown) > 0.51} == {"var(--good)"}


def test_solutions_without_scores_or_labels_are_shown(open_report, examples):
    bare = {**examples[0], "step_probs": {}, "labels": None, "trace_correct": None, "reason": None}
    tab = open_report([bare])
    assert tab.locator(".glyph").all_inner_texts() == ["·"] * len(bare["steps"])
    assert tab.locator(".score").count() == 0 and not tab.locator("#score-choice").is_visible()
    assert not tab.locator("#scale").is_visible() and not tab.locator(".unscored").count()
    said = tab.locator("#read .lead").inner_text()
    assert "No reward model scored them" in said and "not labelled" in said


def test_no_solution_at_all_is_said(open_report):
    tab = open_report([])
    assert "kept no solutions" in tab.locator("#read").inner_text() and tab.locator("#browser").count() == 0


@pytest.mark.parametrize(
    ("judges", "first"),
    [
        (["orm"], "orm"),
        (["prm"], "prm"),
        (["qwen-7b"], "qwen-7b"),
        (["constructor", "a_long_name_of_a_reward_model", "c", "d"], "a_long_name_of_a_reward_model"),
    ],
)
def test_it_opens_on_a_score_that_exists(open_report, examples, judges, first):
    """The last judge did not score the first solutions; the one it opens on did."""
    made = [
        {**e, "step_probs": {judge: e["step_probs"]["orm"] for judge in judges if i > 7 or judge == first}}
        for i, e in enumerate(examples)
    ]
    tab = open_report(made)
    assert tab.locator("input[name=score]:checked").get_attribute("value") == first
    assert tab.locator("input[name=score]").count() == len(judges)
    probs = [f"{p:.2f}" for e in examples[:8] for p in e["step_probs"]["orm"]]
    assert tab.locator(".score.chosen").all_inner_texts() == probs
    assert tab.locator(".step").first.evaluate("node => node.style.getPropertyValue('--tone')") != ""
    tab.locator("#page-next").click()
    assert tab.locator(".solution").first.locator(".column").count() == min(3, len(judges))
    assert tab.locator(".solution").first.locator(".column.chosen").count() == 1


def test_a_solution_that_the_chosen_judge_did_not_score_says_so(open_report, examples):
    made = [{**e, "step_probs": {"orm": e["step_probs"]["orm"]}} for e in examples[:3]] + examples[3:4]
    tab = open_report(made)
    assert tab.locator("input[name=score]:checked").get_attribute("value") == "orm"
    assert tab.locator(".unscored").count() == 0
    tab.locator("input[name=score][value=prm]").check()
    assert tab.locator(".unscored").all_inner_texts() == ["not scored by PRM"] * 3
    assert tab.locator(".solution").nth(0).locator(".score.chosen").count() == 0
    assert tab.locator(".solution").nth(3).locator(".score.chosen").count() == len(examples[3]["steps"])


def test_a_search_without_matches_says_so_and_leads_back(open_report, examples):
    tab = open_report()
    tab.locator("input[name=verdict][value=wrong]").check()
    tab.locator("#filter-text").fill("no such words")
    assert total(tab) == 0 and not tab.locator("#pager").is_visible()
    tab.locator("#solutions button").click()
    assert total(tab) == len(examples) and tab.locator("#pager").is_visible()
    assert tab.locator("#filter-text").input_value() == ""
    assert tab.locator("input[name=verdict]:checked").get_attribute("value") == ""


def test_hostile_text_is_shown_and_never_run(open_report, examples):
    steps = [HOSTILE, "<b>bold</b>", "#### 1"]
    hostile = {**examples[0], "question": HOSTILE, "steps": steps, "labels": [1, 0, 0], "reason": [None, HOSTILE, None]}
    tab = open_report([{**hostile, "step_probs": {HOSTILE: [0.5] * 3, "prm": None}}])
    assert tab.locator(".question").inner_text() == HOSTILE
    assert tab.locator(".step-text").all_text_contents() == steps
    assert HOSTILE in tab.locator(".first-error").inner_text()
    assert tab.locator(".score-heads .chosen").get_attribute("title") == HOSTILE
    assert tab.evaluate("window.pwned") is None and tab.locator("#solutions img, #solutions b.bold").count() == 0


def test_calculator_annotations_are_set_apart(open_report):
    tab = open_report()
    assert tab.locator(".solution").first.locator(".calc").all_inner_texts()[0].count("=") == 1


def test_the_keyboard_reaches_search_filters_and_rows(open_report, examples):
    tab = open_report()
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "filter-text"
    tab.locator("input[name=verdict][value='']").focus()
    tab.keyboard.press("ArrowRight")
    assert total(tab) == sum(verdict(e) == "lucky" for e in examples)
    tab.locator("tr[data-row=K] .key").focus()
    lit = tab.locator("#errors .mark.on").evaluate_all("nodes => nodes.map(n => n.dataset.row)")
    assert set(lit) == {"K"} and tab.locator("#errors .mark:not(.on)").count() > 10
