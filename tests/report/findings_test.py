import pytest

from procsup_jax.errors import UserError
from procsup_jax.evals import findings as evals
from procsup_jax.report import evidence, findings, parse


def found(results):
    return findings.findings(parse.parse(results))


def entry(final, trace=None, half=0.02, n=500):
    return {
        "final_answer_error": final,
        "trace_error": trace,
        "n": n,
        "intervals": {
            "final_answer_error": [final - half, final + half],
            "trace_error": None if trace is None else [trace - half, trace + half],
        },
    }


def run(**models):
    return {"models": {model: {"test": {"decoding": decodings}} for model, decodings in models.items()}}


@pytest.mark.parametrize(
    ("orm", "prm", "verdict", "overlap"),
    [(0.15, 0.14, "+1.0", "overlap"), (0.10, 0.16, "−6.0", "apart"), (0.12, 0.12, "0.0", "overlap")],
)
def test_outcome_against_process_follows_the_figures(orm, prm, verdict, overlap):
    finding = found(run(sft={"orm_weighted": entry(orm), "prm_weighted": entry(prm)}))[0]
    assert finding.verdict == f"Outcome minus process: {verdict}\u00a0points (intervals {overlap}) by reranking"
    assert finding.changes[0].final.clear == (overlap == "apart")
    assert f"{100 * orm:.1f}\u00a0% [{100 * orm - 2:.1f}, {100 * orm + 2:.1f}]" in finding.sentences[0]
    assert "n = 500" in finding.sentences[0].replace("\u00a0", " ")
    assert [c.estimate.value for c in finding.comparisons] == [orm, prm]


def test_a_paired_interval_is_quoted_where_there_is_one():
    results = run(sft={"orm_weighted": entry(0.15), "prm_weighted": entry(0.14)})
    results["differences"] = [
        {
            "a": ["sft", "orm_weighted"],
            "b": ["sft", "prm_weighted"],
            "final_answer_error": 0.01,
            "intervals": {"final_answer_error": [0.002, 0.018]},
        }
    ]
    finding = found(results)[0]
    assert finding.verdict == "Outcome minus process: +1.0\u00a0points [+0.2, +1.8] by reranking"
    assert str(finding.changes[0].final) == "+1.0\u00a0points [+0.2, +1.8]" and finding.changes[0].final.clear


@pytest.mark.parametrize(("lo", "hi", "clear"), [(-0.03, -0.01, True), (-0.03, 0.0, False), (-0.03, 0.02, False)])
def test_a_difference_measured_the_other_way_round_is_turned(lo, hi, clear):
    results = run(sft_orm_rl={"majority": entry(0.20)}, sft_final_answer_rl={"majority": entry(0.21)})
    results["differences"] = [
        {
            "a": ["sft_final_answer_rl", "majority"],
            "b": ["sft_orm_rl", "majority"],
            "final_answer_error": 0.01,
            "intervals": {"final_answer_error": [-hi, -lo]},
        }
    ]
    finding = found(results)[3]
    gap = finding.changes[0].final
    assert (gap.value, gap.lo, gap.hi, gap.clear) == (-0.01, lo, hi, clear)
    assert finding.verdict.endswith(f"in 1 of 1 by RL against a reward model ({int(clear)} beyond chance)")


def test_findings_1_and_4_compare_the_pairs_that_a_run_measures_with_intervals():
    paired = {frozenset(pair) for pair in evals.PAIRED}
    assert {frozenset(pair) for pair in (*evals.OUTCOME_AGAINST_PROCESS.values(), *evals.LEARNING)} <= paired


def test_agreement_is_quoted_with_the_interval_of_the_same_steps():
    results = run(sft={"majority": entry(0.2)})
    sft = results["models"]["sft"]["test"]
    sft["agreement"] = {"all_steps": {"orm_prediction": {"prm_label": 0.85, "orm_label": 0.77}, "n": 900}}
    sft["reward_models"] = {
        "orm": {
            "agreement": {"process": 0.85, "outcome": 0.77},
            "agreement_n": {"process": 900, "outcome": 950},
            "intervals": {"agreement.process": [0.8, 0.9], "agreement.outcome": [0.7, 0.8]},
        }
    }
    sentence = found(results)[1].sentences[0].replace("\u00a0", " ")
    assert "process label in 85.0 % [80.0, 90.0]" in sentence
    assert sentence.endswith("trained on in 77.0 %.")  # over other steps, so not this interval


@pytest.mark.parametrize(("process", "outcome", "gap"), [(0.85, 0.77, "+8.0"), (0.70, 0.74, "−4.0")])
def test_emulation_reports_either_direction(process, outcome, gap):
    results = run(sft={"majority": entry(0.2)})
    cells = {"orm_prediction": {"prm_label": process, "orm_label": outcome}, "n": 913}
    results["models"]["sft"]["test"]["agreement"] = {"all_steps": cells}
    finding = found(results)[1]
    assert finding.verdict == f"Process minus outcome: {gap}\u00a0points (all steps)"
    assert f"process label in {100 * process:.1f}\u00a0%" in finding.sentences[0] and "(913)" in finding.sentences[0]
    assert [c.paper for c in finding.comparisons] == [0.85, 0.77]


def test_low_trace_error_counts_only_what_lies_below():
    results = run(
        sft={"majority": entry(0.2, 0.11), "orm_weighted": entry(0.15, 0.13), "prm_weighted": entry(0.15, 0.04)},
        sft_final_answer_rl={"majority": entry(0.2, 0.12), "orm_weighted": entry(0.2, 0.11)},
    )
    finding = found(results)[2]
    assert finding.verdict == "2 of 3 with a reward model lie below SFT + Final-Answer RL (majority)"
    assert "1 of 3 lie below it with intervals apart" in finding.sentences[1]
    assert "11.0 to 12.0 % (2 approaches); with one, by reranking or RL, it is 4.0 to 13.0 %" in finding.sentences[0]


