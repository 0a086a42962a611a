import threading

import jax
import pytest

from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import streams


@pytest.mark.parametrize("number", [1, 3])
def test_results_come_in_the_order_of_the_items(number):
    assert list(streams.in_order(lambda i: i * i, range(20), number)) == [i * i for i in range(20)]


@pytest.mark.parametrize("number", [1, 2])
def test_a_failure_is_raised_in_its_turn(number):
    results = streams.in_order(lambda i: 6 // (i - 2), range(5), number)
    assert [next(results), next(results)] == [-3, -6]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_leaving_early_starts_nothing_more():
    started, go_on = [], threading.Event()

    def wait(i):
        started.append(i)
        if i:
            go_on.wait()
        return i

    results = streams.in_order(wait, range(50), 2)
    assert next(results) == 0
    threading.Timer(0.1, go_on.set).start()
    results.close()
    assert len(started) < 10


def test_a_cpu_runs_a_program_for_each_core_and_a_mesh_one():
    assert jax.default_backend() == "cpu"
    assert streams.num_streams(None) == streams.num_cores() >= 1
    assert streams.num_streams(meshes.make_mesh(meshes.MeshSettings())) == 1
