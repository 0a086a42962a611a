"""Reward models of one SFT policy made in other ways than the findings', all judging the same test samples.

procsup run --config=experiments/findings/ablations.py --config.seed=0 --workdir=runs/ablations/shipped-0

Sizes, rates and problems are those of configs/findings.py, with the samples of twice as many problems to learn from, of
which the reference, `orm` and `prm`, takes the first half, as the findings do. One thing differs in each other way:

- `orm_100`, `orm_800`, `prm_100`, `prm_800`: the samples of an eighth of the problems, and of all;
- `prm_intermediate`: labels by intermediate values (Li et al. 2022) instead of the oracle's;
- `prm_few`, `prm_few_exact`: as few labelled samples as people gave the paper's PRM, `config.few.num`, and as noisy: in
  a share of 1 - `config.few.agreement` of them another first mistake is marked; or as few, and exact;
- `orm_verdict`, `prm_verdict`: the paper's way to read a reward model instead of products;
- `orm_base`, `prm_base`: the ORM starts from the base instead of from SFT.

A PRM starts from the ORM of its row, `orm` where it has none. ablations.json holds both errors by decoding, what the
judges are worth, aggregates.json the votes by other scores of a solution than its last step's. ablations_tables.py
keeps both and writes the tables. `:tiny` only shows that the stages work.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import runpy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from procsup_jax.labels.sources import SourceName
from procsup_jax.ranges import BadValue, Count, Share
from procsup_jax.recipes import base, comparing, supervised
from procsup_jax.recipes.artefacts import Problems, Samples
from procsup_jax.recipes.checks import check_models as check  # noqa: F401 - what a recipe may have
from procsup_jax.recipes.evaluation import Drawn, Evaluated, drawn, drawn_files
from procsup_jax.recipes.settings import ExperimentSettings
from procsup_jax.recipes.training import Labelled
from procsup_jax.recipes.work import Ctx, seed
from procsup_jax.roster import JUDGES, ORM, PRM, RM_SPLIT, SFT, TEST
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.searching import aggregate, decodings
from procsup_jax.settings import Config, from_config, to_config
from procsup_jax.types import StepLabels

CONFIG = pathlib.Path(__file__).parents[2] / "configs/findings.py"
POLICY, TESTED = supervised.sft_policy(), Problems(TEST)
FOUND, VOTES = Json("ablations.json"), Json("aggregates.json")
# Parts of the problems with labelled samples; the reference's is the findings' number of them.
EIGHTH, HALF, ALL = "eighth", "half", "all"
SHARES = {EIGHTH: 8, HALF: 2, ALL: 1}
FEW, FEW_EXACT = "few", "few_exact"
RATER = "oracle, some moved"
AGGREGATES = tuple(how for how in aggregate.AGGREGATES if how != "last")


@dataclasses.dataclass(frozen=True)
class FewSettings:
    """Set how few and how noisy labels people may have given."""

    num: Count = 1560
    """Labelled samples (the paper's: 1,560)."""
    agreement: Share = 0.92
    """The share of them whose first mistake is the oracle's (the paper's raters agreed in 92 of 100 traces)."""


@dataclasses.dataclass(frozen=True)
class Settings(ExperimentSettings):
    """Set the ablations."""

    few: FewSettings = FewSettings()
    ways: tuple[str, ...] = ()
    """Only these ways beside the reference, each with the ORM that it starts from; none: all."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.ways if name not in ways()]:
            raise BadValue("ways", self.ways, f"some of {', '.join(ways())}, and {unknown[0]} is none of them")


def get_config(size: str = "full") -> Config:
    """Return the findings' settings of one size, and twice the problems with labelled samples."""
    found = from_config(ExperimentSettings, runpy.run_path(str(CONFIG))["get_config"](size))
    config = to_config(Settings(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)}))
    config.name, config.recipe = "ablations", __file__
    config.data.num_rm *= 2
    config.data.num_ood = 0
    config.evaluate.step_search_models, config.improve.approaches = (), ()
    config.evaluate.surprise_samples = 0
    if size == "tiny":
        config.few.num, config.few.agreement = 6, 0.5
    return config


def graph(settings: Settings) -> Graph:
    """Return the stages."""
    return Graph.of(_stages(settings))


def _stages(settings: Settings) -> Iterator[Stage]:
    yield from supervised.fine_tuning(settings)
    for name in (EIGHTH, HALF):
        yield _first(name)
    made = chosen(settings)
    for way in made.values():
        if way.train.problems not in map(_part, (FEW, FEW_EXACT)):
            yield from supervised.labelling(POLICY, (way.train, way.valid))
    for name in (FEW, FEW_EXACT):
        yield _few(name)
    yield from comparing.comparing(settings, POLICY, made, {}, TESTED, FOUND)
    what = Evaluated(POLICY, {judge: comparing.folder(POLICY, judge) for judge in JUDGES})
    judged = drawn_files(settings, what, TESTED, (drawn(POLICY, TESTED),))
    yield Stage("aggregates", _votes, (judged,), inputs=judged.files, outputs=(VOTES,))


