"""BigGAN and BigGAN-deep: the published numbers of parameters, and the parts that their paper names."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import some
from models.compiled import normal, start
from models.counted import counted

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.config import get_preset
from jaxgan.config.presets import BIGGAN
from jaxgan.games.optimizers import orthogonal_regularisation
from jaxgan.models import BigGANConfig

# Of the reference implementations BigGAN-PyTorch and, for BigGAN at 32 pixels, StudioGAN; with 1,000 classes but there.
PUBLISHED = {
    "biggan-32": (9_416_196, 2_415_170),
    "biggan-64": (31_969_540, 20_571_842),
    "biggan-128": (70_433_988, 87_982_370),
    "biggan-256": (82_235_844, 99_225_890),
    "biggan-deep-32": (7_561_987, 3_088_129),
    "biggan-deep-64": (49_583_876, 20_869_633),
    "biggan-deep-128": (50_244_484, 34_590_210),
    "biggan-deep-256": (55_736_708, 38_247_426),
}


@pytest.mark.counts
@pytest.mark.parametrize("name", BIGGAN)
def test_presets_have_the_published_numbers_of_parameters(name):
    preset, config = BIGGAN[name], get_preset(name)
    n_classes = 10 if name == "biggan-32" else 1000
    assert counted(config.model, preset.shape, n_classes, config.latent.dim) == PUBLISHED[name]


@pytest.mark.counts
def test_classes_of_their_own_and_flat_latents_have_the_published_numbers_of_parameters():
    """BigGAN-PyTorch's script for CIFAR-10."""
    config = BigGANConfig(width=64, d_width=128, shared=0, hierarchical=False)
    assert counted(config, (32, 32, 3), 10, 128) == (4_304_387, 4_207_361)


SMALL = BigGANConfig(width=4, d_width=8, shared=5)
SHAPE, CLASSES = (16, 16, 3), 3
LAYERS = {"Conv": "kernel", "Dense": "kernel", "Embed": "embedding"}


def started(config, network=0):
    """A network, its variables, and what it is given."""
    module = config.build(SHAPE, CLASSES)[network]
    x = normal(1, (3, 6) if network == 0 else (3, *SHAPE))
    label = jnp.arange(3) if config.conditional else None
    return module, start(module, quick(0), x, label, train=True), x, label


def test_each_block_sees_its_own_part_of_the_latent():
    """Where block i does not listen to the latent, part i makes no difference, and the others do."""
    g, variables, z, label = started(SMALL)
    make = jax.jit(lambda params, z: g.apply({**variables, "params": params}, z, label))
    for block in range(2):
        params, name = dict(variables["params"]), f"UpBlock_{block}"
        deaf = jax.tree.map(lambda leaf: leaf, params[name])
        for norm in ("norm1", "norm2"):
            for kernel in deaf[norm].values():
                assert kernel["kernel"].shape[0] == 2 + 5
                kernel["kernel"] = np.concatenate([0 * kernel["kernel"][:2], kernel["kernel"][2:]])
        params[name] = deaf
        images = make(params, z)
        for part in range(3):
            own = z + np.isin(np.arange(6), (2 * part, 2 * part + 1)).astype(np.float32)
            moved = float(jnp.abs(make(params, own) - images).max())
            assert (moved < 1e-6) == (part == block + 1), (block, part, moved)


def shapes(**fields):
    """Shapes of the generator's parameters."""
    g, _ = dataclasses.replace(SMALL, **fields).build(SHAPE, CLASSES)
    label = jnp.arange(3) if fields.get("conditional", True) else None
    init = lambda key: g.init(key, jnp.ones((3, 6)), label, train=True)
    return jax.tree.map(jnp.shape, jax.eval_shape(init, quick(0))["params"])


def test_blocks_of_biggan_deep_see_all_of_the_latent():
    params = shapes(deep=True)
    blocks = [block for name, block in params.items() if name.startswith("DeepUpBlock")]
    assert len(blocks) == 4
    assert {block[f"norm{i}"]["gain"]["kernel"][0] for block in blocks for i in (1, 2, 3, 4)} == {6 + 5}
    assert params["in"]["kernel"][0] == 6 + 5
    flat = shapes(deep=True, hierarchical=False)
    assert flat["DeepUpBlock_0"]["norm1"]["gain"]["kernel"][0] == 5


