"""DINOv2's network against Hugging Face's, its interpolation against PyTorch, its resizing against Pillow."""

import hashlib
import math

import helpers
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import make_dinov2 as golden
from PIL import Image
from safetensors.numpy import save_file

from jaxgan import InputError
from jaxgan.metrics.features import dinov2
from jaxgan.metrics.features.resizing import resize_pillow
from jaxgan.models.pretrained.weights import Weights

GOLDEN = helpers.GOLDEN / "dinov2.npz"
SMALL = dinov2.VisionTransformer(golden.WIDTH, golden.DEPTH, golden.HEADS, golden.GRID)


def byte_images(n, height, width, channels=3, seed=0):
    """Noise, with patches of black and white where bicubic interpolation overshoots."""
    x = np.random.default_rng(seed).integers(0, 256, (n, height, width, channels), np.uint8)
    x[:, : height // 3] = 255
    x[:, :, : width // 3] = 0
    return x


def small_params():
    return dinov2.unflatten(dinov2.convert(SMALL, golden.tensors(golden.WIDTH, golden.DEPTH, golden.GRID)))


@pytest.fixture
def small(tmp_path, cache, monkeypatch):
    """The narrow network in the place of ViT-S/14, and a file of weights for it."""
    path = tmp_path / "small.safetensors"
    tensors = golden.tensors(golden.WIDTH, golden.DEPTH, golden.GRID)
    save_file(tensors | {"mask_token": np.zeros((1, golden.WIDTH), np.float32)}, path)
    monkeypatch.setitem(dinov2.NETWORKS, "s", (SMALL, Weights("dinov2_vits14", "http://localhost/", None)))
    return path


# --- the network ------------------------------------------------------------------------------


def test_tokens_are_those_of_hugging_face():
    side = golden.GRID * golden.PATCH
    tokens = jax.jit(SMALL.apply)({"params": small_params()}, golden.images(2, side, side))
    expected = np.load(GOLDEN)["tokens"]
    assert expected.std() > 0.5
    np.testing.assert_allclose(tokens, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("grid", "rows", "columns"), golden.INTERPOLATIONS)
def test_positions_are_interpolated_as_by_pytorch(grid, rows, columns):
    got = jax.jit(dinov2.position_embeddings, static_argnums=(1, 2))(
        golden.position_table(grid), rows, columns
    )
    expected = np.load(GOLDEN)[f"positions_{grid}_{rows}_{columns}"]
    np.testing.assert_allclose(got[0], expected, atol=2e-5)


def test_positions_of_the_trained_grid_are_kept():
    table = golden.position_table(5)
    np.testing.assert_array_equal(dinov2.position_embeddings(table, 5, 5), table)


@pytest.mark.parametrize(
    ("size", "width", "tensors", "numbers"), [("s", 384, 175, 22_056_576), ("l", 1024, 343, 304_368_640)]
)
def test_networks_have_the_published_sizes(size, width, tensors, numbers):
    net, _ = dinov2.NETWORKS[size]
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    tokens, variables = jax.eval_shape(net.init_with_output, jax.random.key(0), image)
    leaves = jax.tree.leaves(variables)
    with_mask_token = (len(leaves) + 1, sum(math.prod(leaf.shape) for leaf in leaves) + width)
    assert with_mask_token == (tensors, numbers)
    assert tokens.shape == (1, 1 + 16 * 16, width)


def test_wrong_weights_are_named():
    tensors = golden.tensors(golden.WIDTH, golden.DEPTH, golden.GRID)
    assert len(dinov2.convert(SMALL, tensors | {"mask_token": np.zeros(3)})) == len(tensors)
    gamma = tensors.pop("blocks.1.ls2.gamma")
    with pytest.raises(InputError, match=r"blocks_1/ls2/gamma: expected shape \(24,\), got none"):
        dinov2.convert(SMALL, tensors)
    with pytest.raises(InputError, match=r"blocks_1/ls2/gamma: expected shape \(24,\), got \(23,\)"):
        dinov2.convert(SMALL, tensors | {"blocks.1.ls2.gamma": gamma[1:]})
    with pytest.raises(InputError, match=r"head/kernel: expected shape none, got \(2, 3\)"):
        dinov2.convert(SMALL, tensors | {"blocks.1.ls2.gamma": gamma, "head.weight": np.zeros((3, 2))})


# --- images -----------------------------------------------------------------------------------

SIZES = [
    ((32, 32), (224, 224)),
    ((7, 5), (29, 64)),
    ((61, 97), (17, 30)),
    ((61, 13), (17, 30)),
    ((300, 257), (224, 224)),
    ((224, 224), (224, 224)),
    ((1, 1), (6, 4)),
    ((3, 2), (1, 1)),
]


resize = jax.jit(resize_pillow, static_argnames=("shape", "rounded"))


@pytest.mark.parametrize(("shape", "to"), SIZES)
def test_resize_is_that_of_pillow(shape, to):
    images = byte_images(2, *shape, 2)
    got = resize(images, to)
    for image, ours in zip(images, got, strict=True):
        for channel in range(2):
            pil = Image.fromarray(image[..., channel].astype(np.float32))
            expected = np.asarray(pil.resize(to[::-1], Image.Resampling.BICUBIC)).clip(0, 255)
            np.testing.assert_allclose(ours[..., channel], expected, atol=3e-4)


@pytest.mark.parametrize(("shape", "to"), SIZES)
def test_rounded_resize_is_that_of_pillow_bit_for_bit(shape, to):
    images = byte_images(2, *shape)
    got = resize(images, to, rounded=True)
    # one axis at a time: which one Pillow takes first depends on its version and the shape
    across = [Image.fromarray(x).resize((to[1], shape[0]), Image.Resampling.BICUBIC) for x in images]
    expected = [x.resize(to[::-1], Image.Resampling.BICUBIC) for x in across]
    np.testing.assert_array_equal(got, np.stack([np.asarray(x) for x in expected]))


def test_images_are_prepared_as_published():
    images = byte_images(1, 40, 32)
    resized = [
        np.asarray(
            Image.fromarray(np.float32(images[0, ..., c])).resize((224, 224), Image.Resampling.BICUBIC)
        )
        for c in range(3)
    ]
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (np.stack(resized, -1).clip(0, 255) / 255 - mean) / std
    np.testing.assert_allclose(dinov2.preprocess(images)[0], expected, atol=1e-5)
    rounded = np.asarray(Image.fromarray(images[0]).resize((224, 224), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(
        dinov2.preprocess(images, clean_resize=False)[0], (rounded / 255 - mean) / std, atol=1e-5
    )
    assert dinov2.preprocess(images).dtype == jnp.float32


# --- the feature network ----------------------------------------------------------------------


def test_features_are_the_class_tokens_of_prepared_images(small):
    images = byte_images(10, 20, 20)
    net = dinov2.features("s", small, batch=4)
    got, logits = net(images)
    expected = jax.jit(SMALL.apply)({"params": small_params()}, dinov2.preprocess(images))[:, 0]
    np.testing.assert_allclose(got, expected, atol=2e-5 * np.abs(expected).max())
    assert (net.name, logits) == ("dinov2_vits14", None)
    assert net.identity == hashlib.sha256(small.read_bytes()).hexdigest()[:12]


def test_batches_do_not_change_features(small):
    images = byte_images(5, 20, 20)
    whole, parts = (dinov2.features("s", small, batch=batch)(images)[0] for batch in (5, 2))
    np.testing.assert_allclose(parts, whole, atol=2e-5 * np.abs(whole).max())


def test_grey_images_are_those_of_three_equal_channels(small):
    grey = byte_images(2, 28, 28, 1)
    net = dinov2.features("s", small, batch=2)
    np.testing.assert_allclose(net(grey)[0], net(grey.repeat(3, axis=3))[0], atol=1e-5)


def test_the_two_ways_to_resize_differ_and_say_so(small):
    images = byte_images(2, 20, 20)
    clean, rounded = (
        dinov2.features("s", small, batch=2),
        dinov2.features("s", small, batch=2, clean_resize=False),
    )
    difference = np.abs(clean(images)[0] - rounded(images)[0]).max()
    assert 1e-4 < difference < 0.5
    assert rounded.identity == f"{clean.identity}-8bit"


def test_bad_input_is_named(small):
    with pytest.raises(InputError, match="unknown size of DINOv2 'm'.*known: l, s"):
        dinov2.features("m")  # pyright: ignore[reportArgumentType]
    net = dinov2.features("s", small, batch=2)
    for bad in (
        np.zeros((1, 8, 8, 2), np.uint8),
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((1, 8, 8), np.uint8),
    ):
        with pytest.raises(InputError, match=r"images: expected uint8 \[n, h, w, 1 or 3\] for DINOv2, got"):
            net(bad)
