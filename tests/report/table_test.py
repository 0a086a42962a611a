import pytest

from procsup_jax.errors import UserError
from procsup_jax.report import names
from procsup_jax.report.paper_results import TABLE_1
from procsup_jax.report.table import text_table


def test_rows_hold_the_run_s_figures_aligned(results):
    blocks = text_table(results).split("\n\n")
    assert [block.split()[0] for block in blocks] == ["test", "out-of-distribution", "reward"]
    head, *rows = [line for line in blocks[0].splitlines()[1:] if not line.startswith("---")]
    assert len(rows) == len(TABLE_1)
    for row, line in zip(TABLE_1, rows, strict=True):
        entry = results["models"][row.model]["test"]["decoding"][row.decoding]
        lo, hi = entry["intervals"]["final_answer_error"]
        assert line.startswith(names.label(names.MODELS, row.model))
        assert f"{100 * entry['final_answer_error']:.1f} [{100 * lo:4.1f}, {100 * hi:4.1f}]  400" in line
        assert line.endswith(str(entry["trace_n"]))
    assert len({line.index("[") for line in rows}) == 1 and len({len(line) for line in (head, *rows)}) == 1


def test_reward_models_agreement_is_printed(results):
    *_, head, _, first, second, _, _, few_shot = text_table(results).splitlines()
    assert head.split("  ")[0] == "reward model"
    assert " ".join(first.split()) == "SFT ORM 84.0 [82.0, 86.0] 89.0 [87.0, 91.0] 3127 88.0 [86.0, 90.0] 3127"
    assert second.startswith("SFT PRM") and few_shot.startswith("Few-shot ORM")
    assert first.index("[") == few_shot.index("[")


def test_votes_by_further_reward_models_stand_behind_the_paper_s_rows(results):
    decoding = results["models"]["sft"]["test"]["decoding"]
    decoding["prm_rollouts_weighted"] = decoding["prm_weighted"]
    rows = text_table(results).split("\n\n")[0].splitlines()[3:]
    assert len(rows) == len(TABLE_1) + 1
    [prm] = [row for row in rows if row.startswith("SFT  ") and " PRM-weighted " in row]
    assert rows[-1].split() == prm.replace("PRM-weighted", "PRM (rollouts labels)-weighted").split()


def test_the_tables_are_ascii_and_fit_a_terminal(results):
    written = text_table(results)
    assert written.isascii()
    assert max(map(len, written.splitlines())) <= 100


def test_missing_approaches_and_null_traces_are_named(results):
    entry = results["models"]["sft"]["test"]["decoding"]["majority"] | {"trace_error": None}
    written = text_table({"models": {"sft": {"test": {"decoding": {"majority": entry}}}}})
    row = next(line for line in written.splitlines() if line.startswith("SFT "))
    assert row.split()[-2:] == ["-", "-"]
    assert "not run: Few-shot, Few-shot + Final-Answer RL" in written


def test_nothing_measured_names_every_model():
    assert text_table({"models": {}}) == "not run: " + ", ".join(names.MODELS.values())


def test_malformed_results_are_a_user_error():
    with pytest.raises(UserError, match='hold no "models"'):
        text_table({"name": "x"})
