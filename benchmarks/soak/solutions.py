"""Random solutions through steps, answers and calculator: what they promise of every text, each held to a time.

python -m benchmarks.soak solutions --solutions=10000000 --seed=0

A text is a function of the seed and its number. Expressions are worked out a second time by benchmarks/soak/exact.py.
"""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import itertools
import multiprocessing
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from benchmarks.soak import exact, texts
from benchmarks.soak.result import Budget, Result
from procsup_jax.text import answers, calculator, steps

# CPU for all checks of a text, which read it up to six times, and more for each of its characters; when it is given up.
MAX_SECONDS, MAX_SECONDS_EACH, GIVEN_UP_SECONDS = 4.0, 2e-5, 30
CHUNK = 2000
_SHOWN_CHUNKS = 100
# The share of texts that are also held to what takes longer to check.
THOROUGH = 0.15
# The share of texts whose final answer is known.
SHARE_KNOWN = 0.1
_SEPARATORS = ("\n", "\n\n", "\u0438\u0438", ". ")


class Chunk(NamedTuple):
    """Hold what some texts did: the faults found, the slowest one's seconds, and counts."""

    faults: list[str]
    slowest: float
    counts: collections.Counter[str]


def run(budget: Budget, seed: int) -> Result:
    """Try random solutions in a process for each core."""
    faults, slowest, counts = [], 0.0, collections.Counter[str]()
    context = multiprocessing.get_context("spawn")
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with concurrent.futures.ProcessPoolExecutor(workers, context, _ignore_ctrl_c) as pool:
        waiting = collections.deque[concurrent.futures.Future[Chunk]]()
        sizes = (min(CHUNK, budget.tries - first) for first in range(0, budget.tries, CHUNK))
        for number, size in itertools.chain(enumerate(sizes), [(-1, 0)] * (workers + 1)):
            if size and not (number and budget.spent):
                waiting.append(pool.submit(chunk, seed, number, size))
            if waiting and (len(waiting) > workers or not size):
                found = waiting.popleft().result()
                faults += found.faults
                slowest = max(slowest, found.slowest)
                counts += found.counts
                for fault in found.faults:
                    print(fault, file=sys.stderr, flush=True)
                if number % _SHOWN_CHUNKS == 0:
                    print(f"solutions: {counts['solutions']:,} of {budget.tries:,}", file=sys.stderr, flush=True)
    return Result(
        "solutions", counts.pop("solutions"), len(faults), budget.seconds,
        {**counts, "slowest_s": round(slowest, 3), "processes": workers},
    )  # fmt: skip


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@functools.lru_cache(maxsize=1)
def _right_ones() -> list[str]:
    return texts.right_ones()


def chunk(seed: int, number: int, size: int) -> Chunk:
    """Try the texts of one chunk, which are a function of the seed and the chunk's number."""
    faults, slowest, counts = [], 0.0, collections.Counter[str]()
    _right_ones()
    for index in range(size):
        name = f"{seed}/{number}/{index}"
        chance = random.Random(name)
        begun = time.process_time()
        text, found = _attempt(chance, counts)
        spent = time.process_time() - begun
        slowest = max(slowest, spent)
        if spent > MAX_SECONDS + MAX_SECONDS_EACH * len(text):
            found.append(f"took {spent:.1f} s")
        faults += [f"{name}: {each} in {text[:300]!r}" for each in found]
        counts["solutions"] += 1
    return Chunk(faults, slowest, counts)


def _attempt(chance: random.Random, counts: collections.Counter[str]) -> tuple[str, list[str]]:
    """Draw one text and return it with what is wrong."""
    right = _right_ones()
    value = None
    if chance.random() < SHARE_KNOWN:
        text, value = texts.known(chance, right)
        counts["known_answers"] += 1
    else:
        text = texts.solution(chance, right)
    try:
        with _given_up():
            found = [*_check(text, chance, counts)]
            return text, found if value is None else [*found, *_check_known(text, value, chance)]
    except Exception:  # noqa: BLE001 - whatever it is, a text must not end in it
        return text, [traceback.format_exc(limit=-3).replace("\n", " | ")]


def _check(text: str, chance: random.Random, counts: collections.Counter[str]) -> Iterator[str]:
    yield from check_steps(text, chance.choice(_SEPARATORS))
    yield from check_reading(text, counts)
    yield from check_calculator(text, counts)
    if chance.random() < THOROUGH:
        counts["thorough"] += 1
        yield from check_markers(text)
        cut = chance.randrange(len(text) + 1)
        yield from check_equality(text[:cut][-40:], text[cut:][:40])
        yield from check_expression(exact.expression(chance))


