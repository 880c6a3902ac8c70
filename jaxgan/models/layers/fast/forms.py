"""Convolutions of stride 1, alone and joined with a change of size, and products, in forms that are fast on a CPU.

Every one has a form by definition, "plain", and others that equal it up to float32 rounding, with every derivative.
On a CPU, in float32, the one is taken that a measurement found the fastest for about so many examples, pixels and
channels (`table`, made by experiments/bench_conv.py); elsewhere XLA's own.

- "weights": `unit.conv`, whose gradients for the kernel take less time.
- "product": a matrix product, of single pixels or of the patches of each group of channels.
- "dense": groups of channels, some at a time, as a convolution of all with all, whose other weights are 0.
- "shifts": a sum of shifted images, each times one weight a channel.
- "fused": with a doubling of pixels before it, or a mean of four after it, a 3x3 kernel is a 4x4 one of stride 2,
  transposed or not, each of whose weights is a sum of at most four of the 3x3 ones: 16 products where 36 were.
- "transposed": `dense.product`, a product of examples with a kernel, whose gradients for it take less time.
- "phases": the pixels of even and of odd rows and columns apart, each by those weights that reach them, for which
  no zero is multiplied.

Images are NHWC, kernels HWIO, [k, l, channels a group, outputs].

References:
  Shi et al. (2016), Is the deconvolution layer the same as a convolutional layer? (phases).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.models.layers.fast import dense, halving, strided, unit
from jaxgan.models.layers.fast.table import FASTEST

Form = Callable[[jax.Array, jax.Array], jax.Array]

BLOCK = 32
"""How many channels the blocks of the form "dense" have at least."""


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution of stride 1, "SAME": [n, h, w, c] * [k, l, c / groups, o] -> [n, h, w, o].

    How many groups of channels there are follows from the shapes.
    """
    groups = x.shape[-1] // kernel.shape[2]
    if groups > 1:
        kind = "depthwise" if kernel.shape[2:] == (1, groups) else "grouped"
    else:
        kind = "pointwise" if kernel.shape[:2] == (1, 1) else "conv"
    return _fastest(kind, x, kernel)(x, kernel)


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Of examples with a kernel: [n, inputs] * [inputs, outputs] -> [n, outputs]."""
    return _fastest("dense", x, kernel)(x, kernel)


def dot_general(x: Any, kernel: Any, numbers: Any, precision: Any = None) -> jax.Array:
    """`lax.dot_general`, as a dense layer of Flax takes it, whose products of matrices are those of `product`."""
    if x.ndim == 2 and precision is None:
        return product(x, kernel)
    return lax.dot_general(x, kernel, numbers, precision=precision)


def doubled_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Every pixel twice along both axes, then `conv`: [n, h, w, c] * [k, k, c, o] -> [n, 2h, 2w, o]."""
    whole = kernel.shape[:2] == (3, 3) and kernel.shape[2] == x.shape[-1]
    return (_fastest("doubled", x, kernel) if whole else doubled_plain)(x, kernel)


