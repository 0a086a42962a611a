r"""Tokenizers and layouts together: prompts, solutions, where steps end, for every kind of tokenizer."""

import dataclasses

import pytest

from procsup_jax.errors import UserError
from procsup_jax.text.encoding import Encoding, layout_for
from procsup_jax.text.layout import LINES, PARAGRAPHS
from procsup_jax.text.tokenizer import load_tokenizer
from procsup_jax.types import Problem

FOLDERS = ("vocab_folder", "bpe_folder", "digits_bpe_folder", "triples_bpe_folder", "sentencepiece_folder")
LAYOUTS = ("lines", "paragraphs")
STEPS = ("Bob has 3 + 9 = <<3+9=12>>12 apples.", "They have 15 in all.", "#### 15")
EXAMPLES = [Problem("p", "What is 1+1?", "2", "1+1=2\n#### 2")]


@pytest.fixture(params=FOLDERS)
def tokenizer(request):
    return load_tokenizer(request.getfixturevalue(request.param))


@pytest.fixture(params=LAYOUTS)
def encoding(request, tokenizer):
    return Encoding(tokenizer, layout_for(tokenizer, request.param))


def test_a_solution_is_its_steps_one_by_one(encoding):
    solution = encoding.layout.separator.join(STEPS)
    tokens, ends = encoding.solution(solution)
    assert encoding.tokenizer.decode(tokens) == solution and tokens[-1] == encoding.end_id
    assert ends[-1] == len(tokens) - 1
    starts = [0, *(end + 1 for end in ends)]
    read = [encoding.tokenizer.decode(tokens[start : end + 1]) for start, end in zip(starts, ends, strict=False)]
    assert read == [*(step + encoding.layout.separator for step in STEPS[:-1]), STEPS[-1]]
    assert encoding.solution(STEPS) == (tokens, ends)
    assert encoding.solution(STEPS[:2]).tokens[: ends[0] + 1] == tokens[: ends[0] + 1]


def test_an_empty_solution_has_no_steps(encoding):
    assert encoding.solution("") == ([], []) == encoding.solution([])


def test_steps_may_hold_separators_where_they_are_given(encoding):
    assert len(encoding.solution(["one\n\ntwo", "three"]).ends) == 2


def test_what_was_written_is_read_as_it_is(encoding):
    solution = encoding.layout.separator.join(STEPS)
    written = [i for character in solution for i in encoding.tokenizer.encode(character)]
    tokens, ends = encoding.solution(solution, written)
    assert tokens == [*written, encoding.end_id] and len(ends) == len(STEPS)
    assert encoding.tokenizer.decode(tokens[: ends[0] + 1]) == STEPS[0] + encoding.layout.separator


def test_a_step_marker_is_read_in_the_separators_place(digits_bpe_folder):
    tokenizer = load_tokenizer(digits_bpe_folder)
    marked = Encoding(tokenizer, dataclasses.replace(PARAGRAPHS, step_marker="<extra_0>", verdicts=("+", "-")))
    tokens, ends = marked.solution("\n\n".join(STEPS), written=[1, 2])
    marker = tokenizer.token_id("<extra_0>")
    assert [tokens[end] for end in ends] == [marker] * 3 and tokens.count(marker) == 3
    assert [i for i in tokens if i != marker] == [i for step in STEPS for i in tokenizer.encode(step)]
    plain = Encoding(tokenizer, dataclasses.replace(PARAGRAPHS, verdicts=("+", "-")))
    assert plain.same_tokens(plain) and marked.same_tokens(plain) and not plain.same_tokens(marked)


def test_prompts_follow_worked_examples_and_bos(encoding):
    alone, shown = encoding.prompt_ids("How many?"), encoding.prompt_ids("How many?", EXAMPLES)
    before = encoding.example_ids(EXAMPLES)
    assert shown[: len(before)] == before and encoding.example_ids([]) == []
    # A tokenizer with a dummy prefix begins documents with a blank.
    assert encoding.tokenizer.decode(alone).removeprefix(" ") == encoding.layout.prompt_text("How many?")
    assert encoding.tokenizer.decode(shown).endswith(encoding.layout.prompt_text("How many?"))
    bos = encoding.tokenizer.bos_id
    assert [ids[0] == bos for ids in (alone, shown)] == [bos is not None] * 2
    assert shown.count(bos) == (bos is not None)


def test_a_chat_is_written_in_special_tokens_alone(triples_bpe_folder):
    tokenizer = load_tokenizer(triples_bpe_folder)
    chat = Encoding(tokenizer, layout_for(tokenizer, "chat"))
    ids = chat.prompt_ids("How many?")
    opens = tokenizer.token_id("<|im_start|>")
    assert ids.count(opens) == 3 and ids[0] == opens and tokenizer.bos_id not in ids
    assert chat.prompt_ids("How many?", EXAMPLES)[: len(chat.example_ids(EXAMPLES))] == chat.example_ids(EXAMPLES)


def test_verdicts_are_single_tokens(tokenizer):
    encoding = Encoding(tokenizer, layout_for(tokenizer, "lines"))
    correct, incorrect = encoding.verdict_ids()
    assert correct != incorrect
    wrong = Encoding(tokenizer, dataclasses.replace(LINES, verdicts=("perfectly right", "-")))
    with pytest.raises(UserError, match="has no token 'perfectly right', the layout's verdict token; name one"):
        wrong.verdict_ids()


def test_what_the_tokenizer_lacks_is_one_clear_line(bpe_folder, vocab_folder):
    ours, foreign = load_tokenizer(vocab_folder), load_tokenizer(bpe_folder)
    with pytest.raises(UserError, match="the tokenizer has no token '<extra_9>', the layout's step marker token"):
        Encoding(foreign, dataclasses.replace(LINES, step_marker="<extra_9>"))
    with pytest.raises(UserError, match="no token '<|end|>', the layout's end token"):
        Encoding(foreign, dataclasses.replace(LINES, ends=("<|end|>",)))
    with pytest.raises(UserError, match="layout chat: the tokenizer has no chat template"):
        layout_for(ours, "chat")
    with pytest.raises(UserError, match="layout 'poem' is unknown"):
        layout_for(ours, "poem")


def test_a_separator_that_cannot_be_written_is_one_clear_line(digits_bpe_folder):
    class NoLineBreaks:
        def __init__(self, tokenizer):
            self.__dict__.update({name: getattr(tokenizer, name) for name in ("eos_ids", "token_bytes", "token_id")})

        def encode(self, text, **_):
            return [0 for _ in text]

    with pytest.raises(UserError, match=r"cannot write the separator '\\n' between steps"):
        Encoding(NoLineBreaks(load_tokenizer(digits_bpe_folder)), LINES)
