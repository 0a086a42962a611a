"""The sections of the page, in reading order; one that has nothing to show is left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from procsup_jax.evals.findings import FINAL_ANSWER, TRACE
from procsup_jax.report import (
    cells,
    curves,
    evidence,
    finding_cards,
    findings,
    heatmap,
    names,
    paper_results,
    paper_tables,
    run_tables,
    scatter,
    setup,
    svg,
)
from procsup_jax.report.examples import VERDICTS
from procsup_jax.report.markup import asset, details, element, scroll, text
from procsup_jax.report.results import Results

WIDEST = 420.0  # of a figure whose text stays readable on a telephone; a wider one scrolls


@dataclasses.dataclass(frozen=True)
class Section:
    """Hold a section: its anchor, its name in the contents, its heading, a lead-in sentence, its markup."""

    id: str
    short: str
    title: str
    lead: str
    body: str

    def html(self) -> str:
        """Return the <section> element."""
        heading = element("h2", text(self.title), id=f"{self.id}-title")
        lead = element("p", self.lead, class_="lead") if self.lead else ""
        return element("section", heading, lead, self.body, id=self.id, aria_labelledby=f"{self.id}-title")


def sections(results: Results, prepared: Sequence[Mapping[str, Any]], figures: list[svg.Figure]) -> list[Section]:
    """Return the page's sections; the figures drawn are appended to `figures`."""
    made = [
        findings_section(results),
        table_1_section(results),
        table_3_section(results),
        supervision_section(results),
        scatter_section(results, figures),
        agreement_section(results, figures),
        selective_section(results, figures),
        learning_section(results, figures),
        examples_section(prepared),
        setup_section(results),
    ]
    return [section for section in made if section.body]


def findings_section(results: Results) -> Section:
    """Return the paper's four findings, each with this run's figures on it."""
    cards = [finding_cards.card(found, i) for i, found in enumerate(findings.findings(results), start=1)]
    lead = (
        "The paper’s four findings, and what this run measured on each. Every sentence is computed from this run’s "
        "figures on its test set; brackets hold 95 % intervals, grey ticks the paper’s figures."
    )
    return Section("findings", "Findings", "What this run shows", lead, element("div", *cards, class_="cards"))


def table_1_section(results: Results) -> Section:
    """Return Table 1."""
    lead = (
        "Trace error: share of problems with the right answer whose trace holds a wrong step. Final-answer error: "
        "share of problems without the right answer. Each figure stands over its 95 % interval; the paper’s figures, "
        f"in grey, are those of {text(paper_results.SOURCE)}, in brackets the range between its two raters. The lowest "
        f"published before it: {paper_results.PUBLISHED_BEFORE[FINAL_ANSWER]} % final-answer error and "
        f"{paper_results.PUBLISHED_BEFORE[TRACE]} % trace error."
    )
    return Section(
        "table1",
        "Table 1",
        "Table 1. Trace error and final-answer error",
        lead,
        scroll(paper_tables.table_1(results), "Table 1"),
    )


def table_3_section(results: Results) -> Section:
    """Return Table 3."""
    lead = (
        "Final-answer error of one greedy solution, of the majority vote and of the reward-model-weighted vote. "
        f"{text(evidence.majority_against_greedy(results))}"
    )
    return Section(
        "table3",
        "Table 3",
        "Table 3. Final-answer error by decoding",
        lead,
        scroll(paper_tables.table_3(results), "Table 3"),
    )


def supervision_section(results: Results) -> Section:
    """Return what people gave each policy."""
    lead = (
        "What people had to write or mark for each policy, its worked examples and its reward model’s labels included. "
        "On a generated testbed an oracle did it; the count is of what it was asked."
    )
    table = run_tables.supervision_table(results)
    body = scroll(table, "Cost of labels") if table else ""
    return Section("supervision", "Supervision", "What the labels cost", lead, body)


def scatter_section(results: Results, figures: list[svg.Figure]) -> Section:
    """Return the scatter plots of this run and of the paper."""
    points = scatter.run_points(results)
    if not points:
        return Section("errors", "", "", "", "")
    run = scatter.scatter(points, "errors", "This run", "95 % intervals")
    paper = scatter.scatter(scatter.paper_points(), "errors-paper", "The paper, Fig. 3", "range between the two raters")
    lead = "Left and down is better. Letters are the rows of Table 1; point at one to find it everywhere."
    body = _grid(
        [_figure(run, figures, "lines: 95 % intervals"), _figure(paper, figures, "lines: range between its raters")]
    )
    return Section("errors", "Both errors", "Trace error against final-answer error", lead, body + scatter_legend())


def scatter_legend() -> str:
    """Return the legend of marks: colour by RL, shape by decoding, hollow when few-shot-based."""
    colours = [("none", "no RL"), ("final", "Final-Answer RL"), ("orm", "ORM-RL"), ("prm", "PRM-RL")]
    shapes = [("sft", "majority"), ("sft", "orm_weighted"), ("sft", "prm_weighted")]
    items = [element("li", cells.swatch(kind), meaning) for kind, meaning in colours]
    items += [element("li", cells.mark(model, how), names.decoding(how)) for model, how in shapes]
    items.append(element("li", cells.mark("few_shot", "majority"), "hollow: few-shot-based"))
    return element("ul", *items, class_="legend")


