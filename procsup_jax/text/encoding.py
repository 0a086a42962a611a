"""A tokenizer and a layout together: prompts and solutions as token ids. The one place that knows their order.

A document is the prompt's tokens, then each step's. Steps are encoded one by one, each with its separator, so that what
is read of a step does not depend on the one behind it, and a step's tokens are known by counting. The last step ends in
the end token.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

from procsup_jax.errors import UserError
from procsup_jax.text.layout import Layout, preset
from procsup_jax.text.steps import split_steps
from procsup_jax.text.tokenizer import Tokenizer
from procsup_jax.text.written import Body, body, step_ends
from procsup_jax.types import Problem, Sample


class EncodedSolution(NamedTuple):
    """Hold a solution's tokens, and the index of the one after which each of its steps is judged."""

    tokens: list[int]
    ends: list[int]


def layout_for(tokenizer: Tokenizer, name: str) -> Layout:
    """Return a preset layout with this tokenizer's chat template and verdict tokens that it has.

    Raises UserError for an unknown name, and for "chat" where the tokenizer comes without a chat template.
    """
    layout = preset(name)
    if name == "chat":
        if tokenizer.chat_template is None:
            raise UserError("layout chat: the tokenizer has no chat template; take lines or paragraphs, or give it one")
        layout = dataclasses.replace(layout, chat_template=tokenizer.chat_template)
    if tokenizer.token_id(layout.verdicts[0]) is None:
        layout = dataclasses.replace(layout, verdicts=("+", "-"))
    return layout


