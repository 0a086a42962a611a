"""Slices of TPUs have Google's names, shapes and hosts."""

import pytest


@pytest.mark.parametrize(
    ("name", "topology", "chips", "hosts", "per_host", "cores"),
    [
        ("v5e-1", "1x1", 1, 1, 1, 1),
        ("v5e-8", "2x4", 8, 1, 8, 8),
        ("v5e-16", "4x4", 16, 4, 4, 16),
        ("v5litepod-16", "4x4", 16, 4, 4, 16),
        ("v5e:4x4", "4x4", 16, 4, 4, 16),
        ("v6e-256", "16x16", 256, 64, 4, 256),
        ("v5p-8", "2x2x1", 4, 1, 4, 8),
        ("v5p-128", "4x4x4", 64, 16, 4, 128),
        ("v5p:4x4x12", "4x4x12", 192, 48, 4, 384),
        ("v4-32", "2x2x4", 16, 4, 4, 32),
        ("v3-8", "2x2", 4, 1, 4, 8),
    ],
)
def test_a_name_says_shape_and_hosts(launch_module, name, topology, chips, hosts, per_host, cores):
    found = launch_module("tpu_slices").parse(name)
    assert (found.topology, found.chips, found.hosts, found.chips_per_host, found.cores) == (
        topology, chips, hosts, per_host, cores,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v5e", "v5e is no slice; expected such as v5e-16"),
        ("h100-8", "h100-8 is no slice"),
        ("v5e-12", "v5e-12 is no size of v5e; choose one of v5e-1, v5e-4, v5e-8, v5e-16"),
        ("v5p-9", "v5p-9 is no size of v5p; choose one of v5p-8, v5p-16"),
        ("v5p:4x4", "a slice of v5p is such as 2x2x4"),
    ],
)
def test_what_is_no_slice_is_one_clear_line(launch_module, name, said):
    slices = launch_module("tpu_slices")
    with pytest.raises(slices.LaunchError, match=said) as caught:
        slices.parse(name)
    assert "\n" not in str(caught.value)


def test_every_size_has_as_many_chips_as_its_shape(launch_module):
    slices = launch_module("tpu_slices")
    for generation, kind in slices.GENERATIONS.items():
        for chips in kind.topologies:
            assert slices.parse(f"{generation}-{chips * kind.cores_per_chip}").chips == chips
