"""The page in a real browser at the widths of a desktop, a tablet and a telephone, in both colour schemes, in print."""

import copy
import json

import pytest

WIDTHS = (1400, 768, 390)
LONG = "score-few_shot.epoch0.validation-few_shot_final_answer_rl.epoch1.orm"

# Every visible text with its boxes and its size on screen and, with `coloured`, the contrast's two colours.
TEXTS = """(coloured) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) known.set(colour, painted(colour));
    return known.get(colour);
  };
  const painted = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => (i === 3 ? v / 255 : v));
  };
  const over = (top, below) => below.map((v, i) => (i === 3 ? 1 : top[i] * top[3] + v * (1 - top[3])));
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const opacity = (node) => node ? parseFloat(getComputedStyle(node).opacity) * opacity(node.parentElement) : 1;
  const unseen = "script, style, title, desc, option, noscript, .visually-hidden, .skip, .hidden-mark, :disabled";
  const colours = (node, svg) => {
    const cell = svg && node.previousElementSibling;
    const inCell = cell && cell.classList.contains("cell");
    const below = inCell ? rgba(getComputedStyle(cell).fill) : ground(svg || node);
    const ink = rgba(getComputedStyle(node)[svg ? "fill" : "color"]);
    return { ink: over([...ink.slice(0, 3), ink[3] * opacity(node)], below), ground: below };
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode, node = text.parentElement, svg = node.closest("svg");
    if (!text.data.trim() || node.closest(unseen) || node.closest(".contents")) continue;
    if (!node.checkVisibility({ opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const rects = [...range.getClientRects()].filter((r) => r.width && r.height);
    if (!rects.length) continue;
    const cut = getComputedStyle(node).overflowX === "hidden" ? node.getBoundingClientRect().right : Infinity;
    found.push({
      text: text.data.trim(),
      boxes: rects.map((r) => [r.left, r.top, Math.min(r.right, cut), r.bottom].map(Math.round)).slice(0, 9),
      px: parseFloat(getComputedStyle(node).fontSize) * (svg ? node.getScreenCTM().a : 1),
      scattered: Boolean(node.closest("#errors svg")),
      ...(coloured ? colours(node, svg) : {}),
    });
  }
  return JSON.stringify(found);
}"""


def texts_of(tab, coloured=False):
    return json.loads(tab.evaluate(TEXTS, coloured))


@pytest.fixture
def long_results(results):
    """Return a run of many stages with long names, and long texts wherever a run may have them."""
    made = copy.deepcopy(results)
    made["wall_clock"] = {f"{LONG}{i}": 1.5 * (i * 37 % 61) for i in range(61)}
    made["base"] |= {
        "digest": "3f7c0a" * 11,
        "command": "procsup run --config=configs/worlds_base.py",
        "loss": 0.35228148,
    }
    made["config"] = {f"config.{LONG}.key{i}": [LONG] * 3 for i in range(8)}
    made["models"]["sft"]["test"]["agreement"]["with_others"] = {
        f"judge-number-{i}_prediction": {f"judge-number-{j}_prediction": 0.5 + (i + j) / 20 for j in range(6)}
        for i in range(6)
    }
    return made


def unfold(tab):
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")


