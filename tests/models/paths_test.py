from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.models import paths

names = st.text("abc_", min_size=1)
trees = st.dictionaries(names, st.recursive(st.integers(), lambda t: st.dictionaries(names, t, min_size=1)))


@given(trees)
def test_trees_come_back(tree):
    flat = paths.flatten(tree)
    assert not any(isinstance(value, dict) for value in flat.values())
    assert paths.nest(flat) == tree


def test_paths_name_every_level():
    assert paths.flatten({"b": {"c": 1, "a": 2}, "a": 3}) == {"a": 3, "b/a": 2, "b/c": 1}
