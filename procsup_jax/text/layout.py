"""Layouts: how a problem, its steps and its answer are written. Strings only."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jinja2
import jinja2.sandbox

from procsup_jax.errors import UserError
from procsup_jax.types import Problem

QUESTION = "{question}"


@dataclasses.dataclass(frozen=True)
class Layout:
    r"""Describe how a model reads problems and writes solutions; a model's folder carries its own.

    `prompt` holds `{question}`: with a `chat_template` (jinja2, as tokenizers carry) it is the user's message and
    `system` the message before it, else it is all that stands before a solution. `separator` stands between steps. The
    step that holds `answer_marker` is the last one; a marker that opens a brace, `\boxed{`, ends with that brace.
    `ends` are the names of the tokens that end a solution, () for the tokenizer's own; the first is the one written.
    With a `step_marker`, a reward model reads that token after every step, in the separator's place. `verdicts` are
    the tokens that a verdict head compares: for correct and for incorrect.
    """

    name: str = "lines"
    prompt: str = "Question: {question}\nSolution:\n"
    chat_template: str | None = None
    system: str | None = None
    separator: str = "\n"
    answer_marker: str = "#### "
    ends: tuple[str, ...] = ()
    step_marker: str | None = None
    verdicts: tuple[str, str] = ("<correct>", "<incorrect>")

    def __post_init__(self) -> None:
        if QUESTION not in self.prompt:
            raise UserError(f"layout {self.name}: prompt {self.prompt!r} has no {QUESTION}; put it where that goes")
        if not self.separator.strip(" ") or self.separator.strip():
            raise UserError(
                f"layout {self.name}: separator {self.separator!r}: expected line breaks between steps, such as '\\n'"
            )
        if len(self.verdicts) != 2 or self.verdicts[0] == self.verdicts[1]:
            raise UserError(f"layout {self.name}: verdicts {self.verdicts}: expected two different tokens")

    def prompt_text(self, question: str) -> str:
        """Return what stands before a solution, worked examples and what a tokenizer starts documents with apart.

        Raises UserError where the chat template does.
        """
        return self.example_and_prompt_text(question, ())[1]

    def example_and_prompt_text(self, question: str, examples: Sequence[Problem]) -> tuple[str, str]:
        """Return what worked examples put before every prompt, and the prompt itself: one text, cut in two."""
        if self.chat_template is None:
            shown = "".join(f"{self.worked_example(each)}\n\n" for each in examples)
            return shown, self.prompt.replace(QUESTION, question)
        opening = [] if self.system is None else [{"role": "system", "content": self.system}]
        for each in examples:
            opening.append({"role": "user", "content": self.prompt.replace(QUESTION, each.question)})
            opening.append({"role": "assistant", "content": _solved(each)})
        turn = {"role": "user", "content": self.prompt.replace(QUESTION, question)}
        whole = self._render([*opening, turn], opens=True)
        before = self._render(opening, opens=False) if examples else ""
        return (before, whole[len(before) :]) if whole.startswith(before) else ("", whole)

    def worked_example(self, problem: Problem) -> str:
        """Return a problem's prompt with its reference trace, in plain text; raise UserError where it has none."""
        return self.prompt.replace(QUESTION, problem.question) + _solved(problem)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object from which `from_json` makes the layout again."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any, where: str = "layout") -> Layout:
        """Return the layout of a JSON object; raise UserError, naming `where` it stands, for another object."""
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(value, Mapping) or any(name not in names for name in value):
            raise UserError(f"{where} is {value!r}, expected an object with some of {', '.join(names)}")
        fields: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in value.items()}
        for name, each in fields.items():
            texts = each if name in ("ends", "verdicts") else (each,)
            optional = name in ("chat_template", "system", "step_marker")
            if not isinstance(texts, tuple) or not all(isinstance(t, str) or (optional and t is None) for t in texts):
                raise UserError(f"{where}: {name} is {each!r}, expected text" + (" or null" if optional else ""))
        return cls(**fields)

    def _render(self, messages: Sequence[Mapping[str, str]], *, opens: bool) -> str:
        try:
            return _template(self.chat_template or "").render(messages=messages, add_generation_prompt=opens)
        except Exception as error:  # a template may do whatever Jinja lets it, and fail in every way of that
            shown = " ".join(str(error).split())
            raise UserError(
                f"layout {self.name}: the chat template failed: {shown}; change the layout's system or prompt, or its "
                "chat_template in the model's model.json"
            ) from error


LINES = Layout()
PARAGRAPHS = Layout(
    name="paragraphs",
    prompt="Question: {question}\n\nSolution:\n\n",
    separator="\n\n",
    answer_marker="\\boxed{",
)
CHAT = dataclasses.replace(
    PARAGRAPHS,
    name="chat",
    prompt=QUESTION,
    system="Please reason step by step, and put your final answer within \\boxed{}.",
)
StepLayout = Literal["lines", "paragraphs"]
"""The presets that say how solutions which do not give their steps are split."""
PRESETS: Mapping[str, Layout] = {each.name: each for each in (LINES, PARAGRAPHS, CHAT)}


def preset(name: str) -> Layout:
    """Return the layout of a name; that of "chat" still lacks its tokenizer's template (see `encoding.layout_for`)."""
    if name not in PRESETS:
        raise UserError(f"layout {name!r} is unknown: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


def _solved(problem: Problem) -> str:
    if problem.solution is None:
        raise UserError(
            f'problem {problem.uid!r} has no "solution", which a worked example needs; '
            "give it one or choose the examples among problems that have one"
        )
    return problem.solution


@functools.cache
def _template(source: str) -> jinja2.Template:
    # As transformers renders chat templates; the sandbox keeps a downloaded template from reaching Python's objects.
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _raise_exception
    return environment.from_string(source)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)
