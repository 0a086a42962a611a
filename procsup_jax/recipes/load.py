"""From the name of a recipe, or a file of the user's, to its functions."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import importlib.util
import pathlib
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

import procsup_jax.recipes
from procsup_jax.errors import UserError
from procsup_jax.recipes.settings import DEFAULT_RECIPE, ExperimentSettings
from procsup_jax.runner.graph import Graph

_SUFFIX = ".py"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Hold what a recipe's module has: `graph(settings)`, and, where it has them, `check(settings)` and `Settings`."""

    graph: Callable[[Any], Graph]
    check: Callable[[Any], None]
    settings: type[ExperimentSettings]


def load(name: str) -> Recipe:
    """Return a recipe that comes with procsup, by its name, or that of a Python file, which is run.

    Raises UserError where there is none, where the file fails, and where it lacks what a recipe has.
    """
    module = _run(pathlib.Path(name)) if name.endswith(_SUFFIX) else _own(name)
    graph = getattr(module, "graph", None)
    if not callable(graph):
        raise UserError(f"recipe {name} has no function graph(settings) that returns a Graph (docs/recipes.md)")
    settings = getattr(module, "Settings", ExperimentSettings)
    if not (isinstance(settings, type) and issubclass(settings, ExperimentSettings)):
        raise UserError(f"recipe {name}: its Settings are {settings!r}, expected a subclass of ExperimentSettings")
    return Recipe(graph, getattr(module, "check", lambda settings: None), settings)


def settings_class(config: Mapping[str, Any]) -> type[ExperimentSettings]:
    """Return the class of the settings that a configuration describes: that of the recipe it names."""
    name = config.get("recipe", DEFAULT_RECIPE)
    return load(name).settings if isinstance(name, str) else ExperimentSettings


def names() -> list[str]:
    """Return the recipes that come with procsup."""
    folder = pathlib.Path(procsup_jax.recipes.__file__).parent
    found = (each.name for each in pkgutil.iter_modules([str(folder)]))
    return sorted(name for name in found if "\ndef graph(" in (folder / f"{name}{_SUFFIX}").read_text("utf-8"))


def _own(name: str) -> Any:
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"did you mean {near[0]}?" if near else "or give the path of a .py file of yours"
        raise UserError(f"setting config.recipe is {name!r}; procsup has {', '.join(names())}; {hint}")
    return importlib.import_module(f"procsup_jax.recipes.{name}")


def _run(path: pathlib.Path) -> Any:
    if not path.is_file():
        raise UserError(f"setting config.recipe is {str(path)!r}, and there is no such file; check the path")
    # Dataclasses look their module up by its name: one recipe's must not be another's.
    key = f"procsup_recipe_{path.stem}_{abs(hash(path.resolve())):x}"
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    known = sys.modules.get(key)
    if known is not None:
        return known
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except UserError:
        del sys.modules[key]
        raise
    except Exception as error:
        del sys.modules[key]
        raise UserError(f"cannot read the recipe {path}: {type(error).__name__}: {error}") from error
    return module
