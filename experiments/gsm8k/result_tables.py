"""The tables of a GSM8K run, in Markdown: what experiments/gsm8k/README.md points to.

python experiments/gsm8k/result_tables.py runs/gsm8k_smollm2_cpu [--output=experiments/gsm8k/cpu.md]

Shares are percentages with their 95 % intervals and the number of problems behind them; without --output they are
printed. With it what they are made from stands beside them as cpu.json, which may be given instead of the run's folder,
and the figures as cpu-errors.svg, cpu-votes-test.svg and cpu-votes-short.svg.
"""

from __future__ import annotations

import argparse
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import result_figures
import stage_speed

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.evals.findings import FINAL_ANSWER
from procsup_jax.evals.readings import FIGURES, ONE_SAMPLE
from procsup_jax.recipes.artefacts import RESULTS
from procsup_jax.report import names
from procsup_jax.runner.artefacts import Json

Results = Mapping[str, Any]
LONGEST = 20
_WHOLE = "name", "seed", "config", "versions", "base", "reward_models", "real_problems"


def main(args: Sequence[str] | None = None) -> None:
    """Write the tables of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    given = parser.parse_args(args)
    found = kept(given.run)
    if given.output is None:
        print(markdown(found), end="")
        return
    files.write_text(given.output, markdown(found))
    files.write_text(given.output.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
    for figure in result_figures.figures(found, given.output.stem):
        files.write_text(given.output.with_name(f"{figure.name}.svg"), figure.standalone())


def kept(run: pathlib.Path) -> dict[str, Any]:
    """Return what the tables are made from; raise UserError where the run has no results of real problems."""
    if run.suffix == ".json":
        found: dict[str, Any] = Json(run.name).read(run)
        return found
    path = run / RESULTS.path
    results = RESULTS.read(path)
    if "real_problems" not in results:
        raise UserError(f"{path} holds no real_problems; expected a run of GSM8K that has ended")
    stages = sorted(stage_speed.stages(run), key=lambda stage: -stage.seconds)
    return {
        **{name: results[name] for name in _WHOLE},
        "models": {
            policy: {split: _final_answers(measured) for split, measured in by_split.items()}
            for policy, by_split in results["models"].items()
        },
        "speed": stage_speed.totals(run),
        "longest": [[stage.name, stage.seconds, stage.tokens] for stage in stages[:LONGEST]],
    }


def _final_answers(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the final-answer errors of a policy on a set, by decoding, one sample's among them."""
    one = {} if measured["one_sample"] is None else {ONE_SAMPLE: measured["one_sample"]}
    return {
        how: {"value": each[FINAL_ANSWER], "interval": each["intervals"][FINAL_ANSWER], "n": each["n"]}
        for how, each in {**one, **measured["decoding"]}.items()
    }


