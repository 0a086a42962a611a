import collections
import dataclasses

from procsup_jax.data.worlds import corpus, settings, write
from procsup_jax.data.worlds.settings import CorpusSettings, SlopSettings
from procsup_jax.text import answers

CLEAN = CorpusSettings(slop=SlopSettings())


def test_documents_depend_on_seed_and_index_only() -> None:
    whole = corpus.base_documents(3, 12)
    assert whole[5:] == corpus.base_documents(3, 7, first=5)
    assert not set(whole) & set(corpus.base_documents(4, 12))


def test_documents_are_worksheets_of_one_to_three_problems_in_one_style() -> None:
    counts = collections.Counter()
    for text in corpus.base_documents(0, 300, CLEAN):
        parts = text.split("\n\n")
        counts[len(parts)] += 1
        solutions = []
        for part in parts:
            question, solution = part.split("\nSolution:\n")
            assert question.startswith("Question: ") and question.endswith("?")
            solutions.append(solution)
        assert len({"<<" in solution for solution in solutions}) == 1
        assert len({solution.startswith("- ") for solution in solutions}) == 1
        assert len({solution.split("\n")[-1].rstrip(".").rpartition(" ")[0] for solution in solutions}) == 1
    assert set(counts) == {1, 2, 3}
    assert counts[1] > counts[2] > counts[3]


def test_most_documents_have_the_form_of_gsm8k() -> None:
    documents = corpus.base_documents(0, 500)
    gsm8k = ["<<" in text and "\n- " not in text and "#### " in text for text in documents]
    assert 0.62 < sum(gsm8k) / len(gsm8k) < 0.76
    closings = {closing.split("{")[0] for closing in write.CLOSINGS}
    assert all(any(f"\n{closing}" in text for text in documents) for closing in closings)


def test_the_slop_shows_in_the_answers() -> None:
    sloppy = CorpusSettings(slop=SlopSettings(rate=0.3), num_problems=(("1", 1.0),), gsm8k_share=1.0)
    clean = dataclasses.replace(sloppy, slop=SlopSettings())
    pairs = zip(corpus.base_documents(0, 100, sloppy), corpus.base_documents(0, 100, clean), strict=True)
    differing = sum(answers.extract_answer(left) != answers.extract_answer(right) for left, right in pairs)
    assert 40 < differing < 95


def test_marks_say_whether_the_answer_is_right_and_nothing_else() -> None:
    plain = CorpusSettings(slop=SlopSettings(rate=0.2), num_problems=(("1", 1.0),), gsm8k_share=1.0)
    key = corpus.base_documents(0, 60, dataclasses.replace(plain, slop=SlopSettings()))
    marked = corpus.base_documents(0, 60, dataclasses.replace(plain, marked=True))
    for unmarked, text, solved in zip(corpus.base_documents(0, 60, plain), marked, key, strict=True):
        right = answers.extract_answer(unmarked) == answers.extract_answer(solved)
        assert text == unmarked + ("\nMarked: right" if right else "\nMarked: wrong")
    assert {text.rpartition(" ")[2] for text in marked} == {"right", "wrong"}


def test_the_default_settings_leave_marks_out() -> None:
    assert not settings.CorpusSettings().marked
    assert "Marked" not in "".join(corpus.base_documents(0, 50))