def test_greedy_solutions_without_a_reward_model_count_against_it():
    results = run(
        sft={"majority": entry(0.2, 0.16), "greedy": entry(0.2, 0.07), "prm_weighted": entry(0.15, 0.05)},
        few_shot_final_answer_rl={
            "majority": entry(0.2, 0.2),
            "greedy": entry(0.2, 0.08),
            "orm_weighted": entry(0.2, 0.09),
        },
        few_shot_orm_rl={"greedy": entry(0.2, 0.07), "orm_weighted": entry(0.2, 0.07)},
    )
    finding = found(results)[2]
    assert finding.verdict == "2 of 3 with a reward model lie below Few-shot + Final-Answer RL (greedy)"
    assert "7.0 to 20.0 % (4 approaches)" in finding.sentences[0]
    # Rewards are compared reranked alike, and greedily.
    assert [(c.label, c.trace.value) for c in finding.changes] == [
        ("Few-shot + ORM-RL − Final-Answer RL (ORM-weighted)", pytest.approx(-0.02)),
        ("Few-shot + ORM-RL − Final-Answer RL (greedy)", pytest.approx(-0.01)),
    ]


def test_votes_are_held_against_greedy_solutions_too():
    results = run(sft={"majority": entry(0.25, 0.16), "greedy": entry(0.2, 0.07), "prm_weighted": entry(0.22, 0.05)})
    finding = found(results)[3]
    assert finding.verdict == "A lower final-answer error in 1 of 1 by reranking (0 beyond chance)"
    assert [(c.label, c.final.value) for c in finding.changes] == [
        ("SFT: PRM-weighted − majority", pytest.approx(-0.03)),
        ("SFT: PRM-weighted − greedy", pytest.approx(0.02)),
    ]


def test_a_policy_of_another_start_keeps_its_name():
    results = run(
        sft_prm_rl={"prm_weighted": entry(0.15, 0.05)}, few_shot_final_answer_rl={"orm_weighted": entry(0.2, 0.09)}
    )
    pair = evals.Pair(("sft_prm_rl", "prm_weighted"), ("few_shot_final_answer_rl", "orm_weighted"))
    label = evidence.change(parse.parse(results), pair, "test").label
    assert label == "SFT + PRM-RL (PRM-weighted) − Few-shot + Final-Answer RL (ORM-weighted)"


def test_emulation_stands_beside_what_knows_nothing():
    results = run(sft={"majority": entry(0.2)})
    sft = results["models"]["sft"]["test"]
    sft["agreement"] = {"all_steps": {"orm_prediction": {"prm_label": 0.85, "orm_label": 0.77}, "n": 900}}
    gaps = {"orm": (0.08, 0.05, 0.11), "always_correct": (0.06, 0.03, 0.09), "falling": (0.1, 0.06, 0.14)}
    by = {name: {"gap": gap, "intervals": {"gap": [lo, hi]}} for name, (gap, lo, hi) in gaps.items()}
    sft["emulation"] = {"all_steps": {"n": 900, "by": by}}
    finding = found(results)[1]
    assert finding.verdict == "Process minus outcome: +8.0\u00a0points [+5.0, +11.0] (all steps)"
    said = finding.sentences[1].replace("\u00a0", " ")
    assert "+6.0 points [+3.0, +9.0]" in said and "+10.0 points [+6.0, +14.0]" in said
    sft["emulation"]["all_steps"]["by"]["orm"]["intervals"]["gap"] = [0.05]
    with pytest.raises(UserError, match=r"the interval of models.sft.test.emulation.all_steps.by.orm.gap is \[0.05\]"):
        found(results)


def test_reward_models_that_harm_are_not_said_to_help():
    results = run(
        sft={"majority": entry(0.10, 0.05), "orm_weighted": entry(0.20, 0.15)},
        sft_final_answer_rl={"majority": entry(0.10)},
        sft_orm_rl={"majority": entry(0.08)},
    )
    finding = found(results)[3]
    assert finding.verdict == (
        "A lower final-answer error in 0 of 1 by reranking (0 beyond chance), "
        "in 1 of 1 by RL against a reward model (0 beyond chance)"
    )
    reranked, learned = finding.changes
    assert (str(reranked.final), str(reranked.trace)) == ("+10.0\u00a0points (intervals apart)",) * 2
    assert (str(learned.final), learned.trace) == ("−2.0\u00a0points (intervals overlap)", None)


def test_what_was_not_measured_has_no_verdict_and_no_figures():
    for finding in found({"models": {}}):
        assert finding.verdict is None and not finding.comparisons and not finding.changes
        assert finding.sentences[0].startswith("It needs")


def test_nothing_is_canned(results):
    """Halve every error that a reward model touched, then double it: no verdict may survive both."""
    verdicts = []
    for factor in (0.5, 2.0):
        scaled = {"models": {}}
        for model, sets in results["models"].items():
            decodings = {}
            for name, each in sets["test"]["decoding"].items():
                by = factor if "orm" in name or "prm_w" in name or model.endswith(("orm_rl", "prm_rl")) else 1.0
                by = 1.0 if "prm_w" in name else by
                decodings[name] = entry(each["final_answer_error"] * by, each["trace_error"] * by, half=0.0)
            scaled["models"][model] = {"test": {"decoding": decodings}}
        verdicts.append([f.verdict for f in found(scaled)])
    assert all(a != b for a, b in zip(verdicts[0], verdicts[1], strict=True) if a is not None)
