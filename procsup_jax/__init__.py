"""Process- and outcome-supervised reasoning in JAX, after Uesato et al. 2022 (arXiv 2211.14275).

Problems, samples, scores and labels are records (`procsup_jax.types`); a `Model` is loaded with `load_model`; `sample`,
`search`, `score`, `label`, `train`, `vote` and `evaluate` are the jobs of the `procsup` command. Names are imported
when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "interface": ("evaluate", "label", "sample", "score", "search", "train", "vote", "Lesson", "Trained"),
    "io.models": ("load_model", "save_model"),
    "io.foreign": ("read_any",),
    "models.model": ("Model",),
    "text.layout": ("Layout",),
    "decode.settings": ("DecodeSettings",),
    "searching.vote": ("Choice",),
    "searching.settings": ("StepSearchSettings", "TreeSearchSettings"),
    "training.settings": ("TrainSettings", "FitSettings", "OptimSettings"),
    "journal": ("Journal",),
    "errors": ("UserError",),
    "types": ("Problem", "Sample", "Score", "StepLabels"),
    "records": (
        "read_labels", "read_problems", "read_samples", "read_scores",
        "write_labels", "write_problems", "write_samples", "write_scores",
    ),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
