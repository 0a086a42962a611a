"""Train the base language model that ships with the package, on sloppy worlds stories.

procsup run --config=configs/worlds_base.py --workdir=runs/worlds_base

Expected: about an hour on two cores; then `models/base` and `vocab.model` in the workdir are what
procsup_jax/pretrained/worlds_base holds (`:tiny` only shows that the stages work).
"""

from procsup_jax.settings import to_config
from procsup_jax.stages.experiment import ExperimentSettings


def get_config(size="full"):
    config = to_config(ExperimentSettings())
    config.name = "worlds_base"
    config.until = "base"
    base = config.base
    base.source = "train"
    base.preset = "0.5m"
    base.shift_width = 3
    base.vocab_size = 640
    base.seq_len = 448
    base.num_documents = 24_000
    base.corpus.num_problems = (("1", 0.85), ("2", 0.15))
    base.fit.batch_size = 16
    base.fit.num_steps = 800
    base.fit.eval_every = 200
    base.fit.checkpoint_every = 100
    base.fit.optim.peak_lr = 3e-3
    base.fit.optim.warmup_steps = 100
    base.fit.optim.schedule = "linear"
    base.fit.optim.weight_decay = 0.05
    if size == "tiny":
        base.num_documents = 60
        base.fit.num_steps = 4
        base.fit.batch_size = 2
        base.fit.eval_every = 4
        base.fit.optim.warmup_steps = 1
    elif size != "full":
        raise ValueError(f"{size!r} is no size of this config: full or tiny")
    return config