def luminance(colour):
    linear = [c / 255 / 12.92 if c <= 10.31475 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def overlaps(texts):
    """Return the pairs of texts whose boxes overlap by more than rounding does."""
    boxes = sorted((box[1], box, i) for i, each in enumerate(texts) for box in each["boxes"])
    found = []
    for at, (_, a, i) in enumerate(boxes):
        for top, b, j in boxes[at + 1 :]:
            if top >= a[3] - 2:
                break
            if i != j and min(a[2], b[2]) - max(a[0], b[0]) > 2 and min(a[3], b[3]) - max(a[1], b[1]) > 2:
                found.append((texts[i]["text"], texts[j]["text"]))
    return found


def resize(tab, width):
    tab.set_viewport_size({"width": width, "height": 900})


def test_text_fits_and_is_large_enough(open_report, long_results, examples):
    tab = open_report(results=long_results, examples=examples[:10])
    for folded, width in ((True, WIDTHS[-1]), *((False, width) for width in WIDTHS)):
        resize(tab, width)
        if not folded:
            unfold(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        texts = texts_of(tab)
        assert len(texts) > 300
        assert overlaps([each for each in texts if not each["scattered"]]) == []
        assert [(each["text"], each["px"]) for each in texts if each["px"] < 11.95] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_both_schemes(open_report, examples, scheme):
    tab = open_report(examples[:10], scheme=scheme)
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    assert dark == (scheme == "dark")
    unfold(tab)
    faint = {(each["text"], round(contrast(each["ink"], each["ground"]), 2)) for each in texts_of(tab, coloured=True)}
    assert len(faint) > 100 and {each for each in faint if each[1] < 4.5} == set()


def test_judges_of_long_names_fit(open_report, examples):
    judges = [f"reward_model_{i}_" + "x" * 60 for i in range(5)]
    tab = open_report([{**e, "step_probs": dict.fromkeys(judges, e["step_probs"]["orm"])} for e in examples[:4]])
    for width in WIDTHS:
        resize(tab, width)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert overlaps([each for each in texts_of(tab) if not each["scattered"]]) == []


def test_how_it_was_run_fits_and_unfolds(open_report, long_results):
    tab = open_report(results=long_results, examples=[])
    folded = tab.locator("#setup .columns details")
    assert tab.locator("#setup .columns > div > .stages tbody tr").count() == 20
    assert folded.count() == 1 and not folded.locator("tr").first.is_visible()
    folded.locator("summary").click()
    assert folded.locator("tr").count() == 61 and folded.locator("tr").last.is_visible()
    tab.keyboard.press("Enter")  # the summary has the focus
    assert not folded.locator("tr").first.is_visible()
    unfold(tab)
    for width in (*WIDTHS, 320):
        resize(tab, width)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        boxes = tab.locator("#setup .columns :is(th, td, dt, dd)").evaluate_all(
            "nodes => nodes.map(n => [n.scrollWidth - n.clientWidth, n.getBoundingClientRect().right])"
        )
        assert len(boxes) > 200 and all(excess <= 1 and right <= width for excess, right in boxes)


def test_tables_need_no_scrolling(open_report):
    tab = open_report(examples=[])
    for width in WIDTHS:
        resize(tab, width)
        for table in ("#table-1", "#table-3", "#table-verifiers"):
            assert tab.locator(table).evaluate("node => node.scrollWidth <= node.parentElement.clientWidth + 1")


def test_the_keyboard_s_focus_is_seen_everywhere(open_report, examples):
    tab = open_report(examples[:10])
    outlined = """() => {
      const node = document.activeElement, shown = node.matches(".chip input") ? node.nextElementSibling : node;
      const style = getComputedStyle(shown);
      return [node === document.body, node.tagName + "." + node.className, style.outlineStyle, style.outlineWidth];
    }"""
    seen = []
    for _ in range(200):
        tab.keyboard.press("Tab")
        at_end, name, style, width = tab.evaluate(outlined)
        if at_end:
            break
        assert style != "none" and width != "0px", name
        seen.append(name.split(".")[0])
    assert {"A", "DIV", "BUTTON", "SUMMARY", "SELECT", "INPUT"} <= set(seen)


def test_print_leaves_out_the_controls_and_is_light(open_report):
    tab = open_report(scheme="dark")
    tab.emulate_media(media="print", color_scheme="dark")
    assert not tab.locator(".contents").is_visible() and not tab.locator(".filters").is_visible()
    assert tab.locator("#table-1").is_visible() and tab.locator(".solution").first.is_visible()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    texts = texts_of(tab, coloured=True)
    assert {each["text"] for each in texts if contrast(each["ink"], each["ground"]) < 4.5} == set()
    tab.set_viewport_size({"width": 720, "height": 1000})  # A4 within its margins
    assert tab.evaluate("document.documentElement.scrollWidth") <= 720
