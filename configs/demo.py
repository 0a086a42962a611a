"""The demo: every approach of the paper's Table 1 on the worlds testbed, small.

procsup run --config=configs/demo.py --workdir=runs/demo

Expected: minutes on two cores; `:tiny` shows in under a minute that every part works, its figures mean nothing.
"""

from procsup_jax.data.worlds.settings import ood
from procsup_jax.recipes.settings import (
    DataSettings,
    ExperimentSettings,
    let_rates_fall,
    set_short_fits,
    set_tiny_sizes,
)
from procsup_jax.settings import to_config


def get_config(size="small"):
    config = to_config(ExperimentSettings(data=DataSettings(ood_world=ood())))
    config.name = "demo"
    _small(config)
    if size == "tiny":
        _tiny(config)
    elif size != "small":
        raise ValueError(f"{size!r} is no size of this config: small or tiny")
    return config


def _small(config):
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation = 400, 192, 128, 32
    data.num_test, data.num_ood = 128, 16
    config.few_shot = 1
    config.seq_len = 384
    config.sample.max_new_tokens = config.search.max_new_tokens = 208
    # All of a problem's samples at once, the greedy one of the evaluation among them.
    config.sample.slots = config.sample.num_samples = config.rm_samples = 8
    config.evaluate.num_samples = 7
    config.evaluate.surprise_samples = 300
    config.sample.lanes, config.search.num_candidates = 32, 4
    config.search.lanes, config.search.max_step_tokens = 32, 32
    config.score_batch = 32
    config.improve.num_epochs = 1
    config.improve.own_orm = False
    config.rm_head = "product"
    set_short_fits(config, sft=(40, 1e-3), orm=(80, 1.5e-4), prm=(50, 3e-4), distil=(40, 1e-3))
    let_rates_fall(config, "orm", "prm", "distil", eval_every=20)
    config.xla_optimization_level = 1


def _tiny(config):
    """As little of everything as goes through every stage; the base is trained in the run, on nearly nothing."""
    base = config.base
    base.source, base.preset, base.vocab_size, base.num_documents, base.seq_len = "train", "0.1m", 600, 200, 384
    set_tiny_sizes(config)
