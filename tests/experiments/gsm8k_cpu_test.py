"""The script that runs GSM8K on two cores: what it starts, with a `taskset` that notes its arguments instead."""

import os
import pathlib
import subprocess
import sys

SCRIPT = pathlib.Path(__file__).parents[2] / "experiments/gsm8k/cpu.sh"


def test_a_process_on_each_core_joins_the_same_run(tmp_path):
    stub = tmp_path / "taskset"
    stub.write_text(f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" >{tmp_path}/on$2\n[[ $2 = 1 ]] || exit 143\n')
    stub.chmod(0o755)
    path = f"{tmp_path}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(SCRIPT), "problems", str(tmp_path / "run"), "--config.data.num_ood=3"]
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 143, done.stderr
    started = [(tmp_path / f"on{core}").read_text().splitlines() for core in range(2)]
    for core, arguments in enumerate(started):
        assert arguments[:2] == ["-c", str(core)] and arguments[-1] == f"--process_id={core}"
        assert {"--num_processes=2", "--config.mesh.data=2", "--config.data.num_ood=3"} <= set(arguments)
        assert "--config.data.svamp_path=problems/ood/svamp.jsonl" in arguments
    assert started[0][2:-1] == started[1][2:-1]
    assert (tmp_path / "run.log").exists()
