"""Rows of tokens that given solutions are read in: which lie beside each other, in few shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.decode.batching import length_bucket
from procsup_jax.models import api
from procsup_jax.models.api import Trees, TreeShape
from procsup_jax.text.encoding import EncodedSolution

# A solution, by its problem's uid and what it says.
Key = tuple[str, object]

# The share of a row's room for branches and prompts, each as long as the longest, that it has tokens for at most.
_FILLED = 0.77


class Documents(NamedTuple):
    """Hold the prompts of problems by uid, and each different solution."""

    prompts: dict[str, list[int]]
    solutions: dict[Key, EncodedSolution]


class Part(NamedTuple):
    """Hold what is read at a time: rows of solutions, what fits each of them, and the most steps of a solution."""

    rows: list[list[Key]]
    shape: TreeShape
    num_steps: int


class Batch(NamedTuple):
    """Hold rows of flat tokens [b, l], how they hang together, and the ends of the steps of each solution [b, r, s]."""

    tokens_bl: jax.Array
    trees: Trees
    ends_brs: jax.Array


def parts_of(documents: Documents, num_rows: int, num_branches: int) -> Iterator[Part]:
    """Yield what is read at a time, in few shapes: a program is compiled for each.

    A shape goes by the bucket of a problem's longest solution, and in three sizes by what its rows hold; what fills
    less than half a row waits for the next one.
    """
    classes: dict[int, list[Key]] = {}
    for keys in _by_problem(documents).values():
        longest = max(len(documents.solutions[key].tokens) for key in keys)
        classes.setdefault(length_bucket(longest, 64), []).extend(keys)
    num_steps = length_bucket(max((len(each.ends) for each in documents.solutions.values()), default=0), 16)
    waiting: list[Key] = []
    for branch_len in sorted(classes):
        shape = shape_of(documents, branch_len, num_branches)
        rows = _filled(documents, [*waiting, *classes[branch_len]], shape)
        is_last = branch_len == max(classes)
        waiting = [] if is_last or 2 * _num_tokens(documents, rows[-1]) >= shape.num_tokens else rows.pop()
        shape = _shrunk(shape, max((_num_tokens(documents, row) for row in rows), default=0))
        for start in range(0, len(rows), num_rows):
            yield Part(rows[start : start + num_rows], shape, num_steps)


def _by_problem(documents: Documents) -> dict[str, list[Key]]:
    by_problem: dict[str, list[Key]] = {}
    for key, solution in documents.solutions.items():
        if solution.tokens:
            by_problem.setdefault(key[0], []).append(key)
    return by_problem


def shape_of(documents: Documents, branch_len: int, num_branches: int) -> TreeShape:
    """Return what a row has room for: few tokens, as most work is done token by token."""
    solutions_each = len(documents.solutions) / len(documents.prompts)
    num_prompts = max(num_branches // 4, 1) if solutions_each >= 3 else num_branches
    prompt_len = length_bucket(max(map(len, documents.prompts.values())), 128)
    most = num_branches * branch_len + num_prompts * prompt_len
    return TreeShape(
        num_tokens=max(int(_FILLED * most), prompt_len + branch_len),
        num_prompts=num_prompts,
        prompt_len=prompt_len,
        num_branches=num_branches,
        branch_len=branch_len,
    )


def _shrunk(shape: TreeShape, num_tokens: int) -> TreeShape:
    """Return the shape with six or seven eighths of its tokens, where its rows hold no more."""
    eighths = next((n for n in (6, 7) if num_tokens <= n * shape.num_tokens // 8), 8)
    return shape._replace(num_tokens=eighths * shape.num_tokens // 8)


def _filled(documents: Documents, keys: Sequence[Key], shape: TreeShape) -> list[list[Key]]:
    """Fill rows in turn, in the order of the keys."""
    rows: list[list[Key]] = [[]]
    for key in keys:
        row = [*rows[-1], key]
        fits = len(row) <= shape.num_branches and len(_uids(row)) <= shape.num_prompts
        if fits and _num_tokens(documents, row) <= shape.num_tokens:
            rows[-1] = row
        else:
            rows.append([key])
    return rows


def _num_tokens(documents: Documents, row: Sequence[Key]) -> int:
    prompts = sum(len(documents.prompts[uid]) for uid in _uids(row))
    return prompts + sum(len(documents.solutions[key].tokens) for key in row)


def _uids(keys: Sequence[Key]) -> list[str]:
    return list(dict.fromkeys(uid for uid, _ in keys))


def batch_of(documents: Documents, part: Part, num_rows: int) -> Batch:
    """Lay out rows of solutions with their prompts, empty ones after them; the solutions keep their order."""
    shape = part.shape
    ends_brs = np.zeros((num_rows, shape.num_branches, part.num_steps), np.int32)
    empty: list[list[Key]] = [[]] * (num_rows - len(part.rows))
    planted = []
    for b, keys in enumerate([*part.rows, *empty]):
        uids = _uids(keys)
        branches = [(uids.index(key[0]), documents.solutions[key].tokens) for key in keys]
        planted.append(api.plant(shape, [documents.prompts[uid] for uid in uids], branches))
        for r, key in enumerate(keys):
            ends = documents.solutions[key].ends
            ends_brs[b, r, : len(ends)] = ends
    tokens_bl, trees = jax.tree.map(lambda *arrays: jnp.asarray(np.stack(arrays)), *planted)
    return Batch(tokens_bl, trees, jnp.asarray(ends_brs))