def check_steps(text: str, separator: str) -> Iterator[str]:
    """Say what is wrong with the steps of a text."""
    found = steps.split_steps(text, separator)
    if steps.join_steps(found, separator) != text:
        yield "steps do not give the text back"
    if any(not each.strip() for each in found) and text.strip():
        yield "a step is empty"
    if bool(found) != bool(text):
        yield "no steps of a text, or steps of none"
    if any(steps.split_steps(each, separator) != [each] for each in found):
        yield "a step splits again"


def check_reading(text: str, counts: collections.Counter[str]) -> Iterator[str]:
    """Say what is wrong with the answers that are read in a text."""
    found, strict = answers.read_answer(text), answers.read_answer(text, "strict")
    counts["answers_read"] += found is not None
    counts["answers_read_strictly"] += strict is not None
    for each in filter(None, (found, strict)):
        if not each.answer or answers.normalise_answer(each.answer) != each.answer:
            yield f"{each.answer!r} is read, which is no normal form"
    _, marker, after = text.rpartition("#### ")
    stated = answers.normalise_answer(after.split("\n")[0]) if marker else ""
    if (strict.answer if strict else "") != stated:
        yield f"strictly {strict} is read, but {stated!r} stands behind the marker"


def check_markers(text: str) -> Iterator[str]:
    """Say what is wrong with other ways of reading a text: a reference's, a box's, whether there is an answer."""
    found, gold = answers.read_answer(text), answers.gold_answer(text)
    if found is not None and (not answers.has_answer_marker(text) or gold is None):
        yield "an answer without a marker, or one that a reference would not have"
    box = answers.read_answer(text, "strict", "\\boxed{")
    stated = answers.normalise_answer(answers.boxed(text) or "")
    if (box.answer if box else "") != stated:
        yield f"{box} is read, but {stated!r} stands in the box"


def check_equality(a: str, b: str) -> Iterator[str]:
    """Say what is wrong with the normal forms of two texts and with their equality."""
    for each in (a, b):
        normal = answers.normalise_answer(each)
        if answers.normalise_answer(normal) != normal:
            yield f"normalising {each!r} twice changes it"
        if not answers.same_answer(each, each) or not answers.same_answer(each, normal):
            yield f"{each!r} is not equal to itself or to its normal form"
    if answers.same_answer(a, b) != answers.same_answer(b, a):
        yield f"equality of {a!r} and {b!r} depends on their order"


def check_calculator(text: str, counts: collections.Counter[str]) -> Iterator[str]:
    """Say what is wrong with the annotations of a text and with their faults."""
    found = calculator.annotations(text)
    faults = calculator.faults([text])
    counts["annotations"] += len(found)
    faulty = {(each.expression, each.written) for each in faults}
    for each in found:
        if text[each.start : each.end] != f"<<{each.expression}={each.written}>>":
            yield f"{each} is not in the text"
        yield from check_expression(each.expression)
        value, written = exact.value(each.expression), exact.number(each.written)
        if value is not None and value == written and (each.expression, each.written) in faulty:
            yield f"{each.expression}={each.written} is right and called a fault"
        is_whole = written is not None and "." not in each.written
        if value is not None and is_whole and value != written and (each.expression, each.written) not in faulty:
            yield f"{each.expression}={each.written} is wrong and no fault"


@functools.lru_cache(maxsize=1 << 16)
def check_expression(expression: str) -> tuple[str, ...]:
    """Say what is wrong with an expression's value. Texts share many, and each is worked out once."""
    return tuple(_check_expression(expression))


def _check_expression(expression: str) -> Iterator[str]:
    found, expected = calculator.evaluate(expression), exact.value(expression)
    if found != expected or type(found) is not type(expected):
        yield f"{expression!r} is {found}, expected {expected}"
    if found is not None and (shown := calculator.format_value(found)) is not None:
        sign, digits = (-1, shown[1:]) if shown.startswith("-") else (1, shown)
        if exact.number(digits) != sign * found:
            yield f"{found} is shown as {shown}"


def _check_known(text: str, value: Fraction, chance: random.Random) -> Iterator[str]:
    """Say where the answer that was put into a text is not read, or equals another value."""
    found = answers.extract_answer(text)
    if not answers.same_answer(found, str(value)):
        yield f"{found!r} is read, expected {value}"
    other = value + Fraction(chance.choice((-1, 1)), chance.choice((1, 2, 1000)))
    if answers.same_answer(found, str(other)):
        yield f"{found!r} equals {other}"


class _given_up:  # noqa: N801 - reads as a verb
    """Raise TimeoutError in a block that takes too much CPU."""

    def __enter__(self) -> None:
        def give_up(*_: Any) -> None:
            raise TimeoutError(f"more than {GIVEN_UP_SECONDS} s")

        self._before: Callable[..., Any] | int | None = signal.signal(signal.SIGPROF, give_up)
        signal.setitimer(signal.ITIMER_PROF, GIVEN_UP_SECONDS)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, self._before)
