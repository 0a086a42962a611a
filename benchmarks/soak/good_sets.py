"""Good files of others' problem sets, of a run's report and of training, and the command lines that read them."""

from __future__ import annotations

import json
import pathlib

from benchmarks.soak.trial import Trial

_RESULTS = pathlib.Path(__file__).parents[2] / "experiments/findings/runs/shipped-0.json"
_ASDIV = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<Machine-Reading-Corpus-File><ProblemSet>'
    '<Problem ID="nluds-0001" Grade="1" Source="http://www.k5learning.com"><Body>Seven red apples and two green ones '
    "are in the basket.</Body><Question>How many apples are in the basket?</Question><Solution-Type>Addition"
    "</Solution-Type><Answer>9 (apples)</Answer><Formula>7+2=9</Formula></Problem>"
    '<Problem ID="nluds-0002" Grade="2"><Body>Ann &amp; Bob share 3.</Body><Question>Each?</Question>'
    "<Answer>3/2</Answer></Problem></ProblemSet></Machine-Reading-Corpus-File>\n"
)
_SVAMP = [
    {"ID": f"chal-{i}", "Body": "Dan had 8 pens.", "Question": "How many are left?", "Equation": "( 8.0 - 3.0 )",
     "Answer": 5.0 + i, "Type": "Subtraction"} for i in range(3)
]  # fmt: skip
_MULTIARITH = [
    {"iIndex": i, "sQuestion": " He had 9 and got 3. How many? ", "lEquations": ["X=9+3"], "lSolutions": [12.0]}
    for i in range(3)
]
_MATH = {"problem": "What is $\\frac{1}{2}+1$?", "level": "Level 1", "type": "Prealgebra",
         "solution": "It is $1+\\frac12=\\boxed{\\frac{3}{2}}$."}  # fmt: skip
_GSM8K = [
    {
        "question": "He had 48 and half of it more?",
        "answer": "Half is 48/2 = <<48/2=24>>24.\nAll: <<48+24=72>>72\n#### 72",
    },
    {"question": "And 1,000 more?", "answer": "It is <<72+1000=1072>>1072.\n#### 1,072"},
]
_PROMPTED = [{"prompt": "How many are 2 and 3?\n", "completion": "2+3=5\n#### 5"}]
_EXAMPLE = {
    "problem_uid": "p1", "question": "How many?", "answer": "3", "predicted": "3", "set": "test", "model": "sft",
    "decoding": "majority", "steps": ["1+2=3", "#### 3"], "step_probs": {"orm": [0.4, 0.5], "prm": [0.9, 0.8]},
    "correct": True, "labels": [1, 1], "trace_correct": True, "reason": [None, None],
}  # fmt: skip


def make(folder: pathlib.Path) -> list[Trial]:
    """Write the files into a folder and return what to try."""
    return [*_published(folder), *_report(folder)]


def training(folder: pathlib.Path, model: str) -> list[Trial]:
    """Return fits of one step on the records in the folder and, for SFT, on prompts and completions written here."""
    _lines(folder / "prompted.jsonl", _PROMPTED * 3)
    short = (
        "--config=train",
        "--config.fit.num_steps=1",
        "--config.fit.batch_size=1",
        "--config.fit.checkpoint_every=0",
    )
    given = (f"--model={{}}/{model}", "--output={}/out", "--force", *short)
    solved = ("--problems={}/p.jsonl", "--samples={}/s.jsonl")
    return [
        Trial("prompted.jsonl", ("train", "--task=sft", "--problems={}/prompted.jsonl", *given)),
        Trial("labels.jsonl", ("train", "--task=prm", *solved, "--labels={}/labels.jsonl", *given)),
    ]


def _published(folder: pathlib.Path) -> list[Trial]:
    (folder / "svamp.json").write_text(json.dumps(_SVAMP, indent=1))
    (folder / "asdiv.xml").write_text(_ASDIV)
    (folder / "multiarith.json").write_text(json.dumps(_MULTIARITH, indent=1))
    math = folder / "MATH/test/prealgebra"
    math.mkdir(parents=True)
    (math / "1.json").write_text(json.dumps(_MATH, indent=1))
    _lines(folder / "gsm8k.jsonl", _GSM8K)

    def trial(file: str, dataset: str, path: str = "") -> Trial:
        return Trial(file, ("data", f"--dataset={dataset}", f"--path={{}}/{path or file}", "--output={}/out"))

    return [
        trial("svamp.json", "svamp"),
        *[trial("asdiv.xml", "asdiv")] * 2,
        trial("multiarith.json", "multiarith"),
        trial("MATH/test/prealgebra/1.json", "math_prealgebra", "MATH"),
        trial("gsm8k.jsonl", "gsm8k"),
    ]


def _report(folder: pathlib.Path) -> list[Trial]:
    """Leave what a report is made of: a finished run's results, which took no damage, and some solutions."""
    run = folder / "finished"
    run.mkdir()
    (run / "results.json").write_bytes(_RESULTS.read_bytes())
    _lines(run / "examples.jsonl", [_EXAMPLE | {"problem_uid": f"p{i}"} for i in range(3)])
    argv = ("report", "--workdir={}/finished")
    return [Trial("finished/results.json", argv)] * 2 + [Trial("finished/examples.jsonl", argv)] * 2


def _lines(path: pathlib.Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
