"""The fit of `procsup train`: fine-tuning a language model of some hundred million parameters on a few thousand rows.

procsup train --task=sft --model=models/smollm2 --problems=p.jsonl --output=models/sft --config=configs/train.py

`:reward_model` has dropout and a lower rate; `:tiny` takes two steps, to see that everything is in place.
"""

from procsup_jax.settings import to_config
from procsup_jax.training.settings import TrainSettings


def get_config(what="sft"):
    config = to_config(TrainSettings())
    fit = config.fit
    fit.num_steps, fit.batch_size, fit.eval_every, fit.patience, fit.checkpoint_every = 200, 16, 20, 3, 50
    fit.optim.peak_lr, fit.optim.warmup_steps, fit.optim.schedule = 1e-4, 10, "linear"
    if what == "reward_model":
        fit.optim.peak_lr, fit.dropout = 5e-5, 0.1
    elif what == "tiny":
        fit.num_steps, fit.batch_size, fit.eval_every, fit.patience, fit.checkpoint_every = 2, 2, 2, 0, 0
        fit.optim.warmup_steps = 1
    elif what != "sft":
        raise ValueError(f"{what!r} is no use of this config: sft, reward_model or tiny")
    return config
