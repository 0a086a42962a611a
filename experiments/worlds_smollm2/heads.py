"""Worlds with a real trunk: the paper's way of reading a reward model beside products, on one policy's samples.

make smollm2
procsup run --config=experiments/worlds_smollm2/heads.py:smollm2 --workdir=runs/worlds_smollm2-0
procsup run --config=experiments/worlds_smollm2/heads.py:shipped --workdir=runs/worlds_shipped-0

An ORM and a PRM are trained under each head, `verdict` (two tokens compared, as in the paper) and `product`, from the
same SFT policy and labelled samples; they and the surprise control judge the same test samples, whose traces the oracle
knows. heads.json holds both errors by decoding, and what reward models are worth. Sizes:

- `:smollm2`: SmolLM2-135M-Instruct, made for two cores and an hour and a half: SFT on 240 problems of 210 tokens,
  256 labelled samples, 500 test samples, four reward models, and scores of all; some 500,000 tokens.
- `:shipped`: the 1.1M base that ships, all else the same but the rates.
- `:gpu`: SmolLM2 with the problems and samples of configs/findings.py, for one large GPU.
- `:tiny`: every stage in a minute or two, its figures mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from procsup_jax.labels.sources import SourceName
from procsup_jax.models.config import HeadKind
from procsup_jax.recipes import comparing, supervised
from procsup_jax.recipes.artefacts import Problems
from procsup_jax.recipes.checks import check_models as check  # noqa: F401 - what a recipe may have
from procsup_jax.recipes.settings import ExperimentSettings, let_rates_fall, set_short_fits, set_tiny_sizes
from procsup_jax.roster import CONTROLS, ORM, PRM, SFT, TEST
from procsup_jax.runner.artefacts import Json
from procsup_jax.runner.graph import Graph
from procsup_jax.runner.stage import Stage
from procsup_jax.settings import Config, to_config

HEADS: tuple[HeadKind, ...] = ("verdict", "product")
SOURCES: dict[str, SourceName] = {ORM: "outcome", PRM: "oracle"}
POLICY = supervised.sft_policy()
FOUND = Json("heads.json")


def get_config(size: str = "smollm2") -> Config:
    """Return the settings of one size."""
    sizes = {"smollm2": _smollm2, "shipped": _shipped, "gpu": _gpu, "tiny": _tiny}
    if size not in sizes:
        raise ValueError(f"{size!r} is no size of this config: {', '.join(sizes)}")
    config = to_config(ExperimentSettings(recipe=__file__))
    config.name = f"worlds_heads_{size}"
    config.evaluate.step_search_models, config.improve.approaches = (), ()
    sizes[size](config)
    return config


def _smollm2(config: Config) -> None:
    config.base.source = "models/smollm2"
    sizes = config.data
    sizes.num_sft, sizes.num_rm, sizes.num_validation, sizes.num_test, sizes.num_ood = 240, 64, 12, 100, 0
    config.seq_len = 320
    config.sample.max_new_tokens = config.search.max_new_tokens = 192
    config.sample.lanes, config.sample.slots, config.score_batch = 16, 4, 32
    config.rm_samples, config.sample.num_samples, config.evaluate.num_samples = 4, 4, 4
    config.evaluate.surprise_samples = 200
    set_short_fits(config, sft=(20, 2e-4), orm=(22, 1e-4), prm=(22, 1e-4))
    let_rates_fall(config, "sft", "orm", "prm", eval_every=0)
    config.sft.checkpoint_every = config.orm.checkpoint_every = config.prm.checkpoint_every = 5


def _shipped(config: Config) -> None:
    _smollm2(config)
    config.base.source = "shipped"
    set_short_fits(config, sft=(40, 1e-3), orm=(120, 1e-4), prm=(120, 3e-4))
    let_rates_fall(config, "sft", "orm", "prm", eval_every=20)


def _gpu(config: Config) -> None:
    _smollm2(config)
    sizes = config.data
    sizes.num_sft, sizes.num_rm, sizes.num_validation, sizes.num_test = 400, 400, 100, 1000
    config.base.dtype = "bfloat16"
    config.sample.lanes, config.sample.slots, config.score_batch = 128, 8, 256
    config.rm_samples, config.sample.num_samples, config.evaluate.num_samples = 8, 8, 7
    config.evaluate.surprise_samples = 1000
    set_short_fits(config, sft=(90, 2e-4), orm=(240, 1e-4), prm=(240, 1e-4))
    let_rates_fall(config, "sft", "orm", "prm", eval_every=30)


def _tiny(config: Config) -> None:
    _shipped(config)
    trained = config.base
    trained.source, trained.preset, trained.vocab_size, trained.num_documents = "train", "0.1m", 600, 200
    trained.seq_len = config.seq_len = 384
    set_tiny_sizes(config)


def graph(settings: ExperimentSettings) -> Graph:
    """Return the stages."""
    return Graph.of(_stages(settings))


def _stages(settings: ExperimentSettings) -> Iterator[Stage]:
    yield from supervised.fine_tuning(settings)
    for source in SOURCES.values():
        yield from supervised.labelling(POLICY, supervised.labelled(SFT, source))
    ways = {f"{kind}_{head}": _way(kind, head) for head in HEADS for kind in SOURCES}
    controls = {name: supervised.labelled(SFT, SOURCES[kind])[0] for name, kind in zip(CONTROLS, SOURCES, strict=True)}
    yield from comparing.comparing(settings, POLICY, ways, controls, Problems(TEST), FOUND)


def _way(kind: str, head: HeadKind) -> comparing.Way:
    """Say how a reward model is made under a head; a PRM starts from the ORM, as in the paper."""
    start = POLICY.model if kind == ORM else comparing.folder(POLICY, f"{ORM}_{head}")
    return comparing.Way(kind, start, *supervised.labelled(SFT, SOURCES[kind]), head)
