"""Small models that write something like word problems' solutions, in any tokenizer's tokens and any layout."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from tokenizer_fixtures import word_problems

from procsup_jax import main
from procsup_jax.data.worlds import splits
from procsup_jax.io.models import save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer
from procsup_jax.text.vocab import train_vocab

KINDS = [
    ("vocab", "paragraphs"),
    ("digits_bpe", "lines"),
    ("bpe", "lines"),
    ("bpe", "paragraphs"),
    ("triples_bpe", "paragraphs"),
    ("sentencepiece", "paragraphs"),
]


# A tokenizer of each implementation, and both layouts.
THREE = [KINDS[i] for i in (0, 1, 5)]


def solutions(layout):
    """Return steps and an answer, as the layout writes them."""
    texts = [text.split("Solution:\n")[1].split("\n") for text in word_problems()[:6:2]]
    answers = [f"The answer is $\\boxed{{{t[-1].removeprefix('#### ')}}}$." for t in texts]
    if layout.name == "lines":
        return ["\n".join(text) for text in texts]
    return ["\n\n".join([*text[:-1], answer]) for text, answer in zip(texts, answers, strict=True)]


def writer(folder, name, *, max_len=160):
    """Return a model that writes after each token one that followed it in a solution, mostly."""
    tokenizer = load_tokenizer(folder)
    layout = layout_for(tokenizer, name)
    sizes = {"num_layers": 1, "num_heads": 2, "num_kv_heads": 1, "head_dim": 8, "d_ff": 24, "max_len": max_len}
    config = api.ModelConfig(
        vocab_size=tokenizer.size + 3, d_model=tokenizer.size + 3, tied_embeddings=False, shift_width=1, **sizes
    )
    model = Model(config, api.init_params(config, jax.random.key(0)), tokenizer, layout, name="writer")
    follows = np.zeros((config.vocab_size, config.d_model), np.float32)
    [start] = {model.encoding.prompt_ids(text)[-1] for text in ("How many?", "Why?")}
    for text in solutions(layout):
        for written in (model.encoding.solution(text).tokens, tokenizer.encode(text + layout.separator)):
            for before, after in itertools.pairwise([start, *written]):
                follows[before, after] = 1.0
    follows[:, model.encoding.end_id] *= 0.9  # so that some solutions end in a separator
    # The layers' part makes a token depend on all before it.
    layers = jax.tree.map(lambda a: 0.1 * a, model.params["layers"])
    params = model.params | {
        "layers": layers,
        "embedding": jnp.asarray(follows + 0.02 * model.params["embedding"]),
        "unembedding": jnp.eye(config.vocab_size),
    }
    return model.replace(params=params)


def judge(policy):
    """Return a reward model that reads products, of the policy's tokenizer and layout."""
    config = api.ModelConfig(
        vocab_size=policy.config.vocab_size, d_model=16, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=8, d_ff=24,
        max_len=policy.config.max_len, tied_embeddings=False,
    )  # fmt: skip
    params = api.init_params(config, jax.random.key(1))
    model = policy.replace(config=config, params=params | {"embedding": params["embedding"] * 4}, name="judge")
    model = model.with_head(api.ProductHead())
    own = 0.01 * np.random.default_rng(1).standard_normal(model.params["head"].shape)
    return model.replace(params=model.params | {"head": own})


def worlds_folder(path, *, num_layers, num_problems):
    """Write a random policy, a random reward model and the testbed's first problems, p.jsonl, into a folder."""
    problems = splits.problems("sft", 20)
    vocab = train_vocab([f"{p.question}\n{p.solution}" for p in problems], 400, path / "vocab.model", seed=0)
    config = api.ModelConfig(vocab.size, num_layers, 16, 2, 2, 8, 32, max_len=384)
    for seed, (name, head) in enumerate({"policy": None, "rm": api.ClassifierHead(2, 2)}.items()):
        params = api.init_params(config, jax.random.key(seed), head=head)
        save_model(path / "models" / name, Model(config, params, vocab, head=head))
    assert main.main(["data", "--dataset=worlds", f"--num={num_problems}", f"--output={path / 'p.jsonl'}"]) == 0
