"""Math-Shepherd's labels (Wang et al. 2024, arXiv 2312.08935): a step is as right as what can be made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from procsup_jax import grouping
from procsup_jax.decode.generate import Generated, Prompt, generate
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.journal import NOTHING, Journal
from procsup_jax.labels.settings import RolloutSettings
from procsup_jax.models.model import Model
from procsup_jax.text import answers, steps
from procsup_jax.text.encoding import Encoding
from procsup_jax.types import Problem, Sample, StepLabels


@dataclasses.dataclass(frozen=True)
class Rollouts:
    """Label each step by how many completions that `policy` samples after it reach the problem's answer.

    `decode` says how they are drawn; how many of them is in `settings`. Worked `examples` stand before every problem.
    The completions after a step are kept in the `journal`, as by `generate`.
    """

    policy: Model
    settings: RolloutSettings = RolloutSettings()
    decode: DecodeSettings = DecodeSettings()
    seed: int = 0
    examples: Sequence[Problem] = ()
    journal: Journal = NOTHING
    name: ClassVar[str] = "rollouts"

    def label(self, problems: Sequence[Problem], samples: Sequence[Sample]) -> list[StepLabels]:
        """Label each step by itself, the samples in their order; `first_error` is the first of a value below .5.

        `StepLabels.steps` holds the values, `extra` how many rollouts there were after each step and how many tokens in
        all. A step with the final answer, and the last one, have nothing after them: they are as right as that answer.
        After a step that leaves too little room for a completion nothing is known, and its value is None.

        Steps are split by the policy's layout. A completion depends on the policy, the problem, the steps before, the
        sample's number and decoding, the step's index, its own number and the seed, on nothing else. Raises `UserError`
        for a sample whose problem is missing, a reward model for a policy, and where memory lacks.
        """
        self.policy.check_policy()
        encoding, by_uid = self.policy.encoding, grouping.by_uid(problems)
        shown = encoding.example_ids(self.examples)
        settings = dataclasses.replace(
            self.decode, num_samples=self.settings.num_rollouts, with_greedy=False, stop="solution"
        )
        room = self.policy.config.max_len - len(shown) - settings.max_new_tokens
        prompts: list[Prompt] = []
        steps_of_sample: list[list[int]] = []
        for sample in samples:
            question = grouping.problem_of(by_uid, sample).question
            asked = encoding.prompt_ids(question, self.examples)[len(shown) :]
            fitting = [each for each in _undecided(encoding, sample) if len(asked) + len(each[1]) <= room]
            prompts += [Prompt(_uid(sample, step), [*asked, *written]) for step, written in fitting]
            steps_of_sample.append([step for step, _ in fitting])
        drawn = iter(generate(self.policy, prompts, settings, seed=self.seed, shared=shown, journal=self.journal))
        return [
            self._label(by_uid[sample.problem_uid], sample, {step: next(drawn) for step in continued})
            for sample, continued in zip(samples, steps_of_sample, strict=True)
        ]

    def _label(self, problem: Problem, sample: Sample, after: Mapping[int, Sequence[Generated]]) -> StepLabels:
        """Label one sample by the completions after those of its steps that have some."""
        layout, written = self.policy.layout, steps.steps_of(sample, self.policy.layout.separator)
        values: list[float | None] = []
        for i in range(len(written)):
            before = written[: i + 1]
            if i in after:
                texts = (self.policy.encoding.written(each.tokens, each.stopped)[0] for each in after[i])
                right = [_reaches(problem, steps.join_steps([*before, text], layout.separator)) for text in texts]
                share = sum(right) / len(right)
                values.append(share if self.settings.estimate == "soft" else float(share > 0))
            elif i + 1 == len(written):
                values.append(float(answers.same_answer(sample.answer, problem.answer)))
            elif _is_decided(self.policy.encoding, before):
                values.append(float(_reaches(problem, steps.join_steps(before, layout.separator))))
            else:
                values.append(None)
        return StepLabels(
            *sample.key[:2],
            _first_error(values),
            len(values),
            self.name,
            self.name,
            steps=tuple(values) or None,
            decoding=sample.decoding,
            extra={
                "rollouts": [len(after.get(i, ())) for i in range(len(written))],
                "rollout_tokens": sum(len(each.tokens) for some in after.values() for each in some),
            },
        )


def _undecided(encoding: Encoding, sample: Sample) -> Iterator[tuple[int, list[int]]]:
    """Yield the steps after which a sample's answer is open, each with the tokens of the solution up to it."""
    written, parts = encoding.sample(sample), steps.steps_of(sample, encoding.layout.separator)
    for step, end in enumerate(written.ends[:-1]):
        if _is_decided(encoding, parts[: step + 1]):
            return
        tokens = written.tokens[: end + 1]
        if not b"".join(encoding.token_bytes[i] for i in tokens).endswith(encoding.separator):
            # The token that ends the separator holds the beginning of the next step too, which nobody has seen yet.
            tokens = [token for part in parts[: step + 1] for token in encoding.step(part, is_last=False)]
        yield step, tokens


def _is_decided(encoding: Encoding, parts: Sequence[str]) -> bool:
    return any(encoding.layout.answer_marker.strip() in part for part in parts)


def _reaches(problem: Problem, solution: str) -> bool:
    return answers.same_answer(answers.extract_answer(solution), problem.answer)


def _uid(sample: Sample, step: int) -> str:
    """Return what tells a prefix from all others: what its completions are drawn by."""
    return f"{sample.problem_uid}, sample {sample.sample}{sample.decoding or ''}, after step {step}"


def _first_error(values: Sequence[float | None]) -> int | None:
    """Return the first step that is wrong, -1 for none, None where that is open; an empty solution is wrong at once."""
    if not values:
        return 0
    wrong = [i for i, value in enumerate(values) if value is not None and value < 0.5]
    if wrong and None not in values[: wrong[0]]:
        return wrong[0]
    return None if None in values else -1
