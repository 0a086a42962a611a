"""The settings of a whole experiment: what a file in configs/ fills in."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from procsup_jax.data.worlds.settings import CorpusSettings
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.free import FREE
from procsup_jax.labels.settings import RolloutSettings
from procsup_jax.models.config import PRESETS, HeadKind
from procsup_jax.parallel.settings import MeshSettings
from procsup_jax.ranges import BadValue, Count, Seed, Size, check
from procsup_jax.recipes.data_settings import DataSettings
from procsup_jax.roster import APPROACHES, FEW_SHOT, POLICIES, SFT, start_of
from procsup_jax.searching.aggregate import Aggregate
from procsup_jax.searching.settings import StepSearchSettings
from procsup_jax.settings import Config
from procsup_jax.training.settings import FitSettings

DEFAULT_RECIPE = "uesato2022"
ProcessSource = Literal["oracle", "intermediate", "rollouts"]


def _check_names(field: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise BadValue(field, name, f"some of {', '.join(known)}")


def _check_batch(fit: FitSettings, name: str, mesh: MeshSettings) -> None:
    """Raise `BadValue`, calling it `name`, for a batch that does not divide over the devices of a mesh."""
    shards = max(mesh.data, 1) * max(mesh.fsdp, 1)
    if fit.batch_size % (fit.grad_accum * shards):
        expected = f"a multiple of {fit.grad_accum * shards}: grad_accum={fit.grad_accum} over {shards} devices"
        raise BadValue(name, fit.batch_size, expected)


@dataclasses.dataclass(frozen=True)
class BaseSettings:
    """Choose the base language model: shipped with the package, trained by this run, or read from a folder."""

    source: str = "shipped"
    """"shipped", "train", or a folder with saved parameters beside a vocab.model."""
    start: str = ""
    """For "train": the model folder of a run whose base and vocabulary the training goes on from; "": from nothing.

    Its token shift may be narrower than `shift_width`, and gets that wide."""
    keep_layers: Size = 0
    """For a folder: how many of its model's layers, the first ones, are kept, for trials of large models; 0: all."""
    preset: str = "1m"
    """For "train": the model's size, by the name of a preset of models/config.py; what `procsup plan` takes a folder
    for that is not there yet."""
    dtype: Literal["", "float32", "bfloat16"] = ""
    """The type that every model of the run computes in, "" the base's own; parameters keep theirs."""
    shift_width: Size = 0
    """For "train": how many previous positions the attention's input has a learned mix of; 0: none."""
    max_len: Count = 512
    """For "train": the longest text that the model reads, in tokens."""
    vocab_size: Count = 768
    """How many tokens the vocabulary has, for what `preset` is for."""
    corpus: CorpusSettings = CorpusSettings()
    first_document: Size = 0
    """The number of the corpus's first document: other documents make another base."""
    num_documents: Count = 20_000
    """How many documents the corpus has."""
    seq_len: Count = 480
    """The length of the rows that documents are packed into, in tokens."""
    fit: FitSettings = FitSettings()

    def __post_init__(self) -> None:
        check(self)
        if not self.source:
            raise BadValue("source", self.source, '"shipped", "train" or the folder of a model')
        if self.preset not in PRESETS:
            raise BadValue("preset", self.preset, f"one of {', '.join(PRESETS)}")
        if self.source == "train" and self.seq_len > self.max_len:
            raise BadValue("seq_len", self.seq_len, f"at most base.max_len={self.max_len}, what the model reads")


@dataclasses.dataclass(frozen=True)
class ImproveSettings:
    """Set expert iteration (paper: 5 epochs, K = 96)."""

    approaches: tuple[str, ...] = APPROACHES
    """Which kinds of expert iteration are run."""
    num_epochs: Count = 5
    """Rounds of sampling, choosing and distilling."""
    choose_epoch_by: Literal["validation", "test"] = "validation"
    """The paper takes the epoch of lowest final-answer error on the *test* set; ours is the validation set."""
    choose_epoch_with: Literal["majority", "reward_model"] = "majority"
    """By which vote over an epoch's samples: "reward_model", as in the paper, is the one weighted by the reward model
    that the approach learns from, and the majority's for Final-Answer RL, which has none."""
    aggregate: Aggregate = "last"
    """By which score of a whole solution ORM-RL keeps one of a problem's samples."""
    own_orm: bool = True
    """Train an ORM on each Final-Answer RL policy's own samples, as the paper does; False reranks it by the ORM of the
    policy that it started from, which saves sampling and training."""

    def __post_init__(self) -> None:
        check(self)
        _check_names("approaches", self.approaches, APPROACHES)


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """Set what is measured."""

    num_samples: Count = 96
    """Samples of each problem, the greedy one apart."""
    num_samples_improved: Size = 0
    """The same of policies that expert iteration has made, 0: as many; 1: reward models have nothing to choose from,
    and score none of them."""
    aggregate: Aggregate = "last"
    """How a solution's score comes from its steps'."""
    step_search_models: tuple[str, ...] = (SFT,)
    """The policies that are also decoded step by step by their reward models."""
    num_examples: Size = 40
    """Solutions per model that the report's browser holds."""
    surprise_samples: Size = 1000
    """How many of the SFT reward models' training samples the surprise control is fitted to; 0 leaves it out."""

    def __post_init__(self) -> None:
        check(self)
        _check_names("step_search_models", self.step_search_models, POLICIES)