def markdown(found: Results) -> str:
    """Return every table of what `kept` returns."""
    parts = (
        _errors(found),
        _readings(found),
        _pass_at_k(found),
        _votes(found),
        _bounds(found),
        _label_sources(found),
        _reward_models(found),
        _processbench(found),
        _speed(found),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _errors(results: Results) -> Iterator[str]:
    yield "## Final-answer error\n"
    yield "| set | policy | decoding | error | n |\n|---|---|---|---|---|"
    for split, policy in _pairs(results):
        measured = results["models"][policy][split]
        for how in names.decodings_in_order(measured):
            cells = names.decoding(how), _cell(measured[how]), measured[how]["n"]
            yield _row(names.label(names.SETS, split), names.label(names.MODELS, policy), *cells)


def _readings(results: Results) -> Iterator[str]:
    yield "## Answers as they are written\n"
    yield "Wrong by the strict reading (behind `####`), by the flexible one, and without an answer in any form.\n"
    yield "| set | policy | solutions | strict | flexible | unparsed | n |\n|---|---|---|---|---|---|---|"
    for split, policy in _pairs(results):
        for how, found in _text(results, policy, split)["readings"].items():
            cells = (names.with_interval(found[name], found["intervals"][name]) for name in FIGURES)
            title = names.label(names.SETS, split), names.label(names.MODELS, policy), names.decoding(how)
            yield _row(*title, *cells, found["n"])


def _pass_at_k(results: Results) -> Iterator[str]:
    found = {pair: _text(results, pair[1], pair[0])["pass_at_k"] for pair in _pairs(results)}
    ks = sorted({int(k) for each in found.values() for k in each})
    yield "## pass@k\n"
    yield _row("set", "policy", *(f"k = {k}" for k in ks), "n")
    yield "|" + "---|" * (len(ks) + 3)
    for (split, policy), each in found.items():
        cells = (_cell(each.get(str(k))) for k in ks)
        n = max((one["n"] for one in each.values()), default=names.UNKNOWN)
        yield _row(names.label(names.SETS, split), names.label(names.MODELS, policy), *cells, n)


def _votes(results: Results) -> Iterator[str]:
    found = {pair: _text(results, pair[1], pair[0])["votes"] for pair in _pairs(results)}
    ks = sorted({int(k) for by_decoding in found.values() for each in by_decoding.values() for k in each})
    yield "## Votes over the first k samples: final-answer error\n"
    yield _row("set", "policy", "decoding", *(f"k = {k}" for k in ks))
    yield "|" + "---|" * (len(ks) + 3)
    for (split, policy), by_decoding in found.items():
        for how, each in by_decoding.items():
            cells = (_cell(each.get(str(k))) for k in ks)
            title = names.label(names.SETS, split), names.label(names.MODELS, policy), names.decoding(how)
            yield _row(*title, *cells)


def _bounds(results: Results) -> Iterator[str]:
    yield "## Traces of right answers\n"
    yield (
        "No oracle knows these traces. The calculator's share is a lower bound of trace error; intermediate values "
        "miss some wrong steps, and call right ones wrong that go another way than the reference.\n"
    )
    yield "| set | policy | decoding | wrong arithmetic | a value that the reference lacks | n |"
    yield "|---|---|---|---|---|---|"
    for split, policy in _pairs(results):
        bounds = _text(results, policy, split)["trace_bounds"]
        for how in names.decodings_in_order(bounds):
            sources = [bounds[how].get(source, {}) for source in ("calculator", "intermediate")]
            cells = map(_cell, sources)
            title = names.label(names.SETS, split), names.label(names.MODELS, policy), names.decoding(how)
            yield _row(*title, *cells, sources[0]["n"])


def _label_sources(results: Results) -> Iterator[str]:
    found = results["real_problems"]["label_sources"]
    yield "## What sources of labels say of the same samples\n"
    yield f"{found['samples']:,} samples of {found['problems']:,} training problems by the SFT policy.\n"
    yield "| source | steps right | traces right | traces of right answers right | n |\n|---|---|---|---|---|"
    for source, each in found["sources"].items():
        cells = (_cell(each[what]) for what in ("steps", "traces", "right_answers"))
        yield _row(source, *cells, each["right_answers"]["n"])
    yield "\n| agree on a step | share | n |\n|---|---|---|"
    for pair, each in found["agreement"].items():
        yield _row(" and ".join(pair.split()), _cell(each), each["n"])


def _reward_models(results: Results) -> Iterator[str]:
    yield "## Reward models on validation samples of the SFT policy\n"
    yield "| reward model | agrees with outcome labels | AUC on them | steps |\n|---|---|---|---|"
    for rm, each in results["reward_models"].items():
        cells = (
            names.with_interval(each[what]["outcome"], each["intervals"][f"{what}.outcome"], write)
            for what, write in (("agreement", names.percent), ("auc", names.ratio))
        )
        yield _row(names.reward_model(rm), *cells, each["agreement_n"]["outcome"])


def _processbench(results: Results) -> Iterator[str]:
    yield "## ProcessBench, GSM8K's split\n"
    found = results["real_problems"].get("processbench")
    if found is None:
        yield "Not measured in this run."
        return
    yield "| reward model | F1 | first wrong step found | n | no step of a right one called wrong | n |"
    yield "|---|---|---|---|---|---|"
    for rm, each in found["judges"].items():
        f1, wrong, right = (
            names.with_interval(each[name], each["intervals"][name]) for name in ("f1", "erroneous", "correct")
        )
        yield _row(names.reward_model(rm), f1, wrong, each["erroneous_n"], right, each["correct_n"])


def _speed(results: Results) -> Iterator[str]:
    yield "## Time\n"
    yield "Tokens a second are over the time without compiling.\n"
    yield "| | stages | time | of it compiling | tokens | tokens/s |\n|---|---|---|---|---|---|"
    for kind, each in results["speed"].items():
        tokens, rate = each["tokens"], each["tokens_per_s"]
        counts = (names.UNKNOWN if value is None else f"{value:,.0f}" for value in (tokens, rate))
        yield _row(kind, each["stages"], names.duration(each["seconds"]), names.duration(each["compile_s"]), *counts)
    yield "\n| longest stages | time | tokens |\n|---|---|---|"
    for stage, seconds, tokens in results["longest"]:
        yield _row(stage, names.duration(seconds), names.UNKNOWN if tokens is None else f"{tokens:,}")


def _cell(found: Mapping[str, Any] | None) -> str:
    """Write a value with its interval, a dash where there is none."""
    return names.UNKNOWN if found is None else names.with_interval(found.get("value"), found.get("interval"))


def _pairs(results: Results) -> Iterator[tuple[str, str]]:
    """Yield every set and policy, in the order of tables."""
    models = results["models"]
    sets = names.in_order(names.SETS, {split for each in models.values() for split in each})
    for split in sets:
        yield from ((split, policy) for policy in names.in_order(names.MODELS, models) if split in models[policy])


def _text(results: Results, policy: str, split: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = results["real_problems"]["text"][policy][split]
    return found


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
