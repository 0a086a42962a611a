"""`procsup plan`: what a run needs on a TPU slice, by compiling its programs without one."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from procsup_jax import files
from procsup_jax.errors import UserError
from procsup_jax.flags import Flags, flag
from procsup_jax.planning import slices
from procsup_jax.ranges import Size
from procsup_jax.recipes.settings import ExperimentSettings

if TYPE_CHECKING:
    from procsup_jax.planning.programs import Work

Part = Literal["sft", "rm", "sample", "score", "search"]
PARTS = get_args(Part)


@dataclasses.dataclass(frozen=True)
class PlanFlags(Flags):
    """Hold the flags of `procsup plan`."""

    topology: str = flag("the slice, such as v5e:4x4, v5p:4x4x4 or v6e:16x16")
    programs: str = flag("which parts of the run, with commas between them", ",".join(PARTS))
    prompt_len: Size = flag("the longest prompt in tokens; 0: what seq_len leaves beside sample.max_new_tokens", 0)
    search_meshes: bool = flag("try meshes and rank those that fit; config.mesh is not read", False)
    arguments_only: bool = flag("do not compile: say what each program's arguments hold, in seconds", False)
    json: pathlib.Path | None = flag("a file to write the plan to as JSON", None, writes="file")


def check_flags(flags: PlanFlags) -> None:
    """Raise UserError for parts that no run has, and where the compiler is not installed."""
    _parts(flags.programs)
    slices.prepare()


def run(flags: PlanFlags, config: ExperimentSettings) -> None:
    """Compile a run's real programs for a TPU slice that is not at hand, and print what each needs of a chip.

    Memory by kind, arithmetic, bytes moved, collectives, the time that published peaks imply and what bounds it. The
    model is that of config.base.source where its folder is there, otherwise config.base.preset with
    config.base.vocab_size. No parameter is made and no accelerator is touched.
    """
    from procsup_jax.planning import plan

    names, work = _parts(flags.programs), make_work(config, flags)
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    if flags.search_meshes:
        plans = plan.search(work, flags.topology, names, say, not flags.arguments_only)
    else:
        plans = [plan.plan(work, flags.topology, names, config.mesh, say, not flags.arguments_only)]
    print("\n\n".join(plan.table(flags.topology, each) for each in plans))
    if flags.json is not None:
        found: Any = [plan.to_json(flags.topology, each) for each in plans]
        files.write_text(flags.json, json.dumps(found if flags.search_meshes else found[0], indent=1) + "\n")


def _parts(text: str) -> Sequence[Part]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in PARTS:
            raise UserError(f"--programs={text}: {name!r} is no part of a run; expected some of {', '.join(PARTS)}")
    return names  # type: ignore[return-value]


def make_work(config: ExperimentSettings, flags: PlanFlags) -> Work:
    """Return what a run does with its model, which is only described."""
    from procsup_jax.io.models import HEADER, SHIPPED, load_encoding, read_header
    from procsup_jax.models import api
    from procsup_jax.planning.programs import Work

    base = config.base
    source = SHIPPED if base.source == "shipped" else base.source
    stands = source == SHIPPED or (pathlib.Path(source) / HEADER).exists()
    encoding = load_encoding(source if stands else SHIPPED)
    if stands:
        model = read_header(source).config
    else:
        changes = {} if base.source == "train" else {"shift_width": 0}
        # A folder that is not there yet has what such checkpoints have.
        model = api.preset(base.preset, base.vocab_size, **{"shift_width": base.shift_width, **changes})
    if base.dtype:
        model = dataclasses.replace(model, dtype=base.dtype)
    prompt_len = flags.prompt_len or max(config.seq_len - config.sample.max_new_tokens, 1)
    return Work(
        model, api.make_head(config.rm_head, encoding.verdict_ids), encoding, config.sft, config.orm, config.seq_len,
        prompt_len, config.sample, config.search, config.score_batch,
    )  # fmt: skip
