"""A package imports only what stands above it (docs/design.md, "Layout")."""

import ast
import pathlib
import re

import procsup_jax

ROOT = pathlib.Path(procsup_jax.__file__).parent
ORDER = (
    "errors", "surroundings", "signals", "supervisor", "docstrings", "ranges", "free", "fields", "claims",
    "temporaries", "remote", "places", "flags", "arguments", "usage", "files", "lock", "types", "roster", "grouping",
    "progress", "processes", "joining", "compilation", "json_lines", "journal", "mirror", "text", "records", "shards",
    "data", "parallel", "models", "io", "decode", "searching", "labels", "training", "improve", "evals", "report",
    "settings",
    "interface", "runner", "recipes", "planning", "jobs", "main", "console", "__main__",
)  # fmt: skip


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("procsup_jax"):
            names = [node.module] if node.module != "procsup_jax" else [f"procsup_jax.{a.name}" for a in node.names]
            yield from (name.split(".")[1] for name in names)
        if isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("procsup_jax."))


def test_every_package_has_its_place():
    found = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")} - {"__init__"}
    assert found == set(ORDER)


def test_packages_import_only_what_stands_above_them():
    wrong = []
    for path in ROOT.rglob("*.py"):
        package = path.relative_to(ROOT).parts[0].removesuffix(".py")
        for name in imports(path):
            if package != "__init__" and ORDER.index(name) > ORDER.index(package):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_the_design_lists_the_packages_in_their_order():
    text = (ROOT.parent / "docs" / "design.md").read_text(encoding="utf-8")
    listed = re.findall(r"^([a-z_]+)(?:/|\.py) {2,}", text, re.MULTILINE)
    assert listed == [*ORDER, "pretrained"]  # the last one holds no code


def test_outside_libraries_stay_where_they_belong():
    homes = {
        "flax": ("models",),
        "orbax": ("io",),
        "ml_collections": ("settings.py",),
        "safetensors": ("io",),
        "gguf": ("io",),
    }
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import tensorflow\n" not in text, path
        for library, places in homes.items():
            if f"import {library}" in text or f"from {library}" in text:
                assert path.relative_to(ROOT).parts[0] in places, path


def test_no_function_takes_more_than_eight_parameters():
    long = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                names = [each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                if len([name for name in names if name not in ("self", "cls")]) > 8:
                    long.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not long
