import importlib.util
import inspect
import pathlib
import re
import runpy
import shlex

import jax
import pytest

import procsup_jax
from procsup_jax import main
from procsup_jax.data.worlds import splits
from procsup_jax.main import JOBS
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer

ROOT = pathlib.Path(procsup_jax.__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
HAS_GENERATOR = all(importlib.util.find_spec(name) for name in ("griffe2md", "black"))


@pytest.mark.skipif(not HAS_GENERATOR, reason="griffe2md and black write the page")
def test_the_api_page_is_what_the_docstrings_give():
    page = runpy.run_path(str(ROOT / "docs" / "api.py"))["page"]()
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == page, "run `make docs`"


@pytest.mark.parametrize("name", procsup_jax.__all__)
def test_every_public_name_says_what_it_is(name):
    found = getattr(procsup_jax, name)
    assert callable(found)  # and no package of the same name
    described = inspect.getdoc(found) or ""
    assert described.split("\n")[0].endswith(".")
    assert not described.startswith(f"{name}(")  # what dataclasses say of themselves


@pytest.fixture
def tiny_run(tmp_path, monkeypatch, digits_bpe_folder):
    """Go to a folder that has a demo run's models, small and untrained."""
    tokenizer = load_tokenizer(digits_bpe_folder)
    config = api.ModelConfig(tokenizer.size, 1, 16, 2, 1, 8, 24, max_len=2048)
    policy = Model(config, api.init_params(config, jax.random.key(0)), tokenizer, layout_for(tokenizer, "lines"))
    monkeypatch.chdir(tmp_path)
    procsup_jax.save_model("runs/demo/models/sft", policy)
    for name in ("sft_orm", "sft_prm"):
        procsup_jax.save_model(f"runs/demo/models/{name}", policy.with_head(api.ClassifierHead()))


def test_the_readmes_python_works(tiny_run):
    procsup_jax.write_problems("p.jsonl", splits.problems("test", 2))
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, "README.md", "exec"), found := {})
    assert found["result"]["n"] == 2 and len(found["samples"]) == 16


def test_the_readmes_jobs_work_as_they_are_printed(tiny_run, capsys):
    """Fewer problems and tokens; the experiment's flags and settings are read, and it is not run."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## The jobs\n")[2]
    commands = [shlex.split(line) for line in re.findall(r"^procsup .*$", text.partition("\n## ")[0], re.MULTILINE)]
    short = {"data": ["--num=2"], "sample": ["--max_new_tokens=16"], "run": ["--help"]}
    short["search"] = ["--config=search", "--config.steps.max_new_tokens=16", "--config.tree.num_expansions=2"]
    ran = []
    for _, job, *flags in commands:
        if job != "report":  # of a whole run
            assert main.main([job, *flags, *short.get(job, [])]) == 0, f"{job}: {capsys.readouterr().err}"
        ran.append(job)
    assert set(ran) == {"data", "sample", "label", "score", "grade", "vote", "evaluate", "search", "report", "run"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(page):
    """The names that GitHub gives to headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_table_of_jobs_is_the_commands():
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").partition("\n## Records")[0]
    assert re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE) == list(JOBS)


def test_the_map_names_every_package():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    packages = {path.parent.name for path in ROOT.glob("procsup_jax/*/__init__.py")}
    assert set(re.findall(r"^\| `procsup_jax/([a-z]+)/`", text, re.MULTILINE)) == packages
