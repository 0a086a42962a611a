import dataclasses
import functools
import random

import jax
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from procsup_jax.searching import tree

ROOM = 12
EXPLORATION = 0.7


@dataclasses.dataclass
class Node:
    """A node of the plain-Python reference."""

    number: int
    parent: "Node | None"
    prior: float = 0.0
    prob: float = 0.0
    open: bool = True
    final: bool = False
    length: int = 0
    start: int = 0
    read_length: int = 0
    read_start: int = 0
    values: list = dataclasses.field(default_factory=list)
    children: list = dataclasses.field(default_factory=list)

    def up(self):
        return [self] + (self.parent.up() if self.parent else [])

    def has_open(self):
        return self.open or any(child.has_open() for child in self.children)

    def value(self):
        return (self.prob + sum(self.values)) / (1 + len(self.values))

    def score(self):
        return self.value() + EXPLORATION * self.prior * len(self.parent.values) ** 0.5 / (1 + len(self.values))


add, close, backup, select, values, best = (
    jax.jit(f, static_argnums=1 if f is tree.select else ())
    for f in (tree.add, tree.close, tree.backup, tree.select, tree.values, tree.best)
)
path = jax.jit(tree.path, static_argnums=2)
token_places = jax.jit(tree.token_places, static_argnums=2)
keep_best = jax.jit(tree.keep_best)
empty = functools.cache(tree.init_tree)


def grow(rng, rounds):
    """Expand open nodes at random, in the arrays and in the reference, until they are full or all are closed."""
    arrays, nodes = empty(ROOM), [Node(0, None)]
    for _ in range(rounds):
        candidates = [node for node in nodes if node.open]
        if not candidates:
            break
        parent = rng.choice(candidates)
        children = [
            (rng.random() < 0.7, rng.random() < 0.2, rng.choice([0.2, 0.5, 0.9]), rng.choice([0.25, 0.5]))
            for _ in range(3)
        ]
        lens = [(rng.randint(1, 4), rng.randint(0, 9)) for _ in children]
        keep, final, prob, prior = (np.array(column) for column in zip(*children, strict=True))
        parent_k, value = np.full(3, parent.number), float((keep * prob * prior).sum())
        arrays = close(arrays, np.array([parent.number, -1]))
        new = tree.NewNodes(keep, parent_k, prior, prob, ~final, final, *np.array(lens).T)
        arrays, node_k = add(arrays, new)
        arrays = backup(arrays, np.array([-1, parent.number]), np.array([99.0, value], np.float32))
        parent.open = False
        for node in parent.up():
            node.values.append(value)
        numbers = []
        for (kept, ends, p, share), (length, read) in zip(children, lens, strict=True):
            numbers.append(len(nodes) if kept and len(nodes) < ROOM else -1)
            if numbers[-1] > 0:
                starts = sum(node.length for node in nodes), sum(node.read_length for node in nodes)
                lengths = (length, starts[0], read, starts[1])
                nodes.append(Node(len(nodes), parent, share, p, not ends, ends, *lengths))
                parent.children.append(nodes[-1])
        assert node_k.tolist() == numbers
    return arrays, nodes


@given(st.randoms(use_true_random=False), st.integers(0, 8))
@settings(max_examples=40)
def test_any_tree_is_what_plain_python_says(rng, rounds):
    arrays, nodes = grow(rng, rounds)
    n = len(nodes)
    assert int(arrays.size) == n
    assert all(arrays.parent_n[node.number] < node.number for node in nodes)
    assert arrays.visits_n[:n].tolist() == [len(node.values) for node in nodes]
    np.testing.assert_allclose(arrays.total_n[:n], [sum(node.values) for node in nodes], rtol=1e-5)
    np.testing.assert_allclose(values(arrays)[:n], [node.value() for node in nodes], rtol=1e-5)
    assert arrays.open_n[:n].tolist() == [node.open for node in nodes]
    for node in nodes:
        steps = node.up()[::-1]
        path_s = path(arrays, np.int32(node.number), ROOM)
        assert path_s.tolist() == [step.number for step in steps] + [-1] * (ROOM + 1 - len(steps))
        written = [step.start + i for step in steps for i in range(step.length)]
        read = [step.read_start + i for step in steps for i in range(step.read_length)]
        for spans, wanted in ((arrays.written, written), (arrays.read, read)):
            assert int(spans.end_n[node.number]) == len(wanted)
            assert token_places(spans, path_s, 128).tolist()[: len(wanted)] == wanted
    finals = [node for node in nodes if node.final]
    deepest = max(len(node.up()) for node in nodes)
    able = finals or [node for node in nodes if len(node.up()) == deepest]
    assert int(best(arrays)) == max(able, key=lambda node: node.prob).number


