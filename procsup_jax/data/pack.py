"""Training examples, and packing them into rows of one length."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from procsup_jax.errors import UserError

IGNORED_TARGET = 0


class Example(NamedTuple):
    """Hold one document as a model reads it.

    `targets_l` are the next tokens for a language model; for a reward model, as float32, how probably the solution is
    correct so far, from 0 to 1. `weights_l` is a position's weight in the loss, 0 where there is none. `solution_l`,
    for a reward model, is 1 on the solution's tokens and 0 on the prompt's.
    """

    tokens_l: np.ndarray
    targets_l: np.ndarray
    weights_l: np.ndarray
    solution_l: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Packed:
    """Hold packed rows, each array [b, l] and as narrow as its values allow.

    `segments` is 0 on padding and 1, 2, ... on the documents of a row; `positions` restart in each; `targets`,
    `weights` and, for a reward model, `solution` are those of `Example`, 0 on padding. `num_left_out` examples were
    longer than a row.
    """

    tokens: np.ndarray
    positions: np.ndarray
    segments: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    num_examples: int
    num_left_out: int = 0
    solution: np.ndarray | None = None

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the arrays by name."""
        names = ("tokens", "positions", "segments", "targets", "weights")
        arrays = {name: getattr(self, name) for name in names}
        return arrays if self.solution is None else {**arrays, "solution": self.solution}

    @property
    def num_rows(self) -> int:
        """Return the number of rows."""
        return len(self.tokens)

    @property
    def seq_len(self) -> int:
        """Return the length of a row."""
        return self.tokens.shape[1]

    @property
    def num_tokens(self) -> int:
        """Count the tokens, padding left out."""
        return int(np.count_nonzero(self.segments))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of everything that training sees, as hexadecimal digits."""
        content = hashlib.sha256()
        for name, array in self.arrays.items():
            content.update(f"{name} {array.dtype.str} {array.shape};".encode())
            content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()


def lm_example(prompt_ids: Sequence[int], completion_ids: Sequence[int]) -> Example:
    """Make a language-model example with loss on the completion (which ends with eos) only.

    The last token is a target, never an input, so the example is one position shorter than its text. Raises UserError
    for an empty completion, and where nothing stands before its first token.
    """
    if not len(completion_ids):
        raise UserError("a training example has an empty completion: expected at least the end-of-text token")
    example = document_example([*prompt_ids, *completion_ids])
    weights_l = np.zeros(len(example.tokens_l), np.float32)
    weights_l[max(len(prompt_ids) - 1, 0) :] = 1.0
    return example._replace(weights_l=weights_l)


def document_example(ids: Sequence[int] | np.ndarray) -> Example:
    """Make a language-model example with loss everywhere; views of one array, so that corpora fit in memory.

    Raises UserError for fewer than two tokens: there is nothing to predict.
    """
    if len(ids) < 2:
        raise UserError(f"a training document has {len(ids)} token(s): expected at least 2; leave it out")
    ids_l = np.asarray(ids)
    ids_l = ids_l.astype(_narrowest(int(ids_l.max())))
    return Example(ids_l[:-1], ids_l[1:], np.broadcast_to(np.float32(1.0), len(ids_l) - 1))


def rm_example(
    prompt_ids: Sequence[int],
    solution_ids: Sequence[int],
    ends: Sequence[int],
    labels: Sequence[float | None],
    weight: float = 1.0,
) -> Example:
    """Make a reward-model example: the token of the solution that ends a step carries the step's label.

    `ends` are these tokens' places in the solution. A label is how probably the step is correct, from 0 to 1 (False to
    True); one of None gives its step no loss. `weight` multiplies the loss, so that equal samples are computed once.
    Raises UserError when steps and labels do not correspond or no step has a label.
    """
    if len(ends) != len(labels):
        raise UserError(f"a sample has {len(ends)} steps but {len(labels)} labels: expected one for each step")
    if weight <= 0 or all(label is None for label in labels):
        raise UserError(f"a sample has {len(labels)} steps, weight {weight} and no label that counts: leave it out")
    tokens_l = np.concatenate([np.asarray(ids, np.int64) for ids in (prompt_ids, solution_ids)])
    ends_s = len(prompt_ids) + np.asarray(ends)
    targets_l = np.full(len(tokens_l), IGNORED_TARGET, np.float32)
    weights_l = np.zeros(len(tokens_l), np.float32)
    targets_l[ends_s] = [IGNORED_TARGET if label is None else label for label in labels]
    weights_l[ends_s] = [0.0 if label is None else weight for label in labels]
    solution_l = (np.arange(len(tokens_l)) >= len(prompt_ids)).astype(np.uint8)
    return Example(tokens_l.astype(_narrowest(int(tokens_l.max()))), targets_l, weights_l, solution_l)


def pack(examples: Iterable[Example], seq_len: int) -> Packed:
    """Pack examples into rows of `seq_len` by best-fit decreasing; what is longer than a row is left out and counted.

    Raises UserError for no examples, when all are too long, and when none has a label.
    """
    examples = list(examples)
    if not examples:
        raise UserError("empty split: no examples to pack; check the data file and its filters")
    lens_n = np.array([len(example.tokens_l) for example in examples])
    kept = np.flatnonzero(lens_n <= seq_len)
    if not len(kept):
        raise UserError(
            f"all {len(examples)} examples are longer than seq_len={seq_len} (the shortest has {lens_n.min()} tokens): "
            "raise seq_len"
        )
    kept = kept[np.argsort(-lens_n[kept], kind="stable")]
    rows_n, offsets_n, segments_n = _best_fit(lens_n[kept].tolist(), seq_len)
    packed = _fill([examples[i] for i in kept], rows_n, offsets_n, segments_n, seq_len, len(examples) - len(kept))
    if not packed.weights.any():
        raise UserError(f"none of the {len(kept)} examples has a label: check that the labels belong to this data")
    return packed


def _best_fit(lens: Sequence[int], seq_len: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Assign documents, longest first, each to the fullest row with room: its row, offset and segment (from 1)."""
    rows_by_room: list[list[int]] = [[] for _ in range(seq_len + 1)]
    rooms = 0  # bit r is set when some row has room for exactly r more tokens
    docs_in_row: list[int] = []
    out = np.zeros((3, len(lens)), np.int64)
    for i, length in enumerate(lens):
        fitting = rooms >> length << length
        if fitting:
            room = (fitting & -fitting).bit_length() - 1
            row = rows_by_room[room].pop()
            if not rows_by_room[room]:
                rooms ^= 1 << room
        else:
            row, room = len(docs_in_row), seq_len
            docs_in_row.append(0)
        docs_in_row[row] += 1
        out[:, i] = row, seq_len - room, docs_in_row[row]
        rows_by_room[room - length].append(row)
        rooms |= 1 << (room - length)
    return out[0], out[1], out[2]


