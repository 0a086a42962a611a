import io
import time

import jax
import numpy as np
import pytest

from procsup_jax import compilation


def wait_for(stream, text):
    deadline = time.monotonic() + 10
    while text not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    return text in stream.getvalue()


@pytest.fixture
def keep_all_programs():
    """Let the persistent cache keep programs that compile in no time."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    yield
    jax.config.update(name, before)


def test_programs_are_counted_once_and_those_of_the_cache_apart(keep_all_programs):
    def run():
        jax.jit(lambda x: x * 3 + 1)(np.arange(7.0))

    before = compilation.total()
    run()
    first = compilation.total().since(before)
    jax.clear_caches()
    run()
    both = compilation.total().since(before)
    # An earlier run of this test may have left the program in the cache.
    assert first.programs + first.cached == 1
    assert (both.programs - first.programs, both.cached - first.cached) == (0, 1)
    assert both.seconds > first.seconds > 0


def test_what_is_in_memory_is_not_compiled_again():
    program = jax.jit(lambda x: x - 2)
    program(np.arange(3.0))
    before = compilation.total()
    program(np.arange(3.0))
    assert compilation.total() == before


def test_a_long_compilation_is_announced():
    stream = io.StringIO()
    compilation.announce(0.0, stream)
    try:
        jax.jit(lambda x: x / 5)(np.arange(11.0))
        assert wait_for(stream, "compiling")
    finally:
        compilation.announce(2.0)
    assert "lambda" in stream.getvalue()


def test_counts_read_as_a_sentence():
    both = "compiled 3 programs and read 1 program from the cache in 24 s"
    assert str(compilation.Compiled(3, 1, 23.6)) == both
    assert str(compilation.Compiled(1, 0, 2.0)) == "compiled 1 program in 2 s"
    assert str(compilation.Compiled(0, 2, 1.2)) == "read 2 programs from the cache in 1 s"
    assert str(compilation.Compiled(0, 0, 0.0)) == "compiled nothing in 0 s"
