"""All forms of a convolution equal the definition, with every derivative."""

import re
from functools import cache, partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.compiled import normal

from jaxgan import InputError
from jaxgan.common.devices import batch_sharded, make_mesh, replicated
from jaxgan.common.keys import quick
from jaxgan.models.layers import Conv, SpectralNorm
from jaxgan.models.layers.fast import forms, primitives, strided, unit

# (images, kernel) of each kind
CASES = {
    "conv": [((3, 5, 4, 2), (3, 3, 2, 3)), ((2, 4, 3, 2), (4, 5, 2, 3)), ((2, 1, 1, 2), (3, 3, 2, 2))],
    "pointwise": [((2, 3, 2, 4), (1, 1, 4, 3))],
    "grouped": [((2, 5, 4, 6), (3, 3, 2, 9)), ((2, 3, 4, 8), (2, 3, 2, 4))],
    "depthwise": [((2, 5, 4, 3), (3, 3, 1, 3)), ((2, 3, 3, 2), (4, 4, 1, 2))],
    "doubled": [((2, 3, 4, 2), (3, 3, 2, 3)), ((1, 1, 2, 3), (3, 3, 3, 1))],
    "halved": [((2, 6, 4, 2), (3, 3, 2, 3)), ((1, 2, 8, 3), (3, 3, 3, 1))],
    "spread": [((2, 3, 4, 2), (k, k, 2, 3)) for k in (1, 3, 5)],
    "strided": [((2, 7, 6, 2), (k, k, 2, 3)) for k in (1, 3, 5)],
    "dense": [((5, 4), (4, 3))],
}
FORMS = [
    (kind, form, *shapes)
    for kind, cases in CASES.items()
    for form in forms.FORMS[kind]
    for shapes in cases
    if form != "plain" or kind in ("spread", "strided")  # whose derivatives are written out, too
]


def case(x, kernel, dtype=jnp.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=x).astype(dtype), rng.normal(size=kernel).astype(dtype)


def by_definition(kind):
    """XLA's convolution, for which the images are enlarged before or reduced after."""

    def xla(x, kernel, **how):
        how = {
            "window_strides": (1, 1),
            "padding": "SAME",
            "dimension_numbers": ("NHWC", "HWIO", "NHWC"),
        } | how
        return jax.lax.conv_general_dilated(x, kernel, **how)

    def f(x, kernel):
        k = kernel.shape[0]
        match kind:
            case "doubled":
                return xla(jnp.repeat(jnp.repeat(x, 2, 1), 2, 2), kernel)
            case "halved":
                return nn.avg_pool(xla(x, kernel), (2, 2), (2, 2))
            case "spread":
                return xla(x, kernel, padding=[(k - 1, k - 1)] * 2, lhs_dilation=(2, 2))
            case "strided":
                return xla(x, kernel, padding="VALID", window_strides=(2, 2))
            case "dense":
                return jnp.einsum("ni,io->no", x, kernel)
            case _:
                return xla(x, kernel, feature_group_count=x.shape[-1] // kernel.shape[2])

    return f


def close(got, expected, tolerance=1e-9):
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, rtol=tolerance, atol=tolerance * (np.abs(np.asarray(e)).max() + 1))


def with_derivatives(f):
    """Value, gradient of a nonlinear function of it, gradient of that gradient's norm, and both along a direction."""

    def norm(x, kernel):
        def scalar(x, kernel):
            value = f(x, kernel)
            return jnp.sum(jnp.sin(value)), value

        first, value = jax.grad(scalar, argnums=(0, 1), has_aux=True)(x, kernel)
        return sum(jnp.sum(jnp.square(g)) for g in first), (value, first)

    second = jax.grad(norm, argnums=(0, 1), has_aux=True)
    return jax.jit(lambda x, kernel: jax.jvp(second, (x, kernel), (jnp.cos(x), jnp.cos(kernel))))


@cache
def derivatives_by_definition(kind, x, kernel):
    return with_derivatives(by_definition(kind))(*case(x, kernel))


@pytest.fixture
def few_pixels(monkeypatch):
    """So few at a time that small batches are taken in parts, and blocks of few channels."""
    monkeypatch.setattr(unit, "NUMBERS", 12)
    monkeypatch.setattr(unit, "PIXELS", 1)
    monkeypatch.setattr(forms, "BLOCK", 4)


@pytest.mark.parametrize(("kind", "form", "x", "kernel"), FORMS, ids=str)
def test_values_and_derivatives_of_every_order_and_mode(kind, form, x, kernel, few_pixels):
    with jax.enable_x64(True):
        got = with_derivatives(forms.FORMS[kind][form])(*case(x, kernel))
        close(got, derivatives_by_definition(kind, x, kernel))


