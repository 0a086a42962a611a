"""Training, sampling, scoring and search on eight devices equal those on one, whatever the mesh."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_models

from procsup_jax.data import pack, pipeline
from procsup_jax.decode import engine, generate, score
from procsup_jax.decode.settings import DecodeSettings
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules
from procsup_jax.searching.settings import StepSearchSettings
from procsup_jax.searching.step_search import step_search
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer
from procsup_jax.training import programs, step
from procsup_jax.training.settings import OptimSettings
from procsup_jax.types import Problem, Sample

MESHES = [(8, 1, 1), (1, 8, 1), (2, 2, 2), (1, 1, 8)]
HEADS = {
    "verdict": lambda model: api.make_head("verdict", model.encoding.verdict_ids),
    "product": lambda model: api.ProductHead(),
    "classifier": lambda model: api.ClassifierHead(2, 2),
}
# Each head on one mesh, each mesh with one head.
PAIRS = list(zip(MESHES, ["verdict", "product", "classifier", "verdict"], strict=True))
PROBLEMS = [Problem(uid, question, answer="5") for uid, question in [("a", "How many?"), ("b", "Ann has 5. Why?")]]
SAMPLES = [Sample(p.uid, i, f"{i} + 2 = 5 pens.\nThey have {i}.\n#### 5") for p in PROBLEMS for i in range(2)]
SAMPLING = DecodeSettings(num_samples=3, max_new_tokens=10, lanes=2, slots=2, calculator=False)
SEARCH = StepSearchSettings(
    num_candidates=2, max_steps=2, max_step_tokens=6, max_new_tokens=12, lanes=2, calculator=False
)


def make_model(folder, num_kv_heads, more_tokens):
    tokenizer = load_tokenizer(folder)
    config = api.ModelConfig(
        vocab_size=-(-tokenizer.size // 8) * 8 + more_tokens, d_model=32, num_layers=2, num_heads=8, head_dim=4,
        num_kv_heads=num_kv_heads, d_ff=32, max_len=128,
    )  # fmt: skip
    params = api.init_params(config, jax.random.key(0))
    return Model(config, params, tokenizer, layout_for(tokenizer, "lines"))


@pytest.fixture(scope="module")
def model(bpe_folder):
    """Return a model of a standard tokenizer that every mesh divides."""
    return make_model(bpe_folder, 8, 0)


@pytest.fixture(scope="module")
def odd(bpe_folder):
    """Return one with fewer key-value heads than devices, and a vocabulary that they do not divide."""
    return make_model(bpe_folder, 2, 3)


def judge_of(model, kind):
    judge, rng = model.with_head(HEADS[kind](model)), np.random.default_rng(0)
    if kind == "verdict":
        return judge
    scale = 0.0003 if kind == "product" else 0.1
    own = jax.tree.map(lambda a: np.float32(scale * rng.standard_normal(a.shape)), judge.params["head"])
    return judge.replace(params=judge.params | {"head": own})


def place(model, axes):
    if jax.device_count() < 8:
        pytest.skip("needs eight devices: XLA_FLAGS=--xla_force_host_platform_device_count=8")
    mesh = meshes.make_mesh(meshes.MeshSettings(*axes))
    logical, shapes = api.param_axes(model.config, model.head), api.abstract_params(model.config, model.head)
    return model.replace(params=jax.device_put(model.params, rules.tree_sharding(mesh, logical, shapes)), mesh=mesh)


def losses(model):
    """Return the loss and the gradient's norm of two steps on eight rows."""
    rng, tokens = np.random.default_rng(0), model.tokenizer.size
    draw = lambda length: rng.integers(0, tokens, length).tolist()  # noqa: E731
    if model.head is None:
        examples = [pack.lm_example(draw(4), draw(9)) for _ in range(8)]
    else:
        examples = [pack.rm_example(draw(4), draw(9), [3, 8], [True, i % 2 == 0]) for i in range(8)]
    packed = pack.pack(examples, 16)
    batch = pipeline.take_rows(packed, np.arange(8))
    fit = programs.programs(model.config, model.head, OptimSettings(), model.mesh)
    state, found = fit.init(model.params), []
    for _ in range(2):
        state, info = fit.step(state, step.place(batch, 1, model.mesh), 1e-3, None)
        found += [float(info.sums.loss) / float(info.sums.weight), float(info.grad_norm)]
    return found


@functools.cache
def on_one(what, model, kind):
    return what(model if kind is None else judge_of(model, kind))


def samples(model):
    return generate.sample_problems(model, PROBLEMS, SAMPLING, seed=1)


