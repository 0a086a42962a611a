import base64
import copy
import hashlib
import html.parser
import json
import re

import pytest

from procsup_jax.errors import UserError
from procsup_jax.evals.evaluate import evaluate
from procsup_jax.report import page
from procsup_jax.types import Problem, Sample, Score, StepLabels

VOID = {"wbr", "col", "meta", "input", "br", "hr", "link", "img", "source"}
HOSTILE = "</script><script>document.title='pwned'</script><img src=x onerror=alert(1)>&amp;\u2028\ud800"


class Reader(html.parser.HTMLParser):
    """Collect what structure tests ask for, and complain where a tag closes what is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.ids, self.refs, self.loads, self.text = [], [], [], [], [], []
        self.scripts = 0

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        self.scripts += tag == "script"
        if tag not in VOID:
            self.open.append(tag)
        if "id" in named:
            self.ids.append(named["id"])
        self.refs += (named.get("aria-labelledby") or "").split()
        self.refs += [named["href"][1:]] if (named.get("href") or "").startswith("#") else []
        self.loads += [
            v for k, v in attrs if k in ("src", "href", "action", "data", "poster") and not v.startswith("#")
        ]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader


def shown(path):
    return " ".join(" ".join(read(path).text).split())


@pytest.fixture
def report(tmp_path, results, examples):
    page.build_report(results, examples, tmp_path / "report.html")
    return tmp_path / "report.html"


def test_html_is_balanced_with_unique_ids_whose_references_exist(report):
    reader = read(report)
    assert reader.problems == [] and reader.open == []
    assert len(set(reader.ids)) == len(reader.ids)
    assert reader.refs and set(reader.refs) <= set(reader.ids)


def test_nothing_is_loaded_from_elsewhere(report):
    text = report.read_text(encoding="utf-8")
    assert read(report).loads == []
    assert not re.search(r"@import|url\(|\bimport\(|fetch\(|XMLHttpRequest", text)
    assert set(re.findall(r"https?://[^\"'\s<]*", text)) == {"http://www.w3.org/2000/svg"}  # a namespace, never loaded
    assert "default-src 'none'" in text


def test_only_the_page_s_own_script_may_run(report):
    text = report.read_text(encoding="utf-8")
    script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_bytes_are_a_function_of_the_input(tmp_path, results, examples):
    for name in ("a", "b"):
        page.build_report(copy.deepcopy(results), copy.deepcopy(examples), tmp_path / name / "report.html")
    written = [sorted(p.relative_to(tmp_path / n) for p in (tmp_path / n).rglob("*.*")) for n in ("a", "b")]
    assert written[0] == written[1] and len(written[0]) > 8
    for name in written[0]:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_figures_are_whole_svg_files_beside_the_report(report):
    import xml.etree.ElementTree as ElementTree

    names = {path.stem for path in (report.parent / "figures").glob("*.svg")}
    assert {"errors", "errors-paper", "agreement-sft-test-all-steps", "selective-sft", "learning-sft-orm-rl"} <= names
    for path in (report.parent / "figures").glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox")


def test_tables_hold_this_run_s_figures_and_the_paper_s(report, results):
    text = shown(report)
    sft = results["models"]["sft"]["test"]["decoding"]["prm_weighted"]
    lo, hi = sft["intervals"]["trace_error"]
    row = text[text.index("SFT PRM-weighted") :][:160]
    assert f"{100 * sft['trace_error']:.1f} {100 * lo:.1f}–{100 * hi:.1f} paper 3.5 (0.5–6.5)" in row
    assert f"{100 * sft['final_answer_error']:.1f}" in row and "paper 14.1" in row and "paper 67.7" in row


def test_a_run_of_one_model_says_what_was_not_run(tmp_path, results):
    few = {
        "name": "small",
        "models": {"sft": {"test": {"decoding": {"greedy": results["models"]["sft"]["test"]["decoding"]["greedy"]}}}},
    }
    page.build_report(few, [], tmp_path / "report.html")
    reader, text = read(tmp_path / "report.html"), shown(tmp_path / "report.html")
    assert reader.problems == [] and set(reader.refs) <= set(reader.ids)
    assert text.count("not run") > 12 and "Not measured in this run" in text
    assert "kept no solutions" in text and "browser" not in reader.ids and "learning" not in reader.ids


def test_no_model_at_all_still_gives_a_page(tmp_path):
    page.build_report({"models": {}}, [], tmp_path / "report.html")
    assert read(tmp_path / "report.html").problems == []


def test_null_trace_error_is_a_dash_and_never_zero(tmp_path, results):
    for sets in results["models"].values():
        for entry in sets["test"]["decoding"].values():
            entry |= {"trace_error": None, "trace_error_min": None, "trace_error_max": None, "trace_n": 0}
            entry["intervals"]["trace_error"] = None
    page.build_report(results, [], tmp_path / "report.html")
    text = shown(tmp_path / "report.html")
    row = text[text.index("SFT PRM-weighted") :][:40]
    assert row.startswith("SFT PRM-weighted – paper 3.5")
    assert "Lowest trace error" not in text


def test_hostile_text_stays_text(tmp_path, results, examples):
    results["name"] = HOSTILE
    results["config"] = {HOSTILE: HOSTILE}
    results["models"][HOSTILE] = results["models"]["sft"]
    results["curves"][HOSTILE] = results["curves"]["sft_orm_rl"]
    examples[0] |= {"question": HOSTILE, "problem_uid": HOSTILE, "model": HOSTILE}
    page.build_report(results, examples, tmp_path / "report.html")
    reader = read(tmp_path / "report.html")
    assert reader.problems == [] and reader.scripts == 2
    assert "onerror=alert(1)>" in shown(tmp_path / "report.html")  # visible as text


def test_the_page_s_data_is_the_examples_(report, examples):
    text = report.read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="examples-data">(.*?)</script>', text, re.S).group(1))
    assert [each["uid"] for each in data["examples"]] == [each["problem_uid"] for each in examples]
    assert [each["question"] for each in data["examples"]] == [each["question"] for each in examples]


def test_results_of_evaluate_are_understood(tmp_path):
    problems = [Problem(f"p{i}", "How many?", "7") for i in range(6)]
    samples, orm, prm, labels = [], [], [], []
    for i, problem in enumerate(problems):
        for k in range(4):
            right, clean = (i + k) % 3 != 0, (i + k) % 2 == 0
            samples.append(Sample(problem.uid, k, f"a step\n#### {7 if right else 3}", "7" if right else "3"))
            orm.append(Score(problem.uid, k, (0.6, 0.8 if right else 0.3), 0.8 if right else 0.3, "last"))
            prm.append(Score(problem.uid, k, (0.9 if clean else 0.2,) * 2, 0.9 if clean else 0.2, "last"))
            labels.append(StepLabels(problem.uid, k, -1 if clean and right else 1, 2, "oracle", "oracle"))
    evaluation = json.loads(json.dumps(evaluate(problems, samples, {"orm": orm, "prm": prm}, labels)))
    page.build_report({"models": {"sft": {"test": evaluation}}}, [], tmp_path / "report.html")
    text = shown(tmp_path / "report.html")
    majority = evaluation["decoding"]["majority"]
    assert f"SFT majority {100 * majority['trace_error']:.1f}" in text
    auc = evaluation["reward_models"]["prm"]["auc"]["process"]
    assert f"PRM: AUC on process labels {auc:.3f}" in text
    agreement = evaluation["agreement"]["all_steps"]["orm_prediction"]["prm_label"]
    assert f"agrees with the process label in {100 * agreement:.1f} %" in text
    assert "process label in" in text and "PRM on test samples" in text
    change = evaluation["minus_majority"]["prm_weighted"]
    assert f"{100 * change['final_answer_error']:+.1f}".replace("-", "−").replace("+0.0", "0.0") in text


def test_bad_input_leaves_no_report(tmp_path, results):
    results["models"]["sft"]["test"]["decoding"]["greedy"]["final_answer_error"] = 14.1
    with pytest.raises(UserError, match=r"models\.sft\.test\.decoding\.greedy\.final_answer_error is 14\.1"):
        page.build_report(results, [], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_colours_keep_the_contrast_that_wcag_asks_for(scheme):
    block = page.asset("tokens.css").split(":root")[1 + scheme]
    tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    for ink in ("ink", "ink-2", "ink-3", "accent", "none", "final", "orm", "prm", "good-ink", "bad-ink"):
        for ground in ("paper", "card", "sunk"):
            light, dark = sorted((luminance(tokens[ink]), luminance(tokens[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)