def mapped_gradient(f, axes):
    value = lambda x, k: jnp.sum(jnp.sin(f(x, k)))
    return jax.jit(jax.vmap(jax.grad(value, argnums=(0, 1)), axes))


_MAPPED = {}


def mapped_by_definition(kind, axes, several):
    """Of the same arrays whenever it is asked."""
    if (kind, axes) not in _MAPPED:
        _MAPPED[kind, axes] = mapped_gradient(by_definition(kind), axes)(*several)
    return _MAPPED[kind, axes]


@pytest.mark.parametrize("unrolled", [True, False])
@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)], ids=str)
@pytest.mark.parametrize("kind", ["conv", "spread", "strided", "dense"])
def test_vmap(kind, axes, unrolled, few_pixels, monkeypatch):
    monkeypatch.setattr(primitives, "UNROLLED", 2 if unrolled else 1)
    with jax.enable_x64(True):
        arguments = case(*CASES[kind][0])
        several = [np.stack([a, -2 * a]) if axis == 0 else a for a, axis in zip(arguments, axes, strict=True)]
        expected = mapped_by_definition(kind, axes, several)
        for form in forms.FORMS[kind].values():
            close(mapped_gradient(form, axes)(*several), expected)


def test_gradients_for_kernels_add_parts_of_the_batch(monkeypatch):
    x, kernel = case((6, 3, 4, 2), (3, 3, 2, 3), jnp.float32)

    def convolutions(pixels, parts=6, least=1):
        monkeypatch.setattr(unit, "PIXELS", least)
        monkeypatch.setattr(unit, "NUMBERS", 3 * pixels)  # 3 channels on the wider side
        monkeypatch.setattr(unit, "PARTS", parts)
        gradient = jax.grad(lambda k: jnp.sum(forms.conv_weights(x, k)))
        return jax.jit(gradient).lower(kernel).as_text().count("stablehlo.convolution")

    assert [convolutions(pixels) for pixels in (72, 71, 36, 12, 1)] == [1, 2, 2, 6, 6]
    assert convolutions(12, parts=5) == convolutions(12, least=24) == 3


def test_the_smaller_image_moves_over_the_larger_one():
    """Otherwise XLA exchanges them and takes its slow routine, forty times as long."""
    x, kernel = case((2, 6, 5, 2), (3, 3, 2, 3), jnp.float32)
    for form in (forms.conv_weights, forms.doubled_phases, forms.halved_phases, forms.spread_phases):
        gradient = jax.grad(lambda x, k, form=form: jnp.sum(jnp.sin(form(x[:, :, :4], k))), (0, 1))
        text = jax.jit(gradient).lower(x, kernel).as_text()
        found = re.findall(r"stablehlo.convolution.*?dim_numbers = \[(.*?)\]x\[(.*?)\].*: \((.*?)\) ->", text)
        assert found
        for *layouts, types in found:
            pixels = []
            for layout, type_ in zip(layouts, re.findall(r"tensor<([\dx]+)xf32>", types), strict=True):
                sides = dict(zip(layout.split(", "), map(int, type_.split("x")), strict=True))
                pixels.append(sides["0"] * sides["1"])
            assert pixels[0] >= pixels[1]


@pytest.mark.parametrize("how", ["pmap", "shard_map"])
def test_gradients_under_a_mapped_axis(how):
    x, kernel = case((2, 3, 4, 2), (3, 3, 2, 3), jnp.float32)
    gradient = jax.grad(lambda kernel, x: jnp.sum(jnp.sin(forms.conv_weights(x, kernel))))
    mean = lambda kernel, x: jax.lax.pmean(gradient(kernel, x), "devices")
    if how == "pmap":
        got = jax.pmap(mean, "devices", in_axes=(None, 0), out_axes=None, devices=jax.devices()[:1])(
            kernel, x[None]
        )
    else:
        split, whole = jax.sharding.PartitionSpec("devices"), jax.sharding.PartitionSpec()
        mesh = jax.sharding.Mesh(np.asarray(jax.devices()[:1]), ("devices",))
        got = jax.shard_map(mean, mesh=mesh, in_specs=(whole, split), out_specs=whole)(kernel, x)
    close(got, gradient(kernel, x), 1e-5)


