"""A pair of transformers over patches: the generator and discriminator of GAT (Hyun et al. 2025), on pixels.

"Scalable GANs with transformers" trains in the latents of an autoencoder, with the paired relativistic loss and
approximate R1 and R2. Here tokens are patches of the image itself, which a tanh bounds; the discriminator sees the
final picture only, where the paper shows it four partial sums of the generator with growing noise; and it does not
learn features of DINOv2 beside, as it does in the authors' script. The networks are those of the authors' code: rotary
and sinusoidal positions, RMS norms, SwiGLU, a style that scales and gates every branch of the generator, and pictures
that are summed from four depths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.numerics import at_least_float32
from jaxgan.models.layers import dtype_of, pixel_norm, recomputed

_xavier = nn.initializers.xavier_uniform()
_slow = 0.01  # learning rate of the layers that make styles, relative to the others
_gentle = nn.initializers.variance_scaling(0.01, "fan_avg", "uniform")  # Xavier's with gain 0.1
_PICTURES = 4  # depths of the generator whose pictures are summed


def positions(rows: int, columns: int, width: int) -> np.ndarray:
    """Sinusoidal positions of a grid, [rows * columns, width]: sines and cosines of the column, then of the row.

    References:
      Vaswani et al. (2017), Attention is all you need, section 3.5.
    """
    rates = 1e4 ** -(np.arange(width // 4) / (width / 4))
    row, column = np.mgrid[:rows, :columns].reshape(2, -1, 1)
    return np.concatenate([f(place * rates) for place in (column, row) for f in (np.sin, np.cos)], axis=1)


def rotated(x: jax.Array, rows: int, columns: int) -> jax.Array:
    """Rotary positions of the last rows * columns tokens of [n, tokens, heads, depth]; those before stay.

    Pairs of neighbouring numbers are turned, those of the first half by angles that grow with the row, those of the
    second half with the column.

    References:
      Su et al. (2021), RoFormer: enhanced transformer with rotary position embedding, eq. 15.
    """
    depth = x.shape[-1]
    rates = 1e4 ** -(np.arange(depth // 4) / (depth / 4))
    row, column = np.mgrid[:rows, :columns].reshape(2, -1, 1)
    angles = np.concatenate([row * rates, column * rates], axis=1)
    angles = np.concatenate([np.zeros((x.shape[1] - len(angles), depth // 2)), angles])[:, None]
    cos, sin = jnp.asarray(np.cos(angles), x.dtype), jnp.asarray(np.sin(angles), x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return jnp.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1).reshape(x.shape)


def rms_norm(x: jax.Array) -> jax.Array:
    """x over the root of its mean square (plus 1e-6), along the last axis: `pixel_norm` with another epsilon."""
    return pixel_norm(x, 1e-6)


class SlowDense(nn.Module):
    """Dense layer of the authors' "EqualLinear": m (x W + b), m = 0.01, where W starts at 1 / m times Xavier's.

    So it starts as others do and learns m times as fast. Unlike StyleGAN's, its weights are not divided by the root of
    the fan-in.
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, inputs] -> [n, features], in the type of `x`; parameters are float32."""
        init = nn.initializers.variance_scaling(1 / _slow**2, "fan_avg", "uniform")
        kernel = self.param("kernel", init, (x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
        return x @ (_slow * kernel).astype(x.dtype) + (_slow * bias).astype(x.dtype)


class Attention(nn.Module):
    """Multi-head self-attention with normalised queries and keys, and rotary positions.

    Attributes:
      heads: number of heads; their depth is a multiple of 4.
      grid: rows and columns of the last tokens.
    """

    heads: int
    grid: tuple[int, int]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, tokens, width] -> [n, tokens, width], in the type of `x`; the softmax is float32 at least."""
        n, tokens, width = x.shape
        qkv = nn.Dense(3 * width, kernel_init=_xavier, dtype=x.dtype, name="qkv")(x)
        query, key, value = jnp.moveaxis(qkv.reshape(n, tokens, 3, self.heads, -1), 2, 0)

        def placed(name: str, y: jax.Array) -> jax.Array:
            scale = self.param(name, nn.initializers.ones_init(), y.shape[-1:])
            return rotated(rms_norm(y) * scale.astype(y.dtype), *self.grid)

        query, key = placed("query_scale", query), placed("key_scale", key)
        scores = at_least_float32(jnp.einsum("nqhd,nkhd->nhqk", query, key)) / math.sqrt(query.shape[-1])
        mixed = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(scores).astype(x.dtype), value)
        return nn.Dense(width, kernel_init=_xavier, dtype=x.dtype, name="out")(mixed.reshape(x.shape))


