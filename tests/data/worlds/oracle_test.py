import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.data.worlds import oracle, settings, splits, write
from procsup_jax.data.worlds.graph import Fact, Question, World
from procsup_jax.data.worlds.settings import SlopSettings

# Ann 5, Cid 5, Kim 2; Bob 8, Dora 16, Eli 21, Fay 8, Gus 4, Hana 9.
FACTS = (
    Fact("given", "Ann", 5, ()),
    Fact("given", "Cid", 5, ()),
    Fact("given", "Kim", 2, ()),
    Fact("more", "Bob", 3, ("Ann",)),
    Fact("times", "Dora", 2, ("Bob",)),
    Fact("sum", "Eli", None, ("Dora", "Cid")),
    Fact("half", "Fay", None, ("Dora",)),
    Fact("times", "Gus", 2, ("Kim",)),
    Fact("spare", "Hana", 1, ("Fay",)),
)
WORLD = World("apples", FACTS, Question("one", ("Eli",)))
BOB = "Bob got 3 more than Ann: <<5+3=8>> Bob has 8"
DORA = "Dora got twice as many as Bob: <<8*2=16>> Dora has 16"
ELI = "Eli got as many as Dora and Cid together: <<16+5=21>> Eli has 21"
FAY = "Fay got half as many as Dora: <<16/2=8>> Fay has 8"
HANA = "Hana got 1 more than Fay: <<8+1=9>> Hana has 9"


def verdicts(steps: list[str], question: Question = WORLD.question) -> list[bool]:
    return [verdict.right for verdict in oracle.check(World("apples", FACTS, question), steps).verdicts]


@pytest.mark.parametrize(
    "steps",
    [
        [BOB, DORA, ELI, "#### 21"],
        [BOB, DORA, FAY, ELI, "#### 21"],  # a true step that nothing needs
        [BOB, DORA, ELI, FAY, HANA, "#### 21"],
        ["Gus got twice as many as Kim: <<2*2=4>> Gus has 4", BOB, DORA, ELI, "#### 21"],
        [BOB, BOB, DORA, ELI, ELI, "#### 21"],
        ["Ann has 5", BOB, "Bob has 8 apples", DORA, ELI, "Eli has 21", "#### 21"],
        ["Bob got 3 more than Ann: <<3+5=8>> Bob has 8", "Dora got 2 times as many as Bob: <<2*8=16>> Dora has 16",
         "Eli got as many as Cid and Dora together: <<5+16=21>> Eli has 21", "#### 21"],
        ["Dora got twice as many as Bob: <<2*(5+3)=16>> Dora has 16", ELI, "#### 21"],
        ["Dora got twice as many as Bob: <<5*2+3*2=16>> Dora has 16", ELI, "#### 21"],
        ["Eli got as many as Dora and Cid together: <<(5+3)*2+5=21>> Eli has 21", "#### 21"],
        ["<<2*(5+3)+5=21>> Eli has 21", "#### 21"],
        [BOB, "Dora got twice as many as Bob: <<8+8=16>> Dora has 16", ELI, "#### 21"],
        [BOB, DORA, "Fay got half as many as Dora: <<16*0.5=8>> Fay has 8", ELI, "#### 21"],
        ["- Bob got 3 more than Ann: 5+3=8, Bob has 8", "- Dora got twice as many as Bob: 8*2=16, Dora has 16",
         "- Eli got as many as Dora and Cid together: 16+5=21, Eli has 21", "So the answer is 21."],
        ["Bob has 5+3=<<5+3=8>>8 apples", "Dora has 8*2=<<8*2=16>>16 apples", "Eli has <<16+5=21>>21", "A: 21"],
        [BOB, DORA, ELI, "Final answer: 21"],
        [BOB, DORA, ELI, "it is 21", "#### 21.0"],
        [BOB, DORA, "Eli got as many as Dora and Cid together: Eli has 21", "#### 21"],
        ["Bob got 3 more than Ann", BOB, DORA, ELI, "#### 21"],
        [BOB, DORA, FAY, "Hana can lose 1 to match Fay: <<8+1=9>> Hana has 9", ELI, "#### 21"],
        [BOB + ".", "1. " + DORA, "* " + ELI, "#### 21"],
    ],
)  # fmt: skip
def test_right_traces(steps: list[str]) -> None:
    assert verdicts(steps) == [True] * len(steps)


