from procsup_jax import roster
from procsup_jax.report import names, paper_results


def test_the_names_that_files_and_configs_carry():
    assert roster.APPROACHES == (
        "sft_final_answer_rl", "sft_orm_rl", "sft_prm_rl", "few_shot_final_answer_rl", "few_shot_orm_rl",
    )  # fmt: skip
    assert roster.REWARD_MODELS == (
        "sft_orm",
        "sft_prm",
        "sft_surprise_outcome",
        "sft_surprise_process",
        "few_shot_orm",
    )
    assert [roster.start_of(policy) for policy in ("few_shot", "sft_prm_rl")] == ["few_shot", "sft"]
    assert [roster.method_of(policy) for policy in ("sft", "few_shot_orm_rl", "sft_prm_rl.epoch1")] == [
        "", "orm_rl", "prm_rl.epoch1",
    ]  # fmt: skip


def test_the_papers_rows_are_of_the_rosters_policies():
    assert set(roster.POLICIES) == {row.model for row in paper_results.TABLE_1} == set(names.MODELS)
    assert set(roster.POLICIES) - set(roster.STARTS) == set(roster.APPROACHES)
