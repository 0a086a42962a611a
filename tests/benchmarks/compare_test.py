import os

import pytest

from benchmarks import __main__ as command
from benchmarks import compare, runner, table
from procsup_jax.errors import UserError

SETTING = runner.Setting(core=max(os.sched_getaffinity(0)), rounds=2)


def test_a_checkout_takes_turns_with_another(monkeypatch):
    roots, started = [], runner.Contender.__init__

    def start(self, *args, root, **options):
        roots.append(root)
        started(self, *args, root=root, **options)

    monkeypatch.setattr(runner.Contender, "__init__", start)
    [record] = compare.records(["training"], ["tiny"], runner.ROOT, SETTING)
    assert roots == [runner.ROOT] * 2
    assert (record["what"], record["size"], record["n"]) == ("training", "tiny", 2)
    assert record["old"]["facts"].keys() == {"loss"} and record["new"]["rate"]["median"] > 0
    assert record["ratio"]["min"] <= record["ratio"]["median"] <= record["ratio"]["max"]
    assert "| training | " in table.tables([record])


def test_what_is_no_checkout_is_one_line(tmp_path, capsys):
    with pytest.raises(UserError, match="expected a checkout of this project"):
        list(compare.records(["training"], ["tiny"], tmp_path, SETTING))
    assert command.main(["compare", "demo", "--old", str(tmp_path)]) == 2
    assert "compare 'demo': expected some of sampling, scoring, search, training" in capsys.readouterr().err
