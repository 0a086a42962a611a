"""The experiment of Uesato et al. 2022: which stages there are, in which order, for one config."""

from __future__ import annotations

from collections.abc import Iterator

from procsup_jax.labels.sources import SourceName
from procsup_jax.recipes import base as bases
from procsup_jax.recipes import data, real_problems, results
from procsup_jax.recipes.artefacts import Labels, ModelFolder, Problems, Samples, Scores, evaluation
from procsup_jax.recipes.checks import check_models
from procsup_jax.recipes.evaluation import Drawn, Evaluated, drawn, drawn_files, evaluating
from procsup_jax.recipes.improvement import approach, improvement
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.solutions import Policy, WorkedExamples, label, score
from procsup_jax.recipes.supervised import TRAIN, VALID, fine_tuning, labelled, labelling, sampling, sft_policy
from procsup_jax.recipes.supervision import count_supervision
from procsup_jax.recipes.surprise import surprise
from procsup_jax.recipes.training import Fit, reward_model
from procsup_jax.roster import (
    CONTROLS,
    FEW_SHOT,
    FINAL_ANSWER_RL,
    ORM,
    ORM_RL,
    PRM,
    SFT,
    SFT_SPLIT,
    TEST,
    method_of,
    prm_from,
    rm_of,
    start_of,
)
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import Setting

Settings = ExperimentSettings
check = check_models

# Markers from before they said so hold these groups whole.
WHOLE_BEFORE = tuple(f"config.{each}" for each in ("data", "base", "sft", "orm", "prm", "distil", "sample", "search"))
_BASE, _SFT = bases.MODEL, ModelFolder(SFT)
_PROCESS_LABELS = Setting("process_labels")


def graph(settings: ExperimentSettings) -> Graph:
    """Return the stages of the paper's experiment."""
    return Graph.of(_stages(settings), WHOLE_BEFORE)


def few_shot_policy(settings: ExperimentSettings) -> Policy:
    """Return the base with worked examples of the SFT problems in its prompt."""
    return Policy(FEW_SHOT, _BASE, WorkedExamples(Problems(SFT_SPLIT), data.splits_of(settings)))


def evaluated(settings: ExperimentSettings) -> list[Evaluated]:
    """Return every policy of the experiment with the reward models that rerank it."""
    few_shot, sft = few_shot_policy(settings), sft_policy()
    orm, prms = ModelFolder(rm_of(SFT, ORM)), {kind: ModelFolder(rm_of(SFT, kind)) for kind in prms_of(settings)}
    prm = prms[PRM]
    found = [Evaluated(few_shot, {ORM: ModelFolder(rm_of(FEW_SHOT, ORM))})] if settings.with_few_shot else []
    found.append(Evaluated(sft, {ORM: orm, **prms}))
    for name in settings.improve.approaches:
        start = few_shot if start_of(name) == FEW_SHOT else sft
        own = _trains_own_orm(settings, name) or (start is few_shot and method_of(name) == ORM_RL)
        judges = {ORM: ModelFolder(rm_of(name if own else start.name, ORM))}
        if start is not few_shot:
            judges[PRM] = prm
        reranked = judges if settings.evaluate.num_samples_improved != 1 else {}
        found.append(Evaluated(Policy(name, ModelFolder(name)), reranked))
    return found


def prms_of(settings: ExperimentSettings) -> dict[str, SourceName]:
    """Return the PRMs of the SFT policy, each with the source of its labels."""
    first, *others = settings.process_sources
    return {PRM: first, **{prm_from(source): source for source in others}}


def _trains_own_orm(settings: ExperimentSettings, name: str) -> bool:
    """Say whether a policy gets a reward model of its own when it is done.

    ORM-RL keeps the one it was trained against; a Final-Answer RL policy gets one of its own, as the paper trains
    each on samples "from the policy of that approach", or else its start's; the PRM exists for the SFT-based ones.
    """
    return method_of(name) == FINAL_ANSWER_RL and settings.improve.own_orm