def scores(judge):
    return score.score_samples(judge, PROBLEMS, SAMPLES, batch_size=4)


@pytest.mark.parametrize("axes", MESHES)
def test_a_step_of_sft_is_that_of_one_device(model, axes):
    np.testing.assert_allclose(losses(place(model, axes)), on_one(losses, model, None), rtol=1e-5)


@pytest.mark.parametrize(("axes", "kind"), PAIRS)
def test_a_step_of_a_reward_model_is_that_of_one_device(model, axes, kind):
    np.testing.assert_allclose(losses(place(judge_of(model, kind), axes)), on_one(losses, model, kind), rtol=1e-5)


@pytest.mark.parametrize("axes", MESHES)
def test_samples_are_those_of_one_device(model, axes):
    got, want = samples(place(model, axes)), on_one(samples, model, None)
    assert [each.token_ids for each in got] == [each.token_ids for each in want]
    np.testing.assert_allclose([each.logprob for each in got], [each.logprob for each in want], rtol=1e-5)


@pytest.mark.parametrize(("axes", "kind"), PAIRS)
def test_scores_are_those_of_one_device(model, axes, kind):
    for got, want in zip(scores(place(judge_of(model, kind), axes)), on_one(scores, model, kind), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


@pytest.mark.parametrize(("axes", "kind"), PAIRS)
def test_a_search_is_that_of_one_device(model, axes, kind):
    judge = judge_of(model, kind)
    [got, want] = (
        step_search(*pair, PROBLEMS, SEARCH, seed=3)
        for pair in ((place(model, axes), place(judge, axes)), (model, judge))
    )
    assert [each.sample.token_ids for each in got] == [each.sample.token_ids for each in want]
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one.step_probs, other.step_probs, rtol=1e-5)


