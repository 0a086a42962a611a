"""Made-up problems of GSM8K and further sets, in the forms in which the real ones are published."""

import json


def solved(i, num_steps):
    """Return a problem in GSM8K's form whose solution has so many steps and an answer."""
    steps = [f"Ann has {i}+{k}=<<{i}+{k}={i + k}>>{i + k} pens." for k in range(1, num_steps + 1)]
    question = f"Ann has {i} pens and gets {num_steps} more. How many has she?"
    return {"question": question, "answer": "\n".join([*steps, f"#### {i + num_steps}"])}


def write(folder, further=("ood", "svamp", "processbench")):
    """Write GSM8K's files and those of further sets into a folder; return the flags of `run` that name them."""
    rows = {
        "train": [solved(i, 1 + i % 4) for i in range(270)],
        "test": [solved(i, 2 + 3 * (i % 2)) for i in range(300, 308)],
        "ood": [
            {"problem": f"${i}+1$?", "level": "Level 1", "type": "Prealgebra", "solution": f"$\\boxed{{{i + 1}}}$"}
            for i in range(3)
        ],
        "svamp": [{"ID": f"{i}", "Body": "Ann has 2 pens.", "Question": "How many?", "Answer": 2.0} for i in range(3)],
        "processbench": [
            {"id": f"gsm8k-{i}", "generator": "one", "problem": "Ann has 2 pens and gets 2. How many?",
             "steps": ["2+2 is 4.", "So 5."], "label": i - 1, "final_answer_correct": i == 0}
            for i in range(3)
        ],
    }  # fmt: skip
    for name in ("train", "test", *further):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows[name]))
    return [f"--config.data.path={folder}", *(f"--config.data.{name}_path={folder / name}.jsonl" for name in further)]
