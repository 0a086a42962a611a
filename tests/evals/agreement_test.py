import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from procsup_jax.evals import agreement

NAN = float("nan")


def test_predictions_are_correct_from_one_half_on():
    assert agreement.predictions(np.array([0.0, 0.499, 0.5, 1.0])).tolist() == [0, 0, 1, 1]


def test_shares_of_steps():
    cells, n = agreement.matrix(
        {
            "orm_prediction": np.array([1.0, 1, 0, 0]),
            "orm_label": np.array([1.0, 0, 0, 0]),
            "prm_label": np.array([0.0, 1, 1, 1]),
        }
    )
    assert n == 4
    assert cells["orm_prediction"] == {
        "orm_prediction": 1.0,
        "prm_prediction": None,
        "orm_label": 0.75,
        "prm_label": 0.25,
    }
    assert cells["prm_label"]["orm_label"] == 0.0
    assert set(cells["prm_prediction"].values()) == {None}


def test_raters_in_doubt_agree_half():
    cells, _ = agreement.matrix({"orm_prediction": np.array([1.0, 0.0]), "prm_label": np.array([0.5, 0.5])})
    assert cells["orm_prediction"]["prm_label"] == 0.5
    assert cells["prm_label"]["prm_label"] == 1.0


def test_all_cells_are_over_the_steps_that_every_judge_saw():
    cells, n = agreement.matrix(
        {
            "orm_prediction": np.array([1.0, 1, 0]),
            "orm_label": np.array([1.0, 0, 0]),
            "prm_label": np.array([1.0, NAN, 1]),
        }
    )
    assert n == 2
    assert cells["orm_prediction"]["orm_label"] == 1.0  # the step of disagreement has no process label


@pytest.mark.parametrize("verdicts", [{}, {"orm_label": np.zeros(0)}, {"prm_label": np.array([NAN])}])
def test_without_steps_every_cell_is_null(verdicts):
    cells, n = agreement.matrix(verdicts)
    assert n == 0
    assert {value for row in cells.values() for value in row.values()} == {None}


@hypothesis.given(
    st.integers(0, 12).flatmap(lambda n: st.tuples(*[st.lists(st.integers(0, 1), min_size=n, max_size=n)] * 3))
)
def test_the_matrix_is_symmetric_with_ones_on_the_diagonal(columns):
    names = ("orm_prediction", "orm_label", "prm_label")
    cells, n = agreement.matrix(
        {name: np.array(column, dtype=float) for name, column in zip(names, columns, strict=True)}
    )
    assert n == len(columns[0])
    for a in names if n else ():
        assert cells[a][a] == 1.0
        for b in names:
            assert cells[a][b] == cells[b][a]
            assert 0 <= cells[a][b] <= 1
