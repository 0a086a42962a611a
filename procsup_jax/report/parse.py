"""From results.json to `results.Results`: the one place that knows its keys (docs/report.md)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from procsup_jax.errors import UserError
from procsup_jax.evals.findings import Approach
from procsup_jax.report.results import Agreement, Decoding, Difference, Epoch, Estimate, Evaluation, Results

CURVES = ("validation_error", "test_error", "trace_error")


def parse(raw: Mapping[str, Any]) -> Results:
    """Return results.json as `Results`; every part but `models` may be missing.

    Raises:
      UserError: a value of another kind, named by its dotted path.

    """
    if not isinstance(raw, Mapping) or not isinstance(raw.get("models"), Mapping):
        raise UserError(
            'results hold no "models", expected {"models": {name: {set: ...}}}; write them with procsup run'
        )
    models = {
        model: {
            test_set: _evaluation(value, f"models.{model}.{test_set}")
            for test_set, value in _mapping(sets, f"models.{model}").items()
        }
        for model, sets in raw["models"].items()
    }
    wall_clock = _mapping(raw.get("wall_clock"), "wall_clock")
    curves = _mapping(raw.get("curves"), "curves")
    verifiers = _reward_models(raw.get("reward_models"), "reward_models")
    return Results(
        name=str(raw.get("name", "run")),
        seed=raw.get("seed"),
        config=_mapping(raw.get("config"), "config"),
        versions=_mapping(raw.get("versions"), "versions"),
        wall_clock={stage: _number(value, f"wall_clock.{stage}") for stage, value in wall_clock.items()},
        models=models,
        verifiers=verifiers or _own_verifiers(models),
        verifiers_own=not verifiers,
        curves={name: _epochs(value, f"curves.{name}") for name, value in curves.items()},
        base=_mapping(raw.get("base"), "base"),
        differences=_all_differences(raw),
        supervision={
            name: {kind: _number(count, f"supervision.{name}.{kind}") for kind, count in _mapping(cost, name).items()}
            for name, cost in _mapping(raw.get("supervision"), "supervision").items()
        },
    )


def _reward_models(raw: Any, path: str) -> dict[str, dict[str, Estimate]]:
    found = {
        name: _verifier(_mapping(value, f"{path}.{name}"), f"{path}.{name}")
        for name, value in _mapping(raw, path).items()
    }
    return {name: measures for name, measures in found.items() if measures}


def _verifier(raw: Mapping[str, Any], path: str) -> dict[str, Estimate]:
    intervals = _mapping(raw.get("intervals"), f"{path}.intervals")
    found = {}
    for measure in ("auc", "agreement"):
        counts = _mapping(raw.get(f"{measure}_n"), f"{path}.{measure}_n")
        for kind, value in _mapping(raw.get(measure), f"{path}.{measure}").items():
            key = f"{measure}.{kind}"
            if value is not None:
                found[key] = _estimate(value, intervals.get(key), counts.get(kind), f"{path}.{key}")
    return found


def _own_verifiers(models: Mapping[str, Mapping[str, Evaluation]]) -> dict[str, Mapping[str, Estimate]]:
    """Return what was measured on each model's own test samples, for a run that has none of its reward models'."""
    return {
        f"{model}_{rm}": measures
        for model, sets in models.items()
        for rm, measures in (sets["test"].verifiers if "test" in sets else {}).items()
    }


def _all_differences(raw: Mapping[str, Any]) -> dict[tuple[str, Approach, Approach, str], Difference]:
    found: dict[tuple[str, Approach, Approach, str], Difference] = {}
    listed = raw.get("differences") or []
    if not isinstance(listed, list):
        raise UserError(f"results: differences is {listed!r}, expected a list of objects")
    for i, entry in enumerate(listed):
        path = f"differences[{i}]"
        entry = _mapping(entry, path)
        a, b = (_approach(entry.get(side), entry, path) for side in ("a", "b"))
        test_set = str(entry.get("set", "test"))
        for metric, difference in _differences(entry, path):
            found[test_set, a, b, metric] = difference
    for model, sets in raw["models"].items():
        for test_set, evaluation in _mapping(sets, f"models.{model}").items():
            path = f"models.{model}.{test_set}.minus_majority"
            for decoding, entry in _mapping(_mapping(evaluation, path).get("minus_majority"), path).items():
                for metric, difference in _differences(_mapping(entry, f"{path}.{decoding}"), f"{path}.{decoding}"):
                    found[test_set, (model, decoding), (model, "majority"), metric] = difference
    return found


def _approach(value: Any, entry: Mapping[str, Any], path: str) -> Approach:
    if not isinstance(value, list) or len(value) != 2:
        raise UserError(f'results: {path} is {dict(entry)!r}, expected "a": [model, decoding] and "b" likewise')
    return str(value[0]), str(value[1])


def _differences(raw: Mapping[str, Any], path: str) -> list[tuple[str, Difference]]:
    intervals = _mapping(raw.get("intervals"), f"{path}.intervals")
    found = []
    for metric in ("final_answer_error", "trace_error"):
        interval = intervals.get(metric)
        if raw.get(metric) is None or interval is None:
            continue
        lo, hi = _pair(interval, f"the interval of {path}.{metric}")
        found.append((metric, Difference(_number(raw[metric], f"{path}.{metric}"), lo, hi)))
    return found


def _evaluation(raw: Any, path: str) -> Evaluation:
    raw = _mapping(raw, path)
    decodings = {
        name: _decoding(_mapping(value, f"{path}.decoding.{name}"), f"{path}.decoding.{name}")
        for name, value in _mapping(raw.get("decoding"), f"{path}.decoding").items()
        if _mapping(value, f"{path}.decoding.{name}").get("final_answer_error", 0) is not None
    }
    if raw.get("one_sample") is not None:
        one = _mapping(raw["one_sample"], f"{path}.one_sample")
        decodings = {"one_sample": _decoding(one, f"{path}.one_sample"), **decodings}
    tables = _mapping(raw.get("agreement"), f"{path}.agreement")
    agreement = {where: _agreement(table, f"{path}.agreement.{where}") for where, table in tables.items()}
    return Evaluation(
        decodings,
        {where: table for where, table in agreement.items() if table.share},
        _reward_models(raw.get("reward_models"), f"{path}.reward_models"),
        _largest(raw.get("samples_per_problem"), f"{path}.samples_per_problem"),
        _emulation(raw.get("emulation"), f"{path}.emulation"),
    )


def _emulation(raw: Any, path: str) -> dict[str, dict[str, Difference]]:
    found: dict[str, dict[str, Difference]] = {}
    for where, measured in _mapping(raw, path).items():
        for name, each in _mapping(_mapping(measured, f"{path}.{where}").get("by"), f"{path}.{where}.by").items():
            at = f"{path}.{where}.by.{name}"
            interval = _mapping(_mapping(each, at).get("intervals"), f"{at}.intervals").get("gap")
            if interval is not None:
                gap = Difference(_number(each.get("gap"), f"{at}.gap"), *_pair(interval, f"the interval of {at}.gap"))
                found.setdefault(where, {})[name] = gap
    return found


def _largest(counts: Any, path: str) -> int | None:
    return None if counts is None else int(_pair(counts, path)[1])


def _decoding(raw: Mapping[str, Any], path: str) -> Decoding:
    intervals = _mapping(raw.get("intervals"), f"{path}.intervals")
    final = _estimate(
        raw.get("final_answer_error"), intervals.get("final_answer_error"), raw.get("n"), f"{path}.final_answer_error"
    )
    trace = None
    if raw.get("trace_error") is not None:
        trace = _estimate(raw["trace_error"], intervals.get("trace_error"), raw.get("trace_n"), f"{path}.trace_error")
    ends = [
        None if raw.get(key) is None else _share(raw[key], f"{path}.{key}")
        for key in ("trace_error_min", "trace_error_max")
    ]
    return Decoding(final, trace, ends[0], ends[1], _selective(raw.get("selective"), f"{path}.selective"))


def _selective(raw: Any, path: str) -> tuple[tuple[float, float], ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in raw):
        raise UserError(f"results: {path} is {raw!r}, expected [[abstained, error], ...]")
    return tuple((_share(share, path), _share(error, path)) for share, error in raw if error is not None)


def _agreement(raw: Any, path: str) -> Agreement:
    raw = _mapping(raw, path)
    share = {
        (row, column): _share(value, f"{path}.{row}.{column}")
        for row, cells in raw.items()
        if isinstance(cells, Mapping)
        for column, value in cells.items()
        if row != column and value is not None
    }
    return Agreement(share, _count(raw.get("n"), f"{path}.n"))


def _epochs(value: Any, path: str) -> list[Epoch]:
    if not isinstance(value, list):
        raise UserError(f"results: {path} is {value!r}, expected a list of objects, one an epoch")
    return [_epoch(_mapping(row, f"{path}[{i}]"), f"{path}[{i}]") for i, row in enumerate(value)]


def _epoch(raw: Mapping[str, Any], path: str) -> Epoch:
    errors = {key: _share(value, f"{path}.{key}") for key, value in raw.items() if key in CURVES and value is not None}
    return Epoch(_number(raw.get("epoch"), f"{path}.epoch"), errors, bool(raw.get("chosen")))


def _estimate(value: Any, interval: Any, n: Any, path: str) -> Estimate:
    share, count = _share(value, path), _count(n, f"the n of {path}")
    if interval is None:
        return Estimate(share, n=count)
    lo, hi = _pair(interval, f"the interval of {path}")
    return Estimate(share, _share(lo, path), _share(hi, path), count)


def _pair(interval: Any, path: str) -> tuple[float, float]:
    if not isinstance(interval, (list, tuple)) or len(interval) != 2:
        raise UserError(f"results: {path} is {interval!r}, expected [low, high]")
    return _number(interval[0], path), _number(interval[1], path)


def _count(value: Any, path: str) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise UserError(f"results: {path} is {value!r}, expected a whole number from 0")
    return value


def _share(value: Any, path: str) -> float:
    number = _number(value, path)
    if not 0 <= number <= 1:
        raise UserError(f"results: {path} is {value!r}, expected a share from 0 to 1 (no percentage)")
    return number


def _number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise UserError(f"results: {path} is {value!r}, expected a number")
    return float(value)


def _mapping(value: Any, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError(f"results: {path} is {value!r}, expected an object")
    return value
