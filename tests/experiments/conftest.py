"""What the findings' further commands start from: the folder of a finished run, tiny and untrained."""

import jax
import pytest

from procsup_jax import records
from procsup_jax.data.worlds import splits
from procsup_jax.io.models import save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.text.vocab import train_vocab


@pytest.fixture
def findings_command(experiment_module):
    """Return how to run a command of the findings in this process, where it shares compiled programs."""
    return lambda name, *args: experiment_module("findings", name).main(list(map(str, args)))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    run = tmp_path_factory.mktemp("findings") / "shipped-0"
    for split in ("sft", "rm", "rl", "validation", "test", "ood"):
        records.write_problems(run / f"data/{split}.jsonl", splits.problems("sft" if split == "ood" else split, 4))
    texts = [f"{p.question}\n{p.solution}" for p in splits.problems("sft", 20)]
    vocab = train_vocab(texts, 400, run / "vocab.model", seed=0)
    config = api.ModelConfig(vocab.size, 2, 16, 2, 2, 8, 32, max_len=512)
    verdict = api.VerdictHead(vocab.correct_id, vocab.incorrect_id)
    heads = {"base": None, "sft": None, "sft_orm": verdict, "sft_prm": verdict}
    for seed, (name, head) in enumerate(heads.items()):
        params = api.init_params(config, jax.random.key(seed))
        save_model(run / "models" / name, Model(config, params, vocab, head=head))
    return run
