"""The paper's findings on the testbed: every approach of Table 1 with enough problems to tell them apart.

procsup run --config=configs/findings.py --config.seed=0 --workdir=runs/findings/shipped-0

`:paper_rates` has the paper's ratios of learning rates, its dropout, and epochs chosen by the reward model's vote,
where the full size has what fits this testbed best; no run of it is among the findings'.

experiments/findings/run.py runs it for several bases and seeds and puts their results together; another base is
--config.base.source=RUN/models/base of a run that trained one. Expected: about 90 minutes a run on one core. `:tiny`
only shows that the stages work.
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


def get_config(size="full"):
    config = to_config(ExperimentSettings(data=DataSettings(ood_world=ood())))
    config.name = "findings"
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation = 400, 400, 600, 100
    data.num_test, data.num_ood = 1000, 200
    config.few_shot = 1
    config.sample.max_new_tokens = config.search.max_new_tokens = 208
    config.sample.lanes, config.sample.slots = 24, 8
    config.sample.num_samples = config.rm_samples = 8
    # As in the paper; at 0.7 expert iteration tells rewards apart less (experiments/testbed/NOTES.md, "Temperature").
    config.sample.temperature = 1.0
    config.evaluate.num_samples = 7
    config.search.num_candidates, config.search.lanes, config.search.max_step_tokens = 4, 32, 32
    config.improve.num_epochs = 2
    # Products fall with every step (experiments/testbed/NOTES.md, "What reward models choose among more samples").
    config.improve.aggregate = "per_step"
    config.rm_head = "product"
    # Distillation has SFT's hyper-parameters, as in the paper (experiments/testbed/NOTES.md, "How long SFT is").
    set_short_fits(config, sft=(90, 1e-3), orm=(120, 1e-4), prm=(120, 3e-4), distil=(90, 1e-3))
    let_rates_fall(config, "sft", "orm", "prm", "distil", eval_every=30)
    if size == "paper_rates":
        # SFT 2e-6, the ORM the same, the PRM, which starts from the ORM, 1e-7; reward models with a dropout of .1.
        config.orm.optim.peak_lr = config.sft.optim.peak_lr
        config.prm.optim.peak_lr = config.sft.optim.peak_lr / 20
        config.orm.dropout = config.prm.dropout = 0.1
        config.improve.choose_epoch_with = "reward_model"
    elif size == "tiny":
        set_tiny_sizes(config)
        config.improve.num_epochs = 1
    elif size != "full":
        raise ValueError(f"{size!r} is no size of this config: full, paper_rates or tiny")
    return config