def agreement_section(results: Results, figures: list[svg.Figure]) -> Section:
    """Return the reward models' AUCs and agreement with labels, and the matrices."""
    table = run_tables.verifier_table(results)
    panels = []
    for model in names.in_order(names.MODELS, results.models):
        for test_set in names.in_order(names.SETS, results.models[model]):
            for where, agreement in results.models[model][test_set].agreement.items():
                where_name = {"all_steps": "all steps", "last_step": "last steps"}.get(where, where)
                title = f"{names.label(names.MODELS, model)}, {names.label(names.SETS, test_set)}, {where_name}"
                figure = heatmap.heatmap(agreement, names.slug("agreement", model, test_set, where), title)
                count = "" if agreement.n is None else f"{agreement.n:,} steps"
                panels.append((model == "sft" and test_set == "test", _figure(figure, figures, count)))
    first = [panel for preferred, panel in panels if preferred] or [panel for _, panel in panels[:2]]
    rest = [panel for _, panel in panels if panel not in first]
    body = (scroll(table, "Reward models against each kind of label") if table else "") + (
        _grid(first) if first else ""
    )
    if rest:
        body += details(f"Agreement on {len(rest)} more sets of solutions", _grid(rest))
    lead = (
        "AUC: the probability that a right step scores above a wrong one; for right answers, that a right trace "
        "scores above a wrong one, which decides whether reranking lowers the trace error. Agrees: the share of steps "
        "on which its prediction, a probability of at least one half, agrees with the label; matrices likewise, in %. "
        "Surprise is the control: a logistic regression on how unlikely the policy found each token. "
        f"{_measured_on(results)}"
    )
    return Section("reward-models", "Reward models", "Reward models against labels", lead, body)


def _measured_on(results: Results) -> str:
    sets = {results.verifier_set(name) for name in results.verifiers}
    if "validation" not in sets:
        return "The table is over the policies’ own test samples." if sets else ""
    others = "; those of policies after RL on these policies’ test samples" if "test" in sets else ""
    return (
        f"The table is over validation samples{others}, so it differs a little from finding 2 and the matrices, over "
        "test samples."
    )


def selective_section(results: Results, figures: list[svg.Figure]) -> Section:
    """Return the selective-prediction curves."""
    drawn = [_figure(figure, figures, "") for figure in curves.selective_figures(results)]
    lead = (
        "Error left when the problems of lowest score are abstained on: the score of the chosen solution by ORM "
        "(solid) or PRM (dashed), the share of agreeing samples for majority (dotted). Letters are the rows of Table 1."
    )
    return Section("selective", "Abstention", "Selective prediction", lead, _grid(drawn) if drawn else "")


def learning_section(results: Results, figures: list[svg.Figure]) -> Section:
    """Return the learning curves of expert iteration."""
    drawn = [_figure(figure, figures, curves.why_kept(epochs)) for figure, epochs in curves.learning(results.curves)]
    vote = "" if curves.chosen_by_reward_model(results.config) else " of the majority vote"
    lead = (
        f"Errors{vote} after each epoch of expert iteration. A ring marks the epoch that was kept, and each caption "
        f"says why. {curves.rule(results.config)}"
    )
    return Section("learning", "Learning", "Learning curves", lead, _grid(drawn, "figures small") if drawn else "")


def examples_section(prepared: Sequence[Mapping[str, Any]]) -> Section:
    """Return the browser of sample solutions, or a word on there being none."""
    if not prepared:
        note = element("p", "This run kept no solutions to read: its examples.jsonl is empty.", class_="note")
        return Section("read", "Solutions", "Read the solutions", "", note)
    tally = {title: sum(e["verdict"] == key for e in prepared) for key, title in VERDICTS.items()}
    counts = ", ".join(f"{count:,} {title}" for title, count in tally.items() if count)
    scored = any(e["scores"] for e in prepared)
    labelled = any(e["labels"] is not None for e in prepared)
    colours = (
        "Each step is coloured by how probable a reward model finds it that the steps so far are correct."
        if scored
        else "No reward model scored them, so their steps are not coloured."
    )
    marks = "✓ and ✗ are the steps’ labels." if labelled else "Their steps are not labelled."
    lead = f"{len(prepared):,} selected solutions ({text(counts)}). {colours} {marks}"
    return Section("read", "Solutions", "Read the solutions", lead, asset("browser.html"))


def setup_section(results: Results) -> Section:
    """Return the stages, versions, configuration, and all that was measured."""
    lead = "Times are wall-clock times on one machine. Every key of the configuration is a flag of procsup run."
    return Section("setup", "Setup", "How it was run", lead if results.config else "", setup.body(results))


def footer() -> str:
    """Return the footer."""
    return element("p", "Paper: ", text(paper_results.SOURCE), ".") + element(
        "p", "Written by procsup report; this file needs no other."
    )


def _figure(figure: svg.Figure, figures: list[svg.Figure], note: str) -> str:
    figures.append(figure)
    caption = element("figcaption", element("b", text(figure.title)), element("span", text(note)))
    shrinks = figure.width <= WIDEST
    drawing = figure.inline() if shrinks else scroll(figure.inline(shrinks=False), figure.title)
    return element("figure", caption, drawing)


def _grid(panels: Sequence[str], class_: str = "figures") -> str:
    return element("div", *panels, class_=class_)
