"""The Llama family: Llama 1 to 3, SmolLM, TinyLlama and others of the same network.

Foreign names: Hugging Face's LlamaForCausalLM ("hf") and GGUF's architecture `llama` ("gguf"), which keeps the rows of
q and k in pairs of neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping

from procsup_jax.models.config import ModelConfig
from procsup_jax.models.pretrained.table import Key, Part, Shape, Style, Table


def _shapes(config: ModelConfig) -> Mapping[str, Shape]:
    c = config
    layer = {
        "attention_norm/scale": (c.d_model,),
        "attention/qkv": (c.d_model, c.num_kv_heads, c.queries_per_kv + 2, c.head_dim),
        "attention/out": (c.num_heads * c.head_dim, c.d_model),
        "mlp_norm/scale": (c.d_model,),
        "mlp/gate": (c.d_model, c.d_ff),
        "mlp/up": (c.d_model, c.d_ff),
        "mlp/down": (c.d_ff, c.d_model),
    }
    tables = ["embedding"] if c.tied_embeddings else ["embedding", "unembedding"]
    return {
        **dict.fromkeys(tables, (c.vocab_size, c.d_model)),
        "final_norm/scale": (c.d_model,),
        **{f"layers/{path}": (c.num_layers, *shape) for path, shape in layer.items()},
    }


def _key(path: str, hf: str, gguf: str, part: Part | None = None, *, kernel: bool = False, rotary: bool = False) -> Key:
    if path.startswith("layers/"):
        hf, gguf = f"model.layers.{{layer}}.{hf}", f"blk.{{layer}}.{gguf}"
    return Key(path, {"hf": f"{hf}.weight", "gguf": f"{gguf}.weight"}, part, kernel, rotary)


def _queries(config: ModelConfig) -> slice:
    return slice(config.queries_per_kv)


def _keys(config: ModelConfig) -> int:
    return config.queries_per_kv


def _values(config: ModelConfig) -> int:
    return config.queries_per_kv + 1


TABLE = Table(
    "llama",
    _shapes,
    (
        _key("embedding", "model.embed_tokens", "token_embd"),
        _key("unembedding", "lm_head", "output"),
        _key("final_norm/scale", "model.norm", "output_norm"),
        _key("layers/attention_norm/scale", "input_layernorm", "attn_norm"),
        _key("layers/attention/qkv", "self_attn.q_proj", "attn_q", _queries, kernel=True, rotary=True),
        _key("layers/attention/qkv", "self_attn.k_proj", "attn_k", _keys, kernel=True, rotary=True),
        _key("layers/attention/qkv", "self_attn.v_proj", "attn_v", _values, kernel=True),
        _key("layers/attention/out", "self_attn.o_proj", "attn_output", kernel=True),
        _key("layers/mlp_norm/scale", "post_attention_layernorm", "ffn_norm"),
        _key("layers/mlp/gate", "mlp.gate_proj", "ffn_gate", kernel=True),
        _key("layers/mlp/up", "mlp.up_proj", "ffn_up", kernel=True),
        _key("layers/mlp/down", "mlp.down_proj", "ffn_down", kernel=True),
    ),
    {
        "hf": Style(
            ignored=("model.layers.*.self_attn.rotary_emb.inv_freq",),
            copies={"lm_head.weight": "model.embed_tokens.weight"},
        ),
        "gguf": Style(interleaved=True, ignored=("rope_freqs.weight",)),
    },
)
