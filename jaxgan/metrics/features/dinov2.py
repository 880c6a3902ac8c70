"""DINOv2 (ViT-S/14, ViT-L/14), self-supervised features for the Fréchet distance "FD-DINOv2"."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError, lookup
from jaxgan.metrics.features.network import FeatureNetwork, Outputs
from jaxgan.metrics.features.resizing import cubic, resize_pillow
from jaxgan.models.pretrained.weights import Weights, load

Size = Literal["s", "l"]
RESOLUTION = 224
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's red, green and blue, in [0, 1]
STD = (0.229, 0.224, 0.225)
_EXACT = jax.lax.Precision.HIGHEST
_dense = partial(nn.Dense, precision=_EXACT)
_norm = partial(nn.LayerNorm, epsilon=1e-6, use_fast_variance=False)


# --- the network ------------------------------------------------------------------------------


class Attention(nn.Module):
    """Multi-head self-attention; queries, keys and values come from one matrix with a bias."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Tokens [n, tokens, width] -> the same shape."""
        n, tokens, width = x.shape
        depth = width // self.heads
        qkv = _dense(3 * width, name="qkv")(x).reshape(n, tokens, 3, self.heads, depth)
        query, key, value = jnp.moveaxis(qkv, 2, 0)
        scores = jnp.einsum("nqhd,nkhd->nhqk", query, key, precision=_EXACT) / math.sqrt(depth)
        mixed = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores), value, precision=_EXACT)
        return _dense(width, name="proj")(mixed.reshape(x.shape))


class LayerScale(nn.Module):
    """A learned factor for each channel of a residual branch."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Tokens [n, tokens, width] -> the same shape."""
        return x * self.param("gamma", nn.initializers.ones, x.shape[-1:])


class Block(nn.Module):
    """Attention, then an MLP of four times the width; both normalised first, scaled and added."""

    heads: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Tokens [n, tokens, width] -> the same shape."""
        width = x.shape[-1]
        mixed = Attention(self.heads, name="attn")(_norm(name="norm1")(x))
        x = x + LayerScale(name="ls1")(mixed)
        hidden = _dense(4 * width, name="fc1")(_norm(name="norm2")(x))
        hidden = _dense(width, name="fc2")(nn.gelu(hidden, approximate=False))
        return x + LayerScale(name="ls2")(hidden)


class VisionTransformer(nn.Module):
    """DINOv2's vision transformer.

    Attributes:
      width: how many numbers a token has.
      depth: number of blocks.
      heads: number of heads of each attention.
      grid: number of patches along a side of the images that the position embeddings were trained for.
      patch: side of a patch in pixels.

    References:
      Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision".
      Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words", eq. 1-4; LayerScale: Touvron et al. 2021.
    """

    width: int
    depth: int
    heads: int
    grid: int = 37
    patch: int = 14

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        """Normalised images [n, h, w, 3], with h and w multiples of the patch -> tokens [n, 1 + patches, width].

        The tokens are those after the last normalisation; the class token is the first.
        """
        square = (self.patch, self.patch)
        x = nn.Conv(self.width, square, square, "VALID", precision=_EXACT, name="patch_embed")(images)
        n, rows, columns, _ = x.shape
        small = nn.initializers.normal(0.02)
        token = self.param("cls_token", small, (1, 1, self.width))
        table = self.param("pos_embed", small, (1, 1 + self.grid**2, self.width))
        x = jnp.concatenate(
            [jnp.broadcast_to(token, (n, 1, self.width)), x.reshape(n, rows * columns, -1)], axis=1
        )
        x = x + position_embeddings(table, rows, columns)
        for i in range(self.depth):
            x = Block(self.heads, name=f"blocks_{i}")(x)
        return _norm(name="norm")(x)


def position_embeddings(table: jax.Array, rows: int, columns: int) -> jax.Array:
    """Interpolates learned position embeddings to another grid of patches.

    Args:
      table: [1, 1 + g², width]: the embedding of the class token, then those of a g × g grid, row by row.
      rows: number of rows of the grid that is wanted.
      columns: number of its columns.

    Returns:
      [1, 1 + rows·columns, width]. The embedding of the class token is kept as it is.
    """
    grid = math.isqrt(table.shape[1] - 1)
    if rows == columns == grid:
        return table
    patches = table[0, 1:].reshape(grid, grid, -1)
    by_row, by_column = _cubic_interpolation(grid, rows), _cubic_interpolation(grid, columns)
    patches = jnp.einsum("ri,cj,ijd->rcd", by_row, by_column, patches, precision=_EXACT)
    return jnp.concatenate([table[:, :1], patches.reshape(1, rows * columns, -1)], axis=1)


def _cubic_interpolation(n_in: int, n_out: int) -> np.ndarray:
    """The matrix [n_out, n_in] of the bicubic interpolation of DINOv2's position embeddings.

    It is PyTorch's: a = -0.75, half-pixel centres, edges repeated, no antialiasing. To guard against rounding,
    the published models ask for n_out + 0.1 points, and so sample a little closer than n_in / n_out.
    """
    source = (np.arange(n_out) + 0.5) * n_in / (n_out + 0.1) - 0.5
    first = np.floor(source).astype(int) - 1
    matrix = np.zeros((n_out, n_in))
    for tap in range(4):
        column = np.clip(first + tap, 0, n_in - 1)
        np.add.at(matrix, (np.arange(n_out), column), cubic(source - (first + tap), -0.75))
    return matrix.astype(np.float32)


# --- images -----------------------------------------------------------------------------------


def preprocess(images: jax.Array | np.ndarray, *, clean_resize: bool = True) -> jax.Array:
    """Makes DINOv2's input: images resized to 224 × 224, minus ImageNet's mean, over its standard deviation.

    Args:
      images: uint8 [n, h, w, 1 or 3]; grey images are repeated over the three channels.
      clean_resize: see `features`.

    Returns:
      float32 [n, 224, 224, 3].
    """
    x = resize_pillow(images, (RESOLUTION, RESOLUTION), rounded=not clean_resize)
    x = jnp.broadcast_to(x, (*x.shape[:3], 3)) / 255
    return (x - jnp.float32(MEAN)) / jnp.float32(STD)


# --- the published weights --------------------------------------------------------------------

_URL = "https://dl.fbaipublicfiles.com/dinov2/{0}/{0}_pretrain.pth"
NETWORKS: dict[str, tuple[VisionTransformer, Weights]] = {
    "s": (
        VisionTransformer(width=384, depth=12, heads=6),
        Weights(
            "dinov2_vits14",
            _URL.format("dinov2_vits14"),
            "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
            "--weights",
        ),
    ),
    "l": (
        VisionTransformer(width=1024, depth=24, heads=16),
        Weights(
            "dinov2_vitl14",
            _URL.format("dinov2_vitl14"),
            "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
            "--weights",
        ),
    ),
}


def convert(network: VisionTransformer, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts the tensors of a published file to flat parameters of `network`, their names joined by "/".

    Args:
      network: the module that the parameters are for.
      tensors: by the names of the original PyTorch model ("blocks.0.attn.qkv.weight"). The mask token, which
        only training uses, is left out.

    Raises:
      InputError: if a tensor is missing, unknown or of another shape.
    """
    arrays = {}
    for name, tensor in tensors.items():
        if name != "mask_token":
            *path, leaf = _flax_name(name).split(".")
            value = np.asarray(tensor, np.float32)
            if leaf == "weight":
                leaf = "scale" if value.ndim == 1 else "kernel"
                value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
            arrays["/".join([*path, leaf])] = np.ascontiguousarray(value)
    image = jax.ShapeDtypeStruct((1, network.patch, network.patch, 3), jnp.float32)
    shapes: Any = jax.eval_shape(network.init, jax.random.key(0), image)["params"]
    flat: Any = flax.traverse_util.flatten_dict(shapes, sep="/")
    expected = {name: leaf.shape for name, leaf in flat.items()}
    for name in sorted(expected.keys() | arrays.keys()):
        came = arrays[name].shape if name in arrays else "none"
        if came != (wanted := expected.get(name, "none")):
            raise InputError(f"weights of DINOv2: {name}: expected shape {wanted}, got {came}")
    return arrays


