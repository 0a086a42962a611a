import jax
import pytest

from procsup_jax.errors import UserError
from procsup_jax.parallel.mesh import fit_mesh, local_mesh_or_none, make_mesh, mesh_or_none, own_mesh
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


@pytest.mark.parametrize(
    ("rows", "data", "tensor"), [(8, 8, 1), (64, 8, 1), (4, 4, 2), (2, 2, 4), (6, 2, 4), (1, 1, 8), (3, 1, 8)]
)
def test_a_fit_of_several_processes_has_all_devices_whatever_its_batch(monkeypatch, rows, data, tensor) -> None:
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert dict(fit_mesh(MeshSettings(), rows).shape) == {"data": data, "fsdp": 1, "tensor": tensor}
    assert dict(fit_mesh(MeshSettings(fsdp=-1, tensor=2), rows).shape) == {"data": 1, "fsdp": 4, "tensor": 2}


def test_one_process_fits_over_the_mesh_that_is_set() -> None:
    assert fit_mesh(MeshSettings(), 2) is None
    assert fit_mesh(MeshSettings(data=2), 8).size == 2


@pytest.mark.parametrize(
    ("own", "settings", "wanted"),
    [
        (1, MeshSettings(fsdp=-1), None),
        (4, MeshSettings(), (4, 1, 1)),
        (4, MeshSettings(data=-1), (4, 1, 1)),
        (4, MeshSettings(fsdp=-1), (1, 4, 1)),
        (4, MeshSettings(fsdp=4, tensor=2), (1, 2, 2)),
        (4, MeshSettings(tensor=8), (1, 1, 4)),
        (2, MeshSettings(data=2, tensor=4), (1, 1, 2)),
    ],
)
def test_a_process_has_its_own_part_of_the_mesh(monkeypatch, own, settings, wanted) -> None:
    assert (own_mesh(MeshSettings()), own_mesh(MeshSettings(data=2)).size) == (None, 2)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[-own:])
    found = own_mesh(settings)
    assert (found and tuple(found.shape.values())) == wanted
    assert found is None or set(found.devices.flat) == set(jax.devices()[-own:])
