import dataclasses
import zlib

import jax
import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.parallel import mesh as meshes
from procsup_jax.parallel import rules
from procsup_jax.searching.tree_search import StepSearchSettings, TreeSearchSettings, tree_search
from procsup_jax.text.layout import LINES
from procsup_jax.types import Problem

PROBLEMS = [Problem(f"p{i}", "How many?"[i:] + " 5" * i, "1") for i in range(4)]
STEPS = StepSearchSettings(
    num_candidates=3, max_steps=3, max_step_tokens=6, max_new_tokens=14, calculator=False, lanes=2
)
BEAM = TreeSearchSettings(STEPS, "beam", width=2)
PUCT = TreeSearchSettings(STEPS, "puct", num_expansions=13)


@dataclasses.dataclass
class Node:
    """A node of the search that re-reads everything."""

    key: jax.Array
    written: list
    parent: "Node | None" = None
    prior: float = 0.0
    prob: float = 0.0
    final: bool = False
    open: bool = True
    values: list = dataclasses.field(default_factory=list)
    children: list = dataclasses.field(default_factory=list)

    def up(self):
        return [self] + (self.parent.up() if self.parent else [])

    def has_open(self):
        return self.open or any(child.has_open() for child in self.children)

    def score(self, exploration):
        value = (self.prob + sum(self.values)) / (1 + len(self.values))
        return value + exploration * self.prior * len(self.parent.values) ** 0.5 / (1 + len(self.values))


class Naive:
    """Search a tree as documented, with no cache and no arrays."""

    def __init__(self, sample, read, vocab, problem, settings, seed):
        self.sample, self.read, self.vocab, self.settings = sample, read, vocab, settings
        self.prompt = vocab.encode(LINES.prompt_text(problem.question))
        self.nodes = [Node(jax.random.fold_in(jax.random.key(seed), zlib.crc32(problem.uid.encode())), [])]
        self.policy_room, self.rm_room = settings.max_policy_tokens, settings.max_rm_tokens - len(self.prompt)
        self.num_expansions, self.is_full = 0, False
        beam, chosen = [self.nodes[0]], [self.nodes[0]]
        while chosen and self.policy_room > 0 and self.rm_room > 0 and not self.is_full:
            beam = self.expand(chosen, beam)
            chosen = self.choose(beam)

    def choose(self, beam):
        if self.settings.method == "beam":
            return [node for node in beam if node.open]
        node = self.nodes[0]
        if self.num_expansions == self.settings.num_expansions or not node.has_open():
            return []
        while not node.open:
            able = [child for child in node.children if child.has_open()]
            node = max(able, key=lambda child: round(child.score(self.settings.exploration), 6))
        return [node]

    def expand(self, chosen, beam):
        steps, vocab = self.settings.steps, self.vocab
        found, ends = [], []
        for node in chosen:
            limit = min(steps.max_step_tokens, steps.max_new_tokens - len(node.written))
            for k in range(steps.num_candidates):
                key = jax.random.fold_in(node.key, k)
                found.append((node, k, self.sample(self.prompt, node.written, limit, key)))
        lens = self.spend([len(step) for _, _, step in found])
        new, weights = [], {}
        for (node, k, step), length in zip(found, lens, strict=True):
            if length < len(step) or not vocab.decode(step).strip():
                continue
            final = step[-1] == vocab.eos_id or vocab.encode("#### ")[0] in step
            read = (id(node), *step[:-1], vocab.eos_id if final else step[-1])
            if read not in weights:
                key = jax.random.fold_in(jax.random.fold_in(node.key, 2**31 - 1), k)
                child = Node(key, node.written + step, node, final=final)
                at_end = len(child.up()) > steps.max_steps or len(child.written) + 1 >= steps.max_new_tokens
                child.open = not final and not at_end
                ends.append((child, read))
            weights[read] = weights.get(read, 0) + 1
        cost = 0
        for child, read in ends:
            cost += len(read) - 1
            if cost > self.rm_room:
                self.is_full = True
                break
            child.prob = self.read(self.prompt, child.parent.written + list(read[1:]))
            # What could not be read does not count among the candidates either.
            child.prior = weights[read]
            new.append(child)
        self.rm_room -= sum(len(child.written) - len(child.parent.written) for child in new)
        for node in chosen:
            self.back_up(node, [child for child in new if child.parent is node])
        held = [node for node in beam if not node.open and node not in chosen]
        if self.settings.method == "beam":
            pool = sorted([*held, *new], key=lambda node: -round(node.prob, 6))[: self.settings.width]
            new = [child for child in new if child in pool]
        for child in new:
            child.parent.children.append(child)
        self.nodes += new
        return pool if self.settings.method == "beam" else beam

    def spend(self, wanted):
        """Let candidates write in step, the last ones stopping first when there is no room for all."""
        lens = [0] * len(wanted)
        stopped = [False] * len(wanted)
        while going := [i for i, n in enumerate(wanted) if lens[i] < n and not stopped[i]]:
            for place, i in enumerate(going):
                if place < self.policy_room:
                    lens[i] += 1
                else:
                    stopped[i] = True
            self.policy_room -= min(len(going), self.policy_room)
        return lens

    def back_up(self, node, children):
        total = sum(child.prior for child in children)
        for child in children:
            child.prior /= total
        for each in node.up():
            each.values.append(sum(child.prior * child.prob for child in children))
        node.open = False
        self.num_expansions += 1

    def best(self):
        deepest = max(len(node.up()) for node in self.nodes)
        able = [n for n in self.nodes if n.final] or [n for n in self.nodes if len(n.up()) == deepest]
        return max(able, key=lambda node: round(node.prob, 6))


