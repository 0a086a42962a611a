"""A tiny model's weights and vocabulary, written once."""

import pytest

from benchmarks.ours.export import export
from benchmarks.workload import Task


@pytest.fixture(scope="session")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    export("tiny", folder, for_peers=True)
    return Task("tiny", str(folder), num_samples=4, prompt_len=12, new_tokens=6, num_steps=2, step_tokens=4)