@dataclasses.dataclass(frozen=True)
class ExperimentSettings:
    """Set a whole experiment, from problems to report."""

    name: Annotated[str, FREE] = "experiment"
    """What tables call it; without --workdir it is kept in runs/NAME."""
    recipe: Annotated[str, FREE] = DEFAULT_RECIPE
    """Which stages there are: the name of a recipe that comes with procsup, or a Python file of yours, which is run
    (docs/recipes.md)."""
    seed: Seed = 0
    """What everything random is drawn by."""
    data: DataSettings = DataSettings()
    base: BaseSettings = BaseSettings()
    few_shot: Size = 5
    """Worked examples in the few-shot prompt."""
    with_few_shot: bool = True
    """Whether the few-shot policy takes part, with its ORM; what the approaches that start from it need."""
    process_labels: ProcessSource = "oracle"
    """Where the PRM's labels come from: the worlds' oracle, intermediate values (Li et al. 2022), or rollouts of the
    SFT policy (Math-Shepherd); trace error is measured by the oracle alone."""
    more_process_labels: tuple[ProcessSource, ...] = ()
    """Further sources, each of which trains a PRM of its own beside the first: sft_prm_SOURCE, prm_SOURCE in tables."""
    rollouts: RolloutSettings = RolloutSettings()
    """How steps are labelled by rollouts, which are drawn as `sample` says."""
    seq_len: Count = 384
    """The length of the rows that SFT, reward models and distillation are packed into; longer ones are left out."""
    sft: FitSettings = FitSettings()
    orm: FitSettings = FitSettings()
    prm: FitSettings = FitSettings()
    distil: FitSettings = FitSettings()
    rm_head: HeadKind = "verdict"
    """How reward models read a solution: "verdict" as in the paper, "product" of what each token tells, "classifier" by
    a linear layer on the hidden state after a step."""
    rm_samples: Count = 8
    """Samples per problem that reward models are trained on (paper: 96)."""
    sample: DecodeSettings = DecodeSettings()
    """How every sample is drawn; `num_samples` of it is what expert iteration draws per problem."""
    search: StepSearchSettings = StepSearchSettings()
    score_batch: Annotated[Count, FREE] = 64
    """Solutions that a reward model reads at a time: sets speed and memory, never changes a score."""
    improve: ImproveSettings = ImproveSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    mesh: Annotated[MeshSettings, FREE] = MeshSettings()
    xla_optimization_level: Annotated[Literal[0, 1, 2, 3], FREE] = 3
    """On the CPU, 0 compiles in half the time what then runs at half the speed: for runs that mostly compile."""

    def __post_init__(self) -> None:
        check(self)
        if not self.name or self.name in (".", "..") or "/" in self.name or "\0" in self.name:
            raise BadValue("name", self.name, "a name that a folder can have")
        self._check_sources()
        from_few_shot = [each for each in self.improve.approaches if start_of(each) == FEW_SHOT]
        if from_few_shot and not self.with_few_shot:
            expected = f"those that start from SFT, as with_few_shot is off and {from_few_shot[0]} does not"
            raise BadValue("improve.approaches", self.improve.approaches, expected)
        for name, fit in self.fits.items():
            _check_batch(fit, f"{name}.batch_size", self.mesh)
        if self.base.source == "train" and self.seq_len > self.base.max_len:
            raise BadValue("seq_len", self.seq_len, f"at most base.max_len={self.base.max_len}, what the model reads")

    @property
    def fits(self) -> dict[str, FitSettings]:
        """Return the settings of every kind of fit that the run has, by the name of their group."""
        fits = {"sft": self.sft, "orm": self.orm, "prm": self.prm, "distil": self.distil}
        return fits | ({"base.fit": self.base.fit} if self.base.source == "train" else {})

    @property
    def process_sources(self) -> tuple[ProcessSource, ...]:
        """Return where process labels come from, the first PRM's source first."""
        return self.process_labels, *self.more_process_labels

    def _check_sources(self) -> None:
        for source in self.process_sources:
            if source == "oracle" and self.data.kind != "worlds":
                name = "process_labels" if source == self.process_labels else "more_process_labels"
                expected = "intermediate, as the oracle reads the graphs of worlds, or rollouts; data.kind is "
                raise BadValue(name, getattr(self, name), expected + self.data.kind)
        if len(set(self.process_sources)) < len(self.process_sources):
            raise BadValue("more_process_labels", self.more_process_labels, f"sources other than {self.process_labels}")


