"""The compiled training and evaluation steps, and placing batches for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from procsup_jax.data import pipeline
from procsup_jax.data.pack import Packed
from procsup_jax.errors import UserError
from procsup_jax.models import api
from procsup_jax.parallel import rules
from procsup_jax.training.losses import Batch, LossFn, Sums
from procsup_jax.training.state import TrainState


class StepInfo(NamedTuple):
    """Report a step: its loss sums and the global norm of its gradient before clipping."""

    sums: Sums
    grad_norm: jax.Array


@dataclasses.dataclass(frozen=True)
class TrainStep:
    """Take a step from (state, microbatches [a, b, l], learning rate, dropout key or None); the state is donated."""

    program: jax.stages.Wrapped
    mesh: Mesh | None

    def __call__(
        self, state: TrainState, batch: Batch, rate: jax.typing.ArrayLike, dropout_key: jax.Array | None
    ) -> tuple[TrainState, StepInfo]:
        """Take the step."""
        # A schedule may give a Python number or an array: as one type they share a program.
        with rules.use(self.mesh):
            return self.program(state, batch, jnp.asarray(rate, jnp.float32), dropout_key)

    def lower(self, state: TrainState, batch: Batch) -> jax.stages.Lowered:
        """Return the step without dropout as the compiler gets it, from shapes and shardings alone."""
        with rules.use(self.mesh):
            return self.program.lower(state, batch, jax.ShapeDtypeStruct((), jnp.float32), None)


Evaluate = Callable[[api.Params, Packed, int], dict[str, float]]


def make_train_step(
    loss: LossFn, optimiser: optax.GradientTransformation, abstract: TrainState, mesh: Mesh | None = None
) -> TrainStep:
    """Compile a step.

    The gradient is that of the mean over the whole batch, however it is divided: sums are accumulated and divided by
    the total weight once. Dropout is a function of the key and the state's step; no key means no dropout.
    """

    def grad_sums(params: api.Params, micro: Batch, key: jax.Array | None) -> tuple[api.Params, Sums]:
        def total(params: api.Params) -> tuple[jax.Array, Sums]:
            sums = loss(params, micro, key)
            return sums.loss, sums

        grads, sums = jax.grad(total, has_aux=True)(params)
        return jax.tree.map(lambda g: g.astype(jnp.float32), grads), sums

    def accumulate(params: api.Params, batch: Batch, key: jax.Array | None) -> tuple[api.Params, Sums]:
        num_micro = batch["tokens"].shape[0]
        keys = None if key is None else jax.random.split(key, num_micro)
        if num_micro == 1:
            return grad_sums(params, {n: x[0] for n, x in batch.items()}, None if keys is None else keys[0])

        def body(carry: tuple[Any, Sums], inputs: tuple[Batch, Any]) -> tuple[tuple[Any, Sums], None]:
            grads, sums = grad_sums(params, *inputs)
            return (jax.tree.map(jnp.add, carry[0], grads), carry[1] + sums), None

        zeros = jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32), params)
        return jax.lax.scan(body, (zeros, Sums.zero()), (batch, keys))[0]

    def train_step(
        state: TrainState, batch: Batch, rate: jax.Array, dropout_key: jax.Array | None
    ) -> tuple[TrainState, StepInfo]:
        key = None if dropout_key is None else jax.random.fold_in(dropout_key, state.step)
        grads, sums = accumulate(state.params, batch, key)
        grads = jax.tree.map(lambda g: g / sums.weight, grads)
        updates, opt_state = optimiser.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, optax.tree.scale(rate, updates))
        return TrainState(state.step + 1, params, opt_state), StepInfo(sums, optax.tree.norm(grads))

    out = None if mesh is None else (jax.tree.map(lambda s: s.sharding, abstract), rules.sharding(mesh, ()))
    return TrainStep(jax.jit(train_step, donate_argnums=0, out_shardings=out), mesh)


def make_eval(loss: LossFn, mesh: Mesh | None = None) -> Evaluate:
    """Compile the evaluation of (params, packed rows, batch size): mean loss and accuracy over all of the rows."""

    @jax.jit
    def validation_step(params: api.Params, batch: Batch) -> Sums:
        return loss(params, {n: x[0] for n, x in batch.items()}, None)

    def run(params: api.Params, packed: Packed, batch_size: int) -> dict[str, float]:
        total = Sums.zero()
        for batch in pipeline.padded_batches(packed, batch_size):
            with rules.use(mesh):
                total += validation_step(params, place(batch, 1, mesh))
        return {name: float(value) for name, value in total.means().items()}

    return run


def place(batch: pipeline.Batch, grad_accum: int, mesh: Mesh | None) -> Batch:
    """Put rows [b, l] onto the devices as microbatches [a, b / a, l], the rows split over the mesh.

    Each process puts those onto its devices that these are to have: another one may have the same, as they can differ
    in tensor parallelism alone.
    """
    folded = {name: np.asarray(x).reshape(grad_accum, -1, x.shape[-1]) for name, x in batch.items()}
    if mesh is None:
        return jax.device_put(folded)
    sharding = rules.sharding(mesh, (None, "batch", "length"))
    return {name: jax.make_array_from_callback(x.shape, sharding, x.__getitem__) for name, x in folded.items()}


def abstract_batch(shape: tuple[int, int, int], mesh: Mesh | None, *, is_rm: bool) -> dict[str, jax.ShapeDtypeStruct]:
    """Return the shapes of what `place` makes: microbatches [a, b, l] of a language or a reward model."""
    sharding = None if mesh is None else rules.sharding(mesh, (None, "batch", "length"), shape)
    names = ("tokens", "positions", "segments", "targets", "weights", *(("solution",) if is_rm else ()))
    floats = ("weights", "targets") if is_rm else ("weights",)
    dtypes = {name: jnp.float32 if name in floats else jnp.int32 for name in names}
    return {name: jax.ShapeDtypeStruct(shape, dtype, sharding=sharding) for name, dtype in dtypes.items()}


def check_batch_size(batch_size: int, grad_accum: int, mesh: Mesh | None) -> None:
    """Raise UserError unless the batch divides into microbatches, and these over the devices that share a batch."""
    shards = rules.batch_shards(mesh)
    if batch_size < 1 or grad_accum < 1 or batch_size % (grad_accum * shards):
        raise UserError(
            f"batch_size={batch_size}: expected a positive multiple of {grad_accum * shards} "
            f"(grad_accum={grad_accum} microbatches over {shards} data and fsdp devices)"
        )