@given(st.randoms(use_true_random=False), st.integers(0, 8))
@settings(max_examples=40)
def test_selection_goes_down_by_the_highest_score_to_an_open_node(rng, rounds):
    arrays, nodes = grow(rng, rounds)
    node = nodes[0]
    while node.has_open() and not node.open:
        node = max((child for child in node.children if child.has_open()), key=lambda child: round(child.score(), 5))
    found = int(select(arrays, EXPLORATION))
    assert found == (node.number if node.open else -1)


def test_selection_on_a_tree_made_by_hand():
    # The likelier child wins until it has been expanded so often that the other's share of the candidates counts.
    columns = ([True] * 2, [0] * 2, [0.2, 0.8], [0.9, 0.8], [True] * 2, [False] * 2, [1] * 2, [1] * 2)
    both = tree.NewNodes(*map(np.array, columns))
    arrays, _ = add(close(empty(ROOM), np.array([0])), both)
    arrays = backup(arrays, np.array([0]), np.array([0.82], np.float32))
    assert int(select(arrays, 0.0)) == 1
    assert int(select(arrays, 1.0)) == 2
    # A dead end gives its subtree the value 0.
    arrays = backup(close(arrays, np.array([1])), np.array([1]), np.array([0.0], np.float32))
    np.testing.assert_allclose(values(arrays)[:3], [0.82 / 3, 0.9 / 2, 0.8], rtol=1e-6)
    assert int(select(arrays, 0.0)) == 2
    arrays = close(arrays, np.array([2]))
    assert int(select(arrays, 1.0)) == -1


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=6, max_size=6), st.integers(0, 3))
@settings(max_examples=40)
def test_a_beam_keeps_the_likeliest_of_candidates_and_of_what_has_ended(candidates, num_ended):
    ended = [0.5, 0.9, 0.2][:num_ended]
    probs = np.array((ended + [0.0] * 3)[:3])
    ones = np.ones(3, int)
    new = tree.NewNodes(np.arange(3) < num_ended, 0 * ones, probs, probs, probs > 9, probs > 0, ones, ones)
    arrays, beam = add(empty(ROOM), new)
    kept, chosen = keep_best(arrays, beam, np.array([p for p, _ in candidates]), np.array([c for _, c in candidates]))
    pool = [(-p, i) for i, p in enumerate(ended)] + [(-p, 3 + i) for i, (p, able) in enumerate(candidates) if able]
    wanted = [i for _, i in sorted(pool)][:3]
    assert chosen.tolist() == wanted + [-1] * (3 - len(wanted))
    assert [i for i, is_kept in enumerate(kept.tolist()) if is_kept] == sorted(i - 3 for i in wanted if i >= 3)


def test_an_open_node_in_the_beam_gives_way_to_its_steps():
    arrays = empty(ROOM)
    kept, chosen = keep_best(arrays, np.array([0, -1]), np.array([0.3, 0.2]), np.array([False, True]))
    assert (kept.tolist(), chosen.tolist()) == ([False, True], [3, -1])


def test_subtree_sums_are_those_of_every_descendant():
    rng = random.Random(0)
    parents = [-1] + [rng.randrange(i) for i in range(1, 30)]
    amounts = [rng.randrange(9) for _ in parents]
    below = lambda i: amounts[i] + sum(below(j) for j, parent in enumerate(parents) if parent == i)  # noqa: E731
    found = jax.jit(tree.subtree_sums)(np.array(parents), np.array(amounts))
    assert found.tolist() == [below(i) for i in range(30)]