def _fill(
    examples: Sequence[Example],
    rows_n: np.ndarray,
    offsets_n: np.ndarray,
    segments_n: np.ndarray,
    seq_len: int,
    num_left_out: int,
) -> Packed:
    lens_n = np.array([len(example.tokens_l) for example in examples])
    within = np.arange(lens_n.sum()) - np.repeat(np.cumsum(lens_n) - lens_n, lens_n)
    index = np.repeat(rows_n * seq_len + offsets_n, lens_n) + within
    shape = (int(rows_n.max()) + 1, seq_len)

    def scatter(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
        flat = np.zeros(shape[0] * shape[1], dtype)
        flat[index] = values
        return flat.reshape(shape)

    tokens = np.concatenate([example.tokens_l for example in examples])
    targets = np.concatenate([example.targets_l for example in examples])
    weights = np.concatenate([example.weights_l for example in examples])
    solutions = [example.solution_l for example in examples if example.solution_l is not None]
    return Packed(
        tokens=scatter(tokens, _narrowest(int(tokens.max()))),
        positions=scatter(within, _narrowest(seq_len)),
        segments=scatter(np.repeat(segments_n, lens_n), _narrowest(seq_len)),
        targets=scatter(targets, targets.dtype if targets.dtype.kind == "f" else _narrowest(int(targets.max()))),
        weights=scatter(weights, np.dtype(np.float32)),
        num_examples=len(examples),
        num_left_out=num_left_out,
        solution=scatter(np.concatenate(solutions), np.dtype(np.uint8)) if solutions else None,
    )


def _narrowest(largest: int) -> np.dtype:
    return np.dtype(np.uint16 if largest < 2**16 else np.int32)
