import dataclasses
from typing import Annotated

from procsup_jax import settings
from procsup_jax.free import FREE, is_free
from procsup_jax.ranges import Count
from procsup_jax.recipes.settings import ExperimentSettings


@dataclasses.dataclass(frozen=True)
class Some:
    held: Count = 1
    free: Annotated[Count, FREE] = 1


def test_it_is_said_beside_the_field_and_its_range_stays():
    assert [is_free(Some, name) for name in ("held", "free", "absent")] == [False, True, False]
    assert settings.from_config(Some, {"free": 2}) == Some(free=2)


def test_what_the_experiments_markers_leave_out():
    found = {name for name in settings.flatten(ExperimentSettings()) if is_free_at(ExperimentSettings(), name)}
    assert found >= {
        "config.name", "config.recipe", "config.score_batch", "config.xla_optimization_level",
        "config.mesh.data", "config.mesh.fsdp", "config.mesh.tensor",
        "config.sample.lanes", "config.sample.slots", "config.search.lanes",
        *(f"config.{fit}.checkpoint_every" for fit in ("base.fit", "sft", "orm", "prm", "distil")),
    }  # fmt: skip
    assert not found & {"config.seed", "config.sample.temperature", "config.sft.num_steps", "config.sft.grad_accum"}


def is_free_at(group, path):
    for name in path.split(".")[1:]:
        if is_free(type(group), name):
            return True
        group = getattr(group, name)
    return False