def _flax_name(name: str) -> str:
    return name.replace("blocks.", "blocks_").replace("mlp.", "").replace("patch_embed.proj", "patch_embed")


def unflatten(arrays: Mapping[str, np.ndarray]) -> Any:
    """The network's tree of parameters, from what `convert` returns."""
    return flax.traverse_util.unflatten_dict({k: jnp.asarray(v) for k, v in arrays.items()}, sep="/")


@partial(jax.jit, static_argnames=("network", "clean_resize"))
def embed(
    network: VisionTransformer, params: Any, images: jax.Array, *, clean_resize: bool = True
) -> jax.Array:
    """uint8 images [n, h, w, 1 or 3] -> class tokens float32 [n, width]."""
    tokens = network.apply({"params": params}, preprocess(images, clean_resize=clean_resize))
    return tokens[:, 0]  # pyright: ignore[reportIndexIssue,reportCallIssue,reportArgumentType]


def features(
    size: Size = "l", file: pathlib.Path | None = None, *, clean_resize: bool = True, batch: int = 50
) -> FeatureNetwork:
    """The normalised class token of DINOv2, for images of 1 or 3 channels.

    Args:
      size: "l" (ViT-L/14: 1,024 features, 1.2 GB), which published FD-DINOv2 use; "s" (ViT-S/14: 384, 88 MB).
      file: the published .pth file or a .safetensors of the same names; None downloads it once.
      clean_resize: True resizes in float, without rounding; False resizes 8-bit images as Pillow does. The
        leaderboard of dgm-eval uses the latter (its --clean_resize is off by default); its authors saw
        hardly any difference. The identity tells the two apart.
      batch: number of images in a pass; the attention of ViT-L alone takes 4 MB for each.

    Raises:
      InputError: for another size, or weights that cannot be had or are not DINOv2's; when the network is
        called, for images that are not uint8 [n, h, w, 1 or 3].

    References:
      Stein et al. 2023, "Exposing flaws of generative model evaluation metrics and their unfair treatment of
      diffusion models" (dgm-eval). Oquab et al. 2023, "DINOv2".
    """
    network, weights = lookup("size of DINOv2", size, NETWORKS)
    arrays, sha256 = load(weights, partial(convert, network), file)
    params = unflatten(arrays)

    def apply(images: jax.Array) -> Outputs:
        if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != jnp.uint8:
            raise InputError(
                f"images: expected uint8 [n, h, w, 1 or 3] for DINOv2, got {images.dtype} {list(images.shape)}"
            )
        return Outputs(embed(network, params, images, clean_resize=clean_resize))

    identity = sha256[:12] if clean_resize else f"{sha256[:12]}-8bit"
    return FeatureNetwork(weights.name, identity, apply, batch)
