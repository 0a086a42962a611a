"""The whole experiment on GSM8K's own files, every model trained from scratch on the CPU.

procsup run --config=configs/gsm8k_small.py --config.data.path=FOLDER --workdir=runs/gsm8k_small

FOLDER holds train.jsonl and test.jsonl. Expected: within an hour on two cores; a model this small, trained on nothing
but GSM8K's 7,217 problems, gets nearly every answer wrong, so final-answer errors are near 100 %. It shows that every
part runs on real text. `:tiny` shows the same in a minute or two.
"""

from procsup_jax.recipes.settings import ExperimentSettings, set_short_fits, set_tiny_fits
from procsup_jax.settings import to_config


def get_config(size="small"):
    config = to_config(ExperimentSettings())
    config.name = "gsm8k_small"
    config.data.kind = "gsm8k"
    config.process_labels = "intermediate"
    config.base.source = "train"
    _small(config)
    if size == "tiny":
        _tiny(config)
    elif size != "small":
        raise ValueError(f"{size!r} is no size of this config: small or tiny")
    return config


def _small(config):
    data, base = config.data, config.base
    data.num_sft, data.num_rm, data.num_rl = 0, 200, 100
    data.num_validation, data.num_test, data.num_ood = 64, 100, 50
    base.preset, base.shift_width, base.max_len, base.vocab_size, base.seq_len = "0.5m", 3, 1024, 2000, 512
    base.fit.num_steps, base.fit.batch_size, base.fit.eval_every, base.fit.checkpoint_every = 300, 16, 100, 100
    optim = base.fit.optim
    optim.algorithm, optim.peak_lr, optim.warmup_steps, optim.schedule = "muon", 1e-2, 50, "linear"
    config.few_shot = 2
    config.seq_len = 512
    config.sample.max_new_tokens = config.search.max_new_tokens = 160
    config.sample.num_samples = config.rm_samples = config.evaluate.num_samples = 4
    config.sample.lanes, config.sample.slots, config.search.lanes = 16, 4, 16
    config.search.num_candidates, config.search.max_step_tokens = 4, 48
    config.improve.num_epochs = 1
    config.score_batch = 32
    set_short_fits(config, sft=(60, 1e-3), orm=(30, 1e-3), prm=(30, 1e-3), distil=(20, 5e-4))
    config.orm.dropout = config.prm.dropout = 0.1


def _tiny(config):
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation, data.num_test = 16, 2, 2, 2, 3
    config.base.preset, config.base.vocab_size = "0.1m", 400
    config.xla_optimization_level = 0
    config.few_shot = 1
    config.sample.num_samples = config.rm_samples = config.evaluate.num_samples = 2
    config.sample.max_new_tokens = config.search.max_new_tokens = 24
    config.search.num_candidates, config.search.max_step_tokens = 2, 16
    config.sample.lanes = config.search.lanes = config.sample.slots = config.score_batch = 2
    set_tiny_fits(config)
