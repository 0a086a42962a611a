"""`procsup label`: label the steps of samples."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.flags import About, Flags, flag
from procsup_jax.jobs import shared
from procsup_jax.labels.settings import Estimate, RolloutSettings
from procsup_jax.labels.sources import NEED_ANSWERS, ROLLOUTS, Source, SourceName, label_answered
from procsup_jax.labels.sources import source as source_of
from procsup_jax.ranges import Amount, Count, Seed
from procsup_jax.text import answered
from procsup_jax.text.answers import Reading
from procsup_jax.text.layout import Layout, StepLayout, preset

if TYPE_CHECKING:
    from procsup_jax.journal import Journal


@dataclasses.dataclass(frozen=True)
class RolloutFlags(Flags):
    """Hold the flags of `procsup label --source=rollouts`."""

    policy: pathlib.Path | None = flag("rollouts: a model's folder, or worlds_base", None, reads="model")
    rollouts: Count = flag("rollouts: completions sampled after each step", 8)
    estimate: Estimate = flag("rollouts: the share of them that is right, or whether any is", "soft")
    temperature: Amount = flag("rollouts: what they are drawn at", 1.0)
    max_new_tokens: Count = flag("rollouts: the most tokens of each, its end token included", 208)
    lanes: Count = flag("rollouts: steps gone on from at a time; sets speed and memory, never changes a label", 16)
    seed: Seed = flag("rollouts: what they are drawn by", 0)

    def source(self, journal: Journal) -> tuple[Source, Layout]:
        """Return the source, which keeps its completions in a journal, and the layout of its policy."""
        if self.policy is None:
            raise UserError("--source=rollouts samples from a policy; add --policy=FOLDER")
        from procsup_jax import compilation
        from procsup_jax.decode.settings import DecodeSettings
        from procsup_jax.io.models import load_policy
        from procsup_jax.labels.rollouts import Rollouts

        compilation.announce()
        decode = DecodeSettings(
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
            lanes=self.lanes,
            slots=self.rollouts,
        )
        settings = RolloutSettings(self.rollouts, self.estimate)
        model = load_policy(self.policy, "policy").unstack()
        return Rollouts(model, settings, decode, self.seed, journal=journal), model.layout


def run(
    problems: Annotated[pathlib.Path, shared.PROBLEMS],
    samples: Annotated[pathlib.Path, shared.SAMPLES],
    output: Annotated[pathlib.Path, About("the labels file to write", writes="file")],
    source: Annotated[SourceName, About("what labels the steps")] = "outcome",
    layout: Annotated[StepLayout, shared.LAYOUT] = "lines",
    answers: Annotated[Reading, shared.ANSWERS] = "flexible",
    skip_bad: Annotated[bool, shared.SKIP_BAD] = False,
    rollouts: RolloutFlags = RolloutFlags(),  # noqa: B008
) -> None:
    """Write labels.jsonl: by the final answer, the testbed's oracle, intermediate values, the calculator or rollouts.

    `outcome` gives every step the final answer's verdict; `oracle` needs problems of worlds; `intermediate` needs
    reference solutions (Li et al. 2022); `calculator` calls a step wrong whose annotations are; `rollouts` samples
    completions of a policy after each step, and gives the step the share of them that reach the answer
    (Math-Shepherd). Answers are read from the solutions: strict ones stand behind the layout's marker, flexible ones
    are written as language models write them. Steps are lines or, by `layout`, paragraphs (of `rollouts`, by the
    policy's own layout), unless a sample gives its own. `skip_bad` leaves malformed lines out and says how many.
    """
    if rollouts.policy is not None and source != ROLLOUTS:
        raise UserError(f"--policy={rollouts.policy} is what --source=rollouts samples from; leave it out, or add that")
    left_out: list[str] = []
    found = records.read_problems(problems, skip_bad=skip_bad)
    if skip_bad and source in NEED_ANSWERS:
        found = answered.problems(found, left_out)
    given = records.read_samples(samples, problem_uids={problem.uid for problem in found}, skip_bad=skip_bad)
    from procsup_jax.journal import Journal

    with Journal.beside(output) as journal:
        if source == ROLLOUTS:
            labelling, written = rollouts.source(journal)
        else:
            written = preset(layout)
            labelling = source_of(source, written.separator)
        labels = label_answered(labelling, found, given, answers, written.answer_marker)
        records.write_labels(output, labels)
        journal.remove()
    right = sum(label.trace_correct is True for label in labels)
    print(f"{len(labels)} solutions labelled by {source}, {right} without a wrong step; written to {output}")
    if left_out:
        print(f"left out {len(left_out)} problems without an answer, the first: {left_out[0]}")