def check(got, naive, vocab):
    best = naive.best()
    assert got.sample.solution == vocab.decode(best.written[:-1])
    assert got.sample.tokens == len(best.written)
    np.testing.assert_allclose(got.step_probs, [node.prob for node in best.up()[-2::-1]], rtol=1e-4)
    assert (got.num_nodes, got.num_expansions) == (len(naive.nodes), naive.num_expansions)
    settings = naive.settings
    assert got.policy_tokens == settings.max_policy_tokens - naive.policy_room
    assert got.rm_tokens == settings.max_rm_tokens - naive.rm_room


@pytest.mark.parametrize("settings", [BEAM, PUCT], ids=["beam", "puct"])
def test_equals_the_search_that_re_reads_everything(settings, policy, rm, vocab, naive_step, naive_prob):
    depths, spent = set(), set()
    for budget in ({}, {"max_policy_tokens": 20}, {"max_rm_tokens": 50}):
        limited = dataclasses.replace(settings, **budget)
        found = tree_search(policy, rm, PROBLEMS, limited, seed=3)
        for problem, got in zip(PROBLEMS, found, strict=True):
            assert got.sample.problem_uid == problem.uid
            check(got, Naive(naive_step, naive_prob, vocab, problem, limited, 3), vocab)
            depths.add(len(got.step_probs))
            spent.add(got.policy_tokens)
    assert len(depths) > 1
    assert 20 in spent


@pytest.mark.parametrize("settings", [BEAM, PUCT], ids=["beam", "puct"])
def test_results_depend_on_problem_and_seed_alone(settings, policy, rm, vocab):
    base = tree_search(policy, rm, PROBLEMS, settings, seed=3)
    wider = dataclasses.replace(settings, steps=dataclasses.replace(STEPS, lanes=4))
    for again, part in [(wider, PROBLEMS), (settings, PROBLEMS[3:0:-2])]:
        wanted = {b.sample.problem_uid: b for b in base}
        for got in tree_search(policy, rm, part, again, seed=3):
            want = wanted[got.sample.problem_uid]
            assert (got.sample, got.policy_tokens, got.rm_tokens) == (want.sample, want.policy_tokens, want.rm_tokens)
            np.testing.assert_allclose(got.step_probs, want.step_probs, rtol=1e-5)
    other = tree_search(policy, rm, PROBLEMS, settings, seed=4)
    assert [o.sample.solution for o in other] != [b.sample.solution for b in base]


@pytest.mark.parametrize("settings", [BEAM, PUCT], ids=["beam", "puct"])
def test_a_mesh_changes_no_search(settings, policy, rm, vocab):
    base = tree_search(policy, rm, PROBLEMS[:3], settings, seed=3)
    mesh = meshes.make_mesh(meshes.MeshSettings(data=1, fsdp=2, tensor=2))

    def place(model):
        axes, shapes = api.param_axes(model.config, model.head), api.abstract_params(model.config, model.head)
        return model.replace(params=jax.device_put(model.params, rules.tree_sharding(mesh, axes, shapes)), mesh=mesh)

    got = tree_search(place(policy), place(rm), PROBLEMS[:3], settings, seed=3)
    assert [(g.sample, g.policy_tokens, g.num_nodes) for g in got] == [
        (b.sample, b.policy_tokens, b.num_nodes) for b in base
    ]


def leaves(sample, read, vocab, problem, steps, seed):
    """Return (probability, solution, whether it ended) of every leaf there is."""
    prompt = vocab.encode(LINES.prompt_text(problem.question))
    found = []

    def go_on(key, written, depth):
        limit = min(steps.max_step_tokens, steps.max_new_tokens - len(written))
        for k in range(steps.num_candidates):
            step = sample(prompt, written, limit, jax.random.fold_in(key, k))
            if not vocab.decode(step).strip():
                continue
            final = step[-1] == vocab.eos_id or vocab.encode("#### ")[0] in step
            if final or depth == steps.max_steps or len(written + step) + 1 >= steps.max_new_tokens:
                tokens = written + step[:-1]
                prob = read(prompt, tokens + [vocab.eos_id if final else step[-1]])
                found.append((prob, vocab.decode(tokens), final))
            else:
                go_on(jax.random.fold_in(jax.random.fold_in(key, 2**31 - 1), k), written + step, depth + 1)

    go_on(jax.random.fold_in(jax.random.key(seed), zlib.crc32(problem.uid.encode())), [], 1)
    return sorted(found, reverse=True)


