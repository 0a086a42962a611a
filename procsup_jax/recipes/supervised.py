"""The SFT policy of a run, and what reward models learn from: a policy's samples and their labels."""

from __future__ import annotations

from collections.abc import Iterator

from procsup_jax.labels.sources import ROLLOUTS, SourceName
from procsup_jax.recipes import base, data
from procsup_jax.recipes.artefacts import ModelFolder, Problems, Samples
from procsup_jax.recipes.rollouts import roll_out
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import Policy, draw, label
from procsup_jax.recipes.training import Labelled, sft
from procsup_jax.roster import RM_SPLIT, SFT, SFT_SPLIT, VALIDATION
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Setting

TRAIN, VALID = Problems(RM_SPLIT), Problems(VALIDATION)


def sft_policy() -> Policy:
    """Return the base fine-tuned on reference solutions."""
    return Policy(SFT, ModelFolder(SFT))


def fine_tuning(settings: ExperimentSettings) -> Iterator[Stage]:
    """Make the problems, the base and the SFT policy, and sample from that what reward models are trained on."""
    yield data.problems(settings)
    yield from base.base(settings)
    yield sft(sft_policy().model, base.MODEL, Problems(SFT_SPLIT), VALID)
    yield from sampling(sft_policy())


def sampling(policy: Policy) -> Iterator[Stage]:
    """Sample from a policy what its reward models are trained on, by `config.rm_samples`."""
    for problems in (TRAIN, VALID):
        yield draw(Samples.of(policy.name, problems), policy, problems, Setting("rm_samples"))


def labelled(policy: str, source: SourceName, problems: Problems = TRAIN) -> tuple[Labelled, Labelled]:
    """Return a policy's labelled samples to train a reward model on, and to choose its parameters by."""
    train, valid = (Labelled(Samples.of(policy, each), each, source) for each in (problems, VALID))
    return train, valid


def labelling(policy: Policy, found: tuple[Labelled, ...]) -> Iterator[Stage]:
    """Label a policy's samples, each by its source."""
    for each in found:
        if each.source == ROLLOUTS:
            yield roll_out(each.samples, each.problems, policy)
        else:
            yield label(each.samples, each.problems, each.source, base.MODEL)
