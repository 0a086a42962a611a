"""The plan is held against the compiler's own account; what does not fit is refused with settings that do."""

import dataclasses
import functools
import re

import jax
import numpy as np
import pytest

from procsup_jax.decode import engine, generate, memory
from procsup_jax.decode.generate import DecodeSettings, Prompt
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel.settings import MeshSettings

PREFIX_LEN, ROOM = 144, 12
SETTINGS = DecodeSettings(num_samples=8, max_new_tokens=64, calculator=False, lanes=8, slots=8)


@pytest.fixture
def plan(model):
    """Return what says how many bytes a size needs."""

    def make_state(config, lanes, slots):
        program = generate.make_program(model.replace(config=config), SETTINGS)
        return engine.init_lanes(program, lanes, slots, PREFIX_LEN, ROOM)

    return functools.partial(
        memory.sampling_bytes, model.config, model.params, make_state, (PREFIX_LEN, SETTINGS.max_new_tokens)
    )


def shapes(program, size):
    return jax.eval_shape(functools.partial(engine.init_lanes, program, size.lanes, size.slots, PREFIX_LEN, ROOM))


@pytest.mark.parametrize("cache_dtype", ["float32", "bfloat16"])
def test_the_plan_is_what_the_compiler_says(model, plan, cache_dtype):
    model = generate.with_cache_dtype(model, cache_dtype)
    size = memory.size_of(model.config, 8, 8, None)
    program = generate.make_program(model, SETTINGS)
    state, number = shapes(program, size), np.int32(0)
    dparams = jax.eval_shape(functools.partial(api.unstack, model.config, donate=False), model.params)
    tables = generate.vocab_tables(model, False)
    found = engine.run.lower(program, dparams, tables, state, number, number, number).compile().memory_analysis()
    real = found.argument_size_in_bytes + found.temp_size_in_bytes
    assert real == pytest.approx(plan(size), rel=0.1)


def test_bfloat16_halves_the_caches(config):
    sizes = [
        memory.kv_bytes(dataclasses.replace(config, cache_dtype=cache_dtype), 4, 100)
        for cache_dtype in ("float32", "bfloat16")
    ]
    assert sizes[0] == 2 * sizes[1]


def test_devices_share_the_lanes(config, plan):
    size = memory.size_of(config, 8, 8, None)
    shared = memory.size_of(config, 8, 8, meshes.make_mesh(MeshSettings(data=4)))
    assert shared.shards == 4
    assert plan(shared) < 0.3 * plan(size)
    assert [each.lanes for each in shared.smaller()] == [4, 4, 4, 4]


def test_smaller_sizes_halve_the_lanes_and_then_the_slots():
    size = memory.Size(6, 4, "float32")
    assert [(s.lanes, s.slots) for s in size.smaller()] == [(3, 4), (2, 4), (1, 4), (1, 2), (1, 1)]
    assert [s.lanes for s in memory.Size(4, None, "float32").smaller()] == [2, 1]


def test_what_does_not_fit_is_refused_with_what_would(model, monkeypatch):
    prompts = [Prompt(f"p{i}", model.encode("Ann has 5")) for i in range(8)]
    sample = functools.partial(generate.generate, model, prompts, SETTINGS, seed=0)
    monkeypatch.setattr(memory, "available", lambda mesh: 1_600_000)
    with pytest.raises(UserError) as error:
        sample()
    message = str(error.value)
    assert re.match(
        r"sampling with lanes=8 slots=8 cache_dtype=float32 needs \S+ GiB of memory and 0.00149 GiB are available: set "
        r"lanes=4 slots=8 cache_dtype=float32 \(\S+ GiB\) or lanes=8 slots=8 cache_dtype=bfloat16 \(\S+ GiB\)$",
        message,
    ), message
    monkeypatch.setattr(memory, "available", lambda mesh: 1000)
    with pytest.raises(UserError, match="are available: no setting of these is small enough: take a smaller model"):
        sample()


def test_what_fits_with_no_number_of_lanes_is_refused_by_what_is_too_much(model, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda mesh: 1_600_000)
    prompts = [Prompt("p0", model.encode("Ann has 5"))]

    def refused(match, **changes):
        settings = dataclasses.replace(SETTINGS, lanes=1, slots=1, **changes)
        with pytest.raises(UserError, match=match) as error:
            generate.generate(model, prompts, settings, seed=0)
        return int(re.search(r"=(\d+) \(\S+ GiB\) or less$", str(error.value))[1])

    fits = refused(r"sampling with num_samples \(--k\)=100000 needs", num_samples=100_000)
    assert len(generate.generate(model, prompts, dataclasses.replace(SETTINGS, num_samples=8), seed=0)[0]) == 8 < fits
    model = model.replace(config=dataclasses.replace(model.config, max_len=30_000))
    assert refused("sampling with max_new_tokens=29000 needs", num_samples=1, max_new_tokens=29_000) > 100


def test_without_an_answer_from_the_device_nothing_is_refused(config, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda mesh: None)
    memory.check("sampling", memory.size_of(config, 1, 1, None), lambda size: 2**60, None)


def test_the_host_has_what_its_control_group_leaves(tmp_path):
    meminfo, group = tmp_path / "meminfo", tmp_path / "group"
    assert memory.host_bytes(meminfo, group) is None
    meminfo.write_text("MemTotal:       2000 kB\nMemAvailable:   1000 kB\n")
    assert memory.host_bytes(meminfo, group) == 1000 * 1024
    group.mkdir()
    for name, text in (("max", "max"), ("current", "300000"), ("stat", "anon 1\ninactive_file 100000")):
        (group / f"memory.{name}").write_text(f"{text}\n")
    assert memory.host_bytes(meminfo, group) == 1000 * 1024
    (group / "memory.max").write_text("500000\n")
    assert memory.host_bytes(meminfo, group) == 300_000


def test_this_machine_says_what_it_has():
    assert memory.available(None) is None or memory.available(None) > 0