def _stages(settings: ExperimentSettings) -> Iterator[Stage]:
    few_shot, policy, judged = few_shot_policy(settings), sft_policy(), evaluated(settings)
    yield from fine_tuning(settings)
    yield from _orm(policy, _SFT)
    for kind, source in prms_of(settings).items():
        yield from _prm(policy, kind, source)
    if settings.with_few_shot:
        yield from sampling(few_shot)
        yield from _orm(few_shot, _BASE)
    for name in settings.improve.approaches:
        start = few_shot if start_of(name) == FEW_SHOT else policy
        yield from improvement(settings, approach(name, start))
        if _trains_own_orm(settings, name):
            improved = Policy(name, ModelFolder(name))
            yield from sampling(improved)
            yield from _orm(improved, start.model)
    for problems in data.evaluation_sets(settings):
        for what in judged:
            yield from evaluating(settings, what, problems)
    yield from _measuring(settings, judged)
    if not data.has_oracle(settings):
        samples = Samples.of(SFT, TRAIN)
        labels = [Labels(samples, source) for source in prms_of(settings).values()]
        yield from real_problems.measuring(settings, judged, (samples, TRAIN), labels)
    yield results.publish(_reported(settings, judged))


def _orm(policy: Policy, start: ModelFolder) -> Iterator[Stage]:
    found = labelled(policy.name, "outcome")
    yield from labelling(policy, found)
    yield reward_model(Fit(ModelFolder(rm_of(policy.name, ORM)), start, ORM), *found)


def _prm(policy: Policy, kind: str, source: SourceName) -> Iterator[Stage]:
    found = labelled(policy.name, source)
    yield from labelling(policy, found)
    fit = Fit(ModelFolder(rm_of(policy.name, kind)), ModelFolder(rm_of(policy.name, ORM)), PRM)
    yield reward_model(fit, *found, shaped_by=(_PROCESS_LABELS,) if kind == PRM else ())


def _measuring(settings: ExperimentSettings, judged: list[Evaluated]) -> Iterator[Stage]:
    """Measure across policies: look-up, the control, reward models, differences, and what people had to give."""
    yield results.measure_lookup(_BASE, VALID)
    if settings.evaluate.surprise_samples:
        labels = [labelled(SFT, source)[0] for source in ("outcome", settings.process_labels)]
        controls = {rm_of(SFT, control): each for control, each in zip(CONTROLS, labels, strict=True)}
        yield surprise(_SFT, controls, Samples.of(SFT, VALID), VALID)
    yield from _measuring_reward_models(settings, judged)
    test = Problems(TEST)
    yield results.measure_differences(
        {what.policy.name: drawn_files(settings, what, test, [drawn(what.policy, test)]) for what in judged}
    )
    marked = Labels(Samples.of(SFT, TRAIN), settings.process_labels)
    yield count_supervision(few_shot_policy(settings), data.splits_of(settings), marked)


def _measuring_reward_models(settings: ExperimentSettings, judged: list[Evaluated]) -> Iterator[Stage]:
    """Score and measure every reward model on samples that it was not trained on.

    The first ones on validation samples of the policy they were made for; an ORM trained for an improved policy, or
    along with it, on that policy's test samples, where its evaluation has measured it.
    """
    controls = CONTROLS if settings.evaluate.surprise_samples else ()
    found = []
    of_few_shot = ((FEW_SHOT, (ORM,)),) if settings.with_few_shot else ()
    for policy, parts in ((SFT, (ORM, *prms_of(settings), *controls)), *of_few_shot):
        samples = Samples.of(policy, VALID)
        for part in parts:
            if part not in CONTROLS:
                yield score(samples, VALID, ModelFolder(rm_of(policy, part)))
        source: SourceName | None = "oracle" if data.has_oracle(settings) else None
        if source is not None:
            yield label(samples, VALID, source, _BASE)
        names = {part: rm_of(policy, part) for part in parts}
        scores = {part: (Scores(samples, name),) for part, name in names.items()}
        found.append(results.MeasuredJudges(Drawn(VALID, (samples,), scores, source), names))
    own = {
        what.judges[ORM].name: (evaluation(what.policy.name, TEST), ORM)
        for what in judged
        if ORM in what.judges
        and what.judges[ORM].name == rm_of(what.policy.name, ORM)
        and what.policy.name not in (SFT, FEW_SHOT)
    }
    yield results.measure_reward_models(found, own)


def _reported(settings: ExperimentSettings, judged: list[Evaluated]) -> results.Reported:
    policies = tuple(what.policy.name for what in judged)
    sets = tuple(problems.split for problems in data.evaluation_sets(settings))
    curves = tuple(name for name in policies if name in settings.improve.approaches)
    is_real = not data.has_oracle(settings)
    return results.Reported(_BASE, policies, sets, curves, is_real, is_real and bool(settings.data.processbench_path))
