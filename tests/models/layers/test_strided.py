"""The fast forms of the convolutions equal the definition, with every derivative."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.common.keys import quick
from jaxgan.models.layers.fast import strided

ODD = [(7, 9, 3, 4), (8, 12, 2, 3), (28, 28, 1, 4), (1, 5, 2, 2)]
EVEN = [(8, 12, 3, 4), (4, 4, 2, 5), (7, 11, 2, 3)]  # sizes that halve to even ones
DOWN = [("patches", s) for s in ODD] + [("winograd", s) for s in EVEN]
DOWN += [("plain", s) for s in (ODD[0], EVEN[0])]


def case(size, dtype=jnp.float32):
    h, w, c, o = size
    keys = jax.random.split(quick(0), 3)
    draw = lambda key, shape: jax.random.normal(key, shape, dtype)
    return (
        draw(keys[0], (2, h, w, c)),
        draw(keys[1], (4, 4, c, o)),
        draw(keys[2], (2, -(-h // 2), -(-w // 2), o)),
    )


def transposed(kernel):
    """Of the convolution the other way: inputs and outputs exchanged."""
    return jnp.swapaxes(kernel, 2, 3)


def close(got, expected, tolerance=1e-9):
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, rtol=tolerance, atol=tolerance * (np.abs(np.asarray(e)).max() + 1))


NUMBERS = {"dimension_numbers": ("NHWC", "HWIO", "NHWC")}


def down_by_definition(x, kernel):
    padding = [(1, 1 + side % 2) for side in x.shape[1:3]]
    return jax.lax.conv_general_dilated(x, kernel, (2, 2), padding, **NUMBERS)


def up_by_definition(y, kernel, size):
    """With a zero between all pixels."""
    padding = [(2, h - 2 * p + 2) for h, p in zip(size, y.shape[1:3], strict=True)]
    flipped = jnp.flip(kernel, (0, 1))
    return jax.lax.conv_general_dilated(y, flipped, (1, 1), padding, lhs_dilation=(2, 2), **NUMBERS)


def pairs(kind, size):
    """(our function, the definition, arguments) of both directions."""
    x, kernel, y = case(size, jnp.float64)
    down, up = getattr(strided, f"down_{kind}"), getattr(strided, f"up_{kind}")
    hw = x.shape[1:3]
    return (
        (down, down_by_definition, (x, kernel)),
        (lambda y, k: up(y, k, hw), lambda y, k: up_by_definition(y, k, hw), (y, transposed(kernel))),
    )


def with_derivatives(f):
    """Value, gradient of a nonlinear function of it, and gradient of that gradient's norm: inputs and kernel mix."""

    def gradient(x, k):
        def scalar(x, k):
            value = f(x, k)
            return jnp.sum(jnp.sin(value)), value

        return jax.grad(scalar, argnums=(0, 1), has_aux=True)(x, k)

    def norm(x, k):
        first, value = gradient(x, k)
        return sum(jnp.sum(jnp.square(g)) for g in first), (value, first)

    return jax.jit(jax.grad(norm, argnums=(0, 1), has_aux=True))


@pytest.mark.parametrize(("kind", "size"), DOWN, ids=str)
def test_values_and_first_and_second_derivatives(kind, size):
    with jax.enable_x64(True):
        for fast, plain, arguments in pairs(kind, size):
            close(with_derivatives(fast)(*arguments), with_derivatives(plain)(*arguments))


@pytest.mark.parametrize(
    ("kind", "size"), [(kind, (8, 12, 2, 3)) for kind in ("patches", "winograd", "plain")], ids=str
)
def test_forward_mode_and_vmap(kind, size):
    with jax.enable_x64(True):
        for fast, plain, arguments in pairs(kind, size):
            several = tuple(jnp.stack([a, -2 * a]) for a in arguments)
            both = lambda f: jax.jit(lambda one, more: (jax.jvp(f, one, one), jax.vmap(f)(*more)))
            close(both(fast)(arguments, several), both(plain)(arguments, several))


@pytest.mark.parametrize("size", ODD + EVEN, ids=str)
def test_up_is_the_transpose_of_down(size):
    with jax.enable_x64(True):
        x, kernel, y = case(size, jnp.float64)
        left = jnp.vdot(down_by_definition(x, kernel), y)
        right = jnp.vdot(x, strided.up_plain(y, transposed(kernel), x.shape[1:3]))
        np.testing.assert_allclose(left, right, rtol=1e-10)


