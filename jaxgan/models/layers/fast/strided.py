"""The two convolutions of a DCGAN, in a form that is fast on a CPU.

`down` is a 4x4 convolution of stride 2, `up` is its transpose. XLA's CPU backend is very slow at
the weight gradient of a transposed convolution, which is also part of every gradient penalty, and
middling at small strided convolutions, but good at matrix products. So on a CPU both are written as matrix
products over rearranged inputs: with patches ("im2col"), or, between wide layers, with
Winograd's F(2x2, 2x2), which needs 9 products where the definition takes 16 and whose
transforms only add. Everything is ordinary `lax`, so the result can be differentiated in any
mode and any number of times, vmapped and sharded, and equals the definition up to float32
rounding. Elsewhere, and for other types than float32, XLA's own convolutions are used.

Images are NHWC and kernels HWIO, [4, 4, in, out]. The form with patches moves the channels of the smaller
image to the front of a kernel, which lets its gradient be the product of a small transposed matrix with a
large plain one: without that, a step of a DCGAN takes 11 % longer. Padding is "SAME": h pixels become ceil(h / 2).

References:
  Winograd (1980), Arithmetic complexity of computations; Lavin, Gray (2016), Fast algorithms for
  convolutional neural networks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxgan.common.devices import platform
from jaxgan.common.errors import InputError
from jaxgan.models.layers.fast import halving

Rows = list[jax.Array]

_WIDE = 64  # channels on both sides; measured on a two-core CPU at batch 64


def enabled() -> bool:
    """Whether the fast forms are used: in programs for a CPU, unless JAXGAN_FAST_CONV=0 says otherwise."""
    return platform() == "cpu" and os.environ.get("JAXGAN_FAST_CONV", "1") != "0"


def down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """4x4 convolution of stride 2: [n, h, w, c] * [4, 4, c, o] -> [n, ceil(h/2), ceil(w/2), o]."""
    if enabled() and x.dtype == jnp.float32:
        if _suits_winograd(kernel, x.shape[1:3]):
            return down_winograd(x, kernel)
        return down_patches(x, kernel)
    return down_plain(x, kernel)


def up(y: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Transposed 4x4 convolution of stride 2: [n, p, q, o] * [4, 4, o, c] -> [n, *size, c].

    It is the transpose of `down` with the kernel whose last two axes are exchanged.

    Raises:
      ValueError: if `down` would not take an image of `size` to p x q pixels.
    """
    if (-(-size[0] // 2), -(-size[1] // 2)) != y.shape[1:3]:
        raise InputError(f"size: expected one that halves to {y.shape[1:3]}, got {tuple(size)}")
    if enabled() and y.dtype == jnp.float32:
        if _suits_winograd(kernel, size):
            return up_winograd(y, kernel, size)
        return up_patches(y, kernel, size)
    return up_plain(y, kernel, size)


def _suits_winograd(kernel: jax.Array, size: Sequence[int]) -> bool:
    """Wide layers whose smaller image is made of whole pairs of pixels."""
    return min(kernel.shape[2:]) >= _WIDE and all(-(-n // 2) % 2 == 0 for n in size)


# --- by definition -------------------------------------------------------------------------------


def down_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`down` by XLA's own convolution."""
    return halving.down(x, kernel, _padding(x.shape[1:3]))


def up_plain(y: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """`up` by the transpose of XLA's own convolution."""
    return halving.up(y, jnp.swapaxes(kernel, 2, 3), _padding(size), (size[0], size[1]))


def _padding(size: Sequence[int]) -> halving.Padding:
    (h, w) = size
    return (1, 1 + h % 2), (1, 1 + w % 2)


# --- patches: one matrix product -----------------------------------------------------------------


def down_patches(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`down` as the product of all 4x4 patches with the kernel."""
    n, h, w, c = x.shape
    p, q = -(-h // 2), -(-w // 2)
    padded = jnp.pad(x, ((0, 0), (1, 1 + h % 2), (1, 1 + w % 2), (0, 0)))
    taps = [padded[:, i : i + 2 * p : 2, j : j + 2 * q : 2] for i in range(4) for j in range(4)]
    patches = lax.concatenate(taps, 3).reshape(n * p * q, 16 * c)
    return _dot(patches, _in_front(kernel, 3).reshape(-1, 16 * c), 1, 1).reshape(n, p, q, -1)


def up_patches(y: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """`up` as one product that gives the 4x4 patch of every input pixel, then their overlapping sum."""
    n, p, q, o = y.shape
    patches = _dot(y.reshape(-1, o), _in_front(kernel, 2).reshape(o, -1), 1, 0).reshape(n, p, q, 4, 4, -1)

    def overlap(patches: jax.Array, axis: int, taps: int) -> jax.Array:
        # Input pixel k reaches the output pixels 2k - 1, 2k, 2k + 1, 2k + 2 through its taps 0 to 3.
        tap0, tap1, tap2, tap3 = _unstack(patches, taps)
        return _stack([tap1 + _from_previous(tap3, axis), tap2 + _from_next(tap0, axis)], axis + 1)

    rows = overlap(patches, 1, 3)  # [n, p, 2, q, 4, c]
    pixels = overlap(rows, 3, 4)  # [n, p, 2, q, 2, c]
    return pixels.reshape(n, 2 * p, 2 * q, -1)[:, : size[0], : size[1]]


# --- Winograd F(2x2, 2x2) ------------------------------------------------------------------------
#
# Two neighbouring inputs form a pair; a 4-tap convolution of stride 2 is then a 2-tap one over
# pairs. Along one axis, two outputs from three pairs A, B, C and two taps w0, w1:
#   m0 = (A - B) w0,  m1 = B (w0 + w1),  m2 = (C - B) w1;   out0 = m0 + m1,  out1 = m1 + m2.
# In two dimensions a pair is a 2x2 cell and the same is done along both axes.


def down_winograd(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`down` in 9 products of [n * tiles, 4 c] with [o, 4 c]; ceil(h / 2) and ceil(w / 2) must be even."""
    x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))
    n, h, w, _ = x.shape
    tile = _input_tiles(x)
    pixel = [_unstack(row, 0) for row in _unstack(kernel, 0)]
    cell = lambda i, j: lax.concatenate([*pixel[i][j : j + 2], *pixel[i + 1][j : j + 2]], 0)
    taps = _kernel_tiles([[cell(i, j) for j in (0, 2)] for i in (0, 2)])  # [4 c, o]
    m = [
        [_dot(tile[i][j], taps[i][j], 1, 0).reshape(n, h // 4, w // 4, -1) for j in range(3)]
        for i in range(3)
    ]
    rows = [[m[i][j] + m[i + 1][j] for j in range(3)] for i in range(2)]
    out = [_stack([row[j] + row[j + 1] for j in range(2)], 3) for row in rows]
    return _stack(out, 2).reshape(n, h // 2, w // 2, -1)


def up_winograd(y: jax.Array, kernel: jax.Array, size: tuple[int, int]) -> jax.Array:
    """`up`, the transpose of the steps of `down_winograd`; y must have even sizes."""
    n, p, q, o = y.shape
    h, w = 2 * p, 2 * q
    out = [_unstack(half, 3) for half in _unstack(y.reshape(n, h // 4, 2, w // 4, 2, o), 2)]
    columns = [_twice_summed(out[0][j], out[1][j]) for j in range(2)]
    cells = kernel.reshape(2, 2, 2, 2, o, -1).transpose(0, 2, 4, 1, 3, 5).reshape(2, 2, o, -1)
    taps = _kernel_tiles([_unstack(row, 0) for row in _unstack(cells, 0)])  # [o, 4 c]

    def product(i: int, j: int) -> Rows:
        spread = _twice_summed(columns[0][i], columns[1][i])[j]
        cells = _dot(spread.reshape(-1, o), taps[i][j], 1, 0).reshape(n, h // 4, w // 4, 2, 2, -1)
        return _unstack(cells, 3)  # rows of the cell: [n, h/4, w/4, 2, c] each

    cells = [[product(i, j) for i in range(3)] for j in range(3)]
    rows = [_join_cells(cells[j], 1) for j in range(3)]  # [column][row of the tile]
    pixels = [_join_cells([_unstack(rows[j][k], 3) for j in range(3)], 2) for k in range(4)]
    return _stack([_stack(row, 3) for row in pixels], 2).reshape(n, h, w, -1)[:, : size[0], : size[1]]


def _input_tiles(x: jax.Array) -> list[Rows]:
    n, h, w, c = x.shape
    rows = _split_cells(_unstack(x.reshape(n, h // 4, 4, w // 4, 4, c), 2), 1)
    tiles = []
    for upper, lower in rows:  # the two pixel rows of a cell: [n, h/4, w/4, 4, c] each
        cells = zip(_split_cells(_unstack(upper, 3), 2), _split_cells(_unstack(lower, 3), 2), strict=True)
        tiles.append([lax.concatenate([*top, *bottom], 3).reshape(-1, 4 * c) for top, bottom in cells])
    return tiles


def _kernel_tiles(cells: list[Rows]) -> list[Rows]:
    """The four 2x2 cells of a kernel, as matrices -> the nine factors of the products."""
    rows = [_twice_summed(cells[0][j], cells[1][j]) for j in range(2)]
    return [_twice_summed(rows[0][i], rows[1][i]) for i in range(3)]


def _twice_summed(first: jax.Array, second: jax.Array) -> Rows:
    return [first, first + second, second]


def _split_cells(pixels: Rows, axis: int) -> list[Rows]:
    """The four pixel lines of every tile -> (A - B, B, C - B), each as the two lines of a cell."""
    p0, p1, p2, p3 = pixels
    return [
        [_from_previous(p3, axis) - p1, p0 - p2],
        [p1, p2],
        [p3 - p1, _from_next(p0, axis) - p2],
    ]


def _join_cells(cells: list[Rows], axis: int) -> Rows:
    """Transpose of `_split_cells`."""
    (a0, a1), (b0, b1), (c0, c1) = cells
    return [a1 + _from_previous(c1, axis), b0 - a0 - c0, b1 - a1 - c1, c0 + _from_next(a0, axis)]


# --- small pieces whose transposes XLA also does well --------------------------------------------


def _in_front(kernel: jax.Array, axis: int) -> jax.Array:
    return jnp.moveaxis(kernel, axis, 0)


def _dot(a: jax.Array, b: jax.Array, a_axis: int, b_axis: int) -> jax.Array:
    return lax.dot_general(a, b, (((a_axis,), (b_axis,)), ((), ())))


def _unstack(x: jax.Array, axis: int) -> Rows:
    return [lax.squeeze(part, (axis,)) for part in lax.split(x, (1,) * x.shape[axis], axis=axis)]


def _stack(parts: Rows, axis: int) -> jax.Array:
    return lax.concatenate([lax.expand_dims(part, (axis,)) for part in parts], axis)


def _shifted(x: jax.Array, axis: int, low: int, high: int) -> jax.Array:
    config = [(0, 0, 0)] * x.ndim
    config[axis] = (low, high, 0)
    return lax.pad(x, jnp.zeros((), x.dtype), config)


def _from_previous(x: jax.Array, axis: int) -> jax.Array:
    """x[k - 1] at k, 0 at the start."""
    return _shifted(x, axis, 1, -1)


def _from_next(x: jax.Array, axis: int) -> jax.Array:
    """x[k + 1] at k, 0 at the end."""
    return _shifted(x, axis, -1, 1)