def ways() -> dict[str, comparing.Way]:
    """Return how each reward model is made, by the name of the judge."""
    made = {}
    for name, part, start, head in (
        ("", HALF, POLICY.model, None), ("_100", EIGHTH, POLICY.model, None), ("_800", ALL, POLICY.model, None),
        ("_verdict", HALF, POLICY.model, "verdict"), ("_base", HALF, base.MODEL, None),
    ):  # fmt: skip
        made[f"{ORM}{name}"] = comparing.Way(ORM, start, *_labelled("outcome", part), head)
        orm = comparing.folder(POLICY, f"{ORM}{name}")
        made[f"{PRM}{name}"] = comparing.Way(PRM, orm, *_labelled("oracle", part), head)
    orm = comparing.folder(POLICY, ORM)
    made[f"{PRM}_intermediate"] = comparing.Way(PRM, orm, *_labelled("intermediate", HALF))
    for name in (FEW, FEW_EXACT):
        made[f"{PRM}_{name}"] = comparing.Way(PRM, orm, *_labelled("oracle", name))
    return made


def chosen(settings: Settings) -> dict[str, comparing.Way]:
    """Return the ways that a run makes."""
    named = {*JUDGES, *settings.ways}
    starts = {name.replace(PRM, ORM, 1) for name in named}
    return {name: way for name, way in ways().items() if not settings.ways or name in named | starts}


def _part(name: str) -> Problems:
    return supervised.TRAIN if name == ALL else Problems(f"{RM_SPLIT}_{name}")


def _labelled(source: SourceName, part: str) -> tuple[Labelled, Labelled]:
    return supervised.labelled(SFT, source, _part(part))


def _first(name: str) -> Stage:
    """Take the samples of the first of the problems, as many as the part has."""
    of, made = ((each, Samples.of(SFT, each)) for each in (_part(ALL), _part(name)))
    return Stage(f"take-{name}", _take_first, (of, made, SHARES[name]), inputs=of, outputs=made)


def _take_first(
    ctx: Ctx, of: tuple[Problems, Samples], made: tuple[Problems, Samples], divisor: int
) -> Mapping[Any, Any]:
    problems, samples = map(ctx.read, of)
    taken = problems[: max(1, len(problems) // divisor)]
    uids = {problem.uid for problem in taken}
    return dict(zip(made, (taken, [each for each in samples if each.problem_uid in uids]), strict=True))


def _few(name: str) -> Stage:
    """Take as few samples as people labelled, and, unless they are to be exact, move as many first mistakes."""
    (of, _), (made, _) = (_labelled("oracle", each) for each in (HALF, name))
    return Stage(f"take-{name}", _take_few, (of, made, name == FEW), inputs=of.files, outputs=made.files)


def _take_few(ctx: Ctx, of: Labelled, made: Labelled, are_noisy: bool) -> Mapping[Any, Any]:
    wanted = ctx.settings.few  # type: ignore[attr-defined] - this recipe's own
    agreement = wanted.agreement if are_noisy else 1.0
    labels = few(ctx.read(of.labels), wanted.num, agreement, seed(ctx, "few"))
    keys, uids = {label.key for label in labels}, {label.problem_uid for label in labels}
    return {
        made.problems: [each for each in ctx.read(of.problems) if each.uid in uids],
        made.samples: [each for each in ctx.read(of.samples) if each.key in keys],
        made.labels: labels,
    }


def few(labels: Sequence[StepLabels], num: int, agreement: float, seed: int) -> list[StepLabels]:
    """Return `num` of the labels, or all, in their order; the first mistake of a share of 1 - `agreement` moved."""
    rng = random.Random(seed)
    num = min(num, len(labels))
    kept = [labels[i] for i in sorted(rng.sample(range(len(labels)), num))]
    moved = set(rng.sample(range(num), round(num * (1 - agreement))))
    return [
        dataclasses.replace(label, rater=RATER, first_error=_another(label, rng)) if i in moved else label
        for i, label in enumerate(kept)
    ]


def _another(label: StepLabels, rng: random.Random) -> int:
    return rng.choice([step for step in range(-1, label.num_steps) if step != label.first_error])


def _votes(ctx: Ctx, judged: Drawn) -> Mapping[Json, Any]:
    """Measure the votes by other scores of a solution than its last step's probability."""
    from procsup_jax.evals import intervals, outcomes
    from procsup_jax.evals.findings import FINAL_ANSWER, TRACE
    from procsup_jax.evals.join import join

    read = judged.read(ctx)
    found: dict[str, Any] = {}
    for how in AGGREGATES:
        scores = {judge: aggregate.with_aggregate(each, how) for judge, each in read.scores.items()}
        chose = outcomes.measure_all(join(read.problems, read.samples, scores, read.labels), ctx.settings.seed)
        found[how] = {
            name: {
                FINAL_ANSWER: intervals.proportion(chose[name].error_b).value,
                TRACE: intervals.proportion(chose[name].trace_b).value,
            }
            for name in (decodings.by(judge, vote) for judge in JUDGES for vote in decodings.VOTES)
        }
    return {VOTES: found}