@pytest.mark.parametrize("axes", [(1, 1, 8), (2, 1, 4)])
def test_what_does_not_divide_changes_nothing_either(odd, axes):
    placed = place(odd, axes)
    assert [each.token_ids for each in samples(placed)] == [each.token_ids for each in on_one(samples, odd, None)]
    np.testing.assert_allclose(losses(placed), on_one(losses, odd, None), rtol=1e-5)
    for got, want in zip(scores(place(judge_of(odd, "product"), axes)), on_one(scores, odd, "product"), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_the_calculator_forces_the_same_tokens_on_every_device(bpe_folder):
    policy = small_models.writer(bpe_folder, "lines")
    judge, axes = small_models.judge(policy), (2, 2, 2)
    settings = dataclasses.replace(SAMPLING, max_new_tokens=48, lanes=4, calculator=True)
    [got, want] = (generate.sample_problems(each, PROBLEMS, settings, seed=1) for each in (place(policy, axes), policy))
    assert [each.token_ids for each in got] == [each.token_ids for each in want]
    assert any("<<5=5>>" in each.solution for each in want)
    settings = dataclasses.replace(SEARCH, max_step_tokens=24, max_new_tokens=48, lanes=4, calculator=True)
    [got, want] = (
        step_search(*pair, PROBLEMS, settings, seed=1)
        for pair in ((place(policy, axes), place(judge, axes)), (policy, judge))
    )
    assert [each.sample.token_ids for each in got] == [each.sample.token_ids for each in want]
    assert any("<<5=5>>" in each.sample.solution for each in want)


def decoding(model, lanes=8):
    """Return the compiled decoding loop, the parameters it reads and the state that it keeps."""
    program = generate.make_program(model, SAMPLING)
    with rules.use(model.mesh):
        dparams = api.unstack(model.config, model.params, donate=False)
        state = engine.init_lanes(program, lanes, 2, 32, 12)
        tables = generate.vocab_tables(model, False)
        compiled = engine.run.lower(program, dparams, tables, state, *map(jnp.int32, (0, 1, 16))).compile()
    return compiled, dparams, state


def collectives(text):
    """Return the computation, kind and size of the groups of every collective of a compiled program."""
    found, computation = [], ""
    for line in text.splitlines():
        start = re.match(r"^(?:ENTRY )?%?(\S+) \(.*\{$", line)
        computation = start.group(1) if start else computation
        kind = re.search(r" (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(", line)
        if kind:
            found.append((computation, kind.group(1), line))
    return found


def inner_loop(text):
    """Return the names of what runs at every token: the innermost loop's body and condition, and what they call."""
    calls = {}
    computation = ""
    for line in text.splitlines():
        start = re.match(r"^(?:ENTRY )?%?(\S+) \(.*\{$", line)
        computation = start.group(1) if start else computation
        calls.setdefault(computation, []).append(line)

    def below(name):
        names = {name}
        for line in calls.get(name, ()):
            for called in re.findall(r"(?:calls|to_apply|body|condition|_computation)=%?([\w.\-]+)", line):
                names |= below(called)
            for branches in re.findall(r"branch_computations=\{([^}]*)\}", line):
                names |= {each for one in re.findall(r"%?([\w.\-]+)", branches) for each in below(one)}
        return names

    loops = [line for lines in calls.values() for line in lines if " while(" in line and "dot_general" in str(
        [calls.get(each) for each in below(re.search(r"body=%?([\w.\-]+)", line).group(1))])]  # fmt: skip
    inner = min(loops, key=lambda line: len(below(re.search(r"body=%?([\w.\-]+)", line).group(1))))
    return set().union(*(below(name) for name in re.findall(r"(?:body|condition)=%?([\w.\-]+)", inner)))


@pytest.mark.parametrize("axes", MESHES)
def test_the_decoding_loop_has_no_collectives_but_those_of_tensor_parallelism(model, axes):
    text = decoding(place(model, axes))[0].as_text()
    inside = inner_loop(text)
    inner = [(kind, line) for computation, kind, line in collectives(text) if computation in inside]
    if axes[2] == 1:
        assert not inner
        return
    # Two sums of activations a layer, the embedding's, and those of drawing from a vocabulary that is split.
    assert sum("mlp/dot_general" in line for _, line in inner) == model.config.num_layers
    for _, line in inner:
        for members in groups(line):
            assert len({member // axes[2] for member in members}) == 1, line  # the last axis of the mesh is tensor


def groups(line):
    """Return the numbers of the devices that talk to each other, in any of the ways in which they are written."""
    iota = re.search(r"replica_groups=\[(\d+),(\d+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?", line)
    named = re.search(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}", line)
    if iota:
        dims = [int(size) for size in iota.group(3).split(",")]
        order = [int(axis) for axis in iota.group(4).split(",")] if iota.group(4) else range(len(dims))
        return np.arange(8).reshape(dims).transpose(order).reshape(int(iota.group(1)), -1)
    if named:
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", named.group(1)))
        mine = [list(sizes).index(name) for name in re.findall(r"'(\w+)'", named.group(2))]
        order = [axis for axis in range(len(sizes)) if axis not in mine] + mine
        across = int(np.prod([int(list(sizes.values())[axis]) for axis in mine]))
        return np.arange(8).reshape([int(size) for size in sizes.values()]).transpose(order).reshape(-1, across)
    listed = re.search(r"(?:replica_groups|source_target_pairs)=\{(\{.*?\}\}|\})", line).group(1)
    found = [list(map(int, each.split(","))) for each in re.findall(r"\{([\d,]+)\}", listed)]
    return found or [list(range(8))]


@pytest.mark.parametrize("axes", MESHES)
def test_each_device_holds_its_part(model, axes):
    data, fsdp, tensor = axes
    placed = place(model, axes)
    _, dparams, state = decoding(placed)
    part = lambda array: array.size / array.addressable_shards[0].data.size  # noqa: E731
    assert part(placed.params["layers"]["mlp"]["gate"]) == fsdp * tensor
    assert part(dparams.layers[0]["mlp"]["gate"]) == tensor
    for cache in (state.prefix, state.suffix):
        assert {part(array) for array in jax.tree.leaves(cache)} == {8}
    assert {part(state.out_nkt), part(state.token_ng), part(state.key_n2)} == {data * fsdp}


def test_caches_of_fewer_heads_than_devices_are_split_by_rows(odd):
    placed = place(odd, (1, 1, 8))
    _, dparams, state = decoding(placed)
    for array in jax.tree.leaves((state.prefix, state.suffix, dparams.layers[0]["attention"]["qkv"])):
        assert array.addressable_shards[0].data.size * 8 == array.size


@pytest.mark.parametrize("axes", MESHES)
def test_a_training_step_needs_less_of_each_device(model, axes):
    needs = []
    for each in (place(model, axes), place(model, (8, 1, 1))):
        fit = programs.programs(each.config, None, OptimSettings(), each.mesh)
        compiled = fit.step.lower(fit.abstract, step.abstract_batch((1, 8, 16), each.mesh, is_rm=False)).compile()
        needs.append(compiled.memory_analysis().argument_size_in_bytes)
    assert needs[0] < needs[1] / (axes[1] * axes[2]) * 1.2
