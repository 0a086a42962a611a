"""GSM8K by SmolLM2-135M-Instruct: the paper's experiment on a small pretrained language model.

make smollm2
procsup run --config=configs/gsm8k_smollm2.py:cpu --config.data.path=FOLDER --workdir=runs/gsm8k_smollm2_cpu

FOLDER holds GSM8K's train.jsonl and test.jsonl; `config.data` has a path for each further set, and
experiments/gsm8k/cpu.sh names them all. Four sizes, which share all but their sizes; experiments/gsm8k/README.md has
what each takes, and what came out where it was run:

- `:tiny` goes through every stage in minutes, with the model cut to four layers. Its figures mean nothing.
- `:cpu` is made for two cores and three hours.
- `:gpu` is made for one large GPU and for pieces of minutes.
- `:paper` has the paper's sizes, and is compiled rather than run.
"""

from procsup_jax.recipes.settings import ExperimentSettings, let_rates_fall, set_tiny_fits
from procsup_jax.roster import METHODS, SFT, improved
from procsup_jax.settings import to_config

FITS = "sft", "orm", "prm", "distil"


def get_config(size="cpu"):
    sizes = {"tiny": _tiny, "cpu": _cpu, "gpu": _gpu, "paper": _paper}
    if size not in sizes:
        raise ValueError(f"{size!r} is no size of this config: {', '.join(sizes)}")
    config = to_config(ExperimentSettings())
    _shared(config)
    config.name = f"gsm8k_smollm2_{size}"
    sizes[size](config)
    return config


def _shared(config):
    config.base.source, config.base.preset, config.base.vocab_size = "models/smollm2", "135m", 49152
    config.data.kind, config.data.short_steps = "gsm8k", 3
    config.process_labels, config.more_process_labels = "intermediate", ("rollouts",)
    config.rm_head = "verdict"
    config.with_few_shot = False
    config.improve.approaches = tuple(improved(SFT, method) for method in METHODS)
    config.improve.num_epochs, config.improve.own_orm = 1, False
    config.evaluate.step_search_models = ()
    config.seq_len = 512
    config.sample.max_new_tokens = config.search.max_new_tokens = 220
    config.search.max_step_tokens = 64
    for name, peak_lr in zip(FITS, (2e-4, 5e-5, 2e-5, 5e-5), strict=True):
        fit = config[name]
        fit.batch_size, fit.log_every, fit.optim.peak_lr, fit.optim.warmup_steps = 8, 1, peak_lr, 4
    let_rates_fall(config, *FITS, eval_every=0)


def _cpu(config):
    """Set what fits into three hours on two cores: experiments/gsm8k/cpu.md has what each stage took.

    A step of 8 rows takes some 35 s on both, so SFT's 24 take a quarter of an hour; each further 1,000 tokens take 6 s
    to write and 2.5 s to score. Half of the time goes to the 200 test problems: 1,800 samples, three reward models'
    scores of them, and two solutions of each problem by three policies of RL.
    """
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation, data.num_test = 448, 32, 32, 8, 200
    data.num_ood, data.num_processbench = 12, 40
    config.sample.max_new_tokens = config.search.max_new_tokens = 180
    config.rm_samples = config.sample.num_samples = 4
    config.rollouts.num_rollouts = 2
    config.evaluate.num_samples, config.evaluate.num_samples_improved = 8, 1
    config.evaluate.surprise_samples = 0
    config.sample.lanes, config.sample.slots, config.search.lanes = 32, 4, 16
    config.search.num_candidates = 4
    config.score_batch = 32
    for name, num_steps in zip(FITS, (24, 10, 7, 3), strict=True):
        config[name].num_steps, config[name].grad_accum = num_steps, 2
        config[name].optim.warmup_steps = min(4, num_steps // 3)
    config.sft.checkpoint_every = 6


def _gpu(config):
    """Set all problems for SFT, reward models and test, 2,000 for RL; the PRM's labels are intermediate values alone.

    Rollouts of all samples would be 300 million tokens. `--config.more_process_labels="('rollouts',)"` with
    `--config.data.num_rm=300` has a PRM from them beside the other.
    """
    data = config.data
    data.num_sft = data.num_rm = data.num_test = 0
    data.num_rl, data.num_ood = 2000, 200
    config.more_process_labels = ()
    config.base.dtype = "bfloat16"
    config.rm_samples, config.sample.num_samples, config.rollouts.num_rollouts = 16, 16, 8
    config.evaluate.num_samples, config.evaluate.num_samples_improved = 96, 32
    config.sample.lanes, config.sample.slots, config.search.lanes = 128, 16, 128
    config.search.num_candidates = 16
    config.score_batch = 512
    for name, num_steps, batch_size in zip(FITS, (300, 400, 400, 100), (32, 128, 128, 32), strict=True):
        fit = config[name]
        fit.num_steps, fit.batch_size, fit.eval_every, fit.checkpoint_every = num_steps, batch_size, 50, 100
        fit.optim.warmup_steps = 20


def _paper(config):
    """The paper: K = 96, five epochs, batches of 256, a PRM's learning rate a twentieth of an ORM's and of SFT's."""
    _gpu(config)
    config.data.num_rl = config.data.num_ood = 0
    config.rm_samples = config.sample.num_samples = config.evaluate.num_samples = 96
    config.evaluate.num_samples_improved, config.search.num_candidates = 0, 96
    config.improve.num_epochs, config.improve.own_orm = 5, True
    config.improve.choose_epoch_with = "reward_model"
    config.with_few_shot, config.improve.approaches = True, ExperimentSettings().improve.approaches
    config.evaluate.step_search_models = (SFT,)
    config.seq_len = 1024
    for name, num_steps, ratio in zip(FITS, (70, 1400, 1400, 70), (1, 1, 1 / 20, 1), strict=True):
        fit = config[name]
        fit.num_steps, fit.batch_size, fit.optim.peak_lr, fit.eval_every = num_steps, 256, 2e-4 * ratio, 10
    config.orm.dropout = config.prm.dropout = 0.1
    config.sft.patience, config.mesh.fsdp, config.mesh.data = 2, 1, 16


def _tiny(config):
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation, data.num_test = 8, 2, 2, 2, 3
    data.num_ood = data.num_processbench = 2
    config.base.keep_layers = 4
    config.xla_optimization_level = 0
    config.sample.num_samples = config.rm_samples = config.rollouts.num_rollouts = 2
    config.evaluate.num_samples, config.evaluate.num_samples_improved = 2, 1
    config.evaluate.surprise_samples = 0
    config.sample.max_new_tokens = config.search.max_new_tokens = 24
    config.search.num_candidates, config.search.max_step_tokens = 2, 16
    config.sample.lanes = config.search.lanes = config.sample.slots = config.score_batch = 2
    set_tiny_fits(config)
