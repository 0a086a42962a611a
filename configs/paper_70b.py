"""The paper's experiment at its size: a 70B model, 96 samples a problem, on a slice of 128 v5p chips.

procsup run --config=configs/paper_70b.py --config.base.source=MODEL --config.data.path=FOLDER --workdir=runs/paper_70b
procsup plan --config=configs/paper_70b.py --topology=v5p:4x4x8

The paper's model, Chinchilla, is not public; this has the shape of Llama 3 70B: 80 layers of width 8,192, 64 heads
over 8 of keys and values. MODEL is a folder from `procsup convert`; FOLDER holds GSM8K's train.jsonl and test.jsonl.
Expected: the paper reports 3.4 % trace error and 12.7 % final-answer error for its best approaches, with human labels
of steps, which GSM8K's files lack: process labels here are derived from reference solutions. None of it was run at this
size; what was is `procsup plan`, see docs/scaling.md. `:tiny` goes through every stage on any model's folder.
"""

from procsup_jax.recipes.settings import ExperimentSettings, set_large_run, set_tiny_large_run
from procsup_jax.settings import to_config


def get_config(size="full"):
    config = to_config(ExperimentSettings())
    config.name = "paper_70b"
    config.base.source, config.base.preset, config.base.vocab_size = "models/llama3_70b", "70b", 128256
    set_large_run(config)
    # The paper: K = 96, with the greedy solution beside them; five epochs of expert iteration.
    config.rm_samples = config.sample.num_samples = config.evaluate.num_samples = config.sample.slots = 96
    config.improve.num_epochs = 5
    config.mesh.data, config.mesh.fsdp, config.mesh.tensor = 1, 16, 8
    config.sample.lanes, config.search.lanes, config.score_batch = 16, 16, 128
    if size == "tiny":
        set_tiny_large_run(config)
    elif size != "full":
        raise ValueError(f"{size!r} is no size of this config: full or tiny")
    return config
