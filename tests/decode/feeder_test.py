import functools
import threading

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.decode import feeder
from procsup_jax.parallel import mesh as meshes

LANES = 3


@jax.jit
def _put(state, lane_r, left_r):
    left_n, steps_n = state
    return left_n.at[lane_r].set(left_r, mode="drop"), steps_n.at[lane_r].set(0, mode="drop")


@functools.partial(jax.jit, donate_argnums=0)
def _count_down(state, enough):
    def go_on(state):
        return jnp.sum(state[0] == 0) < enough

    def body(state):
        left_n, steps_n = state
        return jnp.maximum(left_n - 1, 0), steps_n + (left_n > 0)

    state = jax.lax.while_loop(go_on, body, state)
    return state, state[0]


def counting(swap_size):
    """Return a feeder whose items (name, steps) are done after so many steps, which it counts."""

    def assign(state, owners):
        assert 0 < len(owners) <= swap_size
        rows = [*owners, *[LANES] * (swap_size - len(owners))]
        steps = [steps for _, steps in owners.values()] + [0] * (swap_size - len(owners))
        return _put(state, jnp.array(rows), jnp.array(steps))

    return feeder.Feeder(
        lanes=LANES,
        swap_size=swap_size,
        init=lambda: (jnp.zeros(LANES, jnp.int32), jnp.zeros(LANES, jnp.int32)),
        assign=assign,
        advance=_count_down,
        results=lambda state: (state[1],),
    )


@pytest.mark.parametrize("swap_size", [1, 2])
@pytest.mark.parametrize("number", [1, 2])
@given(steps=st.lists(st.integers(0, 9), max_size=12))
def test_each_item_comes_out_once_with_its_own_result(swap_size, number, steps):
    items = list(enumerate(steps))
    found = list(counting(swap_size).run(items, number))
    assert sorted(item for item, _ in found) == items
    assert all(int(row) == item[1] for item, (row,) in found)


def test_a_failing_stream_ends_the_run():
    fails = counting(1)

    def results(state):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        list(feeder.Feeder(**vars(fails) | {"results": results}).run([("a", 1), ("b", 2), ("c", 3)], 2))
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@given(lanes=st.integers(1, 40), slots=st.integers(1, 200), items=st.integers(1, 60))
def test_streams_share_the_lanes_and_have_enough_rows(lanes, slots, items):
    number, each = streams = feeder.split(lanes, slots, items, None)
    assert min(lanes, items) <= streams.all_lanes < min(lanes, items) + number
    assert number == 1 or each * slots >= feeder.MIN_STREAM_ROWS


def test_a_mesh_has_one_stream_of_a_multiple_of_its_devices():
    assert feeder.split(3, 100, 9, meshes.make_mesh(meshes.MeshSettings(data=2))) == (1, 4)
