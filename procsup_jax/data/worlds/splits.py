"""Name the splits and keep them disjoint: a story's split follows from its graph alone."""

from __future__ import annotations

import hashlib
import random

from procsup_jax.data.worlds import language, write
from procsup_jax.data.worlds import settings as settings_lib
from procsup_jax.data.worlds.draw import MAX_ATTEMPTS, draw_world, too_narrow
from procsup_jax.data.worlds.graph import World
from procsup_jax.data.worlds.settings import SlopSettings, WorldSettings
from procsup_jax.errors import UserError
from procsup_jax.text import steps
from procsup_jax.types import Problem

NUM_BUCKETS = 100
_BUCKETS = {
    "base": range(0, 60),
    "sft": range(60, 68),
    "rm": range(68, 78),
    "rl": range(78, 88),
    "validation": range(88, 92),
    "test": range(92, 96),
    "ood": range(96, 100),
}
SPLITS = tuple(_BUCKETS)


def split_of(world: World) -> str:
    """Return the one split that this story, under whatever names and in whatever order, may stand in."""
    digest = hashlib.blake2b(world.key.encode(), digest_size=8).digest()
    bucket = int.from_bytes(digest, "big") % NUM_BUCKETS
    return next(split for split, buckets in _BUCKETS.items() if bucket in buckets)


def draw_split(split: str, seed: int, index: int, settings: WorldSettings) -> tuple[World, random.Random]:
    """Draw story `index` of a split, and hand on its generator for the words.

    The generator is seeded with the text "worlds/{split}/{seed}/{index}"; stories of other splits are drawn over.
    """
    if split not in _BUCKETS:
        raise UserError(f"split {split!r} of worlds, expected one of {', '.join(SPLITS)}: name one of these")
    rng = random.Random(f"worlds/{split}/{seed}/{index}")
    for _ in range(MAX_ATTEMPTS // 10):
        world = draw_world(rng, settings)
        if split_of(world) == split:
            return world, rng
    raise too_narrow(settings)


def problems(
    split: str, num: int, *, seed: int = 0, first: int = 0, settings: WorldSettings | None = None
) -> list[Problem]:
    """Draw `num` problems of a split from index `first` on, each with its right reference solution and its graph.

    `settings` defaults to the split's own: `settings.ood()` for "ood", else `settings.default()`. The uid is
    "worlds-{split}-{index}", with "-s{seed}" added for seeds other than 0.
    """
    if settings is None:
        settings = settings_lib.ood() if split == "ood" else settings_lib.default()
    drawn = []
    for index in range(first, first + num):
        world, rng = draw_split(split, seed, index, settings)
        uid = f"worlds-{split}-{index}" + (f"-s{seed}" if seed else "")
        question = language.story_words(world, rng, settings)
        trace = write.write_trace(world, rng, SlopSettings())
        solution = steps.join_steps(trace.steps)
        drawn.append(Problem(uid, question, trace.answer, solution, {"world": world.to_json()}))
    return drawn