def conv_halved(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv`, then the mean of every 2x2 pixels: [n, h, w, c] * [k, k, c, o] -> [n, h / 2, w / 2, o], h, w even."""
    whole = kernel.shape[:2] == (3, 3) and kernel.shape[2] == x.shape[-1]
    return (_fastest("halved", x, kernel) if whole else halved_plain)(x, kernel)


def spread_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A zero between all pixels, then the convolution with all zeros around that a weight reaches, for odd k.

    [n, h, w, c] * [k, k, c, o] -> [n, 2h + k - 2, 2w + k - 2, o].
    """
    return _fastest("spread", x, kernel)(x, kernel)


def strided_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolution of stride 2 without padding: [n, h, w, c] * [k, k, c, o] -> [n, (h - k) // 2 + 1, ..., o]."""
    return _fastest("strided", x, kernel)(x, kernel)


def _fastest(kind: str, x: jax.Array, kernel: jax.Array) -> Form:
    """The form that was the fastest where examples, pixels, channels and groups were most alike, in ratio."""
    named = FORMS[kind]
    known = isinstance(x.shape[0], int)  # and not a symbol, as in programs that are exported for any number
    if not strided.enabled() or x.dtype != jnp.float32 or not known:
        return named["plain"]
    asked = (math.prod(x.shape[:-1]), *kernel.shape[-2:])

    def unlike(row: tuple[int, int, int, int, int]) -> float:
        batch, side, inputs, outputs, groups = row
        measured = (batch * side**2, inputs // groups, outputs)
        return sum(math.log(max(a, 1) / b) ** 2 for a, b in zip(asked, measured, strict=True))

    return named[FASTEST[kind][min(FASTEST[kind], key=unlike)]]


# --- alone ---------------------------------------------------------------------------------------


def conv_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` by definition."""
    groups, numbers = x.shape[-1] // kernel.shape[2], ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=groups
    )


def conv_weights(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` by `unit`."""
    return unit.conv(x, kernel, _same(kernel))


def pointwise_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` of a 1x1 kernel as a product."""
    return jnp.matmul(x, kernel[0, 0])


def grouped_dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` in groups, by full kernels of at least `BLOCK` channels whose weights between groups are 0."""
    inputs, outputs = kernel.shape[2:]
    groups = x.shape[-1] // inputs
    each = next((g for g in range(1, groups) if groups % g == 0 and g * inputs >= BLOCK), groups)
    own = jnp.eye(each, dtype=kernel.dtype)[:, None, :, None]
    maps = lax.split(x, (each * inputs,) * (groups // each), axis=3)
    parts = lax.split(kernel, (outputs * each // groups,) * (groups // each), axis=3)

    def block(x: jax.Array, part: jax.Array) -> jax.Array:
        full = part.reshape(*part.shape[:2], 1, inputs, each, -1) * own
        return conv_weights(x, full.reshape(*part.shape[:2], each * inputs, -1))

    return lax.concatenate([block(*both) for both in zip(maps, parts, strict=True)], 3)


def grouped_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` in groups, as the product of each group's patches with its part of the kernel."""
    n, h, w, c = x.shape
    kh, kw, inputs, outputs = kernel.shape
    groups = c // inputs
    padded = _padded(x, kernel)
    maps = jnp.moveaxis(padded.reshape(*padded.shape[:3], groups, inputs), 3, 0)
    taps = [maps[:, :, i : i + h, j : j + w] for i in range(kh) for j in range(kw)]
    patches = lax.concatenate(taps, 4).reshape(groups, n * h * w, kh * kw * inputs)
    parts = jnp.moveaxis(kernel.reshape(kh * kw * inputs, groups, outputs // groups), 1, 0)
    return jnp.moveaxis((patches @ parts).reshape(groups, n, h, w, -1), 0, 3).reshape(n, h, w, outputs)


def depthwise_shifts(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv` of every channel with its own kernel, as a sum of shifted images."""
    (h, w), (kh, kw) = x.shape[1:3], kernel.shape[:2]
    padded = _padded(x, kernel)
    shifted = [padded[:, i : i + h, j : j + w] * kernel[i, j, 0] for i in range(kh) for j in range(kw)]
    return functools.reduce(jnp.add, shifted)


def _same(kernel: jax.Array) -> unit.Padding:
    kh, kw = kernel.shape[:2]
    return ((kh - 1) // 2, kh // 2), ((kw - 1) // 2, kw // 2)


def _padded(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.pad(x, ((0, 0), *_same(kernel), (0, 0)))


# --- joined with a change of size ----------------------------------------------------------------


def doubled_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`doubled_conv` by definition."""
    return conv(doubled(x), kernel)


def doubled_fused(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`doubled_conv` as a transposed 4x4 convolution of stride 2."""
    return strided.up(x, jnp.flip(_widened(kernel), (0, 1)), (2 * x.shape[1], 2 * x.shape[2]))


def doubled_phases(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`doubled_conv` as one 2x2 convolution that gives the four pixels of each, in four images one pixel apart."""
    h, w = x.shape[1:3]
    pairs = lambda a, b, c: ((a, b + c), (a + b, c))  # the weights of an even line, and of an odd one
    rows = [jnp.stack(two) for two in pairs(*kernel)]
    parts = [jnp.stack(two, 1) for row in rows for two in pairs(*jnp.moveaxis(row, 1, 0))]
    y = unit.conv(x, lax.concatenate(parts, 3), ((1, 1), (1, 1)))
    four = lax.split(y, (kernel.shape[3],) * 4, axis=3)
    return _interleaved([[four[2 * p + q][:, p : p + h, q : q + w] for q in (0, 1)] for p in (0, 1)])


def halved_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv_halved` by definition."""
    return halved(conv(x, kernel))


def halved_fused(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv_halved` as a 4x4 convolution of stride 2."""
    return strided.down(x, _widened(kernel) / 4)


def halved_phases(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`conv_halved` as a 2x2 convolution of cells of 2x2 pixels."""
    n, h, w, c = x.shape
    p, q = h // 2 + 1, w // 2 + 1
    cells = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))).reshape(n, p, 2, q, 2, c)
    cells = cells.transpose(0, 1, 3, 2, 4, 5).reshape(n, p, q, 4 * c)
    weights = (_widened(kernel) / 4).reshape(2, 2, 2, 2, c, -1).transpose(0, 2, 1, 3, 4, 5)
    return unit.conv(cells, weights.reshape(2, 2, 4 * c, -1), ((0, 0), (0, 0)))


def doubled(x: jax.Array) -> jax.Array:
    """Every pixel twice along both axes."""
    n, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None], (n, h, 2, w, 2, c)).reshape(n, 2 * h, 2 * w, c)


def halved(x: jax.Array) -> jax.Array:
    """The mean of every 2x2 pixels."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def _widened(kernel: jax.Array) -> jax.Array:
    """[3, 3, ...] -> [4, 4, ...]: every weight at four places, one beside the other."""
    padded = jnp.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
    rows = padded[:-1] + padded[1:]
    return rows[:, :-1] + rows[:, 1:]


def _interleaved(pixels: list[list[jax.Array]]) -> jax.Array:
    """[row of the cell][column] of [n, h, w, c] -> [n, 2h, 2w, c]."""
    n, h, w, c = pixels[0][0].shape
    return jnp.stack([jnp.stack(row, 3) for row in pixels], 2).reshape(n, 2 * h, 2 * w, c)


# --- with zeros in between, or every second pixel left out ---------------------------------------


def spread_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`spread_conv` by definition."""
    h, w = (2 * side + k - 2 for side, k in zip(x.shape[1:3], kernel.shape[:2], strict=True))
    mirrored = jnp.swapaxes(jnp.flip(kernel, (0, 1)), 2, 3)
    return halving.up(x, mirrored, ((0, 0), (0, 0)), (h, w))


def spread_phases(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`spread_conv` by the even and the odd weights apart."""
    (h, w), k = x.shape[1:3], kernel.shape[0]

    def phase(p: int, q: int) -> jax.Array:
        part = kernel[p::2, q::2]
        (rows, columns), less = part.shape[:2], k // 2 + 1
        y = unit.conv(x, part, ((rows - 1, rows - 1), (columns - 1, columns - 1)))
        return jnp.pad(y, ((0, 0), (0, less - rows), (0, less - columns), (0, 0)))

    if k == 1:  # which reaches no pixel in between
        y = unit.conv(x, kernel, ((0, 0), (0, 0)))
        return lax.pad(y, jnp.zeros((), y.dtype), ((0, 0, 0), (0, 0, 1), (0, 0, 1), (0, 0, 0)))
    pixels = _interleaved([[phase(p, q) for q in (0, 1)] for p in (0, 1)])
    return pixels[:, : 2 * h + k - 2, : 2 * w + k - 2]


def strided_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`strided_conv` by definition."""
    return halving.down(x, kernel, ((0, 0), (0, 0)))


def strided_phases(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`strided_conv` as a sum over even and odd weights, each with those pixels that they meet."""
    k = kernel.shape[0]
    p, q = ((side - k) // 2 + 1 for side in x.shape[1:3])

    def phase(i: int, j: int) -> jax.Array:
        part = kernel[i::2, j::2]
        rows, columns = 2 * (p + part.shape[0] - 1), 2 * (q + part.shape[1] - 1)
        pixels = x[:, i : i + rows : 2, j : j + columns : 2]
        return unit.conv(pixels, part, ((0, 0), (0, 0)))

    parities = range(min(k, 2))
    return functools.reduce(jnp.add, [phase(i, j) for i in parities for j in parities])


FORMS: dict[str, dict[str, Form]] = {
    "conv": {"plain": conv_plain, "weights": conv_weights},
    "pointwise": {"plain": conv_plain, "product": pointwise_product},
    "grouped": {"plain": conv_plain, "dense": grouped_dense, "product": grouped_product},
    "depthwise": {"plain": conv_plain, "shifts": depthwise_shifts, "dense": grouped_dense},
    "doubled": {"plain": doubled_plain, "fused": doubled_fused, "phases": doubled_phases},
    "halved": {"plain": halved_plain, "fused": halved_fused, "phases": halved_phases},
    "spread": {"plain": spread_plain, "phases": spread_phases},
    "strided": {"plain": strided_plain, "phases": strided_phases},
    "dense": {"plain": dense.by_definition, "transposed": dense.product},
}
