import jax
import pytest

from procsup_jax.errors import UserError
from procsup_jax.parallel.mesh import local_mesh_or_none, make_mesh, mesh_or_none
from procsup_jax.parallel.settings import MeshSettings


def test_axes_have_the_asked_sizes_and_are_auto() -> None:
    mesh = make_mesh(MeshSettings(data=2, fsdp=2, tensor=2))
    assert dict(mesh.shape) == {"data": 2, "fsdp": 2, "tensor": 2}
    assert set(mesh.axis_types) == {jax.sharding.AxisType.Auto}


def test_a_smaller_mesh_uses_the_first_devices() -> None:
    mesh = make_mesh(MeshSettings(data=3))
    assert [device.id for device in mesh.devices.flat] == [0, 1, 2]


def test_minus_one_takes_the_remaining_devices() -> None:
    assert dict(make_mesh(MeshSettings(data=-1, tensor=2)).shape) == {"data": 4, "fsdp": 1, "tensor": 2}


def test_too_many_devices_asked_names_how_many_there_are_and_the_fix() -> None:
    with pytest.raises(
        UserError, match=r"data=4 x fsdp=1 x tensor=4 needs 16 devices, 8 available: lower .* at most 8"
    ):
        make_mesh(MeshSettings(data=4, tensor=4))


def test_minus_one_that_cannot_be_resolved_is_reported() -> None:
    with pytest.raises(UserError, match="8 devices do not divide by 3"):
        make_mesh(MeshSettings(data=-1, tensor=3))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"data": 0}, "mesh axis data=0: expected a positive number"),
        ({"fsdp": -2}, "mesh axis fsdp=-2: expected a positive number"),
        ({"data": -1, "fsdp": -1}, "only one axis can be -1"),
    ],
)
def test_impossible_sizes_are_reported(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        MeshSettings(**sizes)


def test_several_processes_train_over_all_of_their_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    for settings in (MeshSettings(), MeshSettings(data=2)):
        with pytest.raises(UserError, match=r"has . devices, and 2 processes have 8, all of which .* one axis to -1"):
            mesh_or_none(settings)
    assert mesh_or_none(MeshSettings(data=-1)).size == 8
    assert local_mesh_or_none(MeshSettings()) is None
    assert local_mesh_or_none(MeshSettings(data=2)).size == 2
