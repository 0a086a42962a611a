import re

import pytest

from procsup_jax.report import headline, paper_tables, parse, run_tables
from procsup_jax.report.paper_results import TABLE_1


def words(markup):
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", markup, flags=re.S).split())


def interval(tile):
    return re.search(r"95 % interval ([^, ]+)", tile).group(1)


def test_errors_and_intervals_are_those_of_the_row_of_table_1_that_is_named(results):
    results["models"]["sft"]["test"]["decoding"]["orm_step"] = {"final_answer_error": 0.0, "trace_error": 0.0, "n": 400}
    found = parse.parse(results)
    table = paper_tables.table_1(found)
    for tile, metric in zip(map(words, headline.tiles(found)[:2]), ("final", "trace"), strict=True):
        letter = re.search(r"row (\w) of Table 1; the lowest of its 12 rows", tile).group(1)
        row = words(re.search(f'<tr data-row="{letter}".*?</tr>', table, re.S).group())
        value = re.search(r"([\d.]+) %", tile).group(1)
        assert f"{value} {interval(tile)}" in row
        errors = [getattr(found.decoding(each.model, each.decoding), metric).value for each in TABLE_1]
        assert value == f"{100 * min(errors):.1f}"


def test_aucs_and_intervals_are_those_of_the_reward_models_table(results):
    found = parse.parse(results)
    table = words(run_tables.verifier_table(found))
    tiles = [words(tile) for tile in headline.tiles(found)[2:]]
    assert [tile.split(":")[0] for tile in tiles] == ["ORM", "PRM"]
    for tile in tiles:
        value = re.search(r"labels ([\d.]+)", tile).group(1)
        assert f"{value} {interval(tile)}" in table and "on validation samples" in tile


def test_a_run_without_table_1_s_rows_shows_the_lowest_of_all_it_measured(results):
    sft = results["models"].pop("sft")["test"]["decoding"]
    few = {"models": {"mine": {"test": {"decoding": {"greedy": sft["greedy"], "beam": sft["majority"]}}}}}
    first = words(headline.tiles(parse.parse(few))[0])
    assert "mine (beam); the lowest of 2 measured" in first and "Table 1" not in first


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["few_shot_orm", "sft_orm", "sft_prm"], ["ORM", "PRM"]),
        (["sft_orm"], ["ORM"]),
        (["mine", "other", "third"], ["mine", "other"]),
        (["sft_surprise_process", "sft_prm"], ["PRM"]),
    ],
)
def test_reward_models_of_other_names_have_tiles_too(results, names, shown):
    entry = results["reward_models"]["sft_orm"]
    found = parse.parse({"models": {}, "reward_models": dict.fromkeys(names, entry)})
    assert [words(tile).split(":")[0] for tile in headline.tiles(found)] == shown


def test_the_introduction_says_only_what_is_there(results):
    assert "Reward models" in headline.introduction(parse.parse(results))
    assert "Reward models" not in headline.introduction(parse.parse({"models": {}}))
    testbed = {"config": {"config.data.kind": "worlds"}, "models": {}}
    assert "generated testbed" in headline.introduction(parse.parse(testbed))
