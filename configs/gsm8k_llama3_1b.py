"""The whole experiment on GSM8K with Llama 3.2 1B, on a slice of 16 v5e chips.

procsup convert --input=Llama-3.2-1B --output=models/llama3_1b --dtype=bfloat16
procsup run --config=configs/gsm8k_llama3_1b.py --config.data.path=FOLDER --workdir=runs/gsm8k_llama3_1b
procsup plan --config=configs/gsm8k_llama3_1b.py --topology=v5e:4x4

FOLDER holds GSM8K's train.jsonl and test.jsonl. What the slice has to hold, and how long its parts take at the least,
`procsup plan` says (docs/scaling.md has its tables, and smaller slices with what to set there). Expected: as an untuned
base of this size answers some 5 % of GSM8K's test problems after worked examples, SFT some 30 %, and reranking by a
reward model half as many again; none of that was measured with this configuration. `:tiny` goes through every stage on
any model's folder in minutes, on any device; its figures mean nothing.
"""

from procsup_jax.recipes.settings import ExperimentSettings, set_large_run, set_tiny_large_run
from procsup_jax.settings import to_config


def get_config(size="full"):
    config = to_config(ExperimentSettings())
    config.name = "gsm8k_llama3_1b"
    config.base.source, config.base.preset, config.base.vocab_size = "models/llama3_1b", "1b", 128256
    set_large_run(config)
    config.mesh.data, config.mesh.fsdp, config.mesh.tensor = 1, 16, 1
    config.sample.lanes, config.search.lanes, config.score_batch = 32, 16, 64
    if size == "tiny":
        set_tiny_large_run(config)
    elif size != "full":
        raise ValueError(f"{size!r} is no size of this config: full or tiny")
    return config
