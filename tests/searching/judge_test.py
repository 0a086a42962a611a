import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import generate
from procsup_jax.models import api
from procsup_jax.searching import branch, feed, judge
from procsup_jax.searching.settings import StepSearchSettings

PROMPT = "How many? 5"


@pytest.fixture(scope="module")
def judged(policy, rm, vocab):
    """Return what has the reward model judge steps given as texts, two prefixes at once, both the prompt alone."""
    prompt = vocab.encode(PROMPT)
    dparams = api.unstack(rm.config, rm.params, donate=False)
    tables = generate.vocab_tables(policy, with_calculator=False)
    prefill = jax.jit(functools.partial(api.prefill, head=rm.head), static_argnums=0)
    _, kv = prefill(rm.config, dparams, jnp.array([prompt] * 2), jnp.full(2, len(prompt)))
    prefix = branch.Prefixes(kv, jnp.full(2, len(prompt)))

    def run(rows, room_x=None, num_cut=0):
        k = len(rows[0])
        settings = StepSearchSettings(num_candidates=k, max_step_tokens=6, max_new_tokens=12, calculator=False)
        program = feed.make_program(policy, rm, settings)
        tokens, lens = np.full((2, k, 6), vocab.encode("7")[0]), np.zeros((2, k), int)
        for n, k in np.ndindex(*lens.shape):
            text = rows[n][k].removesuffix("$")
            written = [*vocab.encode(text), vocab.eos_id] if rows[n][k] != text else vocab.encode(text)
            tokens[n, k, : len(written)], lens[n, k] = written, len(written)
        look = lambda does: np.array([[does(text) for text in row] for row in rows])  # noqa: E731
        found = branch.Candidates(
            tokens_nkt=jnp.asarray(tokens),
            len_nk=jnp.asarray(lens),
            final_nk=look(lambda text: "#" in text or "$" in text),
            visible_nk=look(lambda text: bool(text.strip("$ \n"))),
            head_nk=look(lambda text: int(text.endswith("\n"))),
            step_nk=np.zeros_like(lens),
            cut_nk=np.arange(lens.size).reshape(lens.shape) >= lens.size - num_cut,
            suffix=kv,
        )
        steps = jax.jit(judge.as_written, static_argnums=0)(program, tables, found)
        judge_them = jax.jit(judge.judge, static_argnums=0)
        return judge_them(program, dparams, prefix, found, steps, jnp.array([True, True]), room_x), lens

    return run


STEPS = ["1+1\n", "#### 2\n", "1+1\n", "#### 2$", " \n", "1+1$", "1\n", "#### 2$"]


def test_equal_steps_are_read_once_and_keep_their_weight(judged, vocab, naive_prob):
    found, lens = judged([STEPS, STEPS[::-1]])
    # The last token of a step that ends the solution is read as eos, whichever it is; a blank step is none.
    assert found.first_nk.tolist() == [[0, 1, 0, 1, 4, 5, 6, 1], [0, 1, 2, 3, 0, 5, 0, 5]]
    assert found.possible_nk.tolist() == [[i != 4 for i in range(8)], [i != 3 for i in range(8)]]
    assert found.read_len_n.tolist() == [lens[0, [0, 1, 5, 6]].sum(), lens[1, [0, 1, 2, 5]].sum()]
    for k, text in enumerate(STEPS):
        if k != 4:
            read = vocab.encode(text.rstrip("$\n")) + [vocab.eos_id if "#" in text or "$" in text else vocab.sep_id]
            want = naive_prob(vocab.encode(PROMPT), read)
            np.testing.assert_allclose([found.prob_nk[0, k], found.prob_nk[1, 7 - k]], want, rtol=1e-4)
    shares = jax.jit(judge.shares)(found)
    distinct = found.possible_nk & (found.first_nk == np.arange(8))
    np.testing.assert_allclose(
        np.where(distinct, shares, 0),
        np.array([[2, 3, 0, 0, 0, 1, 1, 0], [3, 1, 1, 0, 0, 2, 0, 0]]) / 7,
        rtol=1e-6,
    )


def test_more_candidates_than_are_read_at_a_time_change_nothing(judged):
    few, _ = judged([STEPS, STEPS[::-1]])
    many, _ = judged([STEPS * 3, STEPS[::-1] * 3])
    assert len(STEPS) <= judge.READ_SLOTS < 3 * len(STEPS)
    assert many.read_len_n.tolist() == few.read_len_n.tolist()
    np.testing.assert_array_equal(many.possible_nk, np.tile(few.possible_nk, 3))
    able = few.possible_nk
    np.testing.assert_allclose(many.prob_nk[:, 16:][able], few.prob_nk[able], rtol=1e-5)


def test_nothing_is_read_past_the_budget(judged):
    _, lens = judged([STEPS, STEPS[::-1]])
    needed = [*lens[0, [0, 1, 5, 6]], *lens[1, [0, 1, 2, 5]]]
    for room in range(sum(needed) + 2):
        found, _ = judged([STEPS, STEPS[::-1]], jnp.array([room]))
        read_len = int(found.read_len_n.sum())
        assert read_len <= room
        assert read_len == max(total for total in np.cumsum([0, *needed]) if total <= room)
        assert bool(found.left_out_n.any()) == (room < sum(needed))
    # Two problems of one prefix each have budgets of their own.
    found, _ = judged([STEPS, STEPS[::-1]], jnp.array([0, 99]))
    assert (found.possible_nk.any(-1).tolist(), int(found.read_len_n[0])) == ([False, True], 0)


def test_what_ran_out_of_tokens_is_no_candidate(judged):
    found, _ = judged([STEPS, STEPS[::-1]], num_cut=3)
    assert found.possible_nk[1].tolist() == [True] * 3 + [False] * 1 + [True] + [False] * 3
    assert not any(found.left_out_n.tolist())
