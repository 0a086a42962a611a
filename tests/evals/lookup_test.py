import jax
import numpy as np

from procsup_jax.data.worlds import splits
from procsup_jax.evals.lookup import lookup_accuracy
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.vocab import train_vocab
from procsup_jax.training.settings import FitSettings


def test_only_tokens_inside_expressions_count(tmp_path):
    problems = splits.problems("validation", 5)
    vocab = train_vocab([f"{p.question}\n{p.solution}" for p in problems], 400, tmp_path / "v.model", seed=0)
    config = api.ModelConfig(vocab.size, 1, 8, 1, 1, 8, 8, max_len=384)
    params = jax.tree.map(np.zeros_like, api.init_params(config, jax.random.key(0)))
    # Whatever it reads, its prediction is the first id, padding.
    params["embedding"][:, 0], params["embedding"][0, 0] = 1.0, 2.0
    params["final_norm"]["scale"][:] = 1.0
    like = FitSettings(batch_size=4)
    accuracy, total = lookup_accuracy(Model(config, params, vocab), problems, 384, like)
    expressions = [part.split("=")[0] for p in problems for part in p.solution.split("<<")[1:]]
    assert total == sum(len(vocab.encode(expression)) for expression in expressions)
    assert accuracy == 0.0
