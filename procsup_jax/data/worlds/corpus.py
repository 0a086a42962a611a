"""The base model's training text: worksheets of stories with sloppy solutions in several styles."""

from __future__ import annotations

import random

from procsup_jax.data.worlds import language
from procsup_jax.data.worlds.draw import choose, pick
from procsup_jax.data.worlds.settings import CorpusSettings
from procsup_jax.data.worlds.splits import draw_split
from procsup_jax.data.worlds.write import CLOSINGS, GSM8K, Style, write_trace
from procsup_jax.text.layout import LINES


def base_documents(
    seed: int, num_documents: int, settings: CorpusSettings | None = None, *, first: int = 0
) -> list[str]:
    """Write documents `first`, `first + 1`, ... of the base corpus.

    Each is a worksheet of one to three problems of split "base" in the layout `lines`, a blank line between, all in
    one style. Document i depends on (seed, i, settings) only.
    """
    settings = settings or CorpusSettings()
    return [_document(seed, index, settings) for index in range(first, first + num_documents)]


def _document(seed: int, index: int, settings: CorpusSettings) -> str:
    rng = random.Random(f"worlds/document/{seed}/{index}")
    style = GSM8K if rng.random() < settings.gsm8k_share else _draw_style(rng)
    parts = []
    for number in range(int(pick(rng, settings.num_problems))):
        world, words_rng = draw_split("base", seed, 4 * index + number, settings.worlds)
        question = language.story_words(world, words_rng, settings.worlds)
        trace = write_trace(world, words_rng, settings.slop, style)
        part = LINES.prompt_text(question) + "\n".join(trace.steps)
        if settings.marked:
            part += "\nMarked: " + ("right" if trace.answer == str(world.answer) else "wrong")
        parts.append(part)
    return "\n\n".join(parts)


def _draw_style(rng: random.Random) -> Style:
    bullet = "- " if rng.random() < 0.4 else ""
    return Style(annotated=rng.random() < 0.5, bullet=bullet, closing=choose(rng, CLOSINGS))
