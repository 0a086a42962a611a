"""The whole experiment on GSM8K with Llama 3.1 8B, on a slice of 64 v5p chips.

procsup convert --input=Llama-3.1-8B --output=models/llama3_8b --dtype=bfloat16
procsup run --config=configs/gsm8k_llama3_8b.py --config.data.path=FOLDER --workdir=runs/gsm8k_llama3_8b
procsup plan --config=configs/gsm8k_llama3_8b.py --topology=v5p:4x4x4

FOLDER holds GSM8K's train.jsonl and test.jsonl. What the slice has to hold, and how long its parts take at the least,
`procsup plan` says (docs/scaling.md has its tables, and smaller slices with what to set there). Expected: an untuned
base of this size answers about half of GSM8K's test problems after worked examples, and reward models choose better
than votes do; none of that was measured with this configuration. `:tiny` goes through every stage on any model's folder
in minutes, on any device; its figures mean nothing.
"""

from procsup_jax.recipes.settings import ExperimentSettings, set_large_run, set_tiny_large_run
from procsup_jax.settings import to_config


def get_config(size="full"):
    config = to_config(ExperimentSettings())
    config.name = "gsm8k_llama3_8b"
    config.base.source, config.base.preset, config.base.vocab_size = "models/llama3_8b", "8b", 128256
    set_large_run(config)
    config.mesh.data, config.mesh.fsdp, config.mesh.tensor = 1, 16, 4
    config.sample.lanes, config.search.lanes, config.score_batch = 64, 32, 128
    if size == "tiny":
        set_tiny_large_run(config)
    elif size != "full":
        raise ValueError(f"{size!r} is no size of this config: full or tiny")
    return config
