"""Models that read everything from the start for each token: what cached reading is compared with."""

import jax
import jax.numpy as jnp
import numpy as np

from procsup_jax.models import api


def draw(policy, tokens, allowed_v, key, place):
    """Draw the token after `tokens`, the one at this place of its solution, as searches do."""
    logits, uniform = _next(policy.config, policy.params, _pad(policy, tokens), len(tokens), key, place)
    kept = np.where(allowed_v, logits, -np.inf)
    probs = np.exp(kept - kept.max(), dtype=np.float64)
    return int(np.searchsorted(np.cumsum(probs), float(uniform) * probs.sum(), side="right"))


def prob(rm, prompt, solution):
    """Return a reward model's probability of `correct` after the tokens of a prompt and a solution."""
    tokens = [*prompt, *solution]
    return float(_prob(rm.config, rm.head, rm.params, _pad(rm, tokens), len(prompt), len(tokens)))


@jax.jit(static_argnums=0)
def _next(config, params, tokens_1l, length, key, place):
    positions = jnp.arange(tokens_1l.shape[1])[None]
    hidden = api.hidden(config, params, tokens_1l, positions, (positions < length).astype(jnp.int32))
    return api.unembed(config, params, hidden[0, length - 1]), jax.random.uniform(jax.random.fold_in(key, place))


@jax.jit(static_argnums=(0, 1))
def _prob(config, head, params, tokens_1l, prompt_len, length):
    positions = jnp.arange(tokens_1l.shape[1])[None]
    is_token, is_solution = jnp.ones_like(positions), (positions >= prompt_len).astype(jnp.int32)
    logits = api.rm_logits(config, head, params, tokens_1l, positions, is_token, is_solution)
    return jax.nn.sigmoid(logits[0, length - 1])


def _pad(model, tokens):
    padded = np.zeros((1, model.config.max_len), np.int32)
    padded[0, : len(tokens)] = tokens
    return padded
