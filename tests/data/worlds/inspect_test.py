import numpy as np
import pytest

from procsup_jax.data.worlds import inspect, settings
from procsup_jax.data.worlds.inspect import Written
from procsup_jax.data.worlds.settings import SlopSettings


def test_auc_is_the_chance_that_a_positive_scores_higher() -> None:
    rng = np.random.default_rng(0)
    score_n, positive_n = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    pairs = [(p > n) + 0.5 * (p == n) for p in score_n[positive_n] for n in score_n[~positive_n]]
    assert inspect.auc(score_n, positive_n) == pytest.approx(np.mean(pairs))


def test_surface_auc_finds_a_telling_word_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(0)

    def written(telling: bool) -> list[Written]:
        out = []
        for _ in range(600):
            right = bool(rng.random() < 0.7)
            word = "aha" if telling and not right else "so"
            out.append(Written("one", f"{word} {rng.integers(0, 99)}", (), True, right))
        return out

    assert inspect.surface_auc(written(True)) > 0.99
    assert 0.35 < inspect.surface_auc(written(False)) < 0.65


def test_lucky_traces_are_common_but_do_not_show() -> None:
    written = inspect.write_sloppily(1500, settings.CorpusSettings().slop, settings.default())
    wrong = np.mean([not w.answer_right for w in written])
    assert 0.25 < wrong < 0.45
    assert 0.08 < inspect.lucky_share(written) < 0.2
    assert inspect.surface_auc(written) < 0.72  # noisy at this size: docs/worlds.md has it on more


def test_without_slips_everything_is_right() -> None:
    written = inspect.write_sloppily(50, SlopSettings(), settings.default())
    assert all(w.answer_right and w.trace_right for w in written)
    assert inspect.lucky_share(written) == 0


def test_traps_make_the_majority_wrong_as_random_slips_do_not() -> None:
    default = settings.default()
    trapped = inspect.majority_error(120, 8, SlopSettings(trap_rate=0.9), default)
    random_slips = inspect.majority_error(120, 8, SlopSettings(rate=0.05), default)
    assert trapped > 0.08 > 0.02 >= random_slips


def test_main_prints_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    inspect.main(120, 0.1)
    printed = capsys.readouterr().out
    for words in ("worlds-test-0", "right answer, wrong trace", "tokens a question", "a second", "surface AUC", "trap",
                  "majority of 16", "most common"):  # fmt: skip
        assert words in printed
