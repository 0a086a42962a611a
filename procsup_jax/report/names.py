"""What models, decodings, test sets and reward models are called on the page, and how shares are written."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence

from procsup_jax import roster
from procsup_jax.searching import decodings

_STARTS = {roster.FEW_SHOT: "Few-shot", roster.SFT: "SFT"}
_METHODS = {roster.FINAL_ANSWER_RL: "Final-Answer RL", roster.ORM_RL: "ORM-RL", roster.PRM_RL: "PRM-RL"}
MODELS = {
    policy: " + ".join([_STARTS[roster.start_of(policy)], *filter(None, [_METHODS.get(roster.method_of(policy))])])
    for policy in roster.POLICIES
}
_HOW = {
    "weighted": "{}-weighted",
    "best": "best by {}",
    "step": "step search by {}",
    "beam": "beam search by {}",
    "puct": "tree search by {}",
}
SETS = {
    "test": "test",
    "short": "test problems of few steps",
    "ood": "out-of-distribution",
    "svamp": "SVAMP",
    "asdiv": "ASDiv",
    "multiarith": "MultiArith",
}
# Of those who judge a step, as in the paper's figure; other reward models' predictions stand after the paper's two.
JUDGES = {
    "orm_prediction": "ORM prediction",
    "prm_prediction": "PRM prediction",
    "orm_label": "outcome label",
    "prm_label": "process label",
}
_JUDGES = {
    **{kind: kind.upper() for kind in roster.JUDGES},
    **{roster.prm_from(source): f"PRM ({source} labels)" for source in ("oracle", "intermediate", "rollouts")},
}
UNKNOWN = "–"


def label(names: dict[str, str], key: str) -> str:
    """Return the display name of a key; an unknown key is shown as it is, underscores as blanks."""
    return names.get(key, key.replace("_", " "))


def in_order(names: dict[str, str], keys: Iterable[str]) -> list[str]:
    """Return `keys` in the order of `names`, unknown keys last and sorted."""
    order = {name: i for i, name in enumerate(names)}
    return sorted(keys, key=lambda key: (order.get(key, len(order)), key))


def decoding(key: str) -> str:
    """Return the display name of a decoding, with whatever judge."""
    judge = decodings.judge_of(key)
    if judge is None:
        return key.replace("_", " ")
    return _HOW[key.removeprefix(f"{judge}_")].format(judge_name(judge))


def decodings_in_order(keys: Iterable[str]) -> list[str]:
    """Return the keys of decodings in the order of tables, one sample first."""
    keys = set(keys)
    known = ("one_sample", *decodings.in_order(sorted(filter(None, map(decodings.judge_of, keys)))))
    return in_order(dict.fromkeys(known, ""), keys)


def verdict(key: str) -> str:
    """Return the display name of who judges a step: a reward model's prediction, or labels."""
    judge, _, what = key.rpartition("_")
    return JUDGES.get(key) or f"{judge_name(judge)} {what}"


def verdicts_in_order(keys: Iterable[str]) -> list[str]:
    """Return who judges a step in the order of the paper's figure, other reward models before the labels."""
    place = {key: i for i, key in enumerate(JUDGES)}
    return sorted(keys, key=lambda key: (place.get(key, 1.5), key))


def judge_name(name: str) -> str:
    """Return the display name of a judge, the name that a reward model's scores are given under."""
    return _JUDGES.get(name, name)


def slug(*keys: str) -> str:
    """Return a file name and anchor for keys: lower case, digits and `-`; different keys stay different."""
    plain = "-".join(keys).replace("_", "-")
    safe = re.sub(r"[^a-z0-9-]+", "-", plain)
    return safe if safe == plain else f"{safe[:60]}-{zlib.crc32(plain.encode('utf-8', 'replace')):08x}"


def percent(share: float | None, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage without its sign, a dash for None."""
    return UNKNOWN if share is None else f"{100 * share:.{digits}f}"


def ratio(share: float | None) -> str:
    """Write a share in [0, 1] as a number with three decimals, a dash for None."""
    return UNKNOWN if share is None else f"{share:.3f}"


def with_interval(value: float | None, interval: Sequence[float] | None, write: Callable[..., str] = percent) -> str:
    """Return a value and its interval, both written by `write`: "7.6 [5.1, 10.2]"."""
    if value is None or interval is None:
        return write(value)
    return f"{write(value)} [{', '.join(map(write, interval))}]"


def points(difference: float) -> str:
    """Write a difference of shares in percentage points, with its sign."""
    written = f"{100 * difference:+.1f}"
    return "0.0" if written in ("+0.0", "-0.0") else written.replace("-", "−")


def approach(model: str, how: str) -> str:
    """Write a model with its decoding: `SFT (ORM-weighted)`."""
    return f"{label(MODELS, model)} ({decoding(how)})"


def reward_model(name: str) -> str:
    """Return a reward model's display name: `sft_orm` is "SFT ORM", `few_shot_orm_rl_orm` "Few-shot + ORM-RL ORM"."""
    parts = {**_JUDGES, **{part: part.replace("_", " ") for part in roster.CONTROLS}}
    known = {
        roster.rm_of(policy, part): f"{MODELS[policy]} {said}" for policy in MODELS for part, said in parts.items()
    }
    return known.get(name) or judge_name(name).replace("_", " ")


def verifier_kind(name: str) -> str:
    """Return the class name of a reward model's colour: "orm", "prm" or, for one of another name, "none"."""
    part = name.rpartition("_")[2]
    return part if part in (roster.ORM, roster.PRM) else "none"


def rl_kind(model: str) -> str:
    """Return how a model was trained on: "none", "final", "orm" or "prm" (the class names that the figures use)."""
    for suffix, kind in (("final_answer_rl", "final"), ("orm_rl", "orm"), ("prm_rl", "prm")):
        if model.endswith(suffix):
            return kind
    return "none"


def duration(seconds: float) -> str:
    """Write a time span: `7.4 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