class Encoding:
    """Write prompts and solutions as tokens.

    `end_id` is what a solution's last step is ended with, `end_ids` all that end one when they are sampled,
    `separator_ids` what writes a separator, `step_marker_id` the token read after a step (None: the separator's last).
    Raises UserError where the tokenizer lacks a token that the layout needs, or cannot write its separator.
    """

    def __init__(self, tokenizer: Tokenizer, layout: Layout) -> None:
        self.tokenizer, self.layout = tokenizer, layout
        self.end_ids = tuple(self._named(name, "end") for name in layout.ends) or tokenizer.eos_ids
        if not self.end_ids:
            raise UserError(f"layout {layout.name}: neither it nor the tokenizer names a token that ends a text")
        self.end_id = self.end_ids[0]
        self.separator = layout.separator.encode()
        self.separator_ids = tuple(tokenizer.encode(layout.separator))
        if b"".join(self.token_bytes[i] for i in self.separator_ids) != self.separator:
            raise UserError(
                f"layout {layout.name}: the tokenizer cannot write the separator {layout.separator!r} between steps "
                f"(it gives {[self.token_bytes[i] for i in self.separator_ids]}); choose another layout"
            )
        marker = layout.step_marker
        self.step_marker_id = None if marker is None else self._named(marker, "step marker")

    @functools.cached_property
    def token_bytes(self) -> list[bytes]:
        """Return the bytes that each id stands for."""
        return self.tokenizer.token_bytes()

    def verdict_ids(self) -> tuple[int, int]:
        """Return the tokens for correct and for incorrect; raise UserError where one of them is not a single token."""
        correct, incorrect = (self._named(name, "verdict") for name in self.layout.verdicts)
        return correct, incorrect

    def prompt_ids(self, question: str, examples: Sequence[Problem] = ()) -> list[int]:
        """Return the tokens that a solution of `question` follows: zero-shot, or after worked `examples`."""
        shown, own = self.layout.example_and_prompt_text(question, examples)
        return self._opening(shown) + (self._encode(own) if shown else self._opening(own))

    def example_ids(self, examples: Sequence[Problem]) -> list[int]:
        """Return the tokens that worked examples put before every prompt: `prompt_ids` with them starts with these."""
        return self._opening(self.layout.example_and_prompt_text("", examples)[0]) if examples else []

    def document_ids(self, text: str) -> list[int]:
        """Return a whole document's tokens, the end token included."""
        return [*self.text_ids(text), self.end_id]

    def text_ids(self, text: str) -> list[int]:
        """Return the tokens of a text that begins a document."""
        return [*self._start(), *self.tokenizer.encode(text, start=True)]

    def steps(self, solution: str) -> list[str]:
        """Return the steps of a solution, one for each of its labels and scores."""
        return split_steps(solution, self.layout.separator)

    def solution(self, solution: str | Sequence[str], written: Sequence[int] | None = None) -> EncodedSolution:
        """Return the tokens of a solution, or of its steps where they are given, and where each step is judged.

        `written` are the tokens, without an end token, that a policy wrote it in: they are read as they are, unless
        the layout has a step marker. An empty solution has no steps and no tokens.
        """
        if not solution:
            return EncodedSolution([], [])
        if written is not None and self.step_marker_id is None:
            text = solution if isinstance(solution, str) else self.layout.separator.join(solution)
            ends = step_ends(Body(list(written), text), self.token_bytes, self.separator)
            return EncodedSolution([*written, self.end_id], [*ends, len(written)])
        tokens: list[int] = []
        ends = []
        steps = self.steps(solution) if isinstance(solution, str) else solution
        for i, step in enumerate(steps):
            tokens += self.step(step, is_last=i + 1 == len(steps))
            ends.append(len(tokens) - 1)
        return EncodedSolution(tokens, ends)

    def step(self, step: str, *, is_last: bool) -> list[int]:
        """Return the tokens of one step, which is judged after the last of them."""
        if self.step_marker_id is not None:
            return [*self.tokenizer.encode(step), self.step_marker_id]
        if is_last:
            return [*self.tokenizer.encode(step), self.end_id]
        return self.tokenizer.encode(step + self.layout.separator)

    def sample(self, sample: Sample) -> EncodedSolution:
        """Return the tokens of a sample, those that its policy wrote where they are of this tokenizer."""
        written = sample.token_ids if sample.tokenizer == self.tokenizer.digest else None
        return self.solution(sample.solution if sample.steps is None else sample.steps, written)

    def content(self, sample: Sample) -> object:
        """Return what samples have in common that read the same: a hashable value."""
        if sample.token_ids is not None and sample.tokenizer == self.tokenizer.digest:
            return sample.token_ids
        return sample.solution if sample.steps is None else sample.steps

    def written(self, tokens: Sequence[int], stopped: bool = True) -> tuple[str, tuple[int, ...] | None]:
        """Return the text of a solution that a policy wrote, and its tokens where they are not those of the text.

        `tokens` end in what ended the solution, an end token or the token in which a separator was completed, unless
        it was not `stopped`. That is no part of the text; of the tokens those go that hold nothing else.
        """
        ids, text = body(tokens, self.token_bytes, self.separator, self.end_ids, stopped=stopped)
        return text, None if ids == self.solution(text).tokens[:-1] else tuple(ids)

    def same_tokens(self, other: Encoding) -> bool:
        """Say whether a reward model of the `other` encoding reads a policy of this one token for token."""
        return (
            self.tokenizer.digest == other.tokenizer.digest
            and self.separator == other.separator
            and self.end_id == other.end_id
            and other.step_marker_id is None
        )

    def _start(self) -> list[int]:
        return [] if self.tokenizer.bos_id is None else [self.tokenizer.bos_id]

    def _opening(self, text: str) -> list[int]:
        """Return the tokens of the text that a document begins with; a chat template writes its bos itself."""
        if not text:
            return []
        if self.layout.chat_template is not None:
            return self._encode(text)
        return self.text_ids(text)

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, special=self.layout.chat_template is not None)

    def _named(self, name: str, what: str) -> int:
        found = self.tokenizer.token_id(name)
        if found is None and len(written := self.tokenizer.encode(name)) == 1:
            found = written[0]
        if found is None:
            raise UserError(
                f"layout {self.layout.name}: the tokenizer has no token {name!r}, the layout's {what} token; name one "
                "that it has in the model's layout"
            )
        return found