def test_up_is_the_transposed_convolution_of_the_library():
    """Against `lax.conv_transpose`: for even sizes ours is its SAME padding with the flipped kernel."""
    _, kernel, y = case((8, 12, 3, 4))
    kernel = transposed(kernel)
    flipped = kernel[::-1, ::-1]
    library = jax.lax.conv_transpose(y, flipped, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    close(strided.up(y, kernel, (8, 12)), library, 1e-5)


@pytest.mark.parametrize("size", [(8, 8, 64, 64), (14, 14, 64, 64), (7, 7, 8, 16), (8, 8, 3, 64)], ids=str)
def test_what_is_chosen_equals_the_definition_in_float32(size, monkeypatch):
    x, kernel, y = case(size)
    down = jax.jit(lambda x, kernel: (strided.down(x, kernel), strided.down_plain(x, kernel)))
    close(*down(x, kernel), 2e-5)
    hw = x.shape[1:3]
    up = jax.jit(lambda y, kernel: (strided.up(y, kernel, hw), strided.up_plain(y, kernel, hw)))
    close(*up(y, transposed(kernel)), 2e-5)


def test_fast_forms_are_used_on_a_cpu_and_can_be_turned_off(monkeypatch):
    x, kernel, _ = case((8, 8, 2, 3))

    def uses_convolution():
        fresh = lambda x, kernel: strided.down(x, kernel)  # a new function is traced anew
        return "conv_of_stride_2" in str(jax.make_jaxpr(fresh)(x, kernel))

    assert strided.enabled()
    assert not uses_convolution()
    monkeypatch.setenv("JAXGAN_FAST_CONV", "0")
    assert not strided.enabled()
    assert uses_convolution()


def test_other_types_take_the_librarys_convolution():
    x, kernel, y = (a.astype(jnp.bfloat16) for a in case((8, 8, 2, 3)))
    assert "conv_of_stride_2" in str(jax.make_jaxpr(strided.down)(x, kernel))
    assert strided.up(y, transposed(kernel), (8, 8)).dtype == jnp.bfloat16


def test_the_gradient_for_a_kernel_is_no_convolution_with_zeros_between_the_kernels_pixels():
    """XLA finds the fast routine of a GPU if the images lie still and the gradient, with gaps, moves over them."""
    x, kernel, y = (a.astype(jnp.bfloat16) for a in case((16, 16, 2, 3)))
    kernel = transposed(kernel)
    loss = lambda kernel, y: jnp.sum(strided.up(y, kernel, (16, 16)) * x)
    program = jax.jit(jax.grad(loss)).lower(kernel, y).as_text()
    (window,) = re.findall(r"stablehlo.convolution.*?window = \{(.*?)\}", program)
    assert "rhs_dilate = [2, 2]" in window
    assert "reverse = [true" not in window
    assert "lhs_dilate = [2" not in window


def test_gradients_where_types_say_how_arrays_lie_on_devices():
    """Within `jax.shard_map` as it is by default."""
    x, kernel, y = case((8, 8, 2, 3))
    x, y = (jnp.concatenate([a, -2 * a]) for a in (x, y))
    hw = x.shape[1:3]

    def gradients(x, kernel, y):
        loss = lambda x, kernel, y: jnp.sum(
            jnp.square(strided.up_plain(strided.down_plain(x, kernel) + y, transposed(kernel), hw))
        )
        return jax.grad(loss, argnums=(0, 1))(x, kernel, y)

    mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
    split, whole = jax.P("d"), jax.P()
    shared = jax.jit(
        jax.shard_map(gradients, mesh=mesh, in_specs=(split, whole, split), out_specs=(split, whole))
    )
    close(shared(x, kernel, y), jax.jit(gradients)(x, kernel, y), 1e-4)


def test_bad_size_is_named():
    _, kernel, y = case((8, 8, 2, 3))
    with pytest.raises(InputError, match=r"size: expected one that halves to \(4, 4\), got \(9, 8\)"):
        strided.up(y, kernel, (9, 8))
