"""Take as few and as noisy step labels of a finished run as people gave the paper's PRM.

python experiments/findings/few_labels.py RUN [--num 1560] [--agreement 0.92] [--seed 0] --output FOLDER

RUN is the folder of a finished run of configs/findings.py. Of the solutions that its PRM learned from, NUM are drawn;
in a share of 1 - AGREEMENT of them another first mistake than the oracle's is marked, drawn among the other steps and
none. FOLDER then holds problems.jsonl, samples.jsonl and labels.jsonl for procsup train --task=prm (README.md, "ORM
against PRM in final answers", has the commands).
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import random
from collections.abc import Sequence

import finished

from procsup_jax import records
from procsup_jax.errors import UserError
from procsup_jax.types import StepLabels

PROBLEMS, SAMPLES, LABELS = "data/rm.jsonl", "samples/sft.rm.jsonl", "labels/sft.rm.oracle.jsonl"
RATER = "oracle, some moved"


def main(argv: Sequence[str] | None = None) -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=pathlib.Path, metavar="RUN")
    parser.add_argument("--num", type=int, default=1560, help="labelled solutions (the paper's: 1,560)")
    parser.add_argument("--agreement", type=float, default=0.92, help="share whose first mistake stays (people's: .92)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path, required=True, metavar="FOLDER")
    args = parser.parse_args(argv)
    if not 0 <= args.agreement <= 1:
        parser.error(f"--agreement={args.agreement}: expected a share from 0 to 1")
    if missing := [name for name in (PROBLEMS, SAMPLES, LABELS) if not (args.run / name).is_file()]:
        raise UserError(f"{args.run} has no {missing[0]}: name the folder of a finished run of configs/findings.py")
    labels = records.read_labels(args.run / LABELS)
    if not 1 <= args.num <= len(labels):
        parser.error(f"--num={args.num}: expected from 1 to {len(labels)}, all that the run has")
    kept = few(labels, args.num, args.agreement, args.seed)
    args.output.mkdir(parents=True, exist_ok=True)
    keys, uids = {label.key for label in kept}, {label.problem_uid for label in kept}
    samples = [sample for sample in records.read_samples(args.run / SAMPLES) if sample.key in keys]
    records.write_problems(
        args.output / "problems.jsonl",
        [each for each in records.read_problems(args.run / PROBLEMS) if each.uid in uids],
    )
    records.write_samples(args.output / "samples.jsonl", samples)
    records.write_labels(args.output / "labels.jsonl", kept)
    print(f"{len(kept)} labelled solutions of {len(uids)} problems are in {args.output}")


def few(labels: Sequence[StepLabels], num: int, agreement: float, seed: int) -> list[StepLabels]:
    """Return `num` of the labels, in their order, the first mistake of a share of 1 - `agreement` moved."""
    rng = random.Random(seed)
    kept = [labels[i] for i in sorted(rng.sample(range(len(labels)), num))]
    moved = set(rng.sample(range(num), round(num * (1 - agreement))))
    return [
        dataclasses.replace(label, rater=RATER, first_error=_another(label, rng) if i in moved else label.first_error)
        for i, label in enumerate(kept)
    ]


def _another(label: StepLabels, rng: random.Random) -> int:
    return rng.choice([step for step in range(-1, label.num_steps) if step != label.first_error])


if __name__ == "__main__":
    finished.command(main)
