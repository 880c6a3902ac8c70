"""What is chosen for a CPU alone follows the devices that a program is made for, and not those that are here."""

import jax
import jax.numpy as jnp
import pytest
from helpers import small_dcgan

from jaxgan import compile_step, make_mesh
from jaxgan.common.devices import made_for, platform
from jaxgan.config.members import slow_to_map
from jaxgan.games.compile import for_devices, options_of_loops
from jaxgan.models.layers.fast import forms, strided
from jaxgan.train.members import Members

X, KERNEL = jnp.zeros((2, 8, 8, 3)), jnp.zeros((4, 4, 3, 5))


def text(f, *args):
    return str(jax.make_jaxpr(f)(*args))


@pytest.mark.parametrize("target", ["tpu", "cuda"])
def test_convolutions_are_plain_elsewhere(target):
    """Without the target they are matrix products."""
    pointwise = jnp.zeros((1, 1, 3, 5))
    for f, kernel, name in (
        (strided.down, KERNEL, "conv_of_stride_2"),
        (forms.conv, pointwise, "conv_general_dilated"),
    ):
        here, there = text(f, X, kernel), text(for_devices(f, target), X, kernel)
        assert "dot_general" in here
        assert "dot_general" not in there
        assert there.count(name) == 1


def test_choices_outside_of_networks(tmp_path):
    config = small_dcgan(tmp_path)
    assert Members(config, [0], how="loop").repeat == 1
    assert options_of_loops() is not None
    assert slow_to_map(config)
    with made_for("tpu"):
        assert platform() == "tpu"
        members = Members(config, [0], how="loop")
        assert options_of_loops() is None
        assert not slow_to_map(config)
    assert members.repeat == 10
    assert "stablehlo.dot_general" in Members(config, [0], how="loop").lowered().as_text()
    assert platform() == "cpu"
    assert (
        members.lowered().as_text().count("stablehlo.convolution") > 10
    )  # remembered, and so made for the target


@pytest.mark.parametrize("how", ["jit", "shard_map", "pmap"])
def test_a_step_is_traced_for_its_mesh(how, monkeypatch):
    seen = []

    def step(state, batch, *, axis_name=None):
        seen.append(platform())
        return state, {"mean": batch["x"].mean()}

    mesh = make_mesh(jax.devices()[:2])
    with made_for("tpu"):
        _, metrics = compile_step(step, mesh, how=how)(jnp.zeros(()), {"x": jnp.arange(4.0)})
    assert set(seen) == {"cpu"}
    assert metrics["mean"].shape == ()