def set_short_fits(config: Config, **fits: tuple[int, float]) -> None:
    """Set a config's named fits, each to (steps, peak learning rate), for fine-tuning small models in minutes."""
    for name, (num_steps, peak_lr) in fits.items():
        fit = config[name]
        fit.num_steps, fit.batch_size, fit.eval_every, fit.patience = num_steps, 8, 10, 2
        fit.optim.peak_lr, fit.optim.warmup_steps = peak_lr, 5


def let_rates_fall(config: Config, *names: str, eval_every: int) -> None:
    """Let the learning rates of a config's named fits fall to zero; none stops early, the best parameters are kept."""
    for name in names:
        fit = config[name]
        fit.eval_every, fit.patience, fit.optim.schedule = eval_every, 0, "linear"


def set_large_run(config: Config) -> None:
    """Set a config to GSM8K with a model of billions of parameters: the paper's sizes where it gives any, bfloat16."""
    config.data.kind, config.process_labels, config.rm_head = "gsm8k", "intermediate", "verdict"
    config.base.dtype = "bfloat16"
    config.data.num_rl = config.data.num_sft = config.data.num_rm = 0
    config.seq_len = 1024
    for name, num_steps, peak_lr in (("sft", 500, 1e-5), ("orm", 500, 2e-6), ("prm", 500, 2e-6), ("distil", 500, 1e-5)):
        fit = config[name]
        fit.num_steps, fit.batch_size, fit.eval_every, fit.patience, fit.checkpoint_every = num_steps, 64, 50, 3, 100
        fit.optim.peak_lr, fit.optim.warmup_steps, fit.optim.schedule = peak_lr, 25, "linear"
        fit.remat = "full"
    config.sample.max_new_tokens = config.search.max_new_tokens = 320
    config.search.max_step_tokens = 96
    config.rm_samples = config.sample.num_samples = config.evaluate.num_samples = config.sample.slots = 32


def set_tiny_large_run(config: Config) -> None:
    """Shrink such a config to what any model's folder goes through in minutes, on one device."""
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation, data.num_test = 8, 2, 2, 2, 2
    config.base.dtype = "float32"
    config.mesh.data = config.mesh.fsdp = config.mesh.tensor = 1
    config.xla_optimization_level = 0
    config.few_shot, config.improve.num_epochs, config.seq_len = 1, 1, 512
    config.sample.max_new_tokens = config.search.max_new_tokens = 24
    config.rm_samples = config.sample.num_samples = config.evaluate.num_samples = config.sample.slots = 2
    config.search.num_candidates, config.search.max_step_tokens = 2, 16
    config.sample.lanes = config.search.lanes = config.score_batch = 2
    for name in ("sft", "orm", "prm", "distil"):
        config[name].patience, config[name].remat = 0, ""
    set_tiny_fits(config)


def set_tiny_fits(config: Config) -> None:
    """Set every fit of a config to two steps of two rows: enough to see that it works."""
    for fit in (config.base.fit, config.sft, config.orm, config.prm, config.distil):
        fit.num_steps, fit.batch_size, fit.eval_every, fit.checkpoint_every = 2, 2, 2, 0
        fit.optim.warmup_steps = 1


def set_tiny_sizes(config: Config) -> None:
    """Set a testbed config to as few problems, samples and steps of training as go through every stage."""
    data = config.data
    data.num_sft, data.num_rm, data.num_rl, data.num_validation, data.num_test, data.num_ood = 8, 4, 4, 4, 4, 4
    config.sample.max_new_tokens = config.search.max_new_tokens = 32
    config.sample.num_samples = config.rm_samples = config.evaluate.num_samples = config.sample.slots = 2
    config.search.num_candidates, config.search.max_step_tokens = 2, 16
    config.sample.lanes = config.search.lanes = config.score_batch = 4
    config.xla_optimization_level = 0
    set_tiny_fits(config)