def test_without_classes_blocks_see_the_latent_alone_or_nothing():
    params = shapes(conditional=False)
    assert "shared" not in params
    assert params["UpBlock_0"]["norm1"]["gain"]["kernel"][0] == 2
    assert set(shapes(conditional=False, hierarchical=False)["UpBlock_0"]["norm1"]) == {"scale", "bias"}


@pytest.mark.parametrize("network", [0, 1])
@pytest.mark.parametrize("deep", some([False, True], True))
def test_all_but_the_shared_embedding_is_spectrally_normalised_to_1(deep, network):
    """After enough training passes: by a singular value decomposition of each kernel, as it is used."""
    module, variables, x, label = started(dataclasses.replace(SMALL, deep=deep), network)
    train = lambda v: module.apply(v, x, label, train=True, mutable=["spectral", "batch_stats"])[1]
    step = jax.jit(lambda v: train(v)["spectral"])
    for _ in range(150):
        variables = {**variables, "spectral": step(variables)}

    def kernels(variables):
        used = []

        def remembered(call, args, kwargs, context):
            module, kind = context.module, type(context.module).__name__
            if kind in LAYERS and context.method_name == "__call__" and module.name != "shared":
                kernel = module.get_variable("params", LAYERS[kind])
                used.append(kernel.reshape(-1, kernel.shape[-1]))
            return call(*args, **kwargs)

        with nn.intercept_methods(remembered):
            module.apply(variables, x, label, train=False)
        return used

    used = jax.jit(kernels)(variables)
    assert len(used) == len(jax.tree.leaves(variables["spectral"]))
    assert len(used) == sum(leaf.ndim > 1 for leaf in jax.tree.leaves(variables["params"])) - (network == 0)
    largest = [np.linalg.svd(np.asarray(kernel, np.float64), compute_uv=False)[0] for kernel in used]
    np.testing.assert_allclose(largest, 1, atol=1e-3)


def test_orthogonal_regularisation_leaves_the_shared_embedding_alone():
    _, variables, *_ = started(SMALL)
    params, zeros = variables["params"], jax.tree.map(np.zeros_like, variables["params"])
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    added, _ = jax.jit(orthogonal_regularisation(1e-4).update)(zeros, optax.EmptyState(), params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(added):
        name = jax.tree_util.keystr(path)
        assert np.any(leaf) == ("kernel" in name), name
    assert "shared" in added


def test_truncation_keeps_a_share_of_the_distribution():
    z = normal(0, (2000, 6))
    variables = {"params": {}}
    for psi, threshold in ((0.9545, 2.0), (0.6827, 1.0), (0.3829, 0.5)):
        same, cut = SMALL.truncated(variables, z, psi)
        assert same is variables
        assert threshold - 0.01 < float(jnp.abs(cut).max()) < threshold + 0.001
    np.testing.assert_array_equal(SMALL.truncated(variables, z, 1)[1], z)
    np.testing.assert_array_equal(SMALL.truncated(variables, z, 0)[1], jnp.zeros_like(z))


def test_bad_input_is_named():
    for fields, shape, n_classes, message in [
        ({}, (2,), 3, "model: a biggan needs images"),
        ({"width": 0}, SHAPE, 3, "width: expected at least 1 channel, got 0"),
        ({}, SHAPE, 0, "conditional: expected data with class labels"),
        (
            {"shared": 0},
            SHAPE,
            3,
            "shared: expected an embedding of at least 1 beside hierarchical latents, got 0",
        ),
        ({"head": "concat"}, SHAPE, 3, "unknown head 'concat'; "),
        (
            {"attention": 3},
            SHAPE,
            3,
            r"attention: expected 0 or one of the sides \[16, 8, 4\] of maps, got 3",
        ),
    ]:
        with pytest.raises(InputError, match=message):
            dataclasses.replace(SMALL, **fields).build(shape, n_classes)
    g, _ = SMALL.build(SHAPE, CLASSES)
    message = (
        "latent: expected a multiple of 3 coordinates, a part for the start and for each of 2 blocks, got 7"
    )
    with pytest.raises(InputError, match=message):
        g.init(quick(0), jnp.ones((2, 7)), jnp.zeros(2, jnp.int32))
