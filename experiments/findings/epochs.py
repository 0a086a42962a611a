"""Expert iteration for the paper's five epochs, where configs/findings.py has two.

python experiments/findings/epochs.py [RUN ...] [--approaches few_shot_final_answer_rl few_shot_orm_rl] [--epochs 5]
    [--size full] [--config.KEY=VALUE ...]

RUN is the folder of a finished run of configs/findings.py, or of ablations.py for approaches from SFT, named BASE-SEED.
They go on from where they ended, as stages of that run: what is finished is not made again. The epoch of the lowest
final-answer error on validation problems is measured on the test problems as every policy of the run was, and kept in
epochs/BASE-SEED.json. Then, and with no RUN alone, it writes of all that is kept epochs.md: the error on validation
problems after each epoch, and the chosen ones' errors on test problems, also beside those of runs/BASE-SEED.json; means
of the bases' means with their 95 % t intervals over bases. SFT's ORM and PRM rerank what starts from it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import finished
import summary
from tables import OVER, estimate

from procsup_jax import compilation, files, roster
from procsup_jax.errors import UserError
from procsup_jax.evals import findings
from procsup_jax.recipes.artefacts import ModelFolder, Problems, evaluation
from procsup_jax.recipes.evaluation import Evaluated, evaluating
from procsup_jax.recipes.improvement import Approach, approach, choose_epoch, epoch_scores, epoch_scoring, epochs
from procsup_jax.recipes.solutions import Policy
from procsup_jax.recipes.supervised import sft_policy
from procsup_jax.recipes.uesato2022 import WHOLE_BEFORE, few_shot_policy
from procsup_jax.report import names
from procsup_jax.runner.folder import RunFolder
from procsup_jax.runner.graph import Graph

FROM_FEW_SHOT = FINAL_ANSWER, ORM = tuple(
    roster.improved(roster.FEW_SHOT, method) for method in (roster.FINAL_ANSWER_RL, roster.ORM_RL)
)
FROM_SFT = tuple(roster.improved(roster.SFT, method) for method in roster.METHODS)
APPROACHES = *FROM_FEW_SHOT, *FROM_SFT
DECODINGS = ("majority", "orm_weighted", "prm_weighted", "greedy")
# As in summary.py; those of APPROACHES have the further epochs.
COMPARISONS = (
    findings.WITHOUT_TRACES,
    findings.LEARNING[2],
    findings.Pair((ORM, "orm_weighted"), (FINAL_ANSWER, "majority")),
    findings.Pair((roster.SFT, "prm_weighted"), (ORM, "orm_weighted")),
)
SFT_COMPARISONS = tuple(
    dict.fromkeys(
        each.pair
        for each in findings.COMPARISONS
        if {FINAL_ANSWER, *FROM_SFT} >= (policies := {policy for policy, _ in each.pair}) and policies & {*FROM_SFT}
    )
)
Runs = Mapping[str, Mapping[str, Any]]


def main(argv: Sequence[str] | None = None) -> None:
    """Go on with the runs given, and put together what is kept."""
    parser = finished.parser(__doc__)
    parser.add_argument("--approaches", nargs="+", default=FROM_FEW_SHOT, choices=APPROACHES)
    parser.add_argument("--epochs", type=int, default=5)
    args, changes = finished.parse(parser, argv)
    compilation.announce()
    for run in args.runs:
        folder = finished.folder(run, args.size, [*changes, f"--config.improve.num_epochs={args.epochs}"])
        path = args.output / "epochs" / f"{run.resolve().name}.json"
        for name in args.approaches:
            kept = json.loads(path.read_text()) if path.exists() else {}
            kept[name] = measure(folder, plan_of(folder, name))
            files.write_text(path, json.dumps(kept, indent=1) + "\n")
    runs, start = finished.kept(args.output / "epochs"), finished.kept(args.output / "runs")
    if missing := sorted(runs.keys() - start.keys()):
        raise UserError(f"{args.output / 'runs'} lacks {missing[0]}.json, that run's results.json: put it there")
    parts = _validation(runs), _test(runs), _comparisons(runs, start)
    files.write_text(args.output / "epochs.md", "\n\n".join("\n".join(part) for part in parts) + "\n")
    print(f"{len(runs)} runs; epochs.md is in {args.output}")


def plan_of(folder: RunFolder, name: str) -> Approach:
    """Return an approach of a run."""
    return approach(name, few_shot_policy(folder.settings) if name in FROM_FEW_SHOT else sft_policy())


def measure(folder: RunFolder, plan: Approach) -> dict[str, Any]:
    """Return the validation error after each epoch, the start's first, the epoch chosen by it and its test errors."""
    settings, valid, tested = folder.settings, Problems(roster.VALIDATION), Problems(roster.TEST)
    stages = itertools.chain(epochs(settings, plan), epoch_scoring(settings, plan))
    folder.run(Graph.of(stages, WHOLE_BEFORE))
    samples = [folder.read(plan.drawn(epoch, valid)) for epoch in range(settings.improve.num_epochs + 1)]
    scores = [None if each is None else folder.read(each) for each in epoch_scores(settings, plan)]
    errors, chosen = choose_epoch(folder.read(valid), samples, scores, settings.seed)
    model = plan.policy(chosen).model
    what = Evaluated(Policy(model.name, model), _judges(plan, chosen))
    folder.run(Graph.of(evaluating(settings, what, tested), WHOLE_BEFORE))
    found = folder.read(evaluation(model.name, tested.split))
    test = {
        decoding: {metric: found["decoding"][decoding][metric] for metric in summary.METRICS}
        for decoding in DECODINGS
        if decoding in found["decoding"]
    }
    return {"validation": errors, "chosen": chosen, "test": test, "n": found["n"]}


