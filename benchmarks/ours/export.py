"""Making what all contenders share: one model of a size, in the format of each."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping

import gguf
import jax
import numpy as np

from benchmarks.workload import SIZES, Size, Task
from procsup_jax.data.worlds import splits
from procsup_jax.io import huggingface
from procsup_jax.io.models import load_model, save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.models.pretrained import llama
from procsup_jax.models.pretrained.table import write_params
from procsup_jax.text.layout import LINES
from procsup_jax.text.vocab import train_vocab

VOCAB_SIZE, NUM_TEXTS = 512, 64
# What `make smollm2` fetched, where it did.
REAL = {"135m": pathlib.Path(__file__).parents[2] / "models" / "smollm2"}


def export(size: str, folder: pathlib.Path, *, for_peers: bool = False) -> None:
    """Write the model of a size, and `for_peers` also as a Hugging Face folder and as GGUF files."""
    task = Task(size, str(folder))
    model = load_model(REAL[size]) if size in REAL and REAL[size].exists() else _drawn(SIZES[size], folder)
    save_model(task.model, model)
    if for_peers:
        params = jax.tree.map(np.asarray, dict(model.params))
        huggingface.write_hf(task.hf, model.config, params, {})
        tensors = dict(write_params(llama.TABLE, "gguf", model.config, params))
        for dtype in ("f32", "q8_0"):
            _write_gguf(pathlib.Path(task.gguf(dtype)), model.config, tensors, dtype)


def model_config(size: Size) -> api.ModelConfig:
    """Return our config of a size."""
    return api.ModelConfig(
        vocab_size=size.vocab_size, num_layers=size.num_layers, d_model=size.d_model, num_heads=size.num_heads,
        num_kv_heads=size.num_kv_heads, head_dim=size.head_dim, d_ff=size.d_ff, max_len=4096,
        rope_theta=size.rope_theta, norm_eps=size.norm_eps,
    )  # fmt: skip


def _drawn(size: Size, folder: pathlib.Path) -> Model:
    """Return random weights, and a vocabulary that is far smaller than they have room for."""
    texts = [LINES.worked_example(problem) for problem in splits.problems("test", NUM_TEXTS)]
    vocab = train_vocab(texts, VOCAB_SIZE, folder / "vocab.model", seed=0)
    config = model_config(size)
    return Model(config, api.init_params(config, jax.random.key(0)), vocab)


def _write_gguf(path: pathlib.Path, config: api.ModelConfig, tensors: Mapping[str, np.ndarray], dtype: str) -> None:
    """Write GGUF without a vocabulary; of q8_0, tensors whose rows are no whole number of blocks stay as they are."""
    writer = gguf_writer(path, config)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    for name, array, kind in stored(tensors, dtype):
        writer.add_tensor(name, array, raw_dtype=kind)
    write_out(writer)


def gguf_writer(path: pathlib.Path, config: api.ModelConfig) -> gguf.GGUFWriter:
    """Return a writer of a Llama's GGUF file that holds its sizes; vocabulary and tensors are to come."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_len)
    writer.add_embedding_length(config.d_model)
    writer.add_block_count(config.num_layers)
    writer.add_feed_forward_length(config.d_ff)
    writer.add_head_count(config.num_heads)
    writer.add_head_count_kv(config.num_kv_heads)
    writer.add_layer_norm_rms_eps(config.norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    return writer


def write_out(writer: gguf.GGUFWriter) -> None:
    """Write all that a writer was given, and close its file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def stored(
    tensors: Mapping[str, np.ndarray], dtype: str
) -> Iterator[tuple[str, np.ndarray, gguf.GGMLQuantizationType | None]]:
    """Yield tensors as a file of `dtype` holds them, with their type; None for that of the array."""
    block = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType.Q8_0][0]
    for name, array in tensors.items():
        if dtype == "q8_0" and array.ndim == 2 and array.shape[-1] % block == 0:
            quantised = gguf.quants.quantize(array, gguf.GGMLQuantizationType.Q8_0)
            yield name, quantised, gguf.GGMLQuantizationType.Q8_0
        else:
            yield name, array, None