class SwiGLU(nn.Module):
    """Two layers, the first gated: W3 (silu(W1 x) * W2 x), of as many weights as with a hidden width of `ratio` times.

    References:
      Shazeer (2020), GLU variants improve transformer, eq. 6.
    """

    ratio: float = 4.0

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, tokens, width] -> [n, tokens, width], in the type of `x`."""
        width = x.shape[-1]
        hidden = int(2 / 3 * int(width * self.ratio))
        first = nn.Dense(2 * hidden, kernel_init=_xavier, dtype=x.dtype, name="in")(x)
        gate, value = jnp.split(first, 2, axis=-1)
        return nn.Dense(width, kernel_init=_xavier, dtype=x.dtype, name="out")(nn.silu(gate) * value)


class Generator(nn.Module, kw_only=True):
    """Latents to images: tokens that start as their positions, and blocks whose branches a style scales and gates.

    Attributes:
      shape: (height, width, channels) of the images.
      patch: side of a patch in pixels.
      width: numbers of a token, a multiple of 4 times the heads.
      depth: blocks, a multiple of 4.
      heads: of the attention.
      n_classes: 0, or the number of classes, whose embedding is joined to the latent.
      dtype: type of the computation; parameters and images are float32.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    shape: tuple[int, int, int]
    patch: int = 4
    width: int = 384
    depth: int = 12
    heads: int = 6
    n_classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """[n, k] (and labels [n]) -> images [n, h, w, c] in [-1, 1]; in training and after it alike.

        Raises:
          ValueError: if the generator is conditional and there is no label.
        """
        height, width, channels = self.shape
        grid = height // self.patch, width // self.patch
        style = pixel_norm(at_least_float32(z))
        if self.n_classes:
            embedded = _embed(self.n_classes, z.shape[-1], label)
            style = jnp.concatenate([pixel_norm(embedded), style], axis=1)
        style = nn.silu(SlowDense(self.width, name="style_0")(style))
        style = nn.silu(SlowDense(self.width, name="style_1")(style)).astype(self.dtype)

        def controls(name: str, number: int) -> list[jax.Array]:
            layer = nn.Dense(number * self.width, kernel_init=_gentle, dtype=self.dtype, name=name)
            return jnp.split(layer(style)[:, None], number, axis=-1)

        start = jnp.asarray(positions(*grid, self.width), self.dtype)
        x = jnp.broadcast_to(start, (len(z), *start.shape))
        pictures = []
        for i in range(self.depth):
            scale_1, gate_1, scale_2, gate_2 = controls(f"block_{i}_style", 4)
            attention = recomputed(self.remat, Attention(self.heads, grid, name=f"block_{i}_attention"))
            x = x + gate_1 * attention(rms_norm(x) * (1 + scale_1))
            mlp = recomputed(self.remat, SwiGLU(name=f"block_{i}_mlp"))
            x = x + gate_2 * mlp(rms_norm(x) * (1 + scale_2))
            if (i + 1) % (self.depth // _PICTURES) == 0:
                (scale,) = controls(f"picture_{i}_style", 1)
                last = nn.Dense(
                    self.patch**2 * channels, kernel_init=_xavier, dtype=self.dtype, name=f"picture_{i}"
                )
                pictures.append(at_least_float32(last(rms_norm(x) * (1 + scale))))
        y = sum(pictures[1:], pictures[0]).reshape(-1, *grid, self.patch, self.patch, channels)
        return jnp.tanh(y.transpose(0, 1, 3, 2, 4, 5).reshape(-1, *self.shape))


class Discriminator(nn.Module, kw_only=True):
    """Images to a logit, which a token of its own gathers from those of the patches.

    With classes, the logit is the inner product of what that token becomes and what an embedding of the label becomes.

    Attributes:
      patch: side of a patch in pixels.
      width: numbers of a token.
      depth: blocks.
      heads: of the attention.
      label_size: numbers of what a label becomes.
      n_classes: 0, or the number of classes.
      dtype: type of the computation; parameters and logits are float32.
      remat: what blocks compute inside is computed again on the way back, and not kept.
    """

    patch: int = 4
    width: int = 384
    depth: int = 12
    heads: int = 6
    label_size: int = 2048
    n_classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] (and labels [n]) -> logits [n]; in training and after it alike.

        Raises:
          ValueError: if the discriminator is conditional and there is no label.
        """
        n, height, width, channels = x.shape
        grid = height // self.patch, width // self.patch
        x = x.reshape(n, grid[0], self.patch, grid[1], self.patch, channels).transpose(0, 1, 3, 2, 4, 5)
        embed = nn.Dense(self.width, kernel_init=_xavier, dtype=self.dtype, name="patches")
        tokens = embed(x.reshape(n, grid[0] * grid[1], -1))
        tokens = tokens + jnp.asarray(positions(*grid, self.width), self.dtype)
        judge = self.param("judge", nn.initializers.normal(0.02), (self.width,)).astype(self.dtype)
        y = jnp.concatenate([jnp.broadcast_to(judge, (n, 1, self.width)), tokens], axis=1)

        def factor(name: str, start: float) -> jax.Array:
            return self.param(name, nn.initializers.constant(start), (self.width,)).astype(self.dtype)

        for i in range(self.depth):
            inner = rms_norm(y) * factor(f"block_{i}_norm_1", 1.0)
            attention = recomputed(self.remat, Attention(self.heads, grid, name=f"block_{i}_attention"))
            y = y + factor(f"block_{i}_share_1", 0.1) * attention(inner)
            inner = rms_norm(y) * factor(f"block_{i}_norm_2", 1.0)
            mlp = recomputed(self.remat, SwiGLU(name=f"block_{i}_mlp"))
            y = y + factor(f"block_{i}_share_2", 0.1) * mlp(inner)
        y = at_least_float32(rms_norm(y[:, 0]) * factor("last_norm", 1.0))
        if not self.n_classes:
            return nn.Dense(1, kernel_init=_xavier, name="logit")(y)[:, 0]
        like = _embed(self.n_classes, self.label_size, label)
        like = nn.silu(SlowDense(self.label_size, name="label_0")(like))
        like = SlowDense(self.label_size, name="label_1")(like)
        return (nn.Dense(self.label_size, kernel_init=_xavier, name="logit")(y) * like).sum(axis=1)


def _embed(n_classes: int, size: int, label: jax.Array | None) -> jax.Array:
    if label is None:
        raise InputError(f"label: expected class indices below {n_classes} of shape [batch], got None")
    return nn.Embed(n_classes, size, embedding_init=nn.initializers.normal(0.02), name="classes")(label)


@dataclass(frozen=True, kw_only=True)
class GATConfig:
    """Transformers over patches of the image, as generator and discriminator (after GAT)."""

    patch: int = 4
    """Side of a patch in pixels."""
    width: int = 384
    """Numbers of a token: a multiple of 4 times the heads."""
    depth: int = 12
    """Blocks of the generator, a multiple of 4, and of the discriminator."""
    heads: int = 6
    """Heads of the attention."""
    label_size: int = 2048
    """Numbers of the label's vector in a conditional discriminator."""
    conditional: bool = False
    """Condition on class labels: embedding in the generator, inner product with labels in the discriminator."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    convolutional = False

    def build(self, shape: tuple[int, ...], n_classes: int) -> tuple[Generator, Discriminator]:
        """Builds the two networks for images of `shape` (height, width, channels).

        Raises:
          ValueError: if `shape` is not that of an image of whole patches, a number is out of range or does not go
            with the others, the dtype is unknown, or the networks are conditional and the data has no classes.
        """
        if len(shape) != 3:
            raise InputError(
                f"model: a gat needs images (height, width, channels), got examples of shape {shape}"
            )
        height, width, channels = shape
        for name in ("patch", "heads", "label_size"):
            check_range(name, getattr(self, name), at_least=1)
        if height % self.patch or width % self.patch:
            raise InputError(f"patch: expected a divisor of {height} and {width} pixels, got {self.patch}")
        if self.width < 1 or self.width % (4 * self.heads):
            raise InputError(f"width: expected a multiple of 4 x {self.heads} heads, got {self.width}")
        if self.depth < 1 or self.depth % _PICTURES:
            raise InputError(f"depth: expected a multiple of {_PICTURES} blocks, got {self.depth}")
        if self.conditional and not n_classes:
            raise InputError("conditional: expected data with class labels, got data without")
        shared: dict[str, Any] = {
            "patch": self.patch,
            "width": self.width,
            "depth": self.depth,
            "heads": self.heads,
            "n_classes": n_classes if self.conditional else 0,
            "dtype": dtype_of(self.dtype),
        }
        generator = Generator(shape=(height, width, channels), **shared)
        return generator, Discriminator(label_size=self.label_size, **shared)
