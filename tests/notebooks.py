"""Runs a notebook of colab/ as Jupyter would, in this process: `!procsup` is the command itself, and shows are kept."""

import json
import pathlib
import re
import shlex
import sys
import types

from procsup_jax import main

ROOT = pathlib.Path(__file__).parents[1]


class Notebook:
    """A notebook in an otherwise empty folder that has the repository's configs, as if set up already."""

    def __init__(self, name, folder, monkeypatch):
        self.cells = code_cells(name)
        self.names, self.commands, self.shown = {"pathlib": pathlib, "_shell": self._shell}, [], []
        (folder / "configs").symlink_to(ROOT / "configs")
        monkeypatch.chdir(folder)
        monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
        monkeypatch.setitem(sys.modules, "IPython.display", self._displays())

    def _displays(self):
        module = types.ModuleType("IPython.display")
        module.HTML = str
        module.IFrame = lambda src, width, height, extras: " ".join(extras)
        module.display = self.shown.append
        return module

    def run(self, **values):
        """Run every cell after the set-up, with the given values in its forms (`name = value  # @param`)."""
        used = set()
        for cell in self.cells[1:]:
            for name, value in values.items():
                changed = re.sub(rf"^{name} = .*(?=  # @param)", f"{name} = {value!r}", cell, flags=re.MULTILINE)
                used |= {name} if changed != cell else set()
                cell = changed
            exec(compile(python_of(cell), "cell", "exec"), self.names)
        assert used == set(values), "a form that the notebook has not"
        return self.names

    def _shell(self, line):
        words = shlex.split(line)
        assert words[0] == "procsup", f"the test does not run {line}"
        self.commands.append(shlex.join(words[1:]))
        assert main.main(words[1:]) == 0, line


def code_cells(name):
    """Return the sources of a notebook's code cells."""
    return [cell["source"] for cell in read(name)["cells"] if cell["cell_type"] == "code"]


def read(name):
    """Return a notebook of colab/."""
    return json.loads((ROOT / f"colab/{name}.ipynb").read_text(encoding="utf-8"))


def python_of(cell):
    """Return a cell as plain Python: `!command {name}` becomes a call of `_shell`, values put in."""
    cell = re.sub(r" *\\\n *", " ", cell)
    return re.sub(r"^( *)!(.*)$", lambda match: f"{match[1]}_shell(f{match[2]!r})", cell, flags=re.MULTILINE)
