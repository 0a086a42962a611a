"""Train the base language model that ships with the package, on sloppy worlds stories.

procsup run --config=configs/worlds_base.py --workdir=runs/worlds_base

Expected: 95 minutes on one core, a validation loss of .352. Its `models/base` (as float16) and `vocab.model` are what
procsup_jax/pretrained/worlds_base holds (experiments/worlds_base/ship.py puts them there). SFT and reward models on
top, without expert iteration, show what the base can do: errors at T = 1 and greedy, look-up accuracy, and the PRM's
AUC on right-answer traces, in report.html. An independent base has another seed and other documents, and needs more
steps: of four seeds this one alone had learned to look numbers up by the end (experiments/findings/README.md has the
others' commands). `:tiny` only shows that the stages work.
"""

from procsup_jax.data.worlds.settings import ood
from procsup_jax.recipes.settings import DataSettings, ExperimentSettings, set_short_fits, set_tiny_fits
from procsup_jax.settings import to_config


def get_config(size="full"):
    config = to_config(ExperimentSettings(data=DataSettings(ood_world=ood())))
    config.name = "worlds_base"
    config.seed = 1
    _measuring(config)
    base = config.base
    base.source = "train"
    base.preset = "1m"
    base.shift_width = 3
    base.vocab_size = 800
    base.seq_len = 480
    base.first_document = 300_000
    base.num_documents = 112_000
    # Sums are two look-ups at once and learned last: twice as many stories as in the other splits have two.
    base.corpus.worlds.num_sums = (("0", 0.20), ("1", 0.40), ("2", 0.40))
    base.corpus.num_problems = (("1", 0.85), ("2", 0.15))
    base.fit.batch_size = 8
    base.fit.num_steps = 6_000
    base.fit.eval_every = 500
    base.fit.checkpoint_every = 100
    base.fit.optim.algorithm = "muon"
    base.fit.optim.peak_lr = 1e-2
    base.fit.optim.warmup_steps = 50
    base.fit.optim.schedule = "linear"
    base.fit.optim.weight_decay = 0.05
    if size == "tiny":
        base.num_documents, base.preset, base.vocab_size = 60, "0.1m", 400
        config.xla_optimization_level = 0
        data = config.data
        data.num_sft, data.num_rm, data.num_validation, data.num_test, data.num_ood = 4, 2, 2, 2, 2
        config.sample.num_samples = config.rm_samples = config.evaluate.num_samples = 2
        config.sample.max_new_tokens = config.search.max_new_tokens = 32
        set_tiny_fits(config)
    elif size != "full":
        raise ValueError(f"{size!r} is no size of this config: full or tiny")
    return config


def _measuring(config):
    """What is fine-tuned from the base, to show what it can do."""
    config.improve.approaches = ()
    config.evaluate.step_search_models = ()
    config.data.num_sft, config.data.num_rm, config.data.num_rl = 400, 300, 1
    config.data.num_validation, config.data.num_test, config.data.num_ood = 100, 500, 200
    config.few_shot = 1
    config.sample.max_new_tokens = config.search.max_new_tokens = 208
    config.sample.lanes, config.sample.slots = 24, 8
    config.rm_samples = config.sample.num_samples = 8
    config.evaluate.num_samples = 7
    config.rm_head = "product"
    set_short_fits(config, sft=(40, 1e-3), orm=(120, 1e-4), prm=(120, 3e-4))
    for fit in (config.orm, config.prm):
        fit.eval_every, fit.patience = 20, 0
