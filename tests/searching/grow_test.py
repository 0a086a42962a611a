import jax
import jax.numpy as jnp
import numpy as np
import pytest

from procsup_jax.decode import generate
from procsup_jax.models import api
from procsup_jax.searching import feed, grow, tree
from procsup_jax.searching import forest as forests
from procsup_jax.searching.settings import StepSearchSettings

STEPS = StepSearchSettings(num_candidates=3, max_steps=4, max_step_tokens=5, max_new_tokens=16, calculator=False)
PROMPTS = ["How many? 5", "How? 5 5 5"]


@pytest.fixture(scope="module", params=[False, True], ids=["puct", "beam"])
def grown(request, policy, rm, vocab):
    """Return the program, the decoding params and the state of two lanes after some rounds."""
    program = forests.TreeProgram(
        steps=feed.make_program(policy, rm, STEPS),
        is_beam=request.param,
        width=2 if request.param else 1,
        num_expansions=8,
        exploration=1.0,
        num_nodes=25,
        num_tokens=90,
        rm_num_tokens=90,
        policy_len=24,
        rm_len=24,
    )
    params = [api.unstack(model.config, model.params, donate=False) for model in (policy, rm)]
    tasks = [feed.Task(f"p{i}", vocab.encode(text), vocab.encode(text)) for i, text in enumerate(PROMPTS)]
    budgets = jnp.int32(999), jnp.int32(999)
    forest = forests.init_forest(program, 2)
    for lane, task in enumerate(tasks):
        forest = forests.assign(
            program, *params, *budgets, forest, feed.new_problems({lane: feed.Numbered(lane, task)}, 2, 0)
        )
    tables = generate.vocab_tables(policy, with_calculator=False)
    for _ in range(6):
        forest, _ = grow.advance(program, *params, tables, forest)
    return program, params, forest


def full_hidden(model, tokens):
    padded = np.zeros((1, 48), np.int32)
    padded[0, : len(tokens)] = tokens
    positions = np.arange(48)[None]
    inside = (positions < len(tokens)).astype(np.int32)
    return jax.jit(api.hidden, static_argnums=0)(model.config, model.params, padded, positions, inside)[
        0, len(tokens) - 1
    ]


@jax.jit
def _paths(trees):
    return jax.vmap(lambda one: jax.vmap(lambda node: tree.path(one, node, 4))(jnp.arange(25)))(trees)


def test_every_node_goes_on_as_if_its_path_had_been_read_from_the_start(grown, policy, rm, vocab):
    program, params, forest = grown
    assert min(forest.trees.size.tolist()) > 4
    paths = np.asarray(_paths(forest.trees))
    written, finals = jax.tree.map(np.asarray, (forest.trees.written, forest.trees.final_n))
    node_bw = jnp.broadcast_to(jnp.arange(25), (2, 25))
    probe = vocab.encode("7")[0]
    gathered = jax.jit(forests.prefixes, static_argnums=0)(program, forest, node_bw)
    for which, (model, dparams, prefix) in enumerate(zip((policy, rm), params, gathered, strict=True)):
        solutions = {}
        tokens = np.full((50, 1, 1), probe)
        for lane, prompt in enumerate(PROMPTS):
            for node in range(int(forest.trees.size[lane])):
                steps = [step for step in paths[lane, node] if step > 0]
                spans = [(written.start_n[lane, step], written.len_n[lane, step]) for step in steps]
                path_tokens = [int(t) for start, n in spans for t in forest.tokens_bl[lane, start : start + n]]
                if finals[lane, node] and which == 1:
                    continue  # the reward model read the end as eos, and nothing goes on from it
                whole = vocab.encode(prompt) + path_tokens
                # The newest token is the policy's next input, and not yet in its prefix.
                solutions[lane * 25 + node] = whole if which == 0 else [*whole, probe]
                tokens[lane * 25 + node] = solutions[lane * 25 + node][-1]
                assert prefix.len_n[lane * 25 + node] == len(solutions[lane * 25 + node]) - 1
        empty, none = api.init_kv(model.config, 50, 1), np.zeros((50, 1), int)
        hidden, _ = jax.jit(api.extend, static_argnums=0)(model.config, dparams, tokens, *prefix, empty, none)
        logprobs = jax.nn.log_softmax(api.unembed(model.config, dparams, hidden[:, 0, 0]))
        assert len(solutions) >= 8
        for row, solution in solutions.items():
            want = jax.nn.log_softmax(api.unembed(model.config, model.params, full_hidden(model, solution)))
            np.testing.assert_allclose(logprobs[row], want, atol=2e-4)


def test_nodes_of_one_lane_have_keys_of_their_own(grown):
    _, _, forest = grown
    for lane in range(2):
        keys = np.asarray(forest.key_bn2[lane, : int(forest.trees.size[lane])])
        assert len({tuple(key) for key in keys.tolist()}) == len(keys)