def _judges(plan: Approach, epoch: int) -> Mapping[str, ModelFolder]:
    if plan.name in FROM_SFT:
        return {kind: ModelFolder(roster.rm_of(roster.SFT, kind)) for kind in roster.JUDGES}
    return {roster.ORM: plan.rm_of_epoch(epoch)} if plan.retrain_rm else {}


def _validation(runs: Runs) -> Iterator[str]:
    last = min(len(found["validation"]) for run in runs.values() for found in run.values()) - 1
    yield f"## Final-answer error on validation problems after each epoch, %, {OVER}\n"
    yield f"| | {' | '.join(map(str, range(last + 1)))} | chosen | runs |"
    yield "|---" * (last + 4) + "|"
    for name in APPROACHES:
        of = {run: found[name] for run, found in runs.items() if name in found}
        if not of:
            continue
        rows = [
            summary.over({run: summary.in_points(each["validation"][epoch]) for run, each in of.items()}, 0.0)
            for epoch in range(last + 1)
        ]
        chosen = ", ".join(str(each["chosen"]) for each in of.values())
        yield f"| {' | '.join((names.label(names.MODELS, name), *map(estimate, rows), chosen, str(len(of))))} |"


def _test(runs: Runs) -> Iterator[str]:
    yield f"## The chosen epochs' errors on test problems, %, {OVER}\n"
    yield "| policy | decoding | final-answer error | trace error | runs |\n|---|---|---|---|---|"
    errors = summary.errors(_in_place(runs))
    for name, decoding in itertools.product(APPROACHES, DECODINGS):
        if (name, decoding, summary.FAE) in errors:
            final, trace = (errors[name, decoding, metric] for metric in summary.METRICS)
            labels = names.label(names.MODELS, name), names.decoding(decoding)
            yield f"| {' | '.join((*labels, estimate(final), estimate(trace), str(final['runs'])))} |"


def _comparisons(runs: Runs, start: Runs) -> Iterator[str]:
    yield f"## Comparisons, points, {OVER}\n"
    yield "| of | first | minus second | difference | greedy | each |\n|---|---|---|---|---|---|"
    for pair, metric in itertools.product((*COMPARISONS, *SFT_COMPARISONS), summary.METRICS):
        row, greedy = compared(runs, start, pair, metric), findings.greedily(pair)
        assert greedy is not None
        if not row["runs"]:
            continue
        cells = metric.replace("_", " "), *(names.approach(*each) for each in pair), estimate(row)
        yield f"| {' | '.join((*cells, estimate(compared(runs, start, greedy, metric)), row['each']))} |"


def compared(runs: Runs, start: Runs, pair: findings.Pair, metric: str) -> summary.Row:
    """Return a comparison with the chosen epochs in place of those of `start`, over the runs that have them."""
    further = {policy for policy, _ in pair}.intersection(APPROACHES)
    changed = {run: found for run, found in _in_place(runs, start).items() if further <= runs[run].keys()}
    return summary.compared(changed, pair, metric)


def _in_place(runs: Runs, start: Runs | None = None) -> dict[str, Any]:
    """Return the chosen epochs' errors as a run's results hold them, in place of those of `start` where it is given."""
    return {
        run: {
            "models": (start[run]["models"] if start else {})
            | {name: {"test": {"decoding": each["test"]}} for name, each in found.items()}
        }
        for run, found in runs.items()
    }


if __name__ == "__main__":
    finished.command(main)
