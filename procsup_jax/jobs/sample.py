"""`procsup sample`: sample solutions of problems from a policy."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Literal

from procsup_jax import compilation, records
from procsup_jax.decode.generate import sample_problems
from procsup_jax.decode.settings import CacheDtype, DecodeSettings
from procsup_jax.errors import UserError
from procsup_jax.io.models import read_model
from procsup_jax.io.params import SavedModel
from procsup_jax.search import decodings
from procsup_jax.search.settings import StepSearchSettings, TreeSearchSettings
from procsup_jax.search.step_search import SearchedSample, step_search
from procsup_jax.search.tree_search import TreeSearchedSample, tree_search
from procsup_jax.text.prompts import choose_examples
from procsup_jax.text.vocab import Vocab
from procsup_jax.types import Problem, Sample


def run(
    problems: pathlib.Path,
    policy: pathlib.Path,
    output: pathlib.Path,
    decoding: Literal[
        "sample", "greedy", "prm_step", "orm_step", "prm_beam", "orm_beam", "prm_puct", "orm_puct"
    ] = "sample",
    rm: pathlib.Path | None = None,
    vocab: pathlib.Path | None = None,
    k: int = 8,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    max_new_tokens: int = 208,
    max_step_tokens: int = 48,
    width: int = 4,
    num_expansions: int = 32,
    exploration: float = 1.0,
    max_policy_tokens: int = 4096,
    max_rm_tokens: int = 4096,
    examples: pathlib.Path | None = None,
    few_shot: int = 0,
    lanes: int = 8,
    slots: int = 8,
    cache_dtype: CacheDtype = "",
    seed: int = 0,
    skip_bad: bool = False,
) -> None:
    """Write samples.jsonl: k samples a problem, the greedy solution, or one found step by step with a reward model.

    `policy` and `rm` are model folders of a run ("worlds_base" is the base that ships with the package); `k` is the
    number of samples, in searches that of candidates for a next step. `*_step` keeps the best of them and goes on,
    `*_beam` the best `width` paths; `*_puct` grows `num_expansions` nodes of a tree, those of likely steps the sooner
    the higher `exploration`. The last two sample at most `max_policy_tokens` for a problem and have the reward model
    read at most `max_rm_tokens`. `few_shot` puts so many worked examples from the problems file `examples` into the
    prompt. `lanes` and `slots` set speed and memory and never change a sample; `cache_dtype` is the type of the caches:
    bfloat16 halves them, and changes samples.
    """
    compilation.announce()
    found = records.read_problems(problems, skip_bad=skip_bad)
    if few_shot and examples is None:
        raise UserError(f"--few_shot={few_shot} needs --examples=FILE, problems with reference solutions")
    shown = choose_examples(records.read_problems(examples), few_shot, seed) if examples and few_shot else []
    saved, loaded = read_model(policy, vocab)
    name = str(policy)
    if decoding in ("sample", "greedy"):
        settings = DecodeSettings(
            temperature=0.0 if decoding == "greedy" else temperature,
            top_k=top_k,
            top_p=top_p,
            num_samples=1 if decoding == "greedy" else k,
            max_new_tokens=max_new_tokens,
            lanes=lanes,
            slots=slots,
            cache_dtype=cache_dtype,
        )
        samples = sample_problems(
            saved.config, saved.params, loaded, found, settings, seed=seed, examples=shown, policy=name
        )
    else:
        steps = StepSearchSettings(
            num_candidates=k,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            max_new_tokens=max_new_tokens,
            max_step_tokens=max_step_tokens,
            lanes=lanes,
            cache_dtype=cache_dtype,
        )
        search: StepSearchSettings | TreeSearchSettings = steps
        method = decoding.partition("_")[2]
        if method != "step":
            budgets = max_policy_tokens, max_rm_tokens
            search = TreeSearchSettings(steps, method, width, num_expansions, exploration, *budgets)
        samples = _search(saved, _reward_model(rm, vocab), loaded, found, search, seed, shown, name)
    if decoding != "sample":
        samples = [decodings.mark(sample, decoding) for sample in samples]
    records.write_samples(output, samples)
    print(f"{len(samples)} solutions of {len(found)} problems written to {output}")


def _reward_model(rm: pathlib.Path | None, vocab: pathlib.Path | None) -> SavedModel:
    if rm is None:
        raise UserError("step search needs --rm=FOLDER, the reward model that chooses the steps")
    return read_model(rm, vocab)[0]


def _search(
    policy: SavedModel,
    rm: SavedModel,
    vocab: Vocab,
    problems: Sequence[Problem],
    settings: StepSearchSettings | TreeSearchSettings,
    seed: int,
    examples: Sequence[Problem],
    name: str,
) -> list[Sample]:
    models = (policy.config, policy.params), (rm.config, rm.params)
    found: Sequence[SearchedSample | TreeSearchedSample]
    if isinstance(settings, TreeSearchSettings):
        found = tree_search(*models, vocab, problems, settings, seed=seed, examples=examples, name=name)
    else:
        found = step_search(*models, vocab, problems, settings, seed=seed, examples=examples, name=name)
    return [
        dataclasses.replace(each.sample, policy_tokens=each.policy_tokens, rm_tokens=each.rm_tokens) for each in found
    ]
