import pytest

from procsup_jax.errors import UserError
from procsup_jax.searching.settings import StepSearchSettings, TreeSearchSettings


def test_a_step_is_never_longer_than_the_solution():
    assert StepSearchSettings(max_step_tokens=64, max_new_tokens=32).sampling().max_new_tokens == 32


@pytest.mark.parametrize(
    ("settings", "changes", "message"),
    [
        (StepSearchSettings, {"max_steps": 0}, "step search max_steps=0: expected at least 1"),
        (StepSearchSettings, {"temperature": -1.0}, "temperature=-1"),
        (TreeSearchSettings, {"method": "mcts"}, "tree search method='mcts': expected one of beam, puct"),
        (TreeSearchSettings, {"width": 0}, "tree search width=0: expected at least 1"),
        (TreeSearchSettings, {"max_policy_tokens": 0}, "tree search max_policy_tokens=0: expected at least 1"),
        (TreeSearchSettings, {"exploration": -0.5}, "tree search exploration=-0.5: expected a number from 0"),
        (TreeSearchSettings, {"exploration": float("nan")}, "tree search exploration=nan"),
    ],
)
def test_errors_name_the_value_and_what_is_allowed(settings, changes, message):
    with pytest.raises(UserError, match=message):
        settings(**changes)