@pytest.mark.parametrize(
    ("steps", "first_error", "reason"),
    [
        (["Bob got 3 more than Ann: <<5+4=9>> Bob has 9"], 0, "wrong value"),
        (["Bob got 3 more than Ann: <<5-3=2>> Bob has 2"], 0, "wrong value"),
        (["Bob got 3 more than Ann: <<5+3=9>> Bob has 9"], 0, "wrong arithmetic"),
        (["Bob got 3 more than Ann: <<5+3=8>> Bob has 9"], 0, "wrong value"),
        (["Bob got 3 more than Ann: <<5+3=8>> Ann has 8"], 0, "concludes about another quantity"),
        (["Bob got 3 more than Cid: <<5+3=8>> Bob has 8"], 0, "misquoted story"),  # Cid has 5 as well
        (["Bob got 3 fewer than Ann: <<5+3=8>> Bob has 8"], 0, "misquoted story"),
        (["Bob got 4 more than Ann: <<5+3=8>> Bob has 8"], 0, "misquoted story"),
        (["Gus got twice as many as Kim: <<2+3-1=4>> Gus has 4"], 0, "not how the story has it"),
        ([BOB, "Dora got twice as many as Bob: <<4*4=16>> Dora has 16"], 1, "not how the story has it"),
        (["Dora got twice as many as Bob: <<8*2=16>> Dora has 16"], 0, "from values not established"),
        (["Dora got twice as many as Bob: Dora has 16"], 0, "value not established"),
        (["Dora has 16"], 0, "value not established"),
        ([BOB, FAY], 1, "from values not established"),
        ([BOB, DORA, ELI, "#### 16"], 3, "wrong answer"),
        ([BOB, DORA, "#### 21"], 2, "answer not established"),
        (["#### 21"], 0, "answer not established"),
        ([BOB, DORA, ELI, "####"], 3, "ill-formed"),
        ([BOB, DORA, ELI, "#### 21 apples"], 3, "wrong answer"),
        ([BOB, DORA, ELI, "Eli got 9 #### 21"], 3, "wrong answer"),
        (["Zoe got 3 more than Ann: <<5+3=8>> Zoe has 8"], 0, "no quantity of the story"),
        (["Bob is tall"], 0, "ill-formed"),
        (["5+3=8"], 0, "no quantity of the story"),
        ([""], 0, "ill-formed"),
        (["Bob got 3 more than Ann: <<5+3=8>"], 0, "ill-formed"),
        (["Ann and Bob together: <<5+8=13>> it is 13"], 0, "misquoted question"),
        (["Hana got 1 fewer than Fay: <<8-1=7>> Hana has 7"], 0, "misquoted story"),
        (["Bob got 3 more than Ann: <<5/0=8>> Bob has 8"], 0, "ill-formed"),
    ],
)
def test_wrong_traces(steps: list[str], first_error: int, reason: str) -> None:
    checked = oracle.check(WORLD, steps)
    assert checked.first_error == first_error
    assert reason in checked.verdicts[first_error].reason


def test_a_coincidence_of_operations_is_wrong() -> None:
    assert verdicts(["Gus got twice as many as Kim: <<2*2=4>> Gus has 4"]) == [True]
    assert verdicts(["Gus got 2 more than Kim: <<2+2=4>> Gus has 4"]) == [False]


def test_what_rests_on_a_wrong_step_is_wrong_and_the_rest_is_judged_by_itself() -> None:
    gus = "Gus got twice as many as Kim: <<2*2=4>> Gus has 4"
    steps = ["Bob got 3 more than Ann: <<5+3=8>> Bob has 9", DORA, gus, ELI]
    assert verdicts(steps) == [False, False, True, False]
    assert verdicts(["Bob got 3 more than Ann: <<5+2=7>> Bob has 7", BOB, DORA, ELI, "#### 21"]) == [False] + [True] * 4


def test_nothing_is_wrong_in_nothing() -> None:
    assert verdicts([]) == []
    assert oracle.check(WORLD, []).first_error == -1