def test_gradients_of_a_batch_that_is_split_over_devices(few_pixels):
    mesh = make_mesh()
    x, kernel = case((2 * mesh.size, 3, 4, 2), (3, 3, 2, 3), jnp.float32)
    gradient = jax.grad(lambda x, kernel: jnp.sum(jnp.sin(forms.conv_weights(x, kernel))), (0, 1))
    whole, split = replicated(mesh), batch_sharded(mesh)
    got = jax.jit(gradient, in_shardings=(split, whole), out_shardings=(split, whole))(x, kernel)
    close(got, gradient(x, kernel), 1e-5)


PUBLIC = {
    "conv": forms.conv,
    "pointwise": forms.conv,
    "grouped": forms.conv,
    "depthwise": forms.conv,
    "doubled": forms.doubled_conv,
    "halved": forms.conv_halved,
    "spread": forms.spread_conv,
    "strided": forms.strided_conv,
    "dense": forms.product,
}
WIDE = {
    "conv": ((4, 8, 8, 64), (3, 3, 64, 64)),
    "pointwise": ((4, 8, 8, 64), (1, 1, 64, 32)),
    "grouped": ((4, 8, 8, 64), (3, 3, 8, 64)),
    "depthwise": ((4, 8, 8, 64), (3, 3, 1, 64)),
    "doubled": ((4, 8, 8, 64), (3, 3, 64, 64)),
    "halved": ((4, 8, 8, 64), (3, 3, 64, 64)),
    "spread": ((4, 8, 8, 64), (3, 3, 64, 64)),
    "strided": ((4, 9, 9, 64), (3, 3, 64, 64)),
    "dense": ((64, 512), (512, 1024)),
}


@pytest.mark.parametrize("kind", WIDE)
def test_what_is_chosen_equals_the_definition_in_float32(kind):
    arguments = case(*WIDE[kind], jnp.float32, seed=4)  # whose sums of sines are not small

    def answers(f):
        def value(x, kernel):
            y = f(x, kernel)
            return jnp.sum(jnp.sin(y)), y

        return jax.jit(jax.value_and_grad(value, (0, 1), has_aux=True))(*arguments)

    close(answers(PUBLIC[kind]), answers(by_definition(kind)), 2e-5)


@pytest.mark.parametrize("kind", WIDE)
def test_other_types_and_platforms_take_the_librarys_convolution(kind, monkeypatch):
    fastest = next(name for name in reversed(forms.FORMS[kind]) if name != "plain")
    monkeypatch.setitem(forms.FASTEST, kind, {(4, 8, 64, 64, 1): fastest})
    calls = []
    monkeypatch.setitem(forms.FORMS[kind], fastest, lambda x, k: calls.append(kind) or x)
    for dtype, turned_off, used in (
        (jnp.float32, False, 1),
        (jnp.bfloat16, False, 0),
        (jnp.float32, True, 0),
    ):
        if turned_off:
            monkeypatch.setenv("JAXGAN_FAST_CONV", "0")
        calls.clear()
        jax.eval_shape(lambda x, k: PUBLIC[kind](x, k), *case(*WIDE[kind], dtype))
        assert len(calls) == used
    assert not strided.enabled()


def test_the_form_is_that_of_the_most_similar_measurement(monkeypatch):
    rows = {(64, 32, 64, 64, 1): "plain", (4, 8, 64, 64, 1): "weights", (64, 32, 8, 8, 1): "weights"}
    monkeypatch.setitem(forms.FASTEST, "conv", rows)

    def form(x, kernel):
        jaxpr = str(jax.make_jaxpr(lambda x, k: forms.conv(x, k))(*case(x, kernel, jnp.float32)))
        return "weights" if "conv_of_stride_1" in jaxpr else "plain"

    assert form((64, 16, 16, 64), (3, 3, 64, 64)) == "plain"
    assert form((16, 16, 16, 64), (3, 3, 64, 128)) == "plain"
    assert form((4, 4, 4, 128), (3, 3, 128, 64)) == "weights"
    assert form((64, 32, 32, 3), (3, 3, 3, 16)) == "weights"


def test_every_measured_form_is_there():
    assert forms.FASTEST.keys() == forms.FORMS.keys() == PUBLIC.keys()
    for kind, rows in forms.FASTEST.items():
        assert rows
        assert set(rows.values()) <= set(forms.FORMS[kind])


