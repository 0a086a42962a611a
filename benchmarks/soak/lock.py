"""Two processes at once in one folder: one runs, the other says so in one line, and the results are as of one.

python -m benchmarks.soak lock --pairs=50 --seed=0
"""

from __future__ import annotations

import collections
import pathlib
import random
import shutil
import sys
import tempfile
import time

from benchmarks.soak import processes, work
from benchmarks.soak.result import Budget, Result

MAX_LEAD_S = 0.5
# How often each kind of pair is drawn: the longest ones seldom.
KINDS = {"train train": 2, "run run": 1, "finished run run": 2, "finished run report": 3, "finished report report": 12}


def run(budget: Budget, seed: int) -> Result:
    """Start pairs until the budget is spent: trainings, runs of a new folder, runs and reports of a finished one."""
    chance = random.Random(seed)
    counts: collections.Counter[str] = collections.Counter()
    faults = tried = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        experiment, train, finished = work.finished()
        begun = Budget(budget.tries)
        for number in budget:
            kind = chance.choices(list(KINDS), list(KINDS.values()))[0]
            job = train if kind == "train train" else experiment
            place = folder / f"pair{number}"
            if kind.startswith("finished"):
                shutil.copytree(finished, place)
            report = ["report", f"--workdir={place / 'run'}"]
            pair = [report if each == "report" else job.argv(place) for each in kind.split()[-2:]]
            chance.shuffle(pair)
            both, fault = attempt(pair, chance.uniform(0, MAX_LEAD_S))
            counts[kind] += 1
            counts["one_after_the_other"] += not both
            fault = fault or processes.difference(processes.contents(place), job.expected)
            faults += bool(fault)
            tried += both
            if fault:
                print(f"{kind}: {fault}", file=sys.stderr, flush=True)
            shutil.rmtree(place)
    return Result("lock", tried, faults, begun.seconds, dict(counts))


def attempt(pair: list[list[str]], lead_s: float) -> tuple[bool, str]:
    """Start two commands; return whether they met in the folder, and what was wrong.

    They did not where one had ended before the other came to the lock: both end well then.
    """
    with processes.Process(pair[0]) as first:
        time.sleep(lead_s)
        with processes.Process(pair[1]) as second:
            ended = [each.end() for each in (first, second)]
    codes = sorted(code for code, _ in ended)
    if codes == [0, 0]:
        return False, ""
    faults = [fault for code, said in ended if (fault := processes.judge(code, said))]
    refused = [said for code, said in ended if code == 2 and " is in use by pid " in said]
    if codes != [0, 2] or len(refused) != 1:
        faults.append(f"exit codes {codes}, expected one that runs and one that is refused: {ended}")
    return True, "; ".join(faults)