@pytest.mark.parametrize(
    ("question", "steps", "expected"),
    [
        (Question("difference", ("Dora", "Bob")), ["Dora minus Bob: <<16-8=8>> it is 8", "#### 8"], True),
        (Question("difference", ("Dora", "Bob")), ["<<16-8=8>> it is 8", "#### 8"], True),
        (Question("difference", ("Dora", "Bob")), ["Bob minus Dora: <<16-8=8>> it is 8", "#### 8"], False),
        (Question("difference", ("Dora", "Bob")), ["Dora minus Bob: <<8+0=8>> it is 8", "#### 8"], False),
        (Question("total", ("Bob", "Cid")), ["Cid and Bob together: <<5+8=13>> it is 13", "#### 13"], True),
        (Question("total", ("Bob", "Cid", "Kim")), ["<<5+2+8=15>> it is 15", "#### 15"], True),
        (Question("total", ("Dora", "Bob", "Cid")), ["Dora and Bob together: <<16+8=24>> it is 24", "#### 24"], False),
        (Question("bags", ("Dora",), 10), ["bags of 10 for Dora: <<16/10=1.6>> it is 1", "#### 1"], True),
        (Question("bags", ("Dora",), 10), ["bags of 10 for Dora: <<18/10=1.8>> it is 1", "#### 1"], False),
        (Question("bags", ("Dora",), 10), ["bags of 10 for Dora: <<16/10=1.6>> it is 2", "#### 2"], False),
        (Question("bags", ("Dora",), 10), ["bags of 5 for Dora: <<16/10=1.6>> it is 1", "#### 1"], False),
        (Question("most", ("Dora", "Cid")), ["Dora has 16 and Cid has 5: it is 16", "#### 16"], True),
        (Question("most", ("Dora", "Cid")), ["Cid has 5 and Dora has 16: it is 16", "#### 16"], True),
        (Question("most", ("Dora", "Cid")), ["Dora has 16 and Cid has 4: it is 16", "#### 16"], False),
        (Question("most", ("Dora", "Cid")), ["Dora has 16 and Cid has 5: it is 5", "#### 5"], False),
        (Question("left", ("Dora",), 7), ["Dora minus 7: <<16-7=9>> it is 9", "#### 9"], True),
        (Question("left", ("Dora",), 7), ["Dora minus 7: <<2*(5+3)-7=9>> it is 9", "#### 9"], True),
        (Question("left", ("Dora",), 7), ["Dora minus 7: <<16-8=8>> it is 8", "#### 8"], False),
        (Question("left", ("Dora",), 7), ["7 minus Dora: <<16-7=9>> it is 9", "#### 9"], False),
    ],
)  # fmt: skip
def test_question_forms(question: Question, steps: list[str], expected: bool) -> None:
    assert all(verdicts([BOB, DORA, *steps], question)) == expected
    assert not verdicts([steps[-1], BOB, DORA], question)[0]  # the final line before what it rests on


SEEDS = st.integers(0, 10**6)
STYLES = st.builds(write.Style, st.booleans(), st.sampled_from(["", "- "]), st.sampled_from(write.CLOSINGS))
SPLITS = st.sampled_from(["rm", "ood"])


def draw(split: str, index: int) -> tuple[World, random.Random]:
    return splits.draw_split(split, 0, index, settings.ood() if split == "ood" else settings.default())


@given(SPLITS, SEEDS, STYLES)
def test_writers_without_slips_are_right(split: str, index: int, style: write.Style) -> None:
    world, rng = draw(split, index)
    trace = write.write_trace(world, rng, SlopSettings(unneeded_rate=1.0), style)
    assert oracle.check(world, trace.steps).first_error == -1
    assert trace.answer == str(world.answer)


@given(SPLITS, SEEDS, STYLES)
def test_a_right_trace_has_the_right_answer_and_states_true_numbers(split: str, index: int, style: write.Style) -> None:
    world, rng = draw(split, index)
    for _ in range(5):
        trace = write.write_trace(world, rng, SlopSettings(rate=0.15, trap_rate=0.5), style)
        checked = oracle.check(world, trace.steps)
        if checked.first_error == -1:
            assert trace.answer == str(world.answer)
        for step, verdict in zip(trace.steps, checked.verdicts, strict=True):
            concluded = re.search(r"([A-Z][a-z]+) has (\d+)$", step)
            if verdict.right and concluded:
                assert world.values[concluded[1]] == int(concluded[2])


@given(SEEDS, st.data())
def test_changing_one_digit_makes_a_step_wrong(index: int, data: st.DataObject) -> None:
    world, rng = draw("rm", index)
    steps = list(write.write_trace(world, rng, SlopSettings()).steps)
    at = data.draw(st.integers(0, len(steps) - 1))
    digits = [i for i, character in enumerate(steps[at]) if character.isdigit()]
    place = data.draw(st.sampled_from(digits))
    other = data.draw(st.sampled_from([d for d in "123456789" if d != steps[at][place]]))
    steps[at] = steps[at][:place] + other + steps[at][place + 1 :]
    assert oracle.check(world, steps).first_error == at


@given(st.lists(st.one_of(st.text(), st.text(alphabet="AnnBobDora got hs35+-*/()=<>:.,moreitsfw#A:\n")), max_size=4))
def test_any_text_is_judged(steps: list[str]) -> None:
    checked = oracle.check(WORLD, steps)
    assert len(checked.verdicts) == len(steps)
    assert all(verdict.right == (verdict.reason == "") for verdict in checked.verdicts)


@given(SEEDS, st.randoms(use_true_random=False))
def test_mangled_steps_never_raise(index: int, rng: random.Random) -> None:
    world, writer_rng = draw("rm", index)
    for step in write.write_trace(world, writer_rng, SlopSettings()).steps:
        characters = list(step)
        for _ in range(3):
            characters[rng.randrange(len(characters))] = rng.choice("0123456789+-*/()=<>: ABab.#\n")
        oracle.check(world, ["".join(characters)])