def test_wide_enough_searches_find_the_best_of_all_leaves(policy, rm, vocab, naive_step, naive_prob):
    searches = {width: dataclasses.replace(BEAM, width=width) for width in (1, 2, 9)} | {"puct": PUCT}
    only_wider = 0
    for seed in range(3):
        every = [leaves(naive_step, naive_prob, vocab, problem, STEPS, seed) for problem in PROBLEMS]
        found = {
            width: [each.sample.solution for each in tree_search(policy, rm, PROBLEMS, search, seed=seed)]
            for width, search in searches.items()
        }
        for i, ranked in enumerate(every):
            best_end = next((solution for _, solution, final in ranked if final), None)
            if best_end is not None:  # 13 expansions are all there are
                assert found["puct"][i] == best_end
            if ranked and ranked[0][2]:  # nothing that has not ended takes its place
                assert found[9][i] == best_end
                only_wider += found[2][i] == best_end != found[1][i]
    assert only_wider > 0


def test_a_budget_is_never_exceeded(policy, rm, vocab):
    for settings in (BEAM, PUCT):
        longest = max(len(vocab.encode(LINES.prompt_text(problem.question))) for problem in PROBLEMS)
        policy_spent, rm_spent = [], []
        for budget in range(1, 60, 7):
            limited = dataclasses.replace(settings, max_policy_tokens=budget)
            policy_spent += [(got.policy_tokens, budget) for got in tree_search(policy, rm, PROBLEMS, limited, seed=1)]
            limited = dataclasses.replace(settings, max_rm_tokens=longest + budget)
            rm_spent += [
                (got.rm_tokens, longest + budget) for got in tree_search(policy, rm, PROBLEMS, limited, seed=1)
            ]
        for spent in (policy_spent, rm_spent):
            assert all(0 < tokens <= budget for tokens, budget in spent)
        # What is to be spent on sampling is spent to the last token, unless the search ends before.
        assert sum(tokens == budget for tokens, budget in policy_spent) > len(policy_spent) // 2


ENDLESS = StepSearchSettings(
    num_candidates=2, max_steps=15, max_step_tokens=2, max_new_tokens=40, calculator=False, lanes=4
)


@pytest.mark.parametrize("method", ["beam", "puct"])
def test_policies_that_lead_nowhere_end_the_search(method, scripted, rm, vocab):
    settings = TreeSearchSettings(ENDLESS, method, width=3, num_expansions=20)
    sep, eos, seven, marker = vocab.sep_id, vocab.eos_id, vocab.encode("7")[0], vocab.encode("#### ")[0]
    assert vocab.encode(LINES.prompt_text("?"))[-1] == sep

    def search(script, **changes):
        return tree_search(scripted(script), rm, PROBLEMS, dataclasses.replace(settings, **changes), seed=0)

    for got in search({sep: [sep]}):  # a dead end at once: all candidates are blank
        assert (got.sample.solution, got.sample.answer, got.sample.tokens) == ("", None, 0)
        assert (got.num_nodes, got.num_expansions, got.policy_tokens, got.step_probs) == (1, 1, 2, ())
    for got in search({sep: [seven], seven: [seven]}):  # endless steps, all candidates equal: the caps end them
        assert got.sample.solution == "\n".join("7" * 15)
        assert (got.num_nodes, got.num_expansions, len(got.step_probs)) == (16, 15, 15)
        assert got.rm_tokens - len(vocab.encode(LINES.prompt_text(PROBLEMS[0].question))) <= 30 + 8
    for budget, solution in [(9, "7\n7"), (11, "7\n7\n7")]:  # the third step's candidates are cut in their middle
        for got in search({sep: [seven], seven: [seven]}, max_policy_tokens=budget):
            assert (got.sample.solution, got.policy_tokens) == (solution, budget)
    for got in search({sep: [marker], marker: [eos]}):  # an end at once
        assert (got.num_nodes, got.num_expansions, got.sample.tokens) == (2, 1, 2)
    assert len(search({sep: [sep, seven], seven: [sep, eos]})) == len(PROBLEMS)  # dead ends on the way


@pytest.mark.parametrize("settings", [BEAM, PUCT], ids=["beam", "puct"])
def test_a_reward_model_that_is_broken_ends_no_run(settings, policy, rm, vocab):
    broken = rm.replace(params=jax.tree.map(lambda a: a * np.nan, rm.params))
    assert len(tree_search(policy, broken, PROBLEMS, settings, seed=0)) == len(PROBLEMS)


def test_errors_name_the_value_and_the_fix(policy, rm, vocab):
    with pytest.raises(UserError, match="'p0'.*reward model's prompt of .* takes all of max_rm_tokens=5: raise it"):
        tree_search(policy, rm, PROBLEMS, dataclasses.replace(BEAM, max_rm_tokens=5), seed=0)
    with pytest.raises(UserError, match="max_new_tokens=90.*policy's max_len=96"):
        long = dataclasses.replace(BEAM, steps=dataclasses.replace(STEPS, max_new_tokens=90))
        tree_search(policy, rm, PROBLEMS, long, seed=0)
    assert tree_search(policy, rm, [], BEAM, seed=0) == []
