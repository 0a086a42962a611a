"""Do generated stories help on GSM8K: SFT on worlds stories before GSM8K's problems, or beside them, or not at all.

make smollm2
procsup run --config=experiments/gsm8k/stories.py:cpu --config.data.path=FOLDER --workdir=runs/gsm8k_stories

Every policy but `stories` learns from the same problems of GSM8K, equally often, and all are measured on the same sets:

- `gsm8k`: SFT on GSM8K alone, by `config.sft`;
- `stories`: SFT on worlds stories alone, by `config.stories`;
- `stories_then_gsm8k`: SFT on GSM8K, by `config.sft`, from `stories`;
- `stories_and_gsm8k`: SFT on both in one, by `config.both`, whose steps are as many as the two have together.

stories.json holds for each set each policy's final-answer error, greedily and by one sample, and what it is minus
`gsm8k`'s. The stories are of the SFT split (docs/worlds.md). `:cpu` is made for two cores and an hour and a quarter,
`:gpu` for one large GPU, `:tiny` only shows that the stages work.
"""

from __future__ import annotations

import dataclasses
import pathlib
import runpy
from collections.abc import Iterator, Mapping
from typing import Any

from procsup_jax.evals.readings import ONE_SAMPLE
from procsup_jax.ranges import BadValue, Count
from procsup_jax.recipes import base, data
from procsup_jax.recipes.artefacts import ModelFolder, Problems
from procsup_jax.recipes.checks import check_models as check  # noqa: F401 - what a recipe may have
from procsup_jax.recipes.evaluation import Drawn, Evaluated, Measured, evaluating, everything_drawn
from procsup_jax.recipes.settings import ExperimentSettings, set_tiny_fits
from procsup_jax.recipes.solutions import Policy
from procsup_jax.recipes.training import sft
from procsup_jax.recipes.work import Ctx
from procsup_jax.roster import SFT_SPLIT, VALIDATION
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.runner.view import whole
from procsup_jax.searching.decodings import GREEDY
from procsup_jax.settings import Config, from_config, to_config
from procsup_jax.training.settings import FitSettings

CONFIG = pathlib.Path(__file__).parents[2] / "configs/gsm8k_smollm2.py"
POLICIES = ALONE, STORIES, BEFORE, BESIDE = "gsm8k", "stories", "stories_then_gsm8k", "stories_and_gsm8k"
TOLD, BOTH = Problems("stories"), Problems("stories_and_sft")
FOUND = Json("stories.json")


@dataclasses.dataclass(frozen=True)
class Settings(ExperimentSettings):
    """Set the comparison."""

    num_stories: Count = 192
    """Stories that SFT learns."""
    stories: FitSettings = FitSettings()
    both: FitSettings = FitSettings()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.kind != "gsm8k":
            raise BadValue("data.kind", self.data.kind, "gsm8k, as the stories come of themselves")

    @property
    def fits(self) -> dict[str, FitSettings]:
        """Return the settings of the three kinds of fit."""
        return {"sft": self.sft, "stories": self.stories, "both": self.both}


def get_config(size: str = "cpu") -> Config:
    """Return the settings of gsm8k_smollm2's size, with fits for the stories."""
    found = from_config(ExperimentSettings, runpy.run_path(str(CONFIG))["get_config"](size))
    config = to_config(Settings(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)}))
    config.name, config.recipe = f"gsm8k_stories_{size}", __file__
    config.improve.approaches = ()
    config.evaluate.num_samples_improved = 0
    if size == "cpu":
        config.data.num_sft, config.data.num_ood, config.sft.num_steps = 300, 25, 16
        config.num_stories, config.evaluate.num_samples = 192, 1
        steps = config.sft.num_steps, 12
    elif size == "tiny":
        config.num_stories, steps = 4, (2, 2)
    else:
        config.num_stories, config.evaluate.num_samples = 4000, 8
        steps = config.sft.num_steps, 200
    for name, num_steps in (("stories", steps[1]), ("both", sum(steps))):
        fit = to_config(from_config(FitSettings, config.sft))
        fit.num_steps = num_steps
        config[name] = fit
    if size == "tiny":
        set_tiny_fits(config)
    return config


def graph(settings: Settings) -> Graph:
    """Return the stages."""
    return Graph.of(_stages(settings))


def _stages(settings: Settings) -> Iterator[Stage]:
    yield data.problems(settings)
    yield from base.base(settings)
    problems, valid = Problems(SFT_SPLIT), Problems(VALIDATION)
    yield Stage("data-stories", _tell, (problems,), inputs=(problems,), outputs=(TOLD, BOTH))
    model = {policy: ModelFolder(policy) for policy in POLICIES}
    yield sft(model[ALONE], base.MODEL, problems, valid)
    yield sft(model[STORIES], base.MODEL, TOLD, valid, "stories")
    yield sft(model[BEFORE], model[STORIES], problems, valid)
    yield sft(model[BESIDE], base.MODEL, BOTH, valid, "both")
    drawn: dict[str, dict[str, Drawn]] = {}
    for split in data.evaluation_sets(settings):
        for policy in POLICIES:
            what = Evaluated(Policy(policy, model[policy]), {})
            yield from evaluating(settings, what, split)
            drawn.setdefault(split.split, {})[policy] = everything_drawn(settings, what, split)
    inputs = [file for of in drawn.values() for each in of.values() for file in each.files]
    yield Stage("compare", _compare, (drawn,), inputs=inputs, outputs=(FOUND,))


def _tell(ctx: Ctx, problems: Problems) -> Mapping[Problems, Any]:
    from procsup_jax.data.worlds import splits

    settings = ctx.settings
    num = settings.num_stories  # type: ignore[attr-defined] - this recipe's own
    told = splits.problems(SFT_SPLIT, num, seed=settings.seed, settings=whole(settings.data.world))
    return {TOLD: told, BOTH: [*told, *ctx.read(problems)]}


def _compare(ctx: Ctx, drawn: Mapping[str, Mapping[str, Drawn]]) -> Mapping[Json, Any]:
    found = {}
    for split, of in drawn.items():
        errors = {policy: _errors(each.read(ctx)) for policy, each in of.items()}
        found[split] = {
            policy: {how: _measured(each[how], errors[ALONE][how], ctx.settings.seed) for how in each}
            for policy, each in errors.items()
        }
    return {FOUND: found}


def _errors(found: Measured) -> dict[str, Any]:
    """Return which share of its solutions is wrong for each problem: greedily, and of samples."""
    import numpy as np

    from procsup_jax.evals import outcomes
    from procsup_jax.evals.join import join

    joined = join(found.problems, found.samples, {}, ())
    wrong_b = [
        1 - sum(sample.key in joined.right for sample in joined.drawn[problem.uid]) / len(joined.drawn[problem.uid])
        for problem in joined.problems
    ]
    return {GREEDY: outcomes.measure_all(joined, 0)[GREEDY].error_b, ONE_SAMPLE: np.array(wrong_b)}


def _measured(errors_b: Any, alone_b: Any, seed: int) -> dict[str, Any]:
    """Return a final-answer error, and what it is minus that of GSM8K alone, resampled by problem."""
    import numpy as np

    from procsup_jax.evals import intervals

    mean = intervals.mean_over_problems(errors_b, np.ones(len(errors_b)), seed=seed)
    gap = intervals.paired_difference(errors_b, alone_b, seed=seed)
    return {"error": intervals.shown(mean), f"minus_{ALONE}": intervals.shown(gap)}