# --- the layer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [None, jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    ("size", "groups", "bias"), [(3, 1, True), (1, 1, False), (4, 2, True), (3, 4, True)]
)
def test_conv_has_the_parameters_and_values_of_flax(size, groups, bias, dtype):
    x = normal(0, (2, 5, 4, 4))
    inits = {"kernel_init": nn.initializers.orthogonal(), "bias_init": nn.initializers.normal(1.0)}
    ours = Conv(8, size, groups, bias, dtype=dtype, **inits)
    theirs = nn.Conv(8, (size, size), feature_group_count=groups, use_bias=bias, dtype=dtype, **inits)
    both = jax.jit(lambda key, x: [layer.init_with_output(key, x) for layer in (ours, theirs)])
    (y, params), (expected, expected_params) = both(quick(1), x)
    jax.tree.map(np.testing.assert_array_equal, params, expected_params)
    assert y.dtype == expected.dtype
    close(
        np.asarray(y, np.float32), np.asarray(expected, np.float32), 2e-2 if dtype == jnp.bfloat16 else 1e-5
    )
    mixed = jax.eval_shape(ours.apply, params, x.astype(jnp.bfloat16))
    assert mixed.dtype == jax.eval_shape(theirs.apply, params, x.astype(jnp.bfloat16)).dtype


def test_conv_starts_as_flax_does():
    x = jnp.zeros((1, 2, 2, 3))
    params = jax.jit(lambda: [layer.init(quick(0), x) for layer in (Conv(4), nn.Conv(4, (3, 3)))])()
    jax.tree.map(np.testing.assert_array_equal, *params)


def test_spectral_norm_of_conv():
    class Net(nn.Module):
        layer: type

        @nn.compact
        def __call__(self, x, train):
            layer = Conv(4, name="c") if self.layer is Conv else nn.Conv(4, (3, 3), name="c")
            return SpectralNorm(layer)(x, train)

    x = normal(0, (2, 5, 4, 3))
    variables = jax.jit(lambda x: Net(Conv).init(quick(1), x, False))(x)

    @partial(jax.jit, static_argnames="train")
    def both(variables, x, train):
        return [Net(layer).apply(variables, x, train, mutable=["spectral"]) for layer in (Conv, nn.Conv)]

    for train in (False, True):
        close(*both(variables, x, train), 1e-5)


@pytest.mark.parametrize("size", [(4, 6), (3, 6), (3, 5)], ids=str)
def test_conv_changes_sizes_as_layers_apart_do(size):
    keys = jax.random.split(quick(0), 2)
    small = jax.random.normal(keys[0], (2, -(-size[0] // 2), -(-size[1] // 2), 3))
    large = jax.random.normal(keys[0], (2, *size, 3))
    params = Conv(4, bias_init=nn.initializers.normal(1.0)).init(keys[1], small)

    @jax.jit
    def both(params, small, large):
        conv = lambda x: nn.Conv(4, (3, 3)).apply(params, x)
        nearest = jnp.repeat(jnp.repeat(small, 2, 1), 2, 2)[:, : size[0], : size[1]]
        pooled = nn.avg_pool(conv(large), (2, 2), (2, 2), "SAME", count_include_pad=False)
        ours = Conv(4, up=size).apply(params, small), Conv(4, down=True).apply(params, large)
        return ours, (conv(nearest), pooled)

    close(*both(params, small, large), 1e-5)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Conv(4), (2, 4, 3), r"x: expected images \[n, h, w, c\], got shape \(2, 4, 3\)"),
        (Conv(4, groups=2), (2, 4, 4, 3), "groups: expected a divisor of 3 inputs, got 2"),
        (Conv(3, groups=2), (2, 4, 4, 4), "groups: expected a divisor of 3 features, got 2"),
        (Conv(4, groups=0), (2, 4, 4, 4), "groups: expected at least 1"),
        (
            Conv(4, up=(9, 8)),
            (2, 4, 4, 4),
            r"up: expected None, or a size that halves to \(4, 4\), got \(9, 8\)",
        ),
        (Conv(4, up=(8, 8), down=True), (2, 4, 4, 4), "up: expected None"),
    ],
)
def test_bad_input_is_named(layer, shape, message):
    with pytest.raises(InputError, match=message):
        layer.init(quick(0), jnp.zeros(shape))


@pytest.mark.parametrize("kind", PUBLIC)
def test_programs_may_be_exported_for_any_number_of_images(kind):
    (_, *image), kernel = WIDE[kind]
    (n,) = jax.export.symbolic_shape("n")
    program = jax.jit(lambda x: PUBLIC[kind](x, case((1,), kernel, jnp.float32)[1]))
    exported = jax.export.export(program)(jax.ShapeDtypeStruct((n, *image), jnp.float32))
    x = case((3, *image), kernel, jnp.float32)[0]
    np.testing.assert_allclose(exported.call(x), program(x), rtol=1e-4, atol=1e-4)
