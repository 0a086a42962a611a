"""The page in a real browser: its filters, its figures, and that it loads nothing and fails nowhere."""

import shutil

import pytest

from procsup_jax.report import page

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright to run the browser tests")
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "</script><script>window.pwned = 1</script><img src=x onerror='window.pwned = 1'> <<6*7=42>> &amp;"
VERDICTS = ("lucky", "wrong", "right", "unlabelled")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is absent: install the Debian package chromium")


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_report(browser, tmp_path, results, examples):
    """Return a function that opens the report; at the end nothing may have failed or been requested elsewhere."""
    contexts, complaints, requests = [], [], []

    def opened(examples=examples, width=1440, scheme="light"):
        path = tmp_path / "report.html"
        page.build_report(results, examples, path)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(path.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert set(requests) == {(tmp_path / "report.html").as_uri()}


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


def test_hostile_text_is_shown_and_never_run(open_report, examples):
    steps = [HOSTILE, "<b>bold</b>", "#### 1"]
    hostile = {**examples[0], "question": HOSTILE, "steps": steps, "labels": [1, 0, 0], "reason": [None, HOSTILE, None]}
    tab = open_report([{**hostile, "step_probs": {"orm": [0.5] * 3, "prm": None}}])
    assert tab.locator(".question").inner_text() == HOSTILE
    assert tab.locator(".step-text").all_text_contents() == steps
    assert HOSTILE in tab.locator(".first-error").inner_text()
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 768, 1440])
def test_nothing_sticks_out_and_text_is_legible(open_report, width, scheme):
    tab = open_report(width=width, scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for table in ("#table-1", "#table-3"):
        assert tab.locator(table).evaluate("node => node.scrollWidth <= node.parentElement.clientWidth + 1")
    smallest = tab.locator(".fig text").evaluate_all(
        """nodes => Math.min(...nodes.filter(n => n.checkVisibility()).map(
          n => parseFloat(getComputedStyle(n).fontSize) * n.getScreenCTM().a))"""
    )
    assert smallest >= 9
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    assert dark == (scheme == "dark")


def test_print_leaves_out_the_controls(open_report):
    tab = open_report()
    tab.emulate_media(media="print")
    assert not tab.locator(".contents").is_visible() and not tab.locator(".filters").is_visible()
    assert tab.locator("#table-1").is_visible() and tab.locator(".solution").first.is_visible()
