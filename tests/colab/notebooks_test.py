"""The notebooks: small, empty, readable, set up without touching jax. What their cells do is tested beside the runs."""

import importlib.metadata
import runpy

import pytest
from notebooks import ROOT, code_cells, python_of, read

NAMES = ("quickstart", "your_model", "tpu")


def test_these_are_all():
    assert {path.stem for path in (ROOT / "colab").glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_readable_and_empty(name):
    path, notebook = ROOT / f"colab/{name}.ipynb", read(name)
    assert path.stat().st_size < 12_000 and notebook["nbformat"] == 4
    first, *rest = notebook["cells"]
    assert first["source"].startswith("# ") and "colab-badge.svg" in first["source"]
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in rest:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            assert len(cell["source"].splitlines()) <= 15
            compile(python_of(cell["source"]), name, "exec")
    assert sum(cell["cell_type"] == "markdown" for cell in rest) >= len(rest) / 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [".", "colab"])
def test_set_up_inside_a_clone_installs_and_clones_nothing(name, place, monkeypatch):
    commands = []
    monkeypatch.chdir(ROOT / place)
    names = {"_shell": commands.append}
    exec(compile(python_of(code_cells(name)[0]), name, "exec"), names)
    assert commands == ["python colab/install.py"] and names["root"] == ROOT.resolve()


@pytest.mark.parametrize("name", NAMES)
def test_set_up_elsewhere_clones_what_it_is_told_to(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell, commands = python_of(code_cells(name)[0]), []
    with pytest.raises(AssertionError, match="give above the address that you cloned it from"):
        exec(compile(cell, name, "exec"), {"_shell": commands.append})
    (tmp_path / "procsup").mkdir()  # as the clone would
    told = cell.replace('repository = ""', 'repository = "git@host:me/it"')
    exec(compile(told, name, "exec"), {"_shell": commands.append})
    assert commands == ["git clone -q git@host:me/it procsup", "python colab/install.py"]


def test_installing_holds_jax_at_the_version_that_is_there():
    held = runpy.run_path(str(ROOT / "colab/install.py"))["constraints"]().splitlines()
    assert {f"{name}=={importlib.metadata.version(name)}" for name in ("jax", "jaxlib")} <= set(held)
